//! What a contender has to offer, and the list of all.

use std::thread;

use futures_util::{Stream, StreamExt};

use crate::contender::{Gone, JoinOnDrop};

/// What a task receives, item after item.
pub trait Receive<T>: Send + 'static {
    /// `None` when the producer is gone and all has been read.
    fn receive(&mut self) -> impl Future<Output = Option<T>> + Send;
}

impl<T: Send, S: Stream<Item = T> + Send + Unpin + 'static> Receive<T> for S {
    #[inline]
    fn receive(&mut self) -> impl Future<Output = Option<T>> + Send {
        StreamExt::next(self)
    }
}

/// A source that runs ahead, on a thread or in a task.
pub trait Bridge {
    const NAME: &'static str;

    /// A source that blocks, on a thread of its own.
    fn from_thread<T: Send + 'static>(
        capacity: usize,
        source: impl Iterator<Item = T> + Send + 'static,
    ) -> impl Receive<T>;

    /// A stream, and the future that runs it ahead, which ends when the stream has or nobody receives
    /// any more.
    fn from_task<T: Send + 'static>(
        capacity: usize,
        source: impl Stream<Item = T> + Send + Unpin + 'static,
    ) -> (impl Receive<T>, impl Future<Output = ()> + Send + 'static);

    /// The same, for a consumer that blocks.
    fn from_task_blocking<T: Send + 'static>(
        capacity: usize,
        source: impl Stream<Item = T> + Send + Unpin + 'static,
    ) -> (impl Iterator<Item = T>, impl Future<Output = ()> + Send + 'static);
}

/// Two ends of a bounded channel, each for a task or a thread.
pub trait Channel: 'static {
    const NAME: &'static str;
    type Sender<T: Send + 'static>: Send + 'static;
    type Receiver<T: Send + 'static>: Send + 'static;

    fn pair<T: Send + 'static>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>);

    fn send<T: Send + 'static>(
        sender: &mut Self::Sender<T>,
        value: T,
    ) -> impl Future<Output = Result<(), Gone>> + Send;

    fn send_blocking<T: Send + 'static>(sender: &mut Self::Sender<T>, value: T)
    -> Result<(), Gone>;

    fn receive<T: Send + 'static>(
        receiver: &mut Self::Receiver<T>,
    ) -> impl Future<Output = Option<T>> + Send;

    fn receive_blocking<T: Send + 'static>(receiver: &mut Self::Receiver<T>) -> Option<T>;
}

/// The receiving end of a channel.
struct Received<C: Channel, T: Send + 'static> {
    // Dropped first: the thread ends only when it sees that the receiver is gone.
    receiver: C::Receiver<T>,
    _joined: Option<JoinOnDrop>,
}

impl<C: Channel, T: Send + 'static> Receive<T> for Received<C, T> {
    #[inline]
    fn receive(&mut self) -> impl Future<Output = Option<T>> + Send {
        C::receive(&mut self.receiver)
    }
}

impl<C: Channel> Bridge for C {
    const NAME: &'static str = C::NAME;

    fn from_thread<T: Send + 'static>(
        capacity: usize,
        source: impl Iterator<Item = T> + Send + 'static,
    ) -> impl Receive<T> {
        let (mut sender, receiver) = C::pair(capacity);
        let thread = thread::spawn(move || {
            for item in source {
                if C::send_blocking(&mut sender, item).is_err() {
                    break;
                }
            }
        });
        Received::<C, T> { receiver, _joined: Some(JoinOnDrop::new(thread)) }
    }

    fn from_task<T: Send + 'static>(
        capacity: usize,
        mut source: impl Stream<Item = T> + Send + Unpin + 'static,
    ) -> (impl Receive<T>, impl Future<Output = ()> + Send + 'static) {
        let (mut sender, receiver) = C::pair(capacity);
        let driver = async move {
            while let Some(item) = source.next().await {
                if C::send(&mut sender, item).await.is_err() {
                    break;
                }
            }
        };
        (Received::<C, T> { receiver, _joined: None }, driver)
    }

    fn from_task_blocking<T: Send + 'static>(
        capacity: usize,
        mut source: impl Stream<Item = T> + Send + Unpin + 'static,
    ) -> (impl Iterator<Item = T>, impl Future<Output = ()> + Send + 'static) {
        let (mut sender, mut receiver) = C::pair(capacity);
        let driver = async move {
            while let Some(item) = source.next().await {
                if C::send(&mut sender, item).await.is_err() {
                    break;
                }
            }
        };
        (std::iter::from_fn(move || C::receive_blocking(&mut receiver)), driver)
    }
}

/// Evaluates to an array with the name of each contender and the kernel made for it: with
/// `bridges!(HandOver: B => thread_to_task::<B, u64>)` that is the function as a `HandOver`.
#[macro_export]
macro_rules! bridges {
    ($type:ty: $B:ident => $kernel:expr) => {
        $crate::bridges!(@each $type, $B => $kernel, [
            $crate::bridges::channels::Watertight,
            $crate::bridges::channels::Tokio,
            $crate::bridges::channels::Flume,
            $crate::bridges::channels::Kanal,
            $crate::bridges::channels::AsyncChannel,
            $crate::bridges::channels::Futures
        ])
    };
    (@each $type:ty, $B:ident => $kernel:expr, [$($bridge:path),*]) => {
        [$({
            type $B = $bridge;
            (<$B as $crate::bridges::contender::Bridge>::NAME, $kernel as $type)
        }),*]
    };
}
