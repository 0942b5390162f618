//! What a random program is, how one is made, and how it reads.
//!
//! Programs shrink to small ones, and are printed as code that one can follow: where a generator is
//! named, its number is taken modulo how many there are, and what one of them cannot do, it does not.

use std::fmt::{self, Display, Formatter};

use proptest::prelude::*;
use watertight::Overflow;

/// What kind of generator the items come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Body {
    Iterator,
    Generator,
    Boxed,
    Try,
    Recursive,
    Async,
    TryAsync,
    AsyncRecursive,
    /// Registers something to be awaited with each item.
    Cleanup,
    /// Two sub-futures emit by turns, up to so many ahead.
    Emitter(usize),
}

/// How a source ends, and what is planned to panic in it: at most one thing, since two panics at once in
/// one body abort.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    Returns,
    /// With an error, which carries one item more, if it is a `try_` one.
    Fails,
    Panics,
    /// What it holds panics when it is dropped.
    HoldsABomb,
    /// The item of this number panics, if it is dropped undelivered.
    YieldsABomb(usize),
    /// It stops all of its own pipeline that can be stopped, before the item of this number.
    StopsItself(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Source {
    pub body: Body,
    pub items: usize,
    pub ending: Ending,
}

/// What is done with the other branches of a `tee`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Others {
    Dropped,
    /// Nobody reads them. With a policy that loses nothing they are read as below.
    Idle,
    /// They are read whenever one has no room.
    Lockstep,
    /// A thread reads the second, the rest is dropped.
    Thread,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wrap {
    OnFinish,
    Stoppable,
    Releasable,
    Boxed,
    /// Looks so far ahead before each item.
    Lookahead(usize),
    Prefetch {
        capacity: usize,
        weighing: bool,
        started: bool,
        /// After how many items `finish` is called, if it is.
        finish: Option<usize>,
    },
    /// From a thread to a task or the other way round.
    Bridge(usize),
    Tee {
        branches: usize,
        capacity: usize,
        overflow: Overflow,
        others: Others,
    },
}

/// A source and what is around it. In a scope, what is around it there.
#[derive(Clone, PartialEq)]
pub struct Pipeline {
    pub source: Source,
    pub around: Vec<Wrap>,
    pub in_scope: Vec<Wrap>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum From {
    Here,
    Thread,
    /// From a thread, while this one goes on pulling.
    Meanwhile,
    /// By a deadline, while this one goes on pulling.
    Clock,
}

#[derive(Clone, PartialEq)]
pub enum Op {
    Make(Pipeline),
    Pull(usize, usize),
    /// Polls once, and gives up if there is nothing yet.
    Poll(usize),
    Close(usize),
    Drop(usize),
    /// The consumer panics.
    DropByPanic(usize),
    /// In a scope, which releases it. Outside, what a stop reaches is forgotten and then stopped.
    Forget(usize),
    /// Stops the nth of its stop handles.
    Stop(usize, usize, From),
    StopScope(From),
    /// Has something done at the end of the scope, which panics or not.
    Defer(bool),
    Scope(Block),
}

/// The operations in a scope, or outside of one, and whether it ends with a panic.
#[derive(Clone, PartialEq)]
pub struct Block {
    pub ops: Vec<Op>,
    pub panics: bool,
}

pub fn overflow() -> impl Strategy<Value = Overflow> {
    prop_oneof![
        Just(Overflow::Block),
        Just(Overflow::DropOldest),
        Just(Overflow::DropNewest),
        Just(Overflow::Error),
    ]
}

fn source() -> impl Strategy<Value = Source> {
    let body = prop_oneof![
        Just(Body::Generator),
        Just(Body::Iterator),
        Just(Body::Boxed),
        Just(Body::Try),
        Just(Body::Recursive),
        Just(Body::Async),
        Just(Body::TryAsync),
        Just(Body::AsyncRecursive),
        Just(Body::Cleanup),
        (1..4_usize).prop_map(Body::Emitter),
    ];
    let ending = prop_oneof![
        4 => Just(Ending::Returns),
        1 => Just(Ending::Fails),
        1 => Just(Ending::Panics),
        1 => Just(Ending::HoldsABomb),
        1 => (0..6_usize).prop_map(Ending::YieldsABomb),
        1 => (0..6_usize).prop_map(Ending::StopsItself),
    ];
    (body, 0..9_usize, ending).prop_map(|(body, items, ending)| Source { body, items, ending })
}

fn wrap() -> impl Strategy<Value = Wrap> {
    let others = prop_oneof![
        Just(Others::Dropped),
        Just(Others::Idle),
        Just(Others::Lockstep),
        Just(Others::Thread),
    ];
    prop_oneof![
        4 => Just(Wrap::OnFinish),
        3 => Just(Wrap::Stoppable),
        3 => Just(Wrap::Releasable),
        1 => Just(Wrap::Boxed),
        2 => (1..4_usize).prop_map(Wrap::Lookahead),
        2 => (
            1..4_usize,
            proptest::bool::weighted(0.2),
            any::<bool>(),
            prop::option::weighted(0.2, 0..6_usize),
        )
            .prop_map(|(capacity, weighing, started, finish)| {
                Wrap::Prefetch { capacity, weighing, started, finish }
            }),
        1 => (1..4_usize).prop_map(Wrap::Bridge),
        2 => (1..4_usize, 1..4_usize, overflow(), others).prop_map(
            |(branches, capacity, overflow, others)| {
                Wrap::Tee { branches, capacity, overflow, others }
            }
        ),
    ]
}

fn pipeline() -> impl Strategy<Value = Pipeline> {
    let wraps = |most| prop::collection::vec(wrap(), 0..most);
    (source(), wraps(5), wraps(3)).prop_map(|(source, around, in_scope)| Pipeline {
        source,
        around,
        in_scope,
    })
}

pub fn op() -> impl Strategy<Value = Op> {
    const WHICH: std::ops::Range<usize> = 0..4;
    let from = || prop_oneof![3 => Just(From::Here), 1 => Just(From::Thread), 1 => Just(From::Meanwhile), 1 => Just(From::Clock)];
    let leaf = prop_oneof![
        3 => pipeline().prop_map(Op::Make),
        12 => (WHICH, 1..8_usize).prop_map(|(which, times)| Op::Pull(which, times)),
        3 => WHICH.prop_map(Op::Poll),
        1 => WHICH.prop_map(Op::Close),
        1 => WHICH.prop_map(Op::Drop),
        1 => WHICH.prop_map(Op::DropByPanic),
        1 => WHICH.prop_map(Op::Forget),
        3 => (WHICH, 0..4_usize, from()).prop_map(|(which, stop, from)| Op::Stop(which, stop, from)),
        1 => from().prop_map(Op::StopScope),
        1 => proptest::bool::weighted(0.2).prop_map(Op::Defer),
    ];
    leaf.prop_recursive(2, 16, 8, |op| block(op).prop_map(Op::Scope))
}

/// Most begin with some generators, so that there is something to do something to.
fn block(op: impl Strategy<Value = Op>) -> impl Strategy<Value = Block> {
    let made = prop::collection::vec(pipeline().prop_map(Op::Make), 0..3);
    (made, prop::collection::vec(op, 0..10), proptest::bool::weighted(0.2))
        .prop_map(|(made, ops, panics)| Block { ops: [made, ops].concat(), panics })
}

pub fn program() -> impl Strategy<Value = Block> {
    block(op())
}

impl Display for Wrap {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Wrap::OnFinish => write!(f, ".on_finish(hook)"),
            Wrap::Stoppable => write!(f, ".stoppable()"),
            Wrap::Releasable => write!(f, ".releasable()"),
            Wrap::Boxed => write!(f, ".boxed()"),
            Wrap::Lookahead(ahead) => write!(f, ".lookahead({ahead})"),
            Wrap::Prefetch { capacity, weighing, started, finish } => {
                write!(f, ".prefetch({capacity})")?;
                f.write_str(if weighing { ".weighing()" } else { "" })?;
                f.write_str(if started { ".start()" } else { "" })?;
                finish.map_or(Ok(()), |after| write!(f, ".finish_after({after})"))
            }
            Wrap::Bridge(capacity) => write!(f, ".bridge({capacity})"),
            Wrap::Tee { branches, capacity, overflow, others } => {
                write!(f, ".tee({branches}, {capacity}, {overflow:?}, Others::{others:?})")
            }
        }
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Source { body, items, ending } = self.source;
        write!(f, "{body:?}({items}, {ending:?})")?;
        self.around.iter().try_for_each(|wrap| write!(f, "{wrap}"))?;
        if !self.in_scope.is_empty() {
            write!(f, ".in_scope(s)")?;
        }
        self.in_scope.iter().try_for_each(|wrap| write!(f, "{wrap}"))
    }
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Op::Make(pipeline) => write!(f, "g.push({pipeline:?})"),
            Op::Pull(which, times) => write!(f, "g[{which}].pull({times})"),
            Op::Poll(which) => write!(f, "g[{which}].poll()"),
            Op::Close(which) => write!(f, "g[{which}].close()"),
            Op::Drop(which) => write!(f, "drop(g[{which}])"),
            Op::DropByPanic(which) => write!(f, "panic_with(g[{which}])"),
            Op::Forget(which) => write!(f, "forget(g[{which}])"),
            Op::Stop(which, stop, from) => {
                write!(f, "g[{which}].stops[{stop}].stop(From::{from:?})")
            }
            Op::StopScope(from) => write!(f, "s.stop_handle().stop(From::{from:?})"),
            Op::Defer(true) => write!(f, "s.defer(|| panic!())"),
            Op::Defer(false) => write!(f, "s.defer(|| {{}})"),
            Op::Scope(block) => write!(f, "scope(|s| {block:#?})"),
        }
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut set = f.debug_set();
        set.entries(&self.ops);
        if self.panics {
            set.entry(&format_args!("panic!()"));
        }
        set.finish()
    }
}
