//! A generator feeds rayon's pool: `cargo run --release --bin par_bridge -- 1000000`.
//!
//! The candidates come one after the other, which is the generator's work; whether one is what we look
//! for takes long, and that is done by all cores. `par_bridge` takes any iterator that is `Send`.

use std::num::ParseIntError;

use rayon::iter::{ParallelBridge, ParallelIterator};
use watertight::{Co, Gen, generator};

/// Numbers that read the same from both ends, in order.
fn palindromes(below: u64) -> Gen<u64, impl Future<Output = ()> + Send> {
    generator(async move |mut co: Co<u64>| {
        for digits in 1.. {
            let half = 10_u64.pow(digits / 2);
            let (from, to) = match digits % 2 {
                0 => (half / 10, half),
                _ => (half, half * 10),
            };
            let from = if digits == 1 { 0 } else { from };
            for front in from..to {
                let mut number = front;
                let mut rest = if digits % 2 == 0 { front } else { front / 10 };
                for _ in 0..digits / 2 {
                    number = number * 10 + rest % 10;
                    rest /= 10;
                }
                if number >= below {
                    return;
                }
                co.yield_(number).await;
            }
        }
    })
}

fn is_prime(n: u64) -> bool {
    n > 1 && (2..).take_while(|k| k * k <= n).all(|k| n % k != 0)
}

fn main() -> Result<(), ParseIntError> {
    let below = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let primes = palindromes(below).boxed().par_bridge().filter(|&n| is_prime(n)).count();
    println!("{primes} primes below {below} are palindromes");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_all_the_palindromes_in_order() {
        let reversed = |n: &u64| n.to_string().chars().rev().collect::<String>();
        let by_hand = (0..100_000).filter(|n| reversed(n) == n.to_string());
        assert!(by_hand.eq(palindromes(100_000)));
    }
}
