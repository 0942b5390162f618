//! Bodies of every shape on the stack of a recursive generator: large, tiny, over-aligned, with large
//! and empty outputs. None disturbs another, whatever the order in which they come and go.
#![cfg(feature = "alloc")]

mod support;

use std::future::poll_fn;
use std::hint::black_box;
use std::pin::Pin;
use std::task::Poll;

use support::{Ledger, message, poll_once};
use watertight::GeneratorState::{Complete, Yielded};
use watertight::{RecursiveCo, recursive};

/// `N` bytes that are written and read.
struct Pattern<const N: usize>([u8; N]);

impl<const N: usize> Pattern<N> {
    fn new(seed: u8) -> Self {
        let mut bytes = [0; N];
        for (n, byte) in bytes.iter_mut().enumerate() {
            *byte = seed.wrapping_mul(31).wrapping_add(n as u8);
        }
        Pattern(black_box(bytes))
    }

    #[track_caller]
    fn check(&self, seed: u8) {
        assert!(self.0 == Pattern::<N>::new(seed).0, "the local of another body was written over");
    }
}

/// Holds `N` bytes while it yields, while its children run, and afterwards.
async fn sized<'a, const N: usize>(mut co: RecursiveCo<'a, u8>, depth: u8, sizes: &'a [usize]) {
    let local = Pattern::<N>::new(depth);
    co.yield_(depth).await;
    local.check(depth);
    if let Some((&size, rest)) = sizes.split_first() {
        for _ in 0..2 {
            match size {
                0 => co.yield_from(|co| sized::<0>(co, depth + 1, rest)).await,
                1 => co.yield_from(|co| sized::<1>(co, depth + 1, rest)).await,
                2 => co.yield_from(|co| sized::<100>(co, depth + 1, rest)).await,
                3 => co.yield_from(|co| sized::<900>(co, depth + 1, rest)).await,
                4 => co.yield_from(|co| sized::<5000>(co, depth + 1, rest)).await,
                _ => co.yield_from(|co| sized::<65536>(co, depth + 1, rest)).await,
            }
            local.check(depth);
        }
    }
    co.yield_(depth).await;
    local.check(depth);
}

/// What `sized` yields.
fn expected(depth: u8, levels: usize, items: &mut Vec<u8>) {
    items.push(depth);
    if levels > 0 {
        for _ in 0..2 {
            expected(depth + 1, levels - 1, items);
        }
    }
    items.push(depth);
}

#[test]
fn large_and_tiny_bodies_alternate() {
    let orders: [&[usize]; 6] = [
        &[5, 1, 5, 1, 5],
        &[1, 5, 0, 5, 1],
        &[0, 1, 2, 3, 4, 5],
        &[5, 4, 3, 2, 1, 0],
        &[3, 3, 3, 2, 4, 3],
        &[2; 6],
    ];
    for order in orders {
        let mut items = vec![];
        expected(0, order.len(), &mut items);
        assert!(recursive(|co| sized::<10>(co, 0, order)).eq(items), "{order:?}");
    }
}

/// Dropped at every point of the walk, in the middle of whatever pieces of memory are in use then.
#[test]
fn large_and_tiny_bodies_are_dropped_at_any_point() {
    let order = [5, 1, 4, 0];
    let mut items = vec![];
    expected(0, order.len(), &mut items);
    for pulled in 0..=items.len() {
        let mut walk = recursive(|co| sized::<1>(co, 0, &order));
        assert!(walk.by_ref().take(pulled).eq(items[..pulled].iter().copied()));
        assert!(walk.close());
    }
}

#[repr(align(64))]
struct Align64(u8);

#[repr(align(4096))]
struct Align4096(u8);

/// Two kinds of bodies with over-aligned locals, and one without, in turns.
async fn aligned(mut co: RecursiveCo<'_, usize>, depth: usize) {
    #[track_caller]
    fn check<T>(place: &T, seed: u8, is: u8) {
        assert_eq!(((&raw const *place).addr() % align_of::<T>(), seed), (0, is));
    }
    if depth == 12 {
        co.yield_(depth).await;
        return;
    }
    match depth % 3 {
        0 => {
            let local = black_box(Align64(depth as u8));
            co.yield_(depth).await;
            check(&local, local.0, depth as u8);
            co.yield_from(|co| aligned_again(co, depth + 1)).await;
            check(&local, local.0, depth as u8);
        }
        _ => co.yield_from(|co| aligned_again(co, depth + 1)).await,
    }
    co.yield_(depth).await;
}

/// With a local that the other kind does not have: the two have different alignments.
async fn aligned_again(mut co: RecursiveCo<'_, usize>, depth: usize) {
    if depth % 4 == 1 {
        co.yield_from(|co| page_aligned(co, depth)).await;
    }
    co.yield_from(|co| aligned(co, depth)).await;
}

async fn page_aligned(mut co: RecursiveCo<'_, usize>, depth: usize) {
    let local = black_box(Align4096(depth as u8));
    assert_eq!((&raw const local).addr() % 4096, 0);
    co.yield_(1000 + depth).await;
    co.yield_from(async move |mut co: RecursiveCo<usize>| co.yield_(2000 + depth).await).await;
    assert_eq!(((&raw const local).addr() % 4096, local.0), (0, depth as u8));
}

#[test]
fn over_aligned_bodies_are_aligned() {
    let items: Vec<usize> = recursive(|co| aligned(co, 0)).collect();
    let (pages, levels): (Vec<_>, Vec<_>) = items.into_iter().partition(|n| *n >= 1000);
    assert_eq!(pages, [1001, 2001, 1005, 2005, 1009, 2009]);
    let down = [0, 3, 6, 9, 12];
    assert!(levels.into_iter().eq(down.into_iter().chain((0..12).rev())));
}

#[test]
fn an_over_aligned_root_is_aligned() {
    let mut root = recursive(async |mut co: RecursiveCo<u32>| {
        let local = black_box(Align4096(7));
        co.yield_(1).await;
        assert_eq!(((&raw const local).addr() % 4096, local.0), (0, 7));
    });
    assert_eq!(root.next(), Some(1));
    let mut moved = std::iter::once(root).collect::<Vec<_>>();
    assert_eq!(moved[0].next(), None);
}

#[test]
fn outputs_of_any_size_reach_the_parent() {
    let mut root = recursive(async |mut co: RecursiveCo<u32, u32>| {
        let () = co.yield_from(async |_co| ()).await;
        let [] = co.yield_from(async |_co| [0_u64; 0]).await;
        let large = co.yield_from(async |_co| Pattern::<20_000>::new(3)).await;
        large.check(3);
        let aligned = co.yield_from(async |_co| Align64(5)).await;
        assert_eq!(aligned.0, 5);
        let text = co
            .yield_from(async |mut co: RecursiveCo<u32, u32>| {
                let answer = co.yield_(1).await;
                let inner = co.yield_from(async move |_co| vec![answer; 3]).await;
                format!("{inner:?}")
            })
            .await;
        // Larger than the body it takes the place of, and than what is left of the first piece.
        let mut larger = Vec::new();
        for seed in 0..20 {
            let local = co.yield_from(async move |_co| Pattern::<300>::new(seed)).await;
            larger.push(local);
        }
        larger.iter().zip(0..).for_each(|(pattern, seed)| pattern.check(seed));
        (text, large)
    });
    assert!(matches!(root.resume(0), Ok(Yielded(1))));
    let Ok(Complete((text, large))) = root.resume(7) else { panic!("it ends") };
    assert_eq!(text, "[7, 7, 7]");
    large.check(3);
}

/// How a body comes by a panic that it can catch while something is taken off the stack, or put there.
#[derive(Clone, Copy, Debug)]
enum Caught {
    /// It has sent a child and not waited for it. The child holds a bomb.
    Unrun,
    /// It has waited, and not taken the bomb that the child has ended with.
    Output,
    /// The closure panics.
    Closure,
}

/// A body that contains such a panic goes on. The child was the first in its piece of memory, which must
/// not be taken for the parent's after that.
async fn contains_a_panic(mut co: RecursiveCo<'_, u32>, ledger: Ledger, caught: Caught) {
    let bomb = ledger.bomb("bomb");
    let large = move |_co: RecursiveCo<u32>| {
        let large = Pattern::<3000>::new(1);
        if let Caught::Closure = caught {
            drop(bomb);
            unreachable!("that panics");
        }
        async move {
            large.check(1);
            (bomb, large)
        }
    };
    if let Caught::Closure = caught {
        let mut child = co.yield_from(large);
        assert!(catch_in_poll(&mut child).await.contains("the destructor"));
    } else {
        assert!(poll_once(&mut co.yield_from(large)).await.is_pending());
        if let Caught::Output = caught {
            let mut waited = false;
            poll_fn(|_| match std::mem::replace(&mut waited, true) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
        }
        assert_eq!(ledger.alive(), 1);
        let mut next = co.yield_from(async |_co| ());
        assert!(catch_in_poll(&mut next).await.contains("the destructor"));
        next.await; // It has not been sent, and can be.
    }
    assert_eq!(ledger.deaths(), ["bomb"]);
}

/// Polls once, which must panic, and gives the message.
async fn catch_in_poll<F: Future + Unpin>(future: &mut F) -> String {
    poll_fn(|cx| Poll::Ready(message(|| Pin::new(&mut *future).poll(cx)))).await
}

#[test]
fn a_panic_that_a_parent_can_catch_leaves_the_memory_in_order() {
    for caught in [Caught::Unrun, Caught::Output, Caught::Closure] {
        let root = recursive(async |mut co: RecursiveCo<u32>| {
            for round in 0..3 {
                let things = Ledger::new();
                let ledger = things.clone();
                co.yield_from(|co| contains_a_panic(co, ledger, caught)).await;
                things.assert_settled();
                // Fill what is left of the first piece of memory, and go beyond it.
                co.yield_from(|co| nested(co, round, 30)).await;
            }
        });
        assert_eq!(root.count(), 3 * 31, "{caught:?}");
    }
}

/// `depth` bodies of a few hundred bytes, one above the other.
async fn nested(mut co: RecursiveCo<'_, u32>, seed: u8, depth: u32) {
    let local = Pattern::<200>::new(seed);
    if depth > 0 {
        co.yield_from(|co| nested(co, seed.wrapping_add(1), depth - 1)).await;
    }
    co.yield_(depth).await;
    local.check(seed);
}
