//! The first primes, by a chain of generators that grows: `cargo run --bin sieve -- 20`.
//!
//! Each prime that is found puts a filter in front of the rest. All are made in one scope, so a chain of any
//! length is gone when the scope returns, the last filter first.

use std::num::ParseIntError;

use watertight::{Co, ScopedGen, scope};

fn primes(count: usize) -> Vec<u64> {
    scope(|s| {
        let numbers = s.generator(async move |mut co: Co<u64>| co.yield_all(2..).await);
        let mut chain: ScopedGen<'_, u64> = numbers.erase();
        let mut primes = Vec::with_capacity(count);
        while primes.len() < count {
            // The first number that all filters let through.
            let prime = chain.next().expect("there are always more primes");
            primes.push(prime);
            let sieve = s.generator(async move |mut co: Co<u64>| {
                for n in chain {
                    if n % prime != 0 {
                        co.yield_(n).await;
                    }
                }
            });
            chain = sieve.erase();
        }
        assert_eq!(s.stats().alive, count + 1); // The numbers, and a filter for each prime.
        primes
    })
}

fn main() -> Result<(), ParseIntError> {
    let count = std::env::args().nth(1).map_or(Ok(10), |text| text.parse())?;
    for prime in primes(count) {
        println!("{prime}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_the_primes() {
        let by_hand = (2..).filter(|n| (2..*n).all(|k| n % k != 0));
        assert!(by_hand.take(300).eq(primes(300)));
        assert_eq!(primes(0), []);
    }
}
