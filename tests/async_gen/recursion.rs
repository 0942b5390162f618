//! Recursive generators whose bodies wait for other things.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use watertight::{PollNext, RecursiveCo, async_recursive, recursive, try_async_recursive};

use super::support::Ledger;
use super::{Wakes, all, poll, ready, suspend};

/// A tree whose nodes wait so often before they yield, and before they delegate.
#[derive(Clone, Debug)]
struct Node {
    value: u32,
    waits: (usize, usize),
    children: Vec<Node>,
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = (any::<u32>(), (0..3_usize, 0..3_usize)).prop_map(|(value, waits)| Node {
        value,
        waits,
        children: vec![],
    });
    leaf.prop_recursive(6, 40, 4, |inner| {
        (any::<u32>(), (0..3_usize, 0..3_usize), prop::collection::vec(inner, 0..4))
            .prop_map(|(value, waits, children)| Node { value, waits, children })
    })
}

/// Yields all values in order, and gives their number.
async fn walk<'a>(mut co: RecursiveCo<'a, u32>, node: &'a Node, ledger: Ledger) -> usize {
    let _local = ledger.thing("local");
    suspend(node.waits.0).await;
    co.yield_(node.value).await;
    let mut count = 1;
    for child in &node.children {
        suspend(node.waits.1).await;
        count += co.yield_from(|co| walk(co, child, ledger.clone())).await;
    }
    count
}

fn in_order(node: &Node, values: &mut Vec<u32>) {
    values.push(node.value);
    node.children.iter().for_each(|child| in_order(child, values));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_walk_that_waits_gives_what_one_that_does_not_gives(tree in node()) {
        let ledger = Ledger::new();
        let mut expected = Vec::new();
        in_order(&tree, &mut expected);
        let mut walked = async_recursive(async |mut co| {
            let count = co.yield_from(|co| walk(co, &tree, ledger.clone())).await;
            assert_eq!(count, expected.len());
        });
        prop_assert_eq!(all(Pin::new(&mut walked)), expected.clone());
        prop_assert!(walked.is_finished());
        prop_assert_eq!(walked.allocated(), 0);
        ledger.assert_settled();
    }

    #[test]
    fn one_that_is_dropped_at_any_suspension_releases_all_levels(tree in node(), polls in 0..60_usize) {
        let ledger = Ledger::new();
        let mut walked = async_recursive(async |mut co| {
            co.yield_from(|co| walk(co, &tree, ledger.clone())).await;
        });
        let mut items = Vec::new();
        for _ in 0..polls {
            // The future of `next` is dropped after each poll: nothing is lost by it.
            let mut next = pin!(walked.next());
            match next.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Some(item)) => items.push(item),
                Poll::Ready(None) => break,
                Poll::Pending => {}
            }
        }
        let mut expected = Vec::new();
        in_order(&tree, &mut expected);
        prop_assert_eq!(&items[..], &expected[..items.len()]);
        prop_assert_eq!(ledger.alive() == 0, walked.is_finished() || ledger.born() == 0);
        drop(walked);
        ledger.assert_settled();
    }
}

#[test]
fn only_the_body_on_top_is_polled_and_the_caller_is_woken_for_it() {
    let polls = AtomicUsize::new(0);
    let (wakes, waker) = Wakes::new();
    let mut generator = async_recursive(async |mut co: RecursiveCo<u32>| {
        let child = co.yield_from(async |mut co| {
            suspend(2).await;
            co.yield_(1).await;
        });
        // Counts how often the parent is polled.
        let mut child = pin!(child);
        poll_fn(|cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            child.as_mut().poll(cx)
        })
        .await;
    });
    let mut cx = Context::from_waker(&waker);
    for woken in 1..=2 {
        assert_eq!(Pin::new(&mut generator).poll_next(&mut cx), Poll::Pending);
        assert_eq!(wakes.count(), woken);
    }
    assert_eq!(Pin::new(&mut generator).poll_next(&mut cx), Poll::Ready(Some(1)));
    assert_eq!(polls.load(Ordering::Relaxed), 1); // When it has sent the child.
    assert_eq!(Pin::new(&mut generator).poll_next(&mut cx), Poll::Ready(None));
    assert_eq!(polls.load(Ordering::Relaxed), 2); // When the child has ended.
}

/// It may wait for something else first, and take the output in a later poll.
#[test]
fn an_output_waits_for_a_parent_that_waits_for_something_else() {
    let ledger = Ledger::new();
    let mut generator = async_recursive(async |mut co: RecursiveCo<&str>| {
        let mut child = pin!(co.yield_from(async |_co| ledger.thing("output")));
        let mut polled = 0;
        let output = poll_fn(|cx| {
            polled += 1;
            // The child has ended when this is polled for the second time.
            if polled == 2 { Poll::Pending } else { child.as_mut().poll(cx) }
        })
        .await;
        co.yield_(output.name()).await;
    });
    assert!(poll(Pin::new(&mut generator)).is_pending());
    assert_eq!(ledger.alive(), 1);
    assert_eq!(ready(Pin::new(&mut generator)), Some("output"));
    assert_eq!(ready(Pin::new(&mut generator)), None);
    ledger.assert_settled();
}

#[test]
fn an_error_from_below_is_the_last_item_and_comes_after_the_release() {
    async fn below(mut co: RecursiveCo<'_, u32>, ledger: Ledger) -> Result<(), &'static str> {
        let _local = ledger.thing("below");
        co.yield_(1).await;
        suspend(1).await;
        Err("it has failed")
    }
    let ledger = Ledger::new();
    let mut generator = try_async_recursive(async |mut co: RecursiveCo<u32>| {
        let _local = ledger.thing("root");
        co.yield_from(|co| below(co, ledger.clone())).await?;
        co.yield_(2).await;
        Ok(())
    });
    assert_eq!(ready(Pin::new(&mut generator)), Some(Ok(1)));
    assert!(poll(Pin::new(&mut generator)).is_pending());
    assert_eq!(ready(Pin::new(&mut generator)), Some(Err("it has failed")));
    assert_eq!(ledger.deaths(), ["below", "root"]);
    assert!(!generator.is_finished());
    assert_eq!(ready(Pin::new(&mut generator)), None);
    assert!(generator.is_finished());
}

#[test]
fn closing_releases_all_levels_deepest_first() {
    let ledger = Ledger::new();
    let mut generator = async_recursive(async |mut co: RecursiveCo<u32>| {
        let _local = ledger.thing("root");
        co.yield_from(async |mut co| {
            let _local = ledger.thing("child");
            suspend(9).await;
            co.yield_(1).await;
        })
        .await;
    });
    assert!(poll(Pin::new(&mut generator)).is_pending());
    assert_eq!(generator.depth(), 1);
    assert!(generator.close_now());
    assert_eq!(ledger.deaths(), ["child", "root"]);
    assert!(!generator.close_now());
    assert_eq!(ready(Pin::new(&mut generator)), None);
}

/// The same function serves both, as long as it does not wait.
#[test]
fn bodies_that_do_not_wait_serve_both_kinds() {
    async fn count(mut co: RecursiveCo<'_, u32>, n: u32) {
        if n > 0 {
            co.yield_from(|co| count(co, n - 1)).await;
            co.yield_(n).await;
        }
    }
    let mut stream = async_recursive(|co| count(co, 1000));
    let items = all(Pin::new(&mut stream));
    assert!(recursive(|co| count(co, 1000)).eq(items));
}

/// Each level reads something that another task answers, on whatever thread.
#[cfg(feature = "std")]
#[test]
fn one_that_is_spawned_changes_threads_at_any_depth() {
    #[allow(clippy::manual_async_fn, reason = "an async fn cannot promise this of itself")]
    fn dive(
        mut co: watertight::SendRecursiveCo<'_, u32>,
        depth: u32,
    ) -> impl Future<Output = u32> + Send {
        async move {
            let answer = tokio::spawn(async move {
                tokio::task::yield_now().await;
                depth * 2
            });
            co.yield_(answer.await.expect("the task ends")).await;
            match depth {
                0 => 1,
                _ => 1 + co.yield_from(|co| dive(co, depth - 1)).await,
            }
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let items = runtime.block_on(async {
        let walking = tokio::spawn(async {
            let mut generator = watertight::async_recursive_send(async |mut co| {
                assert_eq!(co.yield_from(|co| dive(co, 200)).await, 201);
            });
            let mut items = Vec::new();
            while let Some(item) = generator.next().await {
                items.push(item);
            }
            items
        });
        walking.await.expect("the task ends")
    });
    assert!(items.into_iter().eq((0..=200).rev().map(|depth| depth * 2)));
}
