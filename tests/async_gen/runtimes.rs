//! The same generator on several runtimes, with what wakes it coming from their reactors and from
//! other threads.

use std::pin::pin;

use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use watertight::{AsyncBoxed, BoxAsyncGen, Co, PollNext, async_generator, try_async_generator};

use crate::support::Ledger;

async fn sum(mut items: AsyncBoxed<impl PollNext<Item = u8> + ?Sized>) -> u64 {
    let mut sum = 0;
    while let Some(item) = items.next().await {
        sum += u64::from(item);
    }
    sum
}

/// Bytes through a pipe that holds only three of them.
fn through_a_pipe() -> BoxAsyncGen<'static, u8> {
    async_generator(async |mut co: Co<u8>| {
        let (mut there, mut here) = tokio::io::duplex(3);
        let write = tokio::spawn(async move {
            for byte in 0..200 {
                there.write_u8(byte).await.unwrap();
            }
        });
        while let Ok(byte) = here.read_u8().await {
            co.yield_(byte).await;
        }
        write.await.unwrap();
    })
    .boxed()
}

#[test]
fn on_tokio_with_one_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(sum(through_a_pipe())), 19_900);
}

#[test]
fn on_tokio_with_several_threads_each_generator_in_a_task_of_its_own() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).build().unwrap();
    let sums = runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..16 {
            tasks.spawn(sum(through_a_pipe()));
        }
        tasks.join_all().await
    });
    assert_eq!(sums, [19_900; 16]);
}

#[test]
fn on_smol_with_a_socket() {
    let sockets = std::os::unix::net::UnixStream::pair().unwrap();
    let mut there = smol::Async::new(sockets.0).unwrap();
    let mut here = smol::Async::new(sockets.1).unwrap();
    let bytes = try_async_generator(async move |mut co: Co<u8>| {
        let mut buffer = [0; 7];
        loop {
            match here.read(&mut buffer).await? {
                0 => return Ok::<_, std::io::Error>(()),
                read => co.yield_all(buffer.into_iter().take(read)).await,
            }
        }
    });
    let read = smol::block_on(async {
        let write = smol::spawn(async move {
            for byte in 0..200 {
                there.write_all(&[byte]).await.unwrap();
                smol::future::yield_now().await;
            }
        });
        let mut bytes = pin!(bytes);
        let mut read = vec![];
        while let Some(byte) = bytes.next().await {
            read.push(byte.unwrap());
        }
        write.await;
        read
    });
    assert_eq!(read, (0..200).collect::<Vec<u8>>());
}

#[test]
fn a_generator_goes_from_thread_to_thread_between_two_items() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = async_generator(async move |mut co: Co<u32>| {
        let _held = things.thing("held");
        for n in 0..20 {
            tokio::task::yield_now().await;
            co.yield_(n).await;
        }
    })
    .boxed();
    for n in 0..20 {
        let task = async move { (generator.next().await, generator) };
        let item;
        // A runtime for each item: none of them is in the body.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        (item, generator) = runtime.block_on(runtime.spawn(task)).unwrap();
        assert_eq!(item, Some(n));
    }
    drop(generator);
    ledger.assert_settled();
}

#[test]
fn g3_an_aborted_task_releases_the_body() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let (suspended, begun) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let mut generator = pin!(async_generator(async move |mut co: Co<u32>| {
                let _held = things.thing("held");
                co.yield_(1).await;
                suspended.send(()).unwrap();
                std::future::pending::<()>().await;
            }));
            while generator.next().await.is_some() {}
        });
        begun.await.unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    });
    ledger.assert_settled();
}

#[test]
#[cfg(feature = "stream")]
fn merged_with_other_streams_each_keeps_its_order() {
    let items = smol::block_on(async {
        let numbers = |from: u32| {
            async_generator(async move |mut co: Co<u32>| {
                for n in from..from + 50 {
                    smol::future::yield_now().await;
                    co.yield_(n).await;
                }
            })
        };
        let merged = futures_util::stream::select(numbers(0).boxed(), numbers(100).boxed());
        futures_util::StreamExt::collect::<Vec<_>>(merged).await
    });
    let (low, high): (Vec<u32>, Vec<u32>) = items.into_iter().partition(|&n| n < 100);
    assert_eq!(low, (0..50).collect::<Vec<_>>());
    assert_eq!(high, (100..150).collect::<Vec<_>>());
}
