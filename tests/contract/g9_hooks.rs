//! G9: a hook runs exactly once and is told how its generator ended.

use std::cell::RefCell;
use std::pin::{Pin, pin};

use watertight::{
    Adopted, Co, GeneratorState, OnFinish, Outcome, RecursiveCo, Resume, ResumeError, Resumed,
    generator, try_generator,
};

use crate::support::{Ledger, catch, holding, message, poll_once};

type Log = RefCell<Vec<Outcome>>;

/// A hook that notes what it is told, and sees that everything has been released by then.
fn note<'a>(log: &'a Log, ledger: &'a Ledger) -> impl FnOnce(Outcome) + 'a {
    |outcome| {
        ledger.assert_settled();
        log.borrow_mut().push(outcome);
    }
}

#[test]
fn g9_completed() {
    let (log, ledger) = (Log::default(), Ledger::new());
    let thing = ledger.thing("held");
    let body = async |mut co: Co<u32>| {
        let _held = thing;
        co.yield_all(0..3).await;
    };
    let mut hooked = pin!(generator(body).on_finish(note(&log, &ledger)));
    assert_eq!(hooked.by_ref().take(3).count(), 3);
    assert_eq!(*log.borrow(), [], "not before it has ended");
    for _ in 0..3 {
        assert_eq!(hooked.next(), None);
        assert!(!hooked.as_mut().close());
    }
    assert_eq!(*log.borrow(), [Outcome::Completed]);
}

#[test]
fn g9_stopped_by_its_owner() {
    for pulled in 0..3 {
        let (log, ledger) = (Log::default(), Ledger::new());
        let mut hooked = pin!(holding(ledger.thing("held")).on_finish(note(&log, &ledger)));
        assert_eq!(hooked.by_ref().take(pulled).count(), pulled);
        assert!(hooked.as_mut().close());
        assert!(!hooked.as_mut().close());
        assert_eq!(*log.borrow(), [Outcome::Stopped]);
    }
}

#[test]
fn g9_dropped() {
    for pulled in 0..3 {
        let (log, ledger) = (Log::default(), Ledger::new());
        let mut hooked = Box::pin(holding(ledger.thing("held")).on_finish(note(&log, &ledger)));
        assert_eq!(hooked.by_ref().take(pulled).count(), pulled);
        drop(hooked);
        assert_eq!(*log.borrow(), [Outcome::Dropped]);
    }
}

#[test]
fn g9_dropped_by_a_panic_of_the_consumer() {
    let (log, ledger) = (Log::default(), Ledger::new());
    let text = message(|| {
        let hooked = pin!(holding(ledger.thing("held")).on_finish(note(&log, &ledger)));
        for n in hooked {
            assert!(n < 3, "the consumer");
        }
    });
    assert_eq!(text, "the consumer");
    assert_eq!(*log.borrow(), [Outcome::Dropped]);
}

#[test]
fn g9_panicked() {
    let (log, ledger) = (Log::default(), Ledger::new());
    let thing = ledger.thing("held");
    let body = async |mut co: Co<u32>| {
        let _held = thing;
        co.yield_(1).await;
        panic!("the body");
    };
    let mut hooked = pin!(generator(body).on_finish(note(&log, &ledger)));
    assert_eq!(hooked.next(), Some(1));
    assert_eq!(message(|| hooked.next()), "the body");
    assert_eq!(*log.borrow(), [Outcome::Panicked], "before the panic has reached the caller");
    assert_eq!(hooked.next(), None);
    assert_eq!(log.borrow().len(), 1);
}

#[test]
fn g9_a_generator_that_failed_has_completed() {
    for pulled in 0..4 {
        let (log, ledger) = (Log::default(), Ledger::new());
        let mut hooked = Box::pin(
            try_generator(async |mut co: Co<u32>| {
                co.yield_(1).await;
                Err("failed")
            })
            .on_finish(note(&log, &ledger)),
        );
        hooked.by_ref().take(pulled).for_each(drop);
        drop(hooked);
        let how = if pulled < 2 { Outcome::Dropped } else { Outcome::Completed };
        assert_eq!(*log.borrow(), [how], "{pulled} pulled");
    }
}

/// What the hook of a generator is told that is dropped after so many steps.
fn told_when_dropped<G: Resume<Argument = ()>>(generator: G, steps: usize) -> Outcome {
    let log = Log::default();
    let mut hooked = Box::pin(OnFinish::new(generator, |outcome| log.borrow_mut().push(outcome)));
    for _ in 0..steps {
        assert!(hooked.as_mut().resume(()).is_ok());
    }
    drop(hooked);
    let [outcome] = log.into_inner()[..] else { panic!("called once") };
    outcome
}

#[test]
fn g9_a_generator_that_failed_has_completed_also_behind_a_pointer() {
    let failing = || {
        try_generator(async |mut co: Co<u32>| {
            co.yield_(1).await;
            Err("failed")
        })
    };
    for (steps, outcome) in
        [Outcome::Dropped, Outcome::Dropped, Outcome::Completed].into_iter().enumerate()
    {
        assert_eq!(told_when_dropped(pin!(failing()), steps), outcome);
        assert_eq!(told_when_dropped(&mut pin!(failing()), steps), outcome);
        assert_eq!(told_when_dropped(&mut &mut pin!(failing()), steps), outcome);
        assert_eq!(told_when_dropped(failing().on_finish(|_| ()), steps), outcome);
        #[cfg(feature = "alloc")]
        {
            assert_eq!(told_when_dropped(failing().boxed(), steps), outcome);
            let mut boxed = failing().boxed_local();
            assert_eq!(told_when_dropped(&mut boxed, steps), outcome);
            assert!(boxed.close(), "it is still its owner's");
            let recursive = watertight::try_recursive(async |mut co: RecursiveCo<u32>| {
                co.yield_(1).await;
                Err("failed")
            });
            assert_eq!(told_when_dropped(recursive, steps), outcome);
        }
    }
}

/// Its last step brings a value, and the end is there already.
#[test]
fn g9_a_generator_whose_end_is_still_to_be_reported_has_completed() {
    let body = async |mut co: Co<u32>| {
        co.yield_(1).await;
        let _ = poll_once(&mut co.yield_(2)).await;
    };
    assert_eq!(told_when_dropped(pin!(generator(body)), 1), Outcome::Dropped);
    assert_eq!(told_when_dropped(pin!(generator(body)), 2), Outcome::Completed);
    #[cfg(feature = "alloc")]
    {
        let body = async |mut co: RecursiveCo<u32>| {
            co.yield_(1).await;
            let _ = poll_once(&mut co.yield_(2)).await;
        };
        assert_eq!(told_when_dropped(watertight::recursive(body), 1), Outcome::Dropped);
        assert_eq!(told_when_dropped(watertight::recursive(body), 2), Outcome::Completed);
    }
}

#[test]
fn g9_a_generator_of_ones_own_that_is_finished_has_completed() {
    /// Gives so many numbers, and has finished with the last one.
    struct Down(u32);

    impl Resume for Down {
        type Argument = ();
        type Yield = u32;
        type Return = ();

        fn resume(mut self: Pin<&mut Self>, (): ()) -> Resumed<u32, (), ()> {
            self.0 = self.0.checked_sub(1).ok_or_else(|| ResumeError::new(()))?;
            Ok(GeneratorState::Yielded(self.0))
        }

        fn close(mut self: Pin<&mut Self>) -> bool {
            std::mem::take(&mut self.0) > 0
        }

        fn is_finished(&self) -> bool {
            self.0 == 0
        }
    }
    assert_eq!(told_when_dropped(Down(2), 1), Outcome::Dropped);
    assert_eq!(told_when_dropped(Down(2), 2), Outcome::Completed);
    let (live, finished) = (Down(1), Down(0));
    assert_eq!((live.remaining(), finished.remaining()), ((0, None), (0, Some(0))));
}

#[test]
fn g9_an_iterators_hook() {
    let (log, ledger) = (Log::default(), Ledger::new());
    let things: Vec<_> = (0..3).map(|_| ledger.thing("item")).collect();
    let mut hooked = Adopted::new(things.into_iter()).on_finish(note(&log, &ledger));
    drop(hooked.next());
    drop(hooked);
    assert_eq!(*log.borrow(), [Outcome::Dropped]);
}

#[test]
fn g9_hooks_run_from_the_inside_out() {
    let order = RefCell::new(vec![]);
    let note = |name| {
        let order = &order;
        move |outcome| order.borrow_mut().push((name, outcome))
    };
    for (how, stop) in [(Outcome::Stopped, true), (Outcome::Dropped, false)] {
        let ledger = Ledger::new();
        let mut hooked = Box::pin(
            holding(ledger.thing("held")).on_finish(note("inner")).on_finish(note("outer")),
        );
        if stop {
            hooked.as_mut().close();
        }
        drop(hooked);
        assert_eq!(order.take(), [("inner", how), ("outer", how)]);
    }
}

#[test]
fn g9_a_hook_that_panics_has_run_and_reaches_whoever_ended_the_generator() {
    let ledger = Ledger::new();
    let panics = || |outcome: Outcome| panic!("the hook, {outcome:?}");

    let ended = generator(async |_co: Co<u32>| ledger.thing("the end"));
    let mut hooked = pin!(OnFinish::new(ended, panics()));
    assert_eq!(message(|| hooked.as_mut().resume(())), "the hook, Completed");
    ledger.assert_settled(); // What was being returned is dropped.
    assert!(hooked.as_mut().resume(()).is_err());
    assert!(!hooked.as_mut().close());

    let mut hooked = Box::pin(holding(ledger.thing("held")).on_finish(panics()));
    assert_eq!(message(|| hooked.as_mut().close()), "the hook, Stopped");
    assert!(hooked.is_finished());
    drop(hooked);

    let hooked = Box::pin(holding(ledger.thing("held")).on_finish(panics()));
    assert_eq!(message(|| drop(hooked)), "the hook, Dropped");
    ledger.assert_settled();
}

#[cfg(feature = "std")]
#[test]
fn g9_a_hook_that_panics_during_another_panic_is_contained() {
    let ledger = Ledger::new();
    let mut hooked =
        pin!(generator(async |_co: Co<u32>| panic!("the body")).on_finish(|_| panic!("the hook")));
    assert_eq!(message(|| hooked.next()), "the body");

    let text = message(|| {
        let _hooked = pin!(holding(ledger.thing("held")).on_finish(|_| panic!("the hook")));
        panic!("the consumer");
    });
    assert_eq!(text, "the consumer");
    ledger.assert_settled();
}

#[test]
fn g9_a_destructor_that_panics_does_not_keep_the_hook_from_running() {
    for close in [true, false] {
        let (log, ledger) = (Log::default(), Ledger::new());
        let mut hooked = Box::pin(holding(ledger.bomb("bomb")).on_finish(note(&log, &ledger)));
        assert_eq!(hooked.next(), Some(0));
        if close {
            catch(|| hooked.as_mut().close());
        } else {
            catch(|| drop(hooked));
        }
        let how = if close { Outcome::Stopped } else { Outcome::Dropped };
        assert_eq!(*log.borrow(), [how]);
    }
}

#[cfg(feature = "std")]
#[test]
fn g9_a_body_that_holds_on_after_its_panic_is_released_before_the_hook() {
    let (log, ledger) = (Log::default(), Ledger::new());
    let holds = vec![ledger.thing("one"), ledger.bomb("two")];
    let body = crate::support::HandMade::new(
        holds,
        |_: &mut std::task::Context<'_>| -> std::task::Poll<()> { panic!("the body") },
    );
    let mut hooked = pin!(generator(|_co: Co<u32>| body).on_finish(note(&log, &ledger)));
    assert_eq!(message(|| hooked.next()), "the body");
    assert_eq!(*log.borrow(), [Outcome::Panicked]);
}

#[cfg(feature = "std")]
mod with_std {
    use std::thread;

    use watertight::scope;

    use super::*;
    use crate::support::forget;

    #[test]
    fn g9_stopped_by_a_handle() {
        let (log, ledger) = (Log::default(), Ledger::new());
        let (stoppable, stop) =
            holding(ledger.thing("held")).on_finish(note(&log, &ledger)).stoppable();
        let mut stoppable = pin!(stoppable);
        assert_eq!(stoppable.next(), Some(0));
        assert!(stop.stop());
        assert_eq!(*log.borrow(), [], "a light stop is the owner's to carry out");
        assert_eq!(stoppable.next(), None);
        assert_eq!(*log.borrow(), [Outcome::Stopped]);
        assert_eq!(stop.outcome(), Some(Outcome::Stopped));
    }

    #[test]
    fn g9_every_outcome_is_the_handles_too() {
        for how in [Outcome::Dropped, Outcome::Stopped] {
            let (log, ledger) = (Log::default(), Ledger::new());
            let hooked = holding(ledger.thing("held")).on_finish(note(&log, &ledger));
            let (stoppable, stop) = hooked.stoppable();
            let mut stoppable = Box::pin(stoppable);
            assert_eq!(stoppable.next(), Some(0));
            assert!(how == Outcome::Dropped || stop.stop());
            drop(stoppable);
            assert_eq!((&*log.borrow(), stop.outcome()), (&vec![how], Some(how)));
            assert!(!stop.stop());
        }
    }

    /// A hook around what a stop has released hears of it when it is asked for an item, closed or dropped.
    #[test]
    fn g9_a_hook_around_what_was_stopped_hears_of_the_stop() {
        for way in 0..3 {
            let (log, ledger) = (Log::default(), Ledger::new());
            let (releasable, stop) = holding(ledger.thing("held")).releasable();
            let mut hooked = OnFinish::new(releasable, note(&log, &ledger));
            assert_eq!(hooked.next(), Some(0));
            assert!(stop.stop());
            assert_eq!(*log.borrow(), []);
            match way {
                0 => assert_eq!(hooked.next(), None),
                1 => assert!(!pin!(hooked).close()),
                _ => drop(hooked),
            }
            assert_eq!(*log.borrow(), [Outcome::Stopped]);
        }
    }

    #[cfg(feature = "stream")]
    #[test]
    fn g9_a_hook_around_a_stream_that_was_stopped_hears_of_the_stop() {
        use crate::support::tasks::{Bell, Feed};
        use watertight::StreamExt as _;
        for way in 0..4 {
            let (log, ledger, feed) = (Log::default(), Ledger::new(), Feed::<u32>::new());
            let (releasable, stop) = feed.stream().holding(ledger.thing("held")).releasable();
            let mut hooked = watertight::OnFinishStream::new(releasable, note(&log, &ledger));
            assert!(Bell::new().poll_next(&mut hooked).is_pending());
            let stops = way < 3 && stop.stop();
            assert_eq!(*log.borrow(), []);
            match way {
                0 => assert!(Bell::new().poll_next(&mut hooked).is_ready()),
                1 => assert!(!watertight::PollNext::close_now(std::pin::Pin::new(&mut hooked))),
                _ => drop(hooked),
            }
            let outcome = if stops { Outcome::Stopped } else { Outcome::Dropped };
            assert_eq!(*log.borrow(), [outcome]);
        }
    }

    #[test]
    fn g9_what_a_scope_or_a_stop_handle_holds_is_told_as_what_it_is() {
        for (steps, outcome) in [(1, Outcome::Dropped), (2, Outcome::Completed)] {
            scope(|s| {
                let handle = s.adopt_generator(try_generator(async |mut co: Co<u32>| {
                    co.yield_(1).await;
                    Err("failed")
                }));
                assert_eq!(told_when_dropped(handle, steps), outcome);
            });
            let (light, _) = try_generator(async |mut co: Co<u32>| {
                co.yield_(1).await;
                Err("failed")
            })
            .stoppable();
            assert_eq!(told_when_dropped(Box::pin(light), steps), outcome);
        }
        // Ended by somebody else, and seen so by who has the handle.
        let (light, stop) = holding(Ledger::new().thing("held")).stoppable();
        assert!(stop.stop());
        assert_eq!(told_when_dropped(Box::pin(light), 0), Outcome::Stopped);
        scope(|s| {
            let (handle, stop) = s.releasable(holding(Ledger::new().thing("held")));
            assert!(stop.stop());
            assert_eq!(told_when_dropped(handle, 0), Outcome::Stopped);
        });
        // Ended by itself, before there was a hook.
        let (mut ended, _) = Adopted::new(0..3).releasable();
        assert_eq!(ended.by_ref().count(), 3);
        assert_eq!(told_when_dropped(ended, 0), Outcome::Completed);
    }

    #[test]
    fn g9_a_hook_runs_where_the_release_happens() {
        let ledger = Ledger::new();
        let (told, tells) = std::sync::mpsc::channel();
        let hooked = holding(ledger.thing("held"))
            .on_finish(move |outcome| told.send((outcome, thread::current().id())).unwrap());
        let (mut releasable, stop) = hooked.releasable();
        assert_eq!(releasable.next(), Some(0));
        let stopper = thread::spawn(move || assert!(stop.stop()));
        let id = stopper.thread().id();
        stopper.join().unwrap();
        assert_eq!(tells.try_recv(), Ok((Outcome::Stopped, id)));
        assert_eq!(releasable.next(), None);
        assert!(tells.recv().is_err(), "and only once");
    }

    #[test]
    fn g9_a_hook_that_panics_in_a_stop() {
        let ledger = Ledger::new();
        let hooked = holding(ledger.thing("held")).on_finish(|_| panic!("the hook"));
        let (mut releasable, stop) = hooked.releasable();
        assert_eq!(message(|| stop.stop()), "the hook");
        ledger.assert_settled();
        assert_eq!((stop.stop(), stop.outcome()), (false, Some(Outcome::Stopped)));
        assert_eq!(releasable.next(), None);
    }

    #[test]
    fn g9_in_a_scope_even_for_a_forgotten_handle() {
        let (log, ledger) = (Log::default(), Ledger::new());
        scope(|s| {
            let hooked = holding(ledger.thing("held")).on_finish(note(&log, &ledger));
            let (mut handle, stop) = s.stoppable(hooked);
            assert_eq!(handle.next(), Some(0));
            forget((handle, stop));
        });
        assert_eq!(*log.borrow(), [Outcome::Dropped]);
        let text = message(|| {
            scope(|s| {
                let hooked = holding(ledger.thing("held")).on_finish(|_| panic!("the hook"));
                std::mem::forget(s.adopt_generator(hooked));
            })
        });
        assert_eq!(text, "the hook");
        ledger.assert_settled();
    }
}
