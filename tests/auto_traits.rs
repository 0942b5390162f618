//! Auto traits, layout and laziness of types, asserted at compile time.

use std::cell::{Cell, RefCell};
use std::future::{Pending, Ready};
use std::iter::FusedIterator;
use std::marker::PhantomPinned;
use std::ops::Range;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::MutexGuard;

use static_assertions::{assert_impl_all as yes, assert_not_impl_any as no};
use watertight::{
    Adopted, AsyncGen, Co, Gen, GeneratorState, Next, OnFinish, Outcome, PollNext, Resume,
    ResumeError, TryAsyncGen, TryGen, Yield,
};

type NotSend = MutexGuard<'static, ()>; // `Sync` only.
type NotSync = Cell<u8>; // `Send` only.

// `Co`: `Send` iff `Y` and `R` are, never `Sync`, never `Clone`.
yes!(Co<u8, u8>: Send, Unpin, UnwindSafe, RefUnwindSafe);
yes!(Co<NotSync, NotSync>: Send);
yes!(Co<RefCell<u8>, PhantomPinned>: Unpin, UnwindSafe);
no!(Co<u8, u8>: Sync, Clone, Copy, Default);
no!(Co<NotSend, u8>: Send);
no!(Co<u8, NotSend>: Send);
no!(Co<Rc<u8>>: Send);

// A yield carries a `Y` and is answered with an `R`.
yes!(Yield<'static, u8, u8>: Send, Unpin, Future<Output = u8>);
yes!(Yield<'static, PhantomPinned, u8>: Unpin);
no!(Yield<'static, u8, u8>: Sync, Clone);
no!(Yield<'static, NotSend, u8>: Send);
no!(Yield<'static, u8, NotSend>: Send);

// A generator: `Send` iff its body, `Y`, `R` and its end are; `Unpin` iff its body is.
yes!(Gen<u8, Ready<u8>, u8>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
yes!(Gen<NotSync, Ready<NotSync>, NotSync>: Send);
no!(Gen<NotSend, Ready<u8>, u8>: Send);
no!(Gen<u8, Ready<u8>, NotSend>: Send);
no!(Gen<u8, Ready<NotSend>, u8>: Send);
no!(Gen<NotSync, Ready<u8>, u8>: Sync);
no!(Gen<u8, Ready<u8>, NotSync>: Sync);
no!(Gen<u8, Pinned, u8>: Unpin);
no!(Gen<u8, Ready<u8>, u8>: Clone, Iterator);
yes!(Pin<&'static mut Gen<u8, Pending<()>>>: Iterator<Item = u8>, std::iter::FusedIterator);
no!(Pin<&'static mut Gen<u8, Pending<()>, u8>>: Iterator); // It wants arguments.
no!(Pin<&'static mut Gen<u8, Pending<u8>>>: Iterator); // Its end value would be lost.

yes!(TryGen<u8, Ready<Result<(), u8>>>: Send, Sync, Unpin, Resume);
no!(TryGen<NotSend, Ready<Result<(), u8>>>: Send);

yes!(GeneratorState<u8, u8>: Copy, Ord);
yes!(ResumeError<NotSend>: std::error::Error);
yes!(ResumeError<u8>: Send, Sync, Copy);

// An asynchronous generator: as a synchronous one. Runtimes with threads want it to be `Send`.
yes!(AsyncGen<u8, Ready<()>>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, PollNext);
yes!(AsyncGen<NotSync, Ready<()>>: Send);
no!(AsyncGen<NotSend, Ready<()>>: Send);
no!(AsyncGen<Rc<u8>, Ready<()>>: Send);
no!(AsyncGen<NotSync, Ready<()>>: Sync);
no!(AsyncGen<u8, Pinned>: Unpin);
no!(AsyncGen<u8, Ready<()>>: Clone, Iterator, Resume, Future);
no!(AsyncGen<u8, Ready<u8>>: PollNext); // Its end value would be lost.
yes!(TryAsyncGen<u8, Ready<Result<(), u8>>>: Send, Sync, Unpin, PollNext);
no!(TryAsyncGen<NotSend, Ready<Result<(), u8>>>: Send);
yes!(Pin<&'static mut AsyncGen<u8, Pinned>>: PollNext);
yes!(Next<'static, AsyncGen<u8, Pinned>>: Send, Sync, Unpin, Future<Output = Option<u8>>);
no!(Next<'static, AsyncGen<NotSend, Pinned>>: Send);

#[cfg(feature = "stream")]
mod stream {
    use super::*;
    use futures_util::future::FusedFuture;
    use futures_util::stream::FusedStream;

    yes!(AsyncGen<u8, Pinned>: FusedStream<Item = u8>);
    yes!(TryAsyncGen<u8, Ready<Result<(), i8>>>: FusedStream<Item = Result<u8, i8>>);
    no!(AsyncGen<u8, Ready<u8>>: FusedStream);
    yes!(Next<'static, AsyncGen<u8, Pinned>>: FusedFuture);

    #[cfg(feature = "alloc")]
    yes!(watertight::BoxAsyncGen<'static, u8>: Send, Unpin, FusedStream<Item = u8>);
}

#[cfg(feature = "alloc")]
mod asynchronous {
    use super::*;
    use watertight::{AsyncBoxed, BoxAsyncGen, LocalBoxAsyncGen};

    yes!(BoxAsyncGen<'static, u8>: Send, Unpin, PollNext<Item = u8>);
    no!(BoxAsyncGen<'static, u8>: Sync, Clone);
    no!(LocalBoxAsyncGen<'static, u8>: Send, Sync);
    yes!(AsyncBoxed<AsyncGen<u8, Pinned>>: Send, Sync, Unpin, PollNext);
    no!(AsyncBoxed<AsyncGen<Rc<u8>, Pinned>>: Send);
}

#[cfg(feature = "std")]
mod emitter {
    use super::*;
    use watertight::{Emit, Emitter, Forward, Place, Reserve};

    // Sub-futures share it by `&`, and the body that holds it is to be `Send`.
    yes!(Emitter<'static, u8>: Send, Sync);
    yes!(Emitter<'static, NotSync>: Send, Sync);
    no!(Emitter<'static, NotSend>: Send, Sync);
    no!(Emitter<'static, u8>: Clone);
    yes!(Emit<'static, 'static, NotSync>: Send, Unpin, Future<Output = ()>);
    yes!(Emit<'static, 'static, PhantomPinned>: Unpin);
    no!(Emit<'static, 'static, NotSend>: Send);
    yes!(Reserve<'static, 'static, NotSync>: Send, Sync, Unpin);
    yes!(Place<'static, 'static, NotSync>: Send, Sync, Unpin);
    yes!(Forward<'static, 'static, u8, Ready<u8>>: Send, Unpin, Future<Output = u8>);
    no!(Forward<'static, 'static, u8, Pinned>: Unpin);
    no!(Forward<'static, 'static, u8, Ready<Rc<u8>>>: Send);
}

#[cfg(feature = "alloc")]
mod boxed {
    use super::*;
    use watertight::{BoxGen, Boxed, LocalBoxGen};

    yes!(BoxGen<'static, u8>: Send, Unpin, Iterator<Item = u8>, std::iter::FusedIterator);
    yes!(BoxGen<'static, u8, u8, u8>: Resume);
    no!(BoxGen<'static, u8, u8, u8>: Iterator, Sync, Clone);
    yes!(LocalBoxGen<'static, Rc<u8>>: Unpin, Iterator<Item = Rc<u8>>);
    no!(LocalBoxGen<'static, u8>: Send, Sync);
    yes!(Boxed<Gen<u8, Pending<()>>>: Send, Unpin, Iterator);
    yes!(Boxed<Gen<u8, Pinned>>: Unpin);
    no!(Boxed<Gen<Rc<u8>, Pending<()>>>: Send);
}

#[cfg(feature = "alloc")]
mod buffers {
    use super::*;
    use watertight::{
        BeyondLookahead, BoxGen, Capacity, LocalBranch, Lookahead, Overflow, TeeError, ZeroCapacity,
    };

    yes!(Capacity: Send, Sync, Copy, Ord, std::hash::Hash);
    yes!(Overflow: Send, Sync, Copy, Eq, std::hash::Hash);
    yes!(ZeroCapacity: std::error::Error, Send, Sync, Copy);

    // As its source and its items are.
    type Ahead = Lookahead<Adopted<Range<u8>>>;
    yes!(Ahead: Send, Sync, Unpin, UnwindSafe, FusedIterator, ExactSizeIterator<Item = u8>);
    yes!(Lookahead<BoxGen<'static, PhantomPinned>>: Send, Unpin, FusedIterator);
    yes!(Lookahead<Pin<&'static mut Gen<u8, Pinned>>>: Unpin, Iterator<Item = u8>);
    no!(Lookahead<BoxGen<'static, NotSend>>: Send, Sync, ExactSizeIterator);
    no!(Lookahead<Gen<u8, Pinned>>: Unpin, Iterator);
    yes!(BeyondLookahead: std::error::Error, Send, Sync, Copy);

    // A local branch shares a cell with its siblings, and a source that nobody knows.
    yes!(LocalBranch<'static, Rc<u8>>: Unpin, FusedIterator, Iterator<Item = Rc<u8>>);
    no!(LocalBranch<'static, u8>: Send, Sync, Clone, UnwindSafe);
    no!(LocalBranch<'static, std::sync::Mutex<u8>>: Iterator); // It has to be cloned.
    yes!(TeeError: std::error::Error, Send, Sync, Copy);
}

#[cfg(feature = "alloc")]
mod recursive {
    use super::*;
    use watertight::{
        DepthExceeded, OneThread, Recursive, RecursiveCo, SendRecursive, SendRecursiveCo,
        SendTryRecursive, Threads, TryRecursive, TryYieldFrom, YieldFrom,
    };

    // On one thread it stays there, whatever is in it.
    yes!(Recursive<'static, u8>: Unpin, UnwindSafe, RefUnwindSafe, FusedIterator, Iterator<Item = u8>);
    yes!(Recursive<'static, Rc<u8>, Rc<u8>, PhantomPinned>: Unpin, UnwindSafe, Resume);
    no!(Recursive<'static, u8>: Send, Sync, Clone);
    no!(Recursive<'static, u8, u8>: Iterator); // It wants arguments.
    no!(Recursive<'static, u8, (), u8>: Iterator); // Its end value would be lost.
    yes!(TryRecursive<'static, u8, i8>: Unpin, UnwindSafe, FusedIterator, Iterator<Item = Result<u8, i8>>);
    yes!(TryRecursive<'static, PhantomPinned, PhantomPinned>: Unpin, Resume);
    no!(TryRecursive<'static, u8, u8>: Send, Sync, Clone);
    no!(RecursiveCo<'static, u8>: Send, Sync, Clone, Copy, Default);
    yes!(RecursiveCo<'static, RefCell<u8>, PhantomPinned>: Unpin, UnwindSafe, RefUnwindSafe);

    // With `Threads`: `Send` iff what goes in and out is. By reference there is nothing to be had.
    yes!(SendRecursive<'static, u8, u8, u8>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
    yes!(SendRecursive<'static, NotSync, NotSync, NotSync>: Send, Sync);
    no!(SendRecursive<'static, NotSend>: Send, Sync);
    no!(SendRecursive<'static, u8, NotSend>: Send, Sync);
    no!(SendRecursive<'static, u8, (), NotSend>: Send, Sync);
    no!(SendRecursive<'static, u8>: Clone);
    yes!(SendTryRecursive<'static, NotSync, NotSync>: Send, Unpin);
    no!(SendTryRecursive<'static, NotSend, u8>: Send);
    no!(SendTryRecursive<'static, u8, NotSend>: Send);
    yes!(SendRecursiveCo<'static, NotSync, NotSync>: Send, Unpin);
    no!(SendRecursiveCo<'static, u8>: Sync, Clone, Copy, Default);
    no!(SendRecursiveCo<'static, NotSend>: Send);
    no!(SendRecursiveCo<'static, u8, NotSend>: Send);

    // A child on its way: as its `co` is, and the closure that it has until it is sent.
    type Closure = fn(SendRecursiveCo<'static, u8>) -> Ready<u8>;
    type Child<K, B> = YieldFrom<'static, 'static, u8, (), K, B, Ready<u8>>;
    type MaybeChild<K, B> = TryYieldFrom<'static, 'static, u8, (), K, B, Ready<u8>>;
    yes!(Child<Threads, Closure>: Send, Unpin, Future<Output = u8>);
    yes!(MaybeChild<Threads, Closure>: Send, Unpin, Future<Output = Result<u8, DepthExceeded<Closure>>>);
    yes!(Child<Threads, PhantomPinned>: Unpin);
    no!(Child<OneThread, Closure>: Send, Sync, Clone);
    no!(MaybeChild<OneThread, Closure>: Send, Sync, Clone);
    no!(Child<Threads, Rc<u8>>: Send);
    no!(Child<Threads, Closure>: Sync);

    yes!(DepthExceeded<fn()>: std::error::Error, Send, Sync, Copy, Eq);
    yes!(DepthExceeded<NotSend>: std::error::Error);
    yes!(OneThread: Copy, Send);
    yes!(Threads: Copy, Send);

    /// It may be taken for one that does not last as long. (It is invariant in what it yields.)
    #[allow(dead_code)]
    fn shorter<'a, 'short>(
        x: Recursive<'static, &'a str, u8, &'static str>,
    ) -> Recursive<'short, &'a str, u8, &'short str> {
        x
    }

    #[test]
    fn bodies_of_one_thread_may_hold_anything() {
        let shared = Rc::new(1);
        let held = recursive_of(shared.clone());
        assert_eq!(held.sum::<u32>(), 1 + 2);
        assert_eq!(Rc::strong_count(&shared), 1);
    }

    fn recursive_of(shared: Rc<u32>) -> Recursive<'static, u32> {
        watertight::recursive(async move |mut co: RecursiveCo<u32>| {
            let output = co.yield_from(async |_co: RecursiveCo<u32>| Rc::new(2)).await;
            co.yield_(*shared).await;
            co.yield_(*output).await;
        })
    }
}

// What has to do with ends: as their parts are.
yes!(Adopted<Range<u8>>: Send, Sync, Unpin, Iterator<Item = u8>, FusedIterator, Resume);
yes!(Adopted<PhantomPinned>: Unpin);
no!(Adopted<Rc<u8>>: Send);
type Hook = fn(Outcome);
yes!(OnFinish<Adopted<Range<u8>>, Hook>: Send, Sync, Unpin, Iterator<Item = u8>, Resume);
no!(OnFinish<Gen<u8, Pinned>, Hook>: Unpin, Iterator);
yes!(Pin<&'static mut OnFinish<Gen<u8, Pinned>, Hook>>: Iterator<Item = u8>, FusedIterator);
yes!(Outcome: Send, Sync, Copy, Eq, std::hash::Hash);

#[cfg(feature = "std")]
mod with_std {
    use super::*;
    use watertight::{
        Branch, BufferStats, Capacity, Consumer, Deadline, NextError, Overflow, Prefetch, Producer,
        PushError, Releasable, Scope, Scoped, ScopedAsyncGen, ScopedGen, ScopedStream, StopGuard,
        StopHandle, StopToken, Stoppable, WaitError,
    };

    yes!(StopHandle: Send, Sync, Clone, Unpin, UnwindSafe, RefUnwindSafe, Default);
    yes!(StopToken: Send, Sync, Clone, Unpin, UnwindSafe, RefUnwindSafe);
    yes!(StopGuard: Send, Sync, Unpin);
    yes!(Deadline: Send, Sync, Unpin);
    no!(StopGuard: Clone);
    no!(Deadline: Clone);
    yes!(WaitError: std::error::Error, Send, Sync, Copy);

    // What carries values from thread to thread: `Send` iff they are.
    yes!(Prefetch<'static, u8>: Send, Unpin, Iterator<Item = u8>, FusedIterator);
    yes!(Prefetch<'static, NotSync>: Send);
    no!(Prefetch<'static, Rc<u8>>: Send);
    no!(Prefetch<'static, NotSend>: Send);
    no!(Prefetch<'static, u8>: Clone);
    yes!(Producer<u8>: Send, Unpin);
    yes!(Producer<NotSync>: Send);
    no!(Producer<Rc<u8>>: Send);
    no!(Producer<NotSend>: Send);
    no!(Producer<u8>: Clone);
    yes!(Consumer<u8>: Send, Unpin, Iterator<Item = u8>, FusedIterator);
    yes!(Consumer<NotSync>: Send);
    no!(Consumer<Rc<u8>>: Send);
    no!(Consumer<NotSend>: Send);
    no!(Consumer<u8>: Clone);
    yes!(Prefetch<'static, PhantomPinned>: Unpin);
    yes!(Producer<PhantomPinned>: Unpin);
    yes!(Consumer<PhantomPinned>: Unpin);
    yes!(Capacity: Send, Sync, Copy, Ord, std::hash::Hash);
    yes!(Overflow: Send, Sync, Copy, Eq, std::hash::Hash);
    yes!(BufferStats: Send, Sync, Copy, Eq);
    yes!(PushError<NotSend>: std::error::Error);
    yes!(PushError<u8>: Send, Sync, Copy, Eq);
    yes!(NextError: std::error::Error, Send, Sync, Copy, Eq);

    #[test]
    fn a_prefetch_in_a_scope_may_go_to_another_thread() {
        fn is_send<T: Send>(_: &T) {}
        let text = String::from("one two");
        watertight::scope(|s| {
            let words = s.prefetch(Capacity::items(1), text.split(' '));
            is_send(&words);
        });
    }

    yes!(Stoppable<Adopted<Range<u8>>>: Send, Sync, Unpin, UnwindSafe, Iterator<Item = u8>, Resume);
    no!(Stoppable<Gen<Rc<u8>, Pending<()>>>: Send);
    no!(Stoppable<Gen<u8, Pinned>>: Unpin, Iterator);
    yes!(Pin<&'static mut Stoppable<Gen<u8, Pinned>>>: Iterator<Item = u8>, FusedIterator);

    // The generator is on the heap, so it can be moved. It is touched through `&mut` only.
    yes!(Releasable<Gen<u8, Pinned>>: Send, Sync, Unpin, Iterator<Item = u8>, FusedIterator, Resume);
    yes!(Releasable<Gen<NotSync, Pending<()>>>: Send, Sync);
    yes!(Releasable<Adopted<Range<u8>>>: UnwindSafe, RefUnwindSafe);
    no!(Releasable<Gen<NotSend, Pending<()>>>: Send, Sync);

    // A branch is `Send` iff the items are. It shares a lock, whatever a panic leaves behind.
    yes!(Branch<'static, NotSync>: Send, Sync, Unpin, FusedIterator, UnwindSafe, RefUnwindSafe);
    no!(Branch<'static, NotSend>: Send, Sync, Iterator);
    no!(Branch<'static, u8>: Clone);

    // A scope and its handles stay on their thread, whatever is in them.
    yes!(Scoped<'static, Gen<u8, Pinned>>: Unpin, Iterator<Item = u8>, FusedIterator, Resume);
    yes!(Scoped<'static, Adopted<Range<u8>>>: UnwindSafe, RefUnwindSafe);
    yes!(ScopedGen<'static, u8>: Unpin, Iterator<Item = u8>);
    no!(Scoped<'static, Adopted<Range<u8>>>: Send, Sync, Clone);
    no!(ScopedGen<'static, u8, u8>: Iterator);
    yes!(ScopedStream<'static, AsyncGen<u8, Pinned>>: Unpin, PollNext<Item = u8>);
    yes!(ScopedStream<'static, AsyncGen<u8, Pending<()>>>: UnwindSafe);
    yes!(ScopedAsyncGen<'static, u8>: Unpin, PollNext<Item = u8>);
    no!(ScopedStream<'static, AsyncGen<u8, Pending<()>>>: Send, Sync, Clone, Iterator, Future);
    no!(Scope<'static, 'static>: Send, Sync, Clone);
    yes!(Scope<'static, 'static>: RefUnwindSafe);

    #[test]
    fn a_handle_is_one_pointer_and_two_when_it_is_erased() {
        use std::mem::size_of;
        assert_eq!(size_of::<Scoped<'_, [u64; 9]>>(), size_of::<usize>());
        assert_eq!(size_of::<ScopedGen<'_, u8>>(), 2 * size_of::<usize>());
        assert_eq!(size_of::<ScopedStream<'_, [u64; 9]>>(), size_of::<usize>());
        assert_eq!(size_of::<ScopedAsyncGen<'_, u8>>(), 2 * size_of::<usize>());
        assert_eq!(size_of::<StopHandle>(), size_of::<usize>());
    }
}

#[cfg(all(feature = "std", feature = "stream"))]
mod tasks {
    use super::*;
    use futures_core::stream::{FusedStream, Stream};
    use futures_util::stream::{Empty, Pending as Waiting};
    use watertight::{
        AsyncGen, Driver, ScopedAsyncGen, ScopedStream, TaskIter, TaskStream, ThreadStream,
    };

    // What carries values between threads and tasks: `Send` iff they are. It is touched through `&mut` only.
    yes!(ThreadStream<'static, u8>: Send, Unpin, Stream<Item = u8>, FusedStream, UnwindSafe);
    yes!(ThreadStream<'static, NotSync>: Send);
    yes!(ThreadStream<'static, PhantomPinned>: Unpin);
    no!(ThreadStream<'static, NotSend>: Send, Sync);
    no!(ThreadStream<'static, u8>: Clone, Iterator);
    yes!(TaskStream<u8>: Send, Unpin, Stream<Item = u8>, FusedStream, UnwindSafe, RefUnwindSafe);
    yes!(TaskStream<NotSync>: Send);
    yes!(TaskStream<PhantomPinned>: Unpin);
    no!(TaskStream<NotSend>: Send, Sync);
    no!(TaskStream<u8>: Clone, Iterator);
    yes!(TaskIter<u8>: Send, Unpin, Iterator<Item = u8>, FusedIterator, UnwindSafe);
    no!(TaskIter<NotSend>: Send, Sync);
    no!(TaskIter<u8>: Clone, Stream);

    // A stream in a scope, like any other there.
    yes!(ScopedStream<'static, AsyncGen<u8, super::Pinned>>: Stream<Item = u8>, FusedStream);
    yes!(ScopedAsyncGen<'static, u8>: Stream<Item = u8>, FusedStream);

    // A driver is what its stream is, and carries the items besides.
    yes!(Driver<Empty<u8>>: Send, Unpin, Future<Output = ()>, UnwindSafe);
    yes!(Driver<Waiting<NotSync>>: Send);
    no!(Driver<Waiting<NotSend>>: Send);
    no!(Driver<Local>: Send, Unpin);
    no!(Driver<Empty<u8>>: Clone);

    /// A stream of what is `Send` that is not itself, and may not be moved.
    struct Local(#[allow(dead_code)] Rc<u8>, #[allow(dead_code)] PhantomPinned);

    impl Stream for Local {
        type Item = u8;
        fn poll_next(
            self: Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<u8>> {
            std::task::Poll::Ready(None)
        }
    }
}

/// A body that may not be moved.
struct Pinned(#[allow(dead_code)] PhantomPinned);

impl Future for Pinned {
    type Output = ();
    fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        std::task::Poll::Ready(())
    }
}

/// Real bodies, whose types cannot be named.
#[test]
fn bodies_pass_their_auto_traits_on() {
    fn is_send<T: Send>(_: &T) {}
    let numbers = [1, 2, 3];
    let borrowing = watertight::generator(async |mut co: Co<u32>| {
        for n in &numbers {
            co.yield_(*n).await;
        }
        co.yield_all([4, 5]).await;
    });
    is_send(&borrowing);
    let answering = watertight::generator(async |mut co: Co<u32, String>| {
        let first = co.argument().await;
        co.yield_(first.map_or(0, |s| s.len() as u32)).await
    });
    is_send(&answering);
}
