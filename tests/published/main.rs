//! What has gone wrong elsewhere, and what happens here.
//!
//! Each test is a failure that somebody published: of a generator crate, a channel, a language's own
//! generators. It is written from the description, not from the code, says in a few words what happened
//! there and where that is told, and asserts what happens here.
//!
//! Where the program that failed does not compile here, `tests/ui` has it:
//!
//! | published | there | `tests/ui` |
//! |---|---|---|
//! | [async-stream#107](https://github.com/tokio-rs/async-stream/issues/107) | an item that outlives what it borrows: use after free | `item_outlives_what_the_generator_borrows`, `co_shrinks_what_it_yields`, `scope_item_outlives_what_it_borrows` |
//! | [genawaiter#15](https://github.com/whatisaphone/genawaiter/issues/15) | two yields at once: a panic, or in release a lost value | `two_yields_at_once`, `co_cannot_be_cloned` |
//! | fauxgen, [`yield_(&self)`](https://github.com/Phantomical/fauxgen/blob/main/src/token.rs) | two threads that share a `&Waker` yield at once: a race for one place | `two_yields_at_once`, `co_cannot_be_shared_between_threads` |
//! | [generator-rs#27](https://github.com/Xudong-Huang/generator-rs/issues/27) | an `Rc` that a body ends with crosses threads | `rc_does_not_cross_threads`, `yielding_an_rc_to_another_thread` |
//! | [generator-rs#58](https://github.com/Xudong-Huang/generator-rs/issues/58) | so does one that a body takes from a thread-local | `rc_from_a_thread_local_crosses_threads` |
//! | [corosensei#27](https://github.com/Amanieu/corosensei/issues/27), [corosensei#59](https://github.com/Amanieu/corosensei/issues/59), [generator-rs#49](https://github.com/Xudong-Huang/generator-rs/issues/49), [generator-rs#59](https://github.com/Xudong-Huang/generator-rs/issues/59) | a suspended body that is forgotten inside `thread::scope` leaves a thread that reads freed memory | `yield_inside_a_scope_of_threads`, `prefetch_that_borrows` |
//! | [corosensei#60](https://github.com/Amanieu/corosensei/pull/60) | two handles of different scopes are exchanged | `scope_inner_handle_in_an_outer_generator`, `scope_handle_in_an_outer_variable` |
//! | [futures-rs#2939](https://github.com/rust-lang/futures-rs/issues/2939) | a capacity of zero hangs | `capacity_of_zero` |
#![cfg(all(feature = "std", feature = "stream"))]

#[path = "../support/mod.rs"]
mod support;

mod channels;
mod cleanup;
mod tees;
mod threads;
mod yielders;
