//! Every constructor is known by the line of the program that called it: whoever adds one adds it
//! here.

use std::future::ready;
use std::pin::{Pin, pin};

use futures_util::stream;
use watertight::audit::{Kind, Kind::*};
use watertight::{
    AsyncBoxed, Boxed, ByClosing, Capacity, Co, IteratorExt, LocalBranch, OnFinish, OnFinishStream,
    Outcome, Overflow, Releasable, ReleasableStream, StopHandle, Stoppable, StreamExt,
    async_generator, async_recursive, async_recursive_send, bounded, generator, prefetch_stream,
    recursive, recursive_send, scope, scope_under, try_async_generator, try_async_recursive,
    try_async_recursive_send, try_generator, try_recursive, try_recursive_send, with_cleanup,
    with_cleanup_local,
};

use crate::{alone, ours};

const N: Capacity = Capacity::items(2);
const BLOCK: Overflow = Overflow::Block;

/// Makes something, and sees that it consists of these kinds, all of them made at `line`.
#[track_caller]
fn made<T>(line: u32, kinds: &[Kind], make: impl FnOnce() -> T) {
    alone(|| {
        let made = make();
        are_of(line, kinds);
        drop(made);
    });
}

/// What is ours at this moment is of these kinds, all of them made at `line`.
#[track_caller]
fn are_of(line: u32, kinds: &[Kind]) {
    let ours = ours();
    for entry in &ours {
        let site = entry.site();
        assert_eq!(
            (site.file(), site.line()),
            (file!(), line),
            "the site of a {}\n{ours}",
            entry.kind()
        );
    }
    let mut found: Vec<Kind> = ours.iter().map(|entry| entry.kind()).collect();
    let mut kinds = kinds.to_vec();
    found.sort();
    kinds.sort();
    assert_eq!(found, kinds, "made at line {line}\n{ours}");
}

async fn one(mut co: Co<u8>) {
    co.yield_(1).await;
}

async fn fallible(mut co: Co<u8>) -> Result<(), ()> {
    co.yield_(1).await;
    Ok(())
}

fn hook(_: Outcome) {}

#[test]
#[rustfmt::skip]
fn generators() {
    made(line!(), &[Gen], || generator(one));
    made(line!(), &[Gen], || watertight::Gen::new(one));
    made(line!(), &[TryGen], || try_generator(fallible));
    made(line!(), &[AsyncGen], || async_generator(one));
    made(line!(), &[AsyncGen], || watertight::AsyncGen::new(one));
    made(line!(), &[TryAsyncGen], || try_async_generator(fallible));
    made(line!(), &[Recursive], || recursive::<u8, (), _, _>(|_| ready(())));
    made(line!(), &[Recursive], || recursive_send::<u8, (), _, _>(|_| ready(())));
    made(line!(), &[TryRecursive], || try_recursive::<u8, (), _, _>(|_| ready(Ok(()))));
    made(line!(), &[TryRecursive], || try_recursive_send::<u8, (), _, _>(|_| ready(Ok(()))));
    made(line!(), &[AsyncRecursive], || async_recursive::<u8, _, _>(|_| ready(())));
    made(line!(), &[AsyncRecursive], || async_recursive_send::<u8, _, _>(|_| ready(())));
    made(line!(), &[TryAsyncRecursive], || try_async_recursive::<u8, (), _, _>(|_| ready(Ok(()))));
    made(line!(), &[TryAsyncRecursive], || try_async_recursive_send::<u8, (), _, _>(|_| ready(Ok(()))));
    made(line!(), &[AsyncGen], || with_cleanup(|_| async_generator(one)));
    made(line!(), &[AsyncGen], || with_cleanup_local(|_| async_generator(one)));
}

#[cfg(feature = "genawaiter")]
#[test]
#[rustfmt::skip]
fn adopted_coroutines() {
    let theirs = || genawaiter::rc::Gen::new(|co| async move { co.yield_(1).await });
    made(line!(), &[Adopted], || watertight::AdoptedCoroutine::new(theirs()));
    made(line!(), &[Lookahead, Adopted], || watertight::AdoptedCoroutine::new(theirs()).lookahead(N));
}

/// What goes round a generator is not one of its own.
#[test]
#[rustfmt::skip]
fn wrapped_and_boxed_generators() {
    let stop = &StopHandle::new();
    made(line!(), &[Gen], || generator(one).boxed());
    made(line!(), &[Gen], || generator(one).boxed_local());
    made(line!(), &[Gen], || generator(one).into_iter());
    made(line!(), &[Gen], || Boxed::new(generator(one)));
    made(line!(), &[Gen], || Box::pin(generator(one)));
    made(line!(), &[TryGen], || try_generator(fallible).boxed());
    made(line!(), &[TryGen], || try_generator(fallible).boxed_local());
    made(line!(), &[TryGen], || try_generator(fallible).into_iter());
    made(line!(), &[AsyncGen], || async_generator(one).boxed());
    made(line!(), &[AsyncGen], || async_generator(one).boxed_local());
    made(line!(), &[AsyncGen], || AsyncBoxed::new(async_generator(one)));
    made(line!(), &[TryAsyncGen], || try_async_generator(fallible).boxed());
    made(line!(), &[TryAsyncGen], || try_async_generator(fallible).boxed_local());
    made(line!(), &[Gen], || generator(one).on_finish(hook));
    made(line!(), &[Gen], || generator(one).stoppable());
    made(line!(), &[Gen], || generator(one).stoppable_under(stop));
    made(line!(), &[Gen], || generator(one).releasable());
    made(line!(), &[Gen], || generator(one).releasable_under(stop));
    made(line!(), &[Gen], || OnFinish::new(generator(one), hook));
    made(line!(), &[Gen], || Stoppable::new(generator(one)));
    made(line!(), &[Gen], || Stoppable::under(generator(one), stop));
    made(line!(), &[Gen], || Releasable::new(generator(one)));
    made(line!(), &[Gen], || Releasable::under(generator(one), stop));
    made(line!(), &[AsyncGen], || async_generator(one).on_finish(hook));
    made(line!(), &[AsyncGen], || async_generator(one).releasable());
    made(line!(), &[AsyncGen], || async_generator(one).releasable_under(stop));
    made(line!(), &[AsyncGen], || OnFinishStream::new(async_generator(one), hook));
    made(line!(), &[AsyncGen], || ReleasableStream::new(async_generator(one)));
    made(line!(), &[AsyncGen], || ReleasableStream::under(async_generator(one), stop));
}

#[test]
#[rustfmt::skip]
fn iterators_and_streams() {
    let stop = &StopHandle::new();
    made(line!(), &[Adopted], || watertight::Adopted::new(0..3));
    made(line!(), &[Adopted], || (0..3).into_generator());
    made(line!(), &[Adopted], || (0..3).on_finish(hook));
    made(line!(), &[Adopted], || (0..3).stoppable());
    made(line!(), &[Adopted], || (0..3).stoppable_under(stop));
    made(line!(), &[Adopted], || (0..3).releasable());
    made(line!(), &[Adopted], || (0..3).releasable_under(stop));
    made(line!(), &[AdoptedStream], || watertight::AdoptedStream::new(stream::iter(0..3)));
    made(line!(), &[AdoptedStream], || StreamExt::into_generator(stream::iter(0..3)));
    made(line!(), &[AdoptedStream], || StreamExt::on_finish(stream::iter(0..3), hook));
    made(line!(), &[AdoptedStream], || StreamExt::releasable(stream::iter(0..3)));
    made(line!(), &[AdoptedStream], || StreamExt::releasable_under(stream::iter(0..3), stop));
    alone(|| {
        // A generator that is lent is the same one.
        let line = line!(); let mut lent = pin!(generator(one));
        drop(IteratorExt::<ByClosing>::stoppable(lent.as_mut()));
        are_of(line, &[Gen]);
    });
}

#[test]
#[rustfmt::skip]
fn buffers() {
    let stop = &StopHandle::new();
    let numbers = || 0..3;
    made(line!(), &[Prefetch, Adopted], || numbers().prefetch(N));
    made(line!(), &[Prefetch, Adopted], || numbers().prefetch_under(N, stop));
    made(line!(), &[Prefetch, Gen], || generator(one).prefetch(N));
    made(line!(), &[Prefetch, Gen], || generator(one).prefetch_under(N, stop));
    made(line!(), &[Prefetch, Gen], || generator(one).stoppable().0.prefetch(N));
    made(line!(), &[Prefetch, Gen], || watertight::Prefetch::new(generator(one), N));
    made(line!(), &[Prefetch, Gen], || watertight::Prefetch::under(generator(one), N, stop));
    made(line!(), &[Prefetch], || watertight::Prefetch::made_by(N, || generator(one)));
    made(line!(), &[Prefetch], || watertight::Prefetch::made_by_under(N, stop, || generator(one)));
    made(line!(), &[ThreadStream, Adopted], || numbers().prefetch(N).into_stream());
    made(line!(), &[Producer, Consumer], || bounded::<u8>(N, Overflow::Block));
    made(line!(), &[Producer, Consumer], || bounded::<u8>(N, Overflow::Error));
    made(line!(), &[Producer, Consumer], || bounded::<u8>(N, Overflow::DropOldest));
    made(line!(), &[Producer, Consumer], || bounded::<u8>(N, Overflow::DropNewest));
    made(line!(), &[Lookahead, Adopted], || numbers().lookahead(N));
    made(line!(), &[Lookahead, Gen], || generator(one).boxed().lookahead(N));
    made(line!(), &[Lookahead, Adopted], || watertight::Lookahead::new(numbers().into_generator(), N));
    made(line!(), &[Tee, Branch, Branch, Adopted], || numbers().tee(2, N, BLOCK));
    made(line!(), &[Tee, Branch, Branch, Adopted], || numbers().tee_local(2, N, BLOCK));
    made(line!(), &[Tee, Branch, Branch, Adopted], || numbers().tee_under(2, N, BLOCK, stop));
    made(line!(), &[Tee, Branch, Gen], || generator(one).tee(1, N, BLOCK));
    made(line!(), &[Tee, Branch, Gen], || generator(one).tee_local(1, N, BLOCK));
    made(line!(), &[Tee, Branch, Gen], || generator(one).tee_under(1, N, BLOCK, stop));
    made(line!(), &[Tee, Branch, Gen], || watertight::Branch::split(generator(one), 1, N, BLOCK));
    made(line!(), &[Tee, Branch, Gen], || watertight::Branch::split_under(generator(one), 1, N, BLOCK, stop));
    made(line!(), &[Tee, Branch, Gen], || LocalBranch::split_local(generator(one), 1, N, BLOCK));
    made(line!(), &[TaskStream, Driver], || prefetch_stream(stream::iter(0..3), N));
    made(line!(), &[TaskStream, Driver], || StreamExt::prefetch(stream::iter(0..3), N));
    made(line!(), &[TaskStream, Driver], || { let (s, d) = prefetch_stream(stream::iter(0..3), N); (s.under(stop), d) });
    made(line!(), &[TaskIter, Driver], || { let (s, d) = prefetch_stream(stream::iter(0..3), N); (s.into_blocking(), d) });
    made(line!(), &[TaskStream, Driver], || { let (s, d) = prefetch_stream(stream::iter(0..3), N); (s.into_blocking().into_stream(), d) });
    alone(|| {
        let line = line!(); let mut lent = pin!(generator(one)); let ahead = lent.as_mut().lookahead(N);
        are_of(line, &[Gen, Lookahead]);
        drop(ahead);
    });
    alone(|| {
        let line = line!(); let mut lent = pin!(try_generator(fallible)); let ahead = lent.as_mut().lookahead(N);
        are_of(line, &[TryGen, Lookahead]);
        drop(ahead);
    });
}

#[test]
#[rustfmt::skip]
fn scopes() {
    let stop = &StopHandle::new();
    alone(|| scope(|_| are_of(line!(), &[Scope])));
    alone(|| scope_under(stop, |_| are_of(line!(), &[Scope])));
    alone(|| scope(|s| { let _it = s.generator(one); are_of(line!(), &[Scope, Gen]) }));
    alone(|| scope(|s| { let _it = s.generator(one).erase(); are_of(line!(), &[Scope, Gen]) }));
    alone(|| scope(|s| { let _it = s.adopt(0..3); are_of(line!(), &[Scope, Adopted]) }));
    alone(|| scope(|s| { let _it = s.adopt_generator(try_generator(fallible)); are_of(line!(), &[Scope, TryGen]) }));
    alone(|| scope(|s| { let _it = s.stoppable(generator(one)); are_of(line!(), &[Scope, Gen]) }));
    alone(|| scope(|s| { let _it = s.releasable(generator(one)); are_of(line!(), &[Scope, Gen]) }));
    alone(|| scope(|s| { let _it = s.prefetch(N, 0..3); are_of(line!(), &[Scope, Prefetch, Adopted]) }));
    alone(|| scope(|s| { let _it = s.prefetch_generator(N, generator(one)); are_of(line!(), &[Scope, Prefetch, Gen]) }));
    alone(|| scope(|s| { let _it = s.prefetch_made_by(N, || generator(one)); are_of(line!(), &[Scope, Prefetch]) }));
    alone(|| scope(|s| { let _it = s.async_generator(one); are_of(line!(), &[Scope, AsyncGen]) }));
    alone(|| scope(|s| { let _it = s.async_generator(one).erase(); are_of(line!(), &[Scope, AsyncGen]) }));
    alone(|| scope(|s| { let _it = s.adopt_stream(stream::iter(0..3)); are_of(line!(), &[Scope, AdoptedStream]) }));
    alone(|| scope(|s| { let _it = s.adopt_async_generator(try_async_generator(fallible)); are_of(line!(), &[Scope, TryAsyncGen]) }));
    alone(|| scope(|s| { let _it = s.releasable_stream(async_generator(one)); are_of(line!(), &[Scope, AsyncGen]) }));
    alone(|| scope(|s| { s.defer(|| ()); are_of(line!(), &[Scope]) }));
}

/// A thread is known by what it runs, whoever starts it.
#[test]
#[rustfmt::skip]
fn threads() {
    alone(|| {
        let line = line!(); let mut numbers = (0_u64..).prefetch(N);
        numbers
            .start()
            .unwrap();
        are_of(line, &[Prefetch, Thread, Adopted]);
    });
    alone(|| {
        scope(|s| {
            let mut numbers = s.prefetch(N, 0_u64..);
            let line = line!() - 1;
            assert_eq!(numbers.next(), Some(0));
            let thread = crate::only(Thread);
            assert_eq!((thread.site().line(), thread.items()), (line, "u64"));
        });
    });
}

/// Adaptors that are pinned, and futures of a step, do not lose the line on the way.
#[test]
#[rustfmt::skip]
fn the_types_are_told() {
    alone(|| {
        let numbers: Pin<Box<watertight::Gen<u8, _>>> = Box::pin(generator(one));
        let told = crate::only(Gen);
        assert_eq!(told.items(), "u8");
        assert!(told.body().unwrap().contains("one"), "{told:?}");
        drop(numbers);
        let words = watertight::Adopted::new("a b".split(' '));
        let told = crate::only(Adopted);
        assert_eq!(told.items(), "&str");
        assert!(told.body().unwrap().contains("Split"), "{told:?}");
        drop(words);
        let buffer = (0..3).prefetch(N);
        assert_eq!((crate::only(Prefetch).items(), crate::only(Prefetch).body()), ("i32", None));
        drop(buffer);
    });
}
