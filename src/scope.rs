//! [`scope`]: generators that are over when a call returns, whatever became of their handles.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{OnceCell, RefCell};
use core::future::Future;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::panic::RefUnwindSafe;

use crate::adopted::Adopted;
#[cfg(feature = "stream")]
use crate::adopted_stream::AdoptedStream;
use crate::async_gen::{AsyncGen, async_generator};
use crate::audit::{Kind, Record};
use crate::buffer::{BufferStats, Capacity, Prefetch};
use crate::co::Co;
use crate::generator::{Gen, generator};
use crate::on_finish::Outcome;
use crate::poll_next::PollNext;
use crate::resume::Resume;
use crate::stop::{Releasable, ReleasableStream, StopHandle, Stoppable, Waited};
use crate::unwind::{FirstPanic, release};

mod registry; // Unsafe code: the list of a scope's generators.
mod threads; // Unsafe code: threads that borrow for as long as the scope lasts.

#[forbid(unsafe_code)]
mod handle;
#[forbid(unsafe_code)]
mod stats;
#[forbid(unsafe_code)]
mod stream;

pub use handle::{Scoped, ScopedGen};
use registry::Registry;
pub use stats::ScopeStats;
pub use stream::{ScopedAsyncGen, ScopedStream};
use threads::Threads;

/// Where generators are made that are over when [`scope`] returns.
///
/// It is lent to the closure that is given to `scope`. Everything that is made through it and is
/// still there when the closure has returned or panicked is released then, youngest first, on the
/// thread that called `scope`, and what became of the handles does not matter.
///
/// `'scope` is the time from before the closure is called until `scope` returns: what is made
/// through the scope may borrow for that long. `'env` is the time of everything outside that the
/// closure borrows, which is longer.
///
/// # Examples
///
/// ```
/// use watertight::{Co, Scope, scope};
///
/// /// Takes the scope, so that what it makes can be given to the caller.
/// fn evens<'scope>(s: &'scope Scope<'scope, '_>, to: u32) -> impl Iterator<Item = u32> + 'scope {
///     s.generator(async move |mut co: Co<u32>| co.yield_all((0..to).step_by(2)).await)
/// }
/// let sum = scope(|s| evens(s, 5).zip(evens(s, 9)).map(|(a, b)| a + b).sum::<u32>());
/// assert_eq!(sum, 12);
/// ```
pub struct Scope<'scope, 'env: 'scope> {
    registry: Registry,
    // Made for the first prefetch. Taken out by `run`: a destructor here would be one that could
    // look at what is `'scope` when that is over.
    threads: ManuallyDrop<RefCell<Option<Arc<Threads<'scope>>>>>,
    // Invariant, as in `std::thread::Scope`: a longer 'scope would let something in that does not
    // last, a shorter one would let a handle out. (So is `threads`, but not for the sake of it.)
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

// It is consistent whenever user code runs, and so also after a panic.
impl RefUnwindSafe for Scope<'_, '_> {}

/// Calls `f` with a [`Scope`], and when it is done releases everything that was made through that.
///
/// When `scope` returns, by value or by a panic, every generator made through the scope has been
/// dropped, and every deferred closure has run: even if a handle was forgotten, leaked in a cycle
/// of reference counts, or is still somewhere else. Generators made in it may therefore borrow what
/// outlives the call.
///
/// An empty scope allocates nothing.
///
/// # Order
///
/// What is left when `f` has returned is released last-created first, one after the other. Then the
/// memory of handles that were forgotten is freed; but a prefetch that was forgotten keeps that of its
/// buffer, empty.
///
/// A destructor that runs then may use the scope: pull an older generator, drop one, create one.
/// What it creates is released next. A generator whose release has begun gives `None`. A destructor
/// that creates again what is released for ever keeps `scope` from returning.
///
/// # Panics
///
/// If `f` panics, or a destructor or a deferred closure does that runs at the end. Everything is
/// released all the same. The first panic goes on, that of `f` if it panicked; any other one is
/// reported by the panic hook and its payload dropped, as is what `f` returned.
///
/// # Examples
///
/// ```
/// use watertight::{Co, scope};
///
/// let text = String::from("one two three");
/// let longest = scope(|s| {
///     let mut words = s.generator(async |mut co: Co<&str>| co.yield_all(text.split(' ')).await);
///     let first = words.next();
///     std::mem::forget(words); // The generator is released all the same.
///     first
/// });
/// assert_eq!(longest, Some("one"));
/// ```
#[cfg_attr(feature = "audit", track_caller)]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    run(OnceCell::new(), f)
}

/// Calls `f` with a [`Scope`] like [`scope`], whose stop handle is under `group`: stopped with it,
/// and from the beginning if that has been stopped already.
///
/// # Panics
///
/// As [`scope`].
///
/// # Examples
///
/// ```
/// use watertight::{Adopted, IteratorExt, StopHandle, scope_under};
///
/// let all = StopHandle::new();
/// let mut outside = (0..).stoppable_under(&all);
/// scope_under(&all, |s| {
///     let (mut inside, _) = s.stoppable(Adopted::new(0..));
///     all.stop();
///     assert_eq!((inside.next(), outside.next()), (None, None));
/// });
/// ```
#[cfg_attr(feature = "audit", track_caller)]
pub fn scope_under<'env, F, T>(group: &StopHandle, f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    run(OnceCell::from(group.child()), f)
}

#[cfg_attr(feature = "audit", track_caller)]
fn run<'env, F, T>(stop: OnceCell<StopHandle>, f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let record = Record::of::<T, F>(Kind::Scope);
    record.run();
    let scope = Scope {
        registry: Registry::new(stop),
        threads: ManuallyDrop::new(RefCell::new(None)),
        scope: PhantomData,
        env: PhantomData,
    };
    scope.registry.begin();
    let mut panics = FirstPanic::default();
    let result = panics.run(|| f(&scope));
    // Threads may be waiting for one another, for generators here, and the other way round. So all
    // of them are told before anything is waited for.
    if let Some(threads) = scope.threads() {
        panics.join(threads.stop());
    }
    panics.join(scope.registry.end());
    // Taken only now: a destructor may have been the first to need them.
    let threads = scope.threads.take();
    if let Some(threads) = threads {
        panics.join(threads.end());
    }
    let outcome = if panics.happened() { Outcome::Panicked } else { Outcome::Completed };
    scope.registry.end_group(outcome);
    match result {
        Some(value) if panics.happened() => release(value),
        Some(value) => return value,
        None => {}
    }
    panics.resume();
    unreachable!("without a result there is a panic")
}

impl<'scope> Scope<'scope, '_> {
    /// Makes a generator in this scope; see [`generator`](crate::generator()) for the body.
    ///
    /// One allocation, of the generator's size and 40 bytes.
    ///
    /// A body that borrows from the closure, and not from outside the scope, does not compile: such
    /// a local is gone before the generator is. Move it in (`async move`), or make it outside.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, scope};
    ///
    /// let words = [String::from("one"), String::from("three")];
    /// let lengths: usize = scope(|s| {
    ///     s.generator(async |mut co: Co<usize>| co.yield_all(words.iter().map(String::len)).await).sum()
    /// });
    /// assert_eq!(lengths, 8);
    /// ```
    #[inline]
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn generator<Y, R, B, F>(&'scope self, body: B) -> Scoped<'scope, Gen<Y, F, R>>
    where
        B: FnOnce(Co<Y, R>) -> F,
        F: Future<Output: 'scope> + 'scope,
        Y: 'scope,
        R: 'scope,
    {
        self.adopt_generator(generator(body))
    }

    /// Takes an iterator over: it is dropped when it has ended, and at the latest with the scope.
    ///
    /// What it may borrow is said at [`generator`](Scope::generator).
    ///
    /// One allocation, of the iterator's size and about 40 bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{BufRead, Read};
    /// use watertight::scope;
    ///
    /// let mut input = &b"one\ntwo\nthree"[..];
    /// scope(|s| {
    ///     let mut lines = s.adopt(input.by_ref().lines());
    ///     assert_eq!(lines.next().unwrap().unwrap(), "one");
    /// }); // It has been let go of.
    /// assert_eq!(input.lines().count(), 2);
    /// ```
    #[inline]
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn adopt<I>(&'scope self, iterator: I) -> Scoped<'scope, Adopted<I>>
    where
        I: Iterator + 'scope,
    {
        self.adopt_generator(Adopted::new(iterator))
    }

    /// Takes a generator of any kind over, such as one from [`try_generator`](crate::try_generator)
    /// or with an `on_finish`.
    ///
    /// One allocation, of the generator's size and 40 bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, scope, try_generator};
    ///
    /// scope(|s| {
    ///     let mut numbers = s.adopt_generator(try_generator(async |mut co: Co<u32>| {
    ///         co.yield_("1".parse()?).await;
    ///         co.yield_("x".parse()?).await;
    ///         Ok::<_, std::num::ParseIntError>(())
    ///     }));
    ///     assert_eq!(numbers.next(), Some(Ok(1)));
    ///     assert!(numbers.next().is_some_and(|last| last.is_err()));
    /// });
    /// ```
    #[inline]
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn adopt_generator<G>(&'scope self, generator: G) -> Scoped<'scope, G>
    where
        G: Resume + 'scope,
    {
        // SAFETY: it is `'scope`, and `run` ends the registry within that. It has begun there, and
        // `run` only lends it, so it has not moved.
        Scoped::from(unsafe { self.registry.adopt(generator) })
    }

    /// Takes a generator over that can be stopped; its owner, the handle or the scope, releases it.
    /// See [`Stoppable`]. It is under the scope's stop handle.
    ///
    /// What it may borrow is said at [`generator`](Scope::generator).
    ///
    /// Two allocations.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, generator, scope};
    ///
    /// scope(|s| {
    ///     let numbers = generator(async |mut co: Co<u32>| co.yield_all(0..).await);
    ///     let (mut numbers, stop) = s.stoppable(numbers);
    ///     assert_eq!(numbers.next(), Some(0));
    ///     stop.stop();
    ///     assert_eq!(numbers.next(), None);
    /// });
    /// ```
    #[inline]
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn stoppable<G>(&'scope self, generator: G) -> (Scoped<'scope, Stoppable<G>>, StopHandle)
    where
        G: Resume + 'scope,
    {
        let stoppable = Stoppable::under(generator, self.registry.stop());
        let stop = stoppable.stop_handle();
        (self.adopt_generator(stoppable), stop)
    }

    /// Takes a generator over that a stop releases at once, from whatever thread; see
    /// [`Releasable`]. It may borrow from outside the scope. It is under the scope's stop handle.
    ///
    /// If a stop on another thread is releasing it when it is dropped, or when the scope ends, that
    /// is waited for.
    ///
    /// Three allocations.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Adopted, Outcome, scope};
    ///
    /// let text = String::from("one two");
    /// scope(|s| {
    ///     let (words, stop) = s.releasable(Adopted::new(text.split(' ')));
    ///     std::mem::forget(words);
    ///     // It borrows, and another thread releases it.
    ///     let stopped = std::thread::spawn(move || (stop.stop(), stop.outcome())).join();
    ///     assert_eq!(stopped.unwrap(), (true, Some(Outcome::Stopped)));
    /// });
    /// ```
    #[inline]
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn releasable<G>(&'scope self, generator: G) -> (Scoped<'scope, Releasable<G>>, StopHandle)
    where
        G: Resume + Send + 'scope,
    {
        // SAFETY: it goes straight into a node, which drops it before `'scope` ends (1 above).
        let releasable = unsafe { Releasable::borrowing(generator, self.registry.stop()) };
        let stop = releasable.stop_handle();
        (self.adopt_generator(releasable), stop)
    }

    /// Makes an asynchronous generator in this scope; see
    /// [`async_generator`](crate::async_generator()) for the body. The handle is a fused stream.
    ///
    /// What it may borrow is said at [`generator`](Scope::generator).
    ///
    /// One allocation, of the generator's size and 40 bytes.
    ///
    /// # Who polls it
    ///
    /// The closure of a scope is not asynchronous, so within it a stream is read in a `block_on`, or
    /// polled by hand. That keeps the thread until `scope` returns; in a task of a runtime, have the
    /// scope on one of the threads that it has for what blocks (`spawn_blocking`, `unblock`).
    ///
    /// A scope that is awaited cannot be had: its future could be forgotten while it is suspended, and
    /// then what it borrows would end though nothing has been released, under the hands of a thread or
    /// of a stop that still uses it. What needs no borrow needs no scope either: a
    /// [`releasable`](crate::AsyncGen::releasable) stream is released from anywhere, and a
    /// [`StopHandle`] groups as many as there are.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, scope};
    ///
    /// let text = String::from("one two three");
    /// let lengths = scope(|s| {
    ///     let mut lengths = s.async_generator(async |mut co: Co<usize>| {
    ///         for word in text.split(' ') {
    ///             smol::future::yield_now().await; // Or a socket, or a timer.
    ///             co.yield_(word.len()).await;
    ///         }
    ///     });
    ///     let two = smol::block_on(async { [lengths.next().await, lengths.next().await] });
    ///     std::mem::forget(lengths); // The generator is released all the same.
    ///     two
    /// });
    /// assert_eq!(lengths, [Some(3), Some(3)]);
    /// ```
    #[inline]
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn async_generator<Y, B, F>(&'scope self, body: B) -> ScopedStream<'scope, AsyncGen<Y, F>>
    where
        B: FnOnce(Co<Y>) -> F,
        F: Future<Output = ()> + 'scope,
        Y: 'scope,
    {
        self.adopt_async_generator(async_generator(body))
    }

    /// Takes a stream over: it is dropped when it has ended, and at the latest with the scope. See
    /// [`async_generator`](Scope::async_generator) for who polls it.
    ///
    /// One allocation, of the stream's size and about 48 bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::stream;
    /// use watertight::scope;
    ///
    /// let text = String::from("one two");
    /// scope(|s| {
    ///     let mut words = s.adopt_stream(stream::iter(text.split(' ')));
    ///     assert_eq!(smol::block_on(words.next()), Some("one"));
    /// });
    /// ```
    #[cfg(feature = "stream")]
    #[inline]
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn adopt_stream<S>(&'scope self, stream: S) -> ScopedStream<'scope, AdoptedStream<S>>
    where
        S: futures_core::Stream + 'scope,
    {
        self.adopt_async_generator(AdoptedStream::new(stream))
    }

    /// Takes an asynchronous generator of any kind over, such as one from
    /// [`try_async_generator`](crate::try_async_generator) or with an `on_finish`. See
    /// [`async_generator`](Scope::async_generator) for who polls it.
    ///
    /// One allocation, of the generator's size and 40 bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, async_generator, scope};
    ///
    /// let mut told = None;
    /// scope(|s| {
    ///     let numbers = async_generator(async |mut co: Co<u32>| co.yield_(1).await);
    ///     let mut numbers = s.adopt_async_generator(numbers.on_finish(|how| told = Some(how)));
    ///     assert_eq!(smol::block_on(numbers.next()), Some(1));
    /// });
    /// assert!(told.is_some());
    /// ```
    #[inline]
    pub fn adopt_async_generator<G>(&'scope self, generator: G) -> ScopedStream<'scope, G>
    where
        G: PollNext + 'scope,
    {
        // SAFETY: it is `'scope`, and `run` ends the registry within that. It has begun there, and
        // `run` only lends it, so it has not moved.
        ScopedStream::from(unsafe { self.registry.adopt(generator) })
    }

    /// Takes an asynchronous generator over that a stop ends and releases at once, from whatever thread
    /// and whatever it is waiting for; see [`ReleasableStream`]. It may borrow from outside the scope.
    /// It is under the scope's stop handle.
    ///
    /// For a stream of another crate, have it be one by
    /// [`into_generator`](crate::StreamExt::into_generator).
    ///
    /// If a stop on another thread is releasing it when it is dropped, or when the scope ends, that
    /// is waited for.
    ///
    /// Three allocations.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, Outcome, scope};
    ///
    /// let greeting = String::from("hello");
    /// scope(|s| {
    ///     let (mut words, stop) = s.releasable_stream(watertight::async_generator(
    ///         async |mut co: Co<&str>| {
    ///             co.yield_(&greeting).await;
    ///             std::future::pending().await // A socket that nobody writes to.
    ///         },
    ///     ));
    ///     smol::block_on(async {
    ///         assert_eq!(words.next().await, Some("hello"));
    ///         let stop = std::thread::spawn(move || (stop.stop(), stop));
    ///         assert_eq!(words.next().await, None); // The task is woken.
    ///         assert_eq!(stop.join().unwrap().1.outcome(), Some(Outcome::Stopped));
    ///     });
    /// });
    /// ```
    #[inline]
    pub fn releasable_stream<G>(
        &'scope self,
        generator: G,
    ) -> (ScopedStream<'scope, ReleasableStream<G>>, StopHandle)
    where
        G: PollNext + Send + 'scope,
    {
        let (waited, group) = (Waited::new(generator), self.registry.stop());
        // SAFETY: it goes straight into a node, which drops it before `'scope` ends (1 above).
        let releasable = ReleasableStream::of(unsafe { Releasable::borrowing(waited, group) });
        let stop = releasable.stop_handle();
        (self.adopt_async_generator(releasable), stop)
    }

    /// Has an iterator, which may borrow from outside the scope, run ahead of its consumer on a
    /// thread of its own, by at most `capacity` items; see [`Prefetch`]. It is under the scope's
    /// stop handle.
    ///
    /// When the scope ends the iterator has been dropped, on its thread, and the thread has ended,
    /// whatever became of the handle. All of a scope's threads are told to end before any of its
    /// generators is released, and are waited for after that, so that one may be waiting for what a
    /// generator holds. What has been prefetched by then is dropped.
    ///
    /// Unlike the scope's other handles this one may go to another thread: into the source of
    /// another prefetch, for instance, which makes a chain of stages.
    ///
    /// # Panics
    ///
    /// If there is not enough memory for `capacity` items.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, scope};
    ///
    /// let text = String::from("one two three");
    /// let lengths = scope(|s| {
    ///     let words = s.prefetch(Capacity::items(16), text.split(' '));
    ///     let lengths = s.prefetch(Capacity::items(4), words.map(str::len));
    ///     lengths.collect::<Vec<_>>()
    /// });
    /// assert_eq!(lengths, [3, 3, 5]);
    /// ```
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn prefetch<I>(&'scope self, capacity: Capacity, iterator: I) -> Prefetch<'scope, I::Item>
    where
        I: Iterator<Item: Send + 'scope> + Send + 'scope,
    {
        self.prefetch_generator(capacity, Adopted::new(iterator))
    }

    /// Like [`prefetch`](Scope::prefetch), for a generator of any kind.
    ///
    /// # Panics
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, Co, generator, scope};
    ///
    /// let text = String::from("one two three");
    /// scope(|s| {
    ///     let words = generator(async |mut co: Co<&str>| co.yield_all(text.split(' ')).await);
    ///     assert_eq!(s.prefetch_generator(Capacity::items(16), words).count(), 3);
    /// });
    /// ```
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn prefetch_generator<G>(
        &'scope self,
        capacity: Capacity,
        generator: G,
    ) -> Prefetch<'scope, G::Yield>
    where
        G: Resume<Argument = (), Return = (), Yield: Send + 'scope> + Send + 'scope,
    {
        let threads = self.threads.borrow_mut().get_or_insert_default().clone();
        let stop = self.registry.stop();
        Prefetch::owned(Stoppable::under(generator, stop), capacity, |stage| {
            // SAFETY: `run` ends the threads within `'scope`.
            Box::new(unsafe { threads.enter(stage, stop) })
        })
    }

    /// Like [`prefetch_generator`](Scope::prefetch_generator), for a generator that `make` makes on the
    /// thread itself, and which need not be `Send`. `make` may borrow from outside the scope; it is
    /// called when the thread is started, that is by the first demand; if it is not, it is dropped.
    ///
    /// A panic of `make` is one of the source.
    ///
    /// # Panics
    ///
    /// If there is not enough memory for `capacity` items.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use watertight::{Capacity, Co, generator, scope};
    ///
    /// let text = String::from("one two three");
    /// scope(|s| {
    ///     let words = s.prefetch_made_by(Capacity::items(4), || {
    ///         generator(async |mut co: Co<&str>| {
    ///             let words: Rc<[&str]> = text.split(' ').collect(); // It stays on its thread.
    ///             for word in words.iter() {
    ///                 co.yield_(word).await;
    ///             }
    ///         })
    ///     });
    ///     assert!(words.eq(["one", "two", "three"]));
    /// });
    /// ```
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn prefetch_made_by<G>(
        &'scope self,
        capacity: Capacity,
        make: impl FnOnce() -> G + Send + 'scope,
    ) -> Prefetch<'scope, G::Yield>
    where
        G: Resume<Argument = (), Return = (), Yield: Send + 'scope> + 'scope,
    {
        let threads = self.threads.borrow_mut().get_or_insert_default().clone();
        let stop = self.registry.stop();
        Prefetch::made_under(make, capacity, stop, |stage| {
            // SAFETY: `run` ends the threads within `'scope`.
            Box::new(unsafe { threads.enter(stage, stop) })
        })
    }

    fn threads(&self) -> Option<Arc<Threads<'scope>>> {
        self.threads.borrow().clone()
    }

    /// How full the buffers of this scope's prefetches are, and have been, oldest first. Those whose
    /// handle has been closed or dropped are not there.
    ///
    /// One allocation. Linear in their number.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, scope};
    ///
    /// scope(|s| {
    ///     let numbers = s.prefetch(Capacity::items(8), 0..100);
    ///     assert_eq!(s.buffers()[0].capacity, 8);
    ///     drop(numbers);
    ///     assert!(s.buffers().is_empty());
    /// });
    /// ```
    pub fn buffers(&self) -> Vec<BufferStats> {
        self.threads().map_or_else(Vec::new, |threads| threads.stats())
    }

    /// A handle that stops what was made stoppable in this scope, by
    /// [`stoppable`](Scope::stoppable), [`releasable`](Scope::releasable) or
    /// [`releasable_stream`](Scope::releasable_stream), what is prefetched, and what will be.
    ///
    /// It does not reach a generator that was not made stoppable: that would cost each of them a
    /// load for every item. Those end with the scope at the latest, as always.
    ///
    /// The handle may be used after the scope. Its outcome is then
    /// [`Stopped`](Outcome::Stopped) if it was used in time, or
    /// [`Completed`](Outcome::Completed), or [`Panicked`](Outcome::Panicked) if `scope` panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, Outcome, scope};
    ///
    /// let stop = scope(|s| {
    ///     let stop = s.stop_handle();
    ///     let numbers = s.prefetch(Capacity::items(8), 0..);
    ///     assert_eq!(numbers.inspect(|n| if *n == 3 { stop.stop(); }).last(), Some(3));
    ///     stop
    /// });
    /// assert_eq!(stop.outcome(), Some(Outcome::Stopped));
    /// ```
    pub fn stop_handle(&self) -> StopHandle {
        self.registry.stop().clone()
    }

    /// Has `f` called when the scope ends, in its place among the generators: after those created
    /// later, before those created earlier.
    ///
    /// One allocation, of the closure's size and 40 bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use watertight::scope;
    ///
    /// let log = RefCell::new(vec![]);
    /// scope(|s| {
    ///     s.defer(|| log.borrow_mut().push("made first, called last"));
    ///     s.defer(|| log.borrow_mut().push("made last, called first"));
    /// });
    /// assert_eq!(log.into_inner(), ["made last, called first", "made first, called last"]);
    /// ```
    #[inline]
    pub fn defer<F>(&'scope self, f: F)
    where
        F: FnOnce() + 'scope,
    {
        // SAFETY: it is `'scope`, and `run` ends the registry within that. It has begun there, and
        // `run` only lends it, so it has not moved.
        unsafe { self.registry.defer(f) };
    }
}
