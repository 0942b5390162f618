//! [`scope`]: generators that are over when a call returns, whatever became of their handles.

use core::cell::OnceCell;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::panic::RefUnwindSafe;

use crate::adopted::Adopted;
use crate::co::Co;
use crate::generator::{Gen, generator};
use crate::on_finish::Outcome;
use crate::resume::Resume;
use crate::stop::{Releasable, StopHandle, Stoppable};
use crate::unwind::{FirstPanic, release};

mod registry; // Unsafe code: the list of a scope's generators.

#[forbid(unsafe_code)]
mod handle;

pub use handle::{Scoped, ScopedGen};
use registry::Registry;

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
    // Invariant, as in `std::thread::Scope`: a longer 'scope would let something in that does not
    // last, a shorter one would let a handle out.
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
    let scope = Scope { registry: Registry::new(stop), scope: PhantomData, env: PhantomData };
    let mut panics = FirstPanic::default();
    let result = panics.run(|| f(&scope));
    panics.join(scope.registry.end());
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
        // SAFETY: it is `'scope`, and `run` ends the registry within that.
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

    /// A handle that stops what was made stoppable in this scope, by
    /// [`stoppable`](Scope::stoppable) or [`releasable`](Scope::releasable), and what will be.
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
        // SAFETY: it is `'scope`, and `run` ends the registry within that.
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
/// a stop handle has stopped counts as alive until its handle is pulled, closed or dropped.
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
