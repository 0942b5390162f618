//! [`AsyncRecursive`]: a recursive generator whose bodies may await anything.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::{Recursive, RecursiveCo, SendRecursiveCo};
use crate::affinity::{OneThread, Threads};
use crate::audit::Kind;
use crate::poll_next::{Next, PollNext, item, stream};
use crate::try_gen::Failure;

/// An [`AsyncRecursive`] generator that can go to other threads. Made by [`async_recursive_send`].
///
/// # Examples
///
/// ```
/// use watertight::{SendAsyncRecursive, async_recursive_send};
///
/// # smol::block_on(async {
/// let mut numbers: SendAsyncRecursive<'static, u32> =
///     async_recursive_send(async |mut co| co.yield_(1).await);
/// assert_eq!(smol::spawn(async move { numbers.next().await }).await, Some(1));
/// # });
/// ```
pub type SendAsyncRecursive<'a, Y> = AsyncRecursive<'a, Y, Threads>;

/// A [`TryAsyncRecursive`] generator that can go to other threads. Made by
/// [`try_async_recursive_send`].
///
/// # Examples
///
/// ```
/// use watertight::{SendTryAsyncRecursive, try_async_recursive_send};
///
/// # smol::block_on(async {
/// let mut numbers: SendTryAsyncRecursive<'static, u32, String> =
///     try_async_recursive_send(async |_| Err("nothing there".to_owned()));
/// let first = smol::spawn(async move { numbers.next().await }).await;
/// assert_eq!(first, Some(Err("nothing there".to_owned())));
/// # });
/// ```
pub type SendTryAsyncRecursive<'a, Y, E> = TryAsyncRecursive<'a, Y, E, Threads>;

/// Makes an asynchronous generator whose body can delegate to children, and those to theirs: what
/// [`recursive`](crate::recursive) is to [`generator`](crate::generator), this is to
/// [`async_generator`](crate::async_generator). Bodies may await whatever they like.
///
/// A body is not polled while its child runs. So a `timeout` or a `select!` around a
/// [`yield_from`](RecursiveCo::yield_from) does nothing before the child has ended: put it into the
/// child.
///
/// It is bound to one thread; [`async_recursive_send`] makes one that can be spawned.
///
/// # Examples
///
/// ```
/// use watertight::{RecursiveCo, async_recursive};
///
/// # async fn links(page: u32) -> Vec<u32> {
/// #     tokio::task::yield_now().await;
/// #     if page < 4 { vec![2 * page, 2 * page + 1] } else { vec![] }
/// # }
/// /// All pages that can be reached, each before those that it links to.
/// async fn crawl(mut co: RecursiveCo<'_, u32>, page: u32) {
///     co.yield_(page).await;
///     for link in links(page).await {
///         co.yield_from(|co| crawl(co, link)).await;
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut pages = async_recursive(|co| crawl(co, 1));
/// let mut found = Vec::new();
/// while let Some(page) = pages.next().await {
///     found.push(page);
/// }
/// assert_eq!(found, [1, 2, 4, 5, 3, 6, 7]);
/// # }
/// ```
#[inline]
#[cfg_attr(feature = "audit", track_caller)]
pub fn async_recursive<'a, Y, B, F>(body: B) -> AsyncRecursive<'a, Y>
where
    B: FnOnce(RecursiveCo<'a, Y>) -> F,
    F: Future<Output = ()> + 'a,
{
    AsyncRecursive { generator: Recursive::new(Kind::AsyncRecursive, body) }
}

/// Like [`async_recursive`], for a generator that can go to other threads, and be spawned: every body
/// is `Send`, and so is what it ends with. See [`recursive_send`](crate::recursive_send) for how to
/// write such a function.
///
/// # Examples
///
/// ```
/// use watertight::{SendRecursiveCo, async_recursive_send};
///
/// fn halve(mut co: SendRecursiveCo<'_, u32>, n: u32) -> impl Future<Output = ()> + Send {
///     async move {
///         smol::future::yield_now().await;
///         co.yield_(n).await;
///         if n > 1 {
///             co.yield_from(|co| halve(co, n / 2)).await;
///         }
///     }
/// }
/// # smol::block_on(async {
/// let mut numbers = async_recursive_send(|co| halve(co, 4));
/// let all = smol::spawn(async move {
///     let mut all = Vec::new();
///     while let Some(number) = numbers.next().await {
///         all.push(number);
///     }
///     all
/// });
/// assert_eq!(all.await, [4, 2, 1]);
/// # });
/// ```
#[inline]
#[cfg_attr(feature = "audit", track_caller)]
pub fn async_recursive_send<'a, Y, B, F>(body: B) -> SendAsyncRecursive<'a, Y>
where
    B: FnOnce(SendRecursiveCo<'a, Y>) -> F,
    F: Future<Output = ()> + Send + 'a,
{
    AsyncRecursive { generator: Recursive::new(Kind::AsyncRecursive, body) }
}

/// Makes an [`async_recursive`] generator whose root can fail: it returns `Result<(), E>`, and the
/// items are `Result<Y, E>`, of which an error is the last. Children end with whatever they like,
/// results included: `co.yield_from(…).await?`.
///
/// # Examples
///
/// ```
/// use watertight::{RecursiveCo, try_async_recursive};
///
/// async fn down(mut co: RecursiveCo<'_, u32>, n: u32) -> Result<(), &'static str> {
///     smol::future::yield_now().await;
///     co.yield_(n).await;
///     let n = n.checked_sub(1).ok_or("below zero")?;
///     co.yield_from(|co| down(co, n)).await
/// }
/// # smol::block_on(async {
/// let mut numbers = try_async_recursive(|co| down(co, 0));
/// assert_eq!(numbers.next().await, Some(Ok(0)));
/// assert_eq!(numbers.next().await, Some(Err("below zero")));
/// assert_eq!(numbers.next().await, None);
/// # });
/// ```
#[inline]
#[cfg_attr(feature = "audit", track_caller)]
pub fn try_async_recursive<'a, Y, E, B, F>(body: B) -> TryAsyncRecursive<'a, Y, E>
where
    B: FnOnce(RecursiveCo<'a, Y>) -> F,
    F: Future<Output = Result<(), E>> + 'a,
{
    let generator = Recursive::new(Kind::TryAsyncRecursive, body);
    TryAsyncRecursive { generator, failure: Failure::default() }
}

/// Like [`try_async_recursive`], for a generator that can go to other threads, and be spawned.
///
/// # Examples
///
/// ```
/// use watertight::try_async_recursive_send;
///
/// # smol::block_on(async {
/// let mut numbers = try_async_recursive_send(async |mut co| {
///     co.yield_(1).await;
///     Err("cut off")
/// });
/// smol::spawn(async move {
///     assert_eq!(numbers.next().await, Some(Ok(1)));
///     assert_eq!(numbers.next().await, Some(Err("cut off")));
/// })
/// .await;
/// # });
/// ```
#[inline]
#[cfg_attr(feature = "audit", track_caller)]
pub fn try_async_recursive_send<'a, Y, E, B, F>(body: B) -> SendTryAsyncRecursive<'a, Y, E>
where
    B: FnOnce(SendRecursiveCo<'a, Y>) -> F,
    F: Future<Output = Result<(), E>> + Send + 'a,
    E: Send,
{
    let generator = Recursive::new(Kind::TryAsyncRecursive, body);
    TryAsyncRecursive { generator, failure: Failure::default() }
}

/// An asynchronous generator whose bodies delegate to one another. Made by [`async_recursive`] and
/// [`async_recursive_send`]. With the feature `stream` it is a fused
/// [`Stream`](https://docs.rs/futures-core/0.3/futures_core/stream/trait.Stream.html).
///
/// All that is said of [`Recursive`] about memory, dropping and panics holds here, and all that is said
/// of [`AsyncGen`](crate::AsyncGen) about yields behind combinators, cancelling and wakers. Of the
/// bodies only the one on top is polled, and the task's wakers are its.
///
/// # Examples
///
/// ```
/// use watertight::{RecursiveCo, async_recursive};
///
/// async fn countdown(mut co: RecursiveCo<'_, u32>, from: u32) {
///     co.yield_(from).await;
///     if from > 0 {
///         co.yield_from(|co| countdown(co, from - 1)).await;
///     }
/// }
/// # smol::block_on(async {
/// let mut numbers = async_recursive(|co| countdown(co, 9));
/// assert_eq!(numbers.next().await, Some(9));
/// assert_eq!(numbers.next().await, Some(8));
/// assert_eq!(numbers.depth(), 1);
/// assert!(numbers.close_now());
/// # });
/// ```
#[must_use = "streams are lazy and do nothing unless polled"]
pub struct AsyncRecursive<'a, Y, K = OneThread> {
    generator: Recursive<'a, Y, (), (), K>,
}

/// An asynchronous recursive generator whose root can fail. Made by [`try_async_recursive`] and
/// [`try_async_recursive_send`]; everything said of [`AsyncRecursive`] holds here.
///
/// As a stream its items are `Result<Y, E>`, so it is a `TryStream`.
///
/// # Examples
///
/// ```
/// use watertight::try_async_recursive;
///
/// # smol::block_on(async {
/// let mut numbers = try_async_recursive(async |mut co| {
///     co.yield_(1).await;
///     "x".parse::<u32>().map(drop)
/// });
/// assert_eq!(numbers.next().await, Some(Ok(1)));
/// assert!(numbers.next().await.is_some_and(|last| last.is_err()));
/// assert!(numbers.next().await.is_none());
/// # });
/// ```
#[must_use = "streams are lazy and do nothing unless polled"]
pub struct TryAsyncRecursive<'a, Y, E, K = OneThread> {
    generator: Recursive<'a, Y, (), Result<(), E>, K>,
    failure: Failure,
}

/// What the two have in common.
macro_rules! polled {
    ([$($params:tt)*] $gen:ident<$($args:tt),*>: $item:ty, $step:expr, $forget:expr, $reported:expr) => {
        impl<$($params)*> $gen<'_, $($args),*> {
            /// The next item, or `None` when the root has ended; see
            /// [`AsyncGen::next`](crate::AsyncGen::next).
            ///
            /// # Cancel safety
            ///
            /// Dropping the future loses nothing; see [`Next`].
            #[inline]
            #[allow(clippy::should_implement_trait, reason = "it is a future, and not an item")]
            pub fn next(&mut self) -> Next<'_, Self> {
                Next::new(Pin::new(self))
            }

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

            /// Finishes the generator now: drops everything it holds, before this returns; see
            /// [`AsyncGen::close_now`](crate::AsyncGen::close_now).
            ///
            /// # Panics
            ///
            /// If a destructor does. The generator is finished all the same.
            pub fn close_now(&mut self) -> bool {
                let failed = $forget(self);
                self.generator.close() || failed
            }

            /// Whether nothing will come any more.
            #[inline]
            pub fn is_finished(&self) -> bool {
                $reported(self) && self.generator.is_finished()
            }
        }

        impl<$($params)*> PollNext for $gen<'_, $($args),*> {
            type Item = $item;

            #[inline]
            fn poll_next(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Option<Self::Item>> {
                $step(&mut *self, cx)
            }

            fn close_now(mut self: Pin<&mut Self>) -> bool {
                $gen::close_now(&mut self)
            }

            #[inline]
            fn is_finished(&self) -> bool {
                self.is_finished()
            }

            fn is_released(&self) -> bool {
                crate::Resume::is_released(&self.generator)
            }
        }

        stream! { [$($params)*] $gen<'_, $($args),*> where }

        impl<$($params)*> fmt::Debug for $gen<'_, $($args),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($gen))
                    .field("finished", &self.is_finished())
                    .field("depth", &self.depth())
                    .finish_non_exhaustive()
            }
        }
    };
}

polled! {
    [Y, K] AsyncRecursive<Y, K>: Y,
    |this: &mut Self, cx: &mut Context<'_>| item(this.generator.step(cx.waker(), ())),
    |_: &mut Self| false,
    |_: &Self| true
}

polled! {
    [Y, E, K] TryAsyncRecursive<Y, E, K>: Result<Y, E>,
    |this: &mut Self, cx: &mut Context<'_>| {
        let step = this.generator.step(cx.waker(), ());
        item(step.map(|resumed| this.failure.settle(resumed)))
    },
    |this: &mut Self| this.failure.forget(),
    |this: &Self| !this.failure.is_unreported()
}
