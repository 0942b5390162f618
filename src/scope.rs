//! [`scope`]: generators that are over when a call returns, whatever became of their handles.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{OnceCell, RefCell};
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::panic::RefUnwindSafe;

use crate::adopted::Adopted;
use crate::buffer::{BufferStats, Capacity, Prefetch};
use crate::co::Co;
use crate::generator::{Gen, generator};
use crate::on_finish::Outcome;
use crate::resume::Resume;
use crate::stop::{Releasable, StopHandle, Stoppable};
use crate::unwind::{FirstPanic, release};

mod registry; // Unsafe code: the list of a scope's generators.
mod threads; // Unsafe code: threads that borrow for as long as the scope lasts.

#[forbid(unsafe_code)]
mod handle;

pub use handle::{Scoped, ScopedGen};
use registry::Registry;
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
/// memory of handles that were forgotten is freed.
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
pub fn scope_under<'env, F, T>(group: &StopHandle, f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    run(OnceCell::from(group.child()), f)
}

fn run<'env, F, T>(stop: OnceCell<StopHandle>, f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
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
    #[inline]
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
    #[inline]
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
    #[inline]
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
    #[inline]
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
    #[inline]
    pub fn releasable<G>(&'scope self, generator: G) -> (Scoped<'scope, Releasable<G>>, StopHandle)
    where
        G: Resume + Send + 'scope,
    {
        // SAFETY: it goes straight into a node, which drops it before `'scope` ends (1 above).
        let releasable = unsafe { Releasable::borrowing(generator, self.registry.stop()) };
        let stop = releasable.stop_handle();
        (self.adopt_generator(releasable), stop)
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

    fn threads(&self) -> Option<Arc<Threads<'scope>>> {
        self.threads.borrow().clone()
    }

    /// How full the buffers of this scope's prefetches are, and have been, oldest first. Those whose
    /// handle has been closed or dropped are not there.
    ///
    /// One allocation. Linear in their number.
    pub fn buffers(&self) -> Vec<BufferStats> {
        self.threads().map_or_else(Vec::new, |threads| threads.stats())
    }

    /// A handle that stops what was made stoppable in this scope, by
    /// [`stoppable`](Scope::stoppable) or [`releasable`](Scope::releasable), what is prefetched, and
    /// what will be.
    ///
    /// It does not reach a generator that was not made stoppable: that would cost each of them a
    /// load for every item. Those end with the scope at the latest, as always.
    ///
    /// The handle may be used after the scope. Its outcome is then
    /// [`Stopped`](Outcome::Stopped) if it was used in time, or
    /// [`Completed`](Outcome::Completed), or [`Panicked`](Outcome::Panicked) if `scope` panics.
    pub fn stop_handle(&self) -> StopHandle {
        self.registry.stop().clone()
    }

    /// Has `f` called when the scope ends, in its place among the generators: after those created
    /// later, before those created earlier.
    ///
    /// One allocation, of the closure's size and 40 bytes.
    #[inline]
    pub fn defer<F>(&'scope self, f: F)
    where
        F: FnOnce() + 'scope,
    {
        // SAFETY: it is `'scope`, and `run` ends the registry within that. It has begun there, and
        // `run` only lends it, so it has not moved.
        unsafe { self.registry.defer(f) };
    }

    /// What has become of the generators made through this scope. Constant time.
    pub fn stats(&self) -> ScopeStats {
        let (created, [completed, stopped, dropped, panicked]) = self.registry.counts();
        let alive = created - completed - stopped - dropped - panicked;
        ScopeStats { created, alive, completed, stopped, dropped, panicked }
    }
}

/// What has become of the generators made through a [`Scope`], as their handles last saw it: one that
/// a stop handle has stopped counts as alive until its handle is pulled, closed or dropped. What is
/// prefetched is not among them; see [`Scope::buffers`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScopeStats {
    /// How many were made.
    pub created: usize,
    /// How many of them have not ended.
    pub alive: usize,
    /// How many came to their end.
    pub completed: usize,
    /// How many were ended by `close`, or were found to be stopped when they were pulled.
    pub stopped: usize,
    /// How many were dropped before their end, with their handle or by the scope.
    pub dropped: usize,
    /// How many ended with a panic.
    pub panicked: usize,
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
