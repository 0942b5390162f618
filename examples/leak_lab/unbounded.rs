//! A source is faster than its consumer, and what is between them has no bound. Here two lines come for
//! each that is dealt with.

use std::sync::mpsc;

use watertight::{Capacity, Co, generator};

use super::meter::Meter;

pub fn mistake(meter: &mut Meter) {
    let (queue, waiting) = mpsc::channel();
    let mut lines = generator(async |mut co: Co<String>| {
        for n in 0.. {
            co.yield_(format!("{n:0100}")).await;
        }
    })
    .boxed();
    for _ in meter.items() {
        for line in lines.by_ref().take(2) {
            queue.send(line).expect("the other end is here");
        }
        drop(waiting.recv());
        meter.tick();
    }
}

pub fn cure(meter: &mut Meter) {
    let lines = generator(async |mut co: Co<String>| {
        for n in 0.. {
            co.yield_(format!("{n:0100}")).await;
        }
    });
    // The source runs ahead on its thread, so far, and then it waits.
    let mut waiting = lines.boxed().prefetch(Capacity::items(64));
    for _ in meter.items() {
        drop(waiting.next());
        meter.tick();
    }
}
