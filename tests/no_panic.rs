//! Everything that ends a generator without a panic, as a plain program: `.ci/panic-abort` builds it with
//! `panic = "abort"`, where nothing is unwound and nothing can be caught. Cleanup is by destructors alone,
//! so it is the same there. `cargo test` runs it as it is.

mod support;

use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use support::threads::Watch;
use support::{Ledger, Thing, forget, holding};
use watertight::{
    Capacity, Cleanup, Co, IteratorExt, NextError, Outcome, Overflow, RecursiveCo, ScopedGen,
    StopHandle, async_generator, bounded, generator, prefetch_stream, recursive, scope,
    try_generator, with_cleanup,
};

const TWO: Capacity = Capacity::items(2);

type Case = (&'static str, fn(&Ledger));

fn main() {
    let cases: [Case; 12] = [
        ("early stop", early_stop),
        ("the end and an error", the_end),
        ("close", close),
        ("recursion", recursion),
        ("scope end", scope_end),
        ("stop handles", stop_handles),
        ("hooks", hooks),
        ("prefetch", prefetch),
        ("bounded", bounded_buffers),
        ("tee", tee),
        ("lookahead", lookahead),
        ("streams", streams),
    ];
    for (name, case) in cases {
        let ledger = Ledger::new();
        case(&ledger);
        assert!(ledger.born() > 0, "{name}");
        ledger.assert_settled();
    }
    let how = if cfg!(panic = "abort") { "abort" } else { "unwind" };
    println!("no_panic: panic={how} cases={} ok", cases.len());
}

fn early_stop(ledger: &Ledger) {
    for n in holding(ledger.thing("for")) {
        if n == 3 {
            break;
        }
    }
    let mut pinned = pin!(holding(ledger.thing("pinned")));
    assert_eq!(pinned.by_ref().take(3).sum::<u32>(), 3);
    let nested = generator(async |mut co: Co<u32>| {
        let _held = ledger.thing("outer");
        co.yield_all(pin!(holding(ledger.thing("inner")))).await;
    });
    assert_eq!(nested.into_iter().nth(5), Some(5));
    assert_eq!(ledger.deaths(), ["for", "inner", "outer"], "`pinned` is still there");
    assert!(pinned.as_mut().close());
}

fn the_end(ledger: &Ledger) {
    let mut fails = pin!(try_generator(async |mut co: Co<u32>| {
        let _held = ledger.thing("held");
        co.yield_(1).await;
        Err("failed")
    }));
    assert_eq!(fails.next(), Some(Ok(1)));
    assert_eq!((fails.next(), ledger.alive()), (Some(Err("failed")), 0));
    assert_eq!(fails.next(), None);
    let mut asks = pin!(generator(async |mut co: Co<(), Thing>| drop(co.argument().await)));
    assert!(asks.as_mut().resume(ledger.thing("taken")).is_ok());
    let back = asks.as_mut().resume(ledger.thing("back")).unwrap_err();
    assert_eq!(back.into_argument().name(), "back");
}

fn close(ledger: &Ledger) {
    for pulled in [0, 2] {
        let mut boxed = holding(ledger.thing("boxed")).boxed();
        assert_eq!(boxed.by_ref().take(pulled).count(), pulled);
        assert!(boxed.close());
        assert_eq!((boxed.next(), ledger.alive()), (None, 0));
        assert!(!boxed.close());
    }
}

fn recursion(ledger: &Ledger) {
    async fn down(mut co: RecursiveCo<'_, u32>, ledger: Ledger, depth: u32) {
        let _held = ledger.thing("level");
        if depth > 0 {
            co.yield_from(|co| down(co, ledger.clone(), depth - 1)).await;
        }
        co.yield_(depth).await;
    }
    let mut levels = recursive(|co| down(co, ledger.clone(), 10_000));
    assert_eq!((levels.next(), levels.next()), (Some(0), Some(1)));
    assert_eq!(ledger.alive(), 10_000, "all but the deepest");
    drop(levels);
}

type Kept<'scope> = (ScopedGen<'scope, &'scope i32>, Rc<Cycle<'scope>>);

#[derive(Default)]
struct Cycle<'scope>(RefCell<Option<Kept<'scope>>>);

fn scope_end(ledger: &Ledger) {
    let numbers = vec![1, 2, 3];
    let order = scope(|s| {
        s.defer(|| drop(ledger.thing("deferred")));
        let mut forgotten = s.adopt_generator(holding(ledger.thing("forgotten")));
        forgotten.next();
        std::mem::forget(forgotten);
        let mut borrows = s.generator(async |mut co: Co<&i32>| {
            let _held = ledger.thing("borrows");
            co.yield_all(&numbers).await;
        });
        borrows.next();
        // In a cycle that nobody breaks.
        let cycle = Rc::new(Cycle::default());
        *cycle.0.borrow_mut() = Some((borrows.erase(), cycle.clone()));
        forget(Rc::as_ptr(&cycle).addr());
        ledger.alive()
    });
    assert_eq!((order, ledger.deaths()), (2, vec!["borrows", "forgotten", "deferred"]));
}

fn stop_handles(ledger: &Ledger) {
    let group = StopHandle::new();
    let mut releasable = holding(ledger.thing("releasable")).releasable_under(&group);
    let mut stoppable = holding(ledger.thing("stoppable")).boxed().stoppable_under(&group);
    assert_eq!((releasable.next(), stoppable.next()), (Some(0), Some(0)));
    let stop = group.clone();
    assert!(thread::spawn(move || stop.stop()).join().unwrap());
    assert_eq!(ledger.deaths(), ["releasable"]);
    assert_eq!((releasable.next(), stoppable.next()), (None, None));
    assert_eq!(group.wait(), Ok(Outcome::Stopped));
    assert!(!group.stop());
    let (forgotten, stop) = holding(ledger.thing("forgotten")).releasable();
    forget(forgotten);
    assert!(stop.stop());
}

fn hooks(ledger: &Ledger) {
    let mut told = vec![];
    {
        let mut held = pin!(holding(ledger.thing("closed")).on_finish(|how| told.push(how)));
        held.next();
        assert!(held.as_mut().close());
    }
    drop(holding(ledger.thing("dropped")).on_finish(|how| told.push(how)));
    generator(async |mut co: Co<Thing>| co.yield_(ledger.thing("item")).await)
        .boxed_local()
        .on_finish(|how| told.push(how))
        .for_each(drop);
    assert_eq!(told, [Outcome::Stopped, Outcome::Dropped, Outcome::Completed]);
}

fn prefetch(ledger: &Ledger) {
    let (watch, things) = (Watch::new(), ledger.clone());
    let mut items = watch.source(move |_| Some(things.thing("item"))).prefetch(TWO);
    assert!(items.next().is_some());
    drop(items);
    watch.assert_over();

    let text = String::from("one two three");
    scope(|s| {
        let _held = ledger.thing("closure");
        let words = s.prefetch(TWO, text.split(' '));
        let mut lengths = s.prefetch(TWO, words.map(str::len));
        assert_eq!(lengths.next(), Some(3));
        forget(lengths);
    });

    let group = StopHandle::new();
    let mut numbers = holding(ledger.thing("held")).prefetch_under(TWO, &group);
    assert_eq!(numbers.next(), Some(0));
    assert!(group.stop());
    assert_eq!((group.wait(), numbers.next()), (Ok(Outcome::Stopped), None));
}

fn bounded_buffers(ledger: &Ledger) {
    for policy in [Overflow::Block, Overflow::Error, Overflow::DropOldest, Overflow::DropNewest] {
        let (mut producer, mut consumer) = bounded(TWO, policy);
        producer.push(ledger.thing("taken")).unwrap();
        producer.push(ledger.thing("left")).unwrap();
        assert_eq!(consumer.try_next().unwrap().name(), "taken");
        assert!(consumer.close());
        assert_eq!(producer.push(ledger.thing("back")).unwrap_err().into_value().name(), "back");
        assert_eq!(consumer.try_next().map(|_| ()), Err(NextError::Ended));
    }
    let (mut producer, consumer) = bounded(TWO, Overflow::Block);
    let pushing = thread::spawn({
        let things = ledger.clone();
        move || while producer.push(things.thing("pushed")).is_ok() {}
    });
    assert_eq!(consumer.take(100).count(), 100);
    pushing.join().unwrap();
}

fn tee(ledger: &Ledger) {
    let things = ledger.clone();
    let source = (0..1000).map(move |_| things.thing("item"));
    let [mut ahead, behind, never] =
        source.tee(3, TWO, Overflow::DropOldest).try_into().unwrap_or_else(|_| unreachable!());
    let reading = thread::spawn(move || behind.take(10).count());
    assert_eq!(ahead.by_ref().take(100).count(), 100);
    drop(never);
    assert!(reading.join().unwrap() <= 10);
    assert!(ahead.close());
}

fn lookahead(ledger: &Ledger) {
    let things = ledger.clone();
    let mut items = (0..10).map(move |_| things.thing("item")).lookahead(Capacity::items(4));
    assert!(items.peek_nth(3).is_some());
    assert!(items.next().is_some());
    drop(items);
}

fn streams(ledger: &Ledger) {
    let mut cx = Context::from_waker(Waker::noop());
    let things = ledger.clone();
    let (mut stuck, stop) = async_generator(async move |mut co: Co<u32>| {
        let _held = things.thing("stuck");
        co.yield_(1).await;
        std::future::pending::<()>().await;
    })
    .releasable();
    assert_eq!(Pin::new(&mut stuck.next()).poll(&mut cx), Poll::Ready(Some(1)));
    assert!(Pin::new(&mut stuck.next()).poll(&mut cx).is_pending());
    assert!(stop.stop());
    assert_eq!(Pin::new(&mut stuck.next()).poll(&mut cx), Poll::Ready(None));

    let things = ledger.clone();
    let ahead = async_generator(async move |mut co: Co<Thing>| {
        for _ in 0..10 {
            co.yield_(things.thing("item")).await;
        }
    });
    let (mut items, driver) = prefetch_stream(ahead, TWO);
    let mut driver = Box::pin(driver);
    assert!(driver.as_mut().poll(&mut cx).is_pending());
    assert!(items.next_now().is_ok());
    assert!(items.close_now());
    assert!(driver.as_mut().poll(&mut cx).is_ready());

    let ran = AtomicUsize::new(0);
    let mut cleaned = pin!(with_cleanup(|cleanup: Cleanup<'_>| {
        let ran = &ran;
        async_generator(async move |mut co: Co<u32>| {
            cleanup.defer(async move {
                ran.fetch_add(1, Ordering::Relaxed);
            });
            co.yield_(1).await;
        })
    }));
    assert_eq!(pin!(cleaned.next()).poll(&mut cx), Poll::Ready(Some(1)));
    assert_eq!(pin!(cleaned.as_mut().close()).poll(&mut cx), Poll::Ready(Outcome::Stopped));
    assert_eq!(ran.load(Ordering::Relaxed), 1);
}
