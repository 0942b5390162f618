//! The contract: one file per guarantee and topic, each test named after the guarantee it proves, so that
//! `cargo test g3` runs the proof of G3. The table in the README says what each guarantee is, PROOF.md
//! what else proves it.

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "std")]
mod g10_buffers;
mod g10_lazy;
#[cfg(feature = "alloc")]
mod g10_recursion;
mod g11_cheap;
#[cfg(feature = "alloc")]
mod g11_recursion;
#[cfg(feature = "std")]
mod g12_observable;
mod g12_printed;
#[cfg(feature = "std")]
mod g1_recursion;
#[cfg(feature = "std")]
mod g1_scope_end;
#[cfg(all(feature = "std", feature = "stream"))]
mod g1_streams;
#[cfg(feature = "std")]
mod g1_threads;
#[cfg(feature = "std")]
mod g2_buffers;
mod g2_one_fate;
#[cfg(feature = "alloc")]
mod g2_recursion;
#[cfg(all(feature = "std", feature = "stream"))]
mod g2_tasks;
#[cfg(feature = "alloc")]
mod g3_recursion;
mod g3_release;
#[cfg(all(feature = "std", feature = "stream"))]
mod g3_streams;
#[cfg(feature = "std")]
mod g4_branches;
#[cfg(feature = "std")]
mod g4_buffers;
#[cfg(feature = "std")]
mod g4_chains;
#[cfg(feature = "std")]
mod g4_recursion;
mod g4_stop;
#[cfg(feature = "std")]
mod g4_stop_handles;
#[cfg(all(feature = "std", feature = "stream"))]
mod g4_streams;
#[cfg(all(feature = "std", feature = "stream"))]
mod g4_tasks;
#[cfg(feature = "std")]
mod g5_bounds;
#[cfg(feature = "alloc")]
mod g5_branches;
#[cfg(feature = "alloc")]
mod g5_lookahead;
#[cfg(all(feature = "std", feature = "stream"))]
mod g5_tasks;
#[cfg(feature = "std")]
mod g6_orphans;
#[cfg(all(feature = "std", feature = "stream"))]
mod g6_tasks;
#[cfg(feature = "std")]
mod g7_buffers;
mod g7_panics;
#[cfg(feature = "alloc")]
mod g7_recursion;
#[cfg(all(feature = "std", feature = "stream"))]
mod g7_streams;
#[cfg(all(feature = "std", feature = "stream"))]
mod g7_tasks;
mod g8_order;
#[cfg(feature = "std")]
mod g8_order_in_scopes;
#[cfg(feature = "alloc")]
mod g8_recursion;
#[cfg(feature = "alloc")]
mod g9_hooks;
#[cfg(all(feature = "std", feature = "stream"))]
mod g9_streams;
