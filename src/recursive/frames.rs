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
//! 1. *Who touches the stack.* A body reaches it through the pointer in its [`RecursiveCo`], after
//!    `Key::has_room` has found that the step in progress is that of its own frame. So the stack is
//!    alive, because [`Frames::advance`] is polling that frame; and nobody else touches it: `advance`
//!    does not while it polls, and there is one `RecursiveCo` with that key, which is borrowed
//!    exclusively. Key and pointer are never separated. What is shared by it and `advance` are cells,
//!    and no reference into a body exists but in its own poll.
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

use core::cell::Cell;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, needs_drop, offset_of};
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};

use super::arena::Arena;
use crate::affinity::{OneThread, Threads};
use crate::co::{Argument, Co, Yield, YieldAll};
use crate::handoff::{self, Gate, Step, polled_after_completion};
use crate::unwind::{FirstPanic, Shield};

/// That frames of this kind may hold the body `F`.
///
/// # Safety
///
/// Of [`Threads`] it is true only of an `F` that is `Send` together with its output.
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
    /// Whether its place is the first one in its chunk.
    first: bool,
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

/// What can be done to a frame, by its address.
struct Vtable {
    /// Polls the body, which is there. When it is ready its output takes its place.
    poll: unsafe fn(NonNull<()>, &mut Context<'_>) -> Poll<()>,
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
    const VTABLE: Vtable = Vtable { poll: Self::poll, clear: Self::clear, output: Self::output };

    /// # Safety
    ///
    /// `top` is a frame of this type, it is live, and nobody else is in its body.
    unsafe fn poll(top: NonNull<()>, cx: &mut Context<'_>) -> Poll<()> {
        let frame = top.cast::<Self>().as_ptr();
        // SAFETY: a live frame has a body, which stays where it is until it is dropped (4), and we
        // are the only ones in it.
        let body = unsafe { Pin::new_unchecked(&mut *(&raw mut (*frame).body.future).cast::<F>()) };
        let Poll::Ready(output) = body.poll(cx) else { return Poll::Pending };
        // SAFETY: the header is alive; its state is a cell. The body is there, and dropped once,
        // because the state says before that it is not. Then there is room for the output.
        unsafe {
            let state = &(*frame).header.state;
            state.set(State::Gone);
            if needs_drop::<F>() {
                // Its destructor may panic; the output must not be leaked.
                let output = Shield::new(output);
                ManuallyDrop::drop(&mut (*frame).body.future);
                (&raw mut (*frame).body.output).cast::<F::Output>().write(output.into_inner());
            } else {
                (&raw mut (*frame).body.output).cast::<F::Output>().write(output);
            }
            state.set(State::Ended);
        }
        Poll::Ready(())
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

/// A live frame, for the engine to poll.
struct Running<Y, R>(Top<Y, R>);

impl<Y, R> Future for Running<Y, R> {
    type Output = ();

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: made only by `advance`, of a live frame, for one poll. The vtable is that of its
        // type (2), and only `advance` polls.
        unsafe { (self.0.header().vtable.poll)(self.0.0.cast(), cx) }
    }
}

struct Stack<Y, R> {
    arena: Arena,
    top: Cell<Option<Top<Y, R>>>,
    /// How many frames there are.
    count: Cell<usize>,
    /// How many there may be above the root.
    limit: Cell<usize>,
}

impl<Y, R> Stack<Y, R> {
    #[inline(always)]
    fn top(&self) -> Top<Y, R> {
        match self.top.get() {
            Some(top) => top,
            None => unreachable!("the root is there as long as the stack is"),
        }
    }

    /// Makes a frame of `body` and puts it on top.
    #[inline(always)]
    fn push<'a, K, B, F>(&self, this: NonNull<Self>, body: B)
    where
        B: FnOnce(RecursiveCo<'a, Y, R, K>) -> F,
        F: Future,
    {
        let place = self.arena.take::<Frame<Y, R, F>>();
        let frame = place.start().cast::<Frame<Y, R, F>>().as_ptr();
        let (gate, key) = handoff::pair();
        let co = RecursiveCo { co: Co::new(key), stack: this, marker: PhantomData };
        // SAFETY: the place was taken for such a frame, and nobody knows of it yet. If `body`
        // panics, it is given back with nothing in it.
        unsafe {
            (&raw mut (*frame).body.future).cast::<F>().write(body(co));
            let parent = self.top.get();
            let (vtable, state) = (&Frame::<Y, R, F>::VTABLE, Cell::new(State::Live));
            let header = Header { gate, vtable, parent, state, first: place.keep() };
            (&raw mut (*frame).header).write(header);
            self.top.set(Some(Top(NonNull::new_unchecked(frame.cast()))));
        }
        self.count.set(self.count.get() + 1);
    }

    /// Gives the place of the topmost frame back, in which nothing is left.
    ///
    /// # Safety
    ///
    /// `top` has just been the topmost, and nobody uses it after this.
    #[inline(always)]
    unsafe fn give_back(&self, top: Top<Y, R>) {
        let first = top.header().first;
        // SAFETY: it was kept by `push`, and what came after it is gone, because it was the topmost.
        unsafe { self.arena.give_back(top.0.as_ptr().cast(), first) };
    }

    /// Takes the topmost frame off the stack. It is still there, but it does not count any more.
    #[inline(always)]
    fn unlink(&self, top: Top<Y, R>) {
        self.top.set(top.header().parent);
        self.count.set(self.count.get() - 1);
    }

    /// Drops the topmost frame, whatever it is.
    fn drop_top(&self, top: Top<Y, R>) {
        self.unlink(top);
        let _empty = Empty { stack: self, top };
        // SAFETY: the vtable is that of its type (2), nobody is in a body that is not polled, and a
        // body that is polled is never dropped: it is not above the frame that is.
        unsafe { (top.header().vtable.clear)(top.0.cast()) };
    }

    /// Drops what a frame has left above it: a child that it has sent and not waited for, or one whose
    /// output it has not taken. There is never more than one.
    #[cold]
    #[inline(never)]
    fn drop_left_over(&self, top: Top<Y, R>) {
        self.drop_top(top);
    }
}

/// Gives the place of a frame back that has been taken off the stack, also if its destructor panics: a
/// body that catches that goes on, and nothing of a lower frame may be given back before this.
struct Empty<'s, Y, R> {
    stack: &'s Stack<Y, R>,
    top: Top<Y, R>,
}

impl<Y, R> Drop for Empty<'_, Y, R> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: made by `drop_top` of what has just been the topmost frame. Nothing is left in it,
        // whether its destructor has returned or panicked, and nobody uses it after this.
        unsafe { self.stack.give_back(self.top) };
    }
}

/// A body's side of a recursive generator: it takes values out, brings arguments in, and delegates to
/// children.
///
/// Every body, root or child, is given its own. Otherwise it is as the [`Co`] of other generators: it
/// works in the body it was given to and nowhere else, and panics with a message that says so.
///
/// It is sixteen bytes, keeps nothing alive, and is invariant in `'a`, the time for which everything
/// has to last that the bodies borrow. With `K` = [`Threads`] it is `Send` if `Y` and `R` are, and its
/// children have to be; see [`recursive_send`](crate::recursive_send).
pub struct RecursiveCo<'a, Y, R = (), K = OneThread> {
    co: Co<Y, R>,
    stack: NonNull<Stack<Y, R>>,
    marker: PhantomData<(Invariant<'a>, K)>,
}

/// Neither a longer nor a shorter lifetime can stand for `'a`: with a shorter one a child could come in
/// that borrows what does not last.
type Invariant<'a> = fn(&'a ()) -> &'a ();

// SAFETY: the pointer is used only in a step of the body's own frame (1), on whatever thread. What is
// put on the stack may come from any thread: it is `Send` (6).
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
    co: &'co mut RecursiveCo<'a, Y, R, K>,
    body: Option<B>,
    marker: PhantomData<fn() -> F>,
}

impl<'co, 'a, Y, R, K, B, F> Delegation<'co, 'a, Y, R, K, B, F>
where
    B: FnOnce(RecursiveCo<'a, Y, R, K>) -> F,
    F: Future + 'a,
    K: Carries<F>,
{
    #[inline(always)]
    pub(super) fn new(co: &'co mut RecursiveCo<'a, Y, R, K>, body: B) -> Self {
        Delegation { co, body: Some(body), marker: PhantomData }
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
        let key = self.co.co.key();
        let room = key.has_room(cx);
        // SAFETY: it is a step of this frame (1).
        let stack = unsafe { self.co.stack.as_ref() };
        let top = stack.top();
        let own = key.fits(&top.header().gate);
        if self.body.is_none() {
            if own {
                polled_after_completion();
            }
            if top.header().state.get() != State::Ended {
                return Poll::Pending; // It is still the step that has sent it.
            }
            // SAFETY: the topmost frame is this one's child (3), so its type is that of its parent's
            // `F`; it has ended, so there is an output, and after this there is none.
            let output = unsafe {
                top.header().state.set(State::Gone);
                let frame = top.0.cast::<Frame<Y, R, F>>().as_ptr();
                let output = (&raw const (*frame).body.output).cast::<F::Output>().read();
                stack.unlink(top);
                stack.give_back(top);
                output
            };
            return Poll::Ready(Ok(output));
        }
        if !room {
            return Poll::Pending; // What is there has to be carried out first.
        }
        if !own {
            stack.drop_left_over(top);
        }
        let limit = stack.limit.get();
        if stack.count.get() > limit {
            return Poll::Ready(Err(TooDeep { limit }));
        }
        if let Some(body) = self.body.take() {
            stack.push(self.co.stack, body);
        }
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
            top: Cell::new(None),
            count: Cell::new(0),
            limit: Cell::new(usize::MAX),
        });
        let frames = Frames { stack, marker: PhantomData };
        frames.stack().push(stack, body);
        frames
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
    pub(super) fn advance(&mut self, caller: &Waker, mut argument: Option<R>) -> Advance<Y> {
        let stack = self.stack();
        loop {
            let mut frame = stack.top();
            if frame.header().state.get() != State::Live {
                match frame.header().parent {
                    Some(parent) => frame = parent,
                    None => return Advance::Complete,
                }
            }
            let body = &mut Running(frame);
            let Step { value, poll } =
                frame.header().gate.step(caller, argument.take(), Pin::new(body));
            if value.is_none() && poll.is_pending() {
                let top = stack.top();
                if top == frame || top.header().state.get() != State::Live {
                    return Advance::Waiting;
                }
                continue; // It has a child now.
            }
            if stack.top() != frame {
                // It has not waited for its child, or not taken its output.
                let value = Shield::new(value);
                stack.drop_left_over(stack.top());
                if let Some(value) = value.into_inner() {
                    return Advance::Yielded(value);
                }
            } else if let Some(value) = value {
                return Advance::Yielded(value);
            }
        }
    }

    /// The output of the root, which has ended ([`Advance::Complete`]).
    #[inline]
    pub(super) fn into_output(self) -> T {
        let root = self.stack().top();
        let header = root.header();
        assert!(header.state.get() == State::Ended && header.parent.is_none());
        header.state.set(State::Gone);
        // SAFETY: it is the root, and has a `T` as its output, which is no longer there after this.
        unsafe { (header.vtable.output)(root.0.cast()).cast::<T>().read() }
    }

    /// Whether the root has ended.
    pub(super) fn has_ended(&self) -> bool {
        let top = self.stack().top();
        top.header().state.get() != State::Live && top.header().parent.is_none()
    }

    /// How many children there are, one above the other.
    pub(super) fn depth(&self) -> usize {
        self.stack().count.get() - 1
    }

    /// How many there may be.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.stack().limit.set(limit);
    }

    /// How many bytes have been allocated.
    pub(super) fn allocated(&self) -> usize {
        self.stack().arena.allocated()
    }
}

impl<Y, R, T, K> Drop for Frames<'_, Y, R, T, K> {
    fn drop(&mut self) {
        let rest = Rest(self.stack);
        let mut panics = FirstPanic::default();
        while let Some(top) = self.stack().top.get() {
            panics.run(|| self.stack().drop_top(top));
        }
        drop(rest);
        panics.resume();
    }
}

/// Frees the stack, and before that drops what is still on it: without `std` a panic is not held back,
/// and comes by here.
struct Rest<Y, R>(NonNull<Stack<Y, R>>);

impl<Y, R> Drop for Rest<Y, R> {
    fn drop(&mut self) {
        // SAFETY: alive until the end of this.
        let stack = unsafe { self.0.as_ref() };
        while let Some(top) = stack.top.get() {
            stack.drop_top(top);
        }
        // SAFETY: the arena is where `within` has put it, and there is nothing left in it.
        unsafe { Arena::free(NonNull::from(&stack.arena)) };
    }
}
