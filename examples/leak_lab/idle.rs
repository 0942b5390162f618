//! A generator has begun, and nobody comes back for the rest: a client that has gone, a search of which
//! the first page was enough. It holds all that its body does.

use std::collections::{HashMap, VecDeque};

use watertight::{BoxGen, Co, Releasable, StopHandle, generator};

use super::meter::Meter;

/// So many sessions may be open. Whoever opens one more ends the oldest.
const OPEN: usize = 32;

pub fn mistake(meter: &mut Meter) {
    let mut sessions: HashMap<u64, BoxGen<'static, u8>> = HashMap::new();
    for client in meter.items() {
        let mut answer = generator(async move |mut co: Co<u8>| {
            let page = vec![0; 512];
            co.yield_all(page).await;
        })
        .boxed();
        answer.next();
        sessions.insert(client, answer);
        meter.tick();
    }
}

pub fn cure(meter: &mut Meter) {
    // The stop releases what the body holds, wherever its handle is; here it could as well be a
    // deadline's. Who has the handles throws them away when they are next looked through.
    let mut open: VecDeque<StopHandle> = VecDeque::new();
    let mut sessions: HashMap<u64, Releasable<_>> = HashMap::new();
    for client in meter.items() {
        let (mut answer, stop) = generator(async move |mut co: Co<u8>| {
            let page = vec![0; 512];
            co.yield_all(page).await;
        })
        .releasable();
        answer.next();
        sessions.insert(client, answer);
        open.push_back(stop);
        if open.len() > OPEN {
            open.pop_front().expect("there are some").stop();
        }
        if sessions.len() > 2 * OPEN {
            sessions.retain(|_, answer| !answer.stop_handle().is_stopped());
        }
        meter.tick();
    }
}
