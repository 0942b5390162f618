//! Random programs that are healthy, of which neither the growth detector nor the audit may complain,
//! and the same programs with a leak, of which both must.
//!
//! `PROPTEST_CASES=1000 cargo test --release --features audit --test healthy` for a longer run. It is
//! one test, for the heap that is measured is that of the whole process.

use std::collections::VecDeque;
use std::env;
use std::mem;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use watertight::audit;
use watertight::{
    Capacity, Co, IteratorExt, Overflow, SendRecursiveCo, generator, recursive_send, scope,
};

#[path = "../examples/leak_lab/meter.rs"]
#[allow(dead_code)] // The laboratory draws curves, too.
mod meter;
#[path = "support/threads.rs"]
#[allow(dead_code)] // The tests of threads wait for more.
mod threads;

use meter::{Meter, Outcome};
use threads::comes_about;

/// What is between a source and its consumer.
#[derive(Clone, Debug)]
enum Layer {
    /// A body that delegates.
    Nested,
    Stoppable,
    Releasable,
    Prefetch(usize),
    Lookahead(usize),
    /// Split in two, of which one looks at every so manieth item.
    Tee(usize, usize, Overflow),
    /// Gathers so many, and then gives them out.
    Batch(usize),
}

/// Where items come from.
#[derive(Clone, Copy, Debug)]
enum Source {
    Plain,
    Recursive,
    Iterator,
}

/// What becomes of a pipeline.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// There is one for the whole program.
    Lasts,
    /// There is one for each item, of which so many are taken, and then it is dropped.
    Dropped(usize),
    /// Then it is forgotten, in a scope.
    Forgotten(usize),
    /// Then it is stopped from elsewhere, and dropped.
    Stopped(usize),
    /// The last so many are kept.
    Kept(usize),
}

#[derive(Clone, Debug)]
struct Program {
    source: Source,
    /// Of a text.
    length: usize,
    layers: Vec<Layer>,
    fate: Fate,
    items: u64,
}

type Lines = Box<dyn Iterator<Item = String> + Send>;

fn layer() -> impl Strategy<Value = Layer> {
    let overflow = prop_oneof![Just(Overflow::DropOldest), Just(Overflow::DropNewest)];
    prop_oneof![
        Just(Layer::Nested),
        Just(Layer::Stoppable),
        Just(Layer::Releasable),
        (1_usize..64).prop_map(Layer::Prefetch),
        (1_usize..16).prop_map(Layer::Lookahead),
        (1_usize..64, 1_usize..20, overflow).prop_map(|(n, every, o)| Layer::Tee(n, every, o)),
        (1_usize..20).prop_map(Layer::Batch),
    ]
}

fn program() -> impl Strategy<Value = Program> {
    let source = prop_oneof![Just(Source::Plain), Just(Source::Recursive), Just(Source::Iterator)];
    let fate = prop_oneof![
        2 => Just(Fate::Lasts),
        1 => (0_usize..4).prop_map(Fate::Dropped),
        1 => (0_usize..4).prop_map(Fate::Forgotten),
        1 => (0_usize..4).prop_map(Fate::Stopped),
        1 => (1_usize..16).prop_map(Fate::Kept),
    ];
    (source, 0_usize..300, prop::collection::vec(layer(), 0..4), fate, 0.0..1.0).prop_map(
        |(source, length, layers, fate, long)| {
            // One that makes threads for each item is not to take too long.
            let longest = if matches!(fate, Fate::Lasts) { 4_000.0 } else { 600.0 };
            let items = 300.0 + long * (longest - 300.0);
            Program { source, length, layers, fate, items: items as u64 }
        },
    )
}

async fn parent(mut co: SendRecursiveCo<'static, String>, length: usize) {
    for n in 0_usize.. {
        co.yield_from(|co| child(co, n, length)).await;
    }
}

async fn child(mut co: SendRecursiveCo<'static, String>, n: usize, length: usize) {
    co.yield_(format!("{n:length$}")).await;
}

impl Layer {
    fn over(&self, mut lines: Lines) -> Lines {
        match *self {
            Layer::Nested => Box::new(
                generator(async move |mut co: Co<String>| co.yield_all(lines).await).boxed(),
            ),
            Layer::Stoppable => Box::new(lines.stoppable().0),
            Layer::Releasable => Box::new(lines.releasable().0),
            Layer::Prefetch(ahead) => Box::new(lines.prefetch(Capacity::items(ahead))),
            Layer::Lookahead(ahead) => {
                let mut lines = lines.lookahead(Capacity::items(ahead));
                let peeking = generator(async move |mut co: Co<String>| {
                    while let Some(line) = lines.next() {
                        let _ = lines.peek_nth(ahead - 1);
                        co.yield_(line).await;
                    }
                });
                Box::new(peeking.boxed())
            }
            Layer::Tee(backlog, every, overflow) => {
                let branches = lines.tee(2, Capacity::items(backlog), overflow);
                let [mut fast, mut slow] = branches.try_into().unwrap();
                let split = generator(async move |mut co: Co<String>| {
                    for n in 0_usize.. {
                        let Some(line) = fast.next() else { break };
                        if n % every == 0 {
                            drop(slow.next());
                        }
                        co.yield_(line).await;
                    }
                });
                Box::new(split.boxed())
            }
            Layer::Batch(size) => {
                let batches = generator(async move |mut co: Co<String>| {
                    loop {
                        let batch: Vec<String> = lines.by_ref().take(size).collect();
                        if batch.is_empty() {
                            break;
                        }
                        co.yield_all(batch).await;
                    }
                });
                Box::new(batches.boxed())
            }
        }
    }
}

impl Program {
    fn lines(&self) -> Lines {
        let length = self.length;
        let text = move |n: usize| format!("{n:length$}");
        let source: Lines = match self.source {
            Source::Plain => Box::new(
                generator(async move |mut co: Co<String>| co.yield_all((0..).map(text)).await)
                    .boxed(),
            ),
            Source::Recursive => Box::new(recursive_send(move |co| parent(co, length))),
            Source::Iterator => Box::new((0..).map(text)),
        };
        self.layers.iter().fold(source, |lines, layer| layer.over(lines))
    }

    /// Runs, and keeps a generator of each item if it leaks, until it has been measured.
    fn run(&self, meter: &mut Meter, leaks: bool) {
        let mut lost = Vec::new();
        let mut lasting = matches!(self.fate, Fate::Lasts).then(|| self.lines());
        let mut kept = VecDeque::new();
        for _ in meter.items() {
            match self.fate {
                Fate::Lasts => drop(lasting.as_mut().and_then(Iterator::next)),
                Fate::Dropped(take) => self.lines().take(take).for_each(drop),
                Fate::Forgotten(take) => scope(|s| {
                    let mut lines = s.adopt(self.lines());
                    lines.by_ref().take(take).for_each(drop);
                    mem::forget(lines);
                }),
                Fate::Stopped(take) => {
                    let (mut lines, stop) = self.lines().releasable();
                    lines.by_ref().take(take).for_each(drop);
                    stop.stop();
                }
                Fate::Kept(most) => {
                    let mut lines = self.lines();
                    lines.next();
                    kept.push_back(lines);
                    if kept.len() > most {
                        kept.pop_front();
                    }
                }
            }
            if leaks {
                // So much that it stands out from what the buffers of the program hold now and then.
                let mut page = generator(async |mut co: Co<u8>| {
                    let page = vec![0; 8 << 10];
                    co.yield_all(page).await;
                })
                .boxed();
                page.next();
                lost.push(page);
            }
            meter.tick();
        }
    }
}

fn outcome(program: &Program, leaks: bool) -> Outcome {
    Meter::run(program.items, |meter| program.run(meter, leaks))
}

#[test]
fn healthy_programs_are_not_accused_and_leaking_ones_are() {
    let cases = env::var("PROPTEST_CASES").map_or(40, |cases| cases.parse().unwrap());
    let mut runner = TestRunner::new(Config { cases, ..Config::default() });
    let checked = runner.run(&program(), |program| {
        let before = audit::snapshot();
        let healthy = outcome(&program, false);
        prop_assert!(healthy.is_flat(), "{}", healthy.heap());
        prop_assert!(
            healthy.accused().is_none(),
            "{}\n{}",
            healthy.accused().unwrap(),
            healthy.sites()
        );
        // And when it is over there is nothing left of it. (Nobody has waited for the threads of what
        // was stopped.)
        let left = || audit::snapshot().since(&before);
        let nothing = comes_about(|| left().created().is_empty());
        prop_assert!(nothing, "{}", left());

        let leaking = outcome(&program, true);
        prop_assert!(leaking.rises().is_some(), "{}", leaking.heap());
        let accused = leaking.accused().map(|accused| accused.to_string()).unwrap_or_default();
        prop_assert!(
            accused.contains(&format!(": Gen, {} alive", meter::grouped(program.items as f64))),
            "{accused}"
        );
        Ok(())
    });
    if let Err(error) = checked {
        panic!("{error}");
    }
}
