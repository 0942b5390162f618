//! Streams: works that are written as generators which may wait, and the forms in which each contender
//! writes them.

#[macro_use]
pub mod forms;

pub mod bodies;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures_util::{Stream, StreamExt};
use tokio::runtime::{Builder, Runtime};

use crate::work::{Kernel, Planned, Work, plan};
use crate::works::{Item, mix};

use bodies::{nested, pages, ready, strings, waits_1, waits_8, waits_64};

/// What a stream is made from.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    pub seed: u64,
    pub items: u64,
}

/// What is done with streams. `'static`, so that those which have to be may know it as a parameter.
pub trait Consumer: 'static {
    /// The checksum of the items, in their order.
    fn run<S: Stream<Item: Item>>(input: Input, make: impl Fn(Input) -> S) -> u64;
}

/// Marks what is consumed by a stream, of which `C` is the consumer.
pub enum Inner {}

/// Polls until there is an item or the end. The waker does nothing: who waits here is ready when it is
/// polled again.
macro_rules! poll {
    ($stream:ident) => {{
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(item) = $stream.as_mut().poll_next(&mut cx) {
                break item;
            }
        }
    }};
}

/// Polls by hand, so that no runtime is measured.
pub enum Polled {}

impl Consumer for Polled {
    #[inline(always)]
    fn run<S: Stream<Item: Item>>(input: Input, make: impl Fn(Input) -> S) -> u64 {
        let mut stream = pin!(make(input));
        let mut checksum = 0;
        while let Some(item) = poll!(stream) {
            checksum = mix(checksum, item.value());
        }
        checksum
    }
}

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().build().expect("tokio starts");
}

/// Awaits item after item, in tokio's runtime of one thread.
pub enum OnTokio {}

impl Consumer for OnTokio {
    #[inline(always)]
    fn run<S: Stream<Item: Item>>(input: Input, make: impl Fn(Input) -> S) -> u64 {
        RUNTIME.with(|runtime| {
            runtime.block_on(async {
                let mut stream = pin!(make(input));
                let mut checksum = 0;
                while let Some(item) = stream.next().await {
                    checksum = mix(checksum, item.value());
                }
                checksum
            })
        })
    }
}

/// Makes as many streams as there would be items, takes three items of each, and drops it.
pub enum Three {}

impl Consumer for Three {
    #[inline(always)]
    fn run<S: Stream<Item: Item>>(input: Input, make: impl Fn(Input) -> S) -> u64 {
        let mut checksum = 0;
        for n in 0..input.items {
            let mut stream = pin!(make(Input { seed: input.seed + n, items: u64::MAX }));
            for _ in 0..3 {
                let item = poll!(stream).expect("it has no end");
                checksum = mix(checksum, item.value());
            }
        }
        checksum
    }
}

/// Everything that is measured. With `quick` the same works, but small ones, once.
pub fn works(quick: bool) -> Vec<Planned> {
    // A run of the dearest takes a tenth of a second.
    let (items, times) = if quick { (1_000, 1) } else { (10_000, 50) };
    let input = Input { seed: 7, items };
    let mut works = Vec::new();
    let mut add = |name: &str, contenders: fn() -> Vec<(&'static str, Kernel<Input>)>| {
        works.push(plan(name.to_owned(), move |name| {
            Work::new(name, items, input, contenders(), |_| times)
        }));
    };
    add("ready", ready::all::<Polled>);
    add("ready_tokio", ready::all::<OnTokio>);
    add("waits_1", waits_1::all::<Polled>);
    add("waits_1_tokio", waits_1::all::<OnTokio>);
    add("waits_8", waits_8::all::<Polled>);
    add("waits_8_tokio", waits_8::all::<OnTokio>);
    add("waits_64", waits_64::all::<Polled>);
    add("waits_64_tokio", waits_64::all::<OnTokio>);
    add("strings", strings::all::<Polled>);
    add("strings_tokio", strings::all::<OnTokio>);
    add("nested", nested::all::<Polled>);
    add("nested_tokio", nested::all::<OnTokio>);
    add("pages", pages::all::<Polled>);
    add("pages_tokio", pages::all::<OnTokio>);
    add("short", ready::all::<Three>);
    works
}

#[cfg(test)]
mod tests {
    use super::{Consumer, Input, OnTokio, Polled, bodies, works};
    use crate::work::verify_all;
    use crate::works::{Item, mix};
    use futures_util::Stream;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn every_work_gives_the_same_in_every_form() {
        verify_all(works(true), |contenders| contenders == 10);
    }

    /// How many items there are is stated, and what is divided by it would be wrong. So is what a work
    /// waits.
    #[test]
    fn every_work_has_as_many_items_and_waits_as_it_says() {
        enum Counted {}
        impl Consumer for Counted {
            fn run<S: Stream<Item: Item>>(input: Input, make: impl Fn(Input) -> S) -> u64 {
                let mut stream = pin!(make(input));
                let (mut items, mut waits) = (0, 0);
                loop {
                    match stream.as_mut().poll_next(&mut Context::from_waker(Waker::noop())) {
                        Poll::Ready(Some(_)) => items += 1,
                        Poll::Ready(None) => return items << 32 | waits,
                        Poll::Pending => waits += 1,
                    }
                }
            }
        }
        let input = Input { seed: 7, items: 128 };
        for (all, waits) in [
            (bodies::ready::all::<Counted>(), 0),
            (bodies::waits_1::all::<Counted>(), 128),
            (bodies::waits_8::all::<Counted>(), 16),
            (bodies::waits_64::all::<Counted>(), 2),
            (bodies::strings::all::<Counted>(), 0),
            (bodies::nested::all::<Counted>(), 0),
            (bodies::pages::all::<Counted>(), 2),
        ] {
            for (name, count) in all {
                assert_eq!(count(&input), 128 << 32 | waits, "{name}");
            }
        }
    }

    #[test]
    fn awaiting_gives_what_polling_gives() {
        let input = Input { seed: 7, items: 100 };
        let expected = (0..100).map(|n| String::make(n).value()).fold(0, mix);
        for (name, sum) in bodies::strings::all::<Polled>() {
            assert_eq!(sum(&input), expected, "{name}");
        }
        for (name, sum) in bodies::strings::all::<OnTokio>() {
            assert_eq!(sum(&input), expected, "{name}");
        }
    }
}
