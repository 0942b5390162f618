//! A work that each contender does by itself, on one thread: what it is called, who does it, and what
//! it costs. Those that two threads do together are in [`works`](crate::works).

use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

use crate::machine::Usage;
use crate::works::nanos;

/// Does a work once, and gives the checksum.
pub type Kernel<I> = fn(&I) -> u64;

/// A contender, ready to do a work.
pub struct Contender {
    pub name: &'static str,
    /// How often it does the work in a run.
    times: u64,
    work: Box<dyn Fn() -> u64>,
}

impl Contender {
    /// Does the work so many times.
    pub fn repeat(&self, times: u64) {
        for _ in 0..times {
            black_box((self.work)());
        }
    }
}

/// A work with all who do it.
pub struct Work {
    pub name: String,
    /// How many items it has.
    pub items: u64,
    /// The one written by hand first.
    pub contenders: Vec<Contender>,
    clock: Clock,
}

/// Which time a work takes.
#[derive(Clone, Copy, Debug)]
enum Clock {
    Processor,
    Wall,
}

impl Work {
    /// `times` says how often a contender does the work in a run; one that has 0 is left out.
    pub fn new<I: 'static>(
        name: String,
        items: u64,
        input: I,
        contenders: Vec<(&'static str, Kernel<I>)>,
        times: impl Fn(&str) -> u64,
    ) -> Work {
        let input = Rc::new(input);
        let contenders = contenders
            .into_iter()
            .filter(|(name, _)| times(name) > 0)
            .map(|(name, kernel)| {
                let input = Rc::clone(&input);
                let work = Box::new(move || kernel(black_box(&*input)));
                Contender { name, times: times(name), work }
            })
            .collect();
        Work { name, items, contenders, clock: Clock::Processor }
    }

    /// The same work, timed by the clock on the wall, because several threads do it together.
    pub fn by_the_wall(self) -> Work {
        Work { clock: Clock::Wall, ..self }
    }

    /// Panics if not all contenders have the same items in the same order.
    pub fn verify(&self) {
        let [first, others @ ..] = &*self.contenders else { panic!("{} has none", self.name) };
        let expected = (first.work)();
        for other in others {
            let (name, work) = (other.name, &self.name);
            assert_eq!((other.work)(), expected, "{work}: {name} and {} differ", first.name);
        }
    }

    /// Nanoseconds for each item, in one run. Of processor time, where one thread does the work: that
    /// is the time of the wall clock, less what other programs have taken.
    pub fn time(&self, contender: &Contender) -> f64 {
        let (usage, start) = (Usage::so_far(), Instant::now());
        contender.repeat(contender.times);
        let time = match self.clock {
            Clock::Wall => start.elapsed(),
            Clock::Processor => Usage::so_far().since(usage).cpu,
        };
        nanos(time) / (self.items * contender.times) as f64
    }
}

/// A work that is still to be made, for all at once take much memory.
pub struct Planned {
    pub name: String,
    make: Box<dyn Fn(String) -> Work>,
}

impl Planned {
    pub fn make(&self) -> Work {
        (self.make)(self.name.clone())
    }
}

/// Makes and verifies each work. Its first contender is the one by hand, and of them there are as many as
/// `enough` says.
#[cfg(test)]
pub fn verify_all(works: Vec<Planned>, enough: impl Fn(usize) -> bool) {
    for planned in works {
        let work = planned.make();
        work.verify();
        assert_eq!(work.contenders[0].name, "hand_written");
        assert!(enough(work.contenders.len()), "{} has {}", work.name, work.contenders.len());
    }
}

pub fn plan(name: String, make: impl Fn(String) -> Work + 'static) -> Planned {
    Planned { name, make: Box::new(make) }
}
