//! Random programs at both ends of a stream that runs ahead, against a reference.
//!
//! Driver and consumer are polled by hand, each by one of two tasks, without a runtime: so it is known at
//! any moment what each poll gives, what is in the buffer, and that a side that was pending has been
//! woken as soon as the other one has done what it was waiting for.
//!
//! `PROPTEST_CASES=100000 cargo test --release --test tasks_model` for a longer run.

#![cfg(all(feature = "std", feature = "stream"))]

mod support;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use proptest::prelude::*;
use support::forget;
use support::oracle::{Fates, Item};
use support::tasks::{Bell, Fed, Feed};
use watertight::{Capacity, Driver, NextError, StopHandle, TaskStream, prefetch_stream};

#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// Something has come for the stream, so much.
    Feed(usize),
    FeedEnd,
    FeedPanic,
    /// By the first or the second task.
    Drive(bool),
    Poll(bool),
    TryNext,
    /// A thread takes over for one call.
    Block,
    Finish,
    Close,
    Stop,
    DropDriver,
    DropConsumer,
    ForgetDriver,
}

pub fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (1..5_usize).prop_map(Op::Feed),
        1 => Just(Op::FeedEnd),
        1 => Just(Op::FeedPanic),
        12 => any::<bool>().prop_map(Op::Drive),
        12 => any::<bool>().prop_map(Op::Poll),
        4 => Just(Op::TryNext),
        3 => Just(Op::Block),
        1 => Just(Op::Finish),
        1 => Just(Op::Close),
        1 => Just(Op::Stop),
        1 => prop_oneof![
            Just(Op::DropDriver), Just(Op::DropConsumer), Just(Op::ForgetDriver)
        ],
    ]
}

/// What has been fed and not been asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fodder {
    Item(usize),
    End,
    Panic,
}

/// What the consumer gets.
#[derive(Debug, PartialEq)]
enum Got {
    Item(usize),
    End,
    Nothing,
    Panic,
}

/// What a stream that runs ahead should do.
#[derive(Default)]
struct Reference {
    capacity: usize,
    fodder: VecDeque<Fodder>,
    buffered: VecDeque<usize>,
    /// The stream has been dropped.
    done: bool,
    panicked: bool,
    finished: bool,
    stopped: bool,
    /// The consumer has seen the end, or has closed.
    over: bool,
}

impl Reference {
    /// Whether the driver is ready.
    fn drive(&mut self) -> bool {
        while !self.done {
            if self.finished || self.stopped {
                self.done = true;
            } else if self.buffered.len() == self.capacity {
                return false;
            } else {
                match self.fodder.pop_front() {
                    Some(Fodder::Item(number)) => self.buffered.push_back(number),
                    Some(Fodder::End) => self.done = true,
                    Some(Fodder::Panic) => (self.done, self.panicked) = (true, true),
                    None => return false,
                }
            }
        }
        true
    }

    fn take(&mut self) -> Got {
        if let Some(number) = self.buffered.pop_front() {
            return Got::Item(number);
        }
        if !self.done && !self.stopped {
            return Got::Nothing;
        }
        let first = !std::mem::replace(&mut self.over, true);
        if first && self.panicked && !self.stopped { Got::Panic } else { Got::End }
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.buffered.clear();
    }

    fn is_worth_a_poll(&self) -> bool {
        !self.buffered.is_empty() || self.done || self.stopped
    }

    /// A full buffer wakes its driver when half of it is free.
    fn is_worth_driving(&self, was_full: bool) -> bool {
        let goes_on = match was_full {
            true => self.buffered.len() <= self.capacity / 2,
            false => !self.fodder.is_empty(),
        };
        goes_on || self.finished || self.stopped
    }
}

/// The two tasks that poll a side, and which of them waits: how often it had been woken when it began.
#[derive(Default)]
struct Tasks {
    bells: [Bell; 2],
    waits: Option<(usize, usize)>,
}

impl Tasks {
    fn polled(&mut self, task: bool, pending: bool) {
        let task = usize::from(task);
        self.waits = pending.then(|| (task, self.bells[task].woken()));
    }

    /// If one waits, it has been woken.
    fn assert_woken(&self, side: &str, op: Op) {
        if let Some((task, before)) = self.waits {
            assert!(self.bells[task].woken() > before, "the {side} sleeps for ever, after {op:?}");
        }
    }
}

struct Run {
    feed: Feed<Item>,
    driver: Option<Pin<Box<Driver<Fed<Item>>>>>,
    consumer: Option<TaskStream<Item>>,
    driving: Tasks,
    polling: Tasks,
    was_full: bool,
}

fn got(take: impl FnOnce() -> Result<Item, NextError>) -> Got {
    match catch_unwind(AssertUnwindSafe(take)) {
        Ok(Ok(item)) => Got::Item(item.deliver()),
        Ok(Err(NextError::Ended)) => Got::End,
        Ok(Err(_)) => Got::Nothing,
        Err(payload) => {
            assert_eq!(payload.downcast_ref(), Some(&"the stream"));
            Got::Panic
        }
    }
}

pub fn run(capacity: usize, ops: &[Op]) {
    let (fates, group, feed) = (Fates::new(), StopHandle::new(), Feed::new());
    let (consumer, driver) = prefetch_stream(feed.stream(), Capacity::items(capacity));
    let mut run = Run {
        feed,
        driver: Some(Box::pin(driver)),
        consumer: Some(consumer.under(&group)),
        driving: Tasks::default(),
        polling: Tasks::default(),
        was_full: false,
    };
    let mut reference = Reference { capacity, ..Reference::default() };
    let (mut forgotten, mut fed) = (false, 0);
    for &op in ops {
        match (op, &mut run.driver, &mut run.consumer) {
            (Op::Feed(times), ..) => {
                for _ in 0..times {
                    reference.fodder.push_back(Fodder::Item(fed));
                    run.feed.give(fates.item(fed));
                    fed += 1;
                }
            }
            (Op::FeedEnd, ..) => {
                reference.fodder.push_back(Fodder::End);
                run.feed.end();
            }
            (Op::FeedPanic, ..) => {
                reference.fodder.push_back(Fodder::Panic);
                run.feed.panic("the stream");
            }
            (Op::Drive(task), Some(driver), _) => {
                let ready = run.driving.bells[usize::from(task)].poll(driver.as_mut()).is_ready();
                assert_eq!(ready, reference.drive(), "{op:?}");
                run.driving.polled(task, !ready);
                run.was_full = reference.buffered.len() == capacity;
            }
            (Op::Poll(task), _, Some(consumer)) => {
                let bell = run.polling.bells[usize::from(task)].clone();
                let out = got(|| match bell.poll_next(consumer) {
                    Poll::Ready(item) => item.ok_or(NextError::Ended),
                    Poll::Pending => Err(NextError::Empty),
                });
                run.polling.polled(task, out == Got::Nothing);
                assert_eq!(out, reference.take(), "{op:?}");
            }
            (Op::TryNext, _, Some(consumer)) => {
                assert_eq!(got(|| consumer.next_now()), reference.take(), "{op:?}");
            }
            (Op::Block, _, consumer @ Some(_)) => {
                let mut iter = consumer.take().map(TaskStream::into_blocking).unwrap();
                let out = got(|| iter.next_timeout(Duration::ZERO));
                assert_eq!(out, reference.take(), "{op:?}");
                *consumer = Some(iter.into_stream());
                // The task has been told that it is not it that waits.
                run.polling.waits = None;
            }
            (Op::Finish, _, Some(consumer)) => {
                let first = !reference.finished && !reference.stopped && !reference.done;
                reference.finished = true;
                assert_eq!(consumer.finish(), first, "{op:?}");
            }
            (Op::Close, _, Some(consumer)) => {
                let first = !reference.over && !reference.stopped;
                reference.stop();
                reference.over = true;
                assert_eq!(consumer.close_now(), first, "{op:?}");
            }
            (Op::Stop, ..) => {
                // A consumer that has seen the end, has closed or has gone is no member any more.
                if run.consumer.is_some() && !reference.over {
                    reference.stop();
                }
                group.stop();
            }
            (Op::DropDriver, driver @ Some(_), _) => {
                *driver = None;
                reference.done = true;
                run.driving.waits = None;
            }
            (Op::ForgetDriver, driver @ Some(_), _) => {
                forgotten |= !reference.done;
                forget(driver.take());
                run.driving.waits = None;
            }
            (Op::DropConsumer, _, consumer @ Some(_)) => {
                *consumer = None;
                reference.stop();
                run.polling.waits = None;
            }
            _ => {} // That side has gone.
        }
        if reference.is_worth_a_poll() {
            run.polling.assert_woken("consumer", op);
        }
        if reference.is_worth_driving(run.was_full) {
            run.driving.assert_woken("driver", op);
        }
        assert!(reference.buffered.len() <= capacity);
        let unasked = reference.fodder.iter().filter(|step| matches!(step, Fodder::Item(_)));
        assert_eq!(fates.alive(), unasked.count() + reference.buffered.len(), "after {op:?}");
        assert_eq!(run.feed.is_dropped(), reference.done, "after {op:?}");
        if let Some(consumer) = &run.consumer {
            assert_eq!(consumer.stats().buffered, reference.buffered.len(), "after {op:?}");
        }
        if group.is_stopped() {
            let over = group.wait_timeout(Duration::ZERO).is_ok();
            assert_eq!(over, reference.done, "a stop is over with the stream, after {op:?}");
        }
    }
    drop((run.consumer, run.driver));
    let bells = run.driving.bells.iter().chain(&run.polling.bells);
    assert!(forgotten || bells.map(Bell::kept).sum::<usize>() == 0, "a waker is left");
    assert_eq!(run.feed.is_dropped(), !forgotten);
    drop(run.feed);
    if !forgotten {
        fates.assert_settled();
    }
}

/// Up to seven places each one comes back when it is empty; beyond, a few at a time.
pub fn programs() -> impl Strategy<Value = (usize, Vec<Op>)> {
    (1..8_usize, prop::collection::vec(op(), 0..60))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_that_runs_ahead_does_what_the_reference_does((capacity, ops) in programs()) {
        run(capacity, &ops);
    }
}
