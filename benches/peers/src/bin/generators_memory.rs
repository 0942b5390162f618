//! What synchronous generators allocate, and how large they are. These are counts and not times, so a
//! busy machine does not matter. Prints Markdown tables; what this crate promises is asserted.
//!
//! A program of its own, for counting makes every allocation slower.

use std::hint::black_box;
use std::path::PathBuf;

use allocation_counter::measure;
use clap::Parser;
use watertight::{Co, Gen, generator, scope};
use watertight_peers::data::Data;
use watertight_peers::generators::numbers::xorshift;
use watertight_peers::generators::{Checksum, Numbers, Three};
use watertight_peers::table;

#[derive(Parser)]
#[command(about = "Counts what synchronous generators allocate")]
struct Options {
    /// How many items a generator has to show that memory does not grow with them
    #[arg(long, default_value_t = 100_000_000)]
    items: u64,

    /// Few items, and few generators: shows that everything runs
    #[arg(long)]
    quick: bool,

    /// Adds the counts to this file, for the report
    #[arg(long)]
    data: Option<PathBuf>,
}

/// How many allocations this crate promises at the most, of a contender of its own: a compiler that sees
/// that nobody else has a box may leave it out.
fn promised(contender: &str) -> Option<u64> {
    match contender {
        "watertight" => Some(0),
        "watertight_boxed" | "watertight_scoped" => Some(1),
        _ => None,
    }
}

fn main() {
    let options = Options::parse();
    let mut data = Data::new();
    lent(&mut data);
    hidden(&mut data);
    ours(&mut data, &options);
    if let Some(path) = &options.data {
        data.append(path).expect("the file of the data can be written");
    }
}

const ONE: Numbers = Numbers { seed: 7, items: 1_000, generators: 1 };

type Kernels = Vec<(&'static str, fn(&Numbers) -> u64)>;

/// A row for each contender, who makes one generator and takes three of its items, or all thousand.
fn count(data: &mut Data, work: &str, short: Kernels, long: Kernels) {
    let mut rows = Vec::new();
    for ((name, short), (_, long)) in short.into_iter().zip(long) {
        // What is allocated once for the thread is not theirs.
        short(&ONE);
        let short = measure(|| _ = short(&ONE));
        let long = measure(|| _ = long(&ONE));
        for counted in [&short, &long] {
            assert_eq!(counted.bytes_current, 0, "{name} leaks");
        }
        if let Some(promised) = promised(name).filter(|_| work == "generators") {
            for (counted, items) in [(&short, "three"), (&long, "all")] {
                let allocations = counted.count_total;
                assert!(allocations <= promised, "{name}, {items} items: {allocations}");
            }
        }
        let counts = [short.count_total, long.count_total, short.bytes_total, short.bytes_max];
        let units = ["allocations", "allocations of 1000", "bytes", "peak bytes"];
        for (unit, count) in units.iter().zip(counts) {
            data.add(work, name, unit, vec![count as f64]);
        }
        rows.push([name.to_owned()].into_iter().chain(counts.map(|n| n.to_string())).collect());
    }
    let head =
        ["", "make, take three, drop", "make, take 1,000", "bytes", "bytes at one time, three"];
    let title = format!("**Allocations of {work} of `u64`; a stack is not of the heap**");
    table::print(&title, &head.map(str::to_owned), &rows);
}

fn lent(data: &mut Data) {
    let [short, long] = [xorshift::contenders::<Three>(), xorshift::contenders::<Checksum>()];
    count(data, "generators", short, long);
}

fn hidden(data: &mut Data) {
    let [short, long] =
        [xorshift::contenders_in_boxes::<Three>(), xorshift::contenders_in_boxes::<Checksum>()];
    count(data, "boxes", short, long);
}

/// A generator of numbers, and how large its body is.
fn numbers(items: u64) -> (usize, Gen<u64, impl Future<Output = ()>>) {
    let mut body_size = 0;
    let generator = generator(|mut co: Co<u64>| {
        let body = async move {
            for n in 0..items {
                co.yield_(black_box(n)).await;
            }
        };
        body_size = size_of_val(&body);
        body
    });
    (body_size, generator)
}

/// What else is promised.
fn ours(data: &mut Data, options: &Options) {
    let (body, generator) = numbers(1);
    let over = size_of_val(&generator) - body;
    assert!(over <= 24, "a generator is {over} bytes over its body");

    let peak = |items| {
        measure(|| {
            let items = black_box(numbers(items).1.into_iter());
            assert!(items.fold(0, |sum, n| sum ^ n) < u64::MAX);
        })
        .bytes_max
    };
    let items = if options.quick { 100_000 } else { options.items };
    let grown = peak(items) - peak(10);
    assert_eq!(grown, 0, "memory must not grow with the number of items");

    let crowd: u64 = if options.quick { 10_000 } else { 1_000_000 };
    let own = crowd * size_of_val(&numbers(2).1) as u64;
    let in_scope = measure(|| {
        scope(|s| {
            let mut all = Vec::with_capacity(crowd as usize);
            for _ in 0..crowd {
                let mut numbers = s.adopt_generator(numbers(2).1);
                assert_eq!(numbers.next(), Some(0));
                all.push(numbers);
            }
            black_box(&all);
        });
    });
    let each = (in_scope.bytes_max - own).div_ceil(crowd);
    assert!(each <= 48, "each of {crowd} in a scope takes {each} bytes over its own state");

    for (what, count) in [
        ("over its body", over as f64),
        ("over its state in a scope", each as f64),
        ("grown by many items", grown as f64),
        ("many items", items as f64),
        ("generators in a scope", crowd as f64),
    ] {
        data.add("promises", what, "count", vec![count]);
    }
    println!("\nA generator is {over} bytes over its body.");
    println!("Of {crowd} in one scope each takes {each} bytes over its own state.");
    println!("After {items} items the heap's peak has grown by {grown} bytes.");
}
