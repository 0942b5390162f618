//! Random programs in nested scopes against a reference: what is pulled, what is alive after each
//! operation, how each generator ended and what its hook was told.
//!
//! Generators, asynchronous ones among them, may hold other handles, panic, have destructors that panic; handles are pulled,
//! closed, dropped, forgotten, tied into cycles; stops come from this thread and from others.
//!
//! `PROPTEST_CASES=100000 cargo test --release --test scope_model` for a longer run.

#![cfg(feature = "std")]

mod support;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;

use proptest::prelude::*;
use support::oracle::{Hooks, panics, quiet};
use support::{Ledger, Thing, forget};
use watertight::{
    Co, OnFinishStream, Outcome, Scope, ScopedAsyncGen, ScopedGen, StopHandle, async_generator,
    generator, scope_under,
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Plain,
    Stoppable,
    Releasable,
    /// Asynchronous: as the first, and as the last.
    Stream,
    ReleasableStream,
}

impl Kind {
    fn can_be_stopped(self) -> bool {
        !matches!(self, Kind::Plain | Kind::Stream)
    }

    /// By a stop, which may come from another thread: so it is `Send`, and cannot hold a handle.
    fn is_released_at_once(self) -> bool {
        matches!(self, Kind::Releasable | Kind::ReleasableStream)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    Returns,
    Panics,
    /// It has a local whose destructor panics.
    Bomb,
}

#[derive(Clone, Debug)]
pub enum Op {
    /// The last: takes over the handle of a generator that is there.
    Create(Kind, usize, Ending, Option<usize>),
    Pull(usize),
    Close(usize),
    Drop(usize),
    Forget(usize),
    /// Ties the handle into a cycle that leaks.
    Tie(usize),
    /// Stops one, from here or from another thread.
    Stop(usize, bool),
    /// Stops all of the scope, from here or from another thread.
    StopAll(bool),
    /// Runs when the scope ends; panics if told so.
    Defer(bool),
    /// A scope in the scope, under its stop handle or not, whose closure ends with a panic or not.
    Scope(Vec<Op>, bool, bool),
}

pub fn op() -> impl Strategy<Value = Op> {
    let kind = prop_oneof![
        Just(Kind::Plain),
        Just(Kind::Stoppable),
        Just(Kind::Releasable),
        Just(Kind::Stream),
        Just(Kind::ReleasableStream),
    ];
    let ending = prop_oneof![
        6 => Just(Ending::Returns),
        1 => Just(Ending::Panics),
        1 => Just(Ending::Bomb),
    ];
    let leaf = prop_oneof![
        6 => (kind, 0..4_usize, ending, proptest::option::weighted(0.3, 0..8_usize))
            .prop_map(|(kind, items, ending, holds)| Op::Create(kind, items, ending, holds)),
        8 => (0..8_usize).prop_map(Op::Pull),
        1 => (0..8_usize).prop_map(Op::Close),
        2 => (0..8_usize).prop_map(Op::Drop),
        1 => (0..8_usize).prop_map(Op::Forget),
        1 => (0..8_usize).prop_map(Op::Tie),
        2 => (0..8_usize, proptest::bool::weighted(0.1)).prop_map(|(i, away)| Op::Stop(i, away)),
        1 => proptest::bool::weighted(0.1).prop_map(Op::StopAll),
        1 => proptest::bool::weighted(0.2).prop_map(Op::Defer),
    ];
    leaf.prop_recursive(3, 48, 12, |op| {
        let ops = proptest::collection::vec(op, 0..12);
        (ops, any::<bool>(), proptest::bool::weighted(0.2))
            .prop_map(|(ops, under, panics)| Op::Scope(ops, under, panics))
    })
}

/// What the reference knows of a generator.
#[derive(Debug)]
struct Expected {
    kind: Kind,
    /// In which scope it was made.
    scope: usize,
    left: usize,
    ending: Ending,
    /// The one whose handle it holds.
    holds: Option<usize>,
    /// A stop is waiting for its owner.
    asked: bool,
    outcome: Option<Outcome>,
}

#[derive(Default)]
struct World {
    ledger: Ledger,
    /// What the hooks were told. Each generator has the one of its number.
    hooks: Hooks,
    expected: RefCell<Vec<Expected>>,
    /// For each generator what it holds: (how many are alive when it is, are alive now).
    held: Ledgers,
    /// Each scope's parent, if it is under that one's stop handle, and whether it has been stopped.
    scopes: RefCell<Vec<(Option<usize>, bool)>>,
}

/// A ledger of its own for each generator, to see which are alive.
type Ledgers = RefCell<Vec<Ledger>>;

impl World {
    /// Ends a generator in the reference, and with it those whose handles it holds. Says whether a
    /// destructor panics that is run by that.
    fn end(&self, id: usize, outcome: Outcome) -> bool {
        let mut expected = self.expected.borrow_mut();
        let one = &mut expected[id];
        if one.outcome.is_some() {
            return false;
        }
        let asked = one.asked && outcome == Outcome::Dropped;
        one.outcome = Some(if asked { Outcome::Stopped } else { outcome });
        let (bomb, holds) = (one.ending == Ending::Bomb, one.holds);
        drop(expected);
        let below = holds.is_some_and(|holds| self.end(holds, Outcome::Dropped));
        bomb || below
    }

    /// A stop in the reference: whether it is this one's doing, and whether a destructor panics.
    fn stop(&self, id: usize) -> (bool, bool) {
        let mut expected = self.expected.borrow_mut();
        let one = &mut expected[id];
        if one.outcome.is_some() || one.asked || !one.kind.can_be_stopped() {
            return (false, false);
        }
        one.asked = true;
        let releasing = one.kind.is_released_at_once();
        drop(expected);
        (true, releasing && self.end(id, Outcome::Stopped))
    }

    /// Stops a scope and those under it.
    fn stop_scope(&self, scope: usize) -> (bool, bool) {
        let (mut ours, mut panics) = (!self.scopes.borrow()[scope].1, false);
        self.scopes.borrow_mut()[scope].1 = true;
        let members: Vec<_> = self.expected.borrow().iter().map(|one| one.scope).collect();
        for (id, _) in members.iter().enumerate().filter(|(_, of)| **of == scope) {
            let (stopped, panicked) = self.stop(id);
            ours |= stopped;
            panics |= panicked;
        }
        let under = self.scopes.borrow().clone();
        for (inner, _) in under.iter().enumerate().filter(|(_, of)| of.0 == Some(scope)) {
            let (stopped, panicked) = self.stop_scope(inner);
            ours |= stopped;
            panics |= panicked;
        }
        (ours, panics)
    }

    fn check(&self) {
        let expected = self.expected.borrow();
        for (id, one) in expected.iter().enumerate() {
            assert_eq!(
                self.hooks.told(id),
                Vec::from_iter(one.outcome),
                "the hook of {id}, {one:?}"
            );
            let alive = usize::from(one.outcome.is_none());
            assert_eq!(self.held.borrow()[id].alive(), alive, "what {id} holds, {one:?}");
        }
    }
}

struct Handle<'scope> {
    id: usize,
    generator: Either<'scope>,
    stop: Option<StopHandle>,
}

/// What is pulled, or polled, which is the same as long as no body waits.
enum Either<'scope> {
    Generator(ScopedGen<'scope, Thing>),
    Stream(ScopedAsyncGen<'scope, Thing>),
}

impl Either<'_> {
    fn next(&mut self) -> Option<Thing> {
        match self {
            Either::Generator(generator) => generator.next(),
            Either::Stream(stream) => {
                match stream.poll_next(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(item) => item,
                    Poll::Pending => panic!("it has to wait"),
                }
            }
        }
    }

    fn close(&mut self) -> bool {
        match self {
            Either::Generator(generator) => generator.close(),
            Either::Stream(stream) => stream.close_now(),
        }
    }
}

/// A body that holds `held`, yields `items` things and ends as it is told.
async fn body<H>(mut co: Co<Thing>, ledger: Ledger, held: H, items: usize, ending: Ending) {
    let _held = held;
    for _ in 0..items {
        co.yield_(ledger.thing("item")).await;
    }
    assert!(ending != Ending::Panics, "the body");
}

fn create<'scope>(
    world: &World,
    s: &'scope Scope<'scope, '_>,
    scope: usize,
    (kind, items, ending): (Kind, usize, Ending),
    holds: Option<Handle<'scope>>,
) -> Handle<'scope> {
    let id = world.expected.borrow().len();
    let own = Ledger::new();
    let thing = if ending == Ending::Bomb { own.bomb("bomb") } else { own.thing("held") };
    world.held.borrow_mut().push(own);
    let (_, hook) = world.hooks.hook();
    let (holds_id, rest) = holds.map(|handle| (handle.id, (handle.generator, handle.stop))).unzip();
    let ledger = world.ledger.clone();
    world.expected.borrow_mut().push(Expected {
        kind,
        scope,
        left: items,
        ending,
        holds: holds_id,
        asked: false,
        outcome: None,
    });
    if world.scopes.borrow()[scope].1 {
        // Of what is made in a scope that has been stopped.
        world.stop(id);
    }
    let body = move |co| body(co, ledger, (thing, rest), items, ending);
    let (generator, stop) = match kind {
        Kind::Plain => {
            let handle = s.adopt_generator(generator(body).on_finish(hook));
            (Either::Generator(handle.erase()), None)
        }
        Kind::Stream => {
            let handle = s.adopt_async_generator(OnFinishStream::new(async_generator(body), hook));
            (Either::Stream(handle.erase()), None)
        }
        Kind::Stoppable => {
            let (handle, stop) = s.stoppable(generator(body).on_finish(hook));
            (Either::Generator(handle.erase()), Some(stop))
        }
        Kind::Releasable | Kind::ReleasableStream => unreachable!("made by `create_releasable`"),
    };
    Handle { id, generator, stop }
}

/// The same for one that is `Send`, and so cannot hold a handle.
fn create_releasable<'scope>(
    world: &World,
    s: &'scope Scope<'scope, '_>,
    scope: usize,
    (kind, items, ending): (Kind, usize, Ending),
) -> Handle<'scope> {
    let id = world.expected.borrow().len();
    let own = Ledger::new();
    let thing = if ending == Ending::Bomb { own.bomb("bomb") } else { own.thing("held") };
    world.held.borrow_mut().push(own);
    let (_, hook) = world.hooks.hook();
    let ledger = world.ledger.clone();
    world.expected.borrow_mut().push(Expected {
        kind,
        scope,
        left: items,
        ending,
        holds: None,
        asked: false,
        outcome: None,
    });
    let stopped = world.scopes.borrow()[scope].1;
    let panics = stopped && world.stop(id).1;
    let body = move |co| body(co, ledger, thing, items, ending);
    // It may be released, with a panic, before we have it.
    let made = catch_unwind(AssertUnwindSafe(|| match kind {
        Kind::ReleasableStream => {
            let (handle, stop) =
                s.releasable_stream(OnFinishStream::new(async_generator(body), hook));
            (Either::Stream(handle.erase()), stop)
        }
        _ => {
            let (handle, stop) = s.releasable(generator(body).on_finish(hook));
            (Either::Generator(handle.erase()), stop)
        }
    }));
    assert_eq!(made.is_err(), panics);
    match made {
        Ok((generator, stop)) => Handle { id, generator, stop: Some(stop) },
        Err(_) => {
            let mut nothing = s.adopt(std::iter::empty());
            nothing.close();
            Handle { id, generator: Either::Generator(nothing.erase()), stop: None }
        }
    }
}

fn here_or_away(stop: &StopHandle, away: bool) -> (bool, Option<bool>) {
    match away {
        false => panics(|| stop.stop()),
        true => {
            let stopped = thread::scope(|threads| threads.spawn(|| stop.stop()).join());
            (stopped.is_err(), stopped.ok())
        }
    }
}

/// A cycle that keeps its handle for ever.
struct Knot<'scope> {
    _handle: Handle<'scope>,
    itself: RefCell<Option<Rc<Knot<'scope>>>>,
}

fn step<'scope>(
    world: &World,
    s: &'scope Scope<'scope, '_>,
    scope: usize,
    op: &Op,
    handles: &mut Vec<Handle<'scope>>,
) {
    let count = handles.len();
    let at = |index: usize| (count > 0).then(|| index % count);
    match *op {
        Op::Create(kind, items, ending, holds) => {
            // Two panics in one body abort: one with a bomb holds no handle of another.
            let holds = holds.filter(|_| ending == Ending::Returns && !kind.is_released_at_once());
            let holds = holds.and_then(at).map(|index| handles.remove(index));
            handles.push(match kind.is_released_at_once() {
                true => create_releasable(world, s, scope, (kind, items, ending)),
                false => create(world, s, scope, (kind, items, ending), holds),
            });
        }
        Op::Pull(index) => {
            let Some(handle) = at(index).map(|index| &mut handles[index]) else { return };
            let (panicked, item) = panics(|| handle.generator.next());
            let (over, asked, left, ending) = {
                let one = &world.expected.borrow()[handle.id];
                (one.outcome.is_some(), one.asked, one.left, one.ending)
            };
            let (panic, yields) = match () {
                () if over => (false, false),
                () if asked => (world.end(handle.id, Outcome::Stopped), false),
                () if left > 0 => (false, true),
                () if ending == Ending::Panics => {
                    world.end(handle.id, Outcome::Panicked);
                    (true, false)
                }
                () => {
                    let panic = world.end(handle.id, Outcome::Completed);
                    if panic {
                        // In its last step: so that is how it ended.
                        world.expected.borrow_mut()[handle.id].outcome = Some(Outcome::Panicked);
                    }
                    (panic, false)
                }
            };
            world.expected.borrow_mut()[handle.id].left -= usize::from(yields);
            assert_eq!(panicked, panic);
            assert_eq!(item.flatten().is_some(), yields);
        }
        Op::Close(index) => {
            let Some(handle) = at(index).map(|index| &mut handles[index]) else { return };
            let live = {
                let one = &world.expected.borrow()[handle.id];
                one.outcome.is_none() && !one.asked
            };
            let (panicked, closed) = panics(|| handle.generator.close());
            assert_eq!(panicked, world.end(handle.id, Outcome::Stopped));
            assert!(panicked || closed == Some(live));
        }
        Op::Drop(index) => {
            let Some(handle) = at(index).map(|index| handles.remove(index)) else { return };
            let id = handle.id;
            let (panicked, _) = panics(|| drop(handle));
            assert_eq!(panicked, world.end(id, Outcome::Dropped));
        }
        Op::Forget(index) => {
            if let Some(index) = at(index) {
                forget(handles.remove(index));
            }
        }
        Op::Tie(index) => {
            if let Some(index) = at(index) {
                let itself = RefCell::default();
                let knot = Rc::new(Knot { _handle: handles.remove(index), itself });
                *knot.itself.borrow_mut() = Some(knot.clone());
                forget(knot);
            }
        }
        Op::Stop(index, away) => {
            let Some(handle) = at(index).map(|index| &handles[index]) else { return };
            let Some(stop) = &handle.stop else { return };
            let (panicked, stopped) = here_or_away(stop, away);
            let (ours, panic) = world.stop(handle.id);
            assert_eq!(panicked, panic);
            assert!(panicked || stopped == Some(ours));
            assert_eq!(stop.outcome(), world.expected.borrow()[handle.id].outcome);
        }
        Op::StopAll(away) => {
            let (panicked, stopped) = here_or_away(&s.stop_handle(), away);
            let (ours, panic) = world.stop_scope(scope);
            assert_eq!(panicked, panic);
            assert!(panicked || stopped == Some(ours));
        }
        Op::Defer(panics) => {
            unreachable!("done by `run_scope`, which knows that it panics: {panics}")
        }
        Op::Scope(ref ops, under, panics) => {
            let above = under.then(|| (s.stop_handle(), scope));
            run_scope(world, ops, above, panics);
        }
    }
}

fn run_scope(world: &World, ops: &[Op], above: Option<(StopHandle, usize)>, panic: bool) {
    let scope = world.scopes.borrow().len();
    let (group, parent) = above.unzip();
    let stopped = parent.is_some_and(|parent| world.scopes.borrow()[parent].1);
    world.scopes.borrow_mut().push((parent, stopped));
    let deferred = &Cell::new(ops.iter().filter(|op| matches!(op, Op::Defer(_))).count());
    let deferred_panics = ops.iter().any(|op| matches!(op, Op::Defer(true)));
    let first = world.expected.borrow().len();
    let (panicked, _) = panics(|| {
        scope_under(&group.unwrap_or_default(), |s| {
            let mut handles = vec![];
            for op in ops {
                if let Op::Defer(panics) = *op {
                    s.defer(move || {
                        deferred.set(deferred.get() - 1);
                        assert!(!panics, "the deferred closure");
                    });
                } else {
                    step(world, s, scope, op, &mut handles);
                }
                world.check();
            }
            forget(handles); // So that all that is left is the scope's to release.
            assert!(!panic, "the closure");
        })
    });
    // Everything of this scope, and what was held by its generators, is over.
    let left = world.expected.borrow().len();
    let mut at_the_end = false;
    for id in (first..left).rev() {
        let of_this = world.expected.borrow()[id].scope == scope;
        at_the_end |= of_this && world.end(id, Outcome::Dropped);
    }
    assert_eq!(panicked, panic || deferred_panics || at_the_end);
    world.check();
    // It is over: no stop of its parent reaches it any more.
    world.scopes.borrow_mut()[scope].0 = None;
    assert_eq!(deferred.get(), 0, "every deferred closure has run, once");
}

pub fn programs() -> impl Strategy<Value = Vec<Op>> {
    proptest::collection::vec(op(), 0..40)
}

pub fn run(ops: &[Op]) {
    quiet(&["the body", "the closure", "the deferred", "the destructor"]);
    let world = World::default();
    run_scope(&world, ops, None, false);
    world.ledger.assert_settled();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None, // What is found becomes a test of its own.
        ..ProptestConfig::default()
    })]

    #[test]
    fn scopes_do_what_the_reference_says(ops in programs()) {
        run(&ops);
    }
}
