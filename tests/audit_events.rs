//! The audit's events, as a subscriber of `tracing` sees them.

mod support;

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use support::catch;
use support::threads::in_time;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use watertight::{Capacity, Co, IteratorExt, audit, generator};

/// An event of the audit: its level, and its fields.
#[derive(Clone, Debug, Default)]
struct Told {
    level: Option<Level>,
    message: String,
    kind: String,
    file: String,
    line: u64,
    yielded: u64,
}

impl Visit for Told {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "line" => self.line = value,
            "yielded" => self.yielded = value,
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "kind" => self.kind = value.into(),
            "file" => self.file = value.into(),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}

/// Keeps what it is told; uses generators itself; panics when told to.
#[derive(Clone, Default)]
struct Keeps {
    told: Arc<Mutex<Vec<Told>>>,
    panics: Arc<Mutex<bool>>,
}

impl Subscriber for Keeps {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "watertight::audit"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        // It may look, make, pull and drop: no lock is held, and it is not told of its own.
        audit::snapshot();
        assert_eq!(pin!(generator(async |mut co: Co<u8>| co.yield_(1).await)).count(), 1);
        let mut told = Told { level: Some(*event.metadata().level()), ..Told::default() };
        event.record(&mut told);
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(told);
        assert!(!*self.panics.lock().unwrap_or_else(PoisonError::into_inner), "the subscriber");
    }
}

// One test, because there is one subscriber in the process.
#[test]
fn what_is_made_finishes_and_is_dropped_is_told() {
    in_time(tells); // A lock that is held would hang.
}

fn tells() {
    let keeps = Keeps::default();
    tracing::subscriber::set_global_default(keeps.clone()).unwrap();
    let told = || std::mem::take(&mut *keeps.told.lock().unwrap_or_else(PoisonError::into_inner));
    let line = line!() + 2;
    {
        let mut one = pin!(generator(async |mut co: Co<u32>| co.yield_all(0..3).await));
        assert_eq!(one.by_ref().count(), 3);
        assert!(!one.as_mut().close());
    }
    let events = told();
    let messages: Vec<_> = events.iter().map(|told| (&*told.message, told.yielded)).collect();
    assert_eq!(messages, [("created", 0), ("finished", 3), ("dropped", 3)]);
    for event in &events {
        assert_eq!((event.level, &*event.kind), (Some(Level::TRACE), "Gen"));
        assert_eq!((&*event.file, event.line), (file!(), line.into()));
    }

    assert_eq!((0..3).prefetch(Capacity::items(2)).count(), 3);
    let mut of: Vec<_> = told();
    of.retain(|told| told.level == Some(Level::DEBUG));
    let count = |kind: &str| of.iter().filter(|told| told.kind == kind).count();
    assert_eq!((count("Prefetch"), count("thread")), (3, 2));

    // A subscriber that panics harms nobody, not even in the middle of another panic.
    *keeps.panics.lock().unwrap() = true;
    catch(|| {
        let mut one = generator(async |mut co: Co<u32>| co.yield_(1).await).boxed();
        one.next();
        panic!("the program's own");
    });
    *keeps.panics.lock().unwrap_or_else(PoisonError::into_inner) = false;
    assert!(told().len() >= 2);
}
