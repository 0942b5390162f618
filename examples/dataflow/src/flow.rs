//! The dataflow, of which each process has a part: lines become words, a word is counted in the process that
//! its hash says, and when there have been enough of one word all processes are told to stop.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::TcpStream;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::{io, iter};

use futures_core::Stream;
use timely::WorkerConfig;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::initialize::Hooks;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::vec::{Broadcast, Map};
use timely::dataflow::operators::{Concat, Inspect, Operator, Probe};
use timely::dataflow::{InputHandleVec, ProbeHandle};
use timely::execute::execute_from;
use timely::worker::Worker;
use watertight::{StopHandle, ThreadStream};

use crate::report::Report;
use crate::source;

/// How many rounds a process may be ahead of the slowest one: what is on its way through the dataflow is
/// bounded as well.
const AHEAD: usize = 4;

/// How many lines a round has at the most.
const ROUND: usize = 32;

type Lines = ThreadStream<'static, io::Result<String>>;

/// What this process has to do.
#[derive(Clone)]
pub struct Part {
    pub files: Vec<PathBuf>,
    pub endless: bool,
    pub word: String,
    /// How many of that word are enough.
    pub enough: Option<u64>,
}

/// Takes part in the dataflow until it has come to its end, on all processes.
pub fn run(
    index: usize,
    sockets: Vec<Option<TcpStream>>,
    part: Part,
    stop: StopHandle,
) -> io::Result<Report> {
    let hooks = Hooks::default();
    let local = ProcessBuilder::new_typed_vector(1, hooks.refill.clone(), None);
    let (builders, network) = initialize_networking_from_sockets(local, sockets, index, 1, hooks)?;
    let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
    let work = move |worker: &mut Worker| work(worker, &part, &stop);
    let workers = execute_from(builders, Box::new(network), WorkerConfig::default(), work)
        .map_err(io::Error::other)?;
    let result = workers.join().pop().expect("there is one worker");
    result.map_err(io::Error::other)?
}

fn work(worker: &mut Worker, part: &Part, stop: &StopHandle) -> io::Result<Report> {
    let at_home = Arc::new(AtomicBool::new(false));
    let mut lines = source::lines(part.files.clone(), part.endless, stop, at_home.clone());
    let counts = Rc::new(RefCell::new(HashMap::new()));
    let (mut input, mut trouble, probe) = dataflow(worker, part, stop, counts.clone());

    let mut report = Report::default();
    let mut failure = None;
    for round in 1.. {
        // One line is waited for, and then come as many as there are.
        let Some(first) = wait(worker, &mut lines) else { break };
        let rest = iter::from_fn(|| lines.next_now().ok());
        for line in iter::once(first).chain(rest).take(ROUND) {
            match line {
                Ok(line) => {
                    report.lines += 1;
                    report.words += words(&line).count() as u64;
                    input.send(line);
                }
                Err(error) => {
                    failure = Some(error);
                    trouble.send(0);
                }
            }
        }
        input.advance_to(round);
        trouble.advance_to(round);
        let known = round.saturating_sub(AHEAD);
        worker.step_or_park_while(None, || probe.less_than(&known));
    }
    report.stopped = stop.is_stopped();
    report.peak = lines.stats().peak as u64;

    // The thread has ended, or is about to: now it is waited for. Then the others are, so that all that they
    // have sent here is counted.
    drop(lines);
    stop.stop();
    stop.wait().map_err(io::Error::other)?;
    report.at_home = at_home.load(Ordering::Acquire);
    drop((input, trouble));
    worker.step_or_park_while(None, || !probe.done());

    let counts = counts.borrow();
    report.counted = counts.values().sum();
    report.different = counts.len() as u64;
    report.found = counts.get(&part.word).copied().unwrap_or(0);
    failure.map_or(Ok(report), Err)
}

type Counts = Rc<RefCell<HashMap<String, u64>>>;
type Input<T> = InputHandleVec<usize, T>;

/// Gives where the lines go in; where a process says that it has failed; and how far all have come.
fn dataflow(
    worker: &mut Worker,
    part: &Part,
    stop: &StopHandle,
    counts: Counts,
) -> (Input<String>, Input<u64>, ProbeHandle<usize>) {
    let (word, enough, stop) = (part.word.clone(), part.enough, stop.clone());
    let (mut input, mut trouble, probe) = (Input::new(), Input::new(), ProbeHandle::new());
    worker.dataflow(|scope| {
        input
            .to_stream(scope)
            .flat_map(|line: String| words(&line).collect::<Vec<_>>())
            .unary(Exchange::new(|word: &String| hash(word)), "count", |_, _| {
                move |input, output| {
                    input.for_each(|time, words| {
                        for next in words.drain(..) {
                            let is_it = next == word;
                            let mut counts = counts.borrow_mut();
                            let count = counts.entry(next).or_insert(0);
                            *count += 1;
                            if is_it && Some(*count) == enough {
                                output.session(&time).give(*count);
                            }
                        }
                    });
                }
            })
            .container::<Vec<u64>>()
            .concat(trouble.to_stream(scope))
            .broadcast()
            .inspect(move |_| _ = stop.stop())
            .probe_with(&probe);
    });
    (input, trouble, probe)
}

fn words(line: &str) -> impl Iterator<Item = String> {
    let words = line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase)
}

/// The same in each process, which is the same program.
fn hash(word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    hasher.finish()
}

/// The next line. Until it is there this thread works for the dataflow, and sleeps where there is nothing to
/// do: a message from another process wakes it, and so does a line.
fn wait(worker: &mut Worker, lines: &mut Lines) -> Option<io::Result<String>> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match Pin::new(&mut *lines).poll_next(&mut Context::from_waker(&waker)) {
            Poll::Ready(line) => return line,
            Poll::Pending => _ = worker.step_or_park(None),
        }
    }
}
