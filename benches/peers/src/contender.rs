//! What a contender has to offer, and the list of all.

use std::thread::{self, JoinHandle};

/// The other end is gone: nothing that is pushed would be read.
#[derive(Debug)]
pub struct Gone;

/// Two ends of a bounded buffer, for one thread each.
pub trait Pair {
    const NAME: &'static str;
    type Producer<T: Send + 'static>: Producer<T>;
    type Consumer<T: Send + 'static>: Consumer<Item = T>;

    fn pair<T: Send + 'static>(capacity: usize) -> (Self::Producer<T>, Self::Consumer<T>);
}

pub trait Producer<T>: Send + 'static {
    /// Waits while the buffer is full.
    fn push(&mut self, value: T) -> Result<(), Gone>;
}

pub trait Consumer {
    type Item;

    /// Waits while the buffer is empty. `None` when the producer is gone and all has been read.
    fn pop(&mut self) -> Option<Self::Item>;
}

/// A source that runs ahead on a thread. Every work is stated for this; it is what a user wants, and
/// what each pair of ends can be made into.
pub trait Stage {
    const NAME: &'static str;
    /// Dropping them stops the source and joins its thread.
    type Items<T: Send + 'static>: Iterator<Item = T>;

    /// The thread is started here or by the first `next`.
    fn ahead<T, S>(capacity: usize, source: S) -> Self::Items<T>
    where
        T: Send + 'static,
        S: Iterator<Item = T> + Send + 'static;
}

impl<P: Pair> Stage for P {
    const NAME: &'static str = P::NAME;
    type Items<T: Send + 'static> = Received<P::Consumer<T>>;

    fn ahead<T, S>(capacity: usize, source: S) -> Self::Items<T>
    where
        T: Send + 'static,
        S: Iterator<Item = T> + Send + 'static,
    {
        let (mut producer, consumer) = P::pair(capacity);
        let thread = thread::spawn(move || {
            for item in source {
                if producer.push(item).is_err() {
                    break;
                }
            }
        });
        Received { consumer, _joined: JoinOnDrop::new(thread) }
    }
}

/// What the thread of a pair hands over.
pub struct Received<C> {
    // Dropped first: the thread ends only when it sees that the consumer is gone.
    consumer: C,
    _joined: JoinOnDrop,
}

/// Joins a thread when it is dropped.
pub struct JoinOnDrop(Option<JoinHandle<()>>);

impl JoinOnDrop {
    pub fn new(thread: JoinHandle<()>) -> Self {
        JoinOnDrop(Some(thread))
    }
}

impl Drop for JoinOnDrop {
    fn drop(&mut self) {
        let ended = self.0.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the producer panicked");
    }
}

impl<C: Consumer> Iterator for Received<C> {
    type Item = C::Item;

    #[inline]
    fn next(&mut self) -> Option<C::Item> {
        self.consumer.pop()
    }
}

/// Evaluates to a vector with the name of each contender and the kernel made for it: with
/// `contenders!(Kernel: C => delay::<C>)` that is `delay::<C>` as a `Kernel`, for every [`Stage`]
/// as `C`. With `contenders!(pairs Kernel: C => …)` it is done for every [`Pair`].
#[macro_export]
macro_rules! contenders {
    (pairs $type:ty: $C:ident => $kernel:expr) => {{
        let mut all: Vec<(&'static str, $type)> = Vec::new();
        $crate::contenders!(@each all, $C => $kernel, pair: [
            $crate::rivals::SyncChannel,
            $crate::rivals::CrossbeamChannel,
            $crate::rivals::Flume,
            $crate::rivals::Kanal,
            $crate::rtrb_waits::RtrbPark,
            $crate::rtrb_waits::RtrbYield,
            $crate::mutex_swap::MutexSwap
        ]);
        $crate::contenders!(@each all, $C => $kernel, pair: [$crate::ours::Bounded]);
        all
    }};
    ($type:ty: $C:ident => $kernel:expr) => {{
        let mut all: Vec<(&'static str, $type)> = $crate::contenders!(pairs $type: $C => $kernel);
        $crate::contenders!(@each all, $C => $kernel, stage: [$crate::ours::Prefetched]);
        all
    }};
    (@each $all:ident, $C:ident => $kernel:expr, $kind:ident: [$first:path $(, $rest:path)*]) => {
        {
            type $C = $first;
            $all.push(($crate::contenders!(@name $kind $C), $kernel));
        }
        $($crate::contenders!(@each $all, $C => $kernel, $kind: [$rest]);)*
    };
    // Each pair is a stage of the same name, so which of the two is asked has to be said.
    (@name pair $C:ident) => {
        <$C as $crate::contender::Pair>::NAME
    };
    (@name stage $C:ident) => {
        <$C as $crate::contender::Stage>::NAME
    };
}
