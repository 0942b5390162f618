//! On whose behalf something is made: so that a test sees what is its own, and not its neighbours'.
//!
//! A context is a number in the thread's storage, which has no destructor and works while the thread
//! ends. The context itself lives as long as the call that made it, or anything made in it.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::cell::Cell;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

std::thread_local! {
    /// The number of this thread's context; 0 if it has none.
    static HERE: Cell<u64> = const { Cell::new(0) };
}

/// The contexts that there are, by their numbers.
static CONTEXTS: Mutex<BTreeMap<u64, Weak<Context>>> = Mutex::new(BTreeMap::new());

/// A thread has ended. The lock is only for not missing it.
pub(super) static ENDED: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());

/// The next number. Relaxed: uniqueness needs no more, and numbers of one thread grow.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A number that nothing else has had.
pub(super) fn number() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn contexts() -> MutexGuard<'static, BTreeMap<u64, Weak<Context>>> {
    CONTEXTS.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct Context {
    pub(super) number: u64,
    /// The one in which it was made.
    outer: Option<Arc<Context>>,
}

impl Context {
    pub(super) fn new() -> Arc<Self> {
        let context = Arc::new(Context { number: number(), outer: current() });
        contexts().insert(context.number, Arc::downgrade(&context));
        context
    }

    /// Whether it is `number`, or was made in that.
    pub(super) fn is_in(&self, number: u64) -> bool {
        let mut context = self;
        loop {
            match &context.outer {
                _ if context.number == number => return true,
                Some(outer) => context = outer,
                None => return false,
            }
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        contexts().remove(&self.number);
    }
}

/// The context of this thread.
pub(super) fn current() -> Option<Arc<Context>> {
    match HERE.get() {
        0 => None,
        number => contexts().get(&number).and_then(Weak::upgrade),
    }
}

/// Has this thread be in a context until it ends.
pub(super) fn enter_for_good(context: Option<&Context>) {
    HERE.set(context.map_or(0, |context| context.number));
}

/// For those who wait for it.
pub(super) fn thread_ended() {
    // Who has looked under the lock sleeps by now.
    drop(ENDED.0.lock().unwrap_or_else(PoisonError::into_inner));
    ENDED.1.notify_all();
}

/// The thread's former context comes back when this goes.
struct Former(u64);

impl Drop for Former {
    fn drop(&mut self) {
        HERE.set(self.0);
    }
}

pub(super) fn within<T>(context: Option<&Context>, f: impl FnOnce() -> T) -> T {
    let _former = Former(HERE.replace(context.map_or(0, |context| context.number)));
    f()
}

/// On whose behalf something is made: that of a call of [`leaks`](super::leaks()) or
/// [`assert_no_leaks`](super::assert_no_leaks), or nobody's.
///
/// Threads that this crate starts have it from whoever made what they run. A thread of your own, or a
/// task, has to be given it.
///
/// # Examples
///
/// ```
/// use std::thread;
/// use watertight::{Co, audit, generator};
///
/// let (_, left) = audit::leaks(|| {
///     let ours = audit::Behalf::current();
///     let made = thread::spawn(move || {
///         // Without this nobody would know whose it is.
///         ours.run(|| std::mem::forget(generator(async |mut co: Co<u32>| co.yield_(1).await)))
///     });
///     made.join().unwrap();
/// });
/// assert_eq!(left.len(), 1);
/// ```
#[derive(Clone)]
pub struct Behalf(pub(super) Option<Arc<Context>>);

impl Behalf {
    /// That of this thread at this moment.
    pub fn current() -> Self {
        Behalf(current())
    }

    /// Calls `f` on this behalf. Afterwards the thread is where it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, audit};
    ///
    /// let nobody = audit::Behalf::current();
    /// let (_numbers, left) = audit::leaks(|| nobody.run(|| (0..9).stoppable()));
    /// assert!(left.is_empty()); // It was made for somebody else.
    /// ```
    pub fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        within(self.0.as_deref(), f)
    }
}

impl fmt::Debug for Behalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Behalf").field(&self.0.as_ref().map(|context| context.number)).finish()
    }
}
