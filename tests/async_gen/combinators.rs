//! Where a body may yield: the two columns of the table in the documentation of `AsyncGen`. Each
//! combinator that is named there is tried here.

use std::future::{Future, ready};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};

use futures_util::future::{self, AbortHandle, Abortable, FutureExt};
use futures_util::stream::{self, FuturesOrdered, FuturesUnordered, StreamExt, TryStreamExt};
use watertight::{Co, async_generator};

use crate::support::{Ledger, Thing, message};
use crate::{all, suspend};

/// Runs a body that yields twice behind some combinator, in a runtime that some of them need.
#[track_caller]
fn delivers(body: impl AsyncFnOnce(&mut Co<u32>)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let mut generator = pin!(async_generator(async |mut co: Co<u32>| {
        co.yield_(0).await;
        body(&mut co).await;
        co.yield_(3).await;
    }));
    assert_eq!(all(generator.as_mut()), [0, 1, 2, 3]);
}

async fn two(co: &mut Co<u32>) {
    co.yield_(1).await;
    suspend(1).await;
    co.yield_(2).await;
}

#[test]
fn yields_in_join_are_delivered() {
    delivers(async |co| futures_util::join!(two(co), suspend(5)).0);
    delivers(async |co| tokio::join!(suspend(5), two(co)).1);
    delivers(async |co| future::join(two(co), suspend(0)).await.0);
    delivers(async |co| {
        tokio::try_join!(two(co).map(Ok::<_, ()>), ready(Ok(()))).unwrap();
    });
    delivers(async |co| {
        futures_util::try_join!(two(co).map(Ok::<_, ()>), ready(Ok(()))).unwrap();
    });
    delivers(async |co| smol::future::zip(two(co), suspend(3)).await.0);
}

#[test]
fn yields_in_select_are_delivered() {
    delivers(async |co| {
        futures_util::select_biased! {
            () = future::pending().fuse() => unreachable!(),
            () = two(co).boxed_local().fuse() => {}
        }
    });
    delivers(async |co| {
        tokio::select! {
            () = future::pending() => unreachable!(),
            () = two(co) => {}
        }
    });
    delivers(async |co| {
        future::select(two(co).boxed_local(), future::pending::<()>()).await;
    });
    delivers(async |co| {
        let waiting = future::pending().boxed_local();
        future::select_all([waiting, two(co).boxed_local()]).await;
    });
    delivers(async |co| smol::future::or(future::pending(), two(co)).await);
}

#[test]
fn a_select_loop_around_a_yield_loses_nothing() {
    // What gets ready in between ends the select, and the yield is polled on by the next one.
    let mut generator = pin!(async_generator(async |mut co: Co<u32>| {
        for n in 0..50 {
            let mut yielding = co.yield_(n);
            loop {
                tokio::select! {
                    () = &mut yielding => break,
                    () = suspend(1 + n as usize % 2) => {}
                }
            }
        }
    }));
    assert_eq!(all(generator.as_mut()), (0..50).collect::<Vec<_>>());
}

#[test]
fn yields_behind_wrappers_are_delivered() {
    delivers(async |co| {
        let hour = std::time::Duration::from_secs(3600);
        tokio::time::timeout(hour, two(co)).await.unwrap();
    });
    delivers(async |co| tokio::task::unconstrained(two(co)).await);
    delivers(async |co| tokio::task::LocalSet::new().run_until(two(co)).await);
    delivers(async |co| {
        Abortable::new(two(co), AbortHandle::new_pair().1).await.unwrap();
    });
    delivers(async |co| AssertUnwindSafe(two(co)).catch_unwind().await.unwrap());
    delivers(async |co| two(co).boxed_local().fuse().map(|()| ()).await);
}

#[test]
fn a_yield_in_a_small_join_all_is_delivered() {
    delivers(async |co| {
        let waiting = |_| suspend(2).boxed_local();
        future::join_all((1..30).map(waiting).chain([two(co).boxed_local()])).await;
    });
    delivers(async |co| {
        let waiting = |_| suspend(2).map(Ok::<_, ()>).boxed_local();
        let two = two(co).map(Ok).boxed_local();
        future::try_join_all((1..30).map(waiting).chain([two])).await.unwrap();
    });
}

type Boxed<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Yields one thing, and then tries another behind a combinator with a waker of its own.
#[track_caller]
fn refuses(combine: impl AsyncFnOnce(Boxed<'_>)) {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(async_generator(async |mut co: Co<Thing>| {
        co.yield_(things.thing("before")).await;
        combine(Box::pin(co.yield_(things.thing("behind")))).await;
        unreachable!("the yield panics");
    }));
    let before = crate::ready(generator.as_mut()).expect("what was yielded before is delivered");
    assert_eq!(before.name(), "before");
    drop(before);
    // An executor brings the panic of a task to who awaits the task, one poll later.
    let text =
        message(|| (0..3).for_each(|_| assert!(crate::poll(generator.as_mut()).is_pending())));
    assert!(text.contains("a waker of its own"), "{text}");
    assert!(text.contains("`Co::emitter`"), "{text}");
    assert!(crate::ready(generator.as_mut()).is_none());
    assert_eq!(ledger.deaths(), ["before", "behind"]);
    ledger.assert_settled();
}

#[test]
fn a_yield_behind_another_waker_panics_and_loses_nothing_else() {
    refuses(async |it| FuturesUnordered::from_iter([it]).next().await.unwrap());
    refuses(async |it| FuturesOrdered::from_iter([it]).next().await.unwrap());
    refuses(async |it| stream::iter([it]).buffered(2).collect().await);
    refuses(async |it| stream::iter([it]).buffer_unordered(2).collect().await);
    refuses(async |it| stream::iter([it]).for_each_concurrent(2, |it| it).await);
    refuses(async |it| {
        let it = [it.map(Ok::<_, ()>)].into_iter();
        let all = stream::iter(it).map(Ok).try_for_each_concurrent(2, |it| it);
        all.await.unwrap();
    });
    refuses(async |it| {
        let streams = stream::iter([it.into_stream()]);
        streams.flatten_unordered(2).collect().await
    });
    refuses(async |it| it.shared().await);
    refuses(async |it| smol::block_on(it));
    refuses(async |it| {
        let executor = smol::LocalExecutor::new(); // One that runs inside this very body.
        executor.run(executor.spawn(it)).await;
    });
}

#[test]
fn a_yield_in_a_large_join_all_panics() {
    refuses(async |it| {
        let waiting = |_| Box::pin(ready(())) as Boxed<'_>;
        future::join_all((0..30).map(waiting).chain([it])).await;
    });
    refuses(async |it| {
        let waiting = |_| Box::pin(ready(())) as Boxed<'_>;
        let all = (0..30).map(waiting).chain([it]);
        future::try_join_all(all.map(|it| it.map(Ok::<_, ()>))).await.unwrap();
    });
}

#[test]
fn a_yield_in_a_spawned_task_panics_there() {
    let ledger = Ledger::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let things = ledger.clone();
        let mut generator = pin!(async_generator(async move |mut co: Co<Thing>| {
            let task = tokio::spawn(async move { co.yield_(things.thing("value")).await });
            let payload = task.await.unwrap_err().into_panic();
            let text = *payload.downcast::<&str>().expect("a message");
            assert!(text.contains("a spawned task"), "{text}");
        }));
        assert!(generator.next().await.is_none());
    });
    ledger.assert_settled();
}

#[test]
fn what_others_wake_may_be_awaited_and_yielded() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let mut items = runtime.block_on(async {
        let mut generator = pin!(async_generator(async |mut co: Co<usize>| {
            let mut unordered: FuturesUnordered<_> =
                (0..5).map(async |n| (suspend(n).await, n).1).collect();
            while let Some(n) = unordered.next().await {
                co.yield_(n).await;
            }
            let mut tasks = tokio::task::JoinSet::from_iter((5..10).map(async |n| n));
            while let Some(n) = tasks.join_next().await {
                co.yield_(n.unwrap()).await;
            }
        }));
        let mut items = vec![];
        while let Some(item) = generator.next().await {
            items.push(item);
        }
        items
    });
    items.sort_unstable();
    assert_eq!(items, (0..10).collect::<Vec<_>>());
}
