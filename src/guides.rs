//! Longer texts, each about one question. Their programs are run as tests.

#[doc = include_str!("../docs/from-genawaiter.md")]
// Its program needs the feature. It is always there to be read.
#[cfg_attr(
    any(not(doctest), feature = "genawaiter"),
    doc = include_str!("../docs/adopt-genawaiter.md")
)]
#[cfg(all(feature = "std", feature = "stream"))]
pub mod from_genawaiter {}
