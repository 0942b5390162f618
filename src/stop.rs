//! Ending a generator from elsewhere.

mod shared; // Unsafe code: the word that decides who releases a generator.

mod steps; // Unsafe code: the list of a thread's steps.

#[forbid(unsafe_code)]
mod releasing;

#[forbid(unsafe_code)]
mod handle;

mod stoppable; // Unsafe code: it passes a promise of the scope's on.

#[forbid(unsafe_code)]
mod deadline;
#[forbid(unsafe_code)]
mod streams;
#[forbid(unsafe_code)]
mod tasks;

pub use deadline::Deadline;
pub use handle::{StopGuard, StopHandle, StopToken};
pub(crate) use releasing::is_in_a_stop;
pub use shared::WaitError;
pub use stoppable::{Releasable, Stoppable};
pub use streams::ReleasableStream;
pub(crate) use streams::Waited;
pub use tasks::{Released, Stopped};
