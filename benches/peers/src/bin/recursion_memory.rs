//! What recursive generators hold: bytes by their depth, and how often they allocate. These are counts
//! and not times, so a busy machine does not matter. Each prints a Markdown table; what this crate
//! promises is asserted.
//!
//! A program of its own, for counting makes every allocation slower.

use std::fs;

use allocation_counter::measure;
use watertight_peers::recursion::chain::{self, Chain};
use watertight_peers::recursion::forms::unmap_stack;
use watertight_peers::recursion::tree::{self, Side, Tree};
use watertight_peers::recursion::{Checksum, Consumer};
use watertight_peers::table::{self, short};

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    bytes(if quick { &[10, 1_000] } else { &[10, 100, 1_000, 10_000, 100_000, 1_000_000] });
    allocations();
}

/// Calls a macro with every contender that walks trees.
macro_rules! walkers {
    ($each:ident) => {
        vec![
            $each!("hand_written", tree::hand_written),
            $each!("hand_frames", tree::hand_frames),
            $each!("watertight", tree::watertight::run),
            $each!("watertight_send", tree::watertight_send::run),
            $each!("genawaiter", tree::genawaiter::run),
            $each!("genawaiter_nested", tree::genawaiter_nested::run),
            #[cfg(nightly_gen)]
            $each!("nightly_gen", tree::nightly_gen::run),
            $each!("corosensei", tree::corosensei::run),
        ]
    };
}

/// Of the whole process, memory of all sorts.
fn resident() -> u64 {
    let usage = fs::read_to_string("/proc/self/smaps_rollup").expect("this is Linux");
    let line = usage.lines().find(|line| line.starts_with("Rss:")).expect("it has the line");
    let kibibytes: u64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("a number comes after the word");
    kibibytes * 1024
}

/// What is resident after the first item, when a list that leans to the left is in all its nodes.
struct AtTheBottom;

impl Consumer for AtTheBottom {
    type Output = u64;

    fn consume(self, mut items: impl Iterator<Item = u64>) -> u64 {
        let first = items.next();
        let resident = resident();
        assert_eq!(first, Some(0));
        // To its end: ending a coroutine early would unwind its stack.
        items.for_each(drop);
        resident
    }
}

/// The most bytes of the heap at one time, that of a stack included.
fn peak(walk: fn(&Tree) -> u64, list: &Tree) -> u64 {
    let counted = measure(|| _ = walk(list));
    assert_eq!(counted.bytes_current, 0, "a generator that has ended holds nothing");
    counted.bytes_max
}

/// What a coroutine has touched of its stack, in whole pages.
fn stack(list: &Tree) -> u64 {
    unmap_stack();
    let before = resident();
    let touched = tree::corosensei::run(AtTheBottom, list).saturating_sub(before);
    unmap_stack();
    touched
}

fn bytes(depths: &[u64]) {
    type Walk = fn(&Tree) -> u64;
    macro_rules! checksum {
        ($name:expr, $run:path) => {
            ($name, (|list| $run(Checksum, list)) as Walk)
        };
    }
    let lists: Vec<_> = depths.iter().map(|&depth| Tree::list(Side::Left, depth)).collect();
    // What is allocated once for the thread is not theirs.
    for (_, walk) in walkers!(checksum) {
        walk(&lists[0]);
    }
    stack(&lists[0]);

    let rows = walkers!(checksum).into_iter().map(|(name, walk)| {
        // Their destructors, and what they poll, go down on the thread's stack.
        let climbs = ["genawaiter", "genawaiter_nested", "nightly_gen"].contains(&name);
        let mut cells = vec![name.to_owned()];
        let mut each = String::new();
        for (&depth, list) in depths.iter().zip(&lists) {
            if climbs && depth > 10_000 {
                cells.push("–".into());
                continue;
            }
            let bytes = if name == "corosensei" { stack(list) } else { peak(walk, list) };
            each = short(bytes as f64 / depth as f64);
            cells.push(bytes.to_string());
        }
        cells.push(each);
        cells
    });
    let rows: Vec<_> = rows.collect();
    let head = [String::new()]
        .into_iter()
        .chain(depths.iter().map(|depth| format!("depth {depth}")))
        .chain(["for each level, of the last".to_owned()])
        .collect::<Vec<_>>();
    table::print(
        "**Most bytes at one time: of the heap, or for a coroutine those touched of its stack**",
        &head,
        &rows,
    );
}

/// How often the rest allocates after the first item, when the generator has been as deep as it will
/// be.
struct AfterTheFirst;

impl Consumer for AfterTheFirst {
    type Output = u64;

    fn consume(self, mut items: impl Iterator<Item = u64>) -> u64 {
        assert_eq!(items.next(), Some(0));
        measure(|| items.for_each(drop)).count_total
    }
}

fn allocations() {
    const NODES: u64 = 1 << 14;
    type Rest = fn(&Tree) -> u64;
    macro_rules! after_the_first {
        ($name:expr, $run:path) => {
            ($name, (|tree| $run(AfterTheFirst, tree)) as Rest)
        };
    }
    // The first item is at the greatest depth of all.
    let tree = Tree::balanced(NODES);
    let rows: Vec<_> = walkers!(after_the_first)
        .into_iter()
        .map(|(name, rest)| {
            // A coroutine's stack was mapped before, and is none of the heap's.
            let mut later = 0;
            let all = measure(|| later = rest(&tree)).count_total + later;
            let is_ours = name.starts_with("watertight");
            assert!(!is_ours || later == 0, "{name} allocates at a depth that it has been at");
            vec![name.to_owned(), all.to_string(), later.to_string()]
        })
        .collect();
    let head = ["", "a whole walk", "after the first item"].map(str::to_owned);
    table::print(&format!("**Allocations, a tree of {NODES} nodes**"), &head, &rows);

    let chain = Chain { depth: 1, items: 1_000 };
    let shallow = measure(|| _ = chain::watertight::run(Checksum, &chain)).count_total;
    assert_eq!(shallow, 1, "a generator that is not deep allocates once");
    println!("\nOne that stays within its first kibibyte allocates once.");
}
