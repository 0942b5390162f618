//! Random programs against a plain reference: a script for the body, and what its owner does, given up
//! polls and stops among it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use watertight::{Co, Outcome, PollNext, ReleasableStream, async_generator};

use super::Wakes;
use super::support::{Ledger, Thing};

/// One statement of a body.
#[derive(Clone, Copy, Debug)]
enum Do {
    /// A local that lives to the end of the body.
    Local,
    Yield,
    /// Waits until it has been woken so often by somebody outside.
    Wait(usize),
    /// Polls a yield and drops it: it is delivered all the same.
    YieldAndDrop,
    Panic,
}

/// What the owner does.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// Makes a future of `next`, polls it once and drops it.
    Poll,
    /// Makes a future of `next` and drops it unpolled.
    GiveUp,
    /// What the body waits for happens, once.
    Happen,
    Stop,
    StopElsewhere,
    CloseNow,
}

/// What the bodies wait for.
#[derive(Default)]
struct Event {
    happened: AtomicUsize,
    waiter: Mutex<Option<Waker>>,
}

impl Event {
    async fn wait(&self, times: usize) {
        poll_fn(|cx| {
            *self.waiter.lock().unwrap() = Some(cx.waker().clone());
            match self.happened.load(Ordering::Relaxed) >= times {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    fn happen(&self) {
        self.happened.fetch_add(1, Ordering::Relaxed);
        if let Some(waiter) = self.waiter.lock().unwrap().take() {
            waiter.wake();
        }
    }
}

/// The reference: what is left of the script, and what the body holds.
struct Reference {
    script: Vec<Do>,
    at: usize,
    waiting: Option<usize>,
    happened: usize,
    locals: usize,
    outcome: Option<Outcome>,
}

#[derive(Debug, PartialEq)]
enum Polled {
    Item(&'static str),
    Pending,
    End,
    Panic,
}

impl Reference {
    fn end(&mut self, outcome: Outcome) {
        self.locals = 0;
        self.outcome.get_or_insert(outcome);
    }

    fn poll(&mut self) -> Polled {
        if self.outcome.is_some() {
            return Polled::End;
        }
        loop {
            if let Some(times) = self.waiting {
                if self.happened < times {
                    return Polled::Pending;
                }
                self.waiting = None;
            }
            let Some(&step) = self.script.get(self.at) else {
                self.end(Outcome::Completed);
                return Polled::End;
            };
            self.at += 1;
            match step {
                Do::Local => self.locals += 1,
                // It must wait for more than has happened so far.
                Do::Wait(more) => self.waiting = Some(self.happened + more),
                Do::Yield => return Polled::Item("yielded"),
                // The body goes on in the same step, up to where it waits.
                Do::YieldAndDrop => {
                    self.go_on();
                    return Polled::Item("dropped");
                }
                Do::Panic => {
                    self.end(Outcome::Panicked);
                    return Polled::Panic;
                }
            }
        }
    }

    /// After a yield that was dropped the body runs on in the same step: it waits, see `script`.
    fn go_on(&mut self) {
        if let Some(Do::Wait(more)) = self.script.get(self.at) {
            self.at += 1;
            self.waiting = Some(self.happened + more);
        }
    }
}

fn script() -> impl Strategy<Value = Vec<Do>> {
    let step = prop_oneof![
        2 => Just(Do::Local),
        4 => Just(Do::Yield),
        2 => (0..3_usize).prop_map(Do::Wait),
        1 => Just(Do::YieldAndDrop),
        1 => Just(Do::Panic),
    ];
    prop::collection::vec(step, 0..12).prop_map(|mut script| {
        // What follows a dropped yield is a wait, so that its step ends there.
        let mut at = 0;
        while at < script.len() {
            if let Do::YieldAndDrop = script[at] {
                script.insert(at + 1, Do::Wait(1));
            }
            at += 1;
        }
        script
    })
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        12 => Just(Op::Poll),
        2 => Just(Op::GiveUp),
        6 => Just(Op::Happen),
        1 => Just(Op::Stop),
        1 => Just(Op::StopElsewhere),
        1 => Just(Op::CloseNow),
    ];
    prop::collection::vec(op, 0..40)
}

async fn run(mut co: Co<Thing>, script: Vec<Do>, ledger: Ledger, event: Arc<Event>) {
    let mut locals = Vec::new();
    for step in script {
        match step {
            Do::Local => locals.push(ledger.thing("local")),
            Do::Yield => co.yield_(ledger.thing("yielded")).await,
            Do::Wait(more) => {
                let times = event.happened.load(Ordering::Relaxed) + more;
                event.wait(times).await;
            }
            Do::YieldAndDrop => {
                let mut sent = pin!(co.yield_(ledger.thing("dropped")));
                poll_fn(|cx| {
                    assert!(sent.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
            }
            // Without a word from the panic hook.
            Do::Panic => std::panic::resume_unwind(Box::new("in the body")),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn streams_that_are_polled_given_up_and_stopped_do_what_the_reference_does(
        script in script(),
        ops in ops(),
    ) {
        let (ledger, event) = (Ledger::new(), Arc::new(Event::default()));
        let captured = ledger.thing("captured");
        let body = {
            let (script, ledger, event) = (script.clone(), ledger.clone(), event.clone());
            async move |co: Co<Thing>| {
                let _captured = captured;
                run(co, script, ledger, event).await;
            }
        };
        let mut stream = ReleasableStream::new(async_generator(body));
        let stop = stream.stop_handle();
        let mut reference =
            Reference { script, at: 0, waiting: None, happened: 0, locals: 0, outcome: None };
        let (wakes, waker) = Wakes::new();
        let mut cx = Context::from_waker(&waker);
        let mut pending = false;
        for op in ops {
            let before = wakes.count();
            match op {
                Op::Poll => {
                    let polled = {
                        let mut next = pin!(stream.next());
                        let poll = || next.as_mut().poll(&mut cx);
                        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll)) {
                            Ok(Poll::Ready(Some(thing))) => Polled::Item(thing.name()),
                            Ok(Poll::Ready(None)) => Polled::End,
                            Ok(Poll::Pending) => Polled::Pending,
                            Err(_) => Polled::Panic,
                        }
                    };
                    pending = polled == Polled::Pending;
                    prop_assert_eq!(polled, reference.poll());
                }
                Op::GiveUp => drop(stream.next()),
                Op::Happen => {
                    event.happen();
                    reference.happened += 1;
                    let woken = wakes.count() > before;
                    // Who waits is woken. (Who is told to look again and waits on, is not, until then.)
                    if pending && reference.outcome.is_none() {
                        prop_assert!(woken, "the task is not woken");
                        pending = false;
                    }
                }
                Op::Stop | Op::StopElsewhere => {
                    let stopped = match op {
                        Op::Stop => stop.stop(),
                        _ => thread::scope(|s| s.spawn(|| stop.stop()).join().unwrap()),
                    };
                    prop_assert_eq!(stopped, reference.outcome.is_none());
                    prop_assert!(!pending || !stopped || wakes.count() > before);
                    reference.end(Outcome::Stopped);
                }
                Op::CloseNow => {
                    prop_assert_eq!(stream.close_now(), reference.outcome.is_none());
                    reference.end(Outcome::Stopped);
                }
            }
            let captured = usize::from(reference.outcome.is_none());
            prop_assert_eq!(ledger.alive(), reference.locals + captured, "after {:?}", op);
            prop_assert_eq!(stop.outcome(), reference.outcome);
            prop_assert_eq!(
                PollNext::is_finished(&Pin::new(&mut stream)),
                reference.outcome.is_some()
            );
        }
        drop(stream);
        ledger.assert_settled();
        prop_assert_eq!(stop.outcome(), Some(reference.outcome.unwrap_or(Outcome::Dropped)));
    }
}
