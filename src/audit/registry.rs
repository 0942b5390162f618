//! The registry of the living: a map from numbers to what is there.
//!
//! Locked only when something is made or dropped, and when somebody looks. Nothing of the user's runs
//! under a lock: what is taken out is dropped outside, and what is looked at is plain numbers.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::live::Live;

/// So many threads can make and drop things at once without waiting for one another.
const SHARDS: usize = 16;

/// Keeps the locks on different cache lines.
#[repr(align(128))]
struct Shard(Mutex<BTreeMap<u64, Arc<Live>>>);

static ALL: [Shard; SHARDS] = [const { Shard(Mutex::new(BTreeMap::new())) }; SHARDS];

impl Shard {
    /// The one in which something of this number is. Neighbours are in different ones.
    fn of(number: u64) -> &'static Shard {
        &ALL[number as usize % SHARDS]
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Live>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Enters something new.
pub(super) fn enter(live: Live) -> Arc<Live> {
    let live = Arc::new(live);
    let entry = live.clone();
    Shard::of(live.id).lock().insert(live.id, entry);
    live
}

/// Takes it out again.
pub(super) fn leave(live: &Live) {
    let entry = Shard::of(live.id).lock().remove(&live.id);
    drop(entry); // Not under the lock.
}

/// Looks at everything that is there, in no particular order. `look` must run nothing of the user's.
pub(super) fn visit(mut look: impl FnMut(&Live)) {
    for shard in &ALL {
        shard.lock().values().for_each(|live| look(live));
    }
}
