//! Stop handles of streams, and waiting for them in a task.

use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures_util::select;
use watertight::{
    Co, IteratorExt, Outcome, PollNext, ReleasableStream, StopHandle, StreamExt, async_generator,
    async_recursive_send,
};

use super::support::{Ledger, message};
use super::{Wakes, poll, ready};

/// Yields once, then waits for what never comes.
fn stuck(ledger: Ledger) -> impl PollNext<Item = u32> + Send + 'static {
    async_generator(async move |mut co: Co<u32>| {
        let _local = ledger.thing("local");
        co.yield_(1).await;
        pending::<()>().await;
    })
}

#[test]
fn g4_a_stop_releases_a_stream_that_waits_and_wakes_its_task() {
    let ledger = Ledger::new();
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut stream = ReleasableStream::new(stuck(ledger.clone()));
    let stop = stream.stop_handle();
    assert_eq!(Pin::new(&mut stream).poll_next(&mut cx), Poll::Ready(Some(1)));
    assert!(Pin::new(&mut stream).poll_next(&mut cx).is_pending());
    assert_eq!((ledger.alive(), wakes.count()), (1, 0));
    thread::scope(|s| _ = s.spawn(|| assert!(stop.stop())));
    assert_eq!((ledger.alive(), wakes.count()), (0, 1));
    assert_eq!(Pin::new(&mut stream).poll_next(&mut cx), Poll::Ready(None));
    assert!(stream.is_finished() && !stop.stop() && !stream.close_now());
    assert_eq!(stop.outcome(), Some(Outcome::Stopped));
}

#[test]
fn g4_a_stop_before_the_first_poll_runs_no_body() {
    let ledger = Ledger::new();
    let captured = ledger.thing("captured");
    let (mut stream, stop) = async_generator(async move |_co: Co<u32>| {
        let _captured = captured;
        unreachable!("it has been stopped");
    })
    .releasable();
    assert!(stop.stop());
    ledger.assert_settled();
    assert_eq!(ready(Pin::new(&mut stream)), None);
}

#[test]
fn g4_a_stop_in_a_poll_ends_it_with_that_poll_and_an_item_of_it_is_delivered() {
    for yields in [false, true] {
        let ledger = Ledger::new();
        let (told, handle) = mpsc::channel::<StopHandle>();
        let local = ledger.thing("local");
        let (mut stream, stop) = async_generator(async move |mut co: Co<u32>| {
            let _local = local;
            assert!(handle.recv().unwrap().stop());
            if yields {
                co.yield_(7).await;
            }
            pending::<()>().await;
        })
        .releasable();
        told.send(stop.clone()).unwrap();
        assert_eq!(ready(Pin::new(&mut stream)), yields.then_some(7));
        ledger.assert_settled();
        assert_eq!(ready(Pin::new(&mut stream)), None);
        assert_eq!(stop.outcome(), Some(Outcome::Stopped));
    }
}

#[test]
fn g4_the_task_that_polled_last_is_woken() {
    let (first, second) = (Wakes::new(), Wakes::new());
    let mut stream = ReleasableStream::new(stuck(Ledger::new()));
    assert_eq!(ready(Pin::new(&mut stream)), Some(1));
    for waker in [&first.1, &first.1, &second.1] {
        assert!(Pin::new(&mut stream).poll_next(&mut Context::from_waker(waker)).is_pending());
    }
    stream.stop_handle().stop();
    assert_eq!((first.0.count(), second.0.count()), (0, 1));
}

#[test]
fn g4_a_stop_reaches_every_level_of_a_recursion_and_every_member_of_a_group() {
    #[allow(clippy::manual_async_fn, reason = "an async fn cannot promise this of itself")]
    fn dive(
        mut co: watertight::SendRecursiveCo<'_, u32>,
        depth: u32,
        ledger: Ledger,
    ) -> impl Future<Output = ()> + Send {
        async move {
            let _local = ledger.thing("local");
            match depth {
                0 => pending().await,
                _ => co.yield_from(|co| dive(co, depth - 1, ledger.clone())).await,
            }
        }
    }
    let (ledger, group) = (Ledger::new(), StopHandle::new());
    let deep = async_recursive_send({
        let ledger = ledger.clone();
        move |co| dive(co, 1000, ledger)
    });
    let mut deep = deep.releasable_under(&group);
    let mut flat = ReleasableStream::under(stuck(ledger.clone()), &group);
    assert!(poll(Pin::new(&mut deep)).is_pending());
    assert_eq!(ready(Pin::new(&mut flat)), Some(1));
    assert_eq!(ledger.alive(), 1002);
    assert!(group.stop());
    ledger.assert_settled();
    assert_eq!((ready(Pin::new(&mut deep)), ready(Pin::new(&mut flat))), (None, None));
}

#[test]
fn g7_every_end_has_its_outcome_and_a_panic_reaches_the_caller_once() {
    let (mut ends, stop) = futures_util::stream::iter([1]).releasable();
    assert_eq!((ready(Pin::new(&mut ends)), ready(Pin::new(&mut ends))), (Some(1), None));
    assert_eq!(stop.outcome(), Some(Outcome::Completed));

    let dropped = ReleasableStream::new(stuck(Ledger::new()));
    let stop = dropped.stop_handle();
    drop(dropped);
    assert_eq!(stop.outcome(), Some(Outcome::Dropped));

    let ledger = Ledger::new();
    let local = ledger.thing("local");
    let (mut panics, stop) = async_generator(async move |_co: Co<u32>| {
        let _local = local;
        panic!("in the body");
    })
    .releasable();
    assert_eq!(message(|| poll(Pin::new(&mut panics))), "in the body");
    assert_eq!(stop.outcome(), Some(Outcome::Panicked));
    ledger.assert_settled();
    assert_eq!(ready(Pin::new(&mut panics)), None);
}

/// A destructor that panics does not keep the task from being woken.
#[test]
fn g7_a_bomb_does_not_keep_the_task_asleep() {
    let ledger = Ledger::new();
    let (wakes, waker) = Wakes::new();
    let bomb = ledger.bomb("bomb");
    let (mut stream, stop) = async_generator(async move |_co: Co<u32>| {
        let _bomb = bomb;
        pending::<()>().await;
    })
    .releasable();
    assert!(Pin::new(&mut stream).poll_next(&mut Context::from_waker(&waker)).is_pending());
    assert!(message(|| stop.stop()).contains("the destructor of `bomb` panics"));
    assert_eq!(wakes.count(), 1);
    assert_eq!(ready(Pin::new(&mut stream)), None);
}

#[test]
fn a_task_that_waits_for_the_release_is_woken_by_each_kind_of_end() {
    fn polled(released: Pin<&mut impl Future<Output = Outcome>>, waker: &Waker) -> Poll<Outcome> {
        released.poll(&mut Context::from_waker(waker))
    }
    for outcome in [Outcome::Completed, Outcome::Stopped, Outcome::Dropped] {
        let (mut stream, stop) = futures_util::stream::iter([1]).releasable();
        let (other, waits) = (Wakes::new(), Wakes::new());
        let mut released = pin!(stop.released());
        let mut another = pin!(stop.released());
        // Polled by one task, then by another: the last one is woken.
        assert!(polled(released.as_mut(), &other.1).is_pending());
        assert!(polled(released.as_mut(), &waits.1).is_pending());
        assert!(polled(another.as_mut(), &waits.1).is_pending());
        {
            // One that has been given up is woken no more.
            let mut given_up = pin!(stop.released());
            assert!(polled(given_up.as_mut(), &other.1).is_pending());
        }
        match outcome {
            Outcome::Completed => while ready(Pin::new(&mut stream)).is_some() {},
            Outcome::Stopped => _ = stop.stop(),
            _ => drop(stream),
        }
        assert_eq!((other.0.count(), waits.0.count()), (0, 2));
        assert_eq!(polled(released.as_mut(), &waits.1), Poll::Ready(outcome));
        assert_eq!(polled(another.as_mut(), &waits.1), Poll::Ready(outcome));
    }
}

#[test]
fn who_no_longer_waits_for_a_stop_is_forgotten() {
    let (wakes, waker) = Wakes::new();
    let stop = StopHandle::new();
    let token = stop.token();
    {
        let mut stopped = pin!(token.stopped());
        assert!(stopped.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(Arc::strong_count(&wakes), 3, "ours, the waker, and the one that is kept");
    }
    assert_eq!(Arc::strong_count(&wakes), 2);
    assert!(stop.stop());
    assert_eq!(wakes.count(), 0);
}

#[test]
fn a_group_is_released_with_its_last_member() {
    let group = StopHandle::new();
    let (wakes, waker) = Wakes::new();
    let member = watertight::generator(async |mut co: Co<u32>| co.yield_(1).await);
    let mut member = Box::pin(member.stoppable_under(&group));
    assert_eq!(member.next(), Some(1));
    let mut released = pin!(group.released());
    let mut cx = Context::from_waker(&waker);
    assert!(released.as_mut().poll(&mut cx).is_pending());
    group.stop();
    // The member looks for itself, and has not looked.
    assert!(released.as_mut().poll(&mut cx).is_pending());
    let before = wakes.count();
    assert_eq!(member.next(), None);
    assert!(wakes.count() > before);
    assert_eq!(released.as_mut().poll(&mut cx), Poll::Ready(Outcome::Stopped));
}

/// What looks for itself is asked, and released by its owner later.
#[test]
fn a_task_that_waits_for_a_stop_is_woken_when_it_is_asked_for() {
    let (mut numbers, stop) = (0..).stoppable();
    let token = stop.token();
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let (mut stopped, mut released) = (pin!(token.stopped()), pin!(stop.released()));
    assert!(stopped.as_mut().poll(&mut cx).is_pending());
    assert!(released.as_mut().poll(&mut cx).is_pending());
    assert_eq!(numbers.next(), Some(0));
    stop.stop();
    assert_eq!(wakes.count(), 2);
    assert!(stopped.as_mut().poll(&mut cx).is_ready());
    assert!(released.as_mut().poll(&mut cx).is_pending());
    assert_eq!(numbers.next(), None);
    assert_eq!(wakes.count(), 3);
    assert!(released.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn a_body_can_wait_for_a_stop_and_have_a_last_word() {
    let stop = StopHandle::new();
    let token = stop.token();
    let mut stream = pin!(async_generator(async move |mut co: Co<&str>| {
        co.yield_("hello").await;
        let mut stopped = pin!(token.stopped());
        let mut forever = pin!(poll_fn(|_| Poll::<()>::Pending));
        futures_util::future::select(stopped.as_mut(), forever.as_mut()).await;
        co.yield_("goodbye").await;
    }));
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    assert_eq!(stream.as_mut().poll_next(&mut cx), Poll::Ready(Some("hello")));
    assert!(stream.as_mut().poll_next(&mut cx).is_pending());
    stop.stop();
    assert_eq!(wakes.count(), 1);
    assert_eq!(stream.as_mut().poll_next(&mut cx), Poll::Ready(Some("goodbye")));
    assert_eq!(stream.as_mut().poll_next(&mut cx), Poll::Ready(None));
}

/// Whatever meets whatever: the task that waits comes to its end, and what it held is released.
#[test]
fn g4_a_stop_that_races_with_polls_leaves_nobody_asleep() {
    for round in 0..2000_u32 {
        let ledger = Ledger::new();
        let local = ledger.thing("local");
        let (mut stream, stop) = async_generator(async move |mut co: Co<u32>| {
            let _local = local;
            for n in 0..round % 7 {
                co.yield_(n).await;
            }
            pending::<()>().await;
        })
        .releasable();
        let start = Arc::new(Barrier::new(2));
        let stopping = thread::spawn({
            let start = start.clone();
            move || {
                start.wait();
                (0..round % 50).for_each(|_| std::hint::spin_loop());
                stop.stop();
                stop
            }
        });
        start.wait();
        let mut count = 0;
        smol::block_on(async {
            while stream.next().await.is_some() {
                count += 1;
            }
        });
        assert!(count <= round % 7);
        // It may still be in the middle of the release when it is over for the one who polls.
        assert_eq!(stopping.join().unwrap().outcome(), Some(Outcome::Stopped));
        ledger.assert_settled();
    }
}

#[test]
fn on_tokio_a_deadline_ends_a_stream_that_waits_for_a_socket() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        static CLOSED: AtomicBool = AtomicBool::new(false);
        struct Socket(tokio::io::DuplexStream);
        impl Drop for Socket {
            fn drop(&mut self) {
                CLOSED.store(true, Ordering::SeqCst);
            }
        }
        let (_other, socket) = tokio::io::duplex(16);
        let mut socket = Socket(socket);
        let (mut bytes, stop) = async_generator(async move |mut co: Co<u8>| {
            use tokio::io::AsyncReadExt;
            while let Ok(byte) = socket.0.read_u8().await {
                co.yield_(byte).await;
            }
        })
        .releasable();
        let reading = tokio::spawn(async move { bytes.next().await });
        let _deadline = stop.stop_after(Duration::from_millis(5));
        assert_eq!(stop.released().await, Outcome::Stopped);
        assert!(CLOSED.load(Ordering::SeqCst));
        assert_eq!(reading.await.unwrap(), None);
    });
}

/// `select!` takes it like any other stream.
#[test]
fn a_stopped_stream_is_terminated_for_select() {
    let (mut stream, stop) = futures_util::stream::pending::<u32>().releasable();
    stop.stop();
    smol::block_on(async {
        let mut next = stream.next();
        select! {
            item = next => panic!("it is over, and gives {item:?}"),
            complete => {}
        }
    });
}
