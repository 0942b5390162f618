//! One call in another, down to a depth, and at the bottom a body that yields many items. What an
//! item costs that far below is all there is to see.

use super::{Checksum, Consumer, Kernel};

#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// Of so many bodies each only calls the next one.
    pub depth: u64,
    pub items: u64,
}

/// Work for an item: without any, a compiler that sees through the iterator could do several at
/// once, which has nothing to do with recursion.
#[inline(always)]
fn value(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7
}

macro_rules! delegate {
    ($form:ident, $co:ident, $walk:ident, $depth:ident, $items:ident) => {
        if $depth == 0 {
            for n in 0..$items {
                give!($form, $co, value(n));
            }
        } else {
            call!($form, $co, $walk($depth - 1, $items));
        }
    };
}
forms! { delegate(depth: u64, items: u64) from |chain: &Chain| (chain.depth, chain.items) }

/// The calls are on a stack, as they would have to be if there were anything left to do in them.
struct Stacked {
    calls: Vec<u64>,
    items: std::ops::Range<u64>,
}

impl Stacked {
    fn new(chain: &Chain) -> Self {
        let mut calls = Vec::new();
        calls.extend((0..chain.depth).rev());
        Stacked { calls, items: 0..chain.items }
    }
}

impl Iterator for Stacked {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        let Some(n) = self.items.next() else {
            while self.calls.pop().is_some() {}
            return None;
        };
        Some(value(n))
    }
}

pub fn contenders() -> Vec<(&'static str, Kernel<Chain>)> {
    let by_hand: Kernel<Chain> = |chain| Checksum.consume(Stacked::new(chain));
    [("hand_written", by_hand)].into_iter().chain(all()).collect()
}
