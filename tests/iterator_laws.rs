//! Every generator that iterates keeps the laws of iterators: fused, honest about its size, and
//! each method the same as a plain iterator's at every position.

use std::pin::{Pin, pin};

use proptest::prelude::*;
#[cfg(feature = "alloc")]
use watertight::{Adopted, Capacity, IteratorExt, Overflow, try_generator};
use watertight::{Co, Gen, Resume, generator};
#[cfg(feature = "alloc")]
use watertight::{Recursive, RecursiveCo, recursive, try_recursive};

fn items(items: Vec<u8>) -> Gen<u8, impl Future<Output = ()>> {
    generator(async move |mut co: Co<u8>| co.yield_all(items).await)
}

/// Each item at a depth of its own, and the last ones on the way up.
#[cfg(feature = "alloc")]
fn going_down(items: Vec<u8>) -> Recursive<'static, u8> {
    recursive(|co| down(co, items.into_iter()))
}

#[cfg(feature = "alloc")]
async fn down(mut co: RecursiveCo<'_, u8>, mut items: std::vec::IntoIter<u8>) {
    let last = if items.len() > 2 { items.next_back() } else { None };
    if let Some(item) = items.next() {
        co.yield_(item).await;
        co.yield_from(|co| down(co, items)).await;
    }
    co.yield_all(last).await;
}

/// `make` must give the items of `expected`, and keep the laws at every position.
fn keeps_the_laws<T, I>(expected: &[T], make: impl Fn() -> I)
where
    T: Clone + PartialEq + std::fmt::Debug,
    I: Iterator<Item = T>,
{
    for position in 0..=expected.len() + 2 {
        let at = || {
            let (mut ours, mut plain) = (make(), expected.iter().cloned());
            for _ in 0..position {
                assert_eq!(ours.next(), plain.next());
            }
            (ours, plain)
        };
        let (ours, plain) = at();
        let (left, (low, high)) = (plain.len(), ours.size_hint());
        assert!(low <= left && high.is_none_or(|high| left <= high), "{low} {high:?} {left}");
        if position > expected.len() {
            assert_eq!(ours.size_hint(), (0, Some(0)), "a finished generator knows it");
        }
        let (ours, plain) = at();
        assert_eq!(ours.collect::<Vec<_>>(), plain.collect::<Vec<_>>());
        let (ours, plain) = at();
        assert_eq!(ours.count(), plain.count());
        let (ours, plain) = at();
        assert_eq!(ours.last(), plain.last());
        let (ours, plain) = at();
        let (mut a, mut b) = (vec![], vec![]);
        ours.for_each(|item| a.push(item));
        plain.for_each(|item| b.push(item));
        assert_eq!(a, b);
        for n in 0..3 {
            let (mut ours, mut plain) = at();
            assert_eq!(ours.nth(n), plain.nth(n));
            assert_eq!(ours.next(), plain.next());
            let (ours, plain) = at();
            assert!(ours.skip(n).step_by(n + 1).eq(plain.skip(n).step_by(n + 1)));
        }
        let (ours, plain) = at();
        let (mut ours, mut plain) = (ours.peekable(), plain.peekable());
        assert_eq!(ours.peek(), plain.peek());
        let mut ours = at().0;
        ours.by_ref().for_each(drop);
        for _ in 0..3 {
            assert!(ours.next().is_none(), "fused");
        }
    }
}

/// Owns a pinned generator and iterates it through `Pin<&mut _>`.
struct Pinned<G>(Pin<Box<G>>);

impl<G: Resume> Iterator for Pinned<G>
where
    for<'a> Pin<&'a mut G>: Iterator<Item = u8>,
{
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let mut pinned = self.0.as_mut();
        let finished = pinned.is_finished();
        assert_eq!(pinned.size_hint(), (0, finished.then_some(0)));
        pinned.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.0.is_finished().then_some(0))
    }
}

#[cfg(feature = "std")]
fn prefetches_keep_the_laws(expected: &[u8]) {
    use watertight::{Capacity, Overflow, bounded, scope};
    let items = || Vec::from(expected).into_iter();
    for capacity in [1, 3, 64].map(Capacity::items) {
        keeps_the_laws(expected, || items().prefetch(capacity));
        keeps_the_laws(expected, || items().prefetch(capacity).weighing(2, |_| 1));
        scope(|s| keeps_the_laws(expected, || s.prefetch(capacity, items())));
    }
    for policy in [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest, Overflow::Error] {
        keeps_the_laws(expected, || {
            let (mut producer, consumer) = bounded(Capacity::items(8), policy);
            items().for_each(|item| producer.push(item).unwrap());
            consumer
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None, // Small inputs, found again at once.
        ..ProptestConfig::default()
    })]

    #[test]
    fn generators_keep_the_laws(expected in prop::collection::vec(any::<u8>(), 0..6)) {
        keeps_the_laws(&expected, || Pinned(Box::pin(items(expected.clone()))));
        #[cfg(feature = "alloc")]
        {
            keeps_the_laws(&expected, || items(expected.clone()).into_iter());
            keeps_the_laws(&expected, || items(expected.clone()).boxed());
            keeps_the_laws(&expected, || items(expected.clone()).boxed_local());
            keeps_the_laws(&expected, || Box::pin(items(expected.clone())));
        }
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn recursive_generators_keep_the_laws(
        expected in prop::collection::vec(any::<u8>(), 0..6),
        error in prop::option::of(any::<u8>()),
    ) {
        keeps_the_laws(&expected, || going_down(expected.clone()));
        keeps_the_laws(&expected, || going_down(expected.clone()).lookahead(Capacity::items(3)));
        keeps_the_laws(&expected, || Box::pin(going_down(expected.clone()).on_finish(|_| ())));
        #[cfg(feature = "std")]
        keeps_the_laws(&expected, || Box::pin(going_down(expected.clone()).stoppable().0));
        let results: Vec<Result<u8, u8>> =
            expected.iter().map(|item| Ok(*item)).chain(error.map(Err)).collect();
        keeps_the_laws(&results, || {
            let items = expected.clone();
            try_recursive(async move |mut co: RecursiveCo<'static, u8>| {
                co.yield_from(|co| down(co, items.into_iter())).await;
                error.map_or(Ok(()), Err)
            })
        });
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn wrappers_keep_the_laws(expected in prop::collection::vec(any::<u8>(), 0..6)) {
        keeps_the_laws(&expected, || Adopted::new(expected.iter().copied()));
        keeps_the_laws(&expected, || Box::pin(items(expected.clone()).on_finish(|_| ())));
        keeps_the_laws(&expected, || IteratorExt::on_finish(expected.iter().copied(), |_| ()));
        #[cfg(feature = "std")]
        {
            keeps_the_laws(&expected, || Box::pin(items(expected.clone()).stoppable().0));
            keeps_the_laws(&expected, || expected.iter().copied().stoppable().0);
            keeps_the_laws(&expected, || items(expected.clone()).releasable().0);
            prefetches_keep_the_laws(&expected);
            watertight::scope(|s| {
                keeps_the_laws(&expected, || s.adopt_generator(items(expected.clone())));
                keeps_the_laws(&expected, || s.adopt(expected.clone().into_iter()).erase());
                keeps_the_laws(&expected, || s.stoppable(items(expected.clone())).0);
                keeps_the_laws(&expected, || s.releasable(items(expected.clone())).0);
            });
        }
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn lookaheads_keep_the_laws(
        expected in prop::collection::vec(any::<u8>(), 0..6),
        capacity in 1_usize..12,
        looked_at in 0_usize..12,
    ) {
        let capacity = Capacity::items(capacity);
        let look = |k| Some(k).filter(|&k| k < capacity.get());
        keeps_the_laws(&expected, || {
            let mut items = expected.iter().copied().lookahead(capacity);
            if let Some(k) = look(looked_at) {
                assert_eq!(items.peek_nth(k), expected.get(k));
            }
            assert_eq!(items.len(), expected.len());
            items
        });
        keeps_the_laws(&expected, || {
            let mut items = items(expected.clone()).boxed().lookahead(capacity);
            if let Some(k) = look(looked_at) {
                assert_eq!(items.peek_nth(k), expected.get(k));
                assert!(items.size_hint().0 >= (k + 1).min(expected.len()));
            }
            items
        });
    }

    /// A branch that is read alone, one whose neighbour has gone before it, and one behind it.
    #[cfg(feature = "alloc")]
    #[test]
    fn branches_keep_the_laws(
        expected in prop::collection::vec(any::<u8>(), 0..6),
        capacity in 7_usize..12,
    ) {
        let policies = [Overflow::Block, Overflow::Error, Overflow::DropOldest, Overflow::DropNewest];
        for overflow in policies {
            let room = Capacity::items(capacity);
            let make = || expected.iter().copied().tee_local(2, room, overflow);
            keeps_the_laws(&expected, || make().remove(0));
            keeps_the_laws(&expected, || {
                let mut branches = make();
                assert_eq!(branches[0].by_ref().count(), expected.len());
                branches.remove(1)
            });
            keeps_the_laws(&expected, || {
                let mut branches = make();
                assert_eq!(branches[0].next(), expected.first().copied());
                branches.remove(1)
            });
            #[cfg(feature = "std")]
            keeps_the_laws(&expected, || items(expected.clone()).tee(2, room, overflow).remove(0));
        }
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn fallible_generators_keep_the_laws(
        items in prop::collection::vec(any::<u8>(), 0..5),
        error in prop::option::of(any::<u8>()),
    ) {
        let expected: Vec<Result<u8, u8>> =
            items.iter().map(|item| Ok(*item)).chain(error.map(Err)).collect();
        let make = || {
            let items = items.clone();
            try_generator(async move |mut co: Co<u8>| {
                co.yield_all(items).await;
                error.map_or(Ok(()), Err)
            })
        };
        keeps_the_laws(&expected, || make().into_iter());
        keeps_the_laws(&expected, || make().boxed());
        keeps_the_laws(&expected, || Box::pin(make()));
    }
}

#[cfg(feature = "alloc")]
#[test]
fn as_much_is_known_behind_a_pointer() {
    let mut numbers = Adopted::new(0..2);
    for left in [2, 1, 0] {
        let known = (left, Some(left));
        assert_eq!(numbers.remaining(), known);
        assert_eq!(Resume::remaining(&&mut numbers), known);
        assert_eq!(pin!(&mut numbers).remaining(), known);
        assert_eq!(numbers.next().is_some(), left > 0);
    }
    assert!(numbers.is_finished() && Resume::is_finished(&&mut numbers));
    let mut boxed = items(vec![7]).boxed();
    let mut behind = &mut boxed;
    assert_eq!((behind.remaining(), Resume::remaining(&&mut behind)), ((0, None), (0, None)));
    assert_eq!(Pin::new(&mut behind).remaining(), (0, None));
    assert!(boxed.close());
    assert_eq!((boxed.remaining(), pin!(&mut boxed).remaining()), ((0, Some(0)), (0, Some(0))));
}

#[cfg(all(feature = "std", feature = "stream"))]
#[test]
fn as_much_is_known_of_a_stream_whatever_is_around_it() {
    use watertight::{
        AdoptedStream, AsyncBoxed, OnFinishStream, PollNext, async_generator, scope, with_cleanup,
    };

    /// `stream` gives two items, and knows that.
    fn knows_how_many<G: PollNext>(stream: G) {
        let mut stream = pin!(stream);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        for left in [2, 1, 0] {
            assert_eq!(stream.as_ref().get_ref().remaining(), (left, Some(left)));
            assert!(stream.as_mut().poll_next(&mut cx).is_ready());
        }
        assert_eq!(stream.remaining(), (0, Some(0)));
    }
    let two = || AdoptedStream::new(futures_util::stream::iter([1, 2]));
    knows_how_many(two());
    knows_how_many(pin!(two()));
    let mut owned = two();
    knows_how_many(&mut owned);
    assert!(PollNext::is_finished(&owned));
    knows_how_many(OnFinishStream::new(two(), |_| ()));
    knows_how_many(AsyncBoxed::new(two()));
    knows_how_many(with_cleanup(|_| two()));
    scope(|s| knows_how_many(s.adopt_async_generator(two())));
    scope(|s| knows_how_many(s.adopt_async_generator(two()).erase()));
    // Nobody knows what a body will do, until it has ended.
    let mut body = pin!(async_generator(async |mut co: Co<u8>| co.yield_(1).await));
    assert_eq!(body.remaining(), (0, None));
    assert!(body.as_mut().close_now());
    assert_eq!(body.remaining(), (0, Some(0)));
}

#[test]
fn adaptors_are_lazy() {
    // A generator that panics when it is pulled: making any adaptor must not pull it.
    let never = || generator(async |_co: Co<u8>| panic!("pulled"));
    macro_rules! lazily {
        ($($adapt:ident($($with:expr)?)),* $(,)?) => {$(
            drop(pin!(never()).as_mut().$adapt($($with)?));
        )*};
    }
    lazily!(map(|x| x), filter(|_| true), chain([1]), zip([1]), take(1), skip(1), step_by(2));
    lazily!(peekable(), fuse(), enumerate(), take_while(|_| true));
    #[cfg(feature = "std")]
    {
        let never = || never().prefetch(watertight::Capacity::items(2));
        macro_rules! lazily {
            ($($adapt:ident($($with:expr)?)),* $(,)?) => {$(
                drop(never().$adapt($($with)?));
            )*};
        }
        lazily!(map(|x| x), filter(|_| true), chain([1]), zip([1]), take(1), skip(1), step_by(2));
        lazily!(peekable(), fuse(), enumerate(), take_while(|_| true));
        assert_eq!(never().take(0).count(), 0);
    }
    let mut none = pin!(never());
    assert_eq!(none.as_mut().take(0).count(), 0);
    assert!(none.as_mut().close());
}
