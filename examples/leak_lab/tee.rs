//! A source is split in two, and one of its consumers looks at one item in ten.

use std::collections::VecDeque;

use watertight::{Capacity, Co, Overflow, generator};

use super::meter::Meter;

pub fn mistake(meter: &mut Meter) {
    // As itertools and Python do it: what the slow one has not had yet waits in a queue.
    let mut backlog = VecDeque::new();
    let mut lines = generator(async |mut co: Co<String>| {
        for n in 0.. {
            co.yield_(format!("{n:0100}")).await;
        }
    })
    .boxed();
    let mut seen = 0;
    for n in meter.items() {
        let line = lines.next().expect("it never ends");
        backlog.push_back(line.clone());
        if n % 10 == 0 {
            drop(backlog.pop_front());
            seen += 1;
        }
        meter.tick_consumed(seen);
    }
}

pub fn cure(meter: &mut Meter) {
    let lines = generator(async |mut co: Co<String>| {
        for n in 0.. {
            co.yield_(format!("{n:0100}")).await;
        }
    });
    let branches = lines.boxed().tee_local(2, Capacity::items(64), Overflow::DropOldest);
    let [mut fast, mut slow] = branches.try_into().expect("there are two");
    let mut seen = 0;
    for n in meter.items() {
        drop(fast.next());
        if n % 10 == 0 {
            drop(slow.next());
            seen += 1;
        }
        meter.tick_consumed(seen + slow.missed());
    }
}
