//! Bounded buffers: between a source and whoever consumes it there are never more than so many
//! values.

#[forbid(unsafe_code)]
mod capacity;

pub use capacity::{Capacity, Overflow, ZeroCapacity};
