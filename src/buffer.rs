//! Bounded buffers: between a source and whoever consumes it there are never more than so many
//! values.

#[forbid(unsafe_code)]
mod capacity;
#[forbid(unsafe_code)]
mod lookahead;

pub use capacity::{Capacity, Overflow, ZeroCapacity};
pub use lookahead::{BeyondLookahead, Lookahead};
