//! The channels, as they are.

use std::sync::mpsc;

use crate::contender::{Consumer, Gone, Pair, Producer};

pub struct SyncChannel;

impl Pair for SyncChannel {
    const NAME: &'static str = "std_sync_channel";
    type Producer<T: Send + 'static> = mpsc::SyncSender<T>;
    type Consumer<T: Send + 'static> = mpsc::Receiver<T>;

    fn pair<T: Send + 'static>(capacity: usize) -> (Self::Producer<T>, Self::Consumer<T>) {
        mpsc::sync_channel(capacity)
    }
}

impl<T: Send + 'static> Producer<T> for mpsc::SyncSender<T> {
    #[inline]
    fn push(&mut self, value: T) -> Result<(), Gone> {
        self.send(value).map_err(|_| Gone)
    }
}

impl<T> Consumer for mpsc::Receiver<T> {
    type Item = T;

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.recv().ok()
    }
}

pub struct CrossbeamChannel;

impl Pair for CrossbeamChannel {
    const NAME: &'static str = "crossbeam_channel";
    type Producer<T: Send + 'static> = crossbeam_channel::Sender<T>;
    type Consumer<T: Send + 'static> = crossbeam_channel::Receiver<T>;

    fn pair<T: Send + 'static>(capacity: usize) -> (Self::Producer<T>, Self::Consumer<T>) {
        crossbeam_channel::bounded(capacity)
    }
}

impl<T: Send + 'static> Producer<T> for crossbeam_channel::Sender<T> {
    #[inline]
    fn push(&mut self, value: T) -> Result<(), Gone> {
        self.send(value).map_err(|_| Gone)
    }
}

impl<T> Consumer for crossbeam_channel::Receiver<T> {
    type Item = T;

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.recv().ok()
    }
}

pub struct Flume;

impl Pair for Flume {
    const NAME: &'static str = "flume";
    type Producer<T: Send + 'static> = flume::Sender<T>;
    type Consumer<T: Send + 'static> = flume::Receiver<T>;

    fn pair<T: Send + 'static>(capacity: usize) -> (Self::Producer<T>, Self::Consumer<T>) {
        flume::bounded(capacity)
    }
}

impl<T: Send + 'static> Producer<T> for flume::Sender<T> {
    #[inline]
    fn push(&mut self, value: T) -> Result<(), Gone> {
        self.send(value).map_err(|_| Gone)
    }
}

impl<T> Consumer for flume::Receiver<T> {
    type Item = T;

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.recv().ok()
    }
}

pub struct Kanal;

impl Pair for Kanal {
    const NAME: &'static str = "kanal";
    type Producer<T: Send + 'static> = kanal::Sender<T>;
    type Consumer<T: Send + 'static> = kanal::Receiver<T>;

    fn pair<T: Send + 'static>(capacity: usize) -> (Self::Producer<T>, Self::Consumer<T>) {
        kanal::bounded(capacity)
    }
}

impl<T: Send + 'static> Producer<T> for kanal::Sender<T> {
    #[inline]
    fn push(&mut self, value: T) -> Result<(), Gone> {
        self.send(value).map_err(|_| Gone)
    }
}

impl<T> Consumer for kanal::Receiver<T> {
    type Item = T;

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.recv().ok()
    }
}
