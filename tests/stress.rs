//! Hours of use in little time, as a plain program: very many generators that are stopped from another
//! thread at whatever moment, very many scopes whose producers are killed in every way there is. In the
//! end everything has been released, and memory, threads and open files are what they were.
//!
//! `cargo test` runs some seconds of it. `STRESS=full cargo test --release --test stress` runs ten million
//! generators and ten thousand scopes, and `STRESS_SEED` sets where the dice begin. Every line that is
//! printed has the form `stress NAME: KEY=VALUE …`, and is for `.ci/prove` as well.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::any::Any;
use std::fs::{self, File};
use std::hint::{black_box, spin_loop};
use std::iter;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicIsize, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use futures_core::Stream;
use support::tokens::{Token, alive, born};
use watertight::{
    Capacity, Co, Consumer, IteratorExt, Outcome, Overflow, Prefetch, Producer, RecursiveCo, Scope,
    StopHandle, async_generator, bounded, generator, recursive, scope,
};

/// The system's allocator, and how much is allocated.
struct Counting;

static BYTES: AtomicIsize = AtomicIsize::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: it is `System`, asked for the same.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size() as isize, Relaxed);
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as isize, Relaxed);
        // SAFETY: the caller's promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A xorshift, so that a run can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// What there is of this process.
#[derive(Clone, Copy, Debug)]
struct Process {
    bytes: isize,
    resident: usize,
    threads: usize,
    files: usize,
}

impl Process {
    fn now() -> Self {
        let bytes = BYTES.load(Relaxed); // Before this allocates.
        let entries = |path: &str| fs::read_dir(path).map_or(0, Iterator::count);
        let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        Process {
            bytes,
            resident: pages * 4096_usize,
            threads: entries("/proc/self/task"),
            files: entries("/proc/self/fd"),
        }
    }

    /// Threads that have been joined may still be listed for a moment, and nothing else may.
    fn settled(threads: usize) -> Self {
        for _ in 0..100_000 {
            if Self::now().threads <= threads {
                break;
            }
            thread::yield_now();
        }
        Self::now()
    }
}

/// Stops what it is given, each after a moment of another length.
struct Stopper {
    handles: Producer<StopHandle>,
    thread: JoinHandle<u64>,
}

impl Stopper {
    fn start(seed: u64) -> Self {
        let (handles, received): (_, Consumer<StopHandle>) =
            bounded(Capacity::items(16), Overflow::Block);
        let thread = thread::spawn(move || {
            let mut dice = Dice(seed | 1);
            received.fold(0, |stopped, handle| {
                for _ in 0..dice.roll(60) {
                    spin_loop();
                }
                stopped + u64::from(handle.stop())
            })
        });
        Stopper { handles, thread }
    }

    fn stop(&mut self, handle: StopHandle) {
        self.handles.push(handle).expect("it takes what comes");
    }

    /// How many stops were in time.
    fn finish(self) -> u64 {
        drop(self.handles);
        self.thread.join().expect("a stop of what holds a token does not panic")
    }
}

/// A body that holds something and yields somethings.
async fn body(mut co: Co<Token>, held: Token, upto: u64) {
    let _held = held;
    for n in 0..upto {
        co.yield_(Token::new(n)).await;
    }
}

async fn deep(mut co: RecursiveCo<'_, Token>, held: Token, upto: u64) {
    let _held = held;
    for n in 0..upto {
        if n % 2 == 0 {
            co.yield_(Token::new(n)).await;
        } else {
            co.yield_from(async move |mut co| co.yield_(Token::new(n)).await).await;
        }
    }
}

/// Pulls at most so many, which must be the first ones.
fn pull(items: &mut impl Iterator<Item = Token>, most: u64) -> u64 {
    pull_from(items, 0, most)
}

/// The same, when so many have been pulled before.
fn pull_from(items: &mut impl Iterator<Item = Token>, before: u64, most: u64) -> u64 {
    let mut pulled = 0;
    while pulled < most {
        match items.next() {
            Some(token) => assert_eq!(token.0, before + pulled),
            None => break,
        }
        pulled += 1;
    }
    pulled
}

/// One generator of some kind, which is left at some point in some way.
fn one_generator(dice: &mut Dice, stopper: &mut Stopper, pulled: &mut u64) {
    let (upto, most) = (dice.roll(6), dice.roll(8));
    let new = |co: Co<Token>| body(co, Token::new(upto), upto);
    match dice.roll(12) {
        0 => {
            let mut pinned = pin!(generator(new));
            *pulled += pull(&mut pinned, most);
        }
        1 => {
            let mut pinned = pin!(generator(new));
            *pulled += pull(&mut pinned, most);
            assert_eq!(pinned.as_mut().close(), most <= upto);
            assert!(pinned.next().is_none());
        }
        2 => *pulled += pull(&mut generator(new).boxed(), most),
        3 => *pulled += pull(&mut recursive(|co| deep(co, Token::new(upto), upto)), most),
        4 => {
            // Stopped while it is pulled, then dropped.
            let (mut stoppable, stop) = generator(new).boxed().stoppable();
            stopper.stop(stop);
            *pulled += pull(&mut stoppable, most);
        }
        5 | 6 => {
            let (mut releasable, stop) = generator(new).releasable();
            stopper.stop(stop);
            *pulled += pull(&mut releasable, most);
        }
        7 => {
            // Stopped, and waited for by who then still has it.
            let (mut releasable, stop) = generator(new).releasable();
            *pulled += pull(&mut releasable, most);
            stopper.stop(stop.clone());
            let expected = if most > upto { Outcome::Completed } else { Outcome::Stopped };
            assert_eq!(stop.wait(), Ok(expected));
            assert!(releasable.next().is_none());
        }
        8 => scope(|s| {
            // Its owner has forgotten it, and it is stopped while the scope ends.
            let (mut releasable, stop) = s.releasable(generator(new));
            *pulled += pull(&mut releasable, most);
            stopper.stop(stop);
            mem::forget(releasable);
        }),
        9 => scope(|s| {
            let mut forgotten = s.generator(new);
            *pulled += pull(&mut forgotten, most);
            let mut dropped = s.generator(new);
            *pulled += pull(&mut dropped, most);
            mem::forget(forgotten);
        }),
        10 => {
            let group = StopHandle::new();
            let mut members = [(); 3].map(|()| generator(new).releasable_under(&group));
            stopper.stop(group.clone());
            for member in &mut members {
                *pulled += pull(member, most);
            }
            drop(group);
            black_box(&members);
        }
        _ => {
            let stream = async_generator(new);
            let (mut stream, stop) = stream.releasable();
            stopper.stop(stop);
            let mut cx = Context::from_waker(Waker::noop());
            let items = iter::from_fn(|| match Pin::new(&mut stream).poll_next(&mut cx) {
                Poll::Ready(item) => item,
                Poll::Pending => unreachable!("it waits for nothing"),
            });
            *pulled += pull(&mut { items }, most);
        }
    }
}

fn generators(count: u64, seed: u64) {
    let start = Instant::now();
    let (mut dice, mut stopper) = (Dice(seed | 1), Stopper::start(seed));
    let mut pulled = 0;
    // The first ones allocate what stays: identities, thread-locals, the deadlines' tables.
    for _ in 0..count / 100 {
        one_generator(&mut dice, &mut stopper, &mut pulled);
    }
    let stopped = stopper.finish();
    let before = Process::settled(1);
    let mut stopper = Stopper::start(seed ^ 1);
    for _ in 0..count {
        one_generator(&mut dice, &mut stopper, &mut pulled);
    }
    let stopped = stopped + stopper.finish();
    let after = Process::settled(before.threads);
    println!(
        "stress generators: count={count} items={pulled} stopped_in_time={stopped} tokens={} alive={} \
         allocations={} bytes_before={} bytes_after={} resident_before={} resident_after={} seconds={:.1}",
        born(),
        alive(),
        ALLOCATIONS.load(Relaxed),
        before.bytes,
        after.bytes,
        before.resident,
        after.resident,
        start.elapsed().as_secs_f64(),
    );
    assert!(stopped > 0, "no stop was in time");
    assert_eq!(alive(), 0, "tokens that nobody dropped, or somebody twice");
    assert_eq!(after.bytes, before.bytes, "bytes allocated");
    assert!(after.resident < before.resident + (8 << 20), "{before:?} {after:?}");
    assert_eq!(after.threads, before.threads);
}

/// How the producers of the scopes have ended.
#[derive(Default)]
struct Ways {
    dropped: u64,
    forgotten: u64,
    closed: u64,
    finished: u64,
    stopped: u64,
    panicked: u64,
    ended: u64,
    /// Whether handles may be forgotten.
    forgets: bool,
}

const PLANNED: &str = "planned";

fn planned(payload: &(dyn Any + Send)) -> bool {
    payload.downcast_ref() == Some(&PLANNED)
}

/// A source with an open file, that ends or panics at some item.
fn source(dice: &mut Dice) -> impl Iterator<Item = Token> + Send + 'static {
    let (held, mut n) = (Token::new(0), 0);
    let (upto, panics) = (dice.roll(20), dice.roll(4) == 0);
    let file = (dice.roll(4) == 0).then(|| File::open("/dev/null").expect("/dev/null"));
    iter::from_fn(move || {
        black_box((&held, &file));
        if n == upto {
            return if panics { resume_unwind(Box::new(PLANNED)) } else { None };
        }
        n += 1;
        Some(Token::new(n - 1))
    })
}

/// Takes some, with what a source may do in the way.
fn take(prefetch: &mut Prefetch<'_, Token>, before: u64, most: u64, ways: &mut Ways) -> u64 {
    match catch_unwind(AssertUnwindSafe(|| pull_from(prefetch, before, most))) {
        Ok(pulled) => {
            ways.ended += u64::from(pulled < most);
            pulled
        }
        Err(payload) if planned(&*payload) => {
            ways.panicked += 1;
            assert!(prefetch.next().is_none(), "once, and then the end");
            0
        }
        Err(payload) => resume_unwind(payload),
    }
}

/// Ends it in some way; in a scope it may also be forgotten.
fn end(
    dice: &mut Dice,
    stopper: &mut Stopper,
    stop: StopHandle,
    mut prefetch: Prefetch<'_, Token>,
    taken: u64,
    ways: &mut Ways,
) {
    match dice.roll(6) {
        0 => {
            ways.dropped += 1;
            drop(prefetch);
        }
        1 if ways.forgets => {
            ways.forgotten += 1;
            mem::forget(prefetch);
        }
        1 | 2 => {
            prefetch.close();
            ways.closed += 1;
        }
        3 => {
            prefetch.finish();
            ways.finished += 1;
            take(&mut prefetch, taken, 100, ways);
        }
        4 => {
            ways.stopped += 1;
            stop.stop();
        }
        _ => {
            ways.stopped += 1;
            stopper.stop(stop);
            take(&mut prefetch, taken, 100, ways);
        }
    }
}

fn in_scope<'scope>(
    s: &'scope Scope<'scope, '_>,
    dice: &mut Dice,
    stopper: &mut Stopper,
    ways: &mut Ways,
) {
    let capacity = Capacity::items(1 + dice.roll(4) as usize);
    let mut prefetch = s.prefetch(capacity, source(dice));
    if dice.roll(3) == 0 {
        prefetch = s.prefetch(capacity, prefetch); // A second stage.
    }
    let taken = take(&mut prefetch, 0, dice.roll(10), ways);
    end(dice, stopper, s.stop_handle(), prefetch, taken, ways);
}

/// One outside a scope. What is forgotten there stays, so none is.
fn outside(dice: &mut Dice, stopper: &mut Stopper, ways: &mut Ways) {
    let capacity = Capacity::items(1 + dice.roll(4) as usize);
    let stop = StopHandle::new();
    let mut prefetch = source(dice).prefetch_under(capacity, &stop);
    take(&mut prefetch, 0, dice.roll(10), ways);
    match dice.roll(3) {
        0 => ways.dropped += 1,
        1 => {
            ways.stopped += 1;
            stopper.stop(stop);
        }
        _ => {
            ways.stopped += 1;
            stop.stop();
            stop.wait().expect("its thread ends");
        }
    }
    drop(prefetch); // Its thread has ended, or `source` panics here.
}

/// What a handle that is forgotten keeps at most: the places of its buffer, empty, and what it shares
/// with its thread.
const FORGOTTEN: u64 = 2400;

fn scopes(name: &str, forgets: bool, count: u64, seed: u64) {
    let start = Instant::now();
    let (mut dice, mut ways) = (Dice(seed | 1), Ways { forgets, ..Ways::default() });
    let mut before = Process::now();
    let mut producers = 0;
    let warm = count / 20;
    let mut stopper = Stopper::start(seed);
    for round in 0..count + warm {
        if round == warm {
            stopper.finish();
            before = Process::settled(1);
            stopper = Stopper::start(seed ^ 1);
        }
        let some = 1 + dice.roll(4);
        producers += some;
        let ended = catch_unwind(AssertUnwindSafe(|| {
            scope(|s| {
                for _ in 0..some {
                    in_scope(s, &mut dice, &mut stopper, &mut ways);
                }
                if dice.roll(4) == 0 {
                    ways.panicked += 1;
                    resume_unwind(Box::new(PLANNED)); // The consumer.
                }
            });
            outside(&mut dice, &mut stopper, &mut ways);
        }));
        if let Err(payload) = ended
            && !planned(&*payload)
        {
            resume_unwind(payload);
        }
        assert_eq!(alive(), 0, "after scope {round}");
    }
    let in_time = stopper.finish();
    let after = Process::settled(before.threads);
    let Ways { dropped, forgotten, closed, finished, stopped, panicked, ended, .. } = ways;
    println!(
        "stress {name}: count={count} producers={producers} dropped={dropped} forgotten={forgotten} \
         closed={closed} finished={finished} stopped={stopped} stopped_in_time={in_time} \
         panicked={panicked} ended={ended} tokens={} alive={} bytes_before={} bytes_after={} \
         resident_before={} resident_after={} threads_before={} threads_after={} files_before={} \
         files_after={} seconds={:.1}",
        born(),
        alive(),
        before.bytes,
        after.bytes,
        before.resident,
        after.resident,
        before.threads,
        after.threads,
        before.files,
        after.files,
        start.elapsed().as_secs_f64(),
    );
    let grown =
        u64::try_from(after.bytes - before.bytes).expect("no more was freed than allocated");
    assert!(grown <= forgotten * FORGOTTEN, "{grown} bytes");
    let resident = before.resident + (8 << 20) + (forgotten * FORGOTTEN) as usize;
    assert!(after.resident < resident, "{before:?} {after:?}");
    assert_eq!((after.threads, after.files), (before.threads, before.files));
}

fn main() {
    let full = std::env::var_os("STRESS").is_some_and(|how| how == "full");
    let seed = std::env::var("STRESS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(0x9E37_79B9_7F4A_7C15);
    println!("stress: full={full} seed={seed}");
    generators(if full { 10_000_000 } else { 100_000 }, seed);
    let count = if full { 10_000 } else { 300 };
    scopes("scopes", false, count, seed);
    scopes("scopes_with_forgotten_handles", true, count, seed);
    println!("stress: ok");
}
