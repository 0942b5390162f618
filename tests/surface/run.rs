//! Runs a program, and judges it after each operation.

use std::cell::Cell;
use std::sync::OnceLock;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use watertight::GeneratorState::Yielded;
use watertight::{StopHandle, scope};

use super::bodies::source;
use super::build::{Free, In, Site, Stage, adopt, wrap};
use super::facts::{Facts, Got, Settles, Stop, World};
use super::program::{Block, Ending, From, Op, Pipeline};
use super::support::forget;
use super::support::oracle::{Item, Planned, Process, planned};
use super::support::tasks::{Bell, block_on};
use super::support::threads::{in_time, until};

struct Handle<'a> {
    id: usize,
    stage: Stage<'a>,
}

impl Stage<'_> {
    fn pull(&mut self) -> Option<Item> {
        let state = match self {
            Stage::Gen(generator) => generator.as_mut().resume(()),
            Stage::Local(generator) => generator.as_mut().resume(()),
            Stage::Flow(flow) => {
                return block_on(std::future::poll_fn(|cx| flow.as_mut().poll_next(cx)));
            }
        };
        match state {
            Ok(Yielded(item)) => Some(item),
            _ => None,
        }
    }

    /// Without waiting, if that can be.
    fn poll(&mut self) -> Poll<Option<Item>> {
        match self {
            Stage::Flow(flow) => Bell::new()
                .poll(std::pin::pin!(std::future::poll_fn(|cx| { flow.as_mut().poll_next(cx) }))),
            stage => Poll::Ready(stage.pull()),
        }
    }

    fn close(&mut self) -> bool {
        match self {
            Stage::Gen(generator) => generator.as_mut().close(),
            Stage::Local(generator) => generator.as_mut().close(),
            Stage::Flow(flow) => flow.as_mut().close_now(),
        }
    }
}

/// Waits until the stops are over that the clock had to make. All of them are made by one thread.
fn tick() {
    loop {
        let last = StopHandle::new();
        let _last = last.stop_after(Duration::from_millis(1));
        // If it was late, that stop has not been the clock's.
        if !last.is_stopped() {
            return until(|| last.is_stopped());
        }
    }
}

/// The generators of a block, by the order in which they were made. Some have gone.
type Handles<'a> = Vec<Option<Handle<'a>>>;

impl World {
    fn facts<T>(&self, id: usize, f: impl FnOnce(&mut Facts) -> T) -> T {
        f(&mut self.facts.borrow_mut()[id])
    }

    fn pull(
        &self,
        handle: &mut Handle<'_>,
        pull: impl FnOnce(&mut Stage<'_>) -> Poll<Option<Item>>,
    ) {
        let got = match planned(|| pull(&mut handle.stage)) {
            Ok(Poll::Ready(Some(item))) => Got::Item(item.deliver()),
            Ok(Poll::Ready(None)) => Got::End,
            Ok(Poll::Pending) => Got::Pending,
            Err(payload) => Got::Panic(payload),
        };
        self.facts(handle.id, |facts| facts.saw(&got));
    }

    /// Does something to a pipeline that may set its bomb off.
    fn may_panic<T>(&self, f: impl FnOnce() -> T) -> Option<T> {
        match planned(f) {
            Ok(value) => Some(value),
            Err(payload) => {
                self.facts(payload.1, |facts| facts.panicked(payload));
                None
            }
        }
    }

    fn make<'a>(
        &self,
        pipeline: &Pipeline,
        rest: impl FnOnce(&mut Facts, Stage<'static>) -> Stage<'a>,
    ) -> Option<Handle<'a>> {
        let id = self.facts.borrow().len();
        let free = Free { world: self, group: StopHandle::new() };
        let (mut stage, mut facts) = source(id, pipeline.source, free.group.clone());
        for &around in &pipeline.around {
            stage = wrap(self, &mut facts, &free, stage, around);
        }
        if !facts.grouped.is_empty() {
            let levels = std::mem::take(&mut facts.grouped);
            if matches!(pipeline.source.ending, Ending::StopsItself(_)) {
                // When it does is for the body to say. A thread that stops itself waits for nothing.
                facts.disturbed = true;
                if facts.has_threads {
                    facts.settle(Settles::WithTheProgram);
                }
            }
            facts.stops.push(Stop::new(free.group().clone(), levels));
        }
        // In a scope that has been stopped, what is releasable is released at once.
        let made = planned(|| rest(&mut facts, stage));
        self.facts.borrow_mut().push(facts);
        match made {
            Ok(stage) => Some(Handle { id, stage }),
            Err(payload) => {
                self.facts(id, |facts| {
                    facts.panicked(payload);
                    facts.closed();
                });
                None
            }
        }
    }

    /// Stops one, while its consumer waits for that or does not.
    fn stop(&self, stop: &StopHandle, from: From, meanwhile: impl FnOnce()) -> Option<bool> {
        match from {
            From::Here => self.may_panic(|| stop.stop()),
            From::Thread | From::Meanwhile => {
                let stopped = thread::scope(|threads| {
                    let stopper = threads.spawn(|| planned(|| stop.stop()));
                    if from == From::Meanwhile {
                        meanwhile();
                    }
                    stopper.join()
                });
                let stopped = stopped.unwrap_or_else(|payload| std::panic::resume_unwind(payload));
                self.may_panic(|| stopped.unwrap_or_else(|payload| payload.panic()))
            }
            From::Clock => {
                let deadline = self.may_panic(|| stop.stop_after(Duration::from_micros(50)));
                meanwhile();
                tick();
                drop(deadline);
                None
            }
        }
    }

    fn step<'a>(&self, place: &dyn Place<'a>, op: &Op, handles: &mut Handles<'a>) {
        let count = handles.len();
        let slot = |which: usize| (count > 0).then(|| which % count);
        match *op {
            Op::Make(ref pipeline) => handles.push(place.make(self, pipeline)),
            Op::Pull(which, times) => {
                let Some(handle) = slot(which).and_then(|at| handles[at].as_mut()) else { return };
                for _ in 0..times {
                    self.pull(handle, |stage| Poll::Ready(stage.pull()));
                }
            }
            Op::Poll(which) => {
                let Some(handle) = slot(which).and_then(|at| handles[at].as_mut()) else { return };
                self.pull(handle, |stage| stage.poll());
            }
            Op::Close(which) => {
                let Some(handle) = slot(which).and_then(|at| handles[at].as_mut()) else { return };
                let over = self.facts(handle.id, |facts| facts.over);
                let closed = self.may_panic(|| handle.stage.close());
                assert!(!over || closed == Some(false), "it was closed again");
                self.facts(handle.id, |facts| {
                    if !over {
                        facts.closed()
                    }
                });
            }
            Op::Drop(which) => {
                let Some(handle) = slot(which).and_then(|at| handles[at].take()) else { return };
                self.drop_it(handle);
            }
            Op::DropByPanic(which) => {
                let Some(handle) = slot(which).and_then(|at| handles[at].take()) else { return };
                let id = handle.id;
                if self.facts(id, |facts| facts.is_dangerous) {
                    return self.drop_it(handle); // Two panics at once may abort.
                }
                let consumer = Planned("the consumer", id);
                let panicked = planned(|| {
                    let _handle = handle;
                    consumer.panic()
                });
                assert_eq!(panicked, Err::<(), _>(consumer));
                self.facts(id, Facts::dropped);
            }
            Op::Forget(which) => {
                let Some(handle) = slot(which).and_then(|at| handles[at].take()) else { return };
                place.forget(self, handle);
            }
            Op::Stop(which, nth, from) => {
                let Some(handle) = slot(which).and_then(|at| handles[at].as_mut()) else { return };
                let id = handle.id;
                let stops = self.facts(id, |facts| facts.stops.len());
                let Some(nth) = (stops > 0).then(|| nth % stops) else { return };
                let (stop, levels, used) = self.facts(id, |facts| {
                    let stop = &mut facts.stops[nth];
                    let used = std::mem::replace(&mut stop.used, true);
                    (stop.handle.clone(), stop.levels.clone(), used)
                });
                self.facts(id, |facts| facts.disturbed |= !facts.over);
                let stopped = self.stop(&stop, from, || {
                    (0..3).for_each(|_| self.pull(handle, |stage| Poll::Ready(stage.pull())));
                });
                let again = used && stopped != Some(false) && from != From::Clock;
                assert!(!again, "it was stopped again");
                self.facts(id, |facts| {
                    facts.stopped_at(&levels);
                    if facts.stops[nth].releases && !facts.has_threads {
                        assert_eq!(facts.held.alive(), 0, "the stop has not released it");
                    }
                });
            }
            Op::StopScope(from) => place.stop(self, from),
            Op::Defer(panics) => place.defer(self, panics),
            Op::Scope(ref block) => self.scope(block),
        }
    }

    fn drop_it(&self, handle: Handle<'_>) {
        let Handle { id, stage } = handle;
        self.may_panic(|| drop(stage));
        self.facts(id, Facts::dropped);
    }

    /// What is left at the end of a block that does not panic goes one by one; otherwise by the panic,
    /// but for what might panic itself then.
    fn leave<'a>(&self, place: &dyn Place<'a>, handles: &mut Handles<'a>, panics: bool) {
        for slot in handles {
            let Some(handle) = slot else { continue };
            let (id, dangerous) = (handle.id, self.facts(handle.id, |facts| facts.is_dangerous));
            if panics && !dangerous {
                self.facts(id, Facts::dropped);
            } else if let Some(handle) = slot.take() {
                match id % 2 {
                    0 => self.drop_it(handle),
                    _ => place.forget(self, handle),
                }
            }
        }
    }

    fn block<'a>(&self, place: &dyn Place<'a>, block: &Block, panic: Planned) {
        let mut handles = vec![];
        for op in &block.ops {
            self.step(place, op, &mut handles);
            self.check();
        }
        self.leave(place, &mut handles, block.panics);
        if block.panics {
            panic.panic();
        }
    }

    fn scope(&self, block: &Block) {
        let first = self.facts.borrow().len();
        let panic = Planned("the block", first);
        let deferred = &Deferred::default();
        let ended = planned(|| {
            scope(|s| {
                let site = In { scope: s, group: s.stop_handle() };
                self.block(&Scoped { site, first, deferred }, block, panic);
            });
        });
        assert_eq!(deferred.waiting.get(), 0, "each deferred closure has run, once");
        let panics = block.panics || deferred.panic.get();
        match ended {
            Ok(()) => assert!(!panics, "a panic was swallowed"),
            Err(payload) if payload.0 == "the block" => assert!(block.panics && payload == panic),
            Err(_) if block.panics => panic!("another panic than the first"),
            Err(Planned("deferred", of)) => assert!(of == first && deferred.panic.get()),
            Err(payload) => {
                assert!(payload.1 >= first, "{payload:?} is of another scope");
                self.facts(payload.1, |facts| facts.panicked(payload));
            }
        }
        for facts in &mut self.facts.borrow_mut()[first..] {
            facts.dropped();
            if facts.settles == Settles::WithItsScope {
                facts.check_settled(&self.hooks);
            }
        }
    }
}

/// Where the operations of a block are done.
trait Place<'a> {
    fn make(&self, world: &World, pipeline: &Pipeline) -> Option<Handle<'a>>;
    fn forget(&self, world: &World, handle: Handle<'a>);
    fn stop(&self, world: &World, from: From);
    fn defer(&self, world: &World, panics: bool);
}

struct Outermost;

impl Place<'static> for Outermost {
    fn make(&self, world: &World, pipeline: &Pipeline) -> Option<Handle<'static>> {
        world.make(pipeline, |_, stage| stage)
    }

    /// What a stop releases is released, though nobody can ever touch it again.
    fn forget(&self, world: &World, handle: Handle<'static>) {
        let id = handle.id;
        let stop = world.facts(id, |facts| {
            let last = facts.stops.iter().rfind(|stop| stop.releases);
            last.filter(|_| facts.ends_with_release).map(|stop| stop.handle.clone())
        });
        let Some(stop) = stop else { return world.drop_it(handle) };
        forget(handle);
        world.facts(id, |facts| facts.disturbed |= !facts.over);
        world.may_panic(|| stop.stop());
        world.facts(id, Facts::closed);
    }

    fn stop(&self, _: &World, _: From) {}

    fn defer(&self, _: &World, _: bool) {}
}

#[derive(Default)]
struct Deferred {
    waiting: Cell<usize>,
    panic: Cell<bool>,
}

struct Scoped<'scope, 'env> {
    site: In<'scope, 'env>,
    /// The first pipeline of this scope.
    first: usize,
    deferred: &'env Deferred,
}

impl<'scope, 'env: 'scope> Place<'scope> for Scoped<'scope, 'env> {
    fn make(&self, world: &World, pipeline: &Pipeline) -> Option<Handle<'scope>> {
        world.make(pipeline, |facts, stage| {
            let mut stage: Stage<'scope> = stage;
            // What is not waited for inside the scope is not by it either.
            for &around in &pipeline.in_scope {
                stage = wrap(world, facts, &self.site, stage, around);
            }
            let stopped = self.site.group().is_stopped();
            if stopped {
                let levels = facts.grouped.clone();
                facts.stopped_at(&levels);
            }
            facts.is_opaque |= matches!(stage, Stage::Flow(_));
            adopt(self.site.scope, stage)
        })
    }

    fn forget(&self, world: &World, handle: Handle<'scope>) {
        let id = handle.id;
        forget(handle);
        // Nobody will touch it before the scope does.
        world.facts(id, |facts| facts.settle(Settles::WithItsScope));
    }

    fn stop(&self, world: &World, from: From) {
        for facts in &mut world.facts.borrow_mut()[self.first..] {
            facts.disturbed |= !facts.grouped.is_empty() && !facts.over;
        }
        world.stop(self.site.group(), from, || {});
        for facts in &mut world.facts.borrow_mut()[self.first..] {
            let levels = facts.grouped.clone();
            facts.stopped_at(&levels);
        }
    }

    fn defer(&self, _: &World, panics: bool) {
        let (deferred, first) = (self.deferred, self.first);
        deferred.waiting.set(deferred.waiting.get() + 1);
        deferred.panic.set(deferred.panic.get() || panics);
        self.site.scope.defer(move || {
            deferred.waiting.set(deferred.waiting.get() - 1);
            if panics {
                Planned("deferred", first).panic();
            }
        });
    }
}

/// What has been run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ran {
    pub generators: usize,
    pub items: usize,
    pub hooks: usize,
}

/// Runs a program, which fails if anything is not as it must be.
pub fn run(program: &Block) -> Ran {
    let program = program.clone();
    in_time(move || {
        // Before the first program; a later one may find threads of the last, about to end.
        static BEFORE: OnceLock<Process> = OnceLock::new();
        let before = BEFORE.get_or_init(|| {
            tick();
            Process::now()
        });
        let world = World::default();
        let panic = Planned("the block", 0);
        let ended = planned(|| world.block(&Outermost, &program, panic));
        assert_eq!(ended, if program.panics { Err(panic) } else { Ok(()) });
        world.end();
        tick(); // The clock's thread was there before, so it has to be there now.
        before.assert_back();
        let facts = world.facts.borrow();
        facts.iter().for_each(|facts| facts.check_settled(&world.hooks));
        Ran {
            generators: facts.len(),
            items: facts.iter().map(|facts| facts.fates.born()).sum(),
            hooks: world.hooks.count(),
        }
    })
}
