//! The stack of a recursive generator: its frames, and how one follows another.
//!
//! A *frame* is a body, root or child, with a header before it. Frames lie in an [`Arena`] and are
//! linked by their headers, each to its parent. There is one body that runs, and only that one is
//! polled: the topmost that has not ended. A child that has ended stays on top, with its output in the
//! place of its body, while its parent is polled, which takes it.
//!
//! Each frame is a generator of its own to the hand-off engine: it has an identity, the gate of which
//! is in its header and the key in its body. Values therefore go from whatever depth straight to
//! whoever resumes, and a key works only while its own frame is polled.
//!
//! # Why it is sound
//!
//! 1. *Who touches the stack.* A body reaches it through the step in progress, which carries
//!    its address: `Visiting::owner` gives that to the key of the frame that is being polled, and to no
//!    other. So the stack is alive, and it is that of the key, whose types it has; and nobody else
//!    touches it: [`Frame::run`] does not while it polls, and there is one `RecursiveCo` with that
//!    key, which is borrowed exclusively. What they share are cells, and no reference into a body
//!    exists but in its own poll.
//! 2. *A frame is what its header says.* [`Frame`] is `repr(C)` and begins with its header, whose
//!    vtable is made for the frame's own type. In the state [`State::Live`] there is a body, in
//!    [`State::Ended`] its output, in [`State::Gone`] neither. `Y` and `R` are the same in all frames
//!    of a stack.
//! 3. *A child's output has the type its parent expects.* What is above a running frame was put there
//!    by a [`Delegation`] of its own `RecursiveCo`, and by the last one that put anything there. It
//!    borrows that for as long as it lives, so no other can have come after.
//! 4. *Frames are pinned.* They do not move in the arena, and are dropped in place before their memory
//!    is given back, or never.
//! 5. *A frame outlives what it borrows.* All bodies are `'a`, and so are [`Frames`], and what they
//!    leave behind when they are forgotten is touched by nobody. A `RecursiveCo` is invariant in `'a`.
//! 6. *Threads.* `Frames` are `Send` if all frames are, which [`Carries`] says of each. A
//!    `RecursiveCo` for one thread is not `Send`: what it puts there must come from the thread that
//!    polls.
//! 7. *A loop for a call.* [`Frame::run`] goes on with a frame whose vtable is at the address of its own,
//!    although constants of several types could be merged into one. If they are, they are equal, and
//!    so are the addresses of `run` in them: the call, which is right whatever the type, would execute
//!    this very code. Nothing is concluded from it about the types of anything.

use core::cell::Cell;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::{self, ManuallyDrop, needs_drop, offset_of};
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll, Waker};

use super::arena::Arena;
use crate::affinity::{OneThread, Threads};
use crate::co::{Argument, Co, Yield, YieldAll};
use crate::handoff::{self, Gate, Step, Visiting, polled_after_completion};
use crate::unwind::{FirstPanic, Shield};

/// That frames of this kind may hold the body `F`.
///
/// # Safety
///
/// Of [`Threads`] it is true only of an `F` that is `Send` together with its output.
///
/// # Examples
///
/// ```
/// use watertight::{Carries, RecursiveCo, recursive};
///
/// /// A function for both kinds of generator says that its child fits.
/// async fn bracketed<'a, K, B, F>(mut co: RecursiveCo<'a, char, (), K>, inner: B)
/// where
///     B: FnOnce(RecursiveCo<'a, char, (), K>) -> F,
///     F: Future + 'a,
///     K: Carries<F>,
/// {
///     co.yield_('(').await;
///     co.yield_from(inner).await;
///     co.yield_(')').await;
/// }
/// let text = recursive(|co| bracketed(co, async |mut co| co.yield_('x').await));
/// assert_eq!(text.collect::<String>(), "(x)");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{F}` cannot be sent between threads, and this recursive generator can",
    note = "use `recursive`, whose bodies need not be `Send`, instead of `recursive_send`"
)]
pub unsafe trait Carries<F> {}

// SAFETY: nothing is promised.
unsafe impl<F> Carries<F> for OneThread {}
// SAFETY: it is `Send`, and so is its output.
unsafe impl<F: Future<Output: Send> + Send> Carries<F> for Threads {}

/// How a delegation found the limit: nothing has been done.
pub(super) struct TooDeep {
    pub(super) limit: usize,
}

/// What stands in the place of a frame's body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The body.
    Live,
    /// Its output, still to be taken.
    Ended,
    /// Nothing.
    Gone,
}

struct Header<Y, R> {
    gate: Gate<Y, R>,
    vtable: &'static Vtable,
    parent: Option<Top<Y, R>>,
    state: Cell<State>,
}

/// A pointer to a frame, which is alive.
struct Top<Y, R>(NonNull<Header<Y, R>>);

impl<Y, R> Clone for Top<Y, R> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<Y, R> Copy for Top<Y, R> {}

impl<Y, R> PartialEq for Top<Y, R> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// How a run has ended.
enum Outcome {
    /// There is a value.
    Yielded,
    /// The root has ended.
    Complete,
    /// The body that runs waits for something else than a yield.
    Waiting,
    /// The next frame is of another type.
    Elsewhere,
}

/// What can be done to a frame, by its address. Without types: a reference to a vtable that names `Y`
/// and `R` could not be `'static`.
struct Vtable {
    /// Runs the frame, which is live: the stack, the frame, the caller, an `Option<R>` for the first
    /// body, and an `Option<Y>` for what is yielded.
    run: unsafe fn(NonNull<()>, NonNull<()>, &Waker, *mut (), *mut ()) -> Outcome,
    /// Drops what is there, and then nothing is.
    clear: unsafe fn(NonNull<()>),
    /// Where its output is.
    output: fn(NonNull<()>) -> *mut (),
}

#[repr(C)]
struct Frame<Y, R, F: Future> {
    header: Header<Y, R>,
    body: Body<F>,
}

#[repr(C)]
union Body<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<F::Output>,
}

impl<Y, R, F: Future> Frame<Y, R, F> {
    const VTABLE: Vtable = Vtable { run: Self::run, clear: Self::clear, output: Self::output };

    /// Runs the frame, and those of the same type to which it leads: all of them, as a rule. So the
    /// bodies, the engine and the stack come together in one loop, where the optimiser sees that a
    /// body's waker is the one made in this very loop.
    ///
    /// # Safety
    ///
    /// The frame is a live one of this type, the stack is its own, and the places are for an
    /// `Option<R>` and an `Option<Y>`. Nobody else is in any of its bodies.
    unsafe fn run(
        stack: NonNull<()>,
        frame: NonNull<()>,
        caller: &Waker,
        argument: *mut (),
        value: *mut (),
    ) -> Outcome {
        // SAFETY: promised by the caller.
        let (stack, mut argument, given) = unsafe {
            (
                stack.cast::<Stack<Y, R>>().as_ref(),
                (*argument.cast::<Option<R>>()).take(),
                &mut *value.cast::<Option<Y>>(),
            )
        };
        let mut frame = Top(frame.cast());
        loop {
            let body = &mut Live::<Y, R, F>(frame, PhantomData);
            let gate = &frame.header().gate;
            let owner = ptr::from_ref(stack).cast();
            let Step { value, poll } = gate.step(caller, argument.take(), owner, Pin::new(body));
            let top = stack.top.get();
            let next = match (value, poll) {
                (Some(value), _) if top == frame => {
                    *given = Some(value);
                    return Outcome::Yielded;
                }
                (None, Poll::Ready(())) if top == frame => frame.header().parent,
                (None, Poll::Pending) => match top.header().state.get() {
                    // It has a child now.
                    State::Live if top != frame => Some(top),
                    // It waits for something else, and it may not have taken its child's output yet.
                    _ => return Outcome::Waiting,
                },
                // It has gone on without waiting for its child, or without taking its output.
                (value, _) => {
                    let value = Shield::new(value);
                    stack.drop_left_over();
                    *given = value.into_inner();
                    if given.is_some() {
                        return Outcome::Yielded;
                    }
                    frame.header().parent
                }
            };
            match next {
                None => return Outcome::Complete,
                // See (7).
                Some(next) if ptr::eq(next.header().vtable, &Self::VTABLE) => frame = next,
                Some(_) => return Outcome::Elsewhere,
            }
        }
    }

    /// # Safety
    ///
    /// `top` is a frame of this type, and nobody is in its body.
    unsafe fn clear(top: NonNull<()>) {
        let frame = top.cast::<Self>().as_ptr();
        // SAFETY: the state says what is there (2), and before that is dropped, that it is not.
        unsafe {
            match (*frame).header.state.replace(State::Gone) {
                State::Live => ManuallyDrop::drop(&mut (*frame).body.future),
                State::Ended => ManuallyDrop::drop(&mut (*frame).body.output),
                State::Gone => {}
            }
        }
    }

    fn output(top: NonNull<()>) -> *mut () {
        top.as_ptr().wrapping_byte_add(offset_of!(Self, body))
    }
}

impl<Y, R> Top<Y, R> {
    #[inline(always)]
    fn header(&self) -> &Header<Y, R> {
        // SAFETY: whoever has a `Top` of a frame has it no longer than the frame lives, see where
        // they are used. Of a header only the state is ever changed, which is a cell.
        unsafe { self.0.as_ref() }
    }
}

/// A live frame, for the engine to poll. When its body is ready the output takes its place.
struct Live<Y, R, F>(Top<Y, R>, PhantomData<fn() -> F>);

impl<Y, R, F: Future> Future for Live<Y, R, F> {
    type Output = ();

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let frame = self.0.0.cast::<Frame<Y, R, F>>().as_ptr();
        // SAFETY: made only by `run`, of a live frame of this type. It has a body, which stays where
        // it is until it is dropped (4), and nobody else is in it.
        let body = unsafe { Pin::new_unchecked(&mut *(&raw mut (*frame).body.future).cast::<F>()) };
        let Poll::Ready(output) = body.poll(cx) else { return Poll::Pending };
        let state = &self.0.header().state;
        // The body is dropped once, because the state says before that it is not there.
        state.set(State::Gone);
        // SAFETY: the body is there. When it is not, there is room for the output.
        unsafe {
            if needs_drop::<F>() {
                // Its destructor may panic; the output must not be leaked.
                let output = Shield::new(output);
                ManuallyDrop::drop(&mut (*frame).body.future);
                (&raw mut (*frame).body.output).cast::<F::Output>().write(output.into_inner());
            } else {
                (&raw mut (*frame).body.output).cast::<F::Output>().write(output);
            }
        }
        state.set(State::Ended);
        Poll::Ready(())
    }
}

struct Stack<Y, R> {
    arena: Arena,
    /// The topmost frame. It is there as long as there is any, and that is until the stack is dropped.
    top: Cell<Top<Y, R>>,
    /// How many more there may be.
    left: Cell<usize>,
    /// How many there may be above the root.
    limit: Cell<usize>,
}

impl<Y, R> Stack<Y, R> {
    /// Makes a frame of `body` and puts it on top.
    #[inline(always)]
    fn push<'a, K, B, F>(&self, parent: Option<Top<Y, R>>, body: B)
    where
        B: FnOnce(RecursiveCo<'a, Y, R, K>) -> F,
        F: Future,
    {
        let place = self.arena.find::<Frame<Y, R, F>>();
        let frame = place.start();
        let (gate, key) = handoff::pair();
        let co = RecursiveCo { co: Co::new(key), marker: PhantomData };
        let (vtable, state) = (&Frame::<Y, R, F>::VTABLE, Cell::new(State::Live));
        // SAFETY: the place is for such a frame, and nobody knows of it yet: nobody puts anything on
        // this stack while `body` runs, for that would take the `RecursiveCo` which is borrowed by
        // whoever is calling us (1). If it panics the place has nothing in it.
        unsafe {
            let frame = frame.as_ptr();
            (&raw mut (*frame).body.future).cast::<F>().write(body(co));
            (&raw mut (*frame).header).write(Header { gate, vtable, parent, state });
        }
        place.take();
        self.top.set(Top(frame.cast()));
    }

    /// Takes the topmost frame off the stack. It is still there, but it does not count any more.
    #[inline(always)]
    fn unlink(&self, top: Top<Y, R>) {
        if let Some(parent) = top.header().parent {
            self.top.set(parent);
            self.left.set(self.left.get() + 1);
        }
    }

    /// Drops the topmost frame, whatever it is. `false` if it was the root.
    fn drop_top(&self) -> bool {
        let top = self.top.get();
        self.unlink(top);
        let _place = Emptied { arena: &self.arena, place: top.0.cast() };
        // SAFETY: the vtable is that of its type (2), nobody is in a body that is not polled, and one
        // that is polled is not dropped.
        unsafe { (top.header().vtable.clear)(top.0.cast()) };
        top.header().parent.is_some()
    }

    /// Drops what a frame has left above it: a child that it has sent and not waited for, or one whose
    /// output it has not taken. There is never more than one.
    #[cold]
    #[inline(never)]
    fn drop_left_over(&self) {
        self.drop_top();
    }
}

/// A frame that is being dropped. Its place is given back also if that panics, because somebody might
/// go on after that panic.
struct Emptied<'s> {
    arena: &'s Arena,
    place: NonNull<u8>,
}

impl Drop for Emptied<'_> {
    fn drop(&mut self) {
        // SAFETY: made only by `drop_top`, for what was the topmost and is no longer on the stack.
        unsafe { self.arena.give_back(self.place) };
    }
}

/// A body's side of a recursive generator: it takes values out, brings arguments in, and delegates to
/// children.
///
/// Every body, root or child, is given its own. Otherwise it is as the [`Co`] of other generators: it
/// works in the body it was given to and nowhere else, and panics with a message that says so.
///
/// It is eight bytes, keeps nothing alive, and is invariant in `'a`, the time for which everything
/// has to last that the bodies borrow. With `K` = [`Threads`] it is `Send` if `Y` and `R` are, and its
/// children have to be; see [`recursive_send`](crate::recursive_send).
///
/// # Examples
///
/// ```
/// use watertight::{RecursiveCo, recursive};
///
/// async fn count(mut co: RecursiveCo<'_, u32>, to: u32) -> u32 {
///     co.yield_all(0..to).await;
///     to
/// }
/// let numbers = recursive(async |mut co| {
///     let first = co.yield_from(|co| count(co, 2)).await;
///     co.yield_(10 * first).await;
/// });
/// assert!(numbers.eq([0, 1, 20]));
/// ```
pub struct RecursiveCo<'a, Y, R = (), K = OneThread> {
    co: Co<Y, R>,
    /// Not `Send`, but for what is said below.
    marker: PhantomData<(Invariant<'a>, *const K)>,
}

/// Neither a longer nor a shorter lifetime can stand for `'a`: with a shorter one a child could come in
/// that borrows what does not last.
type Invariant<'a> = fn(&'a ()) -> &'a ();

// SAFETY: it is a `Co`. What it puts on the stack may come from any thread: it is `Send` (6).
unsafe impl<Y: Send, R: Send> Send for RecursiveCo<'_, Y, R, Threads> {}

impl<Y, R, K> RecursiveCo<'_, Y, R, K> {
    #[inline(always)]
    pub(super) fn sending(&mut self, value: Y) -> Yield<'_, Y, R> {
        self.co.yield_(value)
    }

    #[inline(always)]
    pub(super) fn taking(&mut self) -> Argument<'_, Y, R> {
        self.co.argument()
    }
}

impl<Y, K> RecursiveCo<'_, Y, (), K> {
    #[inline(always)]
    pub(super) fn sending_all<I: IntoIterator<Item = Y>>(
        &mut self,
        items: I,
    ) -> YieldAll<'_, I::IntoIter> {
        self.co.yield_all(items)
    }
}

/// A child on its way. Three states: *unsent* (`body` is there), *sent* (it is not, and the frame is
/// above that of `co`), and *done* (neither is).
///
/// It borrows `co`, so that the topmost frame is no other's (3).
pub(super) struct Delegation<'co, 'a, Y, R, K, B, F> {
    visiting: Visiting<'co, Y, R>,
    body: Option<B>,
    co: PhantomData<&'co mut RecursiveCo<'a, Y, R, K>>,
    child: PhantomData<fn() -> F>,
}

impl<'co, 'a, Y, R, K, B, F> Delegation<'co, 'a, Y, R, K, B, F>
where
    B: FnOnce(RecursiveCo<'a, Y, R, K>) -> F,
    F: Future + 'a,
    K: Carries<F>,
{
    #[inline(always)]
    pub(super) fn new(co: &'co mut RecursiveCo<'a, Y, R, K>, body: B) -> Self {
        let visiting = Visiting::new(co.co.key());
        Delegation { visiting, body: Some(body), co: PhantomData, child: PhantomData }
    }

    /// Puts the child on the stack, and when it has ended takes its output. An error, and the body
    /// still there, if the stack is as deep as it may be.
    ///
    /// # Panics
    ///
    /// If it has been ready with an output before, if `cx` is not the context of the parent's own
    /// frame, or if the body does.
    #[inline(always)]
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<F::Output, TooDeep>> {
        let (stack, room) = self.visiting.owner(cx);
        // SAFETY: it is a step of this frame, and this is its stack (1).
        let stack = unsafe { &*stack.cast::<Stack<Y, R>>() };
        let mut top = stack.top.get();
        let Some(body) = self.body.take() else {
            if top.header().state.get() != State::Ended {
                // The topmost frame is the child, and this the step that has sent it. Or there is
                // none.
                return match self.visiting.fits(&top.header().gate) {
                    false => Poll::Pending,
                    true => polled_after_completion(),
                };
            }
            // It has ended, so it is not this one, and therefore its child (3).
            stack.unlink(top);
            let frame = top.0.cast::<Frame<Y, R, F>>().as_ptr();
            // SAFETY: it has the type that its parent expects (3), and its output, which is taken
            // once, because nobody knows of the frame any more. It was the topmost.
            let output = unsafe {
                let output = (&raw const (*frame).body.output).cast::<F::Output>().read();
                stack.arena.give_back(top.0.cast());
                output
            };
            return Poll::Ready(Ok(output));
        };
        if !room {
            self.body = Some(body);
            return Poll::Pending; // What is there has to be carried out first.
        }
        let body = if self.visiting.fits(&top.header().gate) {
            body
        } else {
            // It is not lost if a destructor panics.
            self.body = Some(body);
            stack.drop_left_over();
            top = stack.top.get();
            match self.body.take() {
                Some(body) => body,
                None => unreachable!("it has just been put there"),
            }
        };
        let Some(left) = stack.left.get().checked_sub(1) else {
            self.body = Some(body);
            return Poll::Ready(Err(TooDeep { limit: stack.limit.get() }));
        };
        stack.push(Some(top), body);
        stack.left.set(left);
        Poll::Pending
    }
}

impl<Y, R, K, B, F> Delegation<'_, '_, Y, R, K, B, F> {
    /// The body, if it has not been sent.
    pub(super) fn take_body(&mut self) -> Option<B> {
        self.body.take()
    }

    /// For `Debug`.
    pub(super) fn is_sent(&self) -> bool {
        self.body.is_none()
    }
}

/// What came of an attempt to go on.
pub(super) enum Advance<Y> {
    Yielded(Y),
    /// The root has ended: its output can be taken.
    Complete,
    /// The body that runs waits for something else than a yield.
    Waiting,
}

/// All frames of a recursive generator. `T` is what its root ends with.
///
/// Dropping it drops the frames, topmost first, and frees their memory. A destructor that panics does
/// not keep the others from running; its panic goes on afterwards, unless another one is under way.
pub(super) struct Frames<'a, Y, R, T, K> {
    stack: NonNull<Stack<Y, R>>,
    marker: PhantomData<(&'a (), T, K)>,
}

// SAFETY: all frames, with their outputs, are `Send` (6), and what is in the engine's hands on the way
// is a `Y` or an `R`.
unsafe impl<Y: Send, R: Send, T: Send> Send for Frames<'_, Y, R, T, Threads> {}
// SAFETY: by reference only cells are read, and they are written only through `&mut Frames`.
unsafe impl<Y: Send, R: Send, T: Send> Sync for Frames<'_, Y, R, T, Threads> {}

// It is a pointer.
impl<Y, R, T, K> Unpin for Frames<'_, Y, R, T, K> {}

impl<'a, Y, R, T, K> Frames<'a, Y, R, T, K> {
    /// One allocation.
    #[inline]
    pub(super) fn new<B, F>(body: B) -> Self
    where
        B: FnOnce(RecursiveCo<'a, Y, R, K>) -> F,
        F: Future<Output = T> + 'a,
        K: Carries<F>,
    {
        let stack = Arena::within(|arena| Stack {
            arena,
            top: Cell::new(Top(NonNull::dangling())),
            left: Cell::new(usize::MAX),
            limit: Cell::new(usize::MAX),
        });
        // Without a root there is nothing to be dropped, should `body` panic.
        let memory = Memory(stack);
        memory.stack().push(None, body);
        mem::forget(memory);
        Frames { stack, marker: PhantomData }
    }

    #[inline(always)]
    fn stack(&self) -> &Stack<Y, R> {
        // SAFETY: it is freed when this is dropped. What is changed in it are cells.
        unsafe { self.stack.as_ref() }
    }

    /// Polls bodies until one yields, the root ends, or there is nothing to be done but wait.
    /// `argument` is for the first one; if it does not take it, it is dropped.
    ///
    /// # Panics
    ///
    /// If a body does, or a destructor. After that it is only to be dropped.
    #[inline]
    pub(super) fn advance(&mut self, caller: &Waker, argument: Option<R>) -> Advance<Y> {
        let stack = self.stack();
        let (mut argument, mut value) = (argument, None::<Y>);
        loop {
            let mut frame = stack.top.get();
            if frame.header().state.get() != State::Live {
                match frame.header().parent {
                    Some(parent) => frame = parent,
                    None => return Advance::Complete,
                }
            }
            let run = frame.header().vtable.run;
            let (argument, place) = ((&raw mut argument).cast(), (&raw mut value).cast());
            // SAFETY: the frame is live, because what is below one that has ended is; its vtable is
            // that of its type (2). Nobody is in a body: we have the only way in, exclusively.
            match unsafe { run(self.stack.cast(), frame.0.cast(), caller, argument, place) } {
                Outcome::Yielded => match value {
                    Some(value) => return Advance::Yielded(value),
                    None => unreachable!("a value has been yielded"),
                },
                Outcome::Complete => return Advance::Complete,
                Outcome::Waiting => return Advance::Waiting,
                Outcome::Elsewhere => {}
            }
        }
    }

    /// The output of the root, which has ended ([`Advance::Complete`]).
    #[inline]
    pub(super) fn into_output(self) -> T {
        let root = self.stack().top.get();
        let header = root.header();
        assert!(header.state.get() == State::Ended && header.parent.is_none());
        header.state.set(State::Gone);
        // SAFETY: it is the root, and has a `T` as its output, which is no longer there after this.
        unsafe { (header.vtable.output)(root.0.cast()).cast::<T>().read() }
    }

    /// Whether the root has ended.
    pub(super) fn has_ended(&self) -> bool {
        let top = self.stack().top.get();
        top.header().state.get() != State::Live && top.header().parent.is_none()
    }

    /// How many children there are, one above the other.
    pub(super) fn depth(&self) -> usize {
        self.stack().limit.get() - self.stack().left.get()
    }

    /// How many there may be.
    pub(super) fn set_limit(&mut self, limit: usize) {
        let depth = self.depth();
        self.stack().limit.set(limit.max(depth));
        self.stack().left.set(limit.saturating_sub(depth));
    }

    /// How many bytes have been allocated.
    pub(super) fn allocated(&self) -> usize {
        self.stack().arena.allocated()
    }
}

impl<Y, R, T, K> Drop for Frames<'_, Y, R, T, K> {
    fn drop(&mut self) {
        let _memory = Memory(self.stack);
        let rest = Rest(self.stack());
        let mut panics = FirstPanic::default();
        while panics.run(|| rest.0.drop_top()) != Some(false) {}
        mem::forget(rest);
        panics.resume();
    }
}

/// Drops the frames that are left when a panic comes by, which happens where none can be held back.
struct Rest<'s, Y, R>(&'s Stack<Y, R>);

impl<Y, R> Drop for Rest<'_, Y, R> {
    fn drop(&mut self) {
        while self.0.drop_top() {}
    }
}

/// Frees the stack.
struct Memory<Y, R>(NonNull<Stack<Y, R>>);

impl<Y, R> Memory<Y, R> {
    fn stack(&self) -> &Stack<Y, R> {
        // SAFETY: it is freed when this is dropped. What is changed in it are cells.
        unsafe { self.0.as_ref() }
    }
}

impl<Y, R> Drop for Memory<Y, R> {
    fn drop(&mut self) {
        // SAFETY: the arena is where `within` has put it, and nothing is left in it.
        unsafe { Arena::free(NonNull::from(&self.stack().arena)) };
    }
}
