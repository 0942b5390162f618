//! What other languages test their generators, iterators and channels for, as cases here.
//!
//! Python has had generators since 2001, Go and Kotlin have them on top of coroutines; what their suites
//! ask is what goes wrong. The cases are rewritten from what they test, not translated. Each file names
//! its source, and the cases that say nothing here with the reason.
#![cfg(all(feature = "std", feature = "stream"))]

#[path = "../support/mod.rs"]
mod support;

mod cpython;
mod go;
mod kotlin;
