//! One pull of a tee's source: all that runs user code, without a lock.
//!
//! Whatever panics here, the turn is given back, so that no other branch waits for ever.

use alloc::boxed::Box;
use core::mem;
use core::pin::Pin;

use super::lanes::{Left, Lost, Machine, Rest, Settled, Tee};
use super::sharing::Sharing;
use crate::resume::next;
use crate::unwind::{FirstPanic, Shield, release};

/// What a pull came to.
pub(super) enum Pulled<T> {
    Item(T),
    End,
    /// The item waits in the branch's own lane.
    Kept,
}

type Desk<'a, T, K> = <K as Sharing>::Desk<Tee<'a, T, K>>;

/// The source while it runs. If that panics, this gives the turn back.
struct Running<'d, 'a, T, K: Sharing> {
    desk: &'d Desk<'a, T, K>,
    machine: Option<Box<Machine<'a, T, K>>>,
}

/// An item while it is cloned. If that panics, this gives the turn back.
struct Cloning<'d, 'a, T, K: Sharing> {
    desk: &'d Desk<'a, T, K>,
    me: usize,
    machine: Option<Box<Machine<'a, T, K>>>,
    item: Option<T>,
    /// The clone that is made last.
    clone: Option<T>,
}

/// An item with its clones: one apart, which is all for two branches, the others in the machine.
type Cloned<'a, T, K> = (Box<Machine<'a, T, K>>, T, Option<T>);

/// Pulls the source once, for the branch `me` and for all others.
#[inline(always)]
pub(super) fn pull<'a, T: Clone, K: Sharing>(
    desk: &Desk<'a, T, K>,
    me: usize,
    machine: Box<Machine<'a, T, K>>,
) -> Pulled<T> {
    let mut running = Running { desk, machine: None };
    let item = next(Pin::new(&mut running.machine.insert(machine).source));
    let machine = running.machine.take();
    mem::forget(running); // It is empty. So is the other one: what they cost is for panics.
    let Some(item) = item else {
        end(desk, machine);
        return Pulled::End;
    };
    let Some(machine) = machine else {
        unreachable!("it has been put in there");
    };
    match machine.others {
        0 => hand_out(desk, me, (machine, item, None)),
        1 => hand_out(desk, me, cloned::<T, K>(desk, me, machine, item, 1)),
        others => hand_out_many(desk, me, machine, item, others),
    }
}

/// Gives the turn back, and everyone what is theirs.
#[inline(always)]
fn hand_out<'a, T, K: Sharing>(
    desk: &Desk<'a, T, K>,
    me: usize,
    (machine, item, clone): Cloned<'a, T, K>,
) -> Pulled<T> {
    let mut tee = K::enter(desk);
    let rest = match tee.settle(me, machine, item, clone, false) {
        Settled::Clean(item) => return Pulled::Item(item),
        Settled::Rest(rest) => rest,
    };
    drop(tee); // What is left over is user code's.
    dispose(desk, rest)
}

/// Clones an item for so many others.
#[inline(always)]
fn cloned<'a, T: Clone, K: Sharing>(
    desk: &Desk<'a, T, K>,
    me: usize,
    machine: Box<Machine<'a, T, K>>,
    item: T,
    others: usize,
) -> Cloned<'a, T, K> {
    let mut cloning = Cloning { desk, me, machine: None, item: None, clone: None };
    let (machine, item) = (cloning.machine.insert(machine), cloning.item.insert(item));
    for _ in 1..others {
        machine.clones.push(item.clone());
    }
    cloning.clone = Some(item.clone());
    let (machine, item, clone) =
        (cloning.machine.take(), cloning.item.take(), cloning.clone.take());
    mem::forget(cloning);
    let (Some(machine), Some(item)) = (machine, item) else {
        unreachable!("both have been put in there");
    };
    (machine, item, clone)
}

/// For more than two branches. Apart from the others, or they would pay for it.
#[inline(never)]
fn hand_out_many<'a, T: Clone, K: Sharing>(
    desk: &Desk<'a, T, K>,
    me: usize,
    machine: Box<Machine<'a, T, K>>,
    item: T,
    others: usize,
) -> Pulled<T> {
    hand_out(desk, me, cloned::<T, K>(desk, me, machine, item, others))
}

impl<T, K: Sharing> Drop for Running<'_, '_, T, K> {
    /// The source has panicked.
    fn drop(&mut self) {
        release(self.machine.take());
        K::change(self.desk, Tee::end);
    }
}

impl<T, K: Sharing> Drop for Cloning<'_, '_, T, K> {
    /// A clone has panicked. Those that have one get it, and the branch gets the item by its next
    /// call, unless it has been closed.
    fn drop(&mut self) {
        let (Some(machine), Some(item)) = (self.machine.take(), self.item.take()) else {
            return;
        };
        let (desk, me, clone) = (self.desk, self.me, self.clone.take());
        let settled = K::change(desk, |tee| tee.settle(me, machine, item, clone, true));
        let pulled = match settled {
            Settled::Clean(item) => Pulled::Item(item),
            Settled::Rest(rest) => dispose(desk, rest),
        };
        if let Pulled::Item(item) = pulled {
            release(item);
        }
    }
}

/// Gives the turn back after the source has ended.
#[cold]
fn end<'a, T, K: Sharing>(desk: &Desk<'a, T, K>, machine: Option<Box<Machine<'a, T, K>>>) {
    struct End<'d, 'a, T, K: Sharing>(&'d Desk<'a, T, K>);

    impl<T, K: Sharing> Drop for End<'_, '_, T, K> {
        fn drop(&mut self) {
            K::change(self.0, Tee::end);
        }
    }

    // Later: who sees the end knows that the source has been released.
    let _end = End::<T, K>(desk);
    drop(machine);
}

/// Drops what the pull has left over, and tells the hooks.
#[cold]
fn dispose<'a, T, K: Sharing>(desk: &Desk<'a, T, K>, rest: Rest<'a, T, K>) -> Pulled<T> {
    let Rest { item, mut lost, machine } = rest;
    let item = Shield::new(item);
    let mut panics = FirstPanic::default();
    for Lost { value, hook } in lost.drain(..) {
        panics.run(|| match hook {
            Some(hook) => K::call(&hook, value),
            None => drop(value),
        });
    }
    panics.run(|| drop(machine));
    panics.resume();
    K::change(desk, |tee| tee.recycle(&mut lost));
    item.into_inner().map_or(Pulled::Kept, Pulled::Item)
}

/// Drops what a closed branch has left.
pub(super) fn discard<T, K: Sharing>(left: Left<'_, T, K>) -> bool {
    let Left { was_open, backlog, hook, machine } = left;
    let mut panics = FirstPanic::default();
    for entry in backlog {
        panics.run(|| drop(entry));
    }
    panics.run(|| drop(hook));
    panics.run(|| drop(machine));
    panics.resume();
    was_open
}

/// Closes all branches and drops the source, or has the branch do so that is pulling it.
pub(super) fn close_all<T, K: Sharing>(desk: &Desk<'_, T, K>) -> bool {
    let (any, branches) = K::change(desk, |tee| (tee.close_lanes(), tee.branches()));
    let mut panics = FirstPanic::default();
    for i in 0..branches {
        panics.run(|| discard(K::change(desk, |tee| tee.close(i))));
    }
    panics.resume();
    any
}
