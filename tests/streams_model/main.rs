//! Random pipelines of streams, and random programs that feed, drive, read, stop and leave them.
//!
//! At the bottom is the body of an asynchronous generator that awaits what it is fed and yields it: by
//! yields, by yields that it drops, by an emitter with one or two workers that may be cut short. On top of
//! that are boxes, hooks, stop handles, streams that run ahead, and bridges to a thread and back. Drivers
//! and the consumer are polled by hand, and after a while only if they have been woken.
//!
//! Whatever happens, items come in the order in which they were fed, none twice and none left out; never
//! are more under way than the bounds say; nobody who has something to do sleeps; what was stopped ends
//! without being fed; and everything is dropped once.
//!
//! `PROPTEST_CASES=200000 cargo test --release --test streams_model` for a longer run.

#![cfg(all(feature = "std", feature = "stream"))]

#[path = "../support/mod.rs"]
mod support;

mod body;
mod layers;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use body::{Section, section};
use layers::{Driving, Handle, Layer, Outer, Pipeline, layers};
use proptest::prelude::*;
use support::tasks::Bell;
use support::threads::until;
use support::{Ledger, Thing, forget};
use watertight::{NextError, Outcome};

type Item = (usize, Thing);

#[derive(Clone, Copy, Debug)]
enum Op {
    Feed(usize),
    /// The last that is fed: the end, or a panic.
    FeedEnd(bool),
    /// By the first or the second task; the future of the next item is dropped then.
    Poll(bool),
    /// On another thread.
    PollElsewhere(bool),
    /// Its future is dropped unpolled.
    GiveUp,
    TryNext,
    /// A thread takes over for one call.
    Block,
    Drive(usize),
    /// Everybody who has been woken goes on, until there is nothing left to do.
    Settle,
    /// One of the handles, from here or from another thread.
    Stop(usize, bool),
    Finish,
    Close,
    Drop,
    Forget,
    DropDriver(usize),
    ForgetDriver(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (1..4_usize).prop_map(Op::Feed),
        1 => prop::bool::weighted(0.3).prop_map(Op::FeedEnd),
        8 => any::<bool>().prop_map(Op::Poll),
        1 => prop::bool::weighted(0.5).prop_map(Op::PollElsewhere),
        1 => Just(Op::GiveUp),
        3 => Just(Op::TryNext),
        2 => Just(Op::Block),
        10 => (0..6_usize).prop_map(Op::Drive),
        4 => Just(Op::Settle),
        1 => (0..6_usize, prop::bool::weighted(0.2)).prop_map(|(i, away)| Op::Stop(i, away)),
        1 => prop_oneof![
            Just(Op::Finish), Just(Op::Close), Just(Op::Drop), Just(Op::Forget),
            (0..6_usize).prop_map(Op::DropDriver), (0..6_usize).prop_map(Op::ForgetDriver),
        ],
    ]
}

#[derive(Debug, PartialEq)]
enum Got {
    Item(usize),
    Nothing,
    End,
    Panic,
}

fn got(take: impl FnOnce() -> Result<Item, NextError>) -> Got {
    match catch_unwind(AssertUnwindSafe(take)) {
        Ok(Ok((number, _))) => Got::Item(number),
        Ok(Err(NextError::Ended)) => Got::End,
        Ok(Err(NextError::Empty)) => Got::Nothing,
        Err(payload) => match payload.downcast_ref() {
            Some(&"the body") => Got::Panic,
            _ => resume_unwind(payload),
        },
    }
}

fn polled(poll: Poll<Option<Item>>) -> Result<Item, NextError> {
    match poll {
        Poll::Ready(item) => item.ok_or(NextError::Ended),
        Poll::Pending => Err(NextError::Empty),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Last {
    End,
    Panic,
}

struct Run {
    pipeline: Pipeline,
    items: Ledger,
    tasks: [Bell; 2],
    /// The task that waits.
    waits: Option<usize>,
    fed: usize,
    delivered: usize,
    last: Option<Last>,
    ended: bool,
    /// Something but the end of the feed may have ended it.
    cut: bool,
    /// So it has, and the end has to come without being fed.
    must_end: bool,
    forgotten: bool,
}

impl Run {
    fn new(sections: &[Section], layers: &[Layer]) -> Self {
        Run {
            pipeline: Pipeline::new(sections, layers),
            items: Ledger::new(),
            tasks: [Bell::new(), Bell::new()],
            waits: None,
            fed: 0,
            delivered: 0,
            last: None,
            ended: false,
            cut: false,
            must_end: false,
            forgotten: false,
        }
    }

    /// Takes note of what has come.
    fn note(&mut self, got: Got) {
        match got {
            Got::Item(number) => {
                assert!(!self.ended, "an item after the end");
                assert_eq!(number, self.delivered, "not the next one");
                self.delivered += 1;
            }
            Got::Nothing => assert!(!self.ended, "there may be more, after the end"),
            Got::Panic => {
                assert!(!self.ended, "a panic after the end");
                assert_eq!(self.last, Some(Last::Panic));
                self.ended = true;
                if !self.cut {
                    assert!(self.fed - self.delivered <= self.pipeline.in_body);
                    self.pipeline.assert_ended(Outcome::Panicked);
                }
            }
            Got::End if self.ended || self.cut => self.ended = true,
            Got::End => {
                assert_eq!(self.last, Some(Last::End), "nothing has ended it");
                assert_eq!(self.delivered, self.fed, "the end before the last item");
                self.pipeline.assert_ended(Outcome::Completed);
                self.ended = true;
            }
        }
    }

    fn take(&mut self, take: impl FnOnce(&mut dyn Outer) -> Option<Result<Item, NextError>>) {
        let Some(top) = &mut self.pipeline.top else { return };
        let mut none = false;
        let got = got(|| {
            take(&mut **top).unwrap_or_else(|| {
                none = true;
                Err(NextError::Empty)
            })
        });
        if !none {
            self.note(got);
        }
    }

    fn poll(&mut self, task: usize, elsewhere: bool) {
        let Some(top) = &mut self.pipeline.top else { return };
        let bell = self.tasks[task].clone();
        bell.rang();
        let poll = || polled(bell.poll_next(&mut *top));
        let got = match elsewhere {
            false => got(poll),
            true => thread::scope(|s| s.spawn(|| got(poll)).join().unwrap()),
        };
        self.waits = (got == Got::Nothing).then_some(task);
        self.note(got);
    }

    /// Whether the consumer would be polled by its runtime.
    fn is_due(&self) -> bool {
        let woken = |task: usize| self.tasks[task].woken() > 0;
        self.pipeline.top.is_some() && !self.ended && self.waits.is_none_or(woken)
    }

    /// Whether nothing is left to do.
    fn is_settled(&self) -> bool {
        if self.pipeline.is_blocked() || self.forgotten {
            return true;
        }
        if self.pipeline.top.is_some() && !self.ended {
            return !self.must_end && self.last.is_none() && self.delivered == self.fed;
        }
        // A thread may be in the middle of a step, which ends when it is fed.
        self.pipeline.threaded
            || self.pipeline.drivers.iter().all(|driving| driving.driver.is_none())
    }

    /// Polls whoever has been woken, until nothing is left to do.
    fn settle(&mut self) {
        loop {
            let mut polled = false;
            for driving in &mut self.pipeline.drivers {
                if driving.is_due() {
                    driving.drive();
                    polled = true;
                }
            }
            if self.is_due() {
                self.poll(self.waits.unwrap_or(0), false);
                polled = true;
            }
            if polled {
                self.check();
            } else if self.is_settled() {
                return;
            } else {
                assert!(self.pipeline.threaded, "somebody sleeps for ever");
                until(|| {
                    self.is_due()
                        || self.pipeline.drivers.iter().any(Driving::is_due)
                        || self.is_settled()
                });
            }
        }
    }

    /// What holds at every instant.
    fn check(&self) {
        // What a thread drops after a stop it drops when it comes to it.
        if !(self.pipeline.threaded && self.cut) {
            let alive = self.items.alive();
            let left = self.pipeline.feed.left();
            let left = left - usize::from(self.last.is_some() && left > 0);
            assert!(alive - left <= self.pipeline.bound, "{} are under way", alive - left);
        }
        assert!(self.pipeline.called() <= self.pipeline.hooks, "a hook was called twice");
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Feed(items) if self.last.is_none() => {
                for _ in 0..items {
                    self.pipeline.feed.give((self.fed, self.items.thing("item")));
                    self.fed += 1;
                }
            }
            Op::FeedEnd(panics) if self.last.is_none() => {
                self.last = Some(if panics { Last::Panic } else { Last::End });
                if panics { self.pipeline.feed.panic("the body") } else { self.pipeline.feed.end() }
            }
            Op::Feed(_) | Op::FeedEnd(_) => {}
            Op::Poll(task) => self.poll(task.into(), false),
            Op::PollElsewhere(task) => self.poll(task.into(), true),
            Op::GiveUp => {
                if let Some(top) = &mut self.pipeline.top {
                    drop(futures_util::StreamExt::next(top));
                }
            }
            Op::TryNext => self.take(|top| top.try_next()),
            Op::Block => {
                self.take(|top| top.block());
                // The task has been told that it is not it that waits.
                self.waits = None;
            }
            Op::Drive(index) => {
                let count = self.pipeline.drivers.len();
                if count > 0 && !self.pipeline.drivers[index % count].forgotten {
                    self.pipeline.drivers[index % count].drive();
                }
            }
            Op::Settle => self.settle(),
            Op::Stop(index, away) => self.stop(index % self.pipeline.handles.len(), away),
            Op::Finish => {
                let finished = self.pipeline.top.as_mut().and_then(|top| top.finish());
                self.cut |= finished.is_some();
                self.must_end |= finished.is_some() && !self.pipeline.threaded;
                assert!(finished != Some(true) || !self.ended);
            }
            Op::Close => {
                let Some(top) = &mut self.pipeline.top else { return };
                self.cut = true;
                let closed = top.close();
                assert!(!closed || !self.ended);
                assert!(!top.close());
                if closed {
                    self.pipeline.assert_closed();
                }
                self.must_end = true;
                self.poll(0, false);
                assert!(self.ended);
            }
            Op::Drop => {
                self.pipeline.top = None;
                self.cut = true;
            }
            Op::Forget if !self.pipeline.threaded => {
                self.forgotten |= self.pipeline.top.is_some();
                forget(self.pipeline.top.take());
                self.cut = true;
            }
            Op::DropDriver(index) if !self.pipeline.drivers.is_empty() => {
                let count = self.pipeline.drivers.len();
                let driving = &mut self.pipeline.drivers[index % count];
                if let Some(driver) = driving.driver.take() {
                    drop(driver);
                    (self.cut, self.must_end) = (true, true);
                }
            }
            Op::ForgetDriver(index)
                if !self.pipeline.drivers.is_empty() && !self.pipeline.threaded =>
            {
                let count = self.pipeline.drivers.len();
                let driving = &mut self.pipeline.drivers[index % count];
                driving.forgotten |= driving.driver.is_some();
                forget(driving.driver.take());
            }
            Op::Forget | Op::DropDriver(_) | Op::ForgetDriver(_) => {}
        }
        self.check();
    }

    fn stop(&mut self, index: usize, away: bool) {
        let Handle { stop, has_body, is_used } = &self.pipeline.handles[index];
        let stopped = match away {
            false => stop.stop(),
            true => thread::scope(|s| s.spawn(|| stop.stop()).join().unwrap()),
        };
        assert!(!stop.stop(), "nothing is left to stop");
        // It is not in the middle of a step: those are ours.
        assert!(stop.outcome().is_some(), "released before `stop` returns");
        self.cut |= *is_used;
        self.must_end |= *is_used && stopped;
        if *has_body && !self.pipeline.is_blocked() {
            assert!(
                !self.pipeline.held.names_alive().contains(&"body"),
                "released before `stop` returns"
            );
        }
    }

    /// Leaves it, drives what is left, and sees that everything is over.
    fn end(mut self) {
        self.pipeline.top = None;
        self.waits = None;
        if self.forgotten {
            // Until a stop comes.
            return;
        }
        if self.pipeline.threaded && self.last.is_none() {
            self.pipeline.feed.end();
            self.last = Some(Last::End);
        }
        self.cut = true;
        self.settle();
        if self.pipeline.is_blocked() {
            return;
        }
        if self.pipeline.threaded {
            // The consumer has gone, but its thread still has to come to that.
            until(|| {
                self.pipeline
                    .drivers
                    .iter_mut()
                    .filter(|driving| driving.is_due())
                    .for_each(Driving::drive);
                let told = self.pipeline.called() == self.pipeline.hooks;
                told && self.pipeline.held.alive() == 0
                    && self.pipeline.drivers.iter().all(|it| it.driver.is_none())
            });
        }
        assert_eq!(self.pipeline.called(), self.pipeline.hooks, "every hook has been called");
        self.pipeline.held.assert_settled();
        let group = &self.pipeline.handles[self.pipeline.handles.len() - 1].stop;
        group.stop();
        let over = || group.wait_timeout(Duration::ZERO).is_ok();
        if self.pipeline.threaded {
            until(over)
        } else {
            assert!(over(), "something is waited for")
        }
        let bells = || self.pipeline.drivers.iter().map(|it| &it.bell).chain(&self.tasks);
        let kept = || bells().map(Bell::kept).sum::<usize>();
        if self.pipeline.threaded {
            until(|| kept() == 0)
        } else {
            assert_eq!(kept(), 0, "wakers are left")
        }
        assert!(self.pipeline.feed.is_dropped());
        let Run { items, pipeline, .. } = self;
        drop(pipeline);
        until(|| items.alive() == 0);
        items.assert_settled();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn streams_lose_nothing_and_leave_nothing(
        sections in prop::collection::vec(section(), 0..5),
        layers in layers(),
        ops in prop::collection::vec(op(), 0..60),
    ) {
        let mut run = Run::new(&sections, &layers);
        for op in ops {
            run.step(op);
        }
        run.end();
    }
}
