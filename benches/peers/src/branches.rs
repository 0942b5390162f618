//! One source, two readers on one thread: what it takes to give every item to both, by how far one of
//! them gets ahead of the other.

use watertight::{Capacity, IteratorExt, Overflow};

use crate::work::{Kernel, Planned, Work, plan};
use crate::works::bodies::{SEED, Xorshift};
use crate::works::mix;

/// How many items the source has.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    items: u64,
}

/// A source that can be run as often as one wants, and gives the same each time.
fn source(input: Input) -> impl Iterator<Item = u64> + Clone + Send + 'static {
    Xorshift::new(SEED, input.items)
}

/// Takes `AHEAD` items from the one, then as many from the other, and so on. The checksum is of all
/// items in the order in which they are read.
#[inline(always)]
fn read<const AHEAD: usize>(
    mut one: impl Iterator<Item = u64>,
    mut other: impl Iterator<Item = u64>,
) -> u64 {
    let mut checksum = 0;
    loop {
        let mut taken = 0;
        for item in one.by_ref().take(AHEAD) {
            checksum = mix(checksum, item);
            taken += 1;
        }
        for item in other.by_ref().take(AHEAD) {
            checksum = mix(checksum, item);
        }
        if taken < AHEAD {
            return checksum;
        }
    }
}

/// Reads the one to its end, when the other one has gone.
#[inline(always)]
fn alone<I: Iterator<Item = u64>>((one, other): (I, I)) -> u64 {
    drop(other);
    one.fold(0, mix)
}

/// Whoever wants to read something twice, where that is possible and costs little.
fn twice<const AHEAD: usize>(input: &Input) -> u64 {
    read::<AHEAD>(source(*input), source(*input))
}

fn itertools<const AHEAD: usize>(input: &Input) -> u64 {
    let (one, other) = itertools::Itertools::tee(source(*input));
    read::<AHEAD>(one, other)
}

/// Both branches of one of ours, which have room for so much.
macro_rules! two {
    ($split:ident, $input:expr, $room:expr) => {{
        let room = Capacity::try_from($room).expect("there is room for something");
        let branches = source(*$input).$split(2, room, Overflow::Error);
        let [one, other] = <[_; 2]>::try_from(branches).expect("there are two");
        (one, other)
    }};
}

fn local<const AHEAD: usize>(input: &Input) -> u64 {
    let (one, other) = two!(tee_local, input, AHEAD);
    read::<AHEAD>(one, other)
}

/// Those that may be read on different threads.
fn shared<const AHEAD: usize>(input: &Input) -> u64 {
    let (one, other) = two!(tee, input, AHEAD);
    read::<AHEAD>(one, other)
}

fn contenders<const AHEAD: usize>() -> Vec<(&'static str, Kernel<Input>)> {
    vec![
        ("twice", twice::<AHEAD>),
        ("itertools", itertools::<AHEAD>),
        ("watertight", local::<AHEAD>),
        ("watertight_threads", shared::<AHEAD>),
    ]
}

fn one_gone() -> Vec<(&'static str, Kernel<Input>)> {
    vec![
        ("twice", |input| alone((source(*input), source(*input)))),
        // The items are kept for the one that has gone, to the end.
        ("itertools", |input| alone(itertools::Itertools::tee(source(*input)))),
        ("watertight", |input| alone(two!(tee_local, input, 1))),
        ("watertight_threads", |input| alone(two!(tee, input, 1))),
    ]
}

/// Everything that is measured. An item counts once for each who reads it.
pub fn works(quick: bool) -> Vec<Planned> {
    let (items, times) = if quick { (1_000, 1) } else { (100_000, 20) };
    let work = |name: &str, readers, contenders: fn() -> Vec<(&'static str, Kernel<Input>)>| {
        plan(name.to_owned(), move |name| {
            Work::new(name, readers * items, Input { items }, contenders(), |_| times)
        })
    };
    vec![
        work("in_turn", 2, contenders::<1>),
        work("ahead_16", 2, contenders::<16>),
        work("ahead_256", 2, contenders::<256>),
        work("ahead_4096", 2, contenders::<4096>),
        work("one_gone", 1, one_gone),
    ]
}

#[cfg(test)]
mod tests {
    use super::works;

    #[test]
    fn every_contender_gives_every_item_to_both() {
        works(true).iter().for_each(|planned| planned.make().verify());
    }
}
