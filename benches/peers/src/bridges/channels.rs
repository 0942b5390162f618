//! This crate's bridges, and the channels, as they are.

use futures_channel::mpsc as futures;
use futures_util::{SinkExt, Stream, StreamExt};
use tokio::sync::mpsc as tokio;
use watertight::{Capacity, IteratorExt, prefetch_stream};

use super::contender::{Bridge, Channel, Receive};
use crate::contender::Gone;

pub struct Watertight;

impl Bridge for Watertight {
    const NAME: &'static str = "watertight";

    fn from_thread<T: Send + 'static>(
        capacity: usize,
        source: impl Iterator<Item = T> + Send + 'static,
    ) -> impl Receive<T> {
        source.prefetch(Capacity::items(capacity)).into_stream()
    }

    fn from_task<T: Send + 'static>(
        capacity: usize,
        source: impl Stream<Item = T> + Send + Unpin + 'static,
    ) -> (impl Receive<T>, impl Future<Output = ()> + Send + 'static) {
        prefetch_stream(source, Capacity::items(capacity))
    }

    fn from_task_blocking<T: Send + 'static>(
        capacity: usize,
        source: impl Stream<Item = T> + Send + Unpin + 'static,
    ) -> (impl Iterator<Item = T>, impl Future<Output = ()> + Send + 'static) {
        let (items, driver) = prefetch_stream(source, Capacity::items(capacity));
        (items.into_blocking(), driver)
    }
}

/// Makes a contender of a channel: how it is made, and how each end is used, with `$end` for that end.
macro_rules! channel {
    (
        $name:ident = $crate_name:literal: $Sender:ty, $Receiver:ty, |$capacity:ident| $pair:expr,
        |$sender:ident, $value:ident| $send:expr, $send_blocking:expr,
        |$receiver:ident| $receive:expr, $receive_blocking:expr $(,)?
    ) => {
        pub struct $name;

        impl Channel for $name {
            const NAME: &'static str = $crate_name;
            type Sender<T: Send + 'static> = $Sender;
            type Receiver<T: Send + 'static> = $Receiver;

            fn pair<T: Send + 'static>($capacity: usize) -> ($Sender, $Receiver) {
                $pair
            }

            #[inline]
            async fn send<T: Send + 'static>($sender: &mut $Sender, $value: T) -> Result<(), Gone> {
                $send.await.map_err(|_| Gone)
            }

            #[inline]
            fn send_blocking<T: Send + 'static>(
                $sender: &mut $Sender,
                $value: T,
            ) -> Result<(), Gone> {
                $send_blocking.map_err(|_| Gone)
            }

            #[inline]
            async fn receive<T: Send + 'static>($receiver: &mut $Receiver) -> Option<T> {
                $receive
            }

            #[inline]
            fn receive_blocking<T: Send + 'static>($receiver: &mut $Receiver) -> Option<T> {
                $receive_blocking
            }
        }
    };
}

channel! {
    Tokio = "tokio": tokio::Sender<T>, tokio::Receiver<T>,
    |capacity| tokio::channel(capacity),
    |sender, value| sender.send(value), sender.blocking_send(value),
    |receiver| receiver.recv().await, receiver.blocking_recv(),
}

channel! {
    Flume = "flume": flume::Sender<T>, flume::Receiver<T>,
    |capacity| flume::bounded(capacity),
    |sender, value| sender.send_async(value), sender.send(value),
    |receiver| receiver.recv_async().await.ok(), receiver.recv().ok(),
}

channel! {
    Kanal = "kanal": kanal::AsyncSender<T>, kanal::AsyncReceiver<T>,
    |capacity| kanal::bounded_async(capacity),
    |sender, value| sender.send(value), sender.as_sync().send(value),
    |receiver| receiver.recv().await.ok(), receiver.as_sync().recv().ok(),
}

channel! {
    AsyncChannel = "async-channel": async_channel::Sender<T>, async_channel::Receiver<T>,
    |capacity| async_channel::bounded(capacity),
    |sender, value| sender.send(value), sender.send_blocking(value),
    |receiver| receiver.recv().await.ok(), receiver.recv_blocking().ok(),
}

// It has a place more for each sender: the buffer is one smaller, or it would hold more than asked for.
channel! {
    Futures = "futures": futures::Sender<T>, futures::Receiver<T>,
    |capacity| futures::channel(capacity - 1),
    |sender, value| sender.send(value), futures_executor::block_on(sender.send(value)),
    |receiver| receiver.next().await, futures_executor::block_on(receiver.next()),
}
