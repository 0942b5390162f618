//! Bodies that yield numbers and strings, and decode. Each is next to what one would write by hand.

use std::hint::black_box;

use watertight::try_generator;

use super::{Checksum, Consumer, Numbers, Parity};
use crate::work::Kernel;
use crate::works::bodies::{Nested, Truncated, Varints, Xorshift};

/// Numbers that each take a few instructions, one after the other.
pub mod xorshift {
    use super::*;

    macro_rules! body {
        ($give:ident, $co:ident, $input:ident) => {
            let (seed, items) = ($input.seed, $input.items);
            xorshift!($give, $co, seed, items)
        };
    }
    forms! { body(input: Numbers) -> u64; from |input: &Numbers| *input }
    boxes! { body(input: Numbers) -> u64 }

    #[inline(always)]
    fn hand_written(input: Numbers) -> Xorshift {
        Xorshift::new(input.seed, input.items)
    }

    pub fn contenders<C: Consumer<Numbers, u64>>() -> Vec<(&'static str, Kernel<Numbers>)> {
        let by_hand: Kernel<Numbers> = |input| C::each(*input, |one| C::consume(hand_written(one)));
        [("hand_written", by_hand)].into_iter().chain(all::<C>()).collect()
    }

    /// The same, and all generators of a work in one scope.
    pub fn contenders_and_in_scope<C>() -> Vec<(&'static str, Kernel<Numbers>)>
    where
        C: Consumer<Numbers, u64>,
    {
        let mut contenders = contenders::<C>();
        contenders.push(("watertight_in_scope", |input| {
            ::watertight::scope(|s| {
                C::each(*input, |one| C::consume(s.adopt_generator(ours!(body(one) -> u64))))
            })
        }));
        contenders
    }

    /// The iterator by hand in a box, as the others are.
    pub fn hand_written_box(input: Numbers) -> Box<dyn Iterator<Item = u64>> {
        Box::new(hand_written(input))
    }

    /// Of iterators whose type is hidden from who uses them.
    pub fn contenders_in_boxes<C: Consumer<Numbers, u64>>() -> Vec<(&'static str, Kernel<Numbers>)>
    {
        macro_rules! hidden {
            ($($form:ident)*) => {
                vec![$((stringify!($form), |input| {
                    C::each(*input, |one| C::consume(black_box(boxes::$form(one))))
                })),*]
            };
        }
        let by_hand: Kernel<Numbers> =
            |input| C::each(*input, |one| C::consume(black_box(hand_written_box(one))));
        // The crate's own box, and a handle of a scope whose type is hidden.
        let boxed: Kernel<Numbers> =
            |input| C::each(*input, |one| C::consume(black_box(ours!(body(one) -> u64).boxed())));
        let erased: Kernel<Numbers> = |input| {
            ::watertight::scope(|s| {
                C::each(*input, |one| {
                    C::consume(black_box(s.adopt_generator(ours!(body(one) -> u64)).erase()))
                })
            })
        };
        let mut all: Vec<(_, Kernel<Numbers>)> = vec![("hand_written", by_hand)];
        all.extend([("watertight_box_gen", boxed), ("watertight_erased", erased)]);
        let peers: Vec<(_, Kernel<Numbers>)> = hidden! {
            watertight genawaiter_rc genawaiter_sync genawaiter2 fauxgen next_gen remit
            corosensei generator
        };
        all.extend(peers);
        #[cfg(nightly_gen)]
        all.extend::<Vec<(_, Kernel<Numbers>)>>(hidden! { nightly_gen });
        all
    }
}

/// A range, of which the compiler makes vector instructions if nothing is in its way.
pub mod range {
    use super::*;

    macro_rules! body {
        ($give:ident, $co:ident, $input:ident) => {
            let items = $input.items;
            range!($give, $co, items)
        };
    }
    forms! { body(input: Numbers) -> u64; from |input: &Numbers| *input }

    pub fn contenders() -> Vec<(&'static str, Kernel<Numbers>)> {
        let by_hand: Kernel<Numbers> =
            |input| <Parity as Consumer<Numbers, u64>>::consume(0..input.items);
        [("hand_written", by_hand)].into_iter().chain(all::<Parity>()).collect()
    }
}

/// Two loops and a filter.
pub mod nested {
    use super::*;

    macro_rules! body {
        ($give:ident, $co:ident, $input:ident) => {
            let side = $input.items;
            nested!($give, $co, side)
        };
    }
    forms! { body(input: Numbers) -> u64; from |input: &Numbers| *input }

    pub fn items(side: u64) -> u64 {
        Nested::new(side).count() as u64
    }

    pub fn contenders() -> Vec<(&'static str, Kernel<Numbers>)> {
        let by_hand: Kernel<Numbers> =
            |input| <Checksum as Consumer<Numbers, u64>>::consume(Nested::new(input.items));
        [("hand_written", by_hand)].into_iter().chain(all::<Checksum>()).collect()
    }
}

/// Items that own memory.
pub mod strings {
    use super::*;

    macro_rules! body {
        ($give:ident, $co:ident, $input:ident) => {
            let items = $input.items;
            strings!($give, $co, items)
        };
    }
    forms! { body(input: Numbers) -> String; from |input: &Numbers| *input }

    pub fn contenders() -> Vec<(&'static str, Kernel<Numbers>)> {
        let by_hand: Kernel<Numbers> = |input| {
            let items = (0..input.items).map(|n| n.to_string());
            <Checksum as Consumer<Numbers, String>>::consume(items)
        };
        [("hand_written", by_hand)].into_iter().chain(all::<Checksum>()).collect()
    }
}

/// Numbers of various lengths, the last one of which is cut short. A body yields results; that of
/// `watertight_try` may use `?`.
pub mod fallible {
    use super::*;

    type Number = Result<u64, Truncated>;

    macro_rules! body {
        ($give:ident, $co:ident, $bytes:ident) => {
            varint_results!($give, $co, $bytes)
        };
    }
    forms! { body(bytes: &'a [u8]) -> Number; from |bytes: &Vec<u8>| &**bytes }

    pub fn contenders() -> Vec<(&'static str, Kernel<Vec<u8>>)> {
        fn checksum(items: impl Iterator<Item = Number>) -> u64 {
            <Checksum as Consumer<&[u8], Number>>::consume(items)
        }
        let by_hand: Kernel<Vec<u8>> = |bytes| checksum(Varints::new(bytes));
        let by_trying: Kernel<Vec<u8>> = |bytes| {
            checksum(std::pin::pin!(try_generator(async move |mut co| {
                varints!(awaited, co, bytes)
            })))
        };
        let mut contenders = vec![("hand_written", by_hand), ("watertight_try", by_trying)];
        contenders.extend(all::<Checksum>());
        contenders
    }
}
