//! Every operation that allocates, with each of its allocations failing in turn: the first, then the
//! second, until it needs no more.
//!
//! On stable Rust a failed allocation ends the process. So each failure is a process of its own, and what
//! is asserted is that it ends by std's own message and abort, or by a panic that says what was missing
//! and leaves nothing behind; never by a memory error, and never hanging.
//!
//! With `--cfg watertight_alloc_hook`, on nightly, std's hook for failed allocations panics instead, and all
//! of it happens in one process: after the unwinding every token has been dropped, no byte is still
//! allocated, and the same operation then works. `.ci/failing-allocator` does both. What std itself does
//! not survive is left out: the start of a thread, and another level of a `BTreeMap`.
//!
//! A system that refuses threads is a failure of the same kind: there the operations that start one are
//! run where every stack would be larger than memory.

#![cfg_attr(watertight_alloc_hook, feature(alloc_error_hook))]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::env;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use support::tokens::{Token, alive, born};
use watertight::{
    Capacity, Cleanup, Co, IteratorExt, Overflow, RecursiveCo, StopHandle, StreamExt as _,
    async_generator, async_recursive, bounded, generator, prefetch_stream, recursive, scope,
    try_generator, try_recursive, with_cleanup,
};

/// The system's allocator, which fails once.
struct Failing;

/// How many allocations there are until the one that fails. 0: none will.
static LEFT: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    /// Whether a failure may come on this thread. std cannot start a thread without memory, whatever the
    /// hook does; so there it may not come before the thread runs what it was started for.
    static MAY_FAIL: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: it is `System`, asked for the same, or it has no memory.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if LEFT.load(SeqCst) > 0 && MAY_FAIL.get() && LEFT.fetch_sub(1, SeqCst) == 1 {
            return std::ptr::null_mut();
        }
        BYTES.fetch_add(layout.size() as isize, SeqCst);
        // SAFETY: the caller's promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as isize, SeqCst);
        // SAFETY: the caller's promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static FAILING: Failing = Failing;

const TWO: Capacity = Capacity::items(2);

/// Operations by name, and whether they start a thread.
type Case = (&'static str, fn(), bool);

const CASES: [Case; 25] = [
    ("boxed", boxed, false),
    ("boxed and fallible", boxed_and_fallible, false),
    ("boxed and asynchronous", boxed_and_asynchronous, false),
    ("hook", hook, false),
    ("recursion", recursion, false),
    ("fallible recursion", fallible_recursion, false),
    ("asynchronous recursion", asynchronous_recursion, false),
    ("scope", in_scope, false),
    ("scope with stop handles", scope_with_stop_handles, false),
    ("stoppable", stoppable, false),
    ("releasable", releasable, false),
    ("group", group, false),
    ("deadline", deadline, true),
    ("bounded", bounded_ring, false),
    ("bounded that loses", bounded_queue, false),
    ("prefetch", prefetch, true),
    ("prefetch under a group", prefetch_under, true),
    ("prefetch in a scope", prefetch_in_scope, true),
    ("many prefetches in a scope", many_prefetches_in_a_scope, true),
    ("tee", tee, false),
    ("tee under a group", tee_under, false),
    ("lookahead", lookahead, false),
    ("emitter", emitter, false),
    ("bridges", bridges, true),
    ("cleanup and waiting tasks", cleanup, false),
];

async fn body(mut co: Co<Token>, held: Token) {
    MAY_FAIL.set(true);
    let _held = held;
    for n in 0..6 {
        co.yield_(Token::new(n)).await;
    }
}

fn new() -> watertight::Gen<Token, impl Future<Output = ()> + Send> {
    generator(|co: Co<Token>| body(co, Token::new(0)))
}

fn tokens() -> impl Iterator<Item = Token> + Send + 'static {
    let held = Token::new(0);
    (0..9).map(move |n| {
        MAY_FAIL.set(true);
        (&held, Token::new(n)).1
    })
}

fn boxed() {
    assert_eq!(new().boxed().take(2).count(), 2);
    assert_eq!(new().boxed_local().count(), 6);
    assert_eq!(new().into_iter().take(3).count(), 3);
}

fn boxed_and_fallible() {
    let fails = || {
        try_generator(async |mut co: Co<Token>| {
            co.yield_(Token::new(1)).await;
            Err(Token::new(2))
        })
    };
    assert_eq!(fails().boxed().count(), 2);
    assert_eq!(fails().into_iter().take(1).count(), 1);
}

/// Polls a stream of which something can be had without waiting.
fn poll<S: futures_core::Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()))
}

fn boxed_and_asynchronous() {
    let mut stream = async_generator(|co: Co<Token>| body(co, Token::new(0))).boxed();
    assert!(matches!(poll(&mut stream), Poll::Ready(Some(_))));
    stream.close_now();
}

fn hook() {
    let told = Token::new(0);
    let (mut hooked, stop) = new().boxed().on_finish(move |_| drop(told)).releasable();
    hooked.next();
    stop.stop();
}

async fn down(mut co: RecursiveCo<'_, Token>, depth: u64) -> Token {
    let _held = Token::new(depth);
    if depth > 0 {
        drop(co.yield_from(|co| down(co, depth - 1)).await);
    }
    co.yield_(Token::new(depth)).await;
    Token::new(depth)
}

fn recursion() {
    let mut levels = recursive(async |co: RecursiveCo<'_, Token>| drop(down(co, 40).await));
    assert_eq!(levels.by_ref().take(5).count(), 5);
}

fn fallible_recursion() {
    let fails = try_recursive(async |co: RecursiveCo<'_, Token>| Err::<(), _>(down(co, 5).await));
    assert_eq!(fails.count(), 7);
}

fn asynchronous_recursion() {
    let mut levels = async_recursive(async |co: RecursiveCo<'_, Token>| drop(down(co, 5).await));
    assert!(matches!(poll(&mut levels), Poll::Ready(Some(_))));
}

fn in_scope() {
    scope(|s| {
        let deferred = Token::new(0);
        s.defer(move || drop(deferred));
        let mut forgotten = s.adopt_generator(new()).erase();
        forgotten.next();
        let mut dropped = s.adopt(tokens());
        dropped.next();
        // So many that the list of those to be freed grows.
        let mut many: Vec<_> = (0..5).map(|_| s.adopt(tokens())).collect();
        many.iter_mut().for_each(|items| drop(items.next()));
        std::mem::forget(forgotten);
    });
}

fn scope_with_stop_handles() {
    scope(|s| {
        let (mut one, stop) = s.releasable(new());
        let (mut other, _) = s.stoppable(tokens().into_generator());
        drop((one.next(), other.next()));
        stop.stop();
        s.stop_handle().stop();
    });
}

fn stoppable() {
    let (mut items, stop) = tokens().stoppable();
    items.next();
    assert!(stop.stop());
    assert!(items.next().is_none());
}

fn releasable() {
    let (mut items, stop) = new().releasable();
    items.next();
    assert!(stop.stop());
    assert!(stop.wait().is_ok());
}

fn group() {
    let group = StopHandle::new();
    let under = group.child();
    let mut members: Vec<_> = (0..5).map(|_| new().releasable_under(&under)).collect();
    members.iter_mut().for_each(|items| drop(items.next()));
    let _guard = under.child().guard();
    assert!(group.stop());
    assert!(group.wait().is_ok());
}

fn deadline() {
    let (mut items, stop) = new().releasable();
    items.next();
    let _deadline = stop.stop_after(Duration::from_millis(1));
    assert!(stop.wait().is_ok());
}

fn bounded_ring() {
    for policy in [Overflow::Block, Overflow::Error] {
        let (mut producer, mut consumer) = bounded(TWO, policy);
        producer.push(Token::new(1)).unwrap();
        producer.push(Token::new(2)).unwrap();
        assert!(consumer.next().is_some());
    }
}

fn bounded_queue() {
    for policy in [Overflow::DropOldest, Overflow::DropNewest] {
        let (producer, mut consumer) = bounded(Capacity::items(9), policy);
        let mut producer = producer.on_lost(drop);
        for n in 0..20 {
            producer.push(Token::new(n)).unwrap();
        }
        assert!(consumer.next().is_some());
    }
}

fn prefetch() {
    let mut items = tokens().prefetch(TWO).weighing(3, |_| 1);
    assert!(items.next().is_some());
}

fn prefetch_under() {
    let group = StopHandle::new();
    let mut items = new().prefetch_under(TWO, &group);
    assert!(items.next().is_some());
    group.stop();
    assert!(group.wait().is_ok());
}

fn prefetch_in_scope() {
    let text = String::from("one two three");
    scope(|s| {
        let words = s.prefetch(TWO, text.split(' '));
        let mut items = s.prefetch(TWO, words.map(|_| Token::new(1)));
        assert!(items.next().is_some());
        assert!(s.buffers().len() <= 2);
    });
}

/// Where a process may end, so many that the scope looks for threads that have ended, while one still
/// runs and borrows. std's map aborts if it cannot add a level, whatever the hook does.
const MANY: u64 = if cfg!(watertight_alloc_hook) { 4 } else { 20 };

fn many_prefetches_in_a_scope() {
    let text = String::from("one two three");
    scope(|s| {
        let mut runs = s.prefetch(TWO, text.chars().cycle().map(|_| Token::new(0)));
        assert!(runs.next().is_some());
        for n in 0..MANY {
            let mut items = s.prefetch(TWO, (n..).map(Token::new));
            assert!(items.next().is_some());
        }
    });
}

fn tee() {
    let mut branches = tokens().tee(3, TWO, Overflow::DropOldest);
    branches[0].on_lost(drop);
    assert_eq!(branches[1].by_ref().take(5).count(), 5);
    let mut local = tokens().tee_local(2, Capacity::items(9), Overflow::DropNewest);
    assert_eq!(local[1].by_ref().take(7).count(), 7);
}

fn tee_under() {
    let group = StopHandle::new();
    let mut branches = tokens().tee_under(2, TWO, Overflow::Error, &group);
    assert!(branches[0].next().is_some());
    group.stop();
}

fn lookahead() {
    let mut items = tokens().lookahead(Capacity::items(8));
    assert!(items.peek_nth(7).is_some());
    assert!(items.next().is_some());
}

fn emitter() {
    let mut items = pin!(generator(async |mut co: Co<Token>| {
        let out = co.emitter(TWO);
        let emit = async || {
            for n in 0..5 {
                out.emit(Token::new(n)).await;
            }
        };
        let mut all: Vec<_> = (0..3).map(|_| Box::pin(emit())).collect();
        out.forward(poll_fn(|cx| {
            all.retain_mut(|one| one.as_mut().poll(cx).is_pending());
            if all.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        }))
        .await;
    }));
    assert_eq!(items.by_ref().take(7).count(), 7);
}

fn bridges() {
    let mut stream = tokens().prefetch(TWO).into_stream();
    for _ in 0..3 {
        // It will come, from its thread.
        while poll(&mut stream).is_pending() {
            std::thread::yield_now();
        }
    }
    drop(stream);
    let group = StopHandle::new();
    let source = async_generator(|co: Co<Token>| body(co, Token::new(0)));
    let (items, driver) = prefetch_stream(source, TWO);
    let mut items = items.under(&group);
    let mut driver = Box::pin(driver);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(driver.as_mut().poll(&mut cx).is_pending());
    assert!(matches!(poll(&mut items), Poll::Ready(Some(_))));
    assert!(items.into_blocking().next_timeout(Duration::ZERO).is_ok());
    group.stop();
    drop(driver);
}

fn cleanup() {
    let mut items = pin!(with_cleanup(|cleanup: Cleanup<'_>| {
        async_generator(async move |mut co: Co<Token>| {
            for n in 0..9 {
                let held = Token::new(n);
                cleanup.defer(async move { drop(held) });
            }
            co.yield_(Token::new(0)).await;
        })
    }));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(items.next()).poll(&mut cx).is_ready());
    let (stream, stop) =
        async_generator(|co: Co<Token>| body(co, Token::new(0))).boxed().releasable();
    let mut released = pin!(stop.released());
    assert!(released.as_mut().poll(&mut cx).is_pending());
    drop(stream.on_finish(drop));
    assert!(released.as_mut().poll(&mut cx).is_ready());
    assert!(pin!(items.as_mut().close()).poll(&mut cx).is_ready());
}

/// Runs it with the `n`th allocation failing. Whether there were so many.
fn failing(case: fn(), n: usize) -> (bool, std::thread::Result<()>) {
    MAY_FAIL.set(true);
    LEFT.store(n, SeqCst);
    let result = catch_unwind(AssertUnwindSafe(case));
    (LEFT.swap(0, SeqCst) == 0, result)
}

fn said(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a payload of another type")
}

/// Threads that are over for us may still be giving their memory back.
fn settle(ready: impl Fn() -> bool) -> bool {
    (0..20_000).any(|_| {
        let ready = ready();
        if !ready {
            std::thread::sleep(Duration::from_micros(100));
        }
        ready
    })
}

/// In this process: the hook for failed allocations panics.
#[cfg(watertight_alloc_hook)]
fn main() {
    std::alloc::set_alloc_error_hook(|layout| panic!("no memory for {} bytes", layout.size()));
    // Those panics are expected, and there are hundreds.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = said(panic.payload());
        if !said.starts_with("no memory") && !said.contains("not enough memory") {
            hook(panic);
        }
    }));
    let mut faults = 0;
    for (name, case, threads) in CASES {
        case(); // What stays for the process, such as the thread for deadlines.
        for n in 1.. {
            let bytes = || BYTES.load(SeqCst);
            assert!(settle(|| alive() == 0), "{name}: before allocation {n}");
            let before = bytes();
            let (failed, result) = failing(case, n);
            if let Err(payload) = &result {
                let said = said(&**payload);
                assert!(failed || said.is_empty(), "{name}, allocation {n}: {said}");
            }
            drop(result);
            assert!(settle(|| alive() == 0), "{name}, allocation {n}: {} tokens are left", alive());
            // What std keeps of a thread that failed to start, or of a panic, is not ours.
            let same = settle(|| bytes() <= before);
            assert!(same, "{name}, allocation {n}: {} bytes are left", bytes() - before);
            case(); // It works as before.
            if !failed {
                break;
            }
            faults += 1;
        }
        println!(
            "failing_allocator: {name}: ok{}",
            if threads { ", threads included" } else { "" }
        );
    }
    println!("failing_allocator: how=unwinding cases={} faults={faults} ok", CASES.len());
}

/// On stable: each failure in a process of its own.
#[cfg(not(watertight_alloc_hook))]
fn main() {
    let mut arguments = env::args().skip_while(|argument| argument != "--child").skip(1);
    if let (Some(index), Some(n)) = (arguments.next(), arguments.next()) {
        return child(index.parse().unwrap(), n.parse().unwrap());
    }
    let (mut faults, mut aborts, mut panics) = (0, 0, 0);
    for (index, (name, ..)) in CASES.iter().enumerate() {
        for n in 1.. {
            let Output { status, stdout, stderr } = run(index, n, None);
            let (stdout, stderr) =
                (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
            if stdout.contains("all of them succeeded") && status.success() {
                break;
            }
            faults += 1;
            if stdout.contains("settled") && status.success() {
                panics += 1;
                continue;
            }
            assert!(
                is_abort(status) && stderr.contains("memory allocation of "),
                "{name}, allocation {n}: {status}\n{stdout}\n{stderr}"
            );
            aborts += 1;
        }
    }
    let mut refused = 0;
    for (index, (name, ..)) in CASES.iter().enumerate().filter(|(_, (.., threads))| *threads) {
        let Output { status, stdout, stderr } = run(index, 0, Some("RUST_MIN_STACK"));
        let stdout = String::from_utf8_lossy(&stdout);
        assert!(
            status.success() && stdout.contains("cannot be started") && stdout.contains("settled"),
            "{name}, without threads: {status}\n{stdout}\n{}",
            String::from_utf8_lossy(&stderr)
        );
        refused += 1;
    }
    println!(
        "failing_allocator: how=processes cases={} faults={faults} aborts={aborts} panics={panics} \
         threads_refused={refused} ok",
        CASES.len()
    );
}

#[cfg_attr(watertight_alloc_hook, allow(dead_code))]
fn is_abort(status: std::process::ExitStatus) -> bool {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status) == Some(6);
    #[cfg(not(unix))]
    return !status.success();
}

/// This program again, for one failure; it has half a minute.
#[cfg_attr(watertight_alloc_hook, allow(dead_code))]
fn run(index: usize, n: usize, without_threads: Option<&str>) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--child", &index.to_string(), &n.to_string()]).env("RUST_BACKTRACE", "0");
    if let Some(variable) = without_threads {
        command.env(variable, (1_u64 << 50).to_string()); // More than there are addresses.
    }
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("this program");
    let begun = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if begun.elapsed() > Duration::from_secs(30) {
            child.kill().expect("it hangs");
            panic!("case {index}, allocation {n}: this hangs");
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    child.wait_with_output().expect("its output")
}

#[cfg_attr(watertight_alloc_hook, allow(dead_code))]
fn child(index: usize, n: usize) {
    let (name, case, _) = CASES[index];
    // std aborts if it cannot print; it prints before anything fails.
    println!("{name}, allocation {n}");
    let (failed, result) = failing(case, n);
    match result {
        Ok(()) if failed => println!("failed, and went on; settled"),
        Ok(()) => println!("all of them succeeded"),
        Err(payload) => println!("panicked: {}; settled", said(&*payload)),
    }
    assert!(settle(|| alive() == 0), "{} of {} tokens are left", alive(), born());
}
