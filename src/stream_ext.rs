//! [`StreamExt`]: what can be done with any stream.

use futures_core::Stream;

use crate::adopted_stream::AdoptedStream;
#[cfg(feature = "std")]
use crate::buffer::{Capacity, Driver, TaskStream, prefetch_stream};
#[cfg(feature = "std")]
use crate::stop::{ReleasableStream, StopHandle};

/// Adds a stop handle or a bounded buffer to any stream, this crate's own included.
///
/// Other crates have traits of this name. None of the methods has the name of one of theirs, so both
/// can be imported: `use watertight::StreamExt as _`.
pub trait StreamExt: Stream + Sized {
    /// The stream as an asynchronous generator, which drops it as soon as it has ended.
    fn into_generator(self) -> AdoptedStream<Self> {
        AdoptedStream::new(self)
    }

    /// Lets it be stopped and released from anywhere, whatever it is waiting for. See
    /// [`ReleasableStream`].
    #[cfg(feature = "std")]
    fn releasable(self) -> (ReleasableStream<AdoptedStream<Self>>, StopHandle)
    where
        Self: Send + 'static,
    {
        let releasable = ReleasableStream::new(self.into_generator());
        let stop = releasable.stop_handle();
        (releasable, stop)
    }

    /// Lets it be stopped and released together with everything else under `group`.
    #[cfg(feature = "std")]
    fn releasable_under(self, group: &StopHandle) -> ReleasableStream<AdoptedStream<Self>>
    where
        Self: Send + 'static,
    {
        ReleasableStream::under(self.into_generator(), group)
    }

    /// Has it run ahead of its consumer by at most `capacity` items, in a future to be spawned or
    /// polled alongside. See [`prefetch_stream`].
    #[cfg(feature = "std")]
    fn prefetch(self, capacity: Capacity) -> (TaskStream<Self::Item>, Driver<Self>) {
        prefetch_stream(self, capacity)
    }
}

impl<S: Stream> StreamExt for S {}
