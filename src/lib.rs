#![doc = include_str!("../README.md")]
// The README's pictures are beside it in the repository, where the rendered page cannot find them.
#![doc = "<style>img[src^='pictures/'] { display: none }</style>"]
// An example is copied as it stands, so it is to be as clean as the crate.
#![doc(test(attr(deny(unused_imports, unused_must_use, unused_mut, unused_variables))))]
#![no_std]
// With this, and on a nightly compiler, what needs a feature says so in the documentation.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs, missing_debug_implementations, clippy::undocumented_unsafe_blocks)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

// Lowest first: a module uses only those above it.
#[cfg(feature = "alloc")]
#[forbid(unsafe_code)]
mod affinity;
#[forbid(unsafe_code)]
mod identity;
#[forbid(unsafe_code)]
mod unwind;

#[cfg(not(feature = "audit"))]
#[forbid(unsafe_code)]
#[path = "audit/off.rs"]
mod audit;
#[cfg(feature = "audit")]
#[forbid(unsafe_code)]
pub mod audit;

mod handoff; // All of the engine's unsafe code.

#[forbid(unsafe_code)]
mod co;
#[forbid(unsafe_code)]
mod resume;

#[forbid(unsafe_code)]
mod body;
#[forbid(unsafe_code)]
mod generator;
#[forbid(unsafe_code)]
mod try_gen;

#[forbid(unsafe_code)]
mod poll_next;

#[forbid(unsafe_code)]
mod async_gen;
#[forbid(unsafe_code)]
mod try_async_gen;

#[cfg(feature = "alloc")]
#[forbid(unsafe_code)]
mod async_boxed;

#[cfg(feature = "alloc")]
mod recursive; // Unsafe code in `arena` and `frames`.

#[forbid(unsafe_code)]
mod adopted;
#[cfg(feature = "genawaiter")]
#[forbid(unsafe_code)]
mod adopted_coroutine;
#[cfg(feature = "stream")]
#[forbid(unsafe_code)]
mod adopted_stream;
#[forbid(unsafe_code)]
mod on_finish;
#[forbid(unsafe_code)]
mod on_finish_stream;

#[cfg(feature = "alloc")]
#[forbid(unsafe_code)]
mod boxed;

#[cfg(feature = "std")]
#[forbid(unsafe_code)]
mod sync;

#[cfg(feature = "std")]
#[forbid(unsafe_code)]
mod cleanup;

#[cfg(feature = "std")]
mod stop; // Unsafe code in `shared` and `steps`.

#[cfg(feature = "alloc")]
mod buffer; // Unsafe code in `ring`.

#[cfg(feature = "alloc")]
#[forbid(unsafe_code)]
mod emit;

#[cfg(feature = "std")]
mod scope; // Unsafe code in `registry`, and where `Scope` promises something to `stop`.

#[forbid(unsafe_code)]
mod ext;
#[cfg(feature = "stream")]
#[forbid(unsafe_code)]
mod stream_ext;

pub mod guides;

pub use adopted::Adopted;
#[cfg(feature = "genawaiter")]
pub use adopted_coroutine::AdoptedCoroutine;
#[cfg(feature = "stream")]
pub use adopted_stream::AdoptedStream;
#[cfg(feature = "alloc")]
pub use affinity::{OneThread, Threads};
#[cfg(feature = "alloc")]
pub use async_boxed::{AsyncBoxed, BoxAsyncGen, LocalBoxAsyncGen};
pub use async_gen::{AsyncGen, async_generator};
#[cfg(feature = "alloc")]
pub use boxed::{BoxGen, Boxed, LocalBoxGen};
#[cfg(feature = "alloc")]
pub use buffer::{
    BeyondLookahead, Branch, Capacity, LocalBranch, Lookahead, Overflow, TeeError, ZeroCapacity,
};
#[cfg(feature = "std")]
pub use buffer::{BufferStats, Consumer, NextError, Prefetch, Producer, PushError, bounded};
#[cfg(all(feature = "std", feature = "stream"))]
pub use buffer::{Driver, TaskIter, TaskStream, ThreadStream, prefetch_stream};
#[cfg(feature = "std")]
pub use cleanup::{
    Cleanup, CleanupOf, Close, Deferred, LocalCleanup, WithCleanup, with_cleanup,
    with_cleanup_local,
};
pub use co::{Argument, Co, Yield, YieldAll};
#[cfg(feature = "alloc")]
pub use emit::{Emit, Emitter, Forward, Place, Reserve};
pub use ext::{ByClosing, ByDropping, IteratorExt};
pub use generator::{Gen, generator};
pub use on_finish::{OnFinish, Outcome};
pub use on_finish_stream::OnFinishStream;
pub use poll_next::{Next, PollNext};
#[cfg(feature = "alloc")]
pub use recursive::{
    AsyncRecursive, Carries, DepthExceeded, Recursive, RecursiveCo, SendAsyncRecursive,
    SendRecursive, SendRecursiveCo, SendTryAsyncRecursive, SendTryRecursive, TryAsyncRecursive,
    TryRecursive, TryYieldFrom, YieldFrom, async_recursive, async_recursive_send, recursive,
    recursive_send, try_async_recursive, try_async_recursive_send, try_recursive,
    try_recursive_send,
};
pub use resume::{GeneratorState, Resume, ResumeError, Resumed};
#[cfg(feature = "std")]
pub use scope::{
    Scope, ScopeStats, Scoped, ScopedAsyncGen, ScopedGen, ScopedStream, scope, scope_under,
};
#[cfg(feature = "std")]
pub use stop::{
    Deadline, Releasable, ReleasableStream, Released, StopGuard, StopHandle, StopToken, Stoppable,
    Stopped, WaitError,
};
#[cfg(feature = "stream")]
pub use stream_ext::StreamExt;
pub use try_async_gen::{TryAsyncGen, try_async_generator};
pub use try_gen::{TryGen, try_generator};
