//! A handle is forgotten: by `mem::forget`, as here, by `ManuallyDrop`, by code in another language that
//! has been given it and does not give it back.

use std::mem;

use watertight::{Co, generator, scope};

use super::meter::Meter;

pub fn mistake(meter: &mut Meter) {
    for _ in meter.items() {
        let mut bytes = generator(async |mut co: Co<u8>| {
            let page = vec![0; 512];
            co.yield_all(page).await;
        })
        .boxed();
        bytes.next();
        mem::forget(bytes);
        meter.tick();
    }
}

pub fn cure(meter: &mut Meter) {
    for _ in meter.items() {
        // What is made in a scope is over when it returns, whatever became of its handle.
        scope(|s| {
            let mut bytes = s.generator(async |mut co: Co<u8>| {
                let page = vec![0; 512];
                co.yield_all(page).await;
            });
            bytes.next();
            mem::forget(bytes);
        });
        meter.tick();
    }
}
