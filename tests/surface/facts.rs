//! What is known of a pipeline, and the rules by which what comes of it is judged.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use watertight::{Outcome, StopHandle};

use super::support::Ledger;
use super::support::oracle::{Fates, Hooks, Planned, planned};

/// When all that belongs to a pipeline is over at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Settles {
    /// As soon as it has come to its end, has been closed or has been dropped.
    AtOnce,
    WithItsScope,
    /// A thread of the program may still be busy with it.
    WithTheProgram,
}

/// A stop handle, and at which levels it stops something.
pub struct Stop {
    pub handle: StopHandle,
    pub levels: Vec<usize>,
    /// What it stops is released by the stop.
    pub releases: bool,
    pub used: bool,
}

impl Stop {
    pub fn new(handle: StopHandle, levels: Vec<usize>) -> Self {
        Stop { handle, levels, releases: false, used: false }
    }
}

/// What a pull comes to.
#[derive(Debug)]
pub enum Got {
    Item(usize),
    End,
    Panic(Planned),
    /// Nothing yet.
    Pending,
}

/// What is known of a pipeline. Levels are counted from its source, 0.
pub struct Facts {
    pub id: usize,
    pub fates: Fates,
    /// What its bodies hold.
    pub held: Ledger,
    /// What its bodies have registered to be awaited.
    pub cleaned: Cleaned,
    /// How many items it has if nobody ends it.
    pub total: usize,
    /// The panic that comes after them.
    pub ends_with: Option<Planned>,
    /// Dropping it may panic.
    pub is_dangerous: bool,

    pub level: usize,
    /// Levels and numbers of its hooks.
    pub hooks: Vec<(usize, usize)>,
    pub stops: Vec<Stop>,
    /// The levels that are stopped together.
    pub grouped: Vec<usize>,
    /// Levels of buffers, and how much may wait there for what is above.
    buffers: Vec<(usize, usize)>,
    /// How many items may be alive at a time.
    pub room: usize,
    /// It may end after so many items, because something has been told to finish.
    pub cuts: Vec<Arc<AtomicUsize>>,
    /// A branch that we do not read may make us lose items,
    pub loses: bool,
    /// or be the one who hears of a panic.
    pub shares_its_end: bool,
    pub has_threads: bool,
    /// Some of them outside a scope: a stop that drops their handles does not wait for them.
    pub has_free_threads: bool,
    /// It does not wait for the first pull.
    pub begins_early: bool,
    pub looks_ahead: bool,
    /// A close does not come through as one.
    pub is_opaque: bool,
    pub ends_with_release: bool,
    pub settles: Settles,

    pub pulled: bool,
    delivered: usize,
    last: Option<usize>,
    /// Its end, or a panic, has been seen, or it has been closed.
    pub over: bool,
    /// A stop or a close has been asked for, or is just being.
    pub disturbed: bool,
    /// How much may still come after that.
    left: Option<usize>,
    panicked: bool,
    dropped: bool,
}

impl Facts {
    pub fn new(id: usize, fates: Fates, held: Ledger) -> Self {
        Facts {
            id,
            fates,
            held,
            cleaned: Cleaned::default(),
            total: 0,
            ends_with: None,
            is_dangerous: false,
            level: 0,
            hooks: vec![],
            stops: vec![],
            grouped: vec![],
            buffers: vec![],
            room: 1,
            cuts: vec![],
            loses: false,
            shares_its_end: false,
            has_threads: false,
            has_free_threads: false,
            begins_early: false,
            looks_ahead: false,
            is_opaque: false,
            ends_with_release: false,
            settles: Settles::AtOnce,
            pulled: false,
            delivered: 0,
            last: None,
            over: false,
            disturbed: false,
            left: None,
            panicked: false,
            dropped: false,
        }
    }

    pub fn buffer(&mut self, level: usize, capacity: usize) {
        self.buffers.push((level, capacity));
        self.room += capacity;
    }

    pub fn settle(&mut self, when: Settles) {
        self.settles = self.settles.max(when);
    }

    fn above(&self, level: usize) -> usize {
        self.buffers.iter().filter(|(at, _)| *at > level).map(|(_, capacity)| capacity).sum()
    }

    /// Whether it may have ended because something has been told to finish.
    fn is_cut(&self) -> bool {
        self.cuts.iter().any(|least| self.delivered >= least.load(SeqCst))
    }

    /// A stop has been made at these levels: what is buffered above may still come.
    pub fn stopped_at(&mut self, levels: &[usize]) {
        let left = levels.iter().map(|&level| self.above(level)).chain(self.left).min();
        self.left = left;
        self.disturbed |= !levels.is_empty();
        if self.has_free_threads {
            self.settle(Settles::WithTheProgram);
        }
    }

    pub fn closed(&mut self) {
        (self.over, self.disturbed) = (true, true);
    }

    pub fn dropped(&mut self) {
        self.dropped |= !self.over;
        self.over = true;
    }

    /// Judges what a pull came to.
    pub fn saw(&mut self, got: &Got) {
        self.pulled = true;
        match *got {
            Got::Pending => assert!(!self.over, "it waits behind its end"),
            Got::Item(number) => {
                assert!(!self.over, "{number} came behind the end");
                match self.loses {
                    true => assert!(self.last < Some(number), "{number} after {:?}", self.last),
                    false => assert_eq!(number, self.delivered, "out of order"),
                }
                if let Some(left) = &mut self.left {
                    *left = left.checked_sub(1).expect("too much came behind a stop");
                }
                (self.delivered, self.last) = (self.delivered + 1, Some(number));
            }
            Got::End => {
                if !self.over && !self.disturbed {
                    let told_elsewhere = self.ends_with.is_some() && self.shares_its_end;
                    let cut = self.is_cut();
                    let may = self.ends_with.is_none() || told_elsewhere || cut;
                    assert!(may, "its panic is missing");
                    let whole = self.delivered == self.total || self.loses || told_elsewhere || cut;
                    assert!(whole, "{} came of {}", self.delivered, self.total);
                }
                self.over = true;
            }
            Got::Panic(payload) => {
                assert!(!self.over, "it panicked behind the end");
                self.panicked(payload);
                if self.ends_with.is_some() && !self.disturbed && !self.loses {
                    // What had been looked at goes with it.
                    let whole = self.delivered == self.total || self.looks_ahead || self.is_cut();
                    assert!(whole, "{} came of {}", self.delivered, self.total);
                }
                self.over = true;
            }
        }
    }

    /// Notes a panic, wherever it came out.
    pub fn panicked(&mut self, payload: Planned) {
        assert_eq!(payload.1, self.id, "{payload:?} is of another one");
        assert!(!self.panicked, "{payload:?} came twice");
        self.panicked = true;
    }

    /// What must hold after each operation.
    pub fn check(&self, hooks: &Hooks) {
        if !self.pulled && !self.begins_early {
            assert_eq!(self.fates.born(), 0, "it has begun before it was pulled");
        }
        if self.over && self.settles == Settles::AtOnce {
            self.check_settled(hooks);
        }
    }

    /// Everything is over: what it held is gone, every value has met its fate, the bounds were kept and
    /// each hook has been told once.
    pub fn check_settled(&self, hooks: &Hooks) {
        self.held.assert_settled();
        self.fates.assert_settled();
        self.cleaned.check();
        assert!(
            self.fates.peak() <= self.room,
            "{} at a time, of {}",
            self.fates.peak(),
            self.room
        );
        for &(level, number) in &self.hooks {
            let told = hooks.told(number);
            let [outcome] = *told else { panic!("the hook at level {level} was told {told:?}") };
            self.check_outcome(level, outcome);
        }
    }

    fn check_outcome(&self, level: usize, outcome: Outcome) {
        let complete = (self.delivered >= self.total && !self.loses) || !self.cuts.is_empty();
        let runs_ahead = self.shares_its_end || self.delivered + self.above(level) >= self.total;
        let may = match outcome {
            Outcome::Completed => self.disturbed || complete || runs_ahead,
            Outcome::Stopped => self.disturbed,
            // What has threads may be dropped by them, and a hook's own level by what is above it.
            Outcome::Dropped => self.dropped || self.is_opaque || self.disturbed,
            Outcome::Panicked => self.ends_with.is_some() || self.is_dangerous,
        };
        assert!(may, "the hook at level {level} was told {outcome:?}");
        if !self.is_opaque && !self.has_threads && !self.is_dangerous {
            let expected = match (self.panicked, self.disturbed, self.dropped) {
                (true, ..) => Outcome::Panicked,
                (false, false, true) => Outcome::Dropped,
                (false, false, false) => Outcome::Completed,
                // Which one was there first is the business of tests/scope_model.rs.
                (false, true, _) => return,
            };
            assert_eq!(outcome, expected, "the hook at level {level}");
        }
    }
}

/// What a body has registered, and what became of that.
#[derive(Clone, Default)]
pub struct Cleaned(Arc<Mutex<Registered>>);

#[derive(Default)]
struct Registered {
    count: usize,
    /// What has been run to its end, in this order.
    run: Vec<usize>,
    /// How many were given up, as the hook was told.
    abandoned: Vec<usize>,
}

/// One that has been registered.
pub struct Cleaning(Cleaned, usize);

impl Cleaned {
    fn notes(&self) -> MutexGuard<'_, Registered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn register(&self) -> Cleaning {
        let mut notes = self.notes();
        notes.count += 1;
        Cleaning(self.clone(), notes.count - 1)
    }

    pub fn abandoned(&self, count: usize) {
        self.notes().abandoned.push(count);
    }

    /// Each has been run, the youngest first, or told of as given up.
    fn check(&self) {
        let Registered { count, run, abandoned } = &*self.notes();
        assert!(run.is_sorted_by(|a, b| a > b), "registered ones were run in the order {run:?}");
        assert!(abandoned.len() <= 1, "the hook was told {abandoned:?}");
        let given_up: usize = abandoned.iter().sum();
        assert_eq!(run.len() + given_up, *count, "{run:?} and {given_up} given up, of {count}");
    }
}

impl Cleaning {
    pub fn number(&self) -> usize {
        self.1
    }

    pub fn run(self) {
        self.0.notes().run.push(self.1);
    }
}

/// What all pipelines of a program share.
#[derive(Default)]
pub struct World {
    pub hooks: Hooks,
    pub facts: RefCell<Vec<Facts>>,
    helpers: RefCell<Vec<JoinHandle<Option<Planned>>>>,
}

impl World {
    /// Runs something on a thread that the program waits for.
    pub fn help(&self, f: impl FnOnce() + Send + 'static) {
        let helper = thread::spawn(move || planned(f).err());
        self.helpers.borrow_mut().push(helper);
    }

    /// Waits for all helpers. What they panicked with is judged like what we saw ourselves.
    pub fn end(&self) {
        for helper in self.helpers.take() {
            let panicked =
                helper.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload));
            if let Some(payload) = panicked {
                self.facts.borrow_mut()[payload.1].panicked(payload);
            }
        }
    }

    pub fn check(&self) {
        self.facts.borrow().iter().for_each(|facts| facts.check(&self.hooks));
    }
}
