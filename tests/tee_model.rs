//! Random programs for the branches of a `tee`, under every policy, against a plain reference: what
//! each call comes back with, what waits where, what was lost, and every item's fate.

#![cfg(feature = "std")]

mod support;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use support::{Ledger, Thing};
use watertight::{Branch, Capacity, IteratorExt, LocalBranch, Overflow, StopHandle, TeeError};

#[derive(Clone, Copy, Debug)]
pub enum Op {
    Pull(usize),
    Close(usize),
    Drop(usize),
    CloseAll(usize),
    Policy(usize, Overflow),
    Stop,
    /// So many clones from now on one panics.
    Break(usize),
}

/// How a branch is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Local,
    Threads,
    Stoppable,
}

struct Item {
    number: usize,
    thing: Thing,
    /// How many clones are left to the one that panics; 0: none does.
    fuse: Arc<AtomicUsize>,
}

impl Clone for Item {
    fn clone(&self) -> Self {
        let left = self.fuse.load(Relaxed);
        self.fuse.store(left.saturating_sub(1), Relaxed);
        assert!(left != 1, "the clone");
        Item { number: self.number, thing: self.thing.clone(), fuse: self.fuse.clone() }
    }
}

type Came = Result<Option<usize>, TeeError>;

enum Ours {
    Local(LocalBranch<'static, Item>),
    Threads(Branch<'static, Item>),
}

/// The same expression for either kind.
macro_rules! ours {
    ($branch:expr, $ours:ident => $do:expr) => {
        match $branch {
            Ours::Local($ours) => $do,
            Ours::Threads($ours) => $do,
        }
    };
}

impl Ours {
    /// `Err` is a panic.
    fn pull(&mut self) -> Result<Came, ()> {
        let pull = AssertUnwindSafe(|| ours!(self, branch => branch.try_next()));
        let came = catch_unwind(pull).map_err(drop)?;
        Ok(came.map(|item| item.map(|item| item.number)))
    }
}

/// What the reference knows of a branch: all that was meant for it and that it has not heard of.
#[derive(Clone, Debug)]
struct Lane {
    /// `None`: lost.
    meant: VecDeque<Option<usize>>,
    closed: bool,
    missed: u64,
    overflow: Overflow,
}

impl Lane {
    fn backlog(&self) -> usize {
        self.meant.iter().flatten().count()
    }

    fn lose(&mut self, at: usize) -> Option<usize> {
        self.missed += 1;
        self.meant[at].take()
    }
}

struct Reference {
    lanes: Vec<Lane>,
    capacity: usize,
    pulled: usize,
    source: usize,
    panics: bool,
    over: bool,
    fuse: usize,
    born: usize,
    lost: Vec<(usize, usize)>,
}

impl Reference {
    /// What a pull comes to: `Err` is a panic. `None`: it would wait.
    fn pull(&mut self, me: usize, waits: bool) -> Option<Result<Came, ()>> {
        let lane = &mut self.lanes[me];
        if lane.closed {
            return Some(Ok(Ok(None)));
        }
        let lost = lane.meant.iter().take_while(|item| item.is_none()).count();
        if lost > 0 {
            lane.meant.drain(..lost);
            return Some(Ok(Err(TeeError::Lagged(lost as u64))));
        }
        if let Some(item) = lane.meant.pop_front() {
            return Some(Ok(Ok(item)));
        }
        if self.over {
            return Some(Ok(Ok(None)));
        }
        let others: Vec<usize> =
            (0..self.lanes.len()).filter(|&i| i != me && !self.lanes[i].closed).collect();
        let refuses = |lane: &Lane| {
            lane.backlog() == self.capacity
                && [Overflow::Block, Overflow::Error].contains(&lane.overflow)
        };
        if let Some(&branch) = others.iter().find(|&&i| refuses(&self.lanes[i])) {
            return match self.lanes[branch].overflow {
                Overflow::Block if waits => None,
                _ => Some(Ok(Err(TeeError::Full { branch }))),
            };
        }
        if self.pulled == self.source {
            self.over = true;
            return Some(if self.panics { Err(()) } else { Ok(Ok(None)) });
        }
        let number = self.pulled;
        self.pulled += 1;
        self.born += 1;
        let mut broken = false;
        for i in others {
            broken |= self.fuse == 1;
            let lane = &mut self.lanes[i];
            lane.meant.push_back(Some(number));
            if broken {
                self.fuse = 0;
                lane.lose(lane.meant.len() - 1);
                continue;
            }
            self.fuse = self.fuse.saturating_sub(1);
            self.born += 1;
            if lane.backlog() > self.capacity {
                let first = lane.meant.iter().position(Option::is_some);
                let lost = match lane.overflow {
                    Overflow::DropNewest => lane.lose(lane.meant.len() - 1),
                    _ => lane.lose(first.unwrap()),
                };
                self.lost.extend(lost.map(|number| (i, number)));
            }
        }
        if broken {
            self.lanes[me].meant.push_back(Some(number));
            return Some(Err(()));
        }
        Some(Ok(Ok(Some(number))))
    }

    /// `true` if that closes something.
    fn close(&mut self, i: usize) -> bool {
        let lane = &mut self.lanes[i];
        let open = !std::mem::replace(&mut lane.closed, true);
        lane.meant.clear();
        self.over |= self.lanes.iter().all(|lane| lane.closed);
        open
    }

    fn close_all(&mut self) -> bool {
        (0..self.lanes.len()).fold(false, |any, i| any | self.close(i))
    }
}

#[derive(Clone, Debug)]
pub struct Program {
    pub kind: Kind,
    pub branches: usize,
    pub capacity: usize,
    pub overflow: Overflow,
    pub items: usize,
    pub panics: bool,
    pub ops: Vec<Op>,
}

fn overflow() -> impl Strategy<Value = Overflow> {
    prop_oneof![
        Just(Overflow::Block),
        Just(Overflow::DropOldest),
        Just(Overflow::DropNewest),
        Just(Overflow::Error),
    ]
}

pub fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        60 => (0_usize..4).prop_map(Op::Pull),
        20 => Just(Op::Pull(0)), // So that one is ahead.
        2 => (0_usize..4).prop_map(Op::Close),
        2 => (0_usize..4).prop_map(Op::Drop),
        1 => (0_usize..4).prop_map(Op::CloseAll),
        2 => (0_usize..4, overflow()).prop_map(|(i, overflow)| Op::Policy(i, overflow)),
        1 => Just(Op::Stop),
        3 => (1_usize..4).prop_map(Op::Break),
    ]
}

pub fn program() -> impl Strategy<Value = Program> {
    (
        prop_oneof![Just(Kind::Local), Just(Kind::Threads), Just(Kind::Stoppable)],
        1_usize..=4,
        1_usize..=5,
        overflow(),
        0_usize..40,
        any::<bool>(),
        prop::collection::vec(op(), 0..80),
    )
        .prop_map(|(kind, branches, capacity, overflow, items, panics, ops)| Program {
            kind,
            branches,
            capacity,
            overflow,
            items,
            panics,
            ops,
        })
}

pub fn run(program: &Program) -> Result<(), TestCaseError> {
    let Program { kind, branches: count, capacity, overflow, items, panics, .. } = *program;
    let (ledger, fuse, stop) = (Ledger::new(), Arc::new(AtomicUsize::new(0)), StopHandle::new());
    let source = {
        let (ledger, fuse) = (ledger.clone(), fuse.clone());
        let (mut number, held) = (0, ledger.thing("source"));
        std::iter::from_fn(move || {
            let _held = &held;
            if number == items {
                assert!(!panics, "the source");
                return None;
            }
            number += 1;
            Some(Item { number: number - 1, thing: ledger.thing("item"), fuse: fuse.clone() })
        })
    };
    let room = Capacity::items(capacity);
    let mut branches: Vec<Option<Ours>> = match kind {
        Kind::Local => {
            let branches = source.tee_local(count, room, overflow);
            branches.into_iter().map(|branch| Some(Ours::Local(branch))).collect()
        }
        Kind::Threads | Kind::Stoppable => {
            let branches = match kind {
                Kind::Threads => source.tee(count, room, overflow),
                _ => source.tee_under(count, room, overflow, &stop),
            };
            branches.into_iter().map(|branch| Some(Ours::Threads(branch))).collect()
        }
    };
    // Every other branch has a hook.
    let lost = Arc::new(Mutex::new(Vec::new()));
    for branch in branches.iter().flatten().step_by(2) {
        let lost = lost.clone();
        ours!(branch, branch => {
            let index = branch.index();
            branch.on_lost(move |item: Item| lost.lock().unwrap().push((index, item.number)));
        });
    }
    let mut reference = Reference {
        lanes: vec![Lane { meant: VecDeque::new(), closed: false, missed: 0, overflow }; count],
        capacity,
        pulled: 0,
        source: items,
        panics,
        over: false,
        fuse: 0,
        born: 1,
        lost: Vec::new(),
    };
    for &op in &program.ops {
        match op {
            Op::Pull(i) => {
                let Some(Some(branch)) = branches.get_mut(i) else { continue };
                let Some(expected) = reference.pull(i, kind != Kind::Local) else { continue };
                prop_assert_eq!(branch.pull(), expected, "{:?}", op);
            }
            Op::Close(i) => {
                let Some(Some(branch)) = branches.get_mut(i) else { continue };
                prop_assert_eq!(ours!(branch, branch => branch.close()), reference.close(i));
            }
            Op::Drop(i) => {
                let Some(branch) = branches.get_mut(i) else { continue };
                drop(branch.take());
                reference.close(i);
            }
            Op::CloseAll(i) => {
                let Some(Some(branch)) = branches.get_mut(i) else { continue };
                let closed = ours!(branch, branch => branch.close_all());
                prop_assert_eq!(closed, reference.close_all());
            }
            Op::Policy(i, overflow) => {
                let Some(Some(branch)) = branches.get_mut(i) else { continue };
                ours!(branch, branch => branch.set_overflow(overflow));
                reference.lanes[i].overflow = overflow;
            }
            Op::Stop if kind == Kind::Stoppable => {
                // A stop of a source that is gone does nothing.
                if !reference.over {
                    reference.close_all();
                }
                stop.stop();
            }
            Op::Stop => {}
            Op::Break(clones) => {
                fuse.store(clones, Relaxed);
                reference.fuse = clones;
            }
        }
        for (i, branch) in branches.iter().enumerate() {
            let (Some(branch), lane) = (branch, &reference.lanes[i]) else { continue };
            ours!(branch, branch => {
                prop_assert_eq!((branch.backlog(), branch.missed()), (lane.backlog(), lane.missed));
                prop_assert!(branch.backlog() <= capacity);
                let over = lane.closed || reference.over;
                prop_assert_eq!(branch.is_finished(), over && lane.meant.is_empty());
                prop_assert_eq!(branch.size_hint(), (0, over.then_some(lane.backlog())));
            });
        }
        let waiting: usize = reference.lanes.iter().map(Lane::backlog).sum();
        prop_assert_eq!(ledger.alive(), waiting + usize::from(!reference.over), "{:?}", op);
        prop_assert_eq!(ledger.born(), reference.born);
    }
    reference.lost.retain(|(i, _)| i % 2 == 0);
    prop_assert_eq!(&*lost.lock().unwrap(), &reference.lost);
    drop(branches);
    ledger.assert_settled();
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None, // Small inputs, found again at once.
        ..ProptestConfig::default()
    })]

    #[test]
    fn branches_are_as_the_reference_says(program in program()) {
        run(&program)?;
    }
}
