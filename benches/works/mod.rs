//! The works that the benches compare, and the ways to run them.
//!
//! Each work is stated twice: once by hand, as the iterator one would write without generators, and
//! once as a body, a macro that is told how to yield ([`awaited`] or [`yielded`]) and is expanded
//! afresh for every contender. They are macros and not functions because the compiler inlines a
//! coroutine only where it is used once: with a shared one, whoever came second would be measured
//! without inlining.

// Each bench is a crate of its own and uses its own part of this.
#![allow(dead_code, unused_macros)]

#[macro_use]
pub mod bodies;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};

pub use bodies::*;

pub type Kernel<I> = fn(I) -> u64;

/// Times the contenders, after it has checked that all of them do the same.
pub fn compare<I: Copy>(
    criterion: &mut Criterion,
    work: &str,
    elements: u64,
    input: I,
    contenders: &[(&str, Kernel<I>)],
) {
    let (first, kernel) = contenders[0];
    let expected = kernel(input);
    for (contender, kernel) in &contenders[1..] {
        assert_eq!(kernel(input), expected, "{work}/{contender} and {work}/{first} differ");
    }
    let mut group = criterion.benchmark_group(work);
    group.throughput(Throughput::Elements(elements));
    for (contender, kernel) in contenders {
        group.bench_function(*contender, |bencher| bencher.iter(|| kernel(black_box(input))));
    }
    group.finish();
}

/// How the benches of time are run.
pub fn timing() -> Criterion {
    // Drawing would take several times as long as measuring; `--plotting-backend plotters` does it.
    Criterion::default()
        .without_plots()
        .nresamples(20_000)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1))
        .sample_size(40)
}

#[inline(always)]
pub fn total(items: impl Iterator<Item = u64>) -> u64 {
    let mut total = 0_u64;
    for item in items {
        total = total.wrapping_add(item);
    }
    total
}

/// Unlike the sum of a range, which the compiler knows without adding.
#[inline(always)]
pub fn parity(items: impl Iterator<Item = u64>) -> u64 {
    let mut parity = 0;
    for item in items {
        parity ^= item;
    }
    parity
}

/// Calls `run` with the seeds of as many generators, each hidden from the compiler, which could
/// otherwise compute the items of several at once.
#[inline(always)]
pub fn each(generators: u64, mut run: impl FnMut(u64) -> u64) -> u64 {
    let mut sum = 0_u64;
    for seed in 1..=generators {
        sum = sum.wrapping_add(run(black_box(seed)));
    }
    sum
}

/// Where `co` takes the values: `watertight` and `genawaiter`.
macro_rules! awaited {
    ($co:ident, $value:expr) => {
        $co.yield_($value).await
    };
}

/// In a nightly `gen` block.
macro_rules! yielded {
    ($co:ident, $value:expr) => {
        yield $value
    };
}

/// Evaluates `$use` with `$items`, an iterator of the body's values as this contender gives it with
/// the least overhead it offers.
macro_rules! run {
    (watertight, $body:ident($($input:ident),*), $items:ident => $use:expr) => {{
        let $items = std::pin::pin!(watertight::generator(async move |mut co| {
            $body!(awaited, co $(, $input)*)
        }));
        $use
    }};
    (watertight_into_iter, $body:ident($($input:ident),*), $items:ident => $use:expr) => {{
        let $items = watertight::generator(async move |mut co| {
            $body!(awaited, co $(, $input)*)
        })
        .into_iter();
        $use
    }};
    (nightly_gen, $body:ident($($input:ident),*), $items:ident => $use:expr) => {{
        let $items = gen move { $body!(yielded, co $(, $input)*) };
        $use
    }};
    (genawaiter_stack, $body:ident($($input:ident),*), $items:ident => $use:expr) => {{
        genawaiter::stack::let_gen_using!(generator, |co| async move {
            $body!(awaited, co $(, $input)*)
        });
        let $items = generator.into_iter();
        $use
    }};
    (genawaiter_rc, $body:ident($($input:ident),*), $items:ident => $use:expr) => {{
        let $items = genawaiter::rc::Gen::new(|co| async move {
            $body!(awaited, co $(, $input)*)
        })
        .into_iter();
        $use
    }};
    (genawaiter_sync, $body:ident($($input:ident),*), $items:ident => $use:expr) => {{
        let $items = genawaiter::sync::Gen::new(|co| async move {
            $body!(awaited, co $(, $input)*)
        })
        .into_iter();
        $use
    }};
}

/// Evaluates to an iterator of the body's values in a box that hides the body's type. `watertight`
/// is the crate's own box; `watertight_box_dyn` puts its iterator into the box that the others use.
macro_rules! boxed {
    (watertight, $body:ident($($input:ident),*)) => {{
        let items: watertight::BoxGen<'_, _> = watertight::generator(async move |mut co| {
            $body!(awaited, co $(, $input)*)
        })
        .boxed();
        items
    }};
    (watertight_box_dyn, $body:ident($($input:ident),*)) => {
        boxed!(watertight_into_iter, $body($($input),*))
    };
    ($contender:ident, $body:ident($($input:ident),*)) => {
        run!($contender, $body($($input),*), items => {
            let items: Box<dyn Iterator<Item = _>> = Box::new(items);
            items
        })
    };
}

/// Yields all of an iterator's items.
macro_rules! give_all {
    (watertight, $give:ident, $co:ident, $items:expr) => {
        $co.yield_all($items).await
    };
    ($contender:ident, $give:ident, $co:ident, $items:expr) => {
        for item in $items {
            $give!($co, item);
        }
    };
}

/// Makes a kernel of each contender in the second list by expanding `$kernel!(contender)`, and
/// evaluates to a vector of all, with their names, as they are on this toolchain.
macro_rules! contenders {
    (
        $type:ty,
        [$($by_hand:ident),*],
        $kernel:ident: [$($contender:ident),*]
    ) => {{
        $(contenders!(@kernel $kernel $contender);)*
        let all: Vec<(&str, $type)> = [
            $(Some((stringify!($by_hand), $by_hand as $type)),)*
            $(contenders!(@entry $type, $contender),)*
        ]
        .into_iter()
        .flatten()
        .collect();
        all
    }};
    (@kernel $kernel:ident nightly_gen) => {
        #[cfg(nightly_gen)]
        $kernel!(nightly_gen);
    };
    (@kernel $kernel:ident $contender:ident) => {
        $kernel!($contender);
    };
    (@entry $type:ty, nightly_gen) => {{
        #[cfg(nightly_gen)]
        let entry = Some(("nightly_gen", nightly_gen as $type));
        #[cfg(not(nightly_gen))]
        let entry = None;
        entry
    }};
    (@entry $type:ty, $contender:ident) => {
        Some((stringify!($contender), $contender as $type))
    };
}

/// Counts up by delegating to the range.
macro_rules! delegated_range {
    ($give:ident, $co:ident, $contender:ident, $count:ident) => {
        give_all!($contender, $give, $co, 0..$count)
    };
}

/// A generator that delegates to `rounds` others, one after the other.
macro_rules! delegated_xorshifts {
    ($give:ident, $co:ident, $contender:ident, $rounds:ident, $count:ident) => {{
        for seed in 1..=$rounds {
            run!($contender, xorshift(seed, $count), items => {
                give_all!($contender, $give, $co, items)
            });
        }
    }};
}

pub struct Xorshifts {
    seeds: std::ops::RangeInclusive<u64>,
    current: Xorshift,
    count: u64,
}

impl Xorshifts {
    #[inline]
    pub fn new(rounds: u64, count: u64) -> Self {
        Xorshifts { seeds: 1..=rounds, current: Xorshift::new(0, 0), count }
    }
}

impl Iterator for Xorshifts {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        loop {
            if let Some(x) = self.current.next() {
                return Some(x);
            }
            self.current = Xorshift::new(self.seeds.next()?, self.count);
        }
    }
}
