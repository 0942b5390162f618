//! Random programs at both ends of a buffer against a reference, and both ends running free.
//!
//! Each end has a thread of its own. In the first two tests what it does is handed to it and
//! acknowledged, so that the order is the program's; what has to wait is left waiting until the
//! reference says that it can go on. In the last one nobody waits for the other, and only what must
//! hold in every order is looked at.
//!
//! `PROPTEST_CASES=100000 cargo test --release --test buffer_model` for a longer run, and
//! `WATERTIGHT_ROUNDS=100000` for the free one.

#![cfg(feature = "std")]

mod support;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use proptest::prelude::*;
use support::oracle::{Fates, Item, Planned};
use support::threads::{in_time, until};
use support::{Ledger, Thing, forget};
use watertight::{
    Capacity, Consumer, IteratorExt, NextError, Overflow, Prefetch, Producer, PushError,
    StopHandle, bounded, scope,
};

/// A value whose destructor panics, or does not, if it is neither delivered nor handed back.
fn item(fates: &Fates, number: usize, bomb: bool) -> Item {
    if bomb { fates.bomb(number, Planned("the item", number)) } else { fates.item(number) }
}

#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// With a destructor that panics, or not.
    Push(bool),
    Ready,
    Next,
    TryNext,
    NextTimeout,
    Look,
    Close,
    Finish,
    /// By a panic, or not.
    DropProducer(bool),
    DropConsumer(bool),
}

pub fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        16 => proptest::bool::weighted(0.1).prop_map(Op::Push),
        2 => Just(Op::Ready),
        6 => Just(Op::Next),
        6 => Just(Op::TryNext),
        1 => Just(Op::NextTimeout),
        2 => Just(Op::Look),
        1 => Just(Op::Close),
        1 => Just(Op::Finish),
        1 => any::<bool>().prop_map(Op::DropProducer),
        1 => any::<bool>().prop_map(Op::DropConsumer),
    ]
}

fn policy() -> impl Strategy<Value = Overflow> {
    prop_oneof![
        Just(Overflow::Block),
        Just(Overflow::DropOldest),
        Just(Overflow::DropNewest),
        Just(Overflow::Error),
    ]
}

/// What an operation gives.
#[derive(Debug, PartialEq)]
enum Out {
    In,
    Full(usize),
    Closed(usize),
    Item(usize),
    Empty,
    Ended,
    Is(bool),
    Counts(usize, u64),
    Gone,
    Panicked,
}

type Job<E> = Box<dyn FnOnce(&mut Option<E>) -> Out + Send>;

/// A thread that has one end, and does to it what it is told.
struct Worker<E> {
    jobs: Sender<Job<E>>,
    done: Receiver<Out>,
    thread: JoinHandle<()>,
}

impl<E: Send + 'static> Worker<E> {
    fn new(end: E) -> Self {
        let (jobs, work) = channel::<Job<E>>();
        let (ready, done) = channel();
        let thread = thread::spawn(move || {
            let mut end = Some(end);
            for job in work {
                let out = catch_unwind(AssertUnwindSafe(|| job(&mut end)));
                ready.send(out.unwrap_or(Out::Panicked)).unwrap();
            }
        });
        Worker { jobs, done, thread }
    }

    fn begin(&self, job: impl FnOnce(&mut E) -> Out + Send + 'static) {
        self.jobs.send(Box::new(|end| job(end.as_mut().unwrap()))).unwrap();
    }

    fn end(&self) -> Out {
        self.done.recv().unwrap()
    }

    fn run(&self, job: impl FnOnce(&mut E) -> Out + Send + 'static) -> Out {
        self.begin(job);
        self.end()
    }

    /// Drops the end, by a panic or not.
    fn drop_it(&self, panics: bool) -> Out {
        self.jobs
            .send(Box::new(move |end| {
                let _end = end.take();
                if panics {
                    resume_unwind(Box::new("the end"));
                }
                Out::Gone
            }))
            .unwrap();
        self.end()
    }
}

fn pushed(result: Result<(), PushError<Item>>) -> Out {
    match result {
        Ok(()) => Out::In,
        Err(PushError::Full(item)) => Out::Full(item.hand_back()),
        Err(PushError::Closed(item)) => Out::Closed(item.hand_back()),
    }
}

fn taken(result: Result<Item, NextError>) -> Out {
    match result {
        Ok(item) => Out::Item(item.deliver()),
        Err(NextError::Empty) => Out::Empty,
        Err(NextError::Ended) => Out::Ended,
    }
}

/// What a buffer should do. Numbers, and whether the destructor panics.
struct Reference {
    capacity: usize,
    policy: Overflow,
    values: VecDeque<(usize, bool)>,
    lost: u64,
    closed: bool,
    finished: bool,
    /// The end has been seen by the consumer.
    over: bool,
    producer: bool,
    consumer: bool,
}

impl Reference {
    fn is_full(&self) -> bool {
        self.values.len() == self.capacity
    }

    fn refuses(&self) -> bool {
        self.closed || self.finished
    }

    fn loses(&self) -> bool {
        matches!(self.policy, Overflow::DropOldest | Overflow::DropNewest)
    }

    /// `None`: it waits.
    fn push(&mut self, number: usize, bomb: bool) -> Option<Out> {
        if self.refuses() {
            return Some(Out::Closed(number));
        }
        let mut panics = false;
        if self.is_full() {
            match self.policy {
                Overflow::Block => return None,
                Overflow::Error => return Some(Out::Full(number)),
                Overflow::DropOldest => panics = self.values.pop_front().is_some_and(|old| old.1),
                Overflow::DropNewest => {
                    self.lost += 1;
                    return Some(if bomb { Out::Panicked } else { Out::In });
                }
            }
            self.lost += 1;
        }
        self.values.push_back((number, bomb));
        Some(if panics { Out::Panicked } else { Out::In })
    }

    /// `None`: it waits.
    fn take(&mut self) -> Option<Out> {
        let out = match self.values.pop_front() {
            Some((number, _)) => Out::Item(number),
            // A ring cannot know that nothing more comes before its producer has gone.
            None if self.closed || !self.producer || self.loses() && self.finished => Out::Ended,
            None => return None,
        };
        self.over |= out == Out::Ended;
        Some(out)
    }

    fn close(&mut self) -> bool {
        self.closed = true;
        self.values.drain(..).fold(false, |panics, (_, bomb)| panics | bomb)
    }
}

fn run_pushing(policy: Overflow, capacity: usize, ops: &[Op]) {
    let fates = Fates::new();
    let (producer, consumer) = bounded::<Item>(Capacity::items(capacity), policy);
    let (producer, consumer): (Worker<Producer<_>>, Worker<Consumer<_>>) =
        (Worker::new(producer), Worker::new(consumer));
    let mut reference = Reference {
        capacity,
        policy,
        values: VecDeque::new(),
        lost: 0,
        closed: false,
        finished: false,
        over: false,
        producer: true,
        consumer: true,
    };
    let (mut waiting_push, mut waiting_next) = (None, false);
    for (number, op) in ops.iter().enumerate() {
        let pushes = reference.producer && waiting_push.is_none();
        let takes = reference.consumer && !waiting_next;
        match *op {
            Op::Push(bomb) if pushes => {
                let item = item(&fates, number, bomb);
                producer.begin(|end| pushed(end.push(item)));
                match reference.push(number, bomb) {
                    Some(out) => assert_eq!(producer.end(), out, "{op:?}"),
                    None => waiting_push = Some((number, bomb)),
                }
            }
            Op::Ready if pushes && (!reference.is_full() || reference.loses()) => {
                let out = producer.run(|end| Out::Is(end.ready()));
                assert_eq!(out, Out::Is(!reference.refuses()));
            }
            Op::Next if takes => {
                consumer
                    .begin(|end| end.next().map_or(Out::Ended, |item| Out::Item(item.deliver())));
                match reference.take() {
                    Some(out) => assert_eq!(consumer.end(), out, "{op:?}"),
                    None => waiting_next = true,
                }
            }
            Op::TryNext | Op::NextTimeout if takes => {
                let timed = matches!(op, Op::NextTimeout);
                let out = consumer.run(move |end| {
                    taken(match timed {
                        true => end.next_timeout(Duration::from_micros(100)),
                        false => end.try_next(),
                    })
                });
                assert_eq!(out, reference.take().unwrap_or(Out::Empty), "{op:?}");
            }
            Op::Look => {
                let expected = Out::Counts(reference.values.len(), reference.lost);
                if pushes {
                    let out = producer.run(|end| Out::Counts(end.len(), end.lost()));
                    assert_eq!(out, expected);
                    let out = producer.run(|end| Out::Is(end.is_closed()));
                    assert_eq!(out, Out::Is(reference.refuses()));
                }
                if takes {
                    assert_eq!(consumer.run(|end| Out::Counts(end.len(), end.lost())), expected);
                }
            }
            Op::Close if takes => {
                let ours = !reference.closed && !reference.over;
                let panics = reference.close();
                reference.over = true;
                let out = consumer.run(|end| Out::Is(end.close()));
                assert_eq!(out, if panics { Out::Panicked } else { Out::Is(ours) });
            }
            Op::Finish if takes => {
                let ours = !reference.refuses() && reference.producer;
                reference.finished = true;
                assert_eq!(consumer.run(|end| Out::Is(end.finish())), Out::Is(ours));
            }
            Op::DropProducer(panics) if pushes => {
                reference.producer = false;
                let out = if panics { Out::Panicked } else { Out::Gone };
                assert_eq!(producer.drop_it(panics), out);
            }
            Op::DropConsumer(panics) if takes => {
                reference.consumer = false;
                let bomb = reference.close();
                let out = if panics || bomb { Out::Panicked } else { Out::Gone };
                assert_eq!(consumer.drop_it(panics), out);
            }
            _ => {} // That end has gone, or is waiting.
        }
        // Who has waited may be able to go on.
        if let Some(out) = waiting_push.and_then(|(number, bomb)| reference.push(number, bomb)) {
            waiting_push = None;
            assert_eq!(producer.end(), out, "a push that waited, after {op:?}");
        }
        if waiting_next && let Some(out) = reference.take() {
            waiting_next = false;
            assert_eq!(consumer.end(), out, "a demand that waited, after {op:?}");
        }
        let alive = reference.values.len() + usize::from(waiting_push.is_some());
        assert_eq!(fates.alive(), alive, "after {op:?}");
    }
    if waiting_next {
        producer.drop_it(false);
        assert_eq!(consumer.end(), Out::Ended);
    }
    consumer.drop_it(false);
    if let Some((number, _)) = waiting_push {
        assert_eq!(producer.end(), Out::Closed(number));
    }
    drop((producer.jobs, consumer.jobs));
    producer.thread.join().unwrap();
    consumer.thread.join().unwrap();
    fates.assert_settled();
}

/// What is done with a prefetch and its source.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Lets the source give one more, whose destructor panics or not, when it is asked.
    Give(bool),
    SourceEnds,
    SourcePanics,
    Start,
    Next,
    TryNext,
    Finish,
    Close,
    /// From another thread, or from the consumer's.
    Stop(bool),
    Drop,
    Forget,
}

pub fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => proptest::bool::weighted(0.1).prop_map(Act::Give),
        1 => Just(Act::SourceEnds),
        1 => Just(Act::SourcePanics),
        1 => Just(Act::Start),
        8 => Just(Act::Next),
        4 => Just(Act::TryNext),
        1 => Just(Act::Finish),
        1 => Just(Act::Close),
        1 => any::<bool>().prop_map(Act::Stop),
        1 => prop_oneof![Just(Act::Drop), Just(Act::Forget)],
    ]
}

/// What a source is told when it is asked.
enum Told {
    Give(bool),
    Panic,
}

/// A source that does what it is told, in order, and ends when there is nobody to tell it.
fn told(fates: Fates, held: Thing, told: Receiver<Told>) -> impl Iterator<Item = Item> + Send {
    let mut count = 0;
    std::iter::from_fn(move || {
        let _held = &held;
        match told.recv().ok()? {
            Told::Give(bomb) => {
                count += 1;
                Some(item(&fates, count - 1, bomb))
            }
            Told::Panic => resume_unwind(Box::new("the source")),
        }
    })
}

/// Does what it is told to a prefetch that is under `group`. After a finish, a close or the like
/// nothing more is expected than that what comes is in order, and that it ends.
fn prefetching(
    acts: &[Act],
    capacity: usize,
    fates: &Fates,
    group: &StopHandle,
    prefetch: Prefetch<'_, Item>,
    tell: Sender<Told>,
) {
    let (mut tell, mut prefetch) = (Some(tell), Some(prefetch));
    let (mut given, mut taken) = (0, 0);
    // Nothing but items is to come; or it has been ended by the consumer; or by the source.
    let (mut open, mut panics) = (true, false);
    for act in acts {
        let Some(handle) = &mut prefetch else { return };
        match *act {
            Act::Give(bomb) => {
                given += usize::from(
                    tell.as_ref().is_some_and(|tell| tell.send(Told::Give(bomb)).is_ok()),
                );
            }
            Act::SourceEnds => tell = None,
            Act::SourcePanics => {
                panics |= tell.take().is_some_and(|tell| tell.send(Told::Panic).is_ok());
            }
            Act::Start => handle.start().unwrap(),
            Act::Next if open && taken < given => {
                assert_eq!(handle.next().map(Item::deliver), Some(taken));
                taken += 1;
            }
            Act::Next if open && tell.is_some() => {} // It would wait.
            Act::Next if open && panics => {
                let payload = catch_unwind(AssertUnwindSafe(|| handle.next())).err().unwrap();
                assert_eq!(payload.downcast_ref(), Some(&"the source"));
                (panics, open) = (false, false);
            }
            Act::Next if open => {
                assert!(handle.next().is_none());
                open = false;
            }
            Act::Next | Act::TryNext => {
                match catch_unwind(AssertUnwindSafe(|| handle.try_next())) {
                    Ok(Ok(item)) => {
                        assert_eq!(item.deliver(), taken);
                        taken += 1;
                    }
                    Ok(Err(NextError::Empty)) => {}
                    Ok(Err(NextError::Ended)) => assert!(tell.is_none() || !open),
                    Err(payload) => {
                        assert!(is_on_purpose(&*payload));
                        (panics, open) = (false, false);
                    }
                }
                assert!(taken <= given);
            }
            Act::Drop => break,
            Act::Finish | Act::Close => {
                // The step in progress is waited for.
                tell = None;
                open = false;
                let close = matches!(act, Act::Close);
                let ended = || if close { handle.close() } else { handle.finish() };
                if let Err(payload) = catch_unwind(AssertUnwindSafe(ended)) {
                    assert!(is_on_purpose(&*payload));
                }
                assert!(!close || handle.next().is_none());
            }
            Act::Stop(away) => {
                open = false;
                let stopped = catch_unwind(AssertUnwindSafe(|| match away {
                    false => group.stop(),
                    true => thread::scope(|threads| {
                        threads.spawn(|| group.stop()).join().unwrap_or_else(|payload| {
                            resume_unwind(payload);
                        })
                    }),
                }));
                if let Err(payload) = stopped {
                    assert!(is_on_purpose(&*payload));
                }
                assert!(handle.next().is_none());
                // What the source was working on is dropped a moment later.
                until(|| handle.stats().buffered == 0);
            }
            Act::Forget => {
                // Nobody but a stop, or the end of a scope, ends it then.
                drop(tell.take());
                forget(prefetch.take());
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| group.stop())) {
                    assert!(is_on_purpose(&*payload));
                }
                return;
            }
        }
        let born = fates.born();
        assert!(born <= taken + capacity, "{born} pulled, {taken} taken, {capacity} places");
    }
    drop(tell);
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(prefetch))) {
        assert!(is_on_purpose(&*payload));
    }
}

fn run_prefetch(capacity: usize, in_scope: bool, acts: &[Act]) {
    let (fates, ledger) = (Fates::new(), Ledger::new());
    let (tell, source) = channel();
    let source = told(fates.clone(), ledger.thing("source"), source);
    let items = Capacity::items(capacity);
    if in_scope {
        let _ = catch_unwind(AssertUnwindSafe(|| {
            scope(|s| {
                let prefetch = s.prefetch(items, source);
                prefetching(acts, capacity, &fates, &s.stop_handle(), prefetch, tell);
            });
        }))
        .map_err(|payload| assert!(is_on_purpose(&*payload)));
        assert_eq!((ledger.alive(), fates.alive()), (0, 0));
    } else {
        let group = StopHandle::new();
        let prefetch = source.prefetch_under(items, &group);
        prefetching(acts, capacity, &fates, &group, prefetch, tell);
        until(|| ledger.alive() + fates.alive() == 0);
    }
    ledger.assert_settled();
    fates.assert_settled();
}

fn is_on_purpose(payload: &(dyn std::any::Any + Send)) -> bool {
    payload.downcast_ref() == Some(&"the source") || payload.is::<Planned>()
}

/// Policy, capacity and what is done at both ends.
pub fn pushes() -> impl Strategy<Value = (Overflow, usize, Vec<Op>)> {
    (policy(), 1..10_usize, proptest::collection::vec(op(), 0..60))
}

pub fn pushing((policy, capacity, ops): (Overflow, usize, Vec<Op>)) {
    in_time(move || run_pushing(policy, capacity, &ops));
}

/// Capacity, whether it is in a scope, and what is done.
pub fn prefetches() -> impl Strategy<Value = (usize, bool, Vec<Act>)> {
    (1..6_usize, any::<bool>(), proptest::collection::vec(act(), 0..40))
}

pub fn prefetching_of((capacity, in_scope, acts): (usize, bool, Vec<Act>)) {
    in_time(move || run_prefetch(capacity, in_scope, &acts));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None, // What is found becomes a test of its own.
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_buffer_does_what_the_reference_says(program in pushes()) {
        pushing(program);
    }

    #[test]
    fn a_prefetch_gives_what_its_source_gave(program in prefetches()) {
        prefetching_of(program);
    }
}

/// A cheap source of numbers that are different each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// Mostly nothing, sometimes long enough for the other side to fall asleep.
    fn delay(&mut self) {
        match self.below(200) {
            0 => thread::sleep(Duration::from_micros(self.below(100))),
            1..10 => thread::yield_now(),
            10..30 => (0..self.below(300)).for_each(|_| std::hint::spin_loop()),
            _ => {}
        }
    }
}

/// One round of two sides that run free, and a third that stops, perhaps.
fn run_free(round: u64) {
    let mut random = Random(round.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let fates = Fates::new();
    let capacity = [1, 2, 3, 7, 64, 100][random.below(6) as usize];
    let (items, taking) = (random.below(400) as usize, random.below(400) as usize);
    let stops = random.below(3) == 0;
    let asked = Arc::new(AtomicUsize::new(0));
    let group = StopHandle::new();
    let (things, wanted, mut delays) = (fates.clone(), asked.clone(), Random(random.below(!0) | 1));
    let source = (0..items).map(move |n| {
        delays.delay();
        assert!(n < wanted.load(SeqCst) + capacity, "item {n} is too early");
        things.item(n)
    });
    let mut prefetch = source.prefetch_under(Capacity::items(capacity), &group);
    let stopper = stops.then(|| {
        let (group, mut delays) = (group.clone(), Random(random.below(!0) | 1));
        let pauses = random.below(100);
        thread::spawn(move || {
            (0..pauses).for_each(|_| delays.delay());
            group.stop();
        })
    });
    let mut next = 0;
    while next < taking {
        random.delay();
        asked.fetch_add(1, SeqCst);
        let Some(item) = prefetch.next() else { break };
        assert_eq!(item.deliver(), next);
        next += 1;
    }
    assert!(stops || next == items.min(taking), "{next} of {items}, {taking} wanted");
    match random.below(3) {
        0 => drop(prefetch),
        1 => {
            let closed = prefetch.close();
            assert!(stops || closed == (next == taking), "it ends only once");
        }
        _ => {
            prefetch.finish();
            for item in prefetch {
                assert_eq!(item.deliver(), next);
                next += 1;
            }
        }
    }
    if let Some(stopper) = stopper {
        stopper.join().unwrap();
    }
    fates.assert_settled();
}

/// The same for values that are pushed.
fn run_free_pushing(round: u64) {
    let mut random = Random(round.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let policies = [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest, Overflow::Error];
    let policy = policies[random.below(4) as usize];
    let fates = Fates::new();
    let capacity = [1, 2, 3, 7, 64][random.below(5) as usize];
    let (items, taking) = (random.below(300) as usize, random.below(400) as usize);
    let (mut producer, mut consumer) = bounded(Capacity::items(capacity), policy);
    let (things, mut delays) = (fates.clone(), Random(random.below(!0) | 1));
    let pushing = thread::spawn(move || {
        let mut refused = 0;
        for n in 0..items {
            delays.delay();
            match producer.push(things.item(n)) {
                Ok(()) => {}
                Err(PushError::Full(item)) => {
                    assert_eq!((policy, item.hand_back()), (Overflow::Error, n));
                    refused += 1;
                }
                Err(PushError::Closed(_)) => return (None, refused + producer.lost() as usize),
            }
        }
        (Some(items), refused + producer.lost() as usize)
    });
    let (mut count, mut last) = (0, None);
    while count < taking {
        random.delay();
        let Some(item) = consumer.next() else { break };
        let number = item.deliver();
        assert!(last < Some(number), "{number} after {last:?}");
        (count, last) = (count + 1, Some(number));
    }
    let ended = count < taking;
    drop(consumer);
    let (all, lost) = pushing.join().unwrap();
    if ended {
        assert_eq!(all, Some(items));
        assert_eq!(count + lost, items, "{policy:?}");
    }
    fates.assert_settled();
}

#[test]
fn both_sides_running_free_keep_order_bound_and_fates() {
    let rounds = std::env::var("WATERTIGHT_ROUNDS").map_or(150, |rounds| rounds.parse().unwrap());
    for round in 1..=rounds {
        in_time(move || {
            run_free(round);
            run_free_pushing(round);
        });
    }
}
