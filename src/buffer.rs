//! Bounded buffers: between a source and whoever consumes it there are never more than so many
//! values.

#[forbid(unsafe_code)]
mod capacity;
#[forbid(unsafe_code)]
mod lookahead;
#[forbid(unsafe_code)]
mod tee;

pub use capacity::{Capacity, Overflow, ZeroCapacity};
pub use lookahead::{BeyondLookahead, Lookahead};
pub use tee::{Branch, LocalBranch, OneThread, TeeError, Threads};
