//! What a prefetch runs ahead: its source, as the handle, the thread and a scope share it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::pin::pin;

use crate::audit::{Meter, OnThread};
use crate::buffer::ring::{self, Ring};
use crate::buffer::stage::{BufferStats, Stage};
use crate::buffer::wait::Wait;
use crate::resume::{self, Resume};
use crate::sync::{Mutex, lock};
use crate::unwind::{FirstPanic, Payload, Shield};

pub(super) type Weigh<'a, T> = Box<dyn Fn(&T) -> usize + Send + 'a>;
type Produce<'a, T> = Box<dyn FnOnce(ring::Producer<T>, Option<Weigh<'a, T>>) + Send + 'a>;

/// A source that has not begun.
struct Idle<'a, T> {
    produce: Produce<'a, T>,
    producer: ring::Producer<T>,
    weigh: Option<Weigh<'a, T>>,
}

impl<T> Idle<'_, T> {
    /// Drops it all, whatever panics.
    fn discard(self) -> FirstPanic {
        let Idle { produce, producer, weigh } = self;
        let mut panics = FirstPanic::default();
        panics.run(|| drop(produce));
        panics.run(|| drop(weigh));
        drop(producer);
        panics
    }
}

/// What handle, thread and scope share.
pub(super) struct Upstream<'a, T> {
    pub(super) ring: Arc<Ring<T>>,
    idle: Mutex<Option<Idle<'a, T>>>,
    meter: Meter,
}

impl<'a, T> Upstream<'a, T> {
    /// Of a source that `make` makes when it is run, and that then fills the ring of `producer`.
    pub(super) fn new<G>(
        make: impl FnOnce() -> G + Send + 'a,
        producer: ring::Producer<T>,
        ring: Arc<Ring<T>>,
        meter: Meter,
    ) -> Self
    where
        G: Resume<Argument = (), Yield = T, Return = ()>,
    {
        let produce: Produce<'a, T> =
            Box::new(move |producer, weigh| produce(make, producer, weigh));
        let idle = Mutex::new(Some(Idle { produce, producer, weigh: None }));
        Upstream { ring, idle, meter }
    }

    /// Bounds the ring by weight as well, if the source is still to begin.
    pub(super) fn weigh(&self, most: usize, weigh: Weigh<'a, T>) {
        let mut idle = lock(&self.idle);
        let not_used = match &mut *idle {
            Some(idle) => {
                idle.producer.weigh(most);
                idle.weigh.replace(weigh)
            }
            None => Some(weigh),
        };
        drop(idle); // What is not used is not dropped under the lock.
        drop(not_used);
    }

    /// Whether the source is still to begin.
    pub(super) fn is_idle(&self) -> bool {
        lock(&self.idle).is_some()
    }

    fn take_idle(&self) -> Option<Idle<'a, T>> {
        lock(&self.idle).take()
    }

    /// Drops the source if it has not begun.
    pub(super) fn discard_idle(&self) -> FirstPanic {
        self.take_idle().map(Idle::discard).unwrap_or_default()
    }
}

impl<T: Send> Stage for Upstream<'_, T> {
    fn run(&self) {
        if let Some(Idle { produce, producer, weigh }) = self.take_idle() {
            produce(producer, weigh);
        }
    }

    fn stop(&self) -> bool {
        self.meter.stopped();
        let mut panics = FirstPanic::default();
        // A panic in there is of a destructor, and so of a stop that was ours.
        let stopped = panics.run(|| self.ring.stop()).unwrap_or(true);
        panics.join(self.discard_idle());
        panics.resume();
        stopped
    }

    fn take_panic(&self) -> Option<Payload> {
        self.ring.take_panic()
    }

    fn stats(&self) -> BufferStats {
        BufferStats {
            capacity: self.ring.capacity(),
            buffered: self.ring.count(),
            peak: self.ring.peak(),
        }
    }

    fn thread(&self) -> OnThread {
        self.meter.thread()
    }
}

/// Makes a source and runs it, on this thread, until it ends or nobody wants more.
fn produce<G, T>(
    make: impl FnOnce() -> G,
    mut producer: ring::Producer<T>,
    weigh: Option<Weigh<'_, T>>,
) where
    G: Resume<Argument = (), Yield = T, Return = ()>,
{
    let mut panics = FirstPanic::default();
    let mut source = pin!(None);
    panics.run(|| {
        // Not before it is wanted.
        if producer.is_closed() {
            return drop(make);
        }
        source.set(Some(make()));
        let Some(mut source) = source.as_mut().as_pin_mut() else { return };
        while let Ok(place) = producer.reserve(Wait::Forever) {
            let Some(value) = resume::next(source.as_mut()) else { break };
            match &weigh {
                None => place.fill(value),
                Some(weigh) => {
                    let mut value = Shield::new(value);
                    let weight = weigh(value.get_mut());
                    if place.fill_weighed(value.into_inner(), weight).is_err() {
                        break;
                    }
                }
            }
        }
    });
    // Before the consumer can see the end. And not by the unwinding of a panic in there: another one
    // would abort.
    panics.run(|| source.set(None));
    panics.run(|| drop(weigh));
    producer.leave(panics.into_payload());
}
