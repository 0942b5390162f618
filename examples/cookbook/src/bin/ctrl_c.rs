//! Long work that ctrl-c and a time limit end cleanly: `cargo run --bin ctrl_c -- 60`.
//!
//! One stop handle ends everything that is under it, from the signal's thread as well as from the timer's.
//! Nobody unwinds or exits: the generators' locals are dropped, and `main` goes on and reports. A body
//! that computes for long between two yields asks a token.

use std::error::Error;
use std::time::Duration;

use watertight::{Co, Gen, Outcome, StopHandle, StopToken, generator};

/// Something to be cleaned up: a temporary file, a lock, a connection.
struct Resource(&'static str);

impl Resource {
    fn acquire(name: &'static str) -> Self {
        println!("acquired {name}");
        Self(name)
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        println!("released {}", self.0);
    }
}

/// Lengths of Collatz sequences that are longer than any before.
fn records(token: StopToken) -> Gen<(u64, u64), impl Future<Output = ()>> {
    generator(async move |mut co: Co<(u64, u64)>| {
        let _resource = Resource::acquire("the search");
        let mut longest = 0;
        for start in 1_u64.. {
            let (mut n, mut steps) = (start, 0);
            while n != 1 {
                n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
                steps += 1;
            }
            if steps > longest {
                longest = steps;
                co.yield_((start, steps)).await;
            }
            // Records become rare: without this, a stop would have to wait for the next one.
            if token.is_stopped() {
                return;
            }
        }
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(0.2), |text| text.parse())?;
    let all = StopHandle::new();
    let interrupt = all.clone();
    ctrlc::set_handler(move || _ = interrupt.stop())?;
    let _deadline = all.stop_after(Duration::try_from_secs_f64(seconds)?);

    let mut last = (0, 0);
    for record in records(all.token()).into_iter().stoppable_under(&all) {
        last = record;
    }
    println!("longest so far: {} steps from {}", last.1, last.0);
    assert_eq!(all.outcome(), Some(Outcome::Stopped));
    Ok(())
}
