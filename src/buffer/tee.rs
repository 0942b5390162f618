//! [`Branch`]: one source for several consumers, each with a bounded backlog.
//!
//! [`lanes`] is the state that the branches share, [`sharing`] where it lies (behind a lock, or on
//! one thread), [`pull`] what one of them does when it is its turn to ask the source.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;

mod lanes;
mod pull;
mod sharing;

pub use sharing::Sharing;

use super::{Capacity, Overflow};
use crate::affinity::OneThread;
#[cfg(feature = "std")]
use crate::affinity::Threads;
use crate::audit::{Kind, Record};
use crate::resume::Resume;
use lanes::{Step, Tee};
use pull::{Pulled, close_all, discard, pull};

/// One of several consumers of a source, each of which gets every item. Made by
/// [`IteratorExt::tee`](crate::IteratorExt::tee), [`tee_under`](crate::IteratorExt::tee_under) and
/// [`tee_local`](crate::IteratorExt::tee_local), or, for any generator, by [`Branch::split`] and the
/// like.
///
/// The branch that is ahead pulls the source and leaves a clone of the item for each of the others,
/// in their backlogs. Python's `itertools.tee` and the one of Rust's itertools do that, too, and the
/// backlog of a branch that nobody reads grows until there is no memory left. Here it has a
/// capacity, and [`Overflow`] says what happens when a branch that is ahead wants an item, and
/// another one has no room for it:
///
/// | | the branch that is ahead | the one without room |
/// |---|---|---|
/// | [`Block`](Overflow::Block) | waits until there is room, or the other one is closed; on one thread ([`LocalBranch`]) that would be for ever, so it gets [`TeeError::Full`] | loses nothing |
/// | [`Error`](Overflow::Error) | gets [`TeeError::Full`]; nothing is pulled | loses nothing |
/// | [`DropOldest`](Overflow::DropOldest) | goes on | loses the oldest item of its backlog |
/// | [`DropNewest`](Overflow::DropNewest) | goes on | does not get this item |
///
/// A branch that has lost items is told how many, and where: [`try_next`](Branch::try_next) gives
/// [`TeeError::Lagged`] once for each gap. As an [`Iterator`] it goes on behind the gap, and
/// [`missed`](Branch::missed) counts. [`on_lost`](Branch::on_lost) gets the items themselves.
///
/// The policy is each branch's own, for when it is the one without room:
/// [`set_overflow`](Branch::set_overflow) gives it another.
///
/// With `Block` and `Error`, there is a place in every open branch before the source is asked: it is
/// never further ahead of the slowest branch than the capacity. So it takes a place to find the end,
/// too.
///
/// # Threads
///
/// A `Branch` can go to another thread if the items are `Send`; they are cloned on the thread that
/// pulls, and dropped by whoever closes or drops a branch, or pulls over it. One branch at a time
/// pulls. The others wait if they have nothing left, and take from their backlogs otherwise. While
/// the source, a clone, a destructor or a hook runs, no lock is held.
///
/// **With `Block`, each branch needs a thread, or an order.** Who waits for a branch that nobody
/// reads waits for ever: one that was forgotten (`mem::forget`), or two branches read by one thread,
/// one after the other. A branch that is dropped or closed is not waited for, so drop what you do
/// not read. What ends a wait from outside is a stop: see
/// [`tee_under`](crate::IteratorExt::tee_under).
///
/// # The end, and panics
///
/// The source is dropped as soon as it has ended, on the thread that pulled; the other branches get
/// what is in their backlogs, then `None`.
///
/// If the source panics the panic goes to the branch that pulled, once; for the others that is the
/// end. If cloning an item panics, that goes to the branch that pulled as well, and its next call
/// gets the item; those whose clones had not been made have missed one. If a lost item's destructor
/// panics, or a hook, the item that was pulled comes by the next call. Nothing else is lost, and no
/// branch waits for one that has panicked.
///
/// Neither a source nor the clone of an item can pull a branch of its own tee: that is
/// [`TeeError::Reentrant`]. Nor must it wait for a thread that does, which nobody notices.
///
/// # Memory
///
/// At most `capacity` items for each branch, and 8 bytes with each; it is allocated as the backlog
/// grows, and kept until the branch is closed. A pull has room of its own for two more items for
/// each branch. Once that has come about, nothing is allocated any more.
///
/// # Dropping
///
/// Drops the backlog, and with the last branch the source, on this thread.
///
/// # Complexity
///
/// To take from the backlog is O(1) and one lock. To pull is O(branches), and two locks. A branch that
/// has to wait looks again for about a microsecond before it sleeps, and waking it costs more than
/// many items do: between threads, a capacity of some hundred is worth its memory.
///
/// # Examples
///
/// ```
/// use std::thread;
/// use watertight::{Capacity, IteratorExt, Overflow};
///
/// let numbers = (1..=1000_u64).tee(2, Capacity::items(16), Overflow::Block);
/// let [sum, max] = numbers.try_into().unwrap();
/// let sum = thread::spawn(move || sum.sum::<u64>());
/// assert_eq!(max.max(), Some(1000));
/// assert_eq!(sum.join().unwrap(), 500_500);
/// ```
#[cfg(feature = "std")]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Branch<'a, T, K: Sharing = Threads> {
    desk: K::Desk<Tee<'a, T, K>>,
    index: usize,
    record: Record,
}

/// One of several consumers of a source, each of which gets every item: a [`LocalBranch`], as there
/// are no threads without the `std` feature.
#[cfg(not(feature = "std"))]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Branch<'a, T, K: Sharing> {
    desk: K::Desk<Tee<'a, T, K>>,
    index: usize,
    record: Record,
}

/// A [`Branch`] that stays on its thread, of a source that need not be `Send`.
///
/// Nobody can wait here, so [`Overflow::Block`] refuses like [`Overflow::Error`].
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use watertight::{Capacity, IteratorExt, LocalBranch, Overflow, TeeError};
///
/// let words = ["a", "b", "c"].into_iter().map(Rc::<str>::from);
/// let branches = words.tee_local(2, Capacity::items(1), Overflow::Error);
/// let [mut ahead, mut behind]: [LocalBranch<'_, Rc<str>>; 2] = branches.try_into().unwrap();
/// assert_eq!(ahead.next().as_deref(), Some("a"));
/// assert_eq!(ahead.try_next(), Err(TeeError::Full { branch: 1 }));
/// assert_eq!(behind.next().as_deref(), Some("a"));
/// assert_eq!(ahead.next().as_deref(), Some("b"));
/// ```
pub type LocalBranch<'a, T> = Branch<'a, T, OneThread>;

/// Why a [`Branch`] has no item to give just now. It can be asked again after each of them.
///
/// # Examples
///
/// ```
/// use watertight::{Capacity, IteratorExt, Overflow, TeeError};
///
/// let [mut a, mut b] =
///     (0..).tee_local(2, Capacity::items(1), Overflow::Error).try_into().unwrap();
/// assert_eq!(a.next(), Some(0));
/// match a.try_next() {
///     Err(TeeError::Full { branch: 1 }) => assert_eq!(b.next(), Some(0)),
///     other => panic!("{other:?}"),
/// }
/// assert_eq!(a.next(), Some(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TeeError {
    /// So many items should have come here and were lost. The next one is that after the gap.
    #[error("{0} items were lost, for which this branch had no room")]
    Lagged(u64),
    /// Another branch has no room for one more item, so the source was not asked. Take from that
    /// one first, or close or drop it.
    #[error("branch {branch} has no room for another item: take from it first, or close it")]
    Full {
        /// The [`index`](Branch::index) of the first one without room.
        branch: usize,
    },
    /// The source is being pulled, or an item cloned, further up on this very thread.
    #[error("a branch was asked for an item by its own source, or by the clone of an item")]
    Reentrant,
}

impl<'a, T, K: Sharing> Branch<'a, T, K> {
    /// The branches of a desk, whose source is still to be put in its place.
    #[cfg_attr(feature = "audit", track_caller)]
    fn branches(
        count: usize,
        capacity: Capacity,
        overflow: Overflow,
    ) -> (K::Desk<Tee<'a, T, K>>, Vec<Self>) {
        let mut records = Vec::with_capacity(count);
        for _ in 0..count {
            records.push(Record::buffer::<T>(Kind::Branch, capacity.get()));
        }
        let desk = K::desk(Tee::new(&records, Record::plain::<T>(Kind::Tee), capacity, overflow));
        let branch = |(index, record)| Branch { desk: desk.clone(), index, record };
        let branches = records.into_iter().enumerate().map(branch).collect();
        (desk, branches)
    }

    /// Puts the source in its place, unless everything has been closed by now.
    fn install(desk: &K::Desk<Tee<'a, T, K>>, source: K::Source<'a, T>) {
        let refused = K::change(desk, |tee| tee.install(source));
        drop(refused);
    }

    #[cfg_attr(feature = "audit", track_caller)]
    fn of(
        source: K::Source<'a, T>,
        count: usize,
        capacity: Capacity,
        overflow: Overflow,
    ) -> Vec<Self> {
        if count == 0 {
            return Vec::new();
        }
        let (desk, branches) = Self::branches(count, capacity, overflow);
        Self::install(&desk, source);
        branches
    }
}

#[cfg(feature = "std")]
impl<'a, T: Clone + Send> Branch<'a, T> {
    /// Splits a generator into `count` branches; see [`IteratorExt::tee`](crate::IteratorExt::tee).
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Branch, Capacity, Co, Overflow, generator};
    ///
    /// let words = generator(async |mut co: Co<&str>| co.yield_all("a b".split(' ')).await);
    /// let mut branches = Branch::split(words, 3, Capacity::items(2), Overflow::Block);
    /// assert!(branches.iter_mut().all(|branch| branch.next() == Some("a")));
    /// ```
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn split<G>(generator: G, count: usize, capacity: Capacity, overflow: Overflow) -> Vec<Self>
    where
        G: Resume<Argument = (), Yield = T, Return = ()> + Send + 'a,
    {
        Self::of(Box::pin(generator), count, capacity, overflow)
    }

    /// Has `hook` called with each item that this branch loses for want of room, on the thread of
    /// the branch that pulled, before that gives its own item. It replaces the last one.
    ///
    /// Several threads may call it at once. It runs without a lock, and may use other branches of
    /// the tee. What a closed branch leaves in its backlog is not lost in this sense.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use watertight::{Capacity, IteratorExt, Overflow};
    ///
    /// let branches = (0..4).tee(2, Capacity::items(2), Overflow::DropOldest);
    /// let [ahead, behind] = branches.try_into().unwrap();
    /// let (lost, rejected) = mpsc::channel();
    /// behind.on_lost(move |number| lost.send(number).unwrap());
    /// assert!(ahead.eq(0..4));
    /// assert!(behind.eq([2, 3]));
    /// assert!(rejected.iter().eq([0, 1]));
    /// ```
    pub fn on_lost(&self, hook: impl Fn(T) + Send + Sync + 'static) {
        self.set_hook(alloc::sync::Arc::new(hook));
    }
}

#[cfg(feature = "std")]
impl<T: Clone + Send + 'static> Branch<'static, T> {
    /// The same under a stop handle; see [`IteratorExt::tee_under`](crate::IteratorExt::tee_under).
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Branch, Capacity, Co, Overflow, StopHandle, generator};
    ///
    /// let stop = StopHandle::new();
    /// let numbers = generator(async |mut co: Co<u32>| co.yield_all(0..).await);
    /// let mut branches = Branch::split_under(numbers, 2, Capacity::items(2), Overflow::Block, &stop);
    /// assert_eq!(branches[0].next(), Some(0));
    /// stop.stop();
    /// assert!(branches.iter_mut().all(|branch| branch.next() == None));
    /// ```
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn split_under<G>(
        generator: G,
        count: usize,
        capacity: Capacity,
        overflow: Overflow,
        group: &crate::StopHandle,
    ) -> Vec<Self>
    where
        G: Resume<Argument = (), Yield = T, Return = ()> + Send + 'static,
    {
        use crate::{OnFinish, Outcome, Releasable};

        if count == 0 {
            return Vec::new();
        }
        let (desk, branches) = Self::branches(count, capacity, overflow);
        // Weak: the source lies on the desk.
        let there = alloc::sync::Arc::downgrade(&desk);
        let hook = move |outcome| {
            if let (Outcome::Stopped, Some(desk)) = (outcome, there.upgrade()) {
                close_all::<T, Threads>(&desk);
            }
        };
        let source = Releasable::under(OnFinish::new(generator, hook), group);
        Self::install(&desk, Box::pin(source));
        branches
    }
}

impl<'a, T: Clone> LocalBranch<'a, T> {
    /// Splits a generator that need not be `Send`; see
    /// [`IteratorExt::tee_local`](crate::IteratorExt::tee_local).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use watertight::{Capacity, Co, LocalBranch, Overflow, generator};
    ///
    /// let numbers = generator(async |mut co: Co<Rc<u32>>| co.yield_(Rc::new(1)).await);
    /// let branches = LocalBranch::split_local(numbers, 2, Capacity::items(2), Overflow::Error);
    /// assert!(branches.into_iter().all(|branch| branch.eq([Rc::new(1)])));
    /// ```
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn split_local<G>(
        generator: G,
        count: usize,
        capacity: Capacity,
        overflow: Overflow,
    ) -> Vec<Self>
    where
        G: Resume<Argument = (), Yield = T, Return = ()> + 'a,
    {
        Self::of(Box::pin(generator), count, capacity, overflow)
    }

    /// Has `hook` called with each item that this branch loses for want of room, before the branch
    /// that pulled gives its own item. It replaces the last one.
    ///
    /// The hook may use other branches of the tee. What a closed branch leaves in its backlog is not
    /// lost in this sense.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{cell::RefCell, rc::Rc};
    /// use watertight::{Capacity, IteratorExt, Overflow};
    ///
    /// let branches = (0..4).tee_local(2, Capacity::items(2), Overflow::DropNewest);
    /// let [ahead, behind] = branches.try_into().unwrap();
    /// let rejected = Rc::new(RefCell::new(vec![]));
    /// behind.on_lost({
    ///     let rejected = rejected.clone();
    ///     move |number| rejected.borrow_mut().push(number)
    /// });
    /// assert!(ahead.eq(0..4));
    /// assert!(behind.eq([0, 1]));
    /// assert_eq!(*rejected.borrow(), [2, 3]);
    /// ```
    pub fn on_lost(&self, hook: impl Fn(T) + 'static) {
        self.set_hook(alloc::rc::Rc::new(hook));
    }
}

impl<T: Clone, K: Sharing> Branch<'_, T, K> {
    /// The next item, or `None` at the end, or why there is none just now.
    ///
    /// With [`Overflow::Block`] it waits; see [above](Branch#threads). With every policy it waits
    /// for the item that another branch is just pulling on another thread.
    ///
    /// # Errors
    ///
    /// [`TeeError::Lagged`] once for each gap, [`TeeError::Full`] and [`TeeError::Reentrant`].
    /// Nothing is pulled, and nothing lost by it.
    ///
    /// # Panics
    ///
    /// If the source does, or cloning an item, or dropping one that is lost, or a hook; see
    /// [above](Branch#the-end-and-panics).
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt, Overflow, TeeError};
    ///
    /// let branches = (0..5).tee(2, Capacity::items(2), Overflow::DropOldest);
    /// let [mut ahead, mut behind] = branches.try_into().unwrap();
    /// assert_eq!(ahead.by_ref().count(), 5);
    /// assert_eq!(behind.try_next(), Err(TeeError::Lagged(3)));
    /// assert_eq!(behind.try_next(), Ok(Some(3)));
    /// assert_eq!(behind.try_next(), Ok(Some(4)));
    /// assert_eq!(behind.try_next(), Ok(None));
    /// ```
    #[inline]
    pub fn try_next(&mut self) -> Result<Option<T>, TeeError> {
        let mut tee = K::enter(&self.desk);
        if let Some(item) = tee.take(self.index) {
            drop(tee);
            self.record.ask().yielded();
            return Ok(Some(item));
        }
        self.try_more(tee)
    }
}

/// What does not wait in the backlog. Out of the way, so that to take what does costs little.
impl<'a, T: Clone, K: Sharing> Branch<'a, T, K> {
    #[inline(never)]
    fn try_more<'d>(&'d self, tee: K::Visit<'d, Tee<'a, T, K>>) -> Result<Option<T>, TeeError> {
        let asked = self.record.ask();
        if let Some(item) = self.pull(tee) {
            asked.yielded();
            return Ok(Some(item));
        }
        let taken = self.ask_at_length();
        match &taken {
            Ok(Some(_)) => asked.yielded(),
            Ok(None) => asked.finished(),
            Err(_) => asked.waits(),
        }
        taken
    }

    /// The same for [`Branch::next`].
    #[inline(never)]
    #[track_caller]
    fn next_more<'d>(&'d self, tee: K::Visit<'d, Tee<'a, T, K>>) -> Option<T> {
        let asked = self.record.ask();
        if let Some(item) = self.pull(tee) {
            asked.yielded();
            return Some(item);
        }
        loop {
            match self.ask_at_length() {
                Ok(Some(item)) => {
                    asked.yielded();
                    return Some(item);
                }
                Ok(None) => {
                    asked.finished();
                    return None;
                }
                Err(TeeError::Lagged(_)) => {}
                Err(error) => misused(error),
            }
        }
    }

    /// Pulls, if that can be done at once.
    #[inline(always)]
    fn pull<'d>(&'d self, mut tee: K::Visit<'d, Tee<'a, T, K>>) -> Option<T> {
        let machine = tee.turn(self.index, K::here())?;
        drop(tee);
        match pull::<T, K>(&self.desk, self.index, machine) {
            Pulled::Item(item) => Some(item),
            Pulled::End | Pulled::Kept => None,
        }
    }

    /// Whatever it comes to, and however long it takes.
    #[cold]
    fn ask_at_length(&self) -> Result<Option<T>, TeeError> {
        let here = K::here();
        loop {
            match K::wait(&self.desk, |tee| tee.step(self.index, here))? {
                Step::Item(item) => return Ok(Some(item)),
                Step::End => return Ok(None),
                Step::Pull(machine) => match pull::<T, K>(&self.desk, self.index, machine) {
                    Pulled::Item(item) => return Ok(Some(item)),
                    Pulled::End => return Ok(None),
                    Pulled::Kept => {}
                },
            }
        }
    }
}

impl<T, K: Sharing> Branch<'_, T, K> {
    /// Closes this branch as dropping it does: its backlog is dropped before this returns, no other
    /// branch waits for it any more, and its `next` is `None`. `false` if it was closed before.
    ///
    /// # Panics
    ///
    /// If a destructor does. Everything is dropped all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt, Overflow};
    ///
    /// let branches = (0..).tee_local(2, Capacity::items(1), Overflow::Error);
    /// let [mut ahead, mut behind] = branches.try_into().unwrap();
    /// assert_eq!(ahead.next(), Some(0));
    /// assert!(behind.close());
    /// assert_eq!((ahead.next(), behind.next()), (Some(1), None));
    /// ```
    pub fn close(&mut self) -> bool {
        self.record.finish();
        discard(K::change(&self.desk, |tee| tee.close(self.index)))
    }

    /// Closes all branches, wherever they are, and drops the source. Who waits, gets `None`. `false`
    /// if all were closed before.
    ///
    /// If another branch is just pulling, its call goes on to the end and gives its item, and drops
    /// the source.
    ///
    /// # Panics
    ///
    /// If a destructor does. Everything is dropped all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt, Overflow};
    ///
    /// let mut branches = (0..).tee(3, Capacity::items(1), Overflow::Block);
    /// assert_eq!(branches[0].next(), Some(0));
    /// assert!(branches[1].close_all());
    /// assert!(branches.iter_mut().all(|branch| branch.next() == None));
    /// assert!(!branches[1].close_all());
    /// ```
    pub fn close_all(&self) -> bool {
        close_all::<T, K>(&self.desk)
    }

    /// From the next pull on, does something else when this branch has no room. So some can lose
    /// items that others must not, and are not waited for.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt, Overflow};
    ///
    /// // Everything is counted. A log that nobody reads just now does not hold that up.
    /// let [sum, log] = (1..=100_u32).tee(2, Capacity::items(8), Overflow::Block).try_into().unwrap();
    /// log.set_overflow(Overflow::DropOldest);
    /// assert_eq!(sum.sum::<u32>(), 5050);
    /// assert!(log.eq(93..=100));
    /// ```
    pub fn set_overflow(&self, overflow: Overflow) {
        K::change(&self.desk, |tee| tee.set_overflow(self.index, overflow));
    }

    /// Which of the branches this is, counted from 0. [`TeeError::Full`] names one by it.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt, Overflow};
    ///
    /// let branches = (0..).tee_local(2, Capacity::items(1), Overflow::Error);
    /// assert_eq!(branches[1].index(), 1);
    /// ```
    pub fn index(&self) -> usize {
        self.index
    }

    /// How many items wait here: never more than the capacity.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt, Overflow};
    ///
    /// let mut branches = (0..).tee_local(2, Capacity::items(5), Overflow::Error);
    /// branches[0].nth(2);
    /// assert_eq!((branches[0].backlog(), branches[1].backlog()), (0, 3));
    /// ```
    pub fn backlog(&self) -> usize {
        K::change(&self.desk, |tee| tee.backlog(self.index))
    }

    /// How many items this branch has lost, altogether.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt, Overflow};
    ///
    /// let mut branches = (0..).tee_local(2, Capacity::items(2), Overflow::DropOldest);
    /// branches[0].nth(4);
    /// assert_eq!(branches[1].next(), Some(3));
    /// assert_eq!((branches[0].missed(), branches[1].missed()), (0, 3));
    /// ```
    pub fn missed(&self) -> u64 {
        K::change(&self.desk, |tee| tee.missed(self.index))
    }

    /// Whether there is nothing left for this branch: the next call gives `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt, Overflow};
    ///
    /// let mut branches = (0..1).tee_local(2, Capacity::items(2), Overflow::Error);
    /// assert_eq!(branches[0].by_ref().count(), 1);
    /// assert!(branches[0].is_finished() && !branches[1].is_finished());
    /// ```
    pub fn is_finished(&self) -> bool {
        K::change(&self.desk, |tee| tee.is_finished(self.index))
    }

    fn set_hook(&self, hook: K::Hook<T>) {
        let replaced = K::change(&self.desk, |tee| tee.hook(self.index, hook));
        drop(replaced);
    }
}

impl<T: Clone, K: Sharing> Iterator for Branch<'_, T, K> {
    type Item = T;

    /// The next item, behind any gap.
    ///
    /// # Panics
    ///
    /// Where [`try_next`](Branch::try_next) does, and where it gives [`TeeError::Full`] or
    /// [`TeeError::Reentrant`].
    #[inline]
    #[track_caller]
    fn next(&mut self) -> Option<T> {
        let mut tee = K::enter(&self.desk);
        if let Some(item) = tee.take(self.index) {
            drop(tee);
            self.record.ask().yielded();
            return Some(item);
        }
        self.next_more(tee)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // What is there may be closed, or lost, at any time.
        K::change(&self.desk, |tee| (0, tee.is_over(self.index).then(|| tee.backlog(self.index))))
    }
}

impl<T: Clone, K: Sharing> FusedIterator for Branch<'_, T, K> {}

#[cold]
#[track_caller]
fn misused(error: TeeError) -> ! {
    match error {
        TeeError::Full { branch } => panic!(
            "watertight: branch {branch} of this tee has no room for another item, and this one \
             cannot wait for it here: take from it first, close it, use a policy that drops, or ask \
             with `try_next`, which gives an error"
        ),
        error => panic!(
            "watertight: {error}, which would be to wait for itself: let the source take from \
             something else, or ask with `try_next`, which gives an error"
        ),
    }
}

impl<T, K: Sharing> Drop for Branch<'_, T, K> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T, K: Sharing> fmt::Debug for Branch<'_, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Branch")
            .field("index", &self.index)
            .field("backlog", &self.backlog())
            .field("missed", &self.missed())
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
