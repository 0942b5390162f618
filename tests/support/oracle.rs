//! The oracle that the models, the fuzz targets and the stress tests share: what became of every
//! value, what every hook was told, and what the process has more of than before.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Once, PoisonError};

use watertight::Outcome;

use super::{Ledger, Thing};

/// What became of the values of one source. Each is delivered, or handed back (in an error, or to a
/// hook for what is lost), or dropped: exactly one of them, and once.
#[derive(Clone, Default)]
pub struct Fates(Arc<Book>);

#[derive(Default)]
struct Book {
    ledger: Ledger,
    delivered: AtomicUsize,
    handed_back: AtomicUsize,
    dropped: AtomicUsize,
    peak: AtomicUsize,
}

/// How many have met which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub delivered: usize,
    pub handed_back: usize,
    pub dropped: usize,
}

impl Fates {
    pub fn new() -> Self {
        Self::default()
    }

    /// A value with a number.
    pub fn item(&self, number: usize) -> Item {
        let thing = Some(self.0.ledger.thing("item"));
        self.0.peak.fetch_max(self.alive(), SeqCst);
        Item { number, thing, fates: self.clone(), bomb: None }
    }

    /// One whose destructor panics with this, if it is dropped and not taken.
    pub fn bomb(&self, number: usize, payload: Planned) -> Item {
        let mut item = self.item(number);
        item.bomb = Some(payload);
        item
    }

    pub fn born(&self) -> usize {
        self.0.ledger.born()
    }

    pub fn alive(&self) -> usize {
        self.0.ledger.alive()
    }

    /// The most that have ever been alive at a time.
    pub fn peak(&self) -> usize {
        self.0.peak.load(SeqCst)
    }

    pub fn count(&self) -> Count {
        Count {
            delivered: self.0.delivered.load(SeqCst),
            handed_back: self.0.handed_back.load(SeqCst),
            dropped: self.0.dropped.load(SeqCst),
        }
    }

    /// Every value has met one fate, once.
    #[track_caller]
    pub fn assert_settled(&self) {
        self.0.ledger.assert_settled();
        let Count { delivered, handed_back, dropped } = self.count();
        assert_eq!(delivered + handed_back + dropped, self.born(), "{:?}", self.count());
    }
}

/// A value whose fate is noted.
pub struct Item {
    number: usize,
    thing: Option<Thing>,
    fates: Fates,
    bomb: Option<Planned>,
}

impl Item {
    pub fn number(&self) -> usize {
        self.number
    }

    /// It has come to where it was meant to. Nothing panics then.
    pub fn deliver(self) -> usize {
        let number = self.number;
        self.end(|book| &book.delivered);
        number
    }

    /// It has come back.
    pub fn hand_back(self) -> usize {
        let number = self.number;
        self.end(|book| &book.handed_back);
        number
    }

    fn end(mut self, fate: impl FnOnce(&Book) -> &AtomicUsize) {
        if self.thing.take().is_some() {
            fate(&self.fates.0).fetch_add(1, SeqCst);
        }
        self.bomb = None;
    }
}

impl Clone for Item {
    /// Another one of this number, with a fate of its own. It is no bomb.
    fn clone(&self) -> Self {
        self.fates.item(self.number)
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        if self.thing.take().is_some() {
            self.fates.0.dropped.fetch_add(1, SeqCst);
        }
        if let Some(payload) = self.bomb.take() {
            payload.panic();
        }
    }
}

/// The payload of a panic that is on purpose: what panics, of which source or block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned(pub &'static str, pub usize);

impl Planned {
    /// Without a word from the panic hook.
    pub fn panic(self) -> ! {
        resume_unwind(Box::new(self))
    }

    /// What this panic was planned as. Any other one goes on: it is a failure.
    pub fn of(payload: Box<dyn Any + Send>) -> Planned {
        match payload.downcast::<Planned>() {
            Ok(planned) => *planned,
            Err(payload) => resume_unwind(payload),
        }
    }
}

/// Runs `f`, which may panic as planned.
pub fn planned<T>(f: impl FnOnce() -> T) -> Result<T, Planned> {
    catch_unwind(AssertUnwindSafe(f)).map_err(Planned::of)
}

/// Runs `f` and says whether it panics.
pub fn panics<T>(f: impl FnOnce() -> T) -> (bool, Option<T>) {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => (false, Some(value)),
        Err(_) => (true, None),
    }
}

/// Something that is held, and whose destructor may panic.
pub struct Held {
    thing: Option<Thing>,
    bomb: Option<Planned>,
}

impl Held {
    pub fn new(ledger: &Ledger, bomb: Option<Planned>) -> Self {
        Held { thing: Some(ledger.thing("held")), bomb }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.thing.take());
        if let Some(payload) = self.bomb.take() {
            payload.panic();
        }
    }
}

/// What a program's hooks were told.
#[derive(Clone, Default)]
pub struct Hooks(Arc<Mutex<Vec<Vec<Outcome>>>>);

impl Hooks {
    /// A hook to be told, by its number.
    pub fn hook(&self) -> (usize, impl FnOnce(Outcome) + Send + 'static) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.push(Vec::new());
        let (number, book) = (told.len() - 1, self.0.clone());
        (number, move |outcome| book.lock().unwrap()[number].push(outcome))
    }

    /// How often, and what, this one was told so far.
    pub fn told(&self, number: usize) -> Vec<Outcome> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[number].clone()
    }

    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// How many threads and open files the process has, where the system tells. For tests that have their
/// process to themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    threads: usize,
    files: usize,
}

impl Process {
    /// Now. To be asked before there has been anything to go away: a thread that has been joined is
    /// counted for a moment longer.
    pub fn now() -> Self {
        let count = |path| std::fs::read_dir(path).map_or(0, |entries| entries.count());
        // A fuzzer opens pipes to its symbolizer when it likes.
        let files = if cfg!(fuzzing) { 0 } else { count("/proc/self/fd") };
        Process { threads: count("/proc/self/task"), files }
    }

    /// Waits until there are no more than there were.
    #[cfg(feature = "std")]
    #[track_caller]
    pub fn assert_back(&self) {
        let mut now = *self;
        let back = super::threads::comes_about(|| {
            now = Process::now();
            now.threads <= self.threads && now.files <= self.files
        });
        assert!(back, "{now:?} after {self:?}");
    }
}

/// Keeps panics that are on purpose, by how their messages begin, from being printed by the thousand.
pub fn quiet(on_purpose: &'static [&'static str]) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or(payload.downcast_ref::<&str>().copied()).unwrap_or_default();
            if !on_purpose.iter().any(|start| text.starts_with(start)) {
                before(info);
            }
        }));
    });
}
