//! Kernels whose instructions are counted, by `.ci/instructions`. Each is run with 2,000 items and with
//! 12,000, both times between two marks; its name is printed.
//!
//! Each body is expanded afresh for each kernel: it is inlined only where it is used once.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use watertight::{
    Capacity, Co, GeneratorState, RecursiveCo, SendRecursiveCo, async_generator, generator,
    recursive, recursive_send, scope, try_generator,
};

macro_rules! range {
    ($items:ident) => {
        generator(async move |mut co| {
            for n in 0..$items {
                co.yield_(n).await;
            }
        })
    };
}

fn step(mut x: u64) -> u64 {
    x ^= x << 13;
    x ^= x >> 7;
    x ^ (x << 17)
}

macro_rules! xorshift {
    ($items:ident) => {{
        let mut x: u64 = black_box(7);
        generator(async move |mut co| {
            for _ in 0..$items {
                x = step(x);
                co.yield_(x).await;
            }
        })
    }};
}

fn xorshift_by_hand(items: u64) -> impl Iterator<Item = u64> {
    let mut x: u64 = black_box(7);
    (0..items).map(move |_| {
        x = step(x);
        x
    })
}

/// A body too large to be inlined in each of several callers: it has to have only one.
macro_rules! large {
    ($items:ident) => {{
        let mut x: u64 = black_box(7);
        generator(async move |mut co| {
            for _ in 0..$items / 4 {
                x ^= x << 13;
                co.yield_(x).await;
                x ^= x >> 7;
                co.yield_(x).await;
                x ^= x << 17;
                co.yield_(x).await;
                x ^= x >> 5;
                co.yield_(x).await;
            }
        })
    }};
}

/// Yields at the given depth.
async fn at_depth(mut co: RecursiveCo<'_, u64>, depth: u32, items: u64) {
    if depth > 0 {
        co.yield_from(|co| at_depth(co, depth - 1, items)).await;
    } else {
        for n in 0..items {
            co.yield_(n).await;
        }
    }
}

/// A balanced tree, in order, without a tree.
async fn in_order(mut co: RecursiveCo<'_, u64>, from: u64, to: u64) {
    if from < to {
        let middle = (from + to) / 2;
        co.yield_from(|co| in_order(co, from, middle)).await;
        co.yield_(middle).await;
        co.yield_from(|co| in_order(co, middle + 1, to)).await;
    }
}

/// The same, for a generator that can go to another thread.
#[allow(clippy::manual_async_fn)] // It has to say that it is `Send`.
fn send_in_order(
    mut co: SendRecursiveCo<'_, u64>,
    from: u64,
    to: u64,
) -> impl Future<Output = ()> + Send {
    async move {
        if from < to {
            let middle = (from + to) / 2;
            co.yield_from(|co| send_in_order(co, from, middle)).await;
            co.yield_(middle).await;
            co.yield_from(|co| send_in_order(co, middle + 1, to)).await;
        }
    }
}

/// The same, as one would write it by hand: a frame for each level, with the step it is at.
fn in_order_by_hand(to: u64) -> impl Iterator<Item = u64> {
    let mut frames = vec![(0, to, 0)];
    std::iter::from_fn(move || {
        loop {
            let (from, to, step) = frames.last_mut()?;
            let (from, to, middle) = (*from, *to, (*from + *to) / 2);
            *step += 1;
            match *step {
                _ if from == to => _ = frames.pop(),
                1 => frames.push((from, middle, 0)),
                2 => return Some(middle),
                3 => frames.push((middle + 1, to, 0)),
                _ => _ = frames.pop(),
            }
        }
    })
}

#[inline(always)]
fn parity(items: impl Iterator<Item = u64>) -> u64 {
    let mut parity = 0;
    for item in items {
        parity ^= item;
    }
    parity
}

/// Calls `run` as often, each time with a number of items that the compiler does not know.
#[inline(always)]
fn each(times: u64, mut run: impl FnMut(u64) -> u64) -> u64 {
    let mut parity = 0;
    for _ in 0..times {
        parity ^= run(black_box(1_000));
    }
    parity
}

macro_rules! kernels {
    ($($name:ident($items:ident) $body:block)*) => {
        $(#[inline(never)]
        fn $name($items: u64) -> u64 $body)*

        const KERNELS: &[(&str, fn(u64) -> u64)] = &[$((stringify!($name), $name)),*];
    };
}

kernels! {
    range_by_hand(n) { parity(0..n) }
    range_pinned(n) { parity(pin!(range!(n))) }
    range_scoped(n) { scope(|s| parity(s.adopt_generator(range!(n)))) }
    xorshift_stoppable(n) { parity(pin!(xorshift!(n).stoppable().0)) }
    large_boxed(n) { parity(large!(n).into_iter()) }
    large_scoped(n) { scope(|s| parity(s.adopt_generator(large!(n)))) }
    xorshift_pinned(n) { parity(pin!(xorshift!(n))) }
    xorshift_boxed(n) { parity(xorshift!(n).into_iter()) }
    xorshift_scoped(n) { scope(|s| parity(s.adopt_generator(xorshift!(n)))) }
    at_depth_10(n) { parity(recursive(|co| at_depth(co, 10, n))) }
    at_depth_10000(n) { parity(recursive(|co| at_depth(co, 10_000, n))) }
    tree_recursive(n) { parity(recursive(|co| in_order(co, 0, n))) }
    tree_by_hand(n) { parity(in_order_by_hand(n)) }
    xorshift_releasable(n) { parity(xorshift!(n).releasable().0) }
    xorshift_erased(n) { scope(|s| parity(black_box(s.adopt_generator(xorshift!(n)).erase()))) }
    xorshift_box_gen(n) { parity(black_box(xorshift!(n).boxed())) }
    xorshift_box_dyn(n) {
        let items: Box<dyn Iterator<Item = u64>> = Box::new(xorshift!(n).into_iter());
        parity(black_box(items))
    }
    by_hand_box_dyn(n) {
        let items: Box<dyn Iterator<Item = u64>> = Box::new(xorshift_by_hand(n));
        parity(black_box(items))
    }
    short_pinned(n) { each(n, |items| parity(pin!(xorshift!(items)).take(3))) }
    short_boxed(n) { each(n, |items| parity(xorshift!(items).into_iter().take(3))) }
    short_box_gen(n) { each(n, |items| parity(black_box(xorshift!(items).boxed()).take(3))) }
    short_scoped(n) {
        scope(|s| each(n, |items| parity(s.adopt_generator(xorshift!(items)).take(3))))
    }
    short_stoppable(n) { each(n, |items| parity(xorshift!(items).into_iter().stoppable().0.take(3))) }
    delegated(n) {
        parity(pin!(generator(async move |mut co: Co<u64>| {
            co.yield_all(pin!(xorshift!(n))).await
        })))
    }
    fallible(n) {
        let items = pin!(try_generator(async move |mut co: Co<u64>| {
            let mut left: u64 = black_box(n);
            loop {
                co.yield_(left).await;
                left = left.checked_sub(1).filter(|left| *left > 0).ok_or(())?;
            }
        }));
        parity(items.map(|item: Result<u64, ()>| item.unwrap_or(0)))
    }
    resumed(n) {
        let mut average = pin!(generator(async |mut co: Co<u64, u64>| {
            let mut average: u64 = 0;
            loop {
                let sample = co.yield_(average).await;
                average = average - (average >> 3) + (sample >> 3);
            }
        }));
        parity((0..n).map(|sample| match average.as_mut().resume(black_box(sample)) {
            Ok(GeneratorState::Yielded(average)) => average,
            _ => unreachable!("the body has no end"),
        }))
    }
    stream_polled(n) {
        let mut stream = pin!(async_generator(async move |mut co: Co<u64>| {
            let mut x: u64 = black_box(7);
            for _ in 0..n {
                x = step(x);
                co.yield_(x).await;
            }
        }));
        let mut cx = Context::from_waker(Waker::noop());
        parity(std::iter::from_fn(|| match stream.as_mut().poll_next(&mut cx) {
            Poll::Ready(item) => item,
            Poll::Pending => unreachable!("it never waits"),
        }))
    }
    tree_recursive_send(n) { parity(recursive_send(move |co| send_in_order(co, 0, n))) }
    lookahead(n) {
        let mut items = xorshift!(n).into_iter().lookahead(Capacity::items(4));
        let mut parity = 0;
        while items.peek().is_some() {
            parity ^= items.next().unwrap_or_default();
        }
        parity
    }
}

/// What is counted begins.
#[inline(never)]
fn begin() {
    black_box("begin");
}

/// It ends. (Not the same instructions, or the compiler would make one function of the two.)
#[inline(never)]
fn end() {
    black_box(0_u64);
}

fn main() {
    for (name, kernel) in KERNELS {
        // What happens only the first time, in a thread, is not counted.
        black_box(kernel(black_box(100)));
        for items in [2_000, 12_000] {
            begin();
            black_box(kernel(black_box(items)));
            end();
        }
        println!("{name}");
    }
}
