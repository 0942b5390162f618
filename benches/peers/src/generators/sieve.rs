//! Primes, by a chain of generators that grows: each takes the multiples of one prime from what the
//! one before it gives. How many there are is known only when it runs, so each is in a box that hides
//! its type.
//!
//! `generator` is not here: one that is dropped while a stack unwinds does nothing, and that is how the
//! end of the chain ends the rest of it. Each run would leave a thousand mappings behind.

use watertight::BoxGen;

use super::Numbers;
use crate::work::Kernel;
use crate::works::mix;

/// A generator of the chain.
pub struct Stage {
    before: Chain,
    prime: u64,
}

type Chain = Box<dyn Iterator<Item = u64>>;

macro_rules! body {
    ($give:ident, $co:ident, $stage:ident) => {
        let prime = $stage.prime;
        for n in $stage.before {
            if n % prime != 0 {
                $give!($co, n);
            }
        }
    };
}
boxes! { body(stage: Stage) -> u64 }

struct Sift {
    before: Chain,
    prime: u64,
}

impl Iterator for Sift {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        let prime = self.prime;
        self.before.find(|n| n % prime != 0)
    }
}

/// The first primes' checksum. `longer` makes the chain longer by a prime.
fn primes<I: Iterator<Item = u64>>(count: u64, all: I, longer: impl Fn(I, u64) -> I) -> u64 {
    let (mut chain, mut checksum) = (all, 0);
    for _ in 0..count {
        let prime = chain.next().expect("there is always another one");
        checksum = mix(checksum, prime);
        chain = longer(chain, prime);
    }
    checksum
}

fn boxed(count: u64, make: boxes::Make) -> u64 {
    primes(count, Box::new(2_u64..) as Chain, |before, prime| make(Stage { before, prime }))
}

/// This crate's own box, which can also go to another thread.
fn box_gen(count: u64) -> u64 {
    let all: BoxGen<'static, u64> =
        watertight::generator(async |mut co| co.yield_all(2_u64..).await).boxed();
    primes(count, all, |before, prime| {
        watertight::generator(async move |mut co| {
            for n in before {
                if n % prime != 0 {
                    co.yield_(n).await;
                }
            }
        })
        .boxed()
    })
}

pub fn contenders() -> Vec<(&'static str, Kernel<Numbers>)> {
    macro_rules! all {
        ($($form:ident)*) => {
            vec![$((stringify!($form), |input| boxed(input.items, boxes::$form))),*]
        };
    }
    let by_hand: Kernel<Numbers> = |input| {
        boxed(input.items, |stage| Box::new(Sift { before: stage.before, prime: stage.prime }))
    };
    let mut contenders = vec![("hand_written", by_hand)];
    contenders.push(("watertight_box_gen", |input| box_gen(input.items)));
    let peers: Vec<(_, Kernel<Numbers>)> = all! {
        watertight genawaiter_rc genawaiter_sync genawaiter2 fauxgen next_gen remit corosensei
    };
    contenders.extend(peers);
    #[cfg(nightly_gen)]
    contenders.extend::<Vec<(_, Kernel<Numbers>)>>(all! { nightly_gen });
    contenders
}
