//! [`Recursive`]: a generator whose body delegates to children, at the same cost whatever the depth.

use core::fmt;
use core::future::Future;
use core::mem;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;
use core::task::{Poll, Waker};

use crate::affinity::{OneThread, Threads};
use crate::audit::{Kind, Record};
use crate::generator::foreign_await;
use crate::resume::{GeneratorState, Resume, ResumeError, Resumed, iterate};
use crate::try_gen::Failure;
use crate::unwind::Poison;

mod arena; // Unsafe code: memory for frames.
mod frames; // Unsafe code: the stack of bodies.

#[forbid(unsafe_code)]
mod asynchronous;
#[forbid(unsafe_code)]
mod co;

pub use asynchronous::{
    AsyncRecursive, SendAsyncRecursive, SendTryAsyncRecursive, TryAsyncRecursive, async_recursive,
    async_recursive_send, try_async_recursive, try_async_recursive_send,
};
pub use co::{DepthExceeded, TryYieldFrom, YieldFrom};
use frames::{Advance, Frames};
pub use frames::{Carries, RecursiveCo};

/// The [`RecursiveCo`] of a generator that can go to other threads.
///
/// # Examples
///
/// ```
/// use watertight::{SendRecursiveCo, recursive_send};
///
/// fn twice(mut co: SendRecursiveCo<'_, u32>, number: u32) -> impl Future<Output = ()> + Send {
///     async move {
///         co.yield_(number).await;
///         co.yield_(number).await;
///     }
/// }
/// assert!(recursive_send(|co| twice(co, 7)).eq([7, 7]));
/// ```
pub type SendRecursiveCo<'a, Y, R = ()> = RecursiveCo<'a, Y, R, Threads>;

/// A [`Recursive`] generator that can go to other threads. Made by [`recursive_send`].
///
/// # Examples
///
/// ```
/// use watertight::{SendRecursive, recursive_send};
///
/// let numbers: SendRecursive<'static, u32> = recursive_send(async |mut co| co.yield_(1).await);
/// assert_eq!(std::thread::spawn(move || numbers.count()).join().unwrap(), 1);
/// ```
pub type SendRecursive<'a, Y, R = (), T = ()> = Recursive<'a, Y, R, T, Threads>;

/// A [`TryRecursive`] generator that can go to other threads. Made by [`try_recursive_send`].
///
/// # Examples
///
/// ```
/// use watertight::{SendTryRecursive, try_recursive_send};
///
/// let numbers: SendTryRecursive<'static, u32, String> =
///     try_recursive_send(async |_| Err("nothing there".to_owned()));
/// assert_eq!(std::thread::spawn(move || numbers.count()).join().unwrap(), 1); // The error.
/// ```
pub type SendTryRecursive<'a, Y, E> = TryRecursive<'a, Y, E, Threads>;

/// Makes a generator whose body can delegate to children, and those to theirs, with
/// [`yield_from`](RecursiveCo::yield_from): for whatever is written as a recursive function.
///
/// An item costs the same at any depth, where a generator that yields the items of another hands each
/// one up level by level. The depth is bounded by memory and, if one is set, by a limit
/// ([`max_depth`](Recursive::max_depth)), not by the thread's stack. Everything the bodies use must
/// outlive the generator, or be theirs.
///
/// The generator is bound to one thread; [`recursive_send`] makes one that is not.
///
/// # Examples
///
/// ```
/// use watertight::{RecursiveCo, recursive};
///
/// struct Tree {
///     left: Option<Box<Tree>>,
///     value: u32,
///     right: Option<Box<Tree>>,
/// }
///
/// async fn in_order<'a>(mut co: RecursiveCo<'a, &'a u32>, tree: &'a Tree) {
///     if let Some(left) = &tree.left {
///         co.yield_from(|co| in_order(co, left)).await;
///     }
///     co.yield_(&tree.value).await;
///     if let Some(right) = &tree.right {
///         co.yield_from(|co| in_order(co, right)).await;
///     }
/// }
///
/// let leaf = |value| Some(Box::new(Tree { left: None, value, right: None }));
/// let tree = Tree { left: leaf(1), value: 2, right: leaf(3) };
/// assert!(recursive(|co| in_order(co, &tree)).eq(&[1, 2, 3]));
/// ```
#[inline]
#[cfg_attr(feature = "audit", track_caller)]
pub fn recursive<'a, Y, R, B, F>(body: B) -> Recursive<'a, Y, R, F::Output>
where
    B: FnOnce(RecursiveCo<'a, Y, R>) -> F,
    F: Future + 'a,
{
    Recursive::new(Kind::Recursive, body)
}

/// Like [`recursive`], for a generator that can go to other threads, where it can be prefetched or
/// stopped: every body is `Send`, and so is what it ends with.
///
/// An `async fn` that delegates to itself cannot promise that: whether it is `Send` would have to be
/// known before its body has been compiled. ("Cannot satisfy `impl Future<Output = ()>: Send`", says
/// the compiler.) A function whose signature says so can; that `clippy::manual_async_fn` would have it
/// otherwise is to be allowed:
///
/// ```
/// use watertight::{Capacity, SendRecursiveCo, recursive_send};
///
/// fn halve(mut co: SendRecursiveCo<'_, u32>, n: u32) -> impl Future<Output = ()> + Send {
///     async move {
///         if n > 1 {
///             co.yield_from(|co| halve(co, n / 2)).await;
///             co.yield_(n).await;
///             co.yield_from(|co| halve(co, n / 2)).await;
///         }
///     }
/// }
/// let numbers = recursive_send(|co| halve(co, 4)).prefetch(Capacity::items(2));
/// assert!(numbers.eq([2, 4, 2]));
/// ```
#[inline]
#[cfg_attr(feature = "audit", track_caller)]
pub fn recursive_send<'a, Y, R, B, F>(body: B) -> SendRecursive<'a, Y, R, F::Output>
where
    B: FnOnce(SendRecursiveCo<'a, Y, R>) -> F,
    F: Future<Output: Send> + Send + 'a,
{
    Recursive::new(Kind::Recursive, body)
}

/// Makes a [`recursive`] generator whose root can fail: it returns `Result<(), E>`, and the items are
/// `Result<Y, E>`, of which an error is the last. Children end with whatever they like, results
/// included: `co.yield_from(…).await?`.
///
/// # Examples
///
/// ```
/// use std::num::ParseIntError;
/// use watertight::{RecursiveCo, try_recursive};
///
/// /// The numbers in nested brackets, and what is left of the text.
/// async fn numbers<'a>(
///     mut co: RecursiveCo<'a, u32>,
///     mut text: &'a str,
/// ) -> Result<&'a str, ParseIntError> {
///     loop {
///         text = text.trim_start();
///         if let Some(inner) = text.strip_prefix('[') {
///             text = co.yield_from(|co| numbers(co, inner)).await?;
///         } else if let Some(rest) = text.strip_prefix(']') {
///             return Ok(rest);
///         } else if text.is_empty() {
///             return Ok(text);
///         } else {
///             let end = text.find(['[', ']', ' ']).unwrap_or(text.len());
///             co.yield_(text[..end].parse()?).await;
///             text = &text[end..];
///         }
///     }
/// }
///
/// let good = try_recursive(async |co| numbers(co, "1 [2[3] 4]").await.map(drop));
/// assert_eq!(good.collect::<Result<Vec<_>, _>>(), Ok(vec![1, 2, 3, 4]));
/// let mut bad = try_recursive(async |co| numbers(co, "1 [2 [x] 4]").await.map(drop));
/// assert_eq!(bad.by_ref().map_while(Result::ok).collect::<Vec<_>>(), [1, 2]);
/// assert_eq!(bad.next(), None);
/// ```
#[inline]
#[cfg_attr(feature = "audit", track_caller)]
pub fn try_recursive<'a, Y, E, B, F>(body: B) -> TryRecursive<'a, Y, E>
where
    B: FnOnce(RecursiveCo<'a, Y>) -> F,
    F: Future<Output = Result<(), E>> + 'a,
{
    let generator = Recursive::new(Kind::TryRecursive, body);
    TryRecursive { generator, failure: Failure::default() }
}

/// Like [`try_recursive`], for a generator that can go to other threads; see [`recursive_send`].
///
/// # Examples
///
/// ```
/// use watertight::{Capacity, SendRecursiveCo, try_recursive_send};
///
/// fn numbers(
///     mut co: SendRecursiveCo<'_, u32>,
///     text: &'static str,
/// ) -> impl Future<Output = Result<(), &'static str>> + Send {
///     async move {
///         for word in text.split(' ') {
///             co.yield_(word.parse().map_err(|_| word)?).await;
///         }
///         Ok(())
///     }
/// }
/// let good = try_recursive_send(async |mut co| co.yield_from(|co| numbers(co, "1 2")).await);
/// assert!(good.prefetch(Capacity::items(4)).eq([Ok(1), Ok(2)]));
/// ```
#[inline]
#[cfg_attr(feature = "audit", track_caller)]
pub fn try_recursive_send<'a, Y, E, B, F>(body: B) -> SendTryRecursive<'a, Y, E>
where
    B: FnOnce(SendRecursiveCo<'a, Y>) -> F,
    F: Future<Output = Result<(), E>> + Send + 'a,
    E: Send,
{
    let generator = Recursive::new(Kind::TryRecursive, body);
    TryRecursive { generator, failure: Failure::default() }
}

/// A generator whose bodies delegate to one another. Made by [`recursive`] and [`recursive_send`]; an
/// [`Iterator`] that can be moved and stored.
///
/// `Y` is what it yields, `R` what it is resumed with, `T` what its root ends with; it can be iterated if
/// `R` and `T` are `()`. With `K` = [`Threads`] it is `Send` if these are.
///
/// It is a pointer, and invariant in `Y` and `R`. Its bodies are on the heap, in memory of its own: one
/// kibibyte when it is made, twice as much as before whenever that is full, up to pieces of a mebibyte,
/// and larger ones only for bodies that are larger. Each body takes its own size and 32 bytes there. (A
/// plain function with an `async move` block makes a smaller one than an `async fn`, which has its
/// parameters twice.) The memory stays for the next body of that depth, and is freed when the generator
/// finishes.
///
/// # Dropping
///
/// Bodies are dropped deepest first, one after the other and not within one another, on the thread
/// that drops the generator: however deep it is, that does not need a large stack. The same happens
/// at once, before the call returns, when the root ends, when any body panics, and on
/// [`close`](Recursive::close). A child that ends is dropped before its parent goes on.
///
/// # Panics
///
/// A panic of a body reaches the caller of that step, once, and the generator is finished; it does
/// not pass through the parents. All bodies are dropped then, and if a destructor panics as well, that
/// is reported by the panic hook and goes no further. (Without the `std` feature the bodies are
/// dropped by the next call, or with the generator.)
///
/// A body that awaits anything but the futures of its own [`RecursiveCo`] cannot make progress: that
/// panics, in every build.
///
/// # Examples
///
/// ```
/// use watertight::{RecursiveCo, recursive};
///
/// async fn countdown(mut co: RecursiveCo<'_, u32>, from: u32) {
///     co.yield_(from).await;
///     if from > 0 {
///         co.yield_from(|co| countdown(co, from - 1)).await;
///     }
/// }
/// let mut numbers = recursive(|co| countdown(co, 1_000_000));
/// assert_eq!(numbers.nth(100_000), Some(900_000));
/// assert_eq!(numbers.depth(), 100_000); // Children, one above the other.
/// assert!(numbers.close()); // Dropped one after the other, on a small stack.
/// assert_eq!(numbers.allocated(), 0);
/// ```
#[must_use = "generators are lazy and do nothing unless iterated or resumed"]
pub struct Recursive<'a, Y, R = (), T = (), K = OneThread> {
    frames: Option<Frames<'a, Y, R, T, K>>,
    poison: Poison,
    // Last: it is there for as long as the bodies are.
    record: Record,
}

// As for any iterator adaptor: after a panic it is finished.
impl<Y, R, T, K> UnwindSafe for Recursive<'_, Y, R, T, K> {}
impl<Y, R, T, K> RefUnwindSafe for Recursive<'_, Y, R, T, K> {}

/// Ends the generator if the step that it guards panics.
struct Running<'g, 'a, Y, R, T, K> {
    frames: &'g mut Option<Frames<'a, Y, R, T, K>>,
    poison: &'g mut Poison,
}

impl<Y, R, T, K> Drop for Running<'_, '_, Y, R, T, K> {
    #[cold]
    fn drop(&mut self) {
        self.poison.take_over(Pin::new(&mut *self.frames), None);
    }
}

impl<'a, Y, R, T, K> Recursive<'a, Y, R, T, K> {
    #[inline]
    #[cfg_attr(feature = "audit", track_caller)]
    fn new<B, F>(kind: Kind, body: B) -> Self
    where
        B: FnOnce(RecursiveCo<'a, Y, R, K>) -> F,
        F: Future<Output = T> + 'a,
        K: Carries<F>,
    {
        let frames = Some(Frames::new(body));
        Recursive { frames, poison: Poison::new(), record: Record::of::<Y, F>(kind) }
    }

    /// Lets the generator be at most so deep: a body with `limit` bodies below it, the root among
    /// them, cannot delegate. With 0 the root cannot.
    ///
    /// [`try_yield_from`](RecursiveCo::try_yield_from) gives an error then, `yield_from` panics.
    /// Without this, memory is the limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{RecursiveCo, recursive};
    ///
    /// async fn for_ever(mut co: RecursiveCo<'_, u32>, depth: u32) {
    ///     co.yield_(depth).await;
    ///     co.try_yield_from(|co| for_ever(co, depth + 1)).await.ok();
    /// }
    /// assert_eq!(recursive(|co| for_ever(co, 0)).max_depth(100).count(), 101);
    /// ```
    pub fn max_depth(mut self, limit: usize) -> Self {
        if let Some(frames) = &mut self.frames {
            frames.set_limit(limit);
        }
        self
    }

    /// How deep it is at this moment: how many bodies, the root not among them, are suspended.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{RecursiveCo, recursive};
    ///
    /// async fn down(mut co: RecursiveCo<'_, u32>, n: u32) {
    ///     co.yield_(n).await;
    ///     if n > 0 {
    ///         co.yield_from(|co| down(co, n - 1)).await;
    ///     }
    /// }
    /// let mut numbers = recursive(|co| down(co, 2));
    /// assert_eq!((numbers.next(), numbers.depth()), (Some(2), 0)); // In the root.
    /// assert_eq!((numbers.next(), numbers.depth()), (Some(1), 1)); // In its child.
    /// ```
    pub fn depth(&self) -> usize {
        self.frames.as_ref().map_or(0, Frames::depth)
    }

    /// How many bytes of memory it has, in use or not. Takes time in proportion to the number of its
    /// pieces.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::recursive;
    ///
    /// let mut numbers = recursive(async |mut co| co.yield_all([1, 2]).await);
    /// assert!(numbers.allocated() > 0);
    /// assert_eq!(numbers.by_ref().count(), 2);
    /// assert_eq!(numbers.allocated(), 0); // It has come to its end.
    /// ```
    pub fn allocated(&self) -> usize {
        self.frames.as_ref().map_or(0, Frames::allocated)
    }

    /// Runs the body on top of the others to its next yield, and whatever follows when it ends; see
    /// [`Gen::resume`](crate::Gen::resume).
    ///
    /// # Errors
    ///
    /// [`ResumeError`], with the argument, if the generator has finished.
    ///
    /// # Panics
    ///
    /// If a body does, or awaits anything but its own yields and children, or a destructor that runs
    /// in this step. The generator is finished then.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{GeneratorState, RecursiveCo, recursive};
    ///
    /// // Each child is asked for its part of the sum.
    /// async fn sum(mut co: RecursiveCo<'_, &'static str, u32>, left: u32) -> u32 {
    ///     let part = co.yield_("next?").await;
    ///     match left {
    ///         0 => part,
    ///         _ => part + co.yield_from(|co| sum(co, left - 1)).await,
    ///     }
    /// }
    /// let mut asks = recursive(|co| sum(co, 1));
    /// assert_eq!(asks.resume(0), Ok(GeneratorState::Yielded("next?"))); // To begin with; not a part.
    /// assert_eq!(asks.resume(20), Ok(GeneratorState::Yielded("next?")));
    /// assert_eq!(asks.resume(3), Ok(GeneratorState::Complete(23)));
    /// ```
    #[inline]
    pub fn resume(&mut self, argument: R) -> Resumed<Y, T, R> {
        match self.step(Waker::noop(), argument) {
            Poll::Ready(resumed) => resumed,
            Poll::Pending => self.fail(foreign_await),
        }
    }

    /// The same for one whose bodies may wait for something else, of which `caller` will be told.
    #[inline(always)]
    fn step(&mut self, caller: &Waker, argument: R) -> Poll<Resumed<Y, T, R>> {
        if self.poison.is_set() {
            self.frames = None;
        }
        let running = Running { frames: &mut self.frames, poison: &mut self.poison };
        let (advance, step) = match &mut *running.frames {
            Some(frames) => {
                let step = self.record.begin();
                (frames.advance(caller, Some(argument)), step)
            }
            None => {
                mem::forget(running);
                return Poll::Ready(Err(ResumeError::new(argument)));
            }
        };
        mem::forget(running);
        match advance {
            Advance::Yielded(value) => {
                step.yielded();
                Poll::Ready(Ok(GeneratorState::Yielded(value)))
            }
            Advance::Complete => match self.frames.take() {
                Some(frames) => {
                    let output = frames.into_output();
                    step.finished();
                    Poll::Ready(Ok(GeneratorState::Complete(output)))
                }
                None => unreachable!("it has just ended"),
            },
            Advance::Waiting => {
                step.waits();
                Poll::Pending
            }
        }
    }

    /// Runs `panic`, which must, as if it were a step of a body.
    #[cold]
    #[inline(never)]
    fn fail(&mut self, panic: fn() -> !) -> ! {
        self.record.finish();
        // Ends the generator.
        let _running = Running { frames: &mut self.frames, poison: &mut self.poison };
        panic()
    }

    /// Finishes the generator: drops everything it holds, before this returns.
    ///
    /// `true` if that was this call's doing; `false` if it had finished before.
    ///
    /// # Panics
    ///
    /// If a destructor does. The generator is finished all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use watertight::recursive;
    ///
    /// let held = Rc::new(());
    /// let body_holds = held.clone();
    /// let mut numbers = recursive(async move |mut co| {
    ///     let _held = body_holds;
    ///     co.yield_all(0..).await;
    /// });
    /// assert_eq!(numbers.next(), Some(0));
    /// assert!(numbers.close());
    /// assert_eq!(Rc::strong_count(&held), 1);
    /// assert!(numbers.is_finished());
    /// ```
    pub fn close(&mut self) -> bool {
        let live = !self.is_finished();
        self.record.finish();
        self.frames = None;
        live
    }

    /// Whether the generator has finished: nothing will come, and it holds nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::recursive;
    ///
    /// let mut numbers = recursive(async |mut co| co.yield_(1).await);
    /// assert_eq!((numbers.next(), numbers.is_finished()), (Some(1), false));
    /// assert_eq!((numbers.next(), numbers.is_finished()), (None, true));
    /// ```
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.poison.is_set() || self.frames.is_none()
    }
}

impl<Y, R, T, K> Resume for Recursive<'_, Y, R, T, K> {
    type Argument = R;
    type Yield = Y;
    type Return = T;

    #[inline]
    fn resume(mut self: Pin<&mut Self>, argument: R) -> Resumed<Y, T, R> {
        Recursive::resume(&mut self, argument)
    }

    fn close(mut self: Pin<&mut Self>) -> bool {
        Recursive::close(&mut self)
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.is_finished()
    }

    fn is_released(&self) -> bool {
        self.is_finished() || self.frames.as_ref().is_some_and(Frames::has_ended)
    }
}

iterate! { [Y, K] Recursive<'_, Y, (), (), K> where }

impl<Y, R, T, K> fmt::Debug for Recursive<'_, Y, R, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recursive")
            .field("finished", &self.is_finished())
            .field("depth", &self.depth())
            .finish_non_exhaustive()
    }
}

/// A recursive generator whose root can fail. Made by [`try_recursive`] and [`try_recursive_send`];
/// everything said of [`Recursive`] holds here.
///
/// To the [`Resume`] trait it is a generator that yields `Result<Y, E>` and ends with `()`.
///
/// # Examples
///
/// ```
/// use watertight::{RecursiveCo, try_recursive};
///
/// async fn down(mut co: RecursiveCo<'_, u32>, n: u32) -> Result<(), String> {
///     co.yield_(n).await;
///     match n.checked_sub(1) {
///         Some(n) => co.yield_from(|co| down(co, n)).await, // Errors go up.
///         None => Err("below zero".to_owned()),
///     }
/// }
/// let mut numbers = try_recursive(|co| down(co, 1));
/// assert_eq!(numbers.next(), Some(Ok(1)));
/// assert_eq!(numbers.next(), Some(Ok(0)));
/// assert_eq!(numbers.next(), Some(Err("below zero".to_owned())));
/// assert!(numbers.next().is_none());
/// ```
#[must_use = "generators are lazy and do nothing unless iterated or resumed"]
pub struct TryRecursive<'a, Y, E, K = OneThread> {
    generator: Recursive<'a, Y, (), Result<(), E>, K>,
    failure: Failure,
}

impl<Y, E, K> TryRecursive<'_, Y, E, K> {
    /// Lets the generator be at most so deep; see [`Recursive::max_depth`].
    pub fn max_depth(mut self, limit: usize) -> Self {
        self.generator = self.generator.max_depth(limit);
        self
    }

    /// How deep it is at this moment; see [`Recursive::depth`].
    pub fn depth(&self) -> usize {
        self.generator.depth()
    }

    /// How many bytes of memory it has; see [`Recursive::allocated`].
    pub fn allocated(&self) -> usize {
        self.generator.allocated()
    }

    /// Finishes the generator; see [`Recursive::close`].
    ///
    /// # Panics
    ///
    /// If a destructor does. The generator is finished all the same.
    pub fn close(&mut self) -> bool {
        let failed = self.failure.forget();
        self.generator.close() || failed
    }

    /// Whether the generator has finished: nothing will come, and it holds nothing.
    #[inline]
    pub fn is_finished(&self) -> bool {
        !self.failure.is_unreported() && self.generator.is_finished()
    }
}

impl<Y, E, K> Resume for TryRecursive<'_, Y, E, K> {
    type Argument = ();
    type Yield = Result<Y, E>;
    type Return = ();

    #[inline]
    fn resume(mut self: Pin<&mut Self>, (): ()) -> Resumed<Result<Y, E>, (), ()> {
        let resumed = self.generator.resume(());
        self.failure.settle(resumed)
    }

    fn close(mut self: Pin<&mut Self>) -> bool {
        TryRecursive::close(&mut self)
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.is_finished()
    }

    fn is_released(&self) -> bool {
        self.generator.is_released()
    }
}

iterate! { [Y, E, K] TryRecursive<'_, Y, E, K> where }

impl<Y, E, K> fmt::Debug for TryRecursive<'_, Y, E, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryRecursive").field("generator", &self.generator).finish_non_exhaustive()
    }
}
