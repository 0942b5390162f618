//! A generator has ended, and is kept. What its body held is gone; but the place that it stood in is
//! there for as long as its box, and so is the owner's entry. (What `boxed` makes gives its place back
//! at its end. Then there is only the entry left.)

use std::collections::HashMap;
use std::pin::Pin;

use watertight::{Co, Gen, generator};

use super::meter::Meter;

pub fn mistake(meter: &mut Meter) {
    let mut answers: HashMap<u64, Pin<Box<Gen<String, _>>>> = HashMap::new();
    for request in meter.items() {
        let lines = generator(async move |mut co: Co<String>| {
            for line in 0..3 {
                co.yield_(format!("line {line} for {request}")).await;
            }
        });
        let lines = answers.entry(request).or_insert(Box::pin(lines));
        lines.as_mut().for_each(drop);
        meter.tick();
    }
}

pub fn cure(meter: &mut Meter) {
    let mut answers: HashMap<u64, Pin<Box<Gen<String, _>>>> = HashMap::new();
    for request in meter.items() {
        let lines = generator(async move |mut co: Co<String>| {
            for line in 0..3 {
                co.yield_(format!("line {line} for {request}")).await;
            }
        });
        let lines = answers.entry(request).or_insert(Box::pin(lines));
        lines.as_mut().for_each(drop);
        // Who sees the end removes the entry.
        answers.remove(&request);
        meter.tick();
    }
}
