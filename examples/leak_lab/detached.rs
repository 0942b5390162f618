//! A producer runs on a thread that nobody waits for. It has the other end of its channel, too, as the
//! workers of a pool do that share one. So it is never told that nobody listens.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use watertight::{Capacity, Co, generator};

use super::meter::Meter;

pub fn mistake(meter: &mut Meter) {
    for _ in meter.items() {
        let (queue, waiting) = mpsc::sync_channel(1);
        let waiting = Arc::new(Mutex::new(waiting));
        let theirs = Arc::clone(&waiting);
        thread::Builder::new()
            .stack_size(64 << 10)
            .spawn(move || {
                let _shared = theirs;
                let lines = generator(async |mut co: Co<String>| {
                    for n in 0.. {
                        co.yield_(format!("{n:0100}")).await;
                    }
                });
                for line in lines {
                    if queue.send(line).is_err() {
                        break;
                    }
                }
            })
            .expect("the system has a thread");
        let first = waiting.lock().expect("nobody has panicked").recv();
        drop(first);
        meter.tick();
    }
}

pub fn cure(meter: &mut Meter) {
    for _ in meter.items() {
        let lines = generator(async |mut co: Co<String>| {
            for n in 0.. {
                co.yield_(format!("{n:0100}")).await;
            }
        });
        // Dropping the handle ends the source and waits for its thread.
        let mut lines = lines.boxed().prefetch(Capacity::items(1));
        drop(lines.next());
        drop(lines);
        meter.tick();
    }
}
