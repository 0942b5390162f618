//! The registry of the living: what there is, which line of the program has made it, and what has
//! become of it. With the feature `audit`.
//!
//! A program whose memory rises with each item either keeps generators beyond their use, or has values
//! produced that nobody consumes. Either way something is alive that should not be, and here it is seen,
//! with the line that made it:
//!
//! - [`snapshot`] is everything that is alive: generators, scopes, buffers, threads. It can be printed,
//!   compared with an earlier one ([`since`](Snapshot::since)), and counted by line
//!   ([`by_site`](Snapshot::by_site)).
//! - [`assert_no_leaks`] is for tests: what is made in a call has to be gone when that returns.
//!   [`leaks`] gives it instead of panicking.
//! - [`growth`] says whether there is anything to look for: whether the heap rises with the items, or an
//!   item takes ever longer, or ever more allocations.
//!
//! The [`guide`] goes from a symptom to its cause and its cure.
//!
//! With the feature `serde` snapshots can be serialised. With the feature `tracing` there is an event,
//! of the target `watertight::audit`, whenever something is made, finishes, or is dropped: at the level
//! TRACE for generators, at DEBUG for the rest. (A tee's end is told when it is dropped.)
//!
//! # Examples
//!
//! ```
//! use std::collections::HashMap;
//! use watertight::{BoxGen, Co, audit, generator};
//!
//! let mut sessions: HashMap<u32, BoxGen<'static, u32>> = HashMap::new();
//! let before = audit::snapshot();
//! for id in 1..=100 {
//!     let replies = generator(async move |mut co: Co<u32>| co.yield_all(0..id).await).boxed();
//!     sessions.entry(id).or_insert(replies).next();
//! }
//! // What has been added since, and where?
//! let since = audit::snapshot().since(&before);
//! let by_site = since.new_by_site();
//! let group = by_site.iter().find(|group| group.count == 100).unwrap();
//! // They have yielded one item each, and are waiting for somebody to ask again.
//! assert_eq!((group.kind, group.yielded, group.finished), (audit::Kind::Gen, 100, 0));
//! println!("{by_site}");
//! ```
//!
//! which prints something like this (`buffered` is how full a buffer is, has been, and can be):
//!
//! ```text
//! count  kind  site              oldest  yielded  idle  buffered  unstarted  finished
//!   100  Gen   src/main.rs:7:19   1.2ms      100  1.1ms        -          0         0
//! ```
//!
//! # What has an entry
//!
//! Every generator of this crate, synchronous, asynchronous or recursive, from when it is made until it
//! is dropped or its box has given its memory back; what goes round it, a box, a hook, a stop handle, is
//! not another one. Every iterator or stream that has been taken over by something of this crate. Every
//! [`scope`](crate::scope()). Every buffer: a prefetch, the two ends of a [`bounded`](crate::bounded)
//! one, a lookahead, a tee and each of its branches, and those between tasks and threads. Every thread
//! that this crate has started. What each says of itself is told at [`Entry`] and [`State`].
//!
//! The line is that of the call that made it, in the program, however many of this crate's functions are
//! in between. A function of your own that makes generators for others can pass it on with
//! `#[track_caller]`. What becomes something else on the way, such as a prefetch that is read as a
//! stream, keeps its line.
//!
//! # What it costs
//!
//! Without the feature: nothing. The records are zero-sized, and no call has the line passed to it.
//!
//! With it, a generator is 8 bytes larger, and there is one allocation of 160 bytes for each entry, one
//! more of 128 for a buffer, and some 30 bytes of the registry: about 560 instructions to make and drop a
//! generator, with two locks that are divided among 16. A step takes no lock and has no read-modify-write:
//! the counts are written by who has the generator, about 20 instructions (50 where the compiler has
//! kept the state of the loop in registers without it). Each of the first 64 steps, each 64th of the
//! others, and the last also read the clock: some 150 more.
//!
//! # What it cannot see
//!
//! A generator that is forgotten is as alive as one that is kept, and looks the same: what tells them
//! apart is that nobody asks it any more ([`idle`](Entry::idle)). Implementations of
//! [`Resume`](crate::Resume) and [`PollNext`](crate::PollNext) that are not this crate's have no entry,
//! nor have an [`Emitter`](crate::Emitter), a stop handle, and what is deferred. What a body holds is not
//! measured: an entry says how many values, and not how many bytes.
//!
//! A global allocator must not look: entries are made under a lock.
//!
//! It needs a target with 64-bit atomics.

// Without the feature `off.rs` stands in for all this.
mod context;
mod difference;
mod events;
pub mod growth;
mod kind;
#[doc = include_str!("audit/guide.md")]
pub mod guide {}
mod leaks;
mod live;
mod record;
mod registry;
mod sites;
mod snapshot;
mod table;

pub use context::Behalf;
pub use difference::{Change, Difference};
pub use kind::{Kind, State};
pub use leaks::{assert_no_leaks, leaks};
pub(crate) use record::{Meter, OnThread, Record, Spot};
pub use sites::{BySite, Group};
pub use snapshot::{Buffered, Entry, Site, Snapshot, snapshot};
