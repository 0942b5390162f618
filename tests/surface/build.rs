//! Builds a pipeline out of the crate's parts, with their types hidden, and notes what is to be known of
//! it in order to judge it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};

use futures_core::Stream;
use watertight::{
    Adopted, AdoptedStream, AsyncBoxed, Boxed, Branch, Capacity, LocalBranch, Lookahead, OnFinish,
    OnFinishStream, Overflow, PollNext, Prefetch, Releasable, ReleasableStream, Resume, Scope,
    StopHandle, Stoppable, TaskStream, TeeError, prefetch_stream,
};

use super::facts::{Facts, Settles, Stop, World};
use super::program::{Others, Wrap};
use super::support::oracle::Item;
use super::support::tasks::block_on;

pub type Gen<'a> = Pin<Box<dyn Resume<Argument = (), Yield = Item, Return = ()> + Send + 'a>>;
pub type LocalGen<'a> = Pin<Box<dyn Resume<Argument = (), Yield = Item, Return = ()> + 'a>>;
pub type Flow<'a> = Pin<Box<dyn PollNext<Item = Item> + Send + 'a>>;

/// A source and what is around it so far.
pub enum Stage<'a> {
    Gen(Gen<'a>),
    /// It is bound to its thread.
    Local(LocalGen<'a>),
    Flow(Flow<'a>),
}

/// The same for a [`Gen`] and for a [`LocalGen`].
macro_rules! either {
    ($stage:expr, $generator:ident => $made:expr) => {
        match $stage {
            Stage::Gen($generator) => Stage::Gen(Box::pin($made)),
            Stage::Local($generator) => Stage::Local(Box::pin($made)),
            Stage::Flow(_) => unreachable!("it has been made synchronous"),
        }
    };
}

impl<'a> Stage<'a> {
    /// As something that is pulled, not polled.
    fn pulled(self) -> Self {
        match self {
            Stage::Flow(flow) => Stage::Gen(Box::pin(Adopted::new(Awaited(flow)))),
            stage => stage,
        }
    }
}

/// Where a pipeline is made: in a scope, or in none. It says what may borrow, and who ends it.
pub trait Site<'a> {
    fn stoppable(&self, stage: Stage<'a>) -> (Stage<'a>, StopHandle);
    fn releasable(&self, generator: Gen<'a>) -> (Stage<'a>, StopHandle);
    fn prefetch(&self, generator: Gen<'a>, capacity: Capacity) -> Prefetch<'a, Item>;
    fn tee(
        &self,
        generator: Gen<'a>,
        count: usize,
        room: Capacity,
        full: Overflow,
    ) -> Vec<Branch<'a, Item>>;
    /// The group that stops what is made here.
    fn group(&self) -> &StopHandle;
    /// When what is dropped without waiting for its thread is waited for.
    fn settles(&self) -> Settles;
    /// What needs `'static`, and is only to be had outside a scope.
    fn outside(&self) -> Option<&dyn Outside<'a>>;
}

pub trait Outside<'a> {
    fn releasable_flow(&self, flow: Flow<'a>) -> (Flow<'a>, StopHandle);
    /// Has a thread drive it.
    fn drive(&self, flow: Flow<'a>, capacity: Capacity) -> TaskStream<Item>;
    /// Has a thread read a branch to its end.
    fn drain(&self, branch: Branch<'a, Item>);
}

/// No scope.
pub struct Free<'w> {
    pub world: &'w World,
    pub group: StopHandle,
}

impl Site<'static> for Free<'_> {
    fn stoppable(&self, stage: Stage<'static>) -> (Stage<'static>, StopHandle) {
        let stop;
        let stage = either!(stage, generator => {
            let stoppable = Stoppable::under(generator, &self.group);
            stop = stoppable.stop_handle();
            stoppable
        });
        (stage, stop)
    }

    fn releasable(&self, generator: Gen<'static>) -> (Stage<'static>, StopHandle) {
        let releasable = Releasable::under(generator, &self.group);
        let stop = releasable.stop_handle();
        (Stage::Gen(Box::pin(releasable)), stop)
    }

    fn prefetch(&self, generator: Gen<'static>, capacity: Capacity) -> Prefetch<'static, Item> {
        Prefetch::under(generator, capacity, &self.group)
    }

    fn tee(
        &self,
        generator: Gen<'static>,
        count: usize,
        room: Capacity,
        full: Overflow,
    ) -> Vec<Branch<'static, Item>> {
        Branch::split_under(generator, count, room, full, &self.group)
    }

    fn group(&self) -> &StopHandle {
        &self.group
    }

    fn settles(&self) -> Settles {
        Settles::AtOnce // A prefetch waits for its thread.
    }

    fn outside(&self) -> Option<&dyn Outside<'static>> {
        Some(self)
    }
}

impl Outside<'static> for Free<'_> {
    fn releasable_flow(&self, flow: Flow<'static>) -> (Flow<'static>, StopHandle) {
        let releasable = ReleasableStream::under(flow, &self.group);
        let stop = releasable.stop_handle();
        (Box::pin(releasable), stop)
    }

    fn drive(&self, flow: Flow<'static>, capacity: Capacity) -> TaskStream<Item> {
        let (stream, driver) = prefetch_stream(Polled(flow), capacity);
        self.world.help(move || block_on(driver));
        stream.under(&self.group)
    }

    fn drain(&self, branch: Branch<'static, Item>) {
        self.world.help(move || {
            let numbers = branch.map(Item::deliver);
            assert!(numbers.is_sorted_by(|a, b| a < b), "the other branch is out of order");
        });
    }
}

/// In a scope.
pub struct In<'scope, 'env> {
    pub scope: &'scope Scope<'scope, 'env>,
    pub group: StopHandle,
}

impl<'scope> Site<'scope> for In<'scope, '_> {
    fn stoppable(&self, stage: Stage<'scope>) -> (Stage<'scope>, StopHandle) {
        let (handle, stop) = match stage {
            Stage::Gen(generator) => {
                let (handle, stop) = self.scope.stoppable(generator);
                (handle.erase(), stop)
            }
            Stage::Local(generator) => {
                let (handle, stop) = self.scope.stoppable(generator);
                (handle.erase(), stop)
            }
            Stage::Flow(_) => unreachable!("it has been made synchronous"),
        };
        (Stage::Local(Box::pin(handle)), stop)
    }

    fn releasable(&self, generator: Gen<'scope>) -> (Stage<'scope>, StopHandle) {
        let (handle, stop) = self.scope.releasable(generator);
        (Stage::Local(Box::pin(handle)), stop)
    }

    fn prefetch(&self, generator: Gen<'scope>, capacity: Capacity) -> Prefetch<'scope, Item> {
        self.scope.prefetch_generator(capacity, generator)
    }

    fn tee(
        &self,
        generator: Gen<'scope>,
        count: usize,
        room: Capacity,
        full: Overflow,
    ) -> Vec<Branch<'scope, Item>> {
        Branch::split(generator, count, room, full)
    }

    fn group(&self) -> &StopHandle {
        &self.group
    }

    fn settles(&self) -> Settles {
        Settles::WithItsScope
    }

    fn outside(&self) -> Option<&dyn Outside<'scope>> {
        None
    }
}

/// Takes the pipeline over into the scope: nothing of it is outside of that any more.
pub fn adopt<'scope>(scope: &'scope Scope<'scope, '_>, stage: Stage<'scope>) -> Stage<'scope> {
    Stage::Local(match stage.pulled() {
        Stage::Gen(generator) => Box::pin(scope.adopt_generator(generator).erase()),
        Stage::Local(generator) => Box::pin(scope.adopt_generator(generator).erase()),
        Stage::Flow(_) => unreachable!("it has been made synchronous"),
    })
}

/// Puts something around a stage.
pub fn wrap<'a>(
    world: &World,
    facts: &mut Facts,
    site: &dyn Site<'a>,
    stage: Stage<'a>,
    wrap: Wrap,
) -> Stage<'a> {
    facts.level += 1;
    let level = facts.level;
    facts.ends_with_release = false;
    match wrap {
        Wrap::OnFinish => {
            let (number, hook) = world.hooks.hook();
            facts.hooks.push((level, number));
            match stage {
                Stage::Flow(flow) => Stage::Flow(Box::pin(OnFinishStream::new(flow, hook))),
                stage => either!(stage, generator => OnFinish::new(generator, hook)),
            }
        }
        Wrap::Boxed => match stage {
            Stage::Flow(flow) => Stage::Flow(Box::pin(AsyncBoxed::new(flow))),
            stage => either!(stage, generator => Boxed::new(generator)),
        },
        Wrap::Stoppable => {
            let (stage, stop) = site.stoppable(facts.pulled(stage));
            facts.stops.push(Stop::new(stop, vec![level]));
            facts.grouped.push(level);
            stage
        }
        Wrap::Releasable => {
            let (stage, stop) = match (stage, site.outside()) {
                (Stage::Flow(flow), Some(outside)) => {
                    let (flow, stop) = outside.releasable_flow(flow);
                    (Stage::Flow(flow), stop)
                }
                (stage, _) => match facts.pulled(stage) {
                    Stage::Gen(generator) => site.releasable(generator),
                    stage => return stage,
                },
            };
            facts.stops.push(Stop { releases: true, ..Stop::new(stop, vec![level]) });
            facts.grouped.push(level);
            facts.ends_with_release = true;
            stage
        }
        Wrap::Lookahead(ahead) => {
            facts.buffer(level, ahead);
            (facts.looks_ahead, facts.is_opaque) = (true, true);
            let capacity = Capacity::items(ahead);
            let stage = facts.pulled(stage);
            either!(stage, generator => Adopted::new(Looking(Lookahead::new(generator, capacity))))
        }
        Wrap::Prefetch { capacity, weighing, started, finish } => {
            match run_ahead(facts, site, stage, capacity, weighing, started) {
                Ahead::Thread(prefetch) => match finish {
                    None => Stage::Gen(Box::pin(Adopted::new(prefetch))),
                    Some(after) => {
                        let cut = Arc::new(AtomicUsize::new(after));
                        facts.cuts.push(cut.clone());
                        let taken = 0;
                        Stage::Gen(Box::pin(Adopted::new(Finished { prefetch, after, taken, cut })))
                    }
                },
                Ahead::Task(stream) => Stage::Flow(Box::pin(AdoptedStream::new(stream))),
                Ahead::Not(stage) => stage,
            }
        }
        Wrap::Bridge(capacity) => {
            match run_ahead(facts, site, stage, capacity, false, false) {
                Ahead::Thread(prefetch) => {
                    facts.settle(match site.settles() {
                        Settles::AtOnce => Settles::WithTheProgram, // A task does not wait.
                        later => later,
                    });
                    Stage::Flow(Box::pin(AdoptedStream::new(prefetch.into_stream())))
                }
                Ahead::Task(stream) => Stage::Gen(Box::pin(Adopted::new(stream.into_blocking()))),
                Ahead::Not(stage) => stage,
            }
        }
        Wrap::Tee { branches, capacity, overflow, others } => {
            facts.is_opaque = true;
            facts.room += branches * (capacity + 1);
            let room = Capacity::items(capacity);
            match facts.pulled(stage) {
                Stage::Gen(generator) => {
                    if site.outside().is_some() {
                        facts.grouped.push(level);
                    }
                    let mut all = site.tee(generator, branches, room, overflow);
                    let mine = all.remove(0);
                    if let (Others::Thread, Some(outside), [_, ..]) =
                        (others, site.outside(), &*all)
                    {
                        // Once the source has ended there is nothing to stop: the backlog comes.
                        facts.buffer(level + 1, capacity);
                        facts.has_threads = true;
                        facts.begins_early = true;
                        facts.shares_its_end = true;
                        facts.settle(Settles::WithTheProgram);
                        match overflow {
                            Overflow::DropOldest | Overflow::DropNewest => facts.loses = true,
                            // Who is refused would ask again and again.
                            _ => all.iter().chain([&mine]).for_each(|branch| {
                                branch.set_overflow(Overflow::Block);
                            }),
                        }
                        outside.drain(all.remove(0));
                        all.clear();
                    }
                    Stage::Gen(Box::pin(Adopted::new(Teed::new(
                        mine, all, others, capacity, overflow,
                    ))))
                }
                Stage::Local(generator) => {
                    let mut all = LocalBranch::split_local(generator, branches, room, overflow);
                    let mine = all.remove(0);
                    Stage::Local(Box::pin(Adopted::new(Teed::new(
                        mine, all, others, capacity, overflow,
                    ))))
                }
                Stage::Flow(_) => unreachable!("it has been made synchronous"),
            }
        }
    }
}

enum Ahead<'a> {
    Thread(Prefetch<'a, Item>),
    Task(TaskStream<Item>),
    /// It is bound to its thread.
    Not(Stage<'a>),
}

fn run_ahead<'a>(
    facts: &mut Facts,
    site: &dyn Site<'a>,
    stage: Stage<'a>,
    capacity: usize,
    weighing: bool,
    started: bool,
) -> Ahead<'a> {
    let room = Capacity::items(capacity);
    let ahead = match (stage, site.outside()) {
        (Stage::Local(generator), _) => return Ahead::Not(Stage::Local(generator)),
        (Stage::Flow(flow), Some(outside)) => {
            facts.begins_early = true;
            facts.settle(Settles::WithTheProgram);
            Ahead::Task(outside.drive(flow, room))
        }
        (stage, _) => {
            let Stage::Gen(generator) = facts.pulled(stage) else { unreachable!("it is `Send`") };
            let mut prefetch = site.prefetch(generator, room);
            if weighing {
                facts.room += 1;
                prefetch = prefetch.weighing(capacity, |_| 1);
            }
            if started {
                facts.begins_early = true;
                prefetch.start().expect("there is a thread for it");
            }
            facts.settle(site.settles());
            facts.has_free_threads |= site.outside().is_some();
            Ahead::Thread(prefetch)
        }
    };
    facts.is_opaque = true;
    facts.has_threads = true;
    facts.buffer(facts.level, capacity);
    facts.grouped.push(facts.level);
    ahead
}

impl Facts {
    /// What pulls a flow drops it when it is closed.
    fn pulled<'a>(&mut self, stage: Stage<'a>) -> Stage<'a> {
        self.is_opaque |= matches!(stage, Stage::Flow(_));
        stage.pulled()
    }
}

/// A flow as an iterator that waits.
struct Awaited<'a>(Flow<'a>);

impl Iterator for Awaited<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        block_on(poll_fn(|cx| self.0.as_mut().poll_next(cx)))
    }
}

/// A flow as a stream.
struct Polled<'a>(Flow<'a>);

impl Stream for Polled<'_> {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// Has its source end after so many items, and gives what is there then.
struct Finished<'a> {
    prefetch: Prefetch<'a, Item>,
    after: usize,
    taken: usize,
    /// How many there are at least.
    cut: Arc<AtomicUsize>,
}

impl Iterator for Finished<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if self.taken == self.after {
            self.cut.store(self.taken + self.prefetch.stats().buffered, SeqCst);
            self.prefetch.finish();
        }
        self.taken += 1;
        self.prefetch.next()
    }
}

/// Looks ahead as far as it can before each item.
struct Looking<G: Resume>(Lookahead<G>);

impl<G: Resume<Argument = (), Yield = Item, Return = ()> + Unpin> Iterator for Looking<G> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let last = self.0.capacity().get() - 1;
        self.0.peek_nth(last);
        self.0.next()
    }
}

/// What a branch of either kind can do.
trait Branching {
    fn take(&mut self) -> Result<Option<Item>, TeeError>;
    fn waiting(&self) -> usize;
}

macro_rules! branching {
    ($($branch:ty)*) => {
        $(impl Branching for $branch {
            fn take(&mut self) -> Result<Option<Item>, TeeError> {
                self.try_next()
            }

            fn waiting(&self) -> usize {
                self.backlog()
            }
        })*
    };
}

branching! { Branch<'_, Item> LocalBranch<'_, Item> }

/// A branch, and the others as far as they are read along with it.
struct Teed<B> {
    mine: B,
    others: Vec<(B, Option<usize>)>,
    in_step: bool,
    capacity: usize,
}

impl<B: Branching> Teed<B> {
    fn new(mine: B, mut all: Vec<B>, others: Others, capacity: usize, overflow: Overflow) -> Self {
        if others == Others::Dropped {
            all.clear();
        }
        let loses = matches!(overflow, Overflow::DropOldest | Overflow::DropNewest);
        let in_step = others != Others::Idle || !loses;
        Teed {
            mine,
            others: all.into_iter().map(|other| (other, None)).collect(),
            in_step,
            capacity,
        }
    }
}

impl<B: Branching> Iterator for Teed<B> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        for (other, last) in self.others.iter_mut().filter(|_| self.in_step) {
            while other.waiting() == self.capacity {
                if let Ok(Some(item)) = other.take() {
                    let number = item.deliver();
                    assert!(*last < Some(number), "{number} after {last:?} in another branch");
                    *last = Some(number);
                }
            }
        }
        loop {
            match self.mine.take() {
                Ok(item) => return item,
                Err(TeeError::Lagged(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}
