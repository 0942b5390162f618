//! How a prefetch is made, and what can be asked of it before its source begins.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::source::Upstream;
use super::{Phase, Prefetch};
use crate::audit::{Kind, Record};
use crate::buffer::Capacity;
use crate::buffer::ring::{Barrier, ring};
use crate::buffer::stage::{Own, Owner, Stage, Stopper, stand_in};
use crate::resume::Resume;
use crate::stop::{Releasable, StopHandle, Stoppable};

impl<'a, T: Send + 'a> Prefetch<'a, T> {
    /// A prefetch whose thread `owner` starts and waits for.
    #[cfg_attr(feature = "audit", track_caller)]
    pub(crate) fn owned<G>(
        source: G,
        capacity: Capacity,
        owner: impl FnOnce(Arc<dyn Stage + 'a>) -> Box<dyn Owner + 'a>,
    ) -> Self
    where
        G: Resume<Argument = (), Yield = T, Return = ()> + Send + 'a,
    {
        Prefetch::made(move || source, capacity, owner)
    }

    /// The same, of a source that is made on the thread.
    #[cfg_attr(feature = "audit", track_caller)]
    fn made<G>(
        make: impl FnOnce() -> G + Send + 'a,
        capacity: Capacity,
        owner: impl FnOnce(Arc<dyn Stage + 'a>) -> Box<dyn Owner + 'a>,
    ) -> Self
    where
        G: Resume<Argument = (), Yield = T, Return = ()>,
    {
        let record = Record::buffer::<T>(Kind::Prefetch, capacity.get());
        let (producer, consumer) = ring(capacity, Barrier::choose(), &record);
        let ring = consumer.ring().clone();
        let stage = Arc::new(Upstream::new(make, producer, ring, record.meter()));
        let owner = owner(stage.clone());
        Prefetch { consumer, stage, owner, phase: Phase::Idle, record }
    }

    /// The same, in a group.
    #[cfg_attr(feature = "audit", track_caller)]
    pub(crate) fn made_under<G>(
        make: impl FnOnce() -> G + Send + 'a,
        capacity: Capacity,
        group: &StopHandle,
        owner: impl FnOnce(Arc<dyn Stage + 'a>) -> Box<dyn Owner + 'a>,
    ) -> Self
    where
        G: Resume<Argument = (), Yield = T, Return = ()>,
    {
        let above = group.clone();
        let make = move || Stoppable::under(make(), &above);
        let prefetch = Prefetch::made(make, capacity, owner);
        // It stands for the source until the thread has dropped that: who waits for the group waits for
        // it, whether the thread has come to make it or not.
        drop(prefetch.consumer.ring().hold(stand_in(group)));
        prefetch
    }
}

impl<T: Send + 'static> Prefetch<'static, T> {
    /// Has `source`, a generator of any kind, run ahead of its consumer by at most `capacity` items.
    /// The buffer is allocated here; the thread is started by the first demand.
    ///
    /// # Panics
    ///
    /// If there is not enough memory for them.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, Co, Prefetch, generator};
    ///
    /// let squares = generator(async |mut co: Co<u64>| {
    ///     for n in 1..=3 {
    ///         co.yield_(n * n).await;
    ///     }
    /// });
    /// let ahead = Prefetch::new(squares, Capacity::items(2));
    /// assert!(ahead.eq([1, 4, 9]));
    /// ```
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn new<G>(source: G, capacity: Capacity) -> Self
    where
        G: Resume<Argument = (), Yield = T, Return = ()> + Send + 'static,
    {
        Prefetch::owned(source, capacity, |stage| Own::new(stage, None))
    }

    /// The same, and stopped together with everything else under `group`: from any thread, whatever
    /// either side is waiting for. What is buffered is dropped by the stop, unless the consumer is
    /// taking an item at that moment; the source is dropped on its own thread, after the step in
    /// progress, and to [`wait`](StopHandle::wait) is to wait for that.
    ///
    /// # Panics
    ///
    /// As [`new`](Prefetch::new).
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Adopted, Capacity, Prefetch, StopHandle};
    ///
    /// let group = StopHandle::new();
    /// let mut numbers = Prefetch::under(Adopted::new(0..), Capacity::items(8), &group);
    /// assert_eq!(numbers.next(), Some(0));
    /// assert!(group.stop()); // What is buffered has been dropped.
    /// assert_eq!(numbers.next(), None);
    /// group.wait().unwrap(); // The source has been dropped, too.
    /// ```
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn under<G>(source: G, capacity: Capacity, group: &StopHandle) -> Self
    where
        G: Resume<Argument = (), Yield = T, Return = ()> + Send + 'static,
    {
        Prefetch::owned(Stoppable::under(source, group), capacity, |stage| {
            let stopper = Releasable::under(Stopper(stage.clone()), group);
            Own::new(stage, Some(stopper))
        })
    }

    /// Has a source that is made on the thread itself run ahead of its consumer: one that is not
    /// `Send`, such as a body that holds a database's cursor or an `Rc`. `make` is called when the
    /// thread is started, that is by the first demand; if it is not, it is dropped.
    ///
    /// Otherwise as [`new`](Prefetch::new). A panic of `make` is one of the source.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use watertight::{Capacity, Co, Prefetch, generator};
    ///
    /// let words = Prefetch::made_by(Capacity::items(4), || {
    ///     generator(async |mut co: Co<usize>| {
    ///         let text: Rc<str> = "one two three".into(); // It stays on its thread.
    ///         for word in text.split(' ') {
    ///             co.yield_(word.len()).await;
    ///         }
    ///     })
    /// });
    /// assert!(words.eq([3, 3, 5]));
    /// ```
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn made_by<G>(capacity: Capacity, make: impl FnOnce() -> G + Send + 'static) -> Self
    where
        G: Resume<Argument = (), Yield = T, Return = ()>,
    {
        Prefetch::made(make, capacity, |stage| Own::new(stage, None))
    }

    /// The same, and stopped together with everything else under `group`; see
    /// [`under`](Prefetch::under).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use watertight::{Adopted, Capacity, Prefetch, StopHandle};
    ///
    /// let group = StopHandle::new();
    /// let mut lengths = Prefetch::made_by_under(Capacity::items(4), &group, || {
    ///     let unit: Rc<str> = "ab".into(); // It is never sent to another thread.
    ///     Adopted::new((1..).map(move |n| unit.repeat(n).len()))
    /// });
    /// assert_eq!(lengths.next(), Some(2));
    /// assert!(group.stop());
    /// assert_eq!(lengths.next(), None);
    /// ```
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn made_by_under<G>(
        capacity: Capacity,
        group: &StopHandle,
        make: impl FnOnce() -> G + Send + 'static,
    ) -> Self
    where
        G: Resume<Argument = (), Yield = T, Return = ()>,
    {
        Prefetch::made_under(make, capacity, group, |stage| {
            let stopper = Releasable::under(Stopper(stage.clone()), group);
            Own::new(stage, Some(stopper))
        })
    }
}

impl<'a, T> Prefetch<'a, T> {
    /// Bounds the buffer by weight as well, such as bytes: what is in it does not weigh more than
    /// `most`, by the measure of `weigh`, which is called once for each item, on the source's thread.
    ///
    /// One number more is kept for each item in the buffer.
    ///
    /// What an item weighs is known when it is there. So the source is pulled as long as what is
    /// buffered weighs less than `most`, and what it then gives waits in its hand until there is room:
    /// that one item comes on top. An item that is heavier than `most` is let through alone, when
    /// the buffer is empty.
    ///
    /// # Panics
    ///
    /// If it has been started.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// // At most 100 chunks, and no more than a megabyte and one chunk.
    /// let chunks = (0..10).map(|n| vec![n; 400_000]).prefetch(Capacity::items(100));
    /// let chunks = chunks.weighing(1_000_000, Vec::len);
    /// assert_eq!(chunks.count(), 10);
    /// ```
    pub fn weighing(mut self, most: usize, weigh: impl Fn(&T) -> usize + Send + 'a) -> Self {
        // What has been ended needs no measure. Whether the thread has got as far as the source does not
        // matter.
        let in_time = self.phase == Phase::Idle || self.consumer.ring().is_stopped();
        assert!(in_time, "watertight: `weighing` comes too late: it has been started");
        self.stage.weigh(most, Box::new(weigh));
        self.consumer.give_back_one_by_one();
        self
    }
}
