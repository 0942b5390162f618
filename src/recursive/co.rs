//! What a body of a recursive generator does with its [`RecursiveCo`], and the futures of that.

use core::fmt;
use core::future::Future;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;
use core::task::{Context, Poll};

use super::frames::{Carries, Delegation, RecursiveCo};
use crate::co::{Argument, Yield, YieldAll};

// It is a number and an address: nothing to pin, and no state that a panic could leave broken.
impl<Y, R, K> Unpin for RecursiveCo<'_, Y, R, K> {}
impl<Y, R, K> UnwindSafe for RecursiveCo<'_, Y, R, K> {}
impl<Y, R, K> RefUnwindSafe for RecursiveCo<'_, Y, R, K> {}

impl<'a, Y, R, K> RecursiveCo<'a, Y, R, K> {
    /// Hands `value` to whoever resumed the generator, from whatever depth; see
    /// [`Co::yield_`](crate::Co::yield_).
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{RecursiveCo, recursive};
    ///
    /// async fn leaf(mut co: RecursiveCo<'_, &str>) {
    ///     co.yield_("from below").await;
    /// }
    /// let words = recursive(async |mut co| {
    ///     co.yield_("from the top").await;
    ///     co.yield_from(leaf).await;
    /// });
    /// assert!(words.eq(["from the top", "from below"]));
    /// ```
    #[inline(always)]
    pub fn yield_(&mut self, value: Y) -> Yield<'_, Y, R> {
        self.sending(value)
    }

    /// The argument of the resume in progress, unless it has been taken; see
    /// [`Co::argument`](crate::Co::argument). An argument that a body does not take is dropped when it
    /// suspends, also when it suspends to let a child run.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{GeneratorState::*, RecursiveCo, recursive};
    ///
    /// async fn child(mut co: RecursiveCo<'_, u32, u32>) {
    ///     let answer = co.yield_(1).await; // Who is suspended gets it.
    ///     co.yield_(answer).await;
    /// }
    /// let mut echo = recursive(async |mut co: RecursiveCo<u32, u32>| {
    ///     assert_eq!(co.argument().await, Some(7));
    ///     co.yield_from(child).await;
    /// });
    /// assert_eq!(echo.resume(7), Ok(Yielded(1)));
    /// assert_eq!(echo.resume(8), Ok(Yielded(8)));
    /// ```
    #[inline(always)]
    pub fn argument(&mut self) -> Argument<'_, Y, R> {
        self.taking()
    }

    /// Runs a child in this body's place until it has ended, and resolves to what it ends with.
    ///
    /// `body` is called with a `RecursiveCo` of its own for the child, when the future is first
    /// polled. What the child yields goes straight to whoever resumes the generator: an item costs the
    /// same at any depth. While the child runs, this body is not polled.
    ///
    /// Everything the child held has been dropped when this resolves. A panic of the child is not one
    /// of its parent: it ends the whole generator, child first, then parents, and goes to whoever
    /// resumed it.
    ///
    /// The child lives in the generator and not in this body, so it cannot borrow this body's locals:
    /// only what outlives the generator (`'a`). Give it locals by value (an `async` closure or block that
    /// uses them wants `move`) and have it give them back, if need be.
    ///
    /// Constant time. Memory comes from the generator's own; it is allocated only at a depth that has
    /// not been reached before.
    ///
    /// # Panics
    ///
    /// If the generator has a [`max_depth`](crate::Recursive::max_depth), and this body is that deep.
    /// [`try_yield_from`](RecursiveCo::try_yield_from) gives an error instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{RecursiveCo, recursive};
    ///
    /// struct Node {
    ///     name: &'static str,
    ///     children: Vec<Node>,
    /// }
    ///
    /// /// Yields every name, children first, and gives their number.
    /// async fn walk<'a>(mut co: RecursiveCo<'a, &'a str>, node: &'a Node) -> usize {
    ///     let mut count = 1;
    ///     for child in &node.children {
    ///         count += co.yield_from(|co| walk(co, child)).await;
    ///     }
    ///     co.yield_(node.name).await;
    ///     count
    /// }
    ///
    /// let leaf = |name| Node { name, children: Vec::new() };
    /// let tree = Node { name: "root", children: vec![leaf("left"), leaf("right")] };
    /// let names = recursive(async |mut co| assert_eq!(co.yield_from(|co| walk(co, &tree)).await, 3));
    /// assert_eq!(names.collect::<Vec<_>>(), ["left", "right", "root"]);
    /// ```
    #[inline(always)]
    pub fn yield_from<B, F>(&mut self, body: B) -> YieldFrom<'_, 'a, Y, R, K, B, F>
    where
        B: FnOnce(RecursiveCo<'a, Y, R, K>) -> F,
        F: Future + 'a,
        K: Carries<F>,
    {
        YieldFrom { delegation: Delegation::new(self, body) }
    }

    /// Like [`yield_from`](RecursiveCo::yield_from), for a generator with a
    /// [`max_depth`](crate::Recursive::max_depth).
    ///
    /// Resolves to an error, and gives `body` back, if this body is that deep. It can do something
    /// else then, or fail: what has been yielded has been delivered, and the generator can go on.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{DepthExceeded, RecursiveCo, recursive};
    ///
    /// async fn count_down(mut co: RecursiveCo<'_, u32>, n: u32) {
    ///     co.yield_(n).await;
    ///     if let Err(DepthExceeded { limit, .. }) = co.try_yield_from(|co| count_down(co, n - 1)).await {
    ///         assert_eq!(limit, 2);
    ///         co.yield_(0).await;
    ///     }
    /// }
    /// let numbers = recursive(|co| count_down(co, 9)).max_depth(2);
    /// assert_eq!(numbers.collect::<Vec<_>>(), [9, 8, 7, 0]);
    /// ```
    #[inline(always)]
    pub fn try_yield_from<B, F>(&mut self, body: B) -> TryYieldFrom<'_, 'a, Y, R, K, B, F>
    where
        B: FnOnce(RecursiveCo<'a, Y, R, K>) -> F,
        F: Future + 'a,
        K: Carries<F>,
    {
        TryYieldFrom { delegation: Delegation::new(self, body) }
    }
}

impl<Y, K> RecursiveCo<'_, Y, (), K> {
    /// Yields every item of `items`, one for each resume; see [`Co::yield_all`](crate::Co::yield_all).
    /// Any iterator will do, another generator included.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::recursive;
    ///
    /// let numbers = recursive(async |mut co| {
    ///     co.yield_all(1..3).await;
    ///     co.yield_all(recursive(async |mut co| co.yield_(3).await)).await;
    /// });
    /// assert!(numbers.eq([1, 2, 3]));
    /// ```
    #[inline(always)]
    pub fn yield_all<I: IntoIterator<Item = Y>>(&mut self, items: I) -> YieldAll<'_, I::IntoIter> {
        self.sending_all(items)
    }
}

impl<Y, R, K> fmt::Debug for RecursiveCo<'_, Y, R, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecursiveCo").finish_non_exhaustive()
    }
}

/// The generator is as deep as its [`max_depth`](crate::Recursive::max_depth) allows. Gives the body
/// of the child back that would have been deeper.
///
/// # Examples
///
/// ```
/// use watertight::{DepthExceeded, RecursiveCo, try_recursive};
///
/// async fn down(mut co: RecursiveCo<'_, u32>, n: u32) -> Result<(), DepthExceeded> {
///     co.yield_(n).await;
///     co.try_yield_from(|co| down(co, n + 1)).await.map_err(DepthExceeded::without_body)?
/// }
/// let last = try_recursive(|co| down(co, 0)).max_depth(2).last().unwrap();
/// assert_eq!(last.unwrap_err().to_string(), "recursion deeper than 2");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("recursion deeper than {limit}")]
#[non_exhaustive]
pub struct DepthExceeded<B = ()> {
    /// How deep it may be: how many children one above the other.
    pub limit: usize,
    /// What was given to [`try_yield_from`](RecursiveCo::try_yield_from).
    pub body: B,
}

impl<B> DepthExceeded<B> {
    /// The error without the body, for whoever wants to store it.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{DepthExceeded, RecursiveCo, recursive};
    ///
    /// async fn down(mut co: RecursiveCo<'_, Option<DepthExceeded>>) {
    ///     let refused = co.try_yield_from(|co| down(co)).await.err();
    ///     // The body may not leave this place, and the rest of the error may.
    ///     co.yield_(refused.map(DepthExceeded::without_body)).await;
    /// }
    /// let errors: Vec<_> = recursive(|co| down(co)).max_depth(1).flatten().collect();
    /// assert_eq!((errors.len(), errors[0].limit), (1, 1));
    /// ```
    pub fn without_body(self) -> DepthExceeded {
        DepthExceeded { limit: self.limit, body: () }
    }
}

impl<B> fmt::Debug for DepthExceeded<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DepthExceeded").field("limit", &self.limit).finish_non_exhaustive()
    }
}

macro_rules! delegating {
    ($(#[$doc:meta])* $name:ident($this:ident, $cx:ident) -> $output:ty { $poll:expr }) => {
        $(#[$doc])*
        ///
        /// # Dropping
        ///
        /// Dropped before its first poll, it drops the child's body, which has not been called. After
        /// that the child belongs to the generator, and does not end because this is dropped. (It
        /// takes a body that polls this by hand, drops it and then goes on in the same step: if that
        /// yields, delegates or ends then, the child is dropped, without having run. Otherwise it
        /// runs to its end first, and what it ends with is dropped.)
        #[must_use = "a child does nothing unless this is awaited"]
        pub struct $name<'co, 'a, Y, R, K, B, F> {
            delegation: Delegation<'co, 'a, Y, R, K, B, F>,
        }

        // The body is moved out, never pinned, and the child is elsewhere.
        impl<Y, R, K, B, F> Unpin for $name<'_, '_, Y, R, K, B, F> {}

        impl<'a, Y, R, K, B, F> Future for $name<'_, 'a, Y, R, K, B, F>
        where
            B: FnOnce(RecursiveCo<'a, Y, R, K>) -> F,
            F: Future + 'a,
            K: Carries<F>,
        {
            type Output = $output;

            #[inline(always)]
            fn poll(self: Pin<&mut Self>, $cx: &mut Context<'_>) -> Poll<Self::Output> {
                let $this = &mut self.get_mut().delegation;
                $poll
            }
        }

        impl<Y, R, K, B, F> fmt::Debug for $name<'_, '_, Y, R, K, B, F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("sent", &self.delegation.is_sent())
                    .finish_non_exhaustive()
            }
        }
    };
}

delegating! {
    /// The future of [`RecursiveCo::yield_from`].
    ///
    /// # Panics
    ///
    /// When it is polled after it has completed, or anywhere but in the body whose `RecursiveCo` made
    /// it; when the generator would become too deep.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{RecursiveCo, recursive};
    ///
    /// async fn pair(mut co: RecursiveCo<'_, u32>) -> &'static str {
    ///     co.yield_(1).await;
    ///     "ended"
    /// }
    /// let numbers = recursive(async |mut co| {
    ///     let child = co.yield_from(pair); // Nothing has run yet.
    ///     assert_eq!(child.await, "ended");
    /// });
    /// assert!(numbers.eq([1]));
    /// ```
    YieldFrom(this, cx) -> F::Output {
        match this.poll(cx) {
            Poll::Ready(Ok(output)) => Poll::Ready(output),
            Poll::Ready(Err(too_deep)) => exceeded(too_deep.limit),
            Poll::Pending => Poll::Pending,
        }
    }
}

delegating! {
    /// The future of [`RecursiveCo::try_yield_from`].
    ///
    /// # Panics
    ///
    /// When it is polled after it has completed, or anywhere but in the body whose `RecursiveCo` made
    /// it.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{RecursiveCo, recursive};
    ///
    /// async fn leaf(mut co: RecursiveCo<'_, u32>) {
    ///     co.yield_(1).await;
    /// }
    /// let numbers = recursive(async |mut co| {
    ///     let refused = co.try_yield_from(leaf).await;
    ///     assert_eq!(refused.unwrap_err().limit, 0);
    ///     co.yield_(2).await;
    /// });
    /// assert!(numbers.max_depth(0).eq([2]));
    /// ```
    TryYieldFrom(this, cx) -> Result<F::Output, DepthExceeded<B>> {
        match this.poll(cx) {
            Poll::Ready(Ok(output)) => Poll::Ready(Ok(output)),
            Poll::Ready(Err(too_deep)) => {
                let Some(body) = this.take_body() else { unreachable!("it has not been sent") };
                Poll::Ready(Err(DepthExceeded { limit: too_deep.limit, body }))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cold]
#[inline(never)]
fn exceeded(limit: usize) -> ! {
    panic!(
        "watertight: `yield_from` at the greatest depth of the generator, which is {limit} \
         (`max_depth`). Use `try_yield_from`, which gives an error, or allow for more"
    )
}
