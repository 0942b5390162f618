//! The hand-off engine: how a value gets out of a body, and an argument in.
//!
//! All of the engine's unsafe code is in this file.
//!
//! The body of a generator is a future. Whoever resumes it puts a [`Slot`] on its own stack (the
//! generator's identity, the caller's real waker, room for one value out and one argument in),
//! makes a waker whose data pointer is that slot and whose vtable is [`VTABLE`], and polls. A yield
//! inside the body finds the slot through the waker it is polled with, leaves its value there and
//! returns `Pending`. Nothing is shared between steps: no cell, no self-reference, no allocation.
//! After inlining the slot is registers, and the generator is the loop one would have written.
//!
//! # Why it is sound
//!
//! 1. *Only the slot's own generator touches it.* [`find`] compares first the waker's vtable with
//!    `VTABLE`, a private static that is not generic, so its address means "the data pointer is a
//!    `Slot`, whose first field is a `Header`"; then the header's identity with the key's. An
//!    identity belongs to one generator for the life of the process ([`crate::identity`]), and
//!    [`pair`] makes for it one [`Gate<Y, R>`], which makes its slots, and one [`Key<Y, R>`]. The
//!    key is invariant in both types, the gate in `R`; a gate may have been shortened in `Y`, and
//!    then what comes out is only taken for less than it is. Equal identities therefore mean types
//!    that fit, lifetimes included.
//! 2. *The slot is alive.* `find` reads the waker in a `Context`, which borrows it; the borrow
//!    began inside `poll` in [`Gate::step`] and cannot outlive that call, which the slot does. A
//!    clone of the waker does not point to the slot: it is a clone of the caller's waker.
//! 3. *No two accesses at once.* `Waker` is `Sync`, so a body may lend `&Waker` to other threads
//!    while it is polled. But the fields behind `UnsafeCell` are touched only through the one key
//!    of that identity, by methods that take it, or the [`Sending`] or [`SendingAll`] that borrows
//!    it, as `&mut`; and it is `Send` only if `Y` and `R` are, and never `Sync` or `Clone`. `step`
//!    itself touches them only before the poll and after it. The header is never written.
//! 4. *No foreign code runs in between.* Values are moved in and out of the fields; nothing is
//!    dropped or compared there, and a full place is never assigned to, because the destructor of
//!    the old value could reach the slot again.

use core::cell::{Cell, UnsafeCell};
use core::future::Future;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, needs_drop};
use core::num::NonZeroU64;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use crate::identity::Identity;
use crate::unwind::{Shield, release};

/// What the vtable functions and the identity check can see without knowing `Y` and `R`.
#[repr(C)]
struct Header<'w> {
    id: NonZeroU64,
    caller: &'w Waker,
    /// Whatever the generator wants its body to find.
    owner: *const (),
}

/// One step's meeting place, on the stack of whoever resumes. `repr(C)`: the header comes first.
#[repr(C)]
struct Slot<'w, Y, R> {
    header: Header<'w>,
    value: UnsafeCell<Option<Y>>,
    argument: UnsafeCell<Option<R>>,
}

/// Says "my data pointer is a `Slot`". A static has one address; a constant could have several,
/// or share one with an equal constant.
static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop_nothing);

/// The slot must not outlive its step, so a clone is a clone of the caller's waker.
unsafe fn clone(slot: *const ()) -> RawWaker {
    // SAFETY: called through a waker with our vtable, made only in `Gate::step`, whose data pointer
    // is a live `Slot` with a `Header` at its start (1 and 2 above). The header is only ever read.
    let header = unsafe { &*slot.cast::<Header<'_>>() };
    let theirs = ManuallyDrop::new(header.caller.clone());
    RawWaker::new(theirs.data(), theirs.vtable())
}

/// Also stands for waking by value: the waker owns nothing, so consuming it is no different.
unsafe fn wake(slot: *const ()) {
    // SAFETY: as in `clone`.
    let header = unsafe { &*slot.cast::<Header<'_>>() };
    header.caller.wake_by_ref();
}

unsafe fn drop_nothing(_: *const ()) {}

/// What one poll of a body left behind.
pub(crate) struct Step<Y, T> {
    pub(crate) value: Option<Y>,
    pub(crate) poll: Poll<T>,
}

/// Neither a longer nor a shorter-lived type can stand for `T`.
type Invariant<T> = fn(T) -> T;

/// The side of whoever resumes: it makes the slots. There is one for each identity.
///
/// The marker makes it covariant in `Y` and invariant in `R` (a covariant gate for `&'static str`
/// would let a `&'short str` in), and `Send` and `Sync` if both are.
pub(crate) struct Gate<Y, R> {
    id: Identity,
    marker: PhantomData<(Y, R, Invariant<R>)>,
}

impl<Y, R> Gate<Y, R> {
    /// Resumes `body` once, lending it `argument` and, for the wakers it clones, `caller`.
    ///
    /// There is no argument where the body goes on after something else than a yield. One that
    /// nobody took is dropped before this returns. `owner` is for [`Key::owner`].
    ///
    /// # Panics
    ///
    /// If the body panics, or the destructor of an argument that nobody took. What the slot held
    /// is dropped first.
    #[inline(always)]
    pub(crate) fn step<F: Future>(
        &self,
        caller: &Waker,
        argument: Option<R>,
        owner: *const (),
        body: Pin<&mut F>,
    ) -> Step<Y, F::Output> {
        let slot = Spill(Slot::<Y, R> {
            header: Header { id: self.id.get(), caller, owner },
            value: UnsafeCell::new(None),
            argument: UnsafeCell::new(argument),
        });
        // SAFETY: the vtable's functions expect a live `Slot`, and this one lives on this frame
        // until after the poll. They are thread-safe: they only read the header, whose `&Waker` is
        // `Sync`. `ManuallyDrop`, because dropping this waker would be a call for nothing.
        let waker = unsafe { Waker::new((&raw const slot.0).cast(), &VTABLE) };
        let waker = ManuallyDrop::new(waker);
        let poll = body.poll(&mut Context::from_waker(&waker));

        let (value, argument) = slot.into_contents();
        if needs_drop::<R>() && argument.is_some() {
            // Its destructor may panic; what the body gave must not be leaked or aborted over.
            let (value, poll) = (Shield::new(value), Shield::new(poll));
            drop(argument);
            Step { value: value.into_inner(), poll: poll.into_inner() }
        } else {
            Step { value, poll }
        }
    }
}

/// Empties the slot when a body's panic passes through: each value on its own, so that a
/// destructor that panics as well neither aborts nor keeps the other from being dropped.
struct Spill<'w, Y, R>(Slot<'w, Y, R>);

impl<Y, R> Spill<'_, Y, R> {
    #[inline(always)]
    fn into_contents(mut self) -> (Option<Y>, Option<R>) {
        let contents = (self.0.value.get_mut().take(), self.0.argument.get_mut().take());
        core::mem::forget(self);
        contents
    }
}

impl<Y, R> Drop for Spill<'_, Y, R> {
    #[inline(always)]
    fn drop(&mut self) {
        if needs_drop::<Y>() {
            release(self.0.value.get_mut().take());
        }
        if needs_drop::<R>() {
            release(self.0.argument.get_mut().take());
        }
    }
}

/// A body's right to its generator's slot. There is one for each identity.
///
/// The marker makes it invariant in `Y` and `R` (a covariant key could take a `&'static str` for
/// an answer that was a `&'short str`), `Send` if both are, and never `Sync`.
pub(crate) struct Key<Y, R> {
    id: NonZeroU64,
    marker: PhantomData<(Cell<Y>, Cell<R>)>,
}

impl<Y, R> Key<Y, R> {
    /// Takes the argument of the step in progress, if no yield has.
    ///
    /// # Panics
    ///
    /// If `cx` is not the context of this key's own generator.
    #[inline]
    pub(crate) fn argument(&mut self, cx: &mut Context<'_>) -> Option<R> {
        let slot = match find::<Y, R>(cx) {
            Some((id, slot)) if id == self.id => slot,
            other => misuse(other.is_some()),
        };
        // SAFETY: our vtable and our identity: the slot is ours and alive (1 and 2 above), and
        // `&mut self` excludes any other access (3 above) while this reference lives.
        let argument = unsafe { &mut *(*slot).argument.get() };
        argument.take()
    }
}

/// A look at the step in progress, by something that goes on for several steps.
#[cfg(feature = "alloc")]
pub(crate) struct Visiting<'k, Y, R> {
    id: NonZeroU64,
    marker: PhantomData<&'k mut Key<Y, R>>,
}

#[cfg(feature = "alloc")]
impl<'k, Y, R> Visiting<'k, Y, R> {
    #[inline(always)]
    pub(crate) fn new(key: &'k mut Key<Y, R>) -> Self {
        Visiting { id: key.id, marker: PhantomData }
    }

    /// What the owner of the gate has given to the step in progress, and whether that step can still
    /// carry a value out.
    ///
    /// # Panics
    ///
    /// If `cx` is not the context of this key's own generator.
    #[inline(always)]
    pub(crate) fn owner(&mut self, cx: &mut Context<'_>) -> (*const (), bool) {
        let slot = match find::<Y, R>(cx) {
            Some((id, slot)) if id == self.id => slot,
            other => misuse(other.is_some()),
        };
        // SAFETY: our vtable and our identity: the slot is ours and alive (1 and 2 above), its header
        // is never written, and `&mut self`, which borrows the key, excludes any other access to the
        // rest (3 above) while this reference lives.
        let (owner, value) = unsafe { ((*slot).header.owner, &*(*slot).value.get()) };
        (owner, value.is_none())
    }

    /// Whether `gate` is the other side of the key.
    #[inline(always)]
    pub(crate) fn fits(&self, gate: &Gate<Y, R>) -> bool {
        self.id == gate.id.get()
    }
}

/// A new identity: its gate, for whoever resumes, and its one key, for the body.
#[inline(always)]
pub(crate) fn pair<Y, R>() -> (Gate<Y, R>, Key<Y, R>) {
    let id = Identity::new();
    let key = Key { id: id.get(), marker: PhantomData };
    (Gate { id, marker: PhantomData }, key)
}

/// The slot behind this context with the identity it carries, if the context is one of ours. Only
/// the one whose identity that is may dereference it: for others its type may be wrong.
#[inline(always)]
fn find<'w, Y, R>(cx: &Context<'w>) -> Option<(NonZeroU64, *const Slot<'w, Y, R>)> {
    let waker = cx.waker();
    if !ptr::eq(waker.vtable(), &VTABLE) {
        return None;
    }
    // SAFETY: our vtable: the data pointer is a live `Slot` of some `Y` and `R`, which begins with
    // a `Header` (1 and 2 above), and headers are never written.
    let id = unsafe { (*waker.data().cast::<Header<'_>>()).id };
    Some((id, waker.data().cast()))
}

/// A yield on its way. Three states: *unsent* (`value` is full, `id` is the key's), *sent* (`value`
/// is empty, `id` is the key's) and *done* (`value` is empty, `id` is 0, which is nobody's).
///
/// `id` is a copy and not a reference to the key: a pointer into the body itself would have to be
/// loaded and followed at every step.
pub(crate) struct Sending<'k, Y, R> {
    id: u64,
    value: Option<Y>,
    marker: PhantomData<&'k mut Key<Y, R>>,
}

const DONE: u64 = 0;

impl<'k, Y, R> Sending<'k, Y, R> {
    #[inline(always)]
    pub(crate) fn new(key: &'k mut Key<Y, R>, value: Y) -> Self {
        Sending { id: key.id.get(), value: Some(value), marker: PhantomData }
    }

    /// Hands the value out and waits for the next step's argument.
    ///
    /// # Panics
    ///
    /// If it has completed before, or if `cx` is not the context of this key's own generator. An
    /// unsent value stays in `self`.
    #[inline(always)]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<R> {
        let found = find::<Y, R>(cx);
        if let Some((id, slot)) = found {
            // The two halves look alike and could share the identity check. They do not, because
            // so the optimiser can tell the first poll, whose value it knows, from the later one:
            // that keeps the value out of memory and lets simple loops be vectorised.
            if self.value.is_none() {
                if self.id == id.get() {
                    // SAFETY: our vtable and our identity: the slot is ours and alive (1 and 2
                    // above), and `&mut self`, which borrows the key, excludes any other access
                    // (3 above) while these references live. No user code runs before they end.
                    let (value, argument) =
                        unsafe { (&*(*slot).value.get(), &mut *(*slot).argument.get()) };
                    if value.is_none() {
                        // A later step than the one that sent: its argument is the answer.
                        if let Some(argument) = argument.take() {
                            self.id = DONE;
                            return Poll::Ready(argument);
                        }
                    }
                    return Poll::Pending;
                }
            } else {
                // Taken before it is known that it may go, and put back if not: nothing has to lie in
                // memory for the sake of what is rare. It halves what a step in a box takes.
                let unsent = self.value.take();
                if self.id == id.get() {
                    // SAFETY: as above.
                    let value = unsafe { &mut *(*slot).value.get() };
                    if value.is_none() {
                        // SAFETY: valid for writes, being a reference. Not an assignment: that would
                        // drop what was there, and though it is `None`, it must be seen to be so.
                        unsafe { ptr::write(value, unsent) };
                        self.id = id.get(); // No change, but now visibly the slot's own.
                    } else {
                        self.value = unsent;
                    }
                    return Poll::Pending;
                }
                self.value = unsent;
            }
        }
        if self.id == DONE {
            polled_after_completion();
        }
        misuse(found.is_some())
    }

    /// For `Debug`.
    pub(crate) fn state(&self) -> &'static str {
        match (&self.value, self.id) {
            (Some(_), _) => "unsent",
            (None, DONE) => "done",
            (None, _) => "sent",
        }
    }
}

/// Many values on their way, one in each step. Nothing is kept between two of them but where they
/// come from, so this is cheaper than a [`Sending`] for each.
pub(crate) struct SendingAll<'k, Y> {
    id: u64,
    marker: PhantomData<&'k mut Key<Y, ()>>,
}

impl<'k, Y> SendingAll<'k, Y> {
    #[inline(always)]
    pub(crate) fn new(key: &'k mut Key<Y, ()>) -> Self {
        SendingAll { id: key.id.get(), marker: PhantomData }
    }

    /// Hands the next value out, if the slot is free to take it; ready when there is none.
    ///
    /// The arguments, which are `()`, are left in their slots.
    ///
    /// # Panics
    ///
    /// If it has completed before, if `cx` is not the context of this key's own generator, or if
    /// `next` does.
    #[inline(always)]
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        next: impl FnOnce() -> Option<Y>,
    ) -> Poll<()> {
        let slot = match find::<Y, ()>(cx) {
            Some((id, slot)) if id.get() == self.id => slot,
            _ if self.id == DONE => polled_after_completion(),
            other => misuse(other.is_some()),
        };
        // SAFETY: our vtable and our identity: the slot is ours and alive (1 and 2 above), and
        // `&mut self`, which borrows the key, excludes any other access (3 above). The reference
        // ends before `next`, which is user code, runs.
        if unsafe { &*(*slot).value.get() }.is_some() {
            return Poll::Pending; // The step that carries it out is still going on.
        }
        match next() {
            item @ Some(_) => {
                // SAFETY: as above; `next` could not reach the slot, so its place is still empty,
                // and nothing is dropped by being written over.
                unsafe { (*slot).value.get().write(item) };
                Poll::Pending
            }
            None => {
                self.id = DONE;
                Poll::Ready(())
            }
        }
    }
}

#[cold]
#[inline(never)]
pub(crate) fn polled_after_completion() -> ! {
    panic!("watertight: a yield was polled after it had completed")
}

/// A key was used with a context that is not its own generator's.
#[cold]
#[inline(never)]
fn misuse(in_other_body: bool) -> ! {
    if in_other_body {
        panic!(
            "watertight: a `Co` was used in the body of another generator. A `Co` works only in \
             the body it was given to: iterate the inner generator and yield its items from the \
             outer body, or use the inner body's own `Co`"
        )
    }
    panic!(
        "watertight: a `Co` was used outside the body it was given to, or behind a combinator that \
         polls with a waker of its own (`FuturesUnordered`, `buffered`, `join_all` of many, \
         `Shared`, `block_on`, a spawned task). Await its yields in the body itself; `select!` and \
         `join!`, which pass the context on, are fine. Several sub-futures of one body yield through \
         a `Co::emitter`, which works behind any combinator"
    )
}
