//! Recursive generators: works that are written as recursive functions, and the forms in which each
//! contender writes them.

#[macro_use]
pub mod forms;

pub mod chain;
pub mod files;
pub mod puzzles;
pub mod tree;

use crate::work::{Kernel, Planned, Work, plan};
use crate::works::mix;

use chain::Chain;
use files::Folders;
use puzzles::{permutations, queens};
use tree::{Side, Tree};

/// What is done with the items. A trait, and not a closure, because each contender has an iterator of
/// its own type, and some lend it.
pub trait Consumer {
    type Output;

    fn consume(self, items: impl Iterator<Item = u64>) -> Self::Output;
}

/// Of all items, in their order.
pub struct Checksum;

impl Consumer for Checksum {
    type Output = u64;

    #[inline]
    fn consume(self, items: impl Iterator<Item = u64>) -> u64 {
        let mut checksum = 0;
        for item in items {
            checksum = mix(checksum, item);
        }
        checksum
    }
}

/// Contenders that go through all levels for each item.
fn climbs(contender: &str) -> bool {
    matches!(contender, "genawaiter" | "genawaiter_nested" | "nightly_gen")
}

/// How far down those are asked to go: not only do they take ever more time, they go down on the
/// thread's stack, and so do their destructors.
const CLIMB: u64 = 10_000;

/// Everything that is measured. With `quick` the same works, but small ones, once.
pub fn works(quick: bool) -> Vec<Planned> {
    let mut works = Vec::new();

    // A run is a million items, or one tree.
    for nodes in [1 << 10, 1 << 14, 1 << 18, 1 << 20, 1 << 22] {
        works.push(plan(format!("tree_{nodes}"), move |name| {
            let nodes = if quick { nodes.min(1 << 14) } else { nodes };
            let times = if quick { 1 } else { ((1 << 20) / nodes).max(1) };
            Work::new(name, nodes, Tree::balanced(nodes), tree::contenders(), |_| times)
        }));
    }

    // A run is a hundred thousand items, or one list.
    for side in [Side::Right, Side::Left] {
        for depth in [10, 100, 1_000, 10_000, 100_000, 1_000_000] {
            let leaning = format!("{side:?}").to_lowercase();
            works.push(plan(format!("{leaning}_list_{depth}"), move |name| {
                let list = Tree::list(side, depth);
                let times = if quick { 1 } else { (100_000 / depth).max(1) };
                Work::new(name, depth, list, tree::contenders(), |contender| {
                    match climbs(contender) {
                        true if depth > if quick { 1_000 } else { CLIMB } => 0,
                        true => times.min(1.max(20_000_000 / (depth * depth))),
                        false => times,
                    }
                })
            }));
        }
    }

    for depth in [1, 10, 20, 100, 1_000, 10_000] {
        works.push(plan(format!("chain_{depth}"), move |name| {
            let items = if quick { 1_000 } else { 100_000 };
            let times = if quick { 1 } else { 10 };
            let chain = Chain { depth, items };
            Work::new(name, items, chain, chain::contenders(), |contender| {
                match climbs(contender) {
                    true if depth > 1_000 => 0,
                    true => times.min(1.max(100 / depth)),
                    false => times,
                }
            })
        }));
    }

    works.push(plan("files".into(), |name| {
        Work::new(name, Folders::FILES, Folders::new(), files::contenders(), |_| 1)
    }));
    works.push(plan("permutations".into(), move |name| {
        use permutations::{ELEMENTS, ITEMS, contenders};
        Work::new(name, ITEMS, ELEMENTS, contenders(), |_| if quick { 1 } else { 10 })
    }));
    works.push(plan("queens".into(), move |name| {
        use queens::{ITEMS, ROW, contenders};
        Work::new(name, ITEMS, ROW, contenders(), |_| if quick { 1 } else { 200 })
    }));
    works
}

#[cfg(test)]
mod tests {
    use super::{chain, files, permutations, puzzles::queens, tree, works};
    use crate::work::verify_all;

    /// Every list of contenders begins with `hand_written`, and has the forms.
    #[test]
    fn every_work_gives_the_same_in_every_form() {
        verify_all(works(true), |contenders| contenders >= 4);
    }

    /// How many items there are is stated, and what is divided by it would be wrong.
    #[test]
    fn every_work_has_as_many_items_as_it_says() {
        struct Count;
        impl super::Consumer for Count {
            type Output = u64;
            fn consume(self, items: impl Iterator<Item = u64>) -> u64 {
                items.count() as u64
            }
        }
        let tree = tree::Tree::balanced(1024);
        assert_eq!(tree::watertight::run(Count, &tree), 1024);
        let list = tree::Tree::list(tree::Side::Left, 1000);
        assert_eq!(tree::watertight::run(Count, &list), 1000);
        let chain = chain::Chain { depth: 9, items: 77 };
        assert_eq!(chain::watertight::run(Count, &chain), 77);
        let folders = files::Folders::new();
        assert_eq!(files::watertight::run(Count, &folders), files::Folders::FILES);
        let elements = permutations::ELEMENTS;
        assert_eq!(permutations::watertight::run(Count, &elements), permutations::ITEMS);
        assert_eq!(queens::watertight::run(Count, &queens::ROW), queens::ITEMS);
    }
}
