//! G12: what a generator and what belongs to it says of itself when it is printed: in which state it is,
//! and nothing of its values, which need not be printable.

use std::fmt::Debug;
use std::pin::{Pin, pin};

use watertight::{Adopted, Co, OnFinish, Resume, generator, try_generator};

use crate::support::poll_once;

/// Something that cannot be printed.
struct Mute;

/// What is said of `it`.
fn says(it: impl Debug) -> String {
    format!("{it:?}")
}

#[test]
fn g12_a_yield_that_is_printed_says_how_far_it_has_come() {
    let mut generator = pin!(generator(async |mut co: Co<Mute, Mute>| {
        assert_eq!(says(&co), "Co { .. }");
        assert_eq!(says(co.argument()), "Argument { .. }");
        let mut yielding = co.yield_(Mute);
        assert_eq!(says(&yielding), r#"Yield { state: "unsent", .. }"#);
        assert!(poll_once(&mut yielding).await.is_pending());
        assert_eq!(says(&yielding), r#"Yield { state: "sent", .. }"#);
        let Mute = (&mut yielding).await;
        assert_eq!(says(&yielding), r#"Yield { state: "done", .. }"#);
    }));
    assert!(generator.as_mut().resume(Mute).is_ok());
    assert!(generator.as_mut().resume(Mute).is_ok());
    let refused = generator.as_mut().resume(Mute).err().expect("it has finished");
    assert_eq!(says(&refused), "ResumeError { .. }");
    let mut all = pin!(self::generator(async |mut co: Co<Mute>| {
        let all = co.yield_all([Mute]);
        assert_eq!(says(&all), "YieldAll { .. }");
        all.await;
    }));
    assert_eq!(all.by_ref().count(), 1);
}

#[test]
fn g12_a_generator_that_is_printed_says_whether_it_has_finished() {
    let mut two = pin!(generator(async |mut co: Co<Mute>| {
        co.yield_(Mute).await;
        let _ = poll_once(&mut co.yield_(Mute)).await;
    }));
    assert_eq!(says(&two), r#"Gen { state: "suspended", .. }"#);
    assert!(two.next().is_some());
    assert_eq!(says(&two), r#"Gen { state: "suspended", .. }"#);
    assert!(two.next().is_some());
    assert_eq!(says(&two), r#"Gen { state: "ended, not yet reported", .. }"#);
    assert!(two.next().is_none());
    assert_eq!(says(&two), r#"Gen { state: "finished", .. }"#);

    let mut failing = pin!(try_generator(async |_: Co<Mute>| Err(Mute)));
    assert_eq!(says(&failing), r#"TryGen { generator: Gen { state: "suspended", .. }, .. }"#);
    assert!(failing.next().is_some());
    assert_eq!(says(&failing), r#"TryGen { generator: Gen { state: "finished", .. }, .. }"#);

    fn finishes<G: Resume<Argument = ()> + Debug>(mut generator: Pin<&mut G>, name: &str) {
        assert_eq!(says(&generator), format!("{name} {{ finished: false, .. }}"));
        assert!(!generator.is_finished());
        assert!(generator.as_mut().close());
        assert_eq!(says(&generator), format!("{name} {{ finished: true, .. }}"));
        assert!(generator.is_finished() && !generator.as_mut().close());
    }
    let numbers = || Adopted::new(0..3);
    finishes(pin!(numbers()), "Adopted");
    finishes(pin!(OnFinish::new(numbers(), |_| ())), "OnFinish");
    #[cfg(feature = "alloc")]
    finishes(pin!(watertight::Boxed::new(numbers())), "Boxed");
    #[cfg(feature = "std")]
    watertight::scope(|s| finishes(pin!(s.adopt(0..3)), "Scoped"));
}

#[test]
fn g12_an_outcome_is_a_word() {
    use watertight::Outcome::{Completed, Dropped, Panicked, Stopped};

    let words = [Completed, Stopped, Dropped, Panicked].map(|outcome| outcome.to_string());
    assert_eq!(words, ["completed", "stopped", "dropped", "panicked"]);
}

#[cfg(feature = "alloc")]
#[test]
fn g12_a_recursive_generator_that_is_printed_says_how_deep_it_is() {
    use watertight::{RecursiveCo, recursive, try_recursive};

    let mut numbers = recursive(async |mut co: RecursiveCo<Mute>| {
        assert_eq!(says(&co), "RecursiveCo { .. }");
        let mut child = co.yield_from(async |mut co| co.yield_(Mute).await);
        assert_eq!(says(&child), "YieldFrom { sent: false, .. }");
        assert!(poll_once(&mut child).await.is_pending());
        assert_eq!(says(&child), "YieldFrom { sent: true, .. }");
        child.await;
        let refused = co.try_yield_from(async |mut co| {
            co.try_yield_from(async |_: RecursiveCo<Mute>| ()).await.err().map(says)
        });
        assert_eq!(says(&refused), "TryYieldFrom { sent: false, .. }");
        let refused = refused.await.unwrap_or_else(|_| unreachable!("one child may be there"));
        assert_eq!(refused.as_deref(), Some("DepthExceeded { limit: 1, .. }"));
    })
    .max_depth(1);
    assert_eq!(says(&numbers), "Recursive { finished: false, depth: 0, .. }");
    assert!(numbers.next().is_some());
    assert_eq!(says(&numbers), "Recursive { finished: false, depth: 1, .. }");
    assert!(numbers.next().is_none());
    assert_eq!(says(&numbers), "Recursive { finished: true, depth: 0, .. }");

    let failing = try_recursive(async |_: RecursiveCo<Mute>| Err(Mute));
    let inner = "Recursive { finished: false, depth: 0, .. }";
    assert_eq!(says(&failing), format!("TryRecursive {{ generator: {inner}, .. }}"));
}

#[cfg(feature = "std")]
#[test]
fn g12_what_can_be_stopped_says_when_it_is_printed_how_it_has_ended() {
    use watertight::IteratorExt;

    let (light, stop) = (0..).stoppable();
    assert_eq!(says(&light), "Stoppable { outcome: None, .. }");
    let handle = "StopHandle { is_stopped: false, outcome: None, .. }";
    assert_eq!(says(stop.released()), format!("Released {{ handle: {handle}, .. }}"));
    let token = stop.token();
    let text = says(token.stopped());
    assert_eq!(text, format!("Stopped {{ token: {}, .. }}", says(&token)));

    let (heavy, stop) = (0..).releasable();
    assert_eq!(says(&heavy), "Releasable { outcome: None, .. }");
    assert!(stop.stop());
    assert_eq!(says(&heavy), "Releasable { outcome: Some(Stopped), .. }");
}

#[cfg(feature = "std")]
#[test]
fn g12_a_stream_that_is_printed_says_whether_it_has_finished() {
    use watertight::{
        AsyncBoxed, OnFinishStream, PollNext, RecursiveCo, async_generator, async_recursive, scope,
        try_async_generator,
    };

    fn finishes<G: PollNext + Debug>(mut stream: Pin<&mut G>, before: &str, after: &str) {
        assert_eq!((says(&stream).as_str(), stream.is_finished()), (before, false));
        assert!(stream.as_mut().close_now());
        assert_eq!((says(&stream).as_str(), stream.is_finished()), (after, true));
        assert!(!stream.as_mut().close_now());
    }
    macro_rules! named {
        ($name:literal) => {
            (concat!($name, " { finished: false, .. }"), concat!($name, " { finished: true, .. }"))
        };
    }
    let numbers = || async_generator(async |mut co: Co<Mute>| co.yield_(Mute).await);
    let (before, after) =
        (r#"AsyncGen { state: "suspended", .. }"#, r#"AsyncGen { state: "finished", .. }"#);
    finishes(pin!(numbers()), before, after);
    finishes(pin!(pin!(numbers())), before, after);
    finishes(pin!(&mut pin!(numbers())), before, after);
    let of = |inner: &str| format!("TryAsyncGen {{ generator: {inner}, .. }}");
    let failing = try_async_generator(async |_: Co<Mute>| Err(Mute));
    finishes(pin!(failing), &of(before), &of(after));
    let (before, after) = named!("AsyncBoxed");
    finishes(pin!(AsyncBoxed::new(numbers())), before, after);
    let (before, after) = named!("OnFinishStream");
    finishes(pin!(OnFinishStream::new(numbers(), |_| ())), before, after);
    let (before, after) = named!("ScopedStream");
    scope(|s| finishes(pin!(s.async_generator(async |_: Co<Mute>| ())), before, after));
    #[cfg(feature = "stream")]
    {
        let (before, after) = named!("AdoptedStream");
        let stream = futures_util::stream::repeat(1);
        finishes(pin!(watertight::AdoptedStream::new(stream)), before, after);
    }
    let of = |finished| format!("AsyncRecursive {{ finished: {finished}, depth: 0, .. }}");
    let deep = async_recursive(async |mut co: RecursiveCo<Mute>| co.yield_(Mute).await);
    finishes(pin!(deep), &of(false), &of(true));
    let (before, after) = (
        "ReleasableStream { outcome: None, .. }",
        "ReleasableStream { outcome: Some(Stopped), .. }",
    );
    finishes(pin!(watertight::ReleasableStream::new(numbers())), before, after);
    assert_eq!(says(pin!(numbers()).next()), "Next { .. }");
}

#[cfg(feature = "std")]
#[test]
fn g12_a_cleanup_that_is_printed_says_how_much_is_registered() {
    use watertight::{Cleanup, async_generator, with_cleanup};

    let numbers = with_cleanup(|cleanup: Cleanup| {
        async_generator(async move |_: Co<Mute>| {
            assert_eq!(says(&cleanup), "Cleanup { registered: 0, .. }");
            let deferred = cleanup.defer(async {});
            assert_eq!(says(&cleanup), "Cleanup { registered: 1, .. }");
            assert_eq!(says(&deferred), "Deferred { .. }");
        })
    });
    let mut numbers = pin!(numbers);
    let open = "WithCleanup { outcome: None, deferred: 0, .. }";
    assert_eq!(says(&numbers), open);
    assert_eq!(says(numbers.as_mut().close()), format!("Close {{ generator: {open} }}"));
    assert!(smol::block_on(numbers.as_mut().next()).is_none());
    let ended = "WithCleanup { outcome: Some(Completed), deferred: 0, .. }";
    assert_eq!(says(&numbers), ended);
}

#[cfg(feature = "alloc")]
#[test]
fn g12_an_emitter_that_is_printed_says_how_much_is_queued() {
    use watertight::Capacity;

    let mut numbers = pin!(generator(async |mut co: Co<Mute>| {
        let out = co.emitter(Capacity::items(2));
        assert_eq!(says(&out), "Emitter { capacity: 2, queued: 0, .. }");
        assert_eq!(says(out.reserve()), "Reserve { .. }");
        assert_eq!(says(out.emit(Mute)), "Emit { .. }");
        let work = out.forward(async {
            let place = out.reserve().await;
            assert_eq!(says(&place), "Place { .. }");
            place.emit(Mute);
            assert_eq!(says(&out), "Emitter { capacity: 2, queued: 1, .. }");
        });
        assert_eq!(says(&work), "Forward { .. }");
        work.await;
    }));
    assert_eq!(numbers.by_ref().count(), 1);
}
