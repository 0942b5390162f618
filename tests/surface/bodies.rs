//! What a pipeline begins with: bodies of every kind, each of which yields items with numbers, holds
//! something, and ends as it has been told to.

use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};

use watertight::{
    Adopted, Capacity, Cleanup, Co, PollNext, SendRecursiveCo, StopHandle, async_generator,
    async_recursive_send, generator, recursive_send, try_async_generator, try_generator,
    with_cleanup,
};

use super::build::Stage;
use super::facts::{Cleaned, Facts, Settles};
use super::program::{Body, Ending, Source};
use super::support::Ledger;
use super::support::oracle::{Fates, Held, Item, Planned};

/// What a source's body does.
#[derive(Clone)]
struct Script {
    id: usize,
    items: usize,
    ending: Ending,
    fates: Fates,
    held: Ledger,
    /// Stops whatever of the pipeline can be stopped.
    stop: StopHandle,
}

impl Script {
    fn hold(&self) -> Held {
        let bomb = self.ending == Ending::HoldsABomb;
        Held::new(&self.held, bomb.then_some(Planned("what is held", self.id)))
    }

    fn item(&self, number: usize) -> Item {
        match self.ending {
            Ending::StopsItself(at) if at == number => {
                self.stop.stop();
                self.fates.item(number)
            }
            Ending::YieldsABomb(bomb) if bomb == number => {
                self.fates.bomb(number, Planned("the item", self.id))
            }
            _ => self.fates.item(number),
        }
    }

    /// The end of the body.
    fn end(&self) {
        if self.ending == Ending::Panics {
            Planned("the body", self.id).panic();
        }
    }

    fn fails(&self) -> Result<(), Item> {
        self.end();
        match self.ending {
            Ending::Fails => Err(self.item(self.items)),
            _ => Ok(()),
        }
    }
}

/// The body of a source. A task may have to wait for every other item.
async fn body(mut co: Co<Item>, script: Script, holds: Held, waits: bool) {
    let _holds = holds;
    for number in 0..script.items {
        wait(waits && number % 2 == 1).await;
        co.yield_(script.item(number)).await;
    }
    script.end();
}

async fn fallible(mut co: Co<Item>, script: Script, holds: Held, waits: bool) -> Result<(), Item> {
    let _holds = holds;
    for number in 0..script.items {
        wait(waits && number % 2 == 1).await;
        co.yield_(script.item(number)).await;
    }
    script.fails()
}

/// Yields one item and delegates the rest. Each body holds something.
#[allow(clippy::manual_async_fn, reason = "an `async fn` could not delegate to itself")]
fn nested(
    mut co: SendRecursiveCo<'static, Item>,
    script: Script,
    holds: Held,
    from: usize,
    waits: bool,
) -> impl Future<Output = ()> + Send {
    async move {
        let _holds = holds;
        if from == script.items {
            return script.end();
        }
        wait(waits && from % 2 == 1).await;
        co.yield_(script.item(from)).await;
        let holds = Held::new(&script.held, None);
        co.yield_from(|co| nested(co, script, holds, from + 1, waits)).await;
    }
}

/// Registers something before each item.
async fn cleaned(
    mut co: Co<Item>,
    script: Script,
    holds: Held,
    cleanup: Cleanup<'static>,
    notes: Cleaned,
) {
    let _holds = holds;
    for number in 0..script.items {
        let (registered, held) = (notes.register(), Held::new(&script.held, None));
        cleanup.defer(async move {
            let _held = held;
            wait(registered.number() % 2 == 1).await;
            registered.run();
        });
        wait(number % 2 == 1).await;
        co.yield_(script.item(number)).await;
    }
    script.end();
}

/// Has two emit the items, by turns.
async fn emitted(mut co: Co<Item>, script: Script, holds: Held, ahead: usize) {
    let _holds = holds;
    let out = co.emitter(Capacity::items(ahead));
    let next = AtomicUsize::new(0);
    // The number is that of the moment when it emits: that is the order in which they come.
    let emits = async |waits| {
        while next.load(SeqCst) < script.items {
            let place = out.reserve().await;
            wait(waits).await;
            let number = next.load(SeqCst);
            if number < script.items {
                next.store(number + 1, SeqCst);
                place.emit(script.item(number));
            }
        }
    };
    out.forward(both(emits(true), emits(false))).await;
    script.end();
}

/// Runs two futures at once.
async fn both(a: impl Future<Output = ()>, b: impl Future<Output = ()>) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let mut are_over = [false, false];
    poll_fn(|cx| {
        let [a_is, b_is] = &mut are_over;
        *a_is = *a_is || a.as_mut().poll(cx).is_ready();
        *b_is = *b_is || b.as_mut().poll(cx).is_ready();
        if *a_is && *b_is { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Is pending once, if told so.
async fn wait(mut waits: bool) {
    poll_fn(|cx| {
        if mem::replace(&mut waits, false) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

/// The source that a pipeline begins with. `stop` is its group's.
pub fn source(id: usize, source: Source, stop: StopHandle) -> (Stage<'static>, Facts) {
    let Source { body: kind, items, ending } = source;
    let (fates, held) = (Fates::new(), Ledger::new());
    let script = Script { id, items, ending, fates: fates.clone(), held: held.clone(), stop };
    let holds = script.hold();
    let mut facts = Facts::new(id, fates, held);
    facts.total = items;
    match ending {
        Ending::Fails if matches!(kind, Body::Try | Body::TryAsync) => facts.total += 1,
        Ending::Panics => facts.ends_with = Some(Planned("the body", id)),
        Ending::HoldsABomb => facts.ends_with = Some(Planned("what is held", id)),
        _ => {}
    }
    facts.is_dangerous = matches!(ending, Ending::HoldsABomb | Ending::YieldsABomb(_));
    let stage = match kind {
        Body::Generator => Stage::Gen(Box::pin(generator(|co| body(co, script, holds, false)))),
        Body::Boxed => Stage::Gen(Box::pin(generator(|co| body(co, script, holds, false)).boxed())),
        Body::Recursive => {
            Stage::Gen(Box::pin(recursive_send(|co| nested(co, script, holds, 0, false))))
        }
        Body::Iterator => {
            facts.is_opaque = true;
            let mut numbers = 0..items;
            let numbers = std::iter::from_fn(move || {
                let _holds = &holds;
                numbers.next().map(|number| script.item(number)).or_else(|| {
                    script.end();
                    None
                })
            });
            Stage::Gen(Box::pin(Adopted::new(numbers)))
        }
        Body::Try => {
            facts.is_opaque = true;
            let items = try_generator(|co| fallible(co, script, holds, false)).into_iter();
            Stage::Gen(Box::pin(Adopted::new(items.map(flat))))
        }
        Body::Async => Stage::Flow(Box::pin(async_generator(|co| body(co, script, holds, true)))),
        Body::TryAsync => {
            facts.is_opaque = true; // It has ended when it has given its error.
            let items = try_async_generator(|co| fallible(co, script, holds, true));
            Stage::Flow(Box::pin(Flat(Box::pin(items))))
        }
        Body::AsyncRecursive => {
            Stage::Flow(Box::pin(async_recursive_send(|co| nested(co, script, holds, 0, true))))
        }
        Body::Cleanup => {
            // What has been registered is there until its end, and that is told of by more than a hook.
            facts.is_opaque = true;
            if facts.ends_with.is_some() {
                // After a panic it is there until the next poll, or the drop.
                facts.settle(Settles::WithTheProgram);
            }
            let notes = facts.cleaned.clone();
            let body = with_cleanup(|cleanup: Cleanup<'static>| {
                let notes = notes.clone();
                async_generator(|co| cleaned(co, script, holds, cleanup, notes))
            });
            Stage::Flow(Box::pin(body.on_abandoned(move |count| notes.abandoned(count))))
        }
        Body::Emitter(ahead) => {
            facts.room += ahead;
            Stage::Flow(Box::pin(async_generator(move |co| emitted(co, script, holds, ahead))))
        }
    };
    (stage, facts)
}

/// Gives what a flow's items are, or its errors.
struct Flat<G>(G);

impl<G: PollNext<Item = Result<Item, Item>> + Unpin> PollNext for Flat<G> {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        Pin::new(&mut self.0).poll_next(cx).map(|item| item.map(flat))
    }

    fn close_now(mut self: Pin<&mut Self>) -> bool {
        Pin::new(&mut self.0).close_now()
    }

    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    fn is_released(&self) -> bool {
        self.0.is_released()
    }
}

fn flat(result: Result<Item, Item>) -> Item {
    result.unwrap_or_else(|error| error)
}
