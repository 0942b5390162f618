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
    capacity: usize,
    /// Memory for what is lost, so that it is not allocated anew for each loss.
    spare: Vec<Lost<T, K>>,
    record: Record,
}

/// The source, and room for what one pull makes of it. In a box, so that the turn is a pointer.
pub(super) struct Machine<'a, T, K: Sharing> {
    pub(super) source: K::Source<'a, T>,
    /// The lanes that want a clone, with the policies under which a place was looked for, and the
    /// clones, in the same order.
    pub(super) wanted: Vec<(usize, Overflow)>,
    pub(super) clones: Vec<T>,
}

struct Lane<T, K: Sharing> {
    backlog: VecDeque<Entry<T>>,
    open: bool,
    overflow: Overflow,
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

/// What a pull leaves for its branch to do, after the turn has been given back.
pub(super) struct Settled<'a, T, K: Sharing> {
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

    /// The oldest value; or, before what comes after a gap, how wide that is.
    fn take(&mut self) -> Option<Result<T, TeeError>> {
        let gap = match self.backlog.front_mut() {
            Some(entry) => &mut entry.gap,
            None => &mut self.gap,
        };
        match mem::take(gap) {
            0 => {
                let entry = self.backlog.pop_front();
                self.measure();
                entry.map(|entry| Ok(entry.value))
            }
            lost => Some(Err(TeeError::Lagged(lost))),
        }
    }

    /// A value was lost that would have come after all that is here.
    fn miss(&mut self) {
        self.gap += 1;
        self.missed += 1;
    }

    /// Makes room for a value, if the policy allows it.
    fn offer(&mut self, value: T, capacity: usize, overflow: Overflow) -> Option<T> {
        let mut lost = None;
        if self.backlog.len() == capacity {
            match overflow {
                Overflow::DropNewest => {
                    self.miss();
                    return Some(value);
                }
                Overflow::DropOldest => lost = self.lose_oldest(),
                Overflow::Block | Overflow::Error => {
                    unreachable!("a place was free when the turn was taken")
                }
            }
        }
        self.push(value, capacity);
        lost
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

    fn push(&mut self, value: T, capacity: usize) {
        let len = self.backlog.len();
        if len == self.backlog.capacity() {
            // Twice as much as before, and never more than there can be.
            self.backlog.reserve_exact(len.max(4).min(capacity - len));
        }
        self.backlog.push_back(Entry { gap: mem::take(&mut self.gap), value });
        self.measure();
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
        let others = self.lanes.len().saturating_sub(1);
        let (wanted, clones) = (Vec::with_capacity(others), Vec::with_capacity(others));
        self.machine = Some(Box::new(Machine { source, wanted, clones }));
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
        let was_full = lane.backlog.len() == self.capacity;
        if let Some(taken) = lane.take() {
            self.changed |= was_full;
            return Some(taken.map(Step::Item));
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
        let machine = self.machine.as_mut()?;
        machine.wanted.clear();
        for (i, lane) in self.lanes.iter().enumerate() {
            if i == me || !lane.open {
                continue;
            }
            if lane.backlog.len() == self.capacity {
                match lane.overflow {
                    Overflow::Block if K::WAITS => return None,
                    Overflow::Block | Overflow::Error => {
                        return Some(Err(TeeError::Full { branch: i }));
                    }
                    Overflow::DropOldest | Overflow::DropNewest => {}
                }
            }
            machine.wanted.push((i, lane.overflow));
        }
        self.puller = here;
        self.record.run();
        self.machine.take().map(|machine| Ok(Step::Pull(machine)))
    }

    /// Gives the turn back, and each lane what it is to have of the item. `keep`: the branch's own
    /// item is to wait in its lane.
    pub(super) fn settle(
        &mut self,
        me: usize,
        mut machine: Box<Machine<'a, T, K>>,
        item: T,
        keep: bool,
    ) -> Settled<'a, T, K> {
        self.give_back();
        self.record.ask().yielded();
        let Machine { wanted, clones, .. } = &mut *machine;
        let mut lost = Vec::new();
        let mut clones = clones.drain(..);
        for &(i, overflow) in &*wanted {
            let lane = &mut self.lanes[i];
            let Some(clone) = clones.next() else {
                lane.miss(); // Cloning panicked.
                continue;
            };
            let (value, hook) = if !lane.open {
                (clone, None)
            } else if let Some(value) = lane.offer(clone, self.capacity, overflow) {
                (value, lane.hook.clone())
            } else {
                continue;
            };
            if lost.capacity() == 0 {
                lost = mem::take(&mut self.spare);
                lost.reserve_exact(wanted.len());
            }
            lost.push(Lost { value, hook });
        }
        drop(clones);
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
        Settled { item, lost, machine }
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
        let (backlog, hook) = (mem::take(&mut lane.backlog), lane.hook.take());
        lane.measure();
        self.changed = true;
        let machine = match self.lanes.iter().any(|lane| lane.open) {
            true => None,
            false => {
                self.set_over();
                self.machine.take()
            }
        };
        Left { was_open, backlog, hook, machine }
    }

    /// Closes the branches, all at once, without taking out what they have. `false` if there was
    /// nothing to close.
    pub(super) fn close_lanes(&mut self) -> bool {
        let open = self.lanes.iter_mut().map(|lane| mem::replace(&mut lane.open, false));
        let any = open.fold(false, |any, open| any | open);
        self.set_over();
        self.changed = true;
        any
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
