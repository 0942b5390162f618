//! Cancel safety: the future of `next` is dropped at every point, and nothing is lost or repeated.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use watertight::{Co, async_generator, try_async_generator};

use crate::support::{Ledger, Thing, poll_once};
use crate::suspend;

/// One statement of a body.
#[derive(Clone, Copy, Debug)]
enum Do {
    Yield,
    /// Waits, suspended so many times.
    Suspend(usize),
    /// Yields while something else runs beside it, for so long.
    YieldBeside(usize),
    /// Sends a value and does not wait for the answer: the next statement follows in the same step.
    YieldAndLeave,
    /// Polls a yield twice in its step, as a `select!` does.
    YieldPolledTwice,
    /// Yields so many by `yield_all`.
    YieldAll(usize),
}

fn script() -> impl Strategy<Value = Vec<Do>> {
    let statement = prop_oneof![
        Just(Do::Yield),
        (0..4_usize).prop_map(Do::Suspend),
        (0..4_usize).prop_map(Do::YieldBeside),
        Just(Do::YieldAndLeave),
        Just(Do::YieldPolledTwice),
        (0..4_usize).prop_map(Do::YieldAll),
    ];
    prop::collection::vec(statement, 0..16)
}

/// How many values a body of this script yields.
fn yields(script: &[Do]) -> usize {
    let each = script.iter().map(|statement| match statement {
        Do::Suspend(_) => 0,
        Do::YieldAll(n) => *n,
        _ => 1,
    });
    each.sum()
}

async fn run(script: &[Do], ledger: &Ledger, co: &mut Co<(usize, Thing)>) {
    let _local = ledger.thing("local");
    let mut number = 0;
    let mut item = || {
        number += 1;
        (number - 1, ledger.thing("item"))
    };
    for &statement in script {
        match statement {
            Do::Yield => co.yield_(item()).await,
            Do::Suspend(times) => suspend(times).await,
            Do::YieldBeside(times) => {
                futures_util::join!(co.yield_(item()), suspend(times));
            }
            Do::YieldAndLeave => {
                let mut yielding = co.yield_(item());
                // Unless the value of such a one before it is still on its way.
                while poll_once(&mut yielding).await.is_pending() {
                    if format!("{yielding:?}").contains("unsent") {
                        suspend(1).await;
                    } else {
                        break;
                    }
                }
            }
            Do::YieldPolledTwice => {
                let mut yielding = co.yield_(item());
                assert!(poll_once(&mut yielding).await.is_pending());
                yielding.await;
            }
            Do::YieldAll(n) => {
                let items: Vec<_> = (0..n).map(|_| item()).collect();
                co.yield_all(items).await;
            }
        }
    }
}

/// Takes all items with one future after the other; each is dropped after so many polls that were
/// pending, in turn. Gives the items and the number of futures that were given up.
fn take_all<F: Future<Output = ()>>(
    mut generator: Pin<&mut watertight::AsyncGen<(usize, Thing), F>>,
    patience: &[usize],
) -> (Vec<usize>, usize) {
    let (mut items, mut given_up) = (vec![], 0);
    let mut cx = Context::from_waker(Waker::noop());
    let mut patience = patience.iter().copied().cycle();
    loop {
        let mut next = generator.next();
        let polls = patience.next().unwrap_or(1);
        match (0..polls).map(|_| Pin::new(&mut next).poll(&mut cx)).find(Poll::is_ready) {
            Some(Poll::Ready(Some((number, _thing)))) => items.push(number),
            Some(Poll::Ready(None)) => return (items, given_up),
            _ => given_up += 1, // And dropped.
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn g2_dropping_next_anywhere_loses_and_repeats_nothing(
        script in script(),
        // Zero: dropped before it was polled at all. The one at the end sees to progress.
        mut patience in prop::collection::vec(0..4_usize, 0..8),
    ) {
        patience.push(1);
        let ledger = Ledger::new();
        let mut generator = pin!(async_generator(async |mut co| {
            run(&script, &ledger, &mut co).await
        }));
        let (items, _) = take_all(generator.as_mut(), &patience);
        prop_assert_eq!(items, (0..yields(&script)).collect::<Vec<_>>());
        ledger.assert_settled();
    }

    #[test]
    fn g2_a_generator_dropped_anywhere_has_settled_everything(
        script in script(),
        polls in 0..40_usize,
        close in any::<bool>(),
    ) {
        let ledger = Ledger::new();
        let mut generator = Box::pin(async_generator(async |mut co| {
            run(&script, &ledger, &mut co).await
        }));
        let mut items = 0;
        for _ in 0..polls {
            if let Poll::Ready(Some((number, _thing))) = crate::poll(generator.as_mut()) {
                prop_assert_eq!(number, items);
                items += 1;
            }
        }
        if close {
            generator.as_mut().close_now();
            ledger.assert_settled();
        }
        drop(generator);
        ledger.assert_settled();
    }
}

#[test]
fn g2_each_single_suspension_can_be_the_last_one_of_a_future() {
    // One future for each poll: every suspension point of the body is one where `next` is dropped.
    let ledger = Ledger::new();
    let script = [
        Do::Suspend(3),
        Do::Yield,
        Do::YieldBeside(2),
        Do::Suspend(1),
        Do::YieldAll(2),
        Do::YieldPolledTwice,
        Do::Suspend(2),
    ];
    let mut generator =
        pin!(async_generator(async |mut co| { run(&script, &ledger, &mut co).await }));
    let (items, given_up) = take_all(generator.as_mut(), &[1]);
    assert_eq!(items, [0, 1, 2, 3, 4]);
    // Three, one of the two beside the yield, which the yield's own step has not taken, one, two.
    assert_eq!(given_up, 3 + 1 + 1 + 2);
    ledger.assert_settled();
}

#[test]
fn g2_a_dropped_next_loses_no_error() {
    let mut generator = pin!(try_async_generator(async |mut co: Co<u32>| {
        suspend(2).await;
        co.yield_(1).await;
        suspend(2).await;
        Err("failed")
    }));
    let mut cx = Context::from_waker(Waker::noop());
    let mut seen = vec![];
    while !generator.is_finished() {
        let mut next = generator.next();
        if let Poll::Ready(item) = Pin::new(&mut next).poll(&mut cx) {
            seen.push(item);
        }
    }
    assert_eq!(seen, [Some(Ok(1)), Some(Err("failed")), None]);
}

#[test]
fn g2_a_timeout_loses_no_item() {
    // The clock is the runtime's own and goes on only when all wait for it.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let millis = std::time::Duration::from_millis;
        let mut generator = pin!(async_generator(async |mut co: Co<u32>| {
            for n in 0..10 {
                tokio::time::sleep(millis(25)).await;
                co.yield_(n).await;
            }
        }));
        let (mut items, mut late) = (vec![], 0);
        loop {
            match tokio::time::timeout(millis(10), generator.next()).await {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(_) => late += 1,
            }
        }
        assert_eq!(items, (0..10).collect::<Vec<_>>());
        assert_eq!(late, 20);
    });
}

#[test]
#[cfg(feature = "stream")]
fn next_can_be_selected_on_as_it_is() {
    // `select!` wants to know whether a future may still be polled.
    let mut generator = pin!(async_generator(async |mut co: Co<u32>| {
        for n in 0..20 {
            suspend(n % 3).await;
            co.yield_(n as u32).await;
        }
    }));
    let (items, others) = smol::block_on(async {
        let (mut items, mut others) = (vec![], 0);
        loop {
            let mut other = pin!(futures_util::FutureExt::fuse(suspend(1)));
            futures_util::select_biased! {
                item = generator.next() => match item {
                    Some(item) => items.push(item),
                    None => break,
                },
                () = other => others += 1,
                complete => unreachable!("the end comes first"),
            }
        }
        (items, others)
    });
    assert_eq!(items, (0..20).collect::<Vec<_>>());
    assert!(others > 0, "some futures of `next` were dropped");
}
