//! What the branches of a tee have in common: a lane for each, and whose turn it is to pull.
//!
//! Nothing here runs user code: no pull, no clone, no destructor, no hook. What has to be dropped is
//! handed out. So all of it can be done under a lock.
//!
//! The source is in its place, or with the branch that is pulling ([`Tee::puller`]), or gone. Only
//! who is pulling adds to lanes, so a place that was seen free when the turn was taken is still free
//! when the item has come.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use super::TeeError;
use super::sharing::{Changing, Sharing};
use crate::audit::{Meter, Record};
use crate::buffer::{Capacity, Overflow};

pub struct Tee<'a, T, K: Sharing> {
    lanes: Box<[Lane<T, K>]>,
    /// `None` while somebody pulls, and when it is over.
    machine: Option<Box<Machine<'a, T, K>>>,
    /// The thread that has the turn, or 0.
    puller: usize,
    /// Nothing more will be pulled.
    over: bool,
    changed: bool,
    /// How many lanes are open.
    open: usize,
    capacity: usize,
    /// Memory for what is lost next, so that it is not allocated anew for each loss.
    spare: Vec<Lost<T, K>>,
    record: Record,
}

/// The source, and room for what one pull makes of it. In a box, so that the turn is a pointer.
pub(super) struct Machine<'a, T, K: Sharing> {
    pub(super) source: K::Source<'a, T>,
    /// How many other lanes were open when the turn was taken, and so want a clone.
    pub(super) others: usize,
    /// The clones but for one. Empty between two pulls, and so is `lost`.
    pub(super) clones: Vec<T>,
    /// What has found no place.
    lost: Vec<Lost<T, K>>,
}

struct Lane<T, K: Sharing> {
    backlog: VecDeque<Entry<T>>,
    open: bool,
    overflow: Overflow,
    /// If there was no room when the turn was taken: the policy that it was taken under.
    granted: Overflow,
    /// How many values were lost after the newest in the backlog.
    gap: u64,
    /// How many were lost altogether.
    missed: u64,
    hook: Option<K::Hook<T>>,
    meter: Meter,
}

pub(super) struct Entry<T> {
    /// How many values were lost between this and the one before it.
    gap: u64,
    value: T,
}

/// A value without a place, and who is to be told of it.
pub(super) struct Lost<T, K: Sharing> {
    pub(super) value: T,
    pub(super) hook: Option<K::Hook<T>>,
}

/// What a branch that wants an item comes to do.
pub(super) enum Step<'a, T, K: Sharing> {
    Item(T),
    End,
    Pull(Box<Machine<'a, T, K>>),
}

/// What a pull leaves for its branch, after the turn has been given back.
pub(super) enum Settled<'a, T, K: Sharing> {
    /// Its item, and nothing else to do.
    Clean(T),
    Rest(Rest<'a, T, K>),
}

/// What is left over now and then.
pub(super) struct Rest<'a, T, K: Sharing> {
    /// The branch's own item, unless it waits in the lane.
    pub(super) item: Option<T>,
    pub(super) lost: Vec<Lost<T, K>>,
    /// The source, if nobody needs it any more.
    pub(super) machine: Option<Box<Machine<'a, T, K>>>,
}

/// What a closed branch leaves to be dropped.
pub(super) struct Left<'a, T, K: Sharing> {
    pub(super) was_open: bool,
    pub(super) backlog: VecDeque<Entry<T>>,
    pub(super) hook: Option<K::Hook<T>>,
    pub(super) machine: Option<Box<Machine<'a, T, K>>>,
}

impl<T, K: Sharing> Lane<T, K> {
    fn new(overflow: Overflow, meter: Meter) -> Self {
        Lane {
            backlog: VecDeque::new(),
            open: true,
            overflow,
            granted: overflow,
            gap: 0,
            missed: 0,
            hook: None,
            meter,
        }
    }

    /// How many are in the backlog now.
    #[inline(always)]
    fn measure(&self) {
        self.meter.level(self.backlog.len());
    }

    /// The oldest value, unless some were lost before it.
    #[inline(always)]
    fn take(&mut self) -> Option<T> {
        let entry = self.backlog.pop_front()?;
        if entry.gap > 0 {
            self.put_back(entry);
            return None;
        }
        self.measure();
        Some(entry.value)
    }

    #[cold]
    fn put_back(&mut self, entry: Entry<T>) {
        self.backlog.push_front(entry);
    }

    /// How many values were lost before the oldest, if that has not been said.
    fn lagged(&mut self) -> Option<TeeError> {
        let gap = match self.backlog.front_mut() {
            Some(entry) => &mut entry.gap,
            None => &mut self.gap,
        };
        match mem::take(gap) {
            0 => None,
            lost => Some(TeeError::Lagged(lost)),
        }
    }

    /// A value was lost that would have come after all that is here.
    fn miss(&mut self) {
        self.gap += 1;
        self.missed += 1;
    }

    /// Takes a value although there is no room, or does not. Gives back what is lost.
    #[cold]
    fn offer(&mut self, value: T, capacity: usize) -> Option<T> {
        match self.granted {
            Overflow::DropNewest => {
                self.miss();
                Some(value)
            }
            Overflow::DropOldest => {
                let oldest = self.lose_oldest();
                self.push(value, capacity);
                oldest
            }
            Overflow::Block | Overflow::Error => {
                unreachable!("a place was free when the turn was taken")
            }
        }
    }

    fn lose_oldest(&mut self) -> Option<T> {
        let oldest = self.backlog.pop_front()?;
        self.missed += 1;
        let gap = match self.backlog.front_mut() {
            Some(entry) => &mut entry.gap,
            None => &mut self.gap,
        };
        *gap += oldest.gap + 1;
        Some(oldest.value)
    }

    #[inline(always)]
    fn push(&mut self, value: T, capacity: usize) {
        let entry = Entry { gap: mem::take(&mut self.gap), value };
        match self.backlog.len() == self.backlog.capacity() {
            false => self.backlog.push_back(entry),
            true => self.grow(entry, capacity),
        }
        self.measure();
    }

    /// Makes room for twice as much as before, and never more than there can be.
    #[cold]
    fn grow(&mut self, entry: Entry<T>, capacity: usize) {
        let len = self.backlog.len();
        self.backlog.reserve_exact(len.max(4).min(capacity - len));
        self.backlog.push_back(entry);
    }
}

impl<T, K: Sharing> Machine<'_, T, K> {
    /// Gives all lanes but one what they are to have of an item.
    #[inline(never)]
    fn give_all(
        &mut self,
        me: usize,
        mut clone: Option<T>,
        lanes: &mut [Lane<T, K>],
        capacity: usize,
        spare: &mut Vec<Lost<T, K>>,
    ) {
        for (i, lane) in lanes.iter_mut().enumerate() {
            if i != me && lane.open {
                let clone = clone.take().or_else(|| self.clones.pop());
                self.give(lane, clone, capacity, spare);
            }
        }
        // Those who wanted these have been closed.
        while let Some(clone) = clone.take().or_else(|| self.clones.pop()) {
            self.lose(clone, None, spare);
        }
    }

    /// Gives a lane what it is to have of an item: a clone, if there is one.
    #[inline(always)]
    fn give(
        &mut self,
        lane: &mut Lane<T, K>,
        clone: Option<T>,
        capacity: usize,
        spare: &mut Vec<Lost<T, K>>,
    ) {
        match clone {
            Some(clone) if lane.open && lane.backlog.len() < capacity => {
                lane.push(clone, capacity);
            }
            Some(clone) => self.give_anyway(lane, clone, capacity, spare),
            None if lane.open => lane.miss(), // Cloning panicked.
            None => {}
        }
    }

    /// Gives a clone to a lane that has no room, or has been closed since the turn was taken.
    #[cold]
    fn give_anyway(
        &mut self,
        lane: &mut Lane<T, K>,
        clone: T,
        capacity: usize,
        spare: &mut Vec<Lost<T, K>>,
    ) {
        if !lane.open {
            self.lose(clone, None, spare);
        } else if let Some(value) = lane.offer(clone, capacity) {
            self.lose(value, lane.hook.clone(), spare);
        }
    }

    /// Keeps what has no place, until user code may run.
    #[cold]
    fn lose(&mut self, value: T, hook: Option<K::Hook<T>>, spare: &mut Vec<Lost<T, K>>) {
        if self.lost.capacity() == 0 {
            self.lost = mem::take(spare);
            self.lost.reserve_exact(self.others);
        }
        self.lost.push(Lost { value, hook });
    }
}

impl<'a, T, K: Sharing> Tee<'a, T, K> {
    /// With a lane for each of the `branches`.
    pub(super) fn new(
        branches: &[Record],
        record: Record,
        capacity: Capacity,
        overflow: Overflow,
    ) -> Self {
        Tee {
            lanes: branches.iter().map(|branch| Lane::new(overflow, branch.meter())).collect(),
            machine: None,
            puller: 0,
            over: false,
            changed: false,
            open: branches.len(),
            capacity: capacity.get(),
            spare: Vec::new(),
            record,
        }
    }

    /// Puts the source in its place. Gives it back if it has been stopped by now.
    pub(super) fn install(&mut self, source: K::Source<'a, T>) -> Option<K::Source<'a, T>> {
        if self.over {
            return Some(source);
        }
        let clones = Vec::with_capacity(self.lanes.len().saturating_sub(2));
        self.machine = Some(Box::new(Machine { source, others: 0, clones, lost: Vec::new() }));
        None
    }

    /// The next item of the branch `me`, if it is there and none was lost before it.
    #[inline(always)]
    pub(super) fn take(&mut self, me: usize) -> Option<T> {
        let lane = &mut self.lanes[me];
        if !lane.open {
            return None;
        }
        let was_full = lane.backlog.len() == self.capacity;
        let taken = lane.take()?;
        self.changed |= was_full;
        Some(taken)
    }

    /// The turn to pull, if the branch `me` can have it now: the common case of [`Tee::step`].
    #[inline(always)]
    pub(super) fn turn(&mut self, me: usize, here: usize) -> Option<Box<Machine<'a, T, K>>> {
        let lane = &self.lanes[me];
        if !lane.open || lane.gap > 0 || !lane.backlog.is_empty() || self.machine.is_none() {
            return None;
        }
        // Without a loop for two: it would be a tenth of all.
        let full = |lane: &Lane<T, K>| lane.backlog.len() == self.capacity;
        let none_is_full = match &*self.lanes {
            [one, other] => !full(one) && !full(other),
            lanes => !lanes.iter().any(full),
        };
        if !none_is_full && self.refused().is_some() {
            return None;
        }
        self.grant(here)
    }

    /// The turn, for whoever has found that every lane has room or stands by its policy.
    #[inline(always)]
    fn grant(&mut self, here: usize) -> Option<Box<Machine<'a, T, K>>> {
        let mut machine = self.machine.take()?;
        machine.others = self.open - 1;
        self.puller = here;
        self.record.run();
        Some(machine)
    }

    /// The first lane without room that must not lose anything. If there is none, those without
    /// room stand by the policies that they have now. Not while somebody pulls.
    #[cold]
    fn refused(&mut self) -> Option<(usize, Overflow)> {
        for (i, lane) in self.lanes.iter_mut().enumerate() {
            if lane.backlog.len() < self.capacity {
                continue;
            }
            lane.granted = lane.overflow;
            if let Overflow::Block | Overflow::Error = lane.overflow {
                return Some((i, lane.overflow));
            }
        }
        None
    }

    /// What the branch `me` should do to get its next item. `None`: wait for a change.
    pub(super) fn step(
        &mut self,
        me: usize,
        here: usize,
    ) -> Option<Result<Step<'a, T, K>, TeeError>> {
        let lane = &mut self.lanes[me];
        if !lane.open {
            return Some(Ok(Step::End));
        }
        if let Some(lagged) = lane.lagged() {
            return Some(Err(lagged));
        }
        if let Some(item) = self.take(me) {
            return Some(Ok(Step::Item(item)));
        }
        if self.over {
            return Some(Ok(Step::End));
        }
        if self.puller == here {
            return Some(Err(TeeError::Reentrant));
        }
        if self.puller != 0 {
            return None;
        }
        match self.refused() {
            Some((_, Overflow::Block)) if K::WAITS => None,
            Some((branch, _)) => Some(Err(TeeError::Full { branch })),
            None => self.grant(here).map(|machine| Ok(Step::Pull(machine))),
        }
    }

    /// Gives the turn back, and each lane what it is to have of the item. `keep`: the branch's own
    /// item is to wait in its lane.
    #[inline(always)]
    pub(super) fn settle(
        &mut self,
        me: usize,
        mut machine: Box<Machine<'a, T, K>>,
        item: T,
        clone: Option<T>,
        keep: bool,
    ) -> Settled<'a, T, K> {
        self.give_back();
        self.record.ask().yielded();
        match &mut *self.lanes {
            [one, other] => {
                let other = if me == 0 { other } else { one };
                machine.give(other, clone, self.capacity, &mut self.spare);
            }
            lanes => machine.give_all(me, clone, lanes, self.capacity, &mut self.spare),
        }
        if keep || self.over || !machine.lost.is_empty() {
            return Settled::Rest(self.rest(me, machine, item, keep));
        }
        self.machine = Some(machine);
        Settled::Clean(item)
    }

    /// The same if that is not all.
    #[cold]
    fn rest(
        &mut self,
        me: usize,
        mut machine: Box<Machine<'a, T, K>>,
        item: T,
        keep: bool,
    ) -> Rest<'a, T, K> {
        let lost = mem::take(&mut machine.lost);
        let machine = match self.over {
            true => Some(machine),
            false => {
                self.machine = Some(machine);
                None
            }
        };
        // What is lost runs user code, which may panic: that must not cost the item.
        let lane = &mut self.lanes[me];
        let item = if lane.open && (keep || !lost.is_empty()) {
            lane.push(item, self.capacity);
            None
        } else {
            Some(item)
        };
        Rest { item, lost, machine }
    }

    /// Takes memory back for what is lost next.
    pub(super) fn recycle(&mut self, empty: &mut Vec<Lost<T, K>>) {
        if self.spare.capacity() == 0 {
            self.spare = mem::take(empty);
        }
    }

    /// Gives the turn back after the source has ended.
    pub(super) fn end(&mut self) {
        self.give_back();
        self.set_over();
    }

    fn set_over(&mut self) {
        self.over = true;
        self.record.finish_quietly();
    }

    fn give_back(&mut self) {
        self.puller = 0;
        self.changed = true;
    }

    /// Closes one branch; if it is the last one, also the rest.
    pub(super) fn close(&mut self, i: usize) -> Left<'a, T, K> {
        let lane = &mut self.lanes[i];
        let was_open = mem::replace(&mut lane.open, false);
        self.open -= usize::from(was_open);
        let (backlog, hook) = (mem::take(&mut lane.backlog), lane.hook.take());
        lane.measure();
        self.changed = true;
        let machine = match self.open {
            1.. => None,
            0 => {
                self.set_over();
                self.machine.take()
            }
        };
        Left { was_open, backlog, hook, machine }
    }

    /// Closes the branches, all at once, without taking out what they have. `false` if there was
    /// nothing to close.
    pub(super) fn close_lanes(&mut self) -> bool {
        for lane in &mut self.lanes {
            lane.open = false;
        }
        self.set_over();
        self.changed = true;
        mem::take(&mut self.open) > 0
    }

    /// Exchanges the hook of a branch; gives back what is to be dropped.
    pub(super) fn hook(&mut self, i: usize, hook: K::Hook<T>) -> Option<K::Hook<T>> {
        let lane = &mut self.lanes[i];
        match lane.open {
            true => lane.hook.replace(hook),
            false => Some(hook),
        }
    }

    pub(super) fn set_overflow(&mut self, i: usize, overflow: Overflow) {
        self.lanes[i].overflow = overflow;
        self.changed = true;
    }

    pub(super) fn branches(&self) -> usize {
        self.lanes.len()
    }

    pub(super) fn backlog(&self, i: usize) -> usize {
        self.lanes[i].backlog.len()
    }

    pub(super) fn missed(&self, i: usize) -> u64 {
        self.lanes[i].missed
    }

    /// Whether nothing more will come to this branch from the source.
    pub(super) fn is_over(&self, i: usize) -> bool {
        self.over || !self.lanes[i].open
    }

    /// Whether there is nothing left to say to this branch.
    pub(super) fn is_finished(&self, i: usize) -> bool {
        let lane = &self.lanes[i];
        !lane.open || (self.over && lane.backlog.is_empty() && lane.gap == 0)
    }
}

impl<T, K: Sharing> Changing for Tee<'_, T, K> {
    fn changed(&mut self) -> bool {
        mem::take(&mut self.changed)
    }
}
