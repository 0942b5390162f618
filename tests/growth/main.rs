//! The growth detector: no sign where there is none, each sign where it is, over made-up series.
//!
//! `PROPTEST_CASES=100000 cargo test --release --features audit --test growth` for a longer run.

#![cfg(feature = "audit")]

mod properties;
mod rates;
mod synthetic;
mod watching;
