//! Bounded hand-over between two threads: `watertight` next to its peers.
//!
//! The works are stated once ([`works`]) and run by every contender ([`contender`]) through the same
//! few lines, on the cores that a [`machine::Place`] names. A contender is called by the name of
//! its crate. What each program measures, and how to read it, is in the README next to this
//! package.

pub mod contender;
pub mod machine;
pub mod mutex_swap;
pub mod ours;
pub mod rivals;
pub mod rtrb_waits;
pub mod table;
pub mod works;
