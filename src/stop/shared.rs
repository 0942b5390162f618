//! What a stop handle shares with its generator: the one word that decides who releases it.
//!
//! What a handle can stop is a [`Shared`]: a generator that looks for itself ([`Flag`]), one whose
//! state lies there to be released by whoever stops it ([`Owner`]), or a group, which has no state
//! but members.
//!
//! # The word
//!
//! | phase | who has the state |
//! |---|---|
//! | [`IDLE`] | nobody: the first to change it |
//! | [`RUNNING`] | the thread that runs a step |
//! | [`RELEASING`] | the thread that made it so |
//! | [`DONE`] | nobody, it is gone; the word has the [`Outcome`] |
//!
//! To step is to go from `IDLE` to `RUNNING` and back. To stop is to go from `IDLE` to `RELEASING`,
//! or, if that is not possible because a step is in progress, to add [`ASKED`] to `RUNNING`; then
//! the step's way back fails, and who runs it releases the state. `DONE` comes after the release,
//! whatever a destructor does, and is never left. A flag is always `RUNNING` until it is `DONE`: its
//! owner looks at the word before each step.
//!
//! Two read-modify-writes a step is the least that is sound here: with a plain load or store in
//! place of either, a stop that comes between the step's look at the word and its mark on it is
//! seen by nobody.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::mem::{self, ManuallyDrop, forget, transmute};
use core::panic::RefUnwindSafe;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::Waker;

use super::releasing::by_a_stop;
use super::steps::{during, inside};
use crate::on_finish::Outcome;
use crate::resume::Resume;
use crate::sync::{
    AtomicU8, AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, UnsafeCell, here, lock,
};
use crate::unwind::{Shield, quietly_if_panicking};

#[forbid(unsafe_code)]
mod waiting;

pub use waiting::WaitError;
use waiting::wake_all;

const IDLE: u8 = 0;
const RUNNING: u8 = 1;
const RELEASING: u8 = 2;
const DONE: u8 = 3;
const PHASE: u8 = 3;

/// A stop came in time. A bit, and never taken away again.
const ASKED: u8 = 4;

/// Somebody waits for the end, or there are members: who brings it about has to look under the
/// lock. A bit, and never taken away again.
const WATCHED: u8 = 32;

/// The phase `DONE` and, in two bits more, the outcome.
const fn done(outcome: Outcome) -> u8 {
    DONE | (outcome as u8) << 3
}

const fn outcome(word: u8) -> Option<Outcome> {
    match word & PHASE {
        DONE => Some(match word >> 3 & 3 {
            0 => Outcome::Completed,
            1 => Outcome::Stopped,
            2 => Outcome::Dropped,
            _ => Outcome::Panicked,
        }),
        _ => None,
    }
}

const fn is_stopped(word: u8) -> bool {
    word & ASKED != 0 || matches!(outcome(word), Some(Outcome::Stopped))
}

/// A generator seen by whoever releases it.
trait Held {
    fn close_it(self: Pin<&mut Self>);
}

impl<G: Resume> Held for G {
    fn close_it(self: Pin<&mut Self>) {
        self.close();
    }
}

/// The state of an [`Owner`]'s generator, until it is released. The pointer is from a `Box`.
struct Place(UnsafeCell<Option<NonNull<dyn Held>>>);

// SAFETY: what is behind the pointer is `Send`, which the constructors of `Owner` demand, and is
// touched by one thread at a time, the one that has the state according to the word.
unsafe impl Send for Place {}
// SAFETY: as above.
unsafe impl Sync for Place {}

pub(super) struct Shared {
    word: AtomicU8,
    /// The thread of the step in progress, or of the last one. An owner's: its step changes the word
    /// anyway. For a flag's see [`steps`](super::steps).
    runner: AtomicUsize,
    /// The thread that is releasing, or 0.
    releaser: AtomicUsize,
    place: Place,
    /// What this is a member of, and as what.
    group: Option<(Arc<Shared>, u64)>,
    members: Mutex<Members>,
    changed: Condvar,
}

// Whatever a panic leaves behind, the word tells what it is.
impl RefUnwindSafe for Shared {}

/// What is stopped together with a group, or with a generator that has children.
#[derive(Default)]
struct Members {
    /// Those that are not over, oldest first. Weak: a member keeps its group, not the other way.
    all: BTreeMap<u64, Weak<Shared>>,
    next: u64,
    /// The group has been stopped: who comes now is stopped as well.
    closed: bool,
    /// How many threads wait for a change.
    waiting: u32,
    /// What wakes the tasks that wait for one.
    tasks: Tasks,
}

/// By their numbers. Behind a pointer, because most handles never have any.
type Tasks = Option<Box<BTreeMap<u64, Waker>>>;

impl Shared {
    /// Something with `held` for its state, or none. The second value says that the group it should
    /// be a member of has been stopped already, and this should be, too.
    fn new(
        phase: u8,
        held: Option<NonNull<dyn Held>>,
        mut group: Option<&Arc<Shared>>,
    ) -> (Arc<Self>, bool) {
        let shared = |group| Shared {
            word: AtomicU8::new(phase),
            runner: AtomicUsize::new(0),
            releaser: AtomicUsize::new(0),
            place: Place(UnsafeCell::new(held)),
            group,
            members: Mutex::default(),
            changed: Condvar::new(),
        };
        while let Some(above) = group {
            let mut members = above.members();
            // Under the lock, before the member is there: either its end sees `WATCHED` and comes
            // to look, or we see that it has ended. And a stop first changes the word, then comes
            // for the members. The word is read only once, or what is asked first could be older
            // than what is asked next.
            let mut word = above.word.load(Ordering::Acquire);
            if word & WATCHED == 0 {
                word = above.word.fetch_or(WATCHED, Ordering::AcqRel);
            }
            if members.closed || is_stopped(word) {
                return (Arc::new(shared(None)), true);
            }
            if outcome(word).is_some() && members.all.is_empty() {
                // It is over and has left its group: the new one belongs there.
                drop(members);
                group = above.group.as_ref().map(|(group, _)| group);
                continue;
            }
            let key = members.next;
            members.next += 1;
            // The memory first: a member that is dropped for want of it asks for the lock.
            let member = Arc::new_cyclic(|member| {
                members.all.insert(key, member.clone());
                shared(Some((above.clone(), key)))
            });
            return (member, false);
        }
        (Arc::new(shared(None)), false)
    }

    /// A group, which has no state.
    pub(super) fn group(above: Option<&Arc<Shared>>) -> Arc<Self> {
        let (group, stopped) = Shared::new(IDLE, None, above);
        if stopped {
            group.stop();
        }
        group
    }

    /// Changes the word from one phase to another, if it is as expected, whether watched or not.
    #[inline(always)]
    fn advance(&self, from: u8, to: u8, ordering: Ordering) -> Result<(), u8> {
        match self.word.compare_exchange(from, to, ordering, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(_) => self.advance_watched(from, to, ordering),
        }
    }

    #[cold]
    fn advance_watched(&self, from: u8, to: u8, ordering: Ordering) -> Result<(), u8> {
        let (from, to) = (from | WATCHED, to | WATCHED);
        match self.word.compare_exchange(from, to, ordering, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(word) => Err(word & !WATCHED),
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        lock(&self.members)
    }

    /// Begins a step of an `Owner`. Afterwards the caller has the state.
    #[inline(always)]
    fn enter(&self) -> bool {
        self.runner.store(here(), Ordering::Relaxed);
        // Acquire: with the release in `leave`, should the last step have been another thread's.
        // Release: who sees `RUNNING` in `runs_here` sees whose step it is.
        self.advance(IDLE, RUNNING, Ordering::AcqRel).is_ok()
    }

    /// Ends a step. If this fails a stop has been asked for, and the caller still has the state.
    #[inline(always)]
    fn leave(&self) -> bool {
        // Release: with the acquire in `stop` or `end`, whose thread may release what the step has
        // written. Failing, acquire: with the release in `stop`, so that destructors see what came
        // before that.
        self.advance(RUNNING, IDLE, Ordering::Release).is_ok()
    }

    /// Stops this, without its members. `true` if that was this call's doing.
    ///
    /// # Panics
    ///
    /// If the release is this call's to do and a destructor panics.
    pub(super) fn stop(&self) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let next = match word & !WATCHED {
                IDLE => word | RELEASING | ASKED,
                RUNNING => word | ASKED,
                _ => return false,
            };
            // Acquire: with the release in `leave`. Release: with the acquire in `leave` or in
            // `Flag::begin_release`.
            match self.word.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        if word & PHASE == IDLE {
            // SAFETY: we have made it `RELEASING`, so the state is ours.
            by_a_stop(|| unsafe { self.release(Outcome::Stopped) });
        } else if word & WATCHED != 0 {
            // A task may wait for a stop to be asked for.
            wake_all(mem::take(&mut self.members().tasks));
        }
        true
    }

    /// Ends this from the owner's side, between two steps. `true` if that was this call's doing.
    ///
    /// # Panics
    ///
    /// If a destructor does.
    pub(super) fn end(&self, outcome: Outcome) -> bool {
        // Acquire: with the release in `leave`, should that have been on another thread.
        let ours = self.advance(IDLE, RELEASING, Ordering::Acquire).is_ok();
        if ours {
            // SAFETY: we have made it `RELEASING`, so the state is ours.
            unsafe { self.release(outcome) };
        }
        ours
    }

    /// Releases the state, then says that it is done, even if a destructor panics.
    ///
    /// # Safety
    ///
    /// The caller has the state: it has made the word `RELEASING`, or runs the step.
    #[cold]
    unsafe fn release(&self, how: Outcome) {
        struct Finish<'a>(&'a Shared, Outcome);
        impl Drop for Finish<'_> {
            fn drop(&mut self) {
                self.0.finish(self.1);
            }
        }
        self.releaser.store(here(), Ordering::Relaxed);
        let _finish = Finish(self, how);
        // SAFETY: the caller has the state, and nobody else looks into the place.
        let Some(held) = self.place.0.with_mut(|place| unsafe { (*place).take() }) else { return };
        // SAFETY: it is from a box, and taken out it is only ours.
        let held = unsafe { Pin::new_unchecked(Box::from_raw(held.as_ptr())) };
        let release = || {
            let mut held = Shield::new(held);
            if how == Outcome::Stopped {
                held.get_mut().as_mut().close_it();
            }
            drop(held.into_inner());
        };
        quietly_if_panicking(release);
    }

    /// Begins the release of what looks for itself. `Err` if a stop has been asked for before, and
    /// says whether this call has begun it all the same: if not, it is over or has begun before.
    fn begin_release(&self) -> Result<(), bool> {
        self.releaser.store(here(), Ordering::Relaxed);
        // Acquire: with the release in `stop`, so that destructors see what came before.
        // Release: who sees `RELEASING` in `runs_here` sees whose release it is.
        match self.advance(RUNNING, RELEASING, Ordering::AcqRel) {
            Ok(()) => Ok(()),
            Err(word) if word == RUNNING | ASKED => {
                // Nobody else changes the phase now.
                self.word.fetch_xor(RUNNING ^ RELEASING, Ordering::AcqRel);
                Err(true)
            }
            Err(_) => Err(false),
        }
    }

    /// Says that the state has been released.
    fn finish(&self, outcome: Outcome) {
        // Release: with the acquire in `outcome`: who sees `DONE` sees the release. The bits of the
        // outcome are 0 until here, and only who has the state comes here.
        let before = self.word.fetch_or(done(outcome), Ordering::AcqRel);
        if before & WATCHED != 0 {
            let mut members = self.members();
            if members.waiting > 0 {
                self.changed.notify_all();
            }
            let (tasks, last) = (mem::take(&mut members.tasks), members.all.is_empty());
            drop(members);
            wake_all(tasks);
            if !last {
                return; // The last of them will see to it.
            }
        }
        self.leave_groups();
    }

    /// This is over, or its last handle has gone, and so it is with its members. That may settle its
    /// group, too, and so on.
    fn leave_groups(&self) {
        let mut settled = self;
        while let Some((group, key)) = &settled.group {
            if !group.remove(*key) {
                break;
            }
            settled = group;
        }
    }

    /// Nobody has a handle any more. What is over has left before, when that came about or when its last
    /// member did, which is gone as well, for it would hold this.
    fn leave_groups_at_last(&self) {
        if self.group.is_some() && self.outcome().is_none() {
            self.leave_groups();
        }
    }

    /// Takes a member out. `true` if it was there, it was the last and this is over itself.
    fn remove(&self, key: u64) -> bool {
        let mut members = self.members();
        let last = members.all.remove(&key).is_some() && members.all.is_empty();
        if last && members.waiting > 0 {
            self.changed.notify_all();
        }
        let tasks = if last { mem::take(&mut members.tasks) } else { None };
        drop(members);
        wake_all(tasks);
        last && self.outcome().is_some()
    }

    /// The members that there are, oldest first.
    pub(super) fn children(&self, close: bool) -> Vec<Arc<Shared>> {
        let mut members = self.members();
        members.closed |= close;
        members.all.values().filter_map(Weak::upgrade).collect()
    }

    #[inline]
    pub(super) fn outcome(&self) -> Option<Outcome> {
        outcome(self.word.load(Ordering::Acquire))
    }

    pub(super) fn is_stopped(&self) -> bool {
        is_stopped(self.word.load(Ordering::Acquire))
    }

    /// Whether this thread is in the middle of a step or of the release. To wait for the end would
    /// then be to wait for itself.
    fn runs_here(&self) -> bool {
        let who = match self.word.load(Ordering::Acquire) & PHASE {
            RUNNING => self.runner.load(Ordering::Relaxed),
            RELEASING => self.releaser.load(Ordering::Relaxed),
            _ => 0,
        };
        who == here() || inside(self)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.leave_groups_at_last();
        // Not by recursion: groups can be nested deep.
        let mut group = self.group.take();
        while let Some(mut last) = group.and_then(|(group, _)| Arc::into_inner(group)) {
            last.leave_groups_at_last();
            group = last.group.take();
        }
    }
}

/// The side of a generator that looks for itself whether it has been stopped.
///
/// What is inlined here refers to this in no call: what a call is given the address of cannot be kept
/// in registers, and neither can the generator next to it.
pub(super) struct Flag {
    /// Taken by `drop`, and by nothing else.
    shared: ManuallyDrop<Arc<Shared>>,
    /// How it will have ended when the release is over that has begun.
    ending: Option<Outcome>,
}

impl Flag {
    pub(super) fn new(group: Option<&Arc<Shared>>) -> Self {
        let (shared, stopped) = Shared::new(RUNNING, None, group);
        if stopped {
            shared.stop();
        }
        Flag { shared: ManuallyDrop::new(shared), ending: None }
    }

    /// Whether there is to be no further step: a stop has been asked for, or it is over.
    #[inline(always)]
    pub(super) fn asked(&self) -> bool {
        // Of the phases that a flag has, `RELEASING` and `DONE` have this bit.
        self.shared.word.load(Ordering::Relaxed) & (ASKED | RELEASING) != 0
    }

    /// Begins the release, unless it is over or has begun. `true` if the outcome will be `outcome`,
    /// and not a stop that has been asked for before.
    #[inline(always)]
    pub(super) fn begin_release(&mut self, outcome: Outcome) -> bool {
        match self.shared.begin_release() {
            Ok(()) => {
                self.ending = Some(outcome);
                true
            }
            Err(asked) => {
                if asked {
                    self.ending = Some(Outcome::Stopped);
                }
                false
            }
        }
    }

    /// Ends a release that has begun; also when this is dropped.
    #[inline(always)]
    pub(super) fn end_release(&mut self) {
        if let Some(outcome) = self.ending.take() {
            self.shared.finish(outcome);
        }
    }

    /// Runs a step.
    #[inline(always)]
    pub(super) fn step<T>(&self, step: impl FnOnce() -> T) -> T {
        during(&**self.shared, step)
    }

    /// The generator has been released by the step that has ended it.
    #[inline(always)]
    pub(super) fn finish(&self, outcome: Outcome) {
        self.shared.finish(outcome);
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Flag {
    #[inline(always)]
    fn drop(&mut self) {
        self.end_release();
        // SAFETY: nobody has taken it before, since only this does, and after it nobody can.
        drop(unsafe { ManuallyDrop::take(&mut self.shared) });
    }
}

/// The side of a generator that others can release.
pub(super) struct Owner<G> {
    shared: Arc<Shared>,
    /// What the place points to, for as long as it does.
    generator: NonNull<G>,
    /// The generator is not `'static`: this must not go while somebody else is releasing it.
    borrows: bool,
}

// SAFETY: like a box of the generator, which is `Send`, which the constructors demand.
unsafe impl<G: Send> Send for Owner<G> {}
// SAFETY: through a shared reference only the word can be read.
unsafe impl<G: Send> Sync for Owner<G> {}

/// Drops the generator if there is no memory for what its handles would share.
struct Unshared(NonNull<dyn Held>);

impl Drop for Unshared {
    #[cold]
    fn drop(&mut self) {
        // SAFETY: it is from a box, and what was to share it has not come about.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl<G: Resume + Send> Owner<G> {
    pub(super) fn new(generator: G, group: Option<&Arc<Shared>>) -> Self
    where
        G: 'static,
    {
        // SAFETY: it borrows nothing.
        unsafe { Self::with(generator, group, false) }
    }

    /// # Safety
    ///
    /// The owner must be dropped before anything ends that the generator borrows.
    pub(super) unsafe fn borrowing(generator: G, group: Option<&Arc<Shared>>) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::with(generator, group, true) }
    }

    /// # Safety
    ///
    /// `G` is `'static`; or `borrows` is true and the owner is dropped before what `G` borrows ends.
    unsafe fn with(generator: G, group: Option<&Arc<Shared>>, borrows: bool) -> Self {
        let held: Box<dyn Held + '_> = Box::new(generator);
        // SAFETY: a box is not null.
        let held: NonNull<dyn Held + '_> = unsafe { NonNull::new_unchecked(Box::into_raw(held)) };
        let generator = held.cast::<G>();
        // SAFETY: only the lifetime changes. Handles outlive it, but touch the generator only until
        // the word says `DONE`, and `drop` does not return before that, if anything is borrowed.
        let held: NonNull<dyn Held> = unsafe { transmute(held) };
        let unshared = Unshared(held);
        let (shared, stopped) = Shared::new(IDLE, Some(held), group);
        forget(unshared);
        if stopped {
            shared.stop();
        }
        Owner { shared, generator, borrows }
    }
}

impl<G> Owner<G> {
    /// Runs a step, unless the generator is over. `step` also says whether it has ended it.
    ///
    /// # Errors
    ///
    /// The argument, if the generator is over.
    #[inline(always)]
    pub(super) fn step<A, T>(
        &mut self,
        argument: A,
        step: impl FnOnce(Pin<&mut G>, A) -> (T, Option<Outcome>),
    ) -> Result<T, A> {
        /// Releases the generator if the step that it guards panics.
        struct Stepping<'a>(&'a Shared);
        impl Drop for Stepping<'_> {
            #[cold]
            fn drop(&mut self) {
                // SAFETY: the step is ours, so the state is.
                unsafe { self.0.release(Outcome::Panicked) };
            }
        }
        let shared = &*self.shared;
        if !shared.enter() {
            return Err(argument);
        }
        let stepping = Stepping(shared);
        let (value, ended) = shared.place.0.with_mut(|_| {
            // SAFETY: the word is `RUNNING` by our doing, so the state is there and ours. It does
            // not move until it is dropped.
            step(unsafe { Pin::new_unchecked(&mut *self.generator.as_ptr()) }, argument)
        });
        forget(stepping);
        let outcome = match ended {
            None if shared.leave() => return Ok(value),
            None => Outcome::Stopped,
            Some(outcome) => outcome,
        };
        let value = Shield::new(value);
        // SAFETY: not left, so the state is still ours.
        unsafe { shared.release(outcome) };
        Ok(value.into_inner())
    }

    /// Ends the generator now. `true` if that was this call's doing.
    pub(super) fn end(&mut self, outcome: Outcome) -> bool {
        self.shared.end(outcome)
    }

    pub(super) fn is_over(&self) -> bool {
        // Between two steps it is `IDLE` or on its way out. Acquire: what is over is released.
        self.shared.word.load(Ordering::Acquire) & PHASE != IDLE
    }

    /// Whether it has ended by itself, and not by a stop or a close, and has been released.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.shared.outcome(), Some(Outcome::Completed | Outcome::Panicked))
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl<G> Drop for Owner<G> {
    fn drop(&mut self) {
        self.end(Outcome::Dropped);
        // Acquire, in there: what is over has been released, as a rule by the line above.
        if self.borrows && self.shared.outcome().is_none() && !self.shared.runs_here() {
            // Somebody else may be in the middle of the release. (If it is this very thread, then
            // further down on its stack, and what is borrowed ends further down still.)
            let waited = self.shared.watch(None, |_| self.shared.outcome());
            debug_assert!(waited.is_ok(), "without a deadline there is only one end");
        }
    }
}
