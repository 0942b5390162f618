//! `watertight` next to its peers: bounded hand-over between two threads, recursive generators, streams, and
//! one source with several readers ([`branches`]).
//!
//! The works of the hand-over are stated once ([`works`]) and run by every contender ([`contender`])
//! through the same few lines, on the cores that a [`machine::Place`] names. Those with a task at one
//! end or at both have a list of their own ([`bridges`]). The bodies of recursive generators
//! ([`recursion`]) and of streams ([`streams`]) are stated once as well, and expanded for every
//! contender. A contender is called by the name of its crate. What each program measures, and how to
//! read it, is in the README next to this package.

#![cfg_attr(nightly_gen, feature(gen_blocks, yield_expr))]

// First, for the bodies in it are macros.
#[macro_use]
pub mod works;

pub mod branches;
pub mod bridges;
pub mod contender;
pub mod count;
pub mod data;
pub mod generators;
pub mod machine;
pub mod mutex_swap;
pub mod ours;
pub mod recursion;
pub mod rivals;
pub mod rtrb_waits;
pub mod streams;
pub mod table;
pub mod turns;
pub mod work;
