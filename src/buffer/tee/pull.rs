//! One pull of a tee's source: all that runs user code, without a lock.
//!
//! Whatever panics here, the turn is given back, so that no other branch waits for ever.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::pin::Pin;

use super::lanes::{Left, Lost, Machine, Settled, Tee};
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

/// The turn, until it is given back: at the latest when this goes, whatever panics.
struct Turn<'d, 'a, T, K: Sharing> {
    desk: &'d Desk<'a, T, K>,
    me: usize,
    machine: Option<Box<Machine<'a, T, K>>>,
    item: Option<T>,
    given_back: bool,
}

/// Pulls the source once, for the branch `me` and for all others.
pub(super) fn pull<'a, T: Clone, K: Sharing>(
    desk: &Desk<'a, T, K>,
    me: usize,
    machine: Box<Machine<'a, T, K>>,
) -> Pulled<T> {
    let mut turn = Turn { desk, me, machine: None, item: None, given_back: false };
    let machine = turn.machine.insert(machine);
    turn.item = next(Pin::new(&mut machine.source));
    let Some(item) = &turn.item else {
        // Before the turn is given back: who sees the end knows that the source has been released.
        drop(turn.machine.take());
        return Pulled::End;
    };
    for _ in 0..machine.wanted.len() {
        machine.clones.push(item.clone());
    }
    match turn.settle(false) {
        Some(settled) => dispose(desk, settled),
        None => unreachable!("the turn was not given back before"),
    }
}

impl<'a, T, K: Sharing> Turn<'_, 'a, T, K> {
    /// Gives the turn back, and everyone what is theirs, if there is an item.
    fn settle(&mut self, keep: bool) -> Option<Settled<'a, T, K>> {
        let (machine, item) = (self.machine.take()?, self.item.take()?);
        self.given_back = true;
        Some(K::change(self.desk, |tee| tee.settle(self.me, machine, item, keep)))
    }
}

impl<T, K: Sharing> Drop for Turn<'_, '_, T, K> {
    fn drop(&mut self) {
        if self.given_back {
            return;
        }
        if self.item.is_none() {
            // The source has ended or has panicked.
            release(self.machine.take());
            K::change(self.desk, Tee::end);
        } else if let Some(settled) = self.settle(true) {
            // Cloning the item has panicked. Those that have a clone get it, and the branch gets the
            // item by its next call, unless it has been closed.
            if let Pulled::Item(item) = dispose(self.desk, settled) {
                release(item);
            }
        }
    }
}

/// Drops what the pull has left over, and tells the hooks.
#[inline]
fn dispose<'a, T, K: Sharing>(desk: &Desk<'a, T, K>, settled: Settled<'a, T, K>) -> Pulled<T> {
    let Settled { item, lost, machine } = settled;
    let item = match lost.is_empty() && machine.is_none() {
        true => item,
        false => clear_away(desk, item, lost, machine),
    };
    item.map_or(Pulled::Kept, Pulled::Item)
}

fn clear_away<'a, T, K: Sharing>(
    desk: &Desk<'a, T, K>,
    item: Option<T>,
    mut lost: Vec<Lost<T, K>>,
    machine: Option<Box<Machine<'a, T, K>>>,
) -> Option<T> {
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
    item.into_inner()
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
