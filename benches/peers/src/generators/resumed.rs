//! A generator that is given an argument with each resume, and answers it: a moving average. Who takes
//! no arguments (`remit`, nightly `gen`) is not here.

use std::pin::pin;

use corosensei::{ScopedCoroutine, Yielder};
use fauxgen::Generator as _;
use watertight::{Co, GeneratorState};

use crate::recursion::forms::with_stack;
use crate::work::Kernel;
use crate::works::bodies::{Average, SEED, Xorshift, averaged};
use crate::works::mix;

/// The first one is zero, which does not change the average: not every generator learns the first
/// argument, because that resume only starts it.
pub fn samples(count: u64) -> Vec<u64> {
    let mut samples: Vec<u64> = Xorshift::new(SEED, count).map(|x| x >> 16).collect();
    samples[0] = 0;
    samples
}

#[inline(always)]
fn feed(samples: &[u64], mut push: impl FnMut(u64) -> u64) -> u64 {
    let mut checksum = 0;
    for &sample in samples {
        checksum = mix(checksum, push(sample));
    }
    checksum
}

fn hand_written(samples: &[u64]) -> u64 {
    let mut average = Average::new();
    feed(samples, |sample| average.push(sample))
}

fn watertight(samples: &[u64]) -> u64 {
    let mut average = pin!(watertight::generator(async |mut co: Co<u64, u64>| {
        average!(co);
    }));
    feed(samples, |sample| match average.as_mut().resume(sample) {
        Ok(GeneratorState::Yielded(average)) => average,
        _ => unreachable!("the body has no end"),
    })
}

fn watertight_boxed(samples: &[u64]) -> u64 {
    let mut average = Box::pin(watertight::generator(async |mut co: Co<u64, u64>| {
        average!(co);
    }));
    feed(samples, |sample| match average.as_mut().resume(sample) {
        Ok(GeneratorState::Yielded(average)) => average,
        _ => unreachable!("the body has no end"),
    })
}

/// Both crates have the same words for it.
macro_rules! genawaiter {
    ($crate_:ident, $generator:ident, $samples:ident) => {
        feed($samples, |sample| match $generator.resume_with(sample) {
            ::$crate_::GeneratorState::Yielded(average) => average,
            ::$crate_::GeneratorState::Complete(()) => unreachable!("the body has no end"),
        })
    };
}

fn genawaiter_stack(samples: &[u64]) -> u64 {
    genawaiter::stack::let_gen_using!(generator, |co| async move {
        average!(co);
    });
    genawaiter!(genawaiter, generator, samples)
}

fn genawaiter_rc(samples: &[u64]) -> u64 {
    let mut generator = genawaiter::rc::Gen::new(|co| async move {
        average!(co);
    });
    genawaiter!(genawaiter, generator, samples)
}

fn genawaiter_sync(samples: &[u64]) -> u64 {
    let mut generator = genawaiter::sync::Gen::new(|co| async move {
        average!(co);
    });
    genawaiter!(genawaiter, generator, samples)
}

fn genawaiter2(samples: &[u64]) -> u64 {
    let mut generator = genawaiter2::rc::Gen::new(|mut co| async move {
        average!(co);
    });
    genawaiter!(genawaiter2, generator, samples)
}

fn fauxgen(samples: &[u64]) -> u64 {
    #[fauxgen::generator(yield = u64, arg = u64)]
    fn averages() {
        let mut average = 0;
        loop {
            let sample = r#yield!(average);
            average = averaged(average, sample);
        }
    }
    let mut generator = pin!(averages());
    feed(samples, |sample| match generator.as_mut().resume(sample) {
        fauxgen::GeneratorState::Yielded(average) => average,
        fauxgen::GeneratorState::Complete(_) => unreachable!("the body has no end"),
    })
}

fn next_gen(samples: &[u64]) -> u64 {
    use next_gen::generator::GeneratorState;
    use next_gen::{generator, mk_gen};
    #[generator(yield(u64), resume(u64) as _first)]
    fn averages() {
        let mut average = 0;
        loop {
            let sample = yield_!(average);
            average = averaged(average, sample);
        }
    }
    mk_gen!(let mut generator = averages());
    feed(samples, |sample| match generator.as_mut().resume(sample) {
        GeneratorState::Yielded(average) => average,
        GeneratorState::Returned(()) => unreachable!("the body has no end"),
    })
}

fn corosensei(samples: &[u64]) -> u64 {
    with_stack(|stack| {
        ScopedCoroutine::with_stack(stack, |co: &Yielder<u64, u64>, _first: u64| -> u64 {
            let mut average = 0;
            loop {
                let sample = co.suspend(average);
                average = averaged(average, sample);
            }
        })
        .scope(|mut coroutine| {
            feed(samples, |sample| {
                coroutine.as_mut().resume(sample).as_yield().expect("the body has no end")
            })
        })
    })
}

fn generator(samples: &[u64]) -> u64 {
    let mut generator =
        generator::Gn::<u64>::new_scoped(|mut co: generator::Scope<'_, 'static, u64, u64>| {
            let mut average = 0;
            loop {
                let sample = co.yield_(average).expect("an argument comes with each resume");
                average = averaged(average, sample);
            }
        });
    feed(samples, |sample| generator.send(sample))
}

pub fn contenders() -> Vec<(&'static str, Kernel<Vec<u64>>)> {
    macro_rules! all {
        ($($form:ident)*) => {
            vec![$((stringify!($form), |samples| $form(samples))),*]
        };
    }
    all! {
        hand_written watertight watertight_boxed genawaiter_stack genawaiter_rc genawaiter_sync
        genawaiter2 fauxgen next_gen corosensei generator
    }
}
