//! G9 for streams: a hook is told how its stream ended, also where that is held behind a pointer.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use watertight::{
    AsyncBoxed, Co, OnFinishStream, Outcome, PollNext, RecursiveCo, TryAsyncGen, async_generator,
    async_recursive, scope, try_async_generator, try_async_recursive,
};

use crate::support::poll_once;

/// What the hook of a stream is told that is dropped after so many items.
fn told_when_dropped<G: PollNext>(stream: G, items: usize) -> Outcome {
    let mut told = vec![];
    let mut hooked = Box::pin(OnFinishStream::new(stream, |outcome| told.push(outcome)));
    for _ in 0..items {
        let polled = hooked.as_mut().poll_next(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Some(_))));
    }
    drop(hooked);
    let [outcome] = told[..] else { panic!("called once") };
    outcome
}

/// Its second item is an error.
fn failing() -> TryAsyncGen<u32, impl Future<Output = Result<(), &'static str>>> {
    try_async_generator(async |mut co: Co<u32>| {
        co.yield_(1).await;
        Err("failed")
    })
}

#[test]
fn g9_a_stream_that_failed_has_completed_also_behind_a_pointer() {
    let outcomes = [Outcome::Dropped, Outcome::Dropped, Outcome::Completed];
    for (items, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(told_when_dropped(failing(), items), outcome);
        assert_eq!(told_when_dropped(pin!(failing()), items), outcome);
        assert_eq!(told_when_dropped(&mut pin!(failing()), items), outcome);
        assert_eq!(told_when_dropped(AsyncBoxed::new(failing()), items), outcome);
        assert_eq!(told_when_dropped(OnFinishStream::new(failing(), |_| ()), items), outcome);
        let recursive = try_async_recursive(async |mut co: RecursiveCo<u32>| {
            co.yield_(1).await;
            Err("failed")
        });
        assert_eq!(told_when_dropped(recursive, items), outcome);
        scope(|s| {
            assert_eq!(told_when_dropped(s.adopt_async_generator(failing()), items), outcome);
        });
    }
}

/// Its last poll brings an item, and the end is there already.
#[test]
fn g9_a_stream_whose_end_is_still_to_be_reported_has_completed() {
    let body = async |mut co: Co<u32>| {
        co.yield_(1).await;
        let _ = poll_once(&mut co.yield_(2)).await;
    };
    let deep = async |mut co: RecursiveCo<u32>| {
        co.yield_(1).await;
        let _ = poll_once(&mut co.yield_(2)).await;
    };
    for (items, outcome) in [(1, Outcome::Dropped), (2, Outcome::Completed)] {
        assert_eq!(told_when_dropped(async_generator(body), items), outcome);
        assert_eq!(told_when_dropped(async_recursive(deep), items), outcome);
    }
}

#[test]
fn g9_a_stream_of_ones_own_that_is_finished_has_completed() {
    /// Gives so many numbers, and has finished with the last one.
    struct Down(u32);

    impl PollNext for Down {
        type Item = u32;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
            let left = self.0.checked_sub(1);
            self.0 = left.unwrap_or(0);
            Poll::Ready(left)
        }

        fn close_now(mut self: Pin<&mut Self>) -> bool {
            std::mem::take(&mut self.0) > 0
        }

        fn is_finished(&self) -> bool {
            self.0 == 0
        }
    }
    assert_eq!(told_when_dropped(Down(2), 1), Outcome::Dropped);
    assert_eq!(told_when_dropped(Down(2), 2), Outcome::Completed);
    let (live, finished) = (Down(1), Down(0));
    assert_eq!((live.remaining(), finished.remaining()), ((0, None), (0, Some(0))));
}

#[test]
fn g9_a_stream_that_somebody_else_has_stopped_is_seen_so_through_its_handle() {
    scope(|s| {
        let endless = async_generator(async |mut co: Co<u32>| co.yield_all(0..).await);
        let (mut handle, stop) = s.releasable_stream(endless);
        assert!(!PollNext::is_finished(&handle));
        let polled = handle.poll_next(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Ready(Some(0)));
        assert!(stop.stop());
        assert_eq!(told_when_dropped(handle, 0), Outcome::Stopped);

        let mut closed = s.adopt_async_generator(failing());
        assert!(PollNext::close_now(Pin::new(&mut closed)));
        assert!(!PollNext::close_now(Pin::new(&mut closed)));
        assert!(PollNext::is_finished(&closed));
    });
}
