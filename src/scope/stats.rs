//! [`ScopeStats`]: what a scope says of its generators.

use core::fmt;

use super::Scope;

/// What has become of the generators made through a [`Scope`](crate::Scope), as their handles last saw
/// it: one that a stop handle has stopped counts as alive until its handle is pulled, closed or
/// dropped. What is prefetched is not among them; see [`Scope::buffers`](crate::Scope::buffers).
///
/// # Examples
///
/// ```
/// use watertight::scope;
///
/// scope(|s| {
///     let mut ended = s.adopt(0..1);
///     assert_eq!(ended.by_ref().count(), 1);
///     let _kept = s.adopt(0..1);
///     drop(s.adopt(0..1));
///     let stats = s.stats();
///     assert_eq!((stats.created, stats.alive), (3, 1));
///     assert_eq!((stats.completed, stats.dropped), (1, 1));
/// });
/// ```
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

impl ScopeStats {
    /// Of how many were made, and of how many of these ended in each way.
    fn of((created, ended): (usize, [usize; 4])) -> Self {
        let [completed, stopped, dropped, panicked] = ended;
        let alive = created - completed - stopped - dropped - panicked;
        ScopeStats { created, alive, completed, stopped, dropped, panicked }
    }
}

impl Scope<'_, '_> {
    /// What has become of the generators made through this scope. Constant time.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::scope;
    ///
    /// scope(|s| {
    ///     std::mem::forget(s.adopt(0..10));
    ///     assert_eq!(s.stats().alive, 1); // Nobody can reach it any more; the scope does at its end.
    /// });
    /// ```
    pub fn stats(&self) -> ScopeStats {
        ScopeStats::of(self.registry.counts())
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
