//! Whether something may go to other threads, said in its type.

/// It may go to other threads: all that is in it is `Send`.
///
/// # Examples
///
/// ```
/// use watertight::{Recursive, SendRecursive, Threads};
///
/// fn is_send<T: Send>() {}
/// is_send::<Recursive<'_, u32, (), (), Threads>>();
/// is_send::<SendRecursive<'_, u32>>(); // The same.
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Threads {}

/// It stays on one thread, so what is in it need not be `Send`.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use watertight::{OneThread, Recursive, recursive};
///
/// // It is what is meant where nothing is said.
/// let shared: Recursive<'_, Rc<str>, (), (), OneThread> =
///     recursive(async |mut co| co.yield_("not `Send`".into()).await);
/// assert_eq!(shared.count(), 1);
/// ```
#[derive(Clone, Copy, Debug)]
pub enum OneThread {}
