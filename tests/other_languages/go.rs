//! Go: `iter.Pull` turns a function that pushes into one that is pulled, with a `next` and a `stop`. The
//! cases are those of [`src/iter/pull_test.go`](https://github.com/golang/go/blob/master/src/iter/pull_test.go)
//! (BSD licence, The Go Authors), for generators, and, where it is about goroutines, for a `prefetch`,
//! which has a thread.
//!
//! Left out: `Pull2` has pairs for values; here a pair is a value. That a leaked `next` is reported by
//! the race detector has no counterpart: a generator that is forgotten is inert.

use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use watertight::{
    BoxGen, Capacity, Co, IteratorExt, LocalBoxGen, NextError, Prefetch, StopHandle, generator,
};

use crate::support::threads::{Event, Watch, in_time, until};
use crate::support::{Ledger, Thing, catch, message};

fn count(ledger: &Ledger, n: usize) -> BoxGen<'static, usize> {
    let held = ledger.thing("held");
    generator(async move |mut co: Co<usize>| {
        let _held = held;
        co.yield_all(0..n).await;
    })
    .boxed()
}

/// `TestPull`: so many values, then stop, then `next` twice, then stop three times more.
#[test]
fn pull() {
    for end in 0..=3 {
        let ledger = Ledger::new();
        let mut numbers = count(&ledger, 3);
        for n in 0..end {
            assert_eq!((numbers.next(), ledger.alive()), (Some(n), 1));
        }
        if end < 3 {
            assert!(numbers.close());
            assert_eq!(ledger.alive(), 0);
        }
        for _ in 0..2 {
            assert_eq!((numbers.next(), ledger.alive()), (None, 0));
        }
        for _ in 0..3 {
            assert!(!numbers.close());
        }
        ledger.assert_settled();
    }
}

/// The same with a stop handle, of which Go's `stop` is one.
#[test]
fn pull_with_a_stop_handle() {
    for end in 0..=3 {
        let ledger = Ledger::new();
        let (mut numbers, stop) = count(&ledger, 3).releasable();
        for n in 0..end {
            assert_eq!((numbers.next(), ledger.alive()), (Some(n), 1));
        }
        assert!(stop.stop(), "the end has not been seen");
        assert_eq!(ledger.alive(), 0);
        for _ in 0..3 {
            assert_eq!(numbers.next(), None);
            assert!(!stop.stop());
        }
    }
}

/// The same with a thread, where Go has a goroutine: it is there from the first `next` on, and is over
/// when the stop has been waited for.
#[test]
fn pull_counts_goroutines() {
    in_time(|| {
        for end in 0..=3 {
            let (watch, group) = (Watch::new(), StopHandle::new());
            let source = watch.source(|n| (n < 3).then_some(n));
            let mut numbers = source.prefetch_under(Capacity::items(1), &group);
            for n in 0..end {
                assert_eq!(numbers.next(), Some(n));
            }
            group.stop();
            group.wait().unwrap();
            for _ in 0..2 {
                assert_eq!(numbers.next(), None);
            }
            assert!(!numbers.close());
            assert!(!group.stop());
            if end == 0 { watch.assert_unused() } else { watch.assert_over() }
        }
    });
}

/// `TestPullDoubleNext`: `next` from inside the iterator.
///
/// Go panics. Here a pinned generator cannot be named inside its body, and one behind a `RefCell` is
/// borrowed.
#[test]
fn double_next() {
    let slot: Rc<RefCell<Option<LocalBoxGen<'static, u32>>>> = Rc::default();
    let inside = slot.clone();
    let numbers = generator(async move |mut co: Co<u32>| {
        assert!(inside.try_borrow_mut().is_err(), "it is being pulled");
        co.yield_(1).await;
    });
    *slot.borrow_mut() = Some(numbers.boxed_local());
    assert_eq!(slot.borrow_mut().as_mut().unwrap().next(), Some(1));
    assert_eq!(slot.borrow_mut().as_mut().unwrap().next(), None);
    drop(slot.take());
}

/// The same for a thread's handle, which its own source has got hold of: it may ask, and there is nothing.
#[test]
fn double_next_of_a_prefetch() {
    in_time(|| {
        let slot: Arc<Mutex<Option<Prefetch<'static, u32>>>> = Arc::default();
        let (inside, there) = (slot.clone(), Event::default());
        let ready = there.clone();
        let mut numbers = std::iter::from_fn(move || {
            ready.wait();
            let mut inside = inside.lock().unwrap();
            let numbers = inside.as_mut()?;
            assert_eq!(numbers.try_next(), Err(NextError::Empty));
            Some(1)
        })
        .prefetch(Capacity::items(1));
        numbers.start().unwrap();
        *slot.lock().unwrap() = Some(numbers);
        there.set();
        until(|| slot.lock().unwrap().as_ref().unwrap().stats().buffered == 1);
        let mut numbers = slot.lock().unwrap().take().unwrap();
        assert_eq!((numbers.next(), numbers.next()), (Some(1), None));
    });
}

/// `TestPullDoubleYield`: the yield function is kept, and called when nobody pulls.
#[test]
fn double_yield() {
    let ledger = Ledger::new();
    let kept: RefCell<Option<Co<Thing>>> = RefCell::new(None);
    let mut things = pin!(generator(async |mut co: Co<Thing>| {
        co.yield_(ledger.thing("one")).await;
        *kept.borrow_mut() = Some(co);
        std::future::pending::<()>().await;
    }));
    assert!(things.next().is_some());
    assert!(message(|| things.next()).contains("AsyncGen"), "it waits for something else");
    let mut yields = kept.take().unwrap();
    let mut late = yields.yield_(ledger.thing("late"));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(message(|| Pin::new(&mut late).poll(&mut cx)).contains("outside the body"));
    drop(late);
    assert!(!things.as_mut().close());
    ledger.assert_settled();
}

fn panics(ledger: &Ledger) -> BoxGen<'static, u32> {
    let held = ledger.thing("held");
    generator(async move |mut co: Co<u32>| {
        let _held = held;
        if std::hint::black_box(true) {
            panic!("boom");
        }
        co.yield_(1).await;
    })
    .boxed()
}

/// `TestPullPanic/next`: the body's panic reaches `next`, once; then it is over.
#[test]
fn panic_in_next() {
    let ledger = Ledger::new();
    let mut numbers = panics(&ledger);
    assert_eq!(message(|| numbers.next()), "boom");
    ledger.assert_settled();
    assert_eq!(numbers.next(), None);
    assert!(!numbers.close());
}

/// `TestPullPanic/stop`: in Go a stop before the first `next` runs the body, which may panic then.
///
/// Here it runs no body. What can panic in a stop is a destructor.
#[test]
fn panic_in_stop() {
    let ledger = Ledger::new();
    let mut numbers = panics(&ledger);
    assert!(numbers.close());
    ledger.assert_settled();
    assert_eq!(numbers.next(), None);

    let bomb = ledger.bomb("bomb");
    let mut numbers = generator(async move |mut co: Co<u32>| {
        let _bomb = bomb;
        co.yield_all(0..).await;
    })
    .boxed();
    assert_eq!(numbers.next(), Some(0));
    assert!(message(|| numbers.close()).contains("`bomb`"));
    assert_eq!(numbers.next(), None);
    assert!(!numbers.close());
    ledger.assert_settled();
}

/// `stop` from inside the iterator, which in Go is a panic, too: here the step goes on, what it yields is
/// delivered, and that is the end.
#[test]
fn stop_inside_next() {
    let ledger = Ledger::new();
    let held = ledger.thing("held");
    let group = StopHandle::new();
    let stop = group.clone();
    let mut numbers = generator(async move |mut co: Co<u32>| {
        let _held = held;
        assert!(stop.stop());
        assert!(!stop.stop());
        co.yield_(1).await;
        unreachable!("it is not resumed");
    })
    .releasable_under(&group);
    assert_eq!((numbers.next(), ledger.alive()), (Some(1), 0));
    assert_eq!(numbers.next(), None);
}

/// A `Pull` of a `Pull`, as a zip is written in Go: both ends are stopped, whichever comes first.
#[test]
fn nested() {
    for pulls in 0..=4 {
        let ledger = Ledger::new();
        let (left, right) = (count(&ledger, 3), count(&ledger, 5));
        let mut zip = generator(async |mut co: Co<(usize, usize)>| {
            let (mut left, mut right) = (left, right);
            while let (Some(left), Some(right)) = (left.next(), right.next()) {
                co.yield_((left, right)).await;
            }
        })
        .boxed_local();
        for n in 0..pulls {
            assert_eq!(zip.next(), (n < 3).then_some((n, n)));
        }
        assert_eq!(ledger.alive(), if pulls == 4 { 0 } else { 2 });
        assert_eq!(zip.close(), pulls < 4);
        ledger.assert_settled();
    }
}

/// A consumer that panics in a range-over-func loop: in Go the panic passes through the iterator, whose
/// deferred calls run. Here the consumer's panic drops the generator.
#[test]
fn a_panic_of_the_consumer() {
    let ledger = Ledger::new();
    let payload = catch(|| {
        for n in count(&ledger, 3) {
            assert!(n < 1, "enough");
        }
    });
    assert!(payload.downcast::<&str>().unwrap().contains("enough"));
    ledger.assert_settled();
}
