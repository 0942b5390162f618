//! [`WithCleanup`]: an asynchronous generator whose cleanup has something to await.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::on_finish::Outcome;
use crate::poll_next::{Next, PollNext, stream};
use crate::sync::{Mutex, MutexGuard, lock};
use crate::unwind::{FirstPanic, quietly};

/// Where a body registers what is to be awaited when it has ended: anything that is `Send`.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use watertight::{Cleanup, Co, Outcome, async_generator, with_cleanup};
///
/// /// It can be handed on, to whatever the body calls.
/// fn lease(cleanup: &Cleanup<'_>) -> u32 {
///     cleanup.defer(async { println!("given back") });
///     7
/// }
/// # smol::block_on(async {
/// let numbers = with_cleanup(|cleanup: Cleanup| {
///     async_generator(async move |mut co: Co<u32>| co.yield_(lease(&cleanup)).await)
/// });
/// let mut numbers = pin!(numbers);
/// assert_eq!(numbers.next().await, Some(7));
/// assert_eq!(numbers.as_mut().close().await, Outcome::Stopped); // "given back" has been printed.
/// # });
/// ```
pub type Cleanup<'a> = CleanupOf<dyn Future<Output = ()> + Send + 'a>;

/// The same, for what stays on one thread.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use watertight::{Co, LocalCleanup, async_generator, with_cleanup_local};
///
/// let shared = Rc::new(1); // It could not be in a `Cleanup`.
/// let numbers = with_cleanup_local(|cleanup: LocalCleanup| {
///     cleanup.defer(async move { println!("{shared}") });
///     async_generator(async |mut co: Co<u32>| co.yield_(1).await)
/// });
/// assert_eq!(numbers.deferred(), 1);
/// ```
pub type LocalCleanup<'a> = CleanupOf<dyn Future<Output = ()> + 'a>;

/// Makes an asynchronous generator that can leave something to be awaited after its end: to roll a
/// transaction back, to say goodbye to a server, to return a lease. A destructor cannot await; this
/// can.
///
/// `make` is given a [`Cleanup`], with which the body registers futures as it goes
/// ([`defer`](Cleanup::defer)), and makes the generator. They are run one after the other, the last
/// one first, when the body has been dropped:
///
/// | what happens | they are run by |
/// |---|---|
/// | the body ends by itself, or fails | the poll, or polls, that then give `None` |
/// | [`close`](WithCleanup::close) | that, before it is ready |
/// | the body panics | the next `close` or poll |
/// | it is dropped, closed by `close_now`, or released by a stop | nobody: they are dropped, and the hook given to [`on_abandoned`](WithCleanup::on_abandoned) is told |
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use std::sync::Arc;
/// use tokio::sync::Mutex;
/// use watertight::{Cleanup, Co, Outcome, async_generator, with_cleanup};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let log = Arc::new(Mutex::new(vec!["begin"]));
/// let rows = with_cleanup(|cleanup: Cleanup| {
///     let log = log.clone();
///     async_generator(async move |mut co: Co<u32>| {
///         let rollback = cleanup.defer({
///             let log = log.clone();
///             async move { log.lock().await.push("roll back") }
///         });
///         for row in 0..10 {
///             co.yield_(row).await;
///         }
///         rollback.disarm(); // It has come to its end.
///         log.lock().await.push("commit");
///     })
/// });
/// let mut rows = pin!(rows);
/// assert_eq!(rows.next().await, Some(0));
/// assert_eq!(rows.as_mut().close().await, Outcome::Stopped);
/// assert_eq!(*log.lock().await, ["begin", "roll back"]);
/// # }
/// ```
pub fn with_cleanup<'a, G>(
    make: impl FnOnce(Cleanup<'a>) -> G,
) -> WithCleanup<G, dyn Future<Output = ()> + Send + 'a> {
    WithCleanup::new(make)
}

/// Like [`with_cleanup`], for futures that are not `Send`.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, pin::pin, rc::Rc};
/// use watertight::{Co, LocalCleanup, async_generator, with_cleanup_local};
///
/// # smol::block_on(async {
/// let closed = Rc::new(Cell::new(false));
/// let mut numbers = pin!(with_cleanup_local(|cleanup: LocalCleanup| {
///     let closed = closed.clone();
///     cleanup.defer(async move { closed.set(true) });
///     async_generator(async |mut co: Co<u32>| co.yield_(1).await)
/// }));
/// while numbers.next().await.is_some() {}
/// assert!(closed.get()); // It was run by the poll that gave `None`.
/// # });
/// ```
pub fn with_cleanup_local<'a, G>(
    make: impl FnOnce(LocalCleanup<'a>) -> G,
) -> WithCleanup<G, dyn Future<Output = ()> + 'a> {
    WithCleanup::new(make)
}

/// What has been registered, by its number.
struct List<D: ?Sized> {
    futures: BTreeMap<u64, Pin<Box<D>>>,
    next: u64,
    /// Nobody will run any more of them.
    over: bool,
}

struct Shared<D: ?Sized>(Mutex<List<D>>);

impl<D: ?Sized> Shared<D> {
    fn list(&self) -> MutexGuard<'_, List<D>> {
        lock(&self.0)
    }
}

/// Where a body registers what is to be awaited when it has ended. From [`with_cleanup`]; see
/// [`Cleanup`] and [`LocalCleanup`] for its two forms.
///
/// It can be cloned, and given to whatever the body calls.
///
/// # Examples
///
/// ```
/// use watertight::{Cleanup, Co, async_generator, with_cleanup};
///
/// struct Session<'a> {
///     cleanup: Cleanup<'a>,
/// }
/// let numbers = with_cleanup(|cleanup: Cleanup| {
///     let session = Session { cleanup: cleanup.clone() };
///     session.cleanup.defer(async { println!("the session is over") });
///     async_generator(async |mut co: Co<u32>| co.yield_(1).await)
/// });
/// assert_eq!(numbers.deferred(), 1);
/// ```
pub struct CleanupOf<D: ?Sized> {
    shared: Arc<Shared<D>>,
}

impl<D: ?Sized> Clone for CleanupOf<D> {
    fn clone(&self) -> Self {
        CleanupOf { shared: self.shared.clone() }
    }
}

impl<'a> Cleanup<'a> {
    /// Registers a future that is run when the body has ended, before those that have been registered
    /// earlier. One allocation.
    ///
    /// Dropping what this returns changes nothing. If the generator is over already, the future is
    /// dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::sync::Mutex;
    /// use watertight::{Cleanup, Co, async_generator, with_cleanup};
    ///
    /// # smol::block_on(async {
    /// let log = Mutex::new(vec![]);
    /// let mut numbers = pin!(with_cleanup(|cleanup: Cleanup| {
    ///     cleanup.defer(async { log.lock().unwrap().push("first in, last out") });
    ///     cleanup.defer(async { log.lock().unwrap().push("last in, first out") });
    ///     async_generator(async |mut co: Co<u32>| co.yield_(1).await)
    /// }));
    /// while numbers.next().await.is_some() {}
    /// assert_eq!(*log.lock().unwrap(), ["last in, first out", "first in, last out"]);
    /// # });
    /// ```
    pub fn defer<F>(&self, future: F) -> Deferred<dyn Future<Output = ()> + Send + 'a>
    where
        F: Future<Output = ()> + Send + 'a,
    {
        self.register(Box::pin(future))
    }
}

impl<'a> LocalCleanup<'a> {
    /// Registers a future that is run when the body has ended; see [`Cleanup::defer`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{cell::Cell, pin::pin, rc::Rc};
    /// use watertight::{Co, LocalCleanup, async_generator, with_cleanup_local};
    ///
    /// # smol::block_on(async {
    /// let closed = Rc::new(Cell::new(false));
    /// let mut numbers = pin!(with_cleanup_local(|cleanup: LocalCleanup| {
    ///     let closed = closed.clone();
    ///     cleanup.defer(async move { closed.set(true) }); // An `Rc`: it stays on this thread.
    ///     async_generator(async |mut co: Co<u32>| co.yield_(1).await)
    /// }));
    /// numbers.as_mut().close().await;
    /// assert!(closed.get());
    /// # });
    /// ```
    pub fn defer<F>(&self, future: F) -> Deferred<dyn Future<Output = ()> + 'a>
    where
        F: Future<Output = ()> + 'a,
    {
        self.register(Box::pin(future))
    }
}

impl<D: ?Sized> CleanupOf<D> {
    fn register(&self, future: Pin<Box<D>>) -> Deferred<D> {
        let mut list = self.shared.list();
        let number = list.next;
        list.next += 1;
        let late = match list.over {
            true => Some(future),
            false => list.futures.insert(number, future),
        };
        drop(list);
        drop(late); // User code: not under the lock.
        Deferred { shared: self.shared.clone(), number }
    }
}

impl<D: ?Sized> fmt::Debug for CleanupOf<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registered = self.shared.list().futures.len();
        f.debug_struct("Cleanup").field("registered", &registered).finish_non_exhaustive()
    }
}

/// Something that has been registered with a [`Cleanup`], and can be taken back. Dropping this leaves
/// it there.
///
/// # Examples
///
/// ```
/// use watertight::{Cleanup, Co, async_generator, with_cleanup};
///
/// let numbers = with_cleanup(|cleanup: Cleanup| {
///     cleanup.defer(async { println!("it has ended") });
///     let rollback = cleanup.defer(async { println!("roll back") });
///     assert!(rollback.disarm()); // There is nothing to be rolled back.
///     async_generator(async |mut co: Co<u32>| co.yield_(1).await)
/// });
/// assert_eq!(numbers.deferred(), 1);
/// ```
pub struct Deferred<D: ?Sized> {
    shared: Arc<Shared<D>>,
    number: u64,
}

impl<D: ?Sized> Deferred<D> {
    /// Takes it back and drops it, without having run. `false` if it has been run, or has begun to.
    ///
    /// # Panics
    ///
    /// If its destructor does.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Cleanup, Co, async_generator, with_cleanup};
    ///
    /// # smol::block_on(async {
    /// let mut rows = pin!(with_cleanup(|cleanup: Cleanup| {
    ///     async_generator(async move |mut co: Co<u32>| {
    ///         let rollback = cleanup.defer(async { panic!("rolled back") });
    ///         co.yield_(1).await;
    ///         assert!(rollback.disarm()); // All went well.
    ///     })
    /// }));
    /// assert_eq!(rows.next().await, Some(1));
    /// assert_eq!(rows.next().await, None);
    /// # });
    /// ```
    pub fn disarm(self) -> bool {
        let future = self.shared.list().futures.remove(&self.number);
        future.is_some()
    }
}

impl<D: ?Sized> fmt::Debug for Deferred<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred").finish_non_exhaustive()
    }
}

type Hook = Box<dyn FnOnce(usize) + Send>;

/// What is left to be run, and is dropped unrun if this is.
struct Rest<D: ?Sized> {
    shared: Arc<Shared<D>>,
    /// The one that has begun.
    running: Option<Pin<Box<D>>>,
    /// Of those that have been run.
    panics: FirstPanic,
    hook: Option<Hook>,
}

impl<D: Future<Output = ()> + ?Sized> Rest<D> {
    /// Runs what is left, the youngest first. One that panics does not keep the others from running;
    /// the first panic goes on when they all have.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.running.is_none() {
                self.running = self.shared.list().futures.pop_last().map(|(_, future)| future);
            }
            let Some(future) = &mut self.running else {
                self.shared.list().over = true;
                mem::take(&mut self.panics).resume();
                return Poll::Ready(());
            };
            match self.panics.run(|| future.as_mut().poll(cx)) {
                Some(Poll::Pending) => return Poll::Pending,
                Some(Poll::Ready(())) | None => {
                    let future = self.running.take();
                    self.panics.run(|| drop(future));
                }
            }
        }
    }
}

impl<D: ?Sized> Rest<D> {
    /// Drops what is left, and tells the hook.
    fn abandon(&mut self) {
        let mut list = self.shared.list();
        list.over = true;
        let left = mem::take(&mut list.futures);
        drop(list);
        let count = left.len() + usize::from(self.running.is_some());
        let mut panics = mem::take(&mut self.panics);
        let running = self.running.take();
        panics.run(|| drop(running));
        for future in left.into_values().rev() {
            panics.run(|| drop(future));
        }
        if let (1.., Some(hook)) = (count, self.hook.take()) {
            panics.run(|| hook(count));
        }
        panics.resume();
    }
}

impl<D: ?Sized> Drop for Rest<D> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            quietly(|| self.abandon());
        } else {
            self.abandon();
        }
    }
}

pin_project! {
    /// An asynchronous generator with futures that are run when it has ended. Made by
    /// [`with_cleanup`] and [`with_cleanup_local`].
    ///
    /// # Dropping
    ///
    /// It drops the generator, then what has been registered and has not been run, the last one first.
    ///
    /// # Cancel safety
    ///
    /// A future of [`next`](WithCleanup::next) or of [`close`](WithCleanup::close) that is dropped
    /// loses nothing: what was being run goes on with the next one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use watertight::{Cleanup, Co, async_generator, with_cleanup};
    ///
    /// let (sender, abandoned) = mpsc::channel();
    /// let numbers = with_cleanup(|cleanup: Cleanup| {
    ///     cleanup.defer(async { println!("goodbye") });
    ///     async_generator(async |mut co: Co<u32>| co.yield_(1).await)
    /// })
    /// .on_abandoned(move |count| sender.send(count).unwrap());
    /// drop(numbers); // A destructor cannot await, but it does not keep quiet.
    /// assert_eq!(abandoned.recv(), Ok(1));
    /// ```
    #[must_use = "streams are lazy and do nothing unless polled"]
    pub struct WithCleanup<G, D: ?Sized> {
        // Before what is run after its end.
        #[pin]
        generator: G,
        rest: Rest<D>,
        outcome: Option<Outcome>,
        cleaned: bool,
    }
}

impl<G, D: ?Sized> WithCleanup<G, D> {
    fn new(make: impl FnOnce(CleanupOf<D>) -> G) -> Self {
        let list = List { futures: BTreeMap::new(), next: 0, over: false };
        let shared = Arc::new(Shared(Mutex::new(list)));
        let rest = Rest {
            shared: shared.clone(),
            running: None,
            panics: FirstPanic::default(),
            hook: None,
        };
        let generator = make(CleanupOf { shared });
        WithCleanup { generator, rest, outcome: None, cleaned: false }
    }

    /// Has `hook` called when futures are dropped that have been registered and not been run to their
    /// end, with their number: it has been dropped, stopped or closed without awaiting them. It is
    /// called after that, on the thread that drops.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use watertight::{Cleanup, Co, async_generator, with_cleanup};
    ///
    /// let (sender, abandoned) = mpsc::channel();
    /// let numbers = with_cleanup(|cleanup: Cleanup| {
    ///     cleanup.defer(async { println!("goodbye") });
    ///     async_generator(async |mut co: Co<u32>| co.yield_(1).await)
    /// });
    /// drop(numbers.on_abandoned(move |count| sender.send(count).unwrap()));
    /// assert_eq!(abandoned.recv(), Ok(1));
    /// ```
    pub fn on_abandoned(mut self, hook: impl FnOnce(usize) + Send + 'static) -> Self {
        self.rest.hook = Some(Box::new(hook));
        self
    }

    /// How many futures are registered, the one that has begun among them.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Cleanup, Co, async_generator, with_cleanup};
    ///
    /// let numbers = with_cleanup(|cleanup: Cleanup| {
    ///     cleanup.defer(async { println!("goodbye") });
    ///     async_generator(async |mut co: Co<u32>| co.yield_(1).await)
    /// });
    /// assert_eq!(numbers.deferred(), 1);
    /// ```
    pub fn deferred(&self) -> usize {
        self.rest.shared.list().futures.len() + usize::from(self.rest.running.is_some())
    }
}

impl<G, D> WithCleanup<G, D>
where
    G: PollNext,
    D: Future<Output = ()> + ?Sized,
{
    /// The next item, or `None` when the body has ended and what it registered has been run.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; see [`Next`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Cleanup, Co, async_generator, with_cleanup};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = pin!(with_cleanup(|cleanup: Cleanup| {
    ///     cleanup.defer(async { println!("goodbye") });
    ///     async_generator(async |mut co: Co<u32>| co.yield_(1).await)
    /// }));
    /// assert_eq!(numbers.next().await, Some(1));
    /// assert_eq!(numbers.deferred(), 1);
    /// assert_eq!(numbers.next().await, None); // It has said goodbye.
    /// assert_eq!(numbers.deferred(), 0);
    /// # });
    /// ```
    #[inline]
    pub fn next<'n>(self: &'n mut Pin<&mut Self>) -> Next<'n, Self> {
        Next::new(self.as_mut())
    }

    /// Ends it: drops what the body holds, then runs what it has registered, and says how it has
    /// ended: [`Stopped`](Outcome::Stopped) if by this, or how it had ended before. What was registered
    /// is run once, whoever awaits it; closing again does nothing.
    ///
    /// # Panics
    ///
    /// If one of the futures does, or a destructor, when all have been run.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Cleanup, Co, Outcome, async_generator, with_cleanup};
    ///
    /// # smol::block_on(async {
    /// let (sender, said) = std::sync::mpsc::channel();
    /// let mut numbers = pin!(with_cleanup(|cleanup: Cleanup| {
    ///     cleanup.defer(async move { sender.send("goodbye").unwrap() });
    ///     async_generator(async |mut co: Co<u32>| co.yield_(1).await)
    /// }));
    /// assert_eq!(numbers.as_mut().close().await, Outcome::Stopped);
    /// assert_eq!(said.try_recv(), Ok("goodbye"));
    /// # });
    /// ```
    pub fn close(self: Pin<&mut Self>) -> Close<'_, G, D> {
        Close { generator: self }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let this = self.project();
        if this.outcome.is_none() {
            *this.outcome = Some(match &*this.generator {
                // One that has finished without having said so has panicked.
                generator if generator.is_finished() => Outcome::Panicked,
                generator if generator.is_released() => Outcome::Completed,
                _ => Outcome::Stopped,
            });
            let generator = this.generator;
            this.rest.panics.run(|| generator.close_now());
        }
        ready!(this.rest.poll(cx));
        *this.cleaned = true;
        Poll::Ready(this.outcome.unwrap_or(Outcome::Stopped))
    }
}

impl<G, D> PollNext for WithCleanup<G, D>
where
    G: PollNext,
    D: Future<Output = ()> + ?Sized,
{
    type Item = G::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<G::Item>> {
        let this = self.project();
        if this.outcome.is_none() {
            let before = this.generator.is_finished();
            if let Some(item) = ready!(this.generator.poll_next(cx)) {
                return Poll::Ready(Some(item));
            }
            // One that had finished without having said so has panicked.
            *this.outcome = Some(if before { Outcome::Panicked } else { Outcome::Completed });
        }
        ready!(this.rest.poll(cx));
        *this.cleaned = true;
        Poll::Ready(None)
    }

    /// Drops what has been registered without running it.
    fn close_now(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        let mut panics = FirstPanic::default();
        let generator = this.generator;
        let closed = panics.run(|| generator.close_now()).unwrap_or(true);
        this.outcome.get_or_insert(Outcome::Stopped);
        let cleaned = mem::replace(this.cleaned, true);
        panics.run(|| this.rest.abandon());
        panics.resume();
        closed || !cleaned
    }

    fn is_finished(&self) -> bool {
        self.cleaned
    }

    fn is_released(&self) -> bool {
        self.cleaned
    }

    fn remaining(&self) -> (usize, Option<usize>) {
        self.generator.remaining()
    }
}

stream! { [G, D] WithCleanup<G, D> where G: PollNext, D: Future<Output = ()> + ?Sized }

impl<G, D: ?Sized> fmt::Debug for WithCleanup<G, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithCleanup")
            .field("outcome", &self.outcome)
            .field("deferred", &self.deferred())
            .finish_non_exhaustive()
    }
}

/// The future of [`WithCleanup::close`].
///
/// Dropped before it is ready, it loses nothing: what was being run goes on with the next `close`.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use watertight::{Co, Outcome, async_generator, with_cleanup};
///
/// # smol::block_on(async {
/// let numbers = with_cleanup(|_| async_generator(async |mut co: Co<u32>| co.yield_(1).await));
/// let mut numbers = pin!(numbers);
/// assert_eq!(numbers.as_mut().close().await, Outcome::Stopped);
/// assert_eq!(numbers.as_mut().close().await, Outcome::Stopped); // Again it says the same.
/// # });
/// ```
#[must_use = "nothing is closed unless this is awaited"]
pub struct Close<'g, G, D: ?Sized> {
    generator: Pin<&'g mut WithCleanup<G, D>>,
}

impl<G, D> Future for Close<'_, G, D>
where
    G: PollNext,
    D: Future<Output = ()> + ?Sized,
{
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.generator.as_mut().poll_close(cx)
    }
}

impl<G, D: ?Sized> fmt::Debug for Close<'_, G, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Close").field("generator", &self.generator).finish()
    }
}
