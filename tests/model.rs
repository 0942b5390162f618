//! Random programs against a plain reference: a script for the body, a sequence of operations for
//! the consumer. The reference predicts what each operation comes back with and how many things of
//! each kind are alive after it; the ledger knows what really happened.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::thread;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use support::{Ledger, Thing, poll_once};
use watertight::GeneratorState::{Complete, Yielded};
use watertight::{Co, Resume, generator};

/// One statement of a body.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Do {
    /// A local that lives to the end of the body.
    Local,
    /// Yields a value and keeps the answer as a local.
    YieldAndKeep,
    /// Yields a value and drops the answer.
    Yield,
    /// Polls a yield twice in one step before awaiting it.
    YieldTwice,
    /// Makes a yield and drops it unpolled.
    Drop,
    /// Polls a yield once and drops it.
    Abandon,
    /// Asks for the argument of the step and keeps it, if there is one.
    Argument,
    Panic,
    ForeignAwait,
}

/// How a script ends: with a value, or with a local whose destructor panics.
#[derive(Clone, Debug)]
struct Script {
    statements: Vec<Do>,
    bomb: bool,
}

/// One operation of the consumer.
#[derive(Clone, Copy, Debug)]
enum Op {
    Resume,
    ResumeOnAnotherThread,
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Drop,
    Forget,
}

async fn body(script: Script, ledger: Ledger, mut co: Co<Thing, Thing>) -> Option<Thing> {
    let value = || ledger.thing("value");
    let mut locals = vec![];
    let _bomb = script.bomb.then(|| ledger.bomb("bomb"));
    for statement in &script.statements {
        match statement {
            Do::Local => locals.push(ledger.thing("local")),
            Do::YieldAndKeep => locals.push(co.yield_(value()).await),
            Do::Yield => drop(co.yield_(value()).await),
            Do::YieldTwice => {
                let mut yielding = co.yield_(value());
                assert!(poll_once(&mut yielding).await.is_pending());
                assert!(poll_once(&mut yielding).await.is_pending());
                yielding.await;
            }
            Do::Drop => drop(co.yield_(value())),
            Do::Abandon => assert!(poll_once(&mut co.yield_(value())).await.is_pending()),
            Do::Argument => locals.extend(co.argument().await),
            Do::Panic => panic!("scripted"),
            Do::ForeignAwait => std::future::pending::<()>().await,
        }
    }
    // What a panicking local would make of a value that is being returned is the language's affair.
    (!script.bomb).then(|| ledger.thing("output"))
}

/// What an operation came back with.
#[derive(Debug, PartialEq)]
enum Got {
    Yielded,
    Complete,
    Panicked,
    Refused,
    Closed(bool),
}

/// The reference: a body as an interpreter would run it.
struct Reference {
    script: Script,
    at: At,
    /// Locals and kept arguments that are alive in the body, the bomb included.
    held: usize,
    /// Held by a body that could not be dropped during its panic; gone at the next call.
    overdue: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum At {
    Start,
    /// Suspended at this statement, its yield not yet sent.
    Unsent(usize),
    /// Suspended at this statement, its yield sent.
    Sent(usize),
    /// Suspended in a foreign await, beside a value that was delivered.
    Foreign,
    /// Over, but the end is not yet reported.
    Ended,
    Finished,
}

impl Reference {
    fn new(script: Script) -> Self {
        Reference { script, at: At::Start, held: 0, overdue: 0 }
    }

    /// How many things are alive in the generator.
    fn alive(&self) -> usize {
        let unsent = matches!(self.at, At::Unsent(_)) as usize;
        let output = (self.at == At::Ended && !self.script.bomb) as usize;
        self.held + self.overdue + unsent + output
    }

    fn resume(&mut self) -> Got {
        self.overdue = 0;
        let (mut slot, mut argument) = (false, true);
        let mut pc = match self.at {
            At::Finished => return Got::Refused,
            At::Ended => {
                self.at = At::Finished;
                return Got::Complete;
            }
            At::Foreign => return self.panic(true),
            At::Start => {
                self.held = self.script.bomb as usize;
                0
            }
            At::Unsent(pc) => pc,
            At::Sent(pc) => {
                self.held += (self.script.statements[pc] == Do::YieldAndKeep) as usize;
                argument = false;
                pc + 1
            }
        };
        while let Some(statement) = self.script.statements.get(pc) {
            match statement {
                Do::Local => self.held += 1,
                Do::Yield | Do::YieldAndKeep | Do::YieldTwice => {
                    // A full slot keeps the value waiting, and the step ends with the other one.
                    self.at = if slot { At::Unsent(pc) } else { At::Sent(pc) };
                    return Got::Yielded;
                }
                Do::Drop => {}
                Do::Abandon => slot = true,
                Do::Argument => self.held += std::mem::take(&mut argument) as usize,
                Do::ForeignAwait if slot => {
                    self.at = At::Foreign;
                    return Got::Yielded;
                }
                Do::Panic | Do::ForeignAwait => return self.panic(*statement == Do::ForeignAwait),
            }
            pc += 1;
        }
        if self.script.bomb {
            return self.panic(false);
        }
        self.held = 0;
        self.at = if slot { At::Ended } else { At::Finished };
        if slot { Got::Yielded } else { Got::Complete }
    }

    /// `whole`: the body is still whole, because it was not its own code that panicked.
    fn panic(&mut self, whole: bool) -> Got {
        let held = std::mem::take(&mut self.held);
        self.overdue = if whole && cfg!(not(feature = "std")) { held } else { 0 };
        self.at = At::Finished;
        Got::Panicked
    }

    fn close(&mut self) -> Got {
        let finished = self.at == At::Finished;
        let bomb = self.script.bomb && self.held > 0;
        (self.at, self.held, self.overdue) = (At::Finished, 0, 0);
        if bomb { Got::Panicked } else { Got::Closed(!finished) }
    }
}

fn resume<G>(mut generator: Pin<&mut G>, ledger: &Ledger) -> Got
where
    G: Resume<Argument = Thing, Yield = Thing, Return = Option<Thing>>,
{
    let argument = ledger.thing("argument");
    match catch_unwind(AssertUnwindSafe(|| generator.as_mut().resume(argument))) {
        Ok(Ok(Yielded(value))) => {
            assert_eq!(value.name(), "value");
            Got::Yielded
        }
        Ok(Ok(Complete(output))) => {
            assert!(output.is_none_or(|output| output.name() == "output"));
            Got::Complete
        }
        Ok(Err(refused)) => {
            assert_eq!(refused.into_argument().name(), "argument");
            Got::Refused
        }
        Err(_) => Got::Panicked,
    }
}

fn run<G>(script: &Script, ops: &[Op], end: End, ledger: Ledger, mut generator: Pin<Box<G>>)
where
    G: Resume<Argument = Thing, Yield = Thing, Return = Option<Thing>> + Send + 'static,
{
    let mut reference = Reference::new(script.clone());
    for op in ops {
        let (got, expected) = match op {
            Op::Resume => (resume(generator.as_mut(), &ledger), reference.resume()),
            Op::ResumeOnAnotherThread => {
                let on_thread = || resume(generator.as_mut(), &ledger);
                let got = thread::scope(|threads| threads.spawn(on_thread).join().unwrap());
                (got, reference.resume())
            }
            Op::Close => {
                let close = catch_unwind(AssertUnwindSafe(|| generator.as_mut().close()));
                (close.map_or(Got::Panicked, Got::Closed), reference.close())
            }
        };
        assert_eq!(got, expected, "{op:?}");
        assert_eq!(generator.is_finished(), reference.at == At::Finished, "after {op:?}");
        assert_eq!(ledger.alive(), reference.alive(), "alive after {op:?}");
    }
    match end {
        End::Drop => {
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(generator)));
            assert_eq!(dropped.is_err(), script.bomb && reference.held > 0);
            ledger.assert_settled();
        }
        End::Forget => {
            support::forget(generator);
            assert_eq!(ledger.alive(), reference.alive());
        }
    }
}

fn statement() -> impl Strategy<Value = Do> {
    prop_oneof![
        4 => Just(Do::Local),
        4 => Just(Do::Yield),
        4 => Just(Do::YieldAndKeep),
        3 => Just(Do::YieldTwice),
        2 => Just(Do::Drop),
        4 => Just(Do::Abandon),
        3 => Just(Do::Argument),
        1 => Just(Do::Panic),
        1 => Just(Do::ForeignAwait),
    ]
}

fn script() -> impl Strategy<Value = Script> {
    (prop::collection::vec(statement(), 0..10), prop::bool::weighted(0.2)).prop_map(
        |(mut statements, bomb)| {
            if bomb {
                // A panic in the body's own code, with a bomb among its locals, is a panic during
                // unwinding within one function: the language aborts.
                statements.retain(|s| *s != Do::Panic);
                if cfg!(not(feature = "std")) {
                    statements.retain(|s| *s != Do::ForeignAwait);
                }
            }
            Script { statements, bomb }
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => Just(Op::Resume),
        1 => Just(Op::ResumeOnAnotherThread),
        1 => Just(Op::Close),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_generator_does_what_the_reference_says(
        script in script(),
        ops in prop::collection::vec(op(), 0..16),
        end in prop_oneof![9 => Just(End::Drop), 1 => Just(End::Forget)],
    ) {
        let make = || {
            let ledger = Ledger::new();
            let generator = generator(|co| body(script.clone(), ledger.clone(), co));
            (ledger, generator)
        };
        let (ledger, generator) = make();
        // Moved, before it is pinned, as often as one likes.
        let generator = std::iter::once(generator).collect::<Vec<_>>().pop().unwrap();
        run(&script, &ops, end, ledger, Box::pin(generator));
        #[cfg(feature = "alloc")]
        {
            let (ledger, generator) = make();
            run(&script, &ops, end, ledger, Box::pin(generator.boxed()));
        }
    }
}
