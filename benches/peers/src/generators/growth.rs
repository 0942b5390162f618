//! How the cost of a generator grows: with its items, with the number of those that are alive, with the
//! size of an item, and with the threads that run such generators at the same time. A work is called by
//! what grows and how far it has.

use std::hint::black_box;
use std::thread;

use watertight::{Co, StopHandle, scope};

use super::numbers::xorshift;
use super::{Checksum, Consumer, Numbers};
use crate::work::{Kernel, Planned, Work, plan};
use crate::works::bodies::{SEED, Xorshift, step};
use crate::works::mix;

/// Everything that is measured; with `quick` no more than small steps of it. A generator has up to ten
/// to the power of `digits` items.
pub fn works(quick: bool, digits: u32) -> Vec<Planned> {
    let mut works = Vec::new();
    for digit in 3..=if quick { 4 } else { digits } {
        let items = 10_u64.pow(digit);
        works.push(plan(format!("items_{items}"), move |name| {
            let numbers = Numbers { seed: SEED, items, generators: 1 };
            Work::new(name, items, numbers, xorshift::contenders::<Long>(), |contender| {
                if is_long(contender) { 10_000_000_u64.div_ceil(items) } else { 0 }
            })
        }));
    }
    for digit in 0..=if quick { 2 } else { 6 } {
        let alive = 10_u64.pow(digit);
        works.push(plan(format!("alive_{alive}"), move |name| {
            let times = if quick { 1 } else { 100_000_u64.div_ceil(alive) };
            Work::new(name, alive * STEPS, alive, alive::contenders(), |contender| {
                let has_a_stack = matches!(contender, "corosensei" | "generator");
                match alive {
                    ..=1_000 if has_a_stack => times.div_ceil(100),
                    _ if has_a_stack => 0,
                    _ => times,
                }
            })
        }));
    }
    works.extend([
        size::<1>(quick),
        size::<8>(quick),
        size::<64>(quick),
        size::<256>(quick),
        size::<1024>(quick),
        size::<4096>(quick),
    ]);
    let most = thread::available_parallelism().map_or(1, usize::from);
    let mut threads: Vec<_> = (0..).map(|n| 1 << n).take_while(|&threads| threads < most).collect();
    threads.push(most);
    for threads in threads {
        works.push(plan(format!("threads_{threads}"), move |name| {
            let crowd = Crowd { threads, generators: if quick { 100 } else { 20_000 } };
            let items = threads as u64 * crowd.generators * EACH;
            Work::new(name, items, crowd, crowd::contenders(), |_| 1).by_the_wall()
        }));
    }
    works
}

/// The checksum, for generators of which there are no others: who shared a body with another work would
/// not have it inlined.
enum Long {}

impl Consumer<Numbers, u64> for Long {
    #[inline(always)]
    fn consume(items: impl Iterator<Item = u64>) -> u64 {
        <Checksum as Consumer<Numbers, u64>>::consume(items)
    }
}

/// Who has up to 10⁸ items, and would not take minutes for them.
fn is_long(contender: &str) -> bool {
    let long = ["hand_written", "watertight", "watertight_boxed", "watertight_stoppable"];
    long.contains(&contender) || ["nightly_gen", "genawaiter_rc", "remit"].contains(&contender)
}

/// How many items each of those has that are alive together.
const STEPS: u64 = 16;

/// So many generators are made, give an item each in turn, and are dropped: making, and what the caches
/// do, is in the time for each item.
mod alive {
    use super::*;

    fn in_turn<I: Iterator<Item = u64>>(alive: u64, make: impl Fn(Numbers) -> I) -> u64 {
        let mut all: Vec<I> = (0..alive)
            .map(|n| make(Numbers { seed: SEED + n, items: u64::MAX, generators: 1 }))
            .collect();
        let mut checksum = 0;
        for _ in 0..STEPS {
            for items in &mut all {
                checksum = mix(checksum, items.next().expect("it has no end"));
            }
        }
        checksum
    }

    /// In one scope, their types hidden.
    fn scoped(alive: u64) -> u64 {
        scope(|s| {
            in_turn(alive, |input| {
                s.generator(async move |mut co: Co<u64>| {
                    let (seed, items) = (input.seed, input.items);
                    xorshift!(awaited, co, seed, items);
                })
                .erase()
            })
        })
    }

    pub fn contenders() -> Vec<(&'static str, Kernel<u64>)> {
        macro_rules! all {
            ($($form:ident)*) => {
                [$((stringify!($form), |alive: &u64| in_turn(*alive, xorshift::boxes::$form))),*]
            };
        }
        let mut contenders: Vec<(_, Kernel<u64>)> = vec![
            ("hand_written", |alive| in_turn(*alive, xorshift::hand_written_box)),
            ("watertight_scoped", |alive| scoped(*alive)),
        ];
        let peers: [(_, Kernel<u64>); 9] = all![
            watertight genawaiter_rc genawaiter_sync genawaiter2 fauxgen next_gen remit
            corosensei generator
        ];
        contenders.extend(peers);
        #[cfg(nightly_gen)]
        contenders.extend::<[(_, Kernel<u64>); 1]>(all![nightly_gen]);
        contenders
    }
}

/// Items that are arrays of so many bytes.
fn size<const BYTES: usize>(quick: bool) -> Planned {
    plan(format!("size_{BYTES}"), move |name| {
        let items: u64 = if quick { 100 } else { 10_000 };
        let times = if quick { 1 } else { 100 };
        Work::new(name, items, items, size::contenders::<BYTES>(), |_| times)
    })
}

mod size {
    use super::*;

    /// Each array is in memory once when it has come.
    #[inline(always)]
    fn read<const BYTES: usize>(items: impl Iterator<Item = [u8; BYTES]>) -> u64 {
        let mut checksum = 0;
        for item in items {
            let item = black_box(&item);
            checksum = mix(checksum, u64::from(item[0]) << 8 | u64::from(item[BYTES - 1]));
        }
        checksum
    }

    macro_rules! arrays {
        ($give:ident, $co:ident, $items:ident) => {
            for n in 0..$items {
                $give!($co, [n as u8; BYTES]);
            }
        };
    }

    fn hand_written<const BYTES: usize>(items: &u64) -> u64 {
        read((0..*items).map(|n| [n as u8; BYTES]))
    }

    fn watertight<const BYTES: usize>(&items: &u64) -> u64 {
        read(std::pin::pin!(ours!(arrays(items) -> [u8; BYTES])))
    }

    fn watertight_boxed<const BYTES: usize>(&items: &u64) -> u64 {
        read(ours!(arrays(items) -> [u8; BYTES]).into_iter())
    }

    /// These two hide their type, and so each item is copied out of a call.
    fn hand_written_box<const BYTES: usize>(&items: &u64) -> u64 {
        let items: Box<dyn Iterator<Item = _>> = Box::new((0..items).map(|n| [n as u8; BYTES]));
        read(black_box(items))
    }

    fn watertight_box_gen<const BYTES: usize>(&items: &u64) -> u64 {
        read(black_box(ours!(arrays(items) -> [u8; BYTES]).boxed()))
    }

    fn genawaiter_stack<const BYTES: usize>(&items: &u64) -> u64 {
        genawaiter::stack::let_gen_using!(generator, |co| async move {
            arrays!(awaited, co, items);
        });
        read(generator.into_iter())
    }

    fn genawaiter_rc<const BYTES: usize>(&items: &u64) -> u64 {
        read(
            genawaiter::rc::Gen::new(|co| async move {
                arrays!(awaited, co, items);
            })
            .into_iter(),
        )
    }

    fn remit<const BYTES: usize>(&items: &u64) -> u64 {
        read(remit::Generator::boxed(|co| async move {
            arrays!(remitted, co, items);
        }))
    }

    fn corosensei<const BYTES: usize>(&items: &u64) -> u64 {
        use corosensei::{ScopedCoroutine, Yielder};
        crate::recursion::forms::with_stack(|stack| {
            ScopedCoroutine::with_stack(stack, |co: &Yielder<(), [u8; BYTES]>, ()| {
                arrays!(suspended, co, items);
            })
            .scope(|mut coroutine| {
                read(std::iter::from_fn(|| coroutine.as_mut().resume(()).as_yield()))
            })
        })
    }

    pub fn contenders<const BYTES: usize>() -> Vec<(&'static str, Kernel<u64>)> {
        macro_rules! all {
            ($($form:ident)*) => { vec![$((stringify!($form), $form::<BYTES>)),*] };
        }
        all! {
            hand_written hand_written_box watertight watertight_boxed watertight_box_gen
            genawaiter_stack genawaiter_rc remit corosensei
        }
    }
}

/// How many items each generator of a thread has.
const EACH: u64 = 100;

/// Threads that each make so many generators, one after the other, and take all their items.
#[derive(Clone, Copy)]
struct Crowd {
    threads: usize,
    generators: u64,
}

mod crowd {
    use super::*;

    #[inline(always)]
    fn together(crowd: Crowd, run: impl Fn(u64) -> u64 + Sync) -> u64 {
        let run = &run;
        thread::scope(|s| {
            let threads: Vec<_> = (0..crowd.threads as u64)
                .map(|thread| {
                    s.spawn(move || {
                        (0..crowd.generators)
                            .map(|n| run(black_box(thread << 32 | (n + 1))))
                            .fold(0, mix)
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("nothing panics here"))
                .fold(0, mix)
        })
    }

    fn sum(items: impl Iterator<Item = u64>) -> u64 {
        items.fold(0, mix)
    }

    macro_rules! numbers {
        ($seed:ident) => {
            watertight::generator(async move |mut co: Co<u64>| {
                let mut x = $seed;
                for _ in 0..EACH {
                    x = step(x);
                    co.yield_(x).await;
                }
            })
        };
    }

    pub fn contenders() -> Vec<(&'static str, Kernel<Crowd>)> {
        vec![
            ("hand_written", |crowd| together(*crowd, |seed| sum(Xorshift::new(seed, EACH)))),
            ("watertight", |crowd| together(*crowd, |seed| sum(std::pin::pin!(numbers!(seed))))),
            ("watertight_boxed", |crowd| together(*crowd, |seed| sum(numbers!(seed).boxed()))),
            // One stop handle for all of them, on all threads.
            ("watertight_stoppable", |crowd| {
                let stop = StopHandle::new();
                together(*crowd, |seed| sum(numbers!(seed).into_iter().stoppable_under(&stop)))
            }),
            ("watertight_releasable", |crowd| {
                let stop = StopHandle::new();
                together(*crowd, |seed| sum(numbers!(seed).releasable_under(&stop)))
            }),
            ("genawaiter_rc", |crowd| {
                together(*crowd, |seed| {
                    sum(genawaiter::rc::Gen::new(|co| async move {
                        xorshift!(awaited, co, seed, EACH);
                    })
                    .into_iter())
                })
            }),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::works;

    #[test]
    fn every_work_gives_the_same_in_every_form() {
        for planned in works(true, 8) {
            let work = planned.make();
            work.verify();
            assert_eq!(work.contenders[0].name, "hand_written");
            assert!(work.contenders.len() >= 5, "{}", work.name);
        }
    }
}
