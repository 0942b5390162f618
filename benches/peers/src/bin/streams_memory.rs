//! What streams allocate. These are counts and not times, so a busy machine does not matter. Prints a
//! Markdown table; what this crate promises is asserted.
//!
//! A program of its own, for counting makes every allocation slower.

use allocation_counter::measure;
use watertight_peers::streams::bodies::{nested, ready};
use watertight_peers::streams::{Input, Polled, Three};
use watertight_peers::table;

/// How many allocations this crate promises at the most, of a contender of its own: a compiler that sees
/// that nobody else has a box may leave it out.
fn promised(contender: &str) -> Option<u64> {
    match contender {
        "watertight" => Some(0),
        "watertight_boxed" => Some(1),
        "watertight_releasable" => Some(2),
        _ => None,
    }
}

fn main() {
    let (few, many) = (Input { seed: 7, items: 1 }, Input { seed: 7, items: 1_000 });
    let rows = ready::all::<Three>()
        .into_iter()
        .zip(ready::all::<Polled>())
        .zip(nested::all::<Polled>())
        .map(|(((name, three), (_, ready)), (_, nested))| {
            // What is allocated once for the thread is not theirs.
            three(&few);
            let short = measure(|| _ = three(&few));
            let ready = measure(|| _ = ready(&many));
            let nested = measure(|| _ = nested(&many));
            for measured in [&short, &ready, &nested] {
                assert_eq!(measured.bytes_current, 0, "{name} leaks");
            }
            if let Some(promised) = promised(name) {
                let works = [(&short, 1, "three"), (&ready, 1, "all"), (&nested, 2, "nested")];
                for (counted, generators, items) in works {
                    let allocations = counted.count_total;
                    let most = generators * promised;
                    assert!(allocations <= most, "{name}, {items} items: {allocations}");
                }
            }
            vec![
                name.to_owned(),
                short.count_total.to_string(),
                short.bytes_max.to_string(),
                ready.count_total.to_string(),
                nested.count_total.to_string(),
            ]
        })
        .collect::<Vec<_>>();
    let head = [
        "",
        "make, take three, drop",
        "bytes at one time",
        "make, take 1,000",
        "one in another, take 1,000",
    ];
    table::print("**Allocations of streams of `u64`**", &head.map(str::to_owned), &rows);
}
