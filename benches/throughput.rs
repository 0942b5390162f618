//! How fast generators run: this crate's next to what one would write by hand, to nightly `gen`
//! blocks and to `genawaiter`.
//!
//! Each group is one work and each of its benches a contender, called `group/contender`. Compare
//! within one group of one run: the ratio to `hand_written` (and to `nightly_gen`) is what counts,
//! and it carries over to another machine better than any time does. Contenders run one after the
//! other, so a machine that is busy or changes its clock speed favours some of them; if a ratio
//! matters, see that a second run repeats it. `short_lived` and its like count one generator, made,
//! asked for three items and dropped, as one element.
//!
//! All contenders of a group do the same work, which is checked before they are timed, from an
//! input that the compiler cannot see, in a function of its own. Bodies are expanded afresh for
//! each of them (`works` says why), and the iterators written by hand are inlined as well.
//!
//! The nightly contenders need a nightly toolchain:
//! `RUSTFLAGS='--cfg nightly_gen' cargo +nightly bench --bench throughput`.

#![cfg_attr(nightly_gen, feature(gen_blocks, yield_expr))]

#[macro_use]
mod works;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use genawaiter::GeneratorState as Theirs;
use watertight::{Co, GeneratorState, generator, try_generator};

use works::{
    Average, Kernel, Lookup, Nested, SEED, Token, Tokens, Truncated, Varints, Xorshift, Xorshifts,
    compare, each, encoded, parity, program, total,
};

/// Enough for a start and an end to be lost in it, few enough for a contender that is a hundred
/// times slower.
const ITEMS: u64 = 100_000;

fn xorshift(criterion: &mut Criterion) {
    #[inline(never)]
    fn hand_written(seed: u64) -> u64 {
        total(Xorshift::new(seed, ITEMS))
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(seed: u64) -> u64 {
                run!($contender, xorshift(seed, ITEMS), items => total(items))
            }
        };
    }
    let contenders = contenders!(
        Kernel<_>,
        [hand_written],
        kernel: [watertight, nightly_gen, genawaiter_stack, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "xorshift", ITEMS, SEED, &contenders);
}

fn range(criterion: &mut Criterion) {
    #[inline(never)]
    fn hand_written(count: u64) -> u64 {
        parity(0..count)
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(count: u64) -> u64 {
                run!($contender, range(count), items => parity(items))
            }
        };
    }
    let contenders = contenders!(
        Kernel<_>,
        [hand_written],
        kernel: [watertight, nightly_gen, genawaiter_stack, genawaiter_rc]
    );
    compare(criterion, "range", ITEMS, ITEMS, &contenders);
}

fn nested(criterion: &mut Criterion) {
    #[inline(never)]
    fn hand_written(side: u64) -> u64 {
        total(Nested::new(side))
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(side: u64) -> u64 {
                run!($contender, nested(side), items => total(items))
            }
        };
    }
    let side: u64 = 600;
    let elements = run!(watertight, nested(side), items => items.count()) as u64;
    let contenders = contenders!(
        Kernel<_>,
        [hand_written],
        kernel: [watertight, nightly_gen, genawaiter_stack, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "nested", elements, side, &contenders);
}

fn strings(criterion: &mut Criterion) {
    #[inline(always)]
    fn lengths(items: impl Iterator<Item = String>) -> u64 {
        let mut length = 0;
        for item in items {
            length += black_box(&*item).len() as u64;
        }
        length
    }
    #[inline(never)]
    fn hand_written(count: u64) -> u64 {
        lengths((0..count).map(|n| n.to_string()))
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(count: u64) -> u64 {
                run!($contender, strings(count), items => lengths(items))
            }
        };
    }
    let contenders = contenders!(
        Kernel<_>,
        [hand_written],
        kernel: [watertight, nightly_gen, genawaiter_stack, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "strings", ITEMS / 10, ITEMS / 10, &contenders);
}

fn lookup(criterion: &mut Criterion) {
    #[inline(never)]
    fn hand_written((indices, table): (&[usize], &[u64])) -> u64 {
        total(Lookup::new(indices, table))
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender((indices, table): (&[usize], &[u64])) -> u64 {
                run!($contender, lookup(indices, table), items => total(items))
            }
        };
    }
    // The table fits into the first-level cache: it is the check that is measured.
    let table: Vec<u64> = Xorshift::new(SEED, 1024).collect();
    let indices: Vec<usize> = Xorshift::new(!SEED, ITEMS).map(|x| (x >> 54) as usize).collect();
    let contenders = contenders!(
        Kernel<_>,
        [hand_written],
        kernel: [watertight, nightly_gen, genawaiter_stack, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "lookup", ITEMS, (&*indices, &*table), &contenders);
}

fn boxed_range(criterion: &mut Criterion) {
    #[inline(never)]
    fn hand_written(count: u64) -> u64 {
        let items: Box<dyn Iterator<Item = u64>> = Box::new(0..count);
        parity(black_box(items))
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(count: u64) -> u64 {
                parity(black_box(boxed!($contender, range(count))))
            }
        };
    }
    let contenders = contenders!(
        Kernel<_>,
        [hand_written],
        kernel: [watertight, watertight_box_dyn, nightly_gen, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "boxed_range", ITEMS, ITEMS, &contenders);
}

fn boxed_xorshift(criterion: &mut Criterion) {
    #[inline(never)]
    fn hand_written(seed: u64) -> u64 {
        let items: Box<dyn Iterator<Item = u64>> = Box::new(Xorshift::new(seed, ITEMS));
        total(black_box(items))
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(seed: u64) -> u64 {
                total(black_box(boxed!($contender, xorshift(seed, ITEMS))))
            }
        };
    }
    let contenders = contenders!(
        Kernel<_>,
        [hand_written],
        kernel: [watertight, watertight_box_dyn, nightly_gen, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "boxed_xorshift", ITEMS, SEED, &contenders);
}

/// Of the short-lived ones: how many each kernel makes.
const GENERATORS: u64 = 10_000;

fn short_lived(criterion: &mut Criterion) {
    #[inline(never)]
    fn hand_written(generators: u64) -> u64 {
        each(generators, |seed| total(Xorshift::new(seed, ITEMS).take(3)))
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(generators: u64) -> u64 {
                each(generators, |seed| {
                    run!($contender, xorshift(seed, ITEMS), items => total(items.take(3)))
                })
            }
        };
    }
    let contenders = contenders!(
        Kernel<_>,
        [hand_written],
        kernel: [watertight, nightly_gen, genawaiter_stack, genawaiter_rc]
    );
    compare(criterion, "short_lived", GENERATORS, GENERATORS, &contenders);
}

fn short_lived_boxed(criterion: &mut Criterion) {
    #[inline(never)]
    fn hand_written(generators: u64) -> u64 {
        each(generators, |seed| {
            let items: Box<dyn Iterator<Item = u64>> = Box::new(Xorshift::new(seed, ITEMS));
            total(black_box(items).take(3))
        })
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(generators: u64) -> u64 {
                each(generators, |seed| {
                    total(black_box(boxed!($contender, xorshift(seed, ITEMS))).take(3))
                })
            }
        };
    }
    let contenders = contenders!(
        Kernel<_>,
        [hand_written],
        kernel: [watertight, watertight_box_dyn, nightly_gen, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "short_lived_boxed", GENERATORS, GENERATORS, &contenders);
}

/// What to call for each sample of a `genawaiter` generator's.
macro_rules! pushing {
    ($average:ident) => {
        |sample| match $average.resume_with(sample) {
            Theirs::Yielded(average) => average,
            Theirs::Complete(()) => unreachable!("the body has no end"),
        }
    };
}

/// Makes the kernels: `$use` has `$samples` and `$push`, which takes one and gives the average.
macro_rules! averages {
    ($push:ident, $samples:ident => $use:expr) => {
        #[inline(never)]
        fn hand_written($samples: &[u64]) -> u64 {
            let mut average = Average::new();
            #[allow(unused_mut)] // Not every use calls it by itself.
            let mut $push = |sample| average.push(sample);
            $use
        }
        #[inline(never)]
        fn watertight($samples: &[u64]) -> u64 {
            let mut average = std::pin::pin!(generator(async |mut co: Co<u64, u64>| {
                average!(co);
            }));
            #[allow(unused_mut)]
            let mut $push = |sample| match average.as_mut().resume(sample) {
                Ok(GeneratorState::Yielded(average)) => average,
                _ => unreachable!("the body has no end"),
            };
            $use
        }
        #[inline(never)]
        fn genawaiter_stack($samples: &[u64]) -> u64 {
            genawaiter::stack::let_gen_using!(average, |co| async move {
                average!(co);
            });
            #[allow(unused_mut)]
            let mut $push = pushing!(average);
            $use
        }
        #[inline(never)]
        fn genawaiter_rc($samples: &[u64]) -> u64 {
            let mut average = genawaiter::rc::Gen::new(|co| async move {
                average!(co);
            });
            #[allow(unused_mut)]
            let mut $push = pushing!(average);
            $use
        }
        #[inline(never)]
        fn genawaiter_sync($samples: &[u64]) -> u64 {
            let mut average = genawaiter::sync::Gen::new(|co| async move {
                average!(co);
            });
            #[allow(unused_mut)]
            let mut $push = pushing!(average);
            $use
        }
    };
}

#[inline(always)]
fn feed(samples: &[u64], mut push: impl FnMut(u64) -> u64) -> u64 {
    let mut sum = 0_u64;
    for &sample in samples {
        sum = sum.wrapping_add(push(sample));
    }
    sum
}

/// The first sample is zero, which does not change the average: a generator never learns it,
/// because the first resume only starts the body.
fn samples() -> Vec<u64> {
    let mut samples: Vec<u64> = Xorshift::new(SEED, ITEMS).map(|x| x >> 16).collect();
    samples[0] = 0;
    samples
}

fn resume(criterion: &mut Criterion) {
    averages!(push, samples => feed(samples, push));
    let contenders = contenders!(
        Kernel<_>,
        [hand_written, watertight, genawaiter_stack, genawaiter_rc, genawaiter_sync],
        none: []
    );
    compare(criterion, "resume", ITEMS, &*samples(), &contenders);
}

/// The same, started by a resume of its own, as most programs do it. So there are two places that
/// resume the generator, and its body is no longer inlined into either.
fn resume_started(criterion: &mut Criterion) {
    averages!(push, samples => push(0).wrapping_add(feed(&samples[1..], push)));
    let contenders = contenders!(
        Kernel<_>,
        [hand_written, watertight, genawaiter_stack, genawaiter_rc, genawaiter_sync],
        none: []
    );
    compare(criterion, "resume_started", ITEMS, &*samples(), &contenders);
}

fn fallible(criterion: &mut Criterion) {
    #[inline(always)]
    fn checked(items: impl Iterator<Item = Result<u64, Truncated>>) -> u64 {
        let mut sum = 0_u64;
        for item in items {
            match item {
                Ok(number) => sum = sum.wrapping_add(number),
                Err(Truncated) => return !sum,
            }
        }
        sum
    }
    #[inline(never)]
    fn hand_written(bytes: &[u8]) -> u64 {
        checked(Varints::new(bytes))
    }
    #[inline(never)]
    fn watertight(bytes: &[u8]) -> u64 {
        checked(std::pin::pin!(try_generator(async move |mut co| varints!(awaited, co, bytes))))
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(bytes: &[u8]) -> u64 {
                run!($contender, varint_results(bytes), items => checked(items))
            }
        };
    }
    let contenders = contenders!(
        Kernel<_>,
        [hand_written, watertight],
        kernel: [nightly_gen, genawaiter_stack, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "fallible", ITEMS, &*encoded(ITEMS), &contenders);
}

fn yield_all(criterion: &mut Criterion) {
    #[inline(never)]
    fn hand_written(count: u64) -> u64 {
        parity(0..count)
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(count: u64) -> u64 {
                run!($contender, delegated_range($contender, count), items => parity(items))
            }
        };
    }
    let contenders = contenders!(
        Kernel<_>,
        [hand_written],
        kernel: [watertight, nightly_gen, genawaiter_stack, genawaiter_rc]
    );
    compare(criterion, "yield_all", ITEMS, ITEMS, &contenders);
}

fn delegation(criterion: &mut Criterion) {
    const ROUNDS: u64 = 100;
    #[inline(never)]
    fn hand_written(count: u64) -> u64 {
        total(Xorshifts::new(ROUNDS, count))
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(count: u64) -> u64 {
                run!(
                    $contender, delegated_xorshifts($contender, ROUNDS, count),
                    items => total(items)
                )
            }
        };
    }
    let contenders = contenders!(
        Kernel<_>,
        [hand_written],
        kernel: [watertight, nightly_gen, genawaiter_stack, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "delegation", ITEMS, ITEMS / ROUNDS, &contenders);
}

fn early_stop(criterion: &mut Criterion) {
    const TAKEN: usize = 100;
    const ROUNDS: u64 = 100;
    #[inline(never)]
    fn hand_written(count: u64) -> u64 {
        each(ROUNDS, |seed| total(Xorshift::new(seed, count).take(TAKEN)))
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(count: u64) -> u64 {
                each(ROUNDS, |seed| {
                    run!($contender, xorshift(seed, count), items => total(items.take(TAKEN)))
                })
            }
        };
    }
    let contenders = contenders!(
        Kernel<_>,
        [hand_written],
        kernel: [watertight, nightly_gen, genawaiter_stack, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "early_stop", TAKEN as u64 * ROUNDS, TAKEN as u64 * 100, &contenders);
}

fn lexer(criterion: &mut Criterion) {
    #[inline(always)]
    fn digest<'a>(tokens: impl Iterator<Item = Token<'a>>) -> u64 {
        let mut digest = 0_u64;
        for token in tokens {
            let value = match token {
                Token::Word(word) => word.len() as u64,
                Token::Number(number) => number,
                Token::Text(text) => text.len() as u64 ^ 0xff00,
                Token::Sign(sign) => u64::from(sign) << 16,
                Token::Line => 1 << 32,
            };
            digest = digest.rotate_left(5) ^ value;
        }
        digest
    }
    #[inline(never)]
    fn hand_written(text: &str) -> u64 {
        digest(Tokens::new(text))
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(text: &str) -> u64 {
                run!($contender, tokens(text), items => digest(items))
            }
        };
    }
    let text = program(100 << 10);
    let all = &*text;
    let elements = run!(watertight, tokens(all), items => items.count()) as u64;
    let contenders = contenders!(
        Kernel<_>,
        [hand_written],
        kernel: [watertight, nightly_gen, genawaiter_stack, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "lexer", elements, &*text, &contenders);
}

criterion_group! {
    name = throughput;
    config = works::timing();
    targets = xorshift, range, nested, strings, lookup, boxed_range, boxed_xorshift, short_lived,
        short_lived_boxed, resume, resume_started, fallible, yield_all, delegation, early_stop,
        lexer
}
criterion_main!(throughput);
