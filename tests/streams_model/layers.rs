//! What is put on top of one another at random, with the body at the bottom.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use proptest::prelude::*;
use watertight::{
    AdoptedStream, AsyncBoxed, Capacity, IteratorExt, NextError, OnFinishStream, Outcome, PollNext,
    ReleasableStream, StopHandle, TaskStream, ThreadStream, async_generator, prefetch_stream,
};

use super::Item;
use super::body::{Section, Source, at_most, body};
use super::support::Ledger;
use super::support::tasks::{Bell, Feed};

/// What is put around the stream below. With `true` it is in the group.
#[derive(Clone, Copy, Debug)]
pub enum Layer {
    Boxed,
    Hooked,
    Releasable(bool),
    /// It runs ahead in a driver.
    Ahead(usize, bool),
    /// The same, read by a thread, which runs ahead of a task.
    Thread(usize, usize, bool),
}

/// Threads only now and then: they take their time.
pub fn layers() -> impl Strategy<Value = Vec<Layer>> {
    let layer = prop_oneof![
        1 => Just(Layer::Boxed),
        1 => Just(Layer::Hooked),
        3 => any::<bool>().prop_map(Layer::Releasable),
        4 => (1..5_usize, any::<bool>()).prop_map(|(capacity, of)| Layer::Ahead(capacity, of)),
    ];
    let thread = (1..4_usize, 1..4_usize, any::<bool>());
    let thread = thread.prop_map(|(below, above, of)| Layer::Thread(below, above, of));
    let at = prop::option::weighted(0.08, (thread, any::<prop::sample::Index>()));
    (prop::collection::vec(layer, 0..5), at).prop_map(|(mut layers, thread)| {
        if let Some((thread, at)) = thread {
            layers.insert(at.index(layers.len() + 1), thread);
        }
        layers
    })
}

/// The outermost layer, with what can be done to it; those below are only streams.
pub trait Outer: Stream<Item = Item> + Send + Unpin {
    fn close(&mut self) -> bool;

    fn try_next(&mut self) -> Option<Result<Item, NextError>> {
        None
    }

    fn block(&mut self) -> Option<Result<Item, NextError>> {
        None
    }

    fn finish(&mut self) -> Option<bool> {
        None
    }
}

impl<G: PollNext<Item = Item> + Send> Outer for AsyncBoxed<G> {
    fn close(&mut self) -> bool {
        self.close_now()
    }
}

impl Outer for ThreadStream<'static, Item> {
    fn close(&mut self) -> bool {
        self.close_now()
    }

    fn try_next(&mut self) -> Option<Result<Item, NextError>> {
        Some(self.next_now())
    }

    fn finish(&mut self) -> Option<bool> {
        Some(self.finish())
    }
}

/// It is taken out for a call that blocks, after a panic for good.
struct Ahead(Option<TaskStream<Item>>);

impl Ahead {
    fn stream(&mut self) -> &mut TaskStream<Item> {
        self.0.as_mut().expect("it has been put back")
    }
}

impl Stream for Ahead {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        Pin::new(self.stream()).poll_next(cx)
    }
}

impl Outer for Ahead {
    fn close(&mut self) -> bool {
        self.stream().close_now()
    }

    fn try_next(&mut self) -> Option<Result<Item, NextError>> {
        Some(self.stream().next_now())
    }

    fn block(&mut self) -> Option<Result<Item, NextError>> {
        let mut iter = self.0.take()?.into_blocking();
        let taken = catch_unwind(AssertUnwindSafe(|| iter.next_timeout(Duration::ZERO)));
        self.0 = Some(iter.into_stream());
        Some(taken.unwrap_or_else(|payload| resume_unwind(payload)))
    }

    fn finish(&mut self) -> Option<bool> {
        Some(self.stream().finish())
    }
}

/// A driver, polled by hand.
pub struct Driving {
    pub driver: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    pub bell: Bell,
    fresh: bool,
    pub forgotten: bool,
}

impl Driving {
    pub fn drive(&mut self) {
        self.fresh = false;
        self.bell.rang();
        let Some(driver) = &mut self.driver else { return };
        if self.bell.poll(driver.as_mut()).is_ready() {
            self.driver = None;
        }
    }

    pub fn is_due(&self) -> bool {
        self.driver.is_some() && (self.fresh || self.bell.woken() > 0)
    }
}

/// A handle, and whether its stop releases the body there and then.
pub struct Handle {
    pub stop: StopHandle,
    pub has_body: bool,
    /// It is of something.
    pub is_used: bool,
}

/// An outermost layer that says how it has ended: by the hook of this number, or by a handle.
pub enum Outermost {
    Hook(usize),
    Handle(StopHandle),
}

/// What has been put together, and what is known of it.
pub struct Pipeline {
    pub feed: Feed<Item>,
    pub top: Option<Box<dyn Outer>>,
    pub drivers: Vec<Driving>,
    /// The last one is the group.
    pub handles: Vec<Handle>,
    /// What the body and the hooks hold.
    pub held: Ledger,
    /// What each hook has been told. The number is that of its layer.
    pub told: Arc<Mutex<Vec<(usize, Outcome)>>>,
    pub hooks: usize,
    /// How the outermost layer has ended, as far as that can be known.
    pub outermost: Option<Outermost>,
    /// How many items may be under way.
    pub bound: usize,
    /// How many of these may be lost in a body that panics.
    pub in_body: usize,
    /// There is a thread in it.
    pub threaded: bool,
}

impl Pipeline {
    pub fn new(sections: &[Section], layers: &[Layer]) -> Self {
        let (held, feed, told) = (Ledger::new(), Feed::new(), Arc::<Mutex<Vec<_>>>::default());
        let group = StopHandle::new();
        let in_body = at_most(sections);
        let (mut bound, mut hooks, mut drivers, mut handles) = (in_body, 0, vec![], vec![]);
        let source = Source::new(&feed);
        let (sections, thing) = (sections.to_vec(), held.thing("body"));
        let bottom = async_generator(move |co| body(co, source, sections, thing));
        let mut top: Box<dyn Outer> = Box::new(AsyncBoxed::new(bottom));
        let (mut has_body, mut group_has_body, mut group_is_used) = (true, false, false);
        let mut outermost = None;
        for (number, layer) in layers.iter().enumerate() {
            outermost = None;
            let below = AdoptedStream::new(top);
            let mut ahead = |below, capacity: usize, in_group| {
                let (stream, driver) = prefetch_stream(below, Capacity::items(capacity));
                bound += capacity;
                let bell = Bell::new();
                let driver: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(driver);
                drivers.push(Driving { driver: Some(driver), bell, fresh: true, forgotten: false });
                if in_group { stream.under(&group) } else { stream }
            };
            top = match *layer {
                Layer::Boxed => Box::new(AsyncBoxed::new(AsyncBoxed::new(below))),
                Layer::Hooked => {
                    let (told, thing) = (told.clone(), held.thing("hook"));
                    let below_it = has_body.then(|| held.clone());
                    hooks += 1;
                    let hook = move |outcome| {
                        drop(thing);
                        let alive = below_it.map_or(vec![], |held| held.names_alive());
                        assert!(!alive.contains(&"body"), "called before the release");
                        told.lock().unwrap().push((number, outcome));
                    };
                    outermost = Some(Outermost::Hook(number));
                    Box::new(AsyncBoxed::new(OnFinishStream::new(below, hook)))
                }
                Layer::Releasable(true) => {
                    (group_has_body, group_is_used) = (group_has_body | has_body, true);
                    Box::new(AsyncBoxed::new(ReleasableStream::under(below, &group)))
                }
                Layer::Releasable(false) => {
                    let releasable = ReleasableStream::new(below);
                    let stop = releasable.stop_handle();
                    outermost = Some(Outermost::Handle(stop.clone()));
                    handles.push(Handle { stop, has_body, is_used: true });
                    Box::new(AsyncBoxed::new(releasable))
                }
                Layer::Ahead(capacity, in_group) => {
                    has_body = false;
                    group_is_used |= in_group;
                    Box::new(Ahead(Some(ahead(below, capacity, in_group))))
                }
                Layer::Thread(capacity, above, in_group) => {
                    has_body = false;
                    group_is_used |= in_group;
                    let iter = ahead(below, capacity, in_group).into_blocking();
                    bound += above;
                    let prefetch = match in_group {
                        true => iter.prefetch_under(Capacity::items(above), &group),
                        false => iter.prefetch(Capacity::items(above)),
                    };
                    Box::new(prefetch.into_stream())
                }
            };
        }
        handles.push(Handle { stop: group, has_body: group_has_body, is_used: group_is_used });
        let threaded = layers.iter().any(|layer| matches!(layer, Layer::Thread(..)));
        let top = Some(top);
        Pipeline {
            feed,
            top,
            drivers,
            handles,
            held,
            told,
            hooks,
            outermost,
            bound,
            in_body,
            threaded,
        }
    }

    /// How many hooks have been called.
    pub fn called(&self) -> usize {
        self.told.lock().unwrap().len()
    }

    /// Everything has ended by itself, like this.
    pub fn assert_ended(&self, how: Outcome) {
        let told = self.told.lock().unwrap();
        assert_eq!(told.len(), self.hooks, "the end comes after the release");
        assert!(told.iter().all(|(_, outcome)| *outcome == how), "{told:?}");
        if let Some(Outermost::Handle(stop)) = &self.outermost {
            assert_eq!(stop.outcome(), Some(how));
        }
    }

    /// The outermost layer has been closed.
    pub fn assert_closed(&self) {
        let outcome = match &self.outermost {
            Some(Outermost::Hook(number)) => {
                let told = self.told.lock().unwrap();
                told.iter().find(|(of, _)| of == number).map(|(_, outcome)| *outcome)
            }
            Some(Outermost::Handle(stop)) => stop.outcome(),
            None => return,
        };
        assert_eq!(outcome, Some(Outcome::Stopped));
    }

    /// Whether something waits for a driver that nobody polls any more.
    pub fn is_blocked(&self) -> bool {
        self.drivers.iter().any(|driving| driving.forgotten)
    }
}
