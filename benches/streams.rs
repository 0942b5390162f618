//! How fast asynchronous generators run: next to a stream written by hand, and to the `unfold` of
//! futures, which is the usual way to write one.
//!
//! Each group is one work and each of its benches a contender, called `group/contender`. What counts
//! is the ratio within one group of one run, as `throughput` says. No runtime is measured: what
//! consumes is a task that is polled again at once whenever it is pending, by a caller whose waker
//! does nothing.
//!
//! - `ready`: an item is always there. `ready_boxed`: behind a box that hides the type.
//! - `suspending`: the body waits for something, and is pending once, for every eighth item.
//!   `suspending_always`: for every item.
//! - `ready_polled`, `suspending_polled`: the same with a consumer that is no task, but a loop around
//!   `poll_next`. There the compiler sees through all of an `unfold`.
//! - `emitter`: eight sub-futures in `join_all` emit through a queue of eight, next to the same with
//!   a channel of tokio.

#[macro_use]
mod works;

use std::future::poll_fn;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::future::join_all;
use futures_util::stream::{Stream, StreamExt, unfold};
use watertight::{Capacity, Co, async_generator};

use works::{Kernel, SEED, compare};

/// Enough for a start and an end to be lost in it.
const ITEMS: u64 = 100_000;

/// A task that takes all.
#[inline(always)]
fn awaited(mut stream: Pin<&mut (impl Stream<Item = u64> + ?Sized)>) -> u64 {
    let mut task = pin!(async {
        let mut total = 0_u64;
        while let Some(item) = stream.next().await {
            total = total.wrapping_add(item);
        }
        total
    });
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(total) = task.as_mut().poll(&mut cx) {
            return total;
        }
    }
}

/// A loop that takes all.
#[inline(always)]
fn polled(mut stream: Pin<&mut (impl Stream<Item = u64> + ?Sized)>) -> u64 {
    let mut cx = Context::from_waker(Waker::noop());
    let mut total = 0_u64;
    loop {
        match stream.as_mut().poll_next(&mut cx) {
            Poll::Ready(Some(item)) => total = total.wrapping_add(item),
            Poll::Ready(None) => return total,
            Poll::Pending => {}
        }
    }
}

#[inline(always)]
fn step(x: u64) -> u64 {
    let x = x ^ x << 13;
    let x = x ^ x >> 7;
    x ^ x << 17
}

/// Waits: pending once.
#[inline(always)]
async fn wait() {
    let mut waited = false;
    poll_fn(move |cx| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The stream one would write without futures: pending once before every item whose number is a
/// multiple of `EVERY`; never, if that is 0.
struct ByHand<const EVERY: u64> {
    x: u64,
    n: u64,
    waited: bool,
}

impl<const EVERY: u64> Stream for ByHand<EVERY> {
    type Item = u64;

    #[inline(always)]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        if self.n == ITEMS {
            return Poll::Ready(None);
        }
        if EVERY != 0 && self.n % EVERY == 0 && !self.waited {
            self.waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.waited = false;
        self.n += 1;
        self.x = step(self.x);
        Poll::Ready(Some(self.x))
    }
}

macro_rules! by_unfold {
    ($seed:ident, |$n:ident| $wait:block) => {
        unfold(($seed, 0_u64), |(x, $n)| async move {
            if $n == ITEMS {
                return None;
            }
            $wait
            let x = step(x);
            Some((x, (x, $n + 1)))
        })
    };
}

macro_rules! by_generator {
    ($seed:ident, |$n:ident| $wait:block) => {
        async_generator(async move |mut co: Co<u64>| {
            let mut x = $seed;
            for $n in 0..ITEMS {
                let _ = $n;
                $wait
                x = step(x);
                co.yield_(x).await;
            }
        })
    };
}

/// Defines a work: the two bodies are expanded afresh for each kernel, because a body is inlined only
/// where it is used once (see `works`). `$wait` is what they do before an item is made; the body of
/// `ready` has nothing there, and so no second place to be suspended at.
macro_rules! work {
    ($name:ident, $take:ident, $every:literal, |$n:ident| $wait:block) => {
        fn $name(criterion: &mut Criterion) {
            #[inline(never)]
            fn hand_written(x: u64) -> u64 {
                $take(pin!(ByHand::<$every> { x, n: 0, waited: false }))
            }
            #[inline(never)]
            fn futures_unfold(seed: u64) -> u64 {
                $take(pin!(by_unfold!(seed, |$n| $wait)))
            }
            #[inline(never)]
            fn watertight(seed: u64) -> u64 {
                $take(pin!(by_generator!(seed, |$n| $wait)))
            }
            let contenders =
                contenders!(Kernel<_>, [hand_written, futures_unfold, watertight], none: []);
            compare(criterion, stringify!($name), ITEMS, SEED, &contenders);
        }
    };
}

work!(ready, awaited, 0, |n| {});
work!(ready_polled, polled, 0, |n| {});
work!(suspending, awaited, 8, |n| {
    if n % 8 == 0 {
        wait().await;
    }
});
work!(suspending_polled, polled, 8, |n| {
    if n % 8 == 0 {
        wait().await;
    }
});
work!(suspending_always, awaited, 1, |n| { wait().await });

fn ready_boxed(criterion: &mut Criterion) {
    type Boxed = Pin<Box<dyn Stream<Item = u64>>>;
    #[inline(never)]
    fn hand_written(x: u64) -> u64 {
        let mut stream: Boxed = Box::pin(ByHand::<0> { x, n: 0, waited: false });
        awaited(black_box(&mut stream).as_mut())
    }
    #[inline(never)]
    fn futures_unfold(seed: u64) -> u64 {
        let mut stream: Boxed = Box::pin(by_unfold!(seed, |n| {}));
        awaited(black_box(&mut stream).as_mut())
    }
    #[inline(never)]
    fn watertight(seed: u64) -> u64 {
        let mut stream = by_generator!(seed, |n| {}).boxed();
        awaited(Pin::new(black_box(&mut stream)))
    }
    #[inline(never)]
    fn watertight_box_dyn(seed: u64) -> u64 {
        let mut stream: Boxed = Box::pin(by_generator!(seed, |n| {}));
        awaited(black_box(&mut stream).as_mut())
    }
    let contenders = contenders!(
        Kernel<_>,
        [hand_written, futures_unfold, watertight, watertight_box_dyn],
        none: []
    );
    compare(criterion, "ready_boxed", ITEMS, SEED, &contenders);
}

fn emitter(criterion: &mut Criterion) {
    const TASKS: u64 = 8;
    const EACH: u64 = ITEMS / 10 / TASKS;
    #[inline(never)]
    fn tokio_mpsc(seed: u64) -> u64 {
        let stream = async_generator(async move |mut co: Co<u64>| {
            let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
            let send = (0..TASKS).map(|task| {
                let sender = sender.clone();
                async move {
                    for n in 0..EACH {
                        sender.send(seed ^ task ^ n).await.expect("it is received");
                    }
                }
            });
            let send = join_all(send);
            drop(sender);
            futures_util::join!(send, async {
                while let Some(item) = receiver.recv().await {
                    co.yield_(item).await;
                }
            });
        });
        awaited(pin!(stream))
    }
    #[inline(never)]
    fn watertight(seed: u64) -> u64 {
        let stream = async_generator(async move |mut co: Co<u64>| {
            let out = co.emitter(Capacity::items(8));
            let emit = async |task| {
                for n in 0..EACH {
                    out.emit(seed ^ task ^ n).await;
                }
            };
            out.forward(join_all((0..TASKS).map(emit))).await;
        });
        awaited(pin!(stream))
    }
    let contenders = contenders!(Kernel<_>, [tokio_mpsc, watertight], none: []);
    compare(criterion, "emitter", TASKS * EACH, SEED, &contenders);
}

criterion_group! {
    name = streams;
    config = works::timing();
    targets = ready, ready_polled, ready_boxed, suspending, suspending_polled, suspending_always, emitter
}
criterion_main!(streams);
