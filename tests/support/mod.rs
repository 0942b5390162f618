//! What the tests share: a ledger that knows every value's fate, and ways to poll and to catch.

#![allow(dead_code)] // Each test binary uses a part of it.

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use watertight::{Co, Gen, generator};

pub mod oracle;
#[cfg(feature = "alloc")]
pub mod recursion;
#[cfg(feature = "stream")]
pub mod tasks;
#[cfg(feature = "std")]
pub mod threads;
pub mod tokens;

/// Counts births and deaths. Everything it made must have died exactly once: that is what
/// [`Ledger::assert_settled`] asserts.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    born: Vec<&'static str>,
    deaths: Vec<usize>,
}

impl Ledger {
    pub fn new() -> Self {
        Self::default()
    }

    /// A thing that is entered in the ledger when it is made and when it is dropped.
    pub fn thing(&self, name: &'static str) -> Thing {
        self.enter(name, false)
    }

    /// A thing whose destructor panics, after it has been entered.
    pub fn bomb(&self, name: &'static str) -> Thing {
        self.enter(name, true)
    }

    // A failed assertion must not make every destructor after it panic as well.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, name: &'static str, panics: bool) -> Thing {
        let mut book = self.book();
        book.born.push(name);
        Thing { id: book.born.len() - 1, name, ledger: self.clone(), panics }
    }

    /// How many are alive.
    pub fn alive(&self) -> usize {
        let book = self.book();
        book.born.len() - book.deaths.len()
    }

    /// How many were ever made.
    pub fn born(&self) -> usize {
        self.book().born.len()
    }

    /// The names of those that are alive, in the order of their births.
    pub fn names_alive(&self) -> Vec<&'static str> {
        let book = self.book();
        let alive = book.born.iter().enumerate().filter(|(id, _)| !book.deaths.contains(id));
        alive.map(|(_, name)| *name).collect()
    }

    /// The names of those that died, in the order of their deaths.
    pub fn deaths(&self) -> Vec<&'static str> {
        let book = self.book();
        book.deaths.iter().map(|&id| book.born[id]).collect()
    }

    /// Every thing has died, and none of them twice.
    #[track_caller]
    pub fn assert_settled(&self) {
        let book = self.book();
        let mut fates = vec![0; book.born.len()];
        book.deaths.iter().for_each(|&id| fates[id] += 1);
        for (id, times) in fates.iter().enumerate() {
            assert_eq!(*times, 1, "`{}` (no. {id}) died {times} times", book.born[id]);
        }
    }
}

pub struct Thing {
    id: usize,
    name: &'static str,
    ledger: Ledger,
    panics: bool,
}

impl Thing {
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl Clone for Thing {
    /// Another one of the same name, with a fate of its own.
    fn clone(&self) -> Self {
        self.ledger.enter(self.name, self.panics)
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        self.ledger.book().deaths.push(self.id);
        if self.panics {
            panic!("the destructor of `{}` panics", self.name);
        }
    }
}

impl fmt::Debug for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Polls once with the context of the body that awaits this.
pub async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// A body made by hand: unlike an async block it still holds its fields when it has panicked or
/// ended, and it notices being polled again.
pub struct HandMade<P> {
    pub poll: P,
    pub polls: Arc<Mutex<usize>>,
    pub holds: Vec<Thing>,
}

impl<P> HandMade<P> {
    pub fn new(holds: Vec<Thing>, poll: P) -> Self {
        HandMade { poll, polls: Arc::default(), holds }
    }
}

// `holds` is not pinned and `poll` is only called.
impl<P> Unpin for HandMade<P> {}

impl<T, P: FnMut(&mut Context<'_>) -> Poll<T>> Future for HandMade<P> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        *self.polls.lock().unwrap() += 1;
        (self.poll)(cx)
    }
}

/// Runs `f`, which must panic, and gives the payload.
#[track_caller]
pub fn catch<T>(f: impl FnOnce() -> T) -> Box<dyn Any + Send> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("this should have panicked"),
        Err(payload) => payload,
    }
}

/// Runs `f`, which must panic, and gives the message.
#[track_caller]
pub fn message<T>(f: impl FnOnce() -> T) -> String {
    let payload = catch(f);
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast::<&str>().map_or_else(|_| "?".into(), |s| (*s).into()),
    }
}

/// Forgets `value`, but keeps its address, so that a leak checker sees that it is on purpose.
pub fn forget<T>(value: T) {
    static FORGOTTEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let address = Box::into_raw(Box::new(value)) as usize;
    FORGOTTEN.lock().unwrap_or_else(PoisonError::into_inner).push(address);
}

/// A generator that holds something and never ends, for code that only wants one to be alive.
pub fn holding(thing: Thing) -> Gen<u32, impl Future<Output = ()>> {
    generator(async |mut co: Co<u32>| {
        let _held = thing;
        for n in 0.. {
            co.yield_(n).await;
        }
    })
}
