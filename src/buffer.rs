//! Bounded buffers: between a source and whoever consumes it there are never more than so many
//! values.

#[forbid(unsafe_code)]
mod capacity;
#[forbid(unsafe_code)]
mod lookahead;
#[forbid(unsafe_code)]
mod tee;

#[cfg(feature = "std")]
mod ring; // Unsafe code: the slots, and who has them.

#[cfg(feature = "std")]
#[forbid(unsafe_code)]
mod pair;
#[cfg(feature = "std")]
#[forbid(unsafe_code)]
mod prefetch;
#[cfg(feature = "std")]
#[forbid(unsafe_code)]
mod queue;
#[cfg(feature = "std")]
#[forbid(unsafe_code)]
pub(crate) mod stage;
#[cfg(all(feature = "std", feature = "stream"))]
#[forbid(unsafe_code)]
mod tasks;
#[cfg(feature = "std")]
#[forbid(unsafe_code)]
mod wait;

pub use capacity::{Capacity, Overflow, ZeroCapacity};
pub use lookahead::{BeyondLookahead, Lookahead};
#[cfg(feature = "std")]
pub use pair::{Consumer, NextError, Producer, PushError, bounded};
#[cfg(feature = "std")]
pub use prefetch::Prefetch;
#[cfg(all(feature = "std", feature = "stream"))]
pub use prefetch::ThreadStream;
#[cfg(feature = "std")]
pub use stage::BufferStats;
#[cfg(all(feature = "std", feature = "stream"))]
pub use tasks::{Driver, TaskIter, TaskStream, prefetch_stream};
pub use tee::{Branch, LocalBranch, TeeError};
