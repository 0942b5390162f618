//! This crate, in both of its forms: the two ends, as the rivals have them, and the adaptor, which
//! takes a place before it asks its source.

use watertight::{Capacity, IteratorExt, Overflow, Prefetch};

use crate::contender::{Consumer, Gone, Pair, Producer, Stage};

fn capacity(items: usize) -> Capacity {
    Capacity::items(items)
}

pub struct Bounded;

impl Pair for Bounded {
    const NAME: &'static str = "watertight";
    type Producer<T: Send + 'static> = watertight::Producer<T>;
    type Consumer<T: Send + 'static> = watertight::Consumer<T>;

    fn pair<T: Send + 'static>(items: usize) -> (Self::Producer<T>, Self::Consumer<T>) {
        watertight::bounded(capacity(items), Overflow::Block)
    }
}

impl<T: Send + 'static> Producer<T> for watertight::Producer<T> {
    #[inline]
    fn push(&mut self, value: T) -> Result<(), Gone> {
        watertight::Producer::push(self, value).map_err(|_| Gone)
    }
}

impl<T> Consumer for watertight::Consumer<T> {
    type Item = T;

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.next()
    }
}

pub struct Prefetched;

impl Stage for Prefetched {
    const NAME: &'static str = "watertight_prefetch";
    type Items<T: Send + 'static> = Prefetch<'static, T>;

    fn ahead<T, S>(items: usize, source: S) -> Self::Items<T>
    where
        T: Send + 'static,
        S: Iterator<Item = T> + Send + 'static,
    {
        source.prefetch(capacity(items))
    }
}
