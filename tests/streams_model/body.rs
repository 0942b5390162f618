//! The body at the bottom of a pipeline: it awaits what it is fed and yields it, in various ways.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use futures_core::Stream;
use proptest::prelude::*;
use watertight::{Capacity, Co, Emitter};

use super::Item;
use super::support::tasks::{Fed, Feed};
use super::support::{Thing, poll_once};

/// A part of a body.
#[derive(Clone, Copy, Debug)]
pub enum Section {
    /// Yields so many.
    Yield(usize),
    /// Polls a yield and drops it: it is delivered all the same.
    YieldAndDrop,
    /// Has so many go through an emitter; this is given up, if told so, after some polls.
    Emit { capacity: usize, items: usize, workers: usize, cut: Option<usize> },
}

pub fn section() -> impl Strategy<Value = Section> {
    prop_oneof![
        2 => (1..4_usize).prop_map(Section::Yield),
        1 => Just(Section::YieldAndDrop),
        3 => (1..4_usize, 0..6_usize, 1..3_usize, prop::option::weighted(0.3, 0..4_usize)).prop_map(
            |(capacity, items, workers, cut)| Section::Emit { capacity, items, workers, cut }
        ),
    ]
}

/// How many may be in a body that is suspended.
pub fn at_most(sections: &[Section]) -> usize {
    let emitters = sections.iter().map(|section| match section {
        Section::Emit { capacity, .. } => *capacity,
        _ => 0,
    });
    let dropped = sections.iter().any(|section| matches!(section, Section::YieldAndDrop));
    emitters.max().unwrap_or(0) + usize::from(dropped)
}

/// What bodies read: a feed that stays at its end.
pub struct Source(Mutex<Option<Fed<Item>>>);

impl Source {
    pub fn new(feed: &Feed<Item>) -> Self {
        Source(Mutex::new(Some(feed.stream())))
    }

    async fn next(&self) -> Option<Item> {
        poll_fn(|cx| {
            let mut feed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(items) = &mut *feed else { return Poll::Ready(None) };
            let polled = Pin::new(items).poll_next(cx);
            if let Poll::Ready(None) = polled {
                *feed = None;
            }
            polled
        })
        .await
    }
}

pub async fn body(mut co: Co<Item>, source: Source, sections: Vec<Section>, held: Thing) {
    let _held = held;
    for section in sections {
        match section {
            Section::Yield(items) => {
                for _ in 0..items {
                    let Some(item) = source.next().await else { return };
                    co.yield_(item).await;
                }
            }
            Section::YieldAndDrop => {
                let Some(item) = source.next().await else { return };
                // In a step of its own: one step gives one item.
                next_step().await;
                assert!(poll_once(&mut pin!(co.yield_(item))).await.is_pending());
                next_step().await;
            }
            Section::Emit { capacity, items, workers, cut } => {
                let out = co.emitter(Capacity::items(capacity));
                let left = AtomicUsize::new(items);
                forward(&out, &source, &left, workers, cut).await;
                // If it was cut short: what was emitted before, and the rest.
                forward(&out, &source, &left, workers, None).await;
            }
        }
    }
    while let Some(item) = source.next().await {
        co.yield_(item).await;
    }
}

/// Suspends once.
async fn next_step() {
    let mut suspended = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut suspended, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn forward(
    out: &Emitter<'_, Item>,
    source: &Source,
    left: &AtomicUsize,
    workers: usize,
    mut cut: Option<usize>,
) {
    let work = async {
        let second = async {
            if workers > 1 {
                emit(out, source, left).await;
            }
        };
        futures_util::join!(emit(out, source, left), second);
    };
    let mut forward = pin!(out.forward(work));
    poll_fn(|cx| match (forward.as_mut().poll(cx), &mut cut) {
        (Poll::Ready(()), _) | (Poll::Pending, Some(0)) => Poll::Ready(()),
        (Poll::Pending, Some(polls)) => {
            *polls -= 1;
            Poll::Pending
        }
        (Poll::Pending, None) => Poll::Pending,
    })
    .await;
}

/// A worker: nothing is taken from the source before there is a place for it.
async fn emit(out: &Emitter<'_, Item>, source: &Source, left: &AtomicUsize) {
    while left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
        let place = out.reserve().await;
        let Some(item) = source.next().await else { break };
        place.emit(item);
    }
}
