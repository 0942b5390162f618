//! Random trees of bodies against a plain recursion: a script for each body, and a consumer that takes
//! so many items and then ends the generator in one way or another. The reference is a function that
//! calls itself. It says which items come, what has been dropped before each, and in which order
//! everything is dropped; the ledger knows what really happened.
#![cfg(feature = "std")]

mod support;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::Poll;
use std::{mem, thread};

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use support::{Ledger, Thing};
use watertight::GeneratorState::{Complete, Yielded};
use watertight::{RecursiveCo, Resume, SendRecursiveCo, recursive, recursive_send, scope};

/// What a body does, one after the other. It ends with a thing.
pub type Script = Vec<Do>;

/// One statement of a body.
#[derive(Clone, Debug)]
pub enum Do {
    /// A local that lives to the end of the body.
    Local,
    Yield,
    /// Yields so many, made when they are asked for.
    YieldAll(u8),
    /// Polls a yield once and drops it.
    AbandonYield,
    /// Runs a child and keeps what it ends with as a local.
    Delegate(Script),
    /// Runs a child and drops what it ends with.
    DelegateAndDrop(Script),
    /// Makes a child and drops it unpolled.
    DropChild(Script),
    /// Polls a child twice in one step before awaiting it.
    DelegateTwice(Script),
    /// Polls a child once and drops it.
    AbandonChild(Script),
    /// Suspends without a yield: a child that was abandoned runs. Without one it is a foreign await.
    Wait,
    Return,
    Panic,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    Close,
    Drop,
    /// In a scope, which ends it then.
    Forget,
    /// The consumer panics.
    Panic,
}

/// How a run was over.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Completed,
    Panicked,
    /// It was the consumer who ended it.
    Ended,
}

/// Everything that can be seen of a run.
#[derive(Debug, PartialEq)]
struct Trace {
    /// The name of each item, and how many things had died before it came.
    items: Vec<(&'static str, usize)>,
    outcome: Outcome,
    deaths: Vec<&'static str>,
}

/// A thing whose name says in what order it was made.
fn make(ledger: &Ledger) -> Thing {
    static NAMES: OnceLock<Vec<&'static str>> = OnceLock::new();
    let names = NAMES.get_or_init(|| (0..10_000).map(|n| &*format!("{n}").leak()).collect());
    ledger.thing(names[ledger.born()])
}

/// Polls once. As a function, which has a type of its own, it would keep the compiler from seeing that
/// a body that delegates to itself is `Send`.
macro_rules! once {
    ($future:expr) => {{
        let mut future = $future;
        poll_fn(|cx| Poll::Ready(Pin::new(&mut future).poll(cx))).await
    }};
}

/// The same body for one thread and for many.
macro_rules! body {
    ($name:ident, $co:ident $(, $send:ident)?) => {
        fn $name<'a>(
            mut co: $co<'a, Thing>,
            ledger: &'a Ledger,
            script: &'a Script,
            captured: Thing,
        ) -> impl Future<Output = Thing> $(+ $send)? {
            async move {
                let _captured = captured;
                let mut locals = vec![];
                for statement in script {
                    match statement {
                        Do::Local => locals.push(make(ledger)),
                        Do::Yield => co.yield_(make(ledger)).await,
                        Do::YieldAll(n) => co.yield_all((0..*n).map(|_| make(ledger))).await,
                        Do::AbandonYield => {
                            assert!(once!(co.yield_(make(ledger))).is_pending());
                        }
                        Do::Delegate(child) => {
                            let captured = make(ledger);
                            let child = |co| $name(co, ledger, child, captured);
                            locals.extend(co.try_yield_from(child).await.ok());
                        }
                        Do::DelegateAndDrop(child) => {
                            let captured = make(ledger);
                            let child = |co| $name(co, ledger, child, captured);
                            drop(co.try_yield_from(child).await);
                        }
                        Do::DropChild(child) => {
                            let captured = make(ledger);
                            drop(co.yield_from(|co| $name(co, ledger, child, captured)));
                        }
                        Do::DelegateTwice(child) => {
                            let captured = make(ledger);
                            let child = |co| $name(co, ledger, child, captured);
                            let mut child = co.try_yield_from(child);
                            if once!(&mut child).is_pending() {
                                assert!(once!(&mut child).is_pending());
                                drop(child.await);
                            }
                        }
                        Do::AbandonChild(child) => {
                            let captured = make(ledger);
                            let child = |co| $name(co, ledger, child, captured);
                            drop(once!(co.try_yield_from(child)));
                        }
                        Do::Wait => {
                            let mut waited = false;
                            poll_fn(|_| match mem::replace(&mut waited, true) {
                                true => Poll::Ready(()),
                                false => Poll::Pending,
                            })
                            .await;
                        }
                        Do::Return => break,
                        Do::Panic => resume_unwind(Box::new("scripted")), // No noise.
                    }
                }
                make(ledger)
            }
        }
    };
}

body!(body, RecursiveCo);
body!(body_send, SendRecursiveCo, Send);

/// The reference: what the consumer takes, and what is in the slot of the step in progress.
struct Reference<'l> {
    ledger: &'l Ledger,
    items: Vec<(&'static str, usize)>,
    /// How many the consumer takes before it ends the generator.
    taken: usize,
    limit: usize,
    slot: Option<Thing>,
}

/// What is above a body that has polled a child by hand and dropped it.
enum Left<'s> {
    Nothing,
    Unrun(&'s Script, Thing),
    Output(#[allow(dead_code)] Thing),
}

impl Reference<'_> {
    /// The consumer gets an item and drops it. An error if it ends the generator then.
    fn emit(&mut self, item: Thing) -> Result<(), Outcome> {
        self.items.push((item.name(), self.ledger.deaths().len()));
        drop(item);
        if self.items.len() == self.taken { Err(Outcome::Ended) } else { Ok(()) }
    }

    /// Ends the step if there is something in the slot.
    fn flush(&mut self, left: &mut Left<'_>) -> Result<(), Outcome> {
        let Some(item) = self.slot.take() else { return Ok(()) };
        *left = Left::Nothing;
        self.emit(item)
    }

    fn yields(&mut self, left: &mut Left<'_>, item: Thing) -> Result<(), Outcome> {
        self.flush(left)?;
        *left = Left::Nothing;
        self.emit(item)
    }

    /// Runs a child, unless it would be too deep.
    fn delegates(
        &mut self,
        left: &mut Left<'_>,
        script: &Script,
        depth: usize,
    ) -> Result<Option<Thing>, Outcome> {
        let captured = make(self.ledger);
        self.flush(left)?;
        *left = Left::Nothing;
        if depth == self.limit {
            return Ok(None);
        }
        self.run(script, captured, depth + 1).map(Some)
    }

    /// Runs a body until it has ended, and what it has left in the slot has been delivered.
    fn run(&mut self, script: &Script, captured: Thing, depth: usize) -> Result<Thing, Outcome> {
        let mut left = Left::Nothing;
        let output = match self.statements(&mut left, script, captured, depth) {
            Ok(output) => output,
            Err(outcome) => {
                self.slot = None; // With the step, before what is left on the stack.
                return Err(outcome);
            }
        };
        left = Left::Nothing;
        self.flush(&mut left)?;
        Ok(output)
    }

    fn statements<'s>(
        &mut self,
        left: &mut Left<'s>,
        script: &'s Script,
        captured: Thing,
        depth: usize,
    ) -> Result<Thing, Outcome> {
        let _captured = captured;
        let mut locals = vec![];
        for statement in script {
            match statement {
                Do::Local => locals.push(make(self.ledger)),
                Do::Yield => {
                    let item = make(self.ledger);
                    self.yields(left, item)?;
                }
                Do::YieldAll(n) => {
                    self.flush(left)?;
                    for _ in 0..*n {
                        let item = make(self.ledger);
                        self.yields(left, item)?;
                    }
                }
                Do::AbandonYield => {
                    let item = make(self.ledger);
                    self.slot.get_or_insert(item);
                }
                Do::Delegate(child) => locals.extend(self.delegates(left, child, depth)?),
                Do::DelegateAndDrop(child) | Do::DelegateTwice(child) => {
                    drop(self.delegates(left, child, depth)?);
                }
                Do::DropChild(_) => drop(make(self.ledger)),
                Do::AbandonChild(child) => {
                    let captured = make(self.ledger);
                    if self.slot.is_none() {
                        *left = Left::Nothing;
                        if depth < self.limit {
                            *left = Left::Unrun(child, captured);
                        }
                    }
                }
                Do::Wait if self.slot.is_some() => self.flush(left)?,
                Do::Wait => match mem::replace(left, Left::Nothing) {
                    Left::Unrun(child, captured) => {
                        *left = Left::Output(self.run(child, captured, depth + 1)?);
                    }
                    Left::Output(_) | Left::Nothing => return Err(Outcome::Panicked),
                },
                Do::Return => break,
                Do::Panic => return Err(Outcome::Panicked),
            }
        }
        Ok(make(self.ledger))
    }
}

fn expected(script: &Script, taken: usize, limit: usize) -> Trace {
    let ledger = Ledger::new();
    let mut reference = Reference { ledger: &ledger, items: vec![], taken, limit, slot: None };
    let captured = make(&ledger);
    let outcome = if taken == 0 {
        drop(captured);
        Outcome::Ended
    } else {
        match reference.run(script, captured, 0) {
            Ok(output) => {
                drop(output);
                Outcome::Completed
            }
            Err(outcome) => outcome,
        }
    };
    let items = reference.items;
    ledger.assert_settled();
    Trace { items, outcome, deaths: ledger.deaths() }
}

/// Takes up to `taken` items, each by `step`, and says how that was over.
fn consume(
    ledger: &Ledger,
    taken: usize,
    items: &mut Vec<(&'static str, usize)>,
    mut step: impl FnMut() -> watertight::Resumed<Thing, Thing, ()>,
) -> Outcome {
    while items.len() < taken {
        match catch_unwind(AssertUnwindSafe(&mut step)) {
            Ok(Ok(Yielded(item))) => items.push((item.name(), ledger.deaths().len())),
            Ok(Ok(Complete(_output))) => return Outcome::Completed,
            Ok(Err(_)) => panic!("it has not finished"),
            Err(_) => return Outcome::Panicked,
        }
    }
    Outcome::Ended
}

/// Runs `generator` to where its consumer ends it, and then ends it.
fn run<G>(ledger: &Ledger, generator: G, taken: usize, end: End, threads: bool) -> Trace
where
    G: Resume<Argument = (), Yield = Thing, Return = Thing> + Unpin + MaybeSend,
{
    let mut items = vec![];
    let mut generator = generator;
    let mut pull = |generator: &mut G| {
        consume(ledger, taken, &mut items, || {
            if threads { G::elsewhere(generator) } else { Pin::new(&mut *generator).resume(()) }
        })
    };
    let outcome = if end == End::Forget {
        scope(|s| {
            let mut handle = s.adopt_generator(generator);
            let outcome = consume(ledger, taken, &mut items, || handle.resume(()));
            mem::forget(handle);
            outcome
        })
    } else {
        let outcome = pull(&mut generator);
        assert_eq!(generator.is_finished(), outcome != Outcome::Ended);
        match end {
            End::Close => {
                assert_eq!(Pin::new(&mut generator).close(), outcome == Outcome::Ended);
                assert!(Pin::new(&mut generator).resume(()).is_err(), "closed for good");
                assert_eq!(ledger.alive(), 0);
            }
            End::Panic => {
                let consumer = catch_unwind(AssertUnwindSafe(move || {
                    let _generator = generator;
                    resume_unwind(Box::new("consumer"));
                }));
                assert_eq!(consumer.unwrap_err().downcast_ref(), Some(&"consumer"));
            }
            _ => drop(generator),
        }
        outcome
    };
    ledger.assert_settled();
    Trace { items, outcome, deaths: ledger.deaths() }
}

/// A step on another thread, for what can go there.
trait MaybeSend: Resume<Argument = ()> {
    fn elsewhere(this: &mut Self) -> watertight::Resumed<Self::Yield, Self::Return, ()>;
}

impl MaybeSend for watertight::Recursive<'_, Thing, (), Thing> {
    fn elsewhere(_: &mut Self) -> watertight::Resumed<Thing, Thing, ()> {
        unreachable!("it stays on its thread")
    }
}

impl MaybeSend for watertight::SendRecursive<'_, Thing, (), Thing> {
    fn elsewhere(this: &mut Self) -> watertight::Resumed<Thing, Thing, ()> {
        let step = thread::scope(|threads| threads.spawn(|| this.resume(())).join());
        step.unwrap_or_else(|payload| resume_unwind(payload))
    }
}

fn statement(
    scripts: impl Strategy<Value = Script> + Clone + 'static,
) -> impl Strategy<Value = Do> {
    let child = || scripts.clone();
    prop_oneof![
        3 => Just(Do::Local),
        6 => Just(Do::Yield),
        2 => (0_u8..4).prop_map(Do::YieldAll),
        3 => Just(Do::AbandonYield),
        5 => child().prop_map(Do::Delegate),
        4 => child().prop_map(Do::DelegateAndDrop),
        1 => child().prop_map(Do::DropChild),
        2 => child().prop_map(Do::DelegateTwice),
        4 => child().prop_map(Do::AbandonChild),
        2 => Just(Do::Wait),
        1 => Just(Do::Return),
        1 => Just(Do::Panic),
    ]
}

fn script() -> impl Strategy<Value = Script> {
    Just(vec![Do::Yield])
        .prop_recursive(6, 60, 5, |inner| prop::collection::vec(statement(inner), 0..6))
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Close), Just(End::Drop), Just(End::Forget), Just(End::Panic)]
}

/// Most have no limit.
fn limit() -> impl Strategy<Value = usize> {
    prop_oneof![4 => Just(usize::MAX), 1 => 0_usize..4]
}

/// A script, how many items are taken, how that is ended, and how deep it may go.
pub type Program = (Script, usize, End, usize);

/// One statement, with the children that it may have.
pub fn statements() -> impl Strategy<Value = Do> {
    statement(script().boxed())
}

pub fn programs() -> impl Strategy<Value = Program> {
    (script(), 0_usize..40, end(), limit())
}

pub fn run_here(program: &Program) {
    let (ref script, taken, end, limit) = *program;
    let ledger = Ledger::new();
    let captured = make(&ledger);
    let walk = recursive(|co| body(co, &ledger, script, captured)).max_depth(limit);
    let trace = run(&ledger, walk, taken, end, false);
    assert_eq!(trace, expected(script, taken, limit));
}

/// Each step on another thread.
pub fn run_elsewhere(program: &Program) {
    let (ref script, taken, end, limit) = *program;
    let ledger = Ledger::new();
    let captured = make(&ledger);
    let walk = recursive_send(|co| body_send(co, &ledger, script, captured)).max_depth(limit);
    let trace = run(&ledger, walk, taken, end, true);
    assert_eq!(trace, expected(script, taken, limit));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_recursive_generator_does_what_a_recursion_would(program in programs()) {
        run_here(&program);
    }

    #[test]
    fn one_that_changes_threads_in_the_middle_does_the_same(
        (script, taken, end, limit) in (script(), 0_usize..12, end(), limit()),
    ) {
        run_elsewhere(&(script, taken, end, limit));
    }
}
