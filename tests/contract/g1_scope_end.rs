//! G1: when `scope` returns, everything that was made in it is over, whatever became of the handles.

use std::cell::{Cell, RefCell};
use std::mem::{self, ManuallyDrop};
use std::ops::ControlFlow;
use std::panic::panic_any;
use std::rc::Rc;

use watertight::{
    Adopted, Co, GeneratorState, IteratorExt, Outcome, Scope, Scoped, ScopedGen, generator, scope,
    scope_under, try_generator,
};

use crate::support::{Ledger, Thing, catch, forget, message};

/// A generator that holds `thing` and never ends.
fn holding<'scope>(s: &'scope Scope<'scope, '_>, thing: Thing) -> ScopedGen<'scope, u32> {
    s.adopt_generator(crate::support::holding(thing)).erase()
}

/// Where a handle can be put that a body or a destructor shares.
type Slot<'scope> = Rc<RefCell<Option<ScopedGen<'scope, u32>>>>;

/// A generator that holds `thing` and the handle that is put into `slot`.
fn holding_slot<'scope>(
    s: &'scope Scope<'scope, '_>,
    thing: Thing,
    slot: &Slot<'scope>,
) -> ScopedGen<'scope, u32> {
    let held = (thing, slot.clone());
    let body = async move |mut co: Co<u32>| {
        let _held = held;
        for n in 0.. {
            co.yield_(n).await;
        }
    };
    s.generator(body).erase()
}

/// Makes a few generators, pulled to different places, and does `with` to each handle.
fn make_and<'scope>(
    s: &'scope Scope<'scope, '_>,
    ledger: &Ledger,
    mut with: impl FnMut(ScopedGen<'scope, u32>),
) {
    for pulled in 0..3 {
        let mut handle = holding(s, ledger.thing("held"));
        assert_eq!(handle.by_ref().take(pulled).count(), pulled);
        with(handle);
    }
}

#[test]
fn g1_handles_that_are_kept_to_the_end() {
    let ledger = Ledger::new();
    let sum = scope(|s| {
        let mut handles = vec![];
        make_and(s, &ledger, |handle| handles.push(handle));
        handles.iter_mut().flat_map(|handle| handle.take(2)).sum::<u32>()
    });
    assert_eq!(sum, 1 + 3 + 5);
    ledger.assert_settled();
}

#[test]
fn g1_forgotten_handles() {
    let ledger = Ledger::new();
    scope(|s| {
        make_and(s, &ledger, mem::forget);
        make_and(s, &ledger, |handle| {
            let _leaked = ManuallyDrop::new(handle);
        });
        make_and(s, &ledger, forget); // On the heap, where the address is still known afterwards.
        assert_eq!(ledger.alive(), 9);
    });
    ledger.assert_settled();
}

#[test]
fn g1_handles_in_a_cycle() {
    struct Knot<'scope> {
        _handle: ScopedGen<'scope, u32>,
        itself: RefCell<Option<Rc<Knot<'scope>>>>,
    }
    let ledger = Ledger::new();
    scope(|s| {
        make_and(s, &ledger, |handle| {
            let knot = Rc::new(Knot { _handle: handle, itself: RefCell::default() });
            *knot.itself.borrow_mut() = Some(knot.clone());
            forget(knot); // Its memory leaks, as it would without this; the address is kept.
        });
        assert_eq!(ledger.alive(), 3);
    });
    ledger.assert_settled();
}

#[test]
fn g1_a_generator_that_owns_its_own_handle() {
    let ledger = Ledger::new();
    scope(|s| {
        for pulled in 0..3 {
            let slot = Slot::default();
            let mut handle = holding_slot(s, ledger.thing("held"), &slot);
            assert_eq!(handle.by_ref().take(pulled).count(), pulled);
            *slot.borrow_mut() = Some(handle);
        }
        assert_eq!(ledger.alive(), 3);
    });
    ledger.assert_settled();
}

#[test]
fn g1_two_generators_that_own_each_others_handles() {
    let ledger = Ledger::new();
    scope(|s| {
        let slots = [Slot::default(), Slot::default()];
        let one = holding_slot(s, ledger.thing("one"), &slots[1]);
        let two = holding_slot(s, ledger.thing("two"), &slots[0]);
        for (slot, mut handle) in slots.iter().zip([one, two]) {
            assert_eq!(handle.next(), Some(0));
            *slot.borrow_mut() = Some(handle);
        }
    });
    ledger.assert_settled();
}

#[test]
fn g1_handles_kept_in_what_a_destructor_pulls() {
    /// Pulls a handle when it is dropped, and notes what comes.
    struct PullsLate<'a, 'scope> {
        handle: Slot<'scope>,
        came: &'a RefCell<Vec<Option<u32>>>,
    }
    impl Drop for PullsLate<'_, '_> {
        fn drop(&mut self) {
            let item = self.handle.borrow_mut().as_mut().and_then(Iterator::next);
            self.came.borrow_mut().push(item);
        }
    }
    let (ledger, came) = (Ledger::new(), RefCell::default());
    scope(|s| {
        // An older generator still works while a younger one is being released.
        let older = Rc::new(RefCell::new(Some(holding(s, ledger.thing("older")))));
        let pulls = PullsLate { handle: older, came: &came };
        mem::forget(s.generator(async move |_co: Co<u32>| drop(pulls)));
        // One that pulls itself, through a cycle, is being released and gives nothing.
        let slot = Slot::default();
        let pulls = PullsLate { handle: slot.clone(), came: &came };
        *slot.borrow_mut() = Some(s.generator(async move |_co: Co<u32>| drop(pulls)).erase());
    });
    assert_eq!(*came.borrow(), [None, Some(0)]);
    ledger.assert_settled();
}

#[test]
fn g1_what_a_destructor_makes_at_the_end() {
    struct MakesMore<'scope, 'env> {
        s: &'scope Scope<'scope, 'env>,
        ledger: Ledger,
        left: u32,
    }
    impl Drop for MakesMore<'_, '_> {
        fn drop(&mut self) {
            if self.left > 0 {
                let more =
                    MakesMore { s: self.s, ledger: self.ledger.clone(), left: self.left - 1 };
                let thing = self.ledger.thing("made late");
                let mut handle = self.s.generator(async move |mut co: Co<u32>| {
                    let _held = (more, thing);
                    co.yield_(1).await;
                });
                assert_eq!(handle.next(), Some(1), "the scope still works");
                match self.left % 3 {
                    0 => drop(handle),
                    1 => mem::forget(handle),
                    _ => self.s.defer(move || drop(handle)),
                }
            }
        }
    }
    let ledger = Ledger::new();
    scope(|s| {
        let more = MakesMore { s, ledger: ledger.clone(), left: 20 };
        mem::forget(s.generator(async move |_co: Co<()>| drop(more)));
        assert_eq!(ledger.born(), 0);
    });
    assert_eq!(ledger.born(), 20);
    ledger.assert_settled();
}

#[test]
fn g1_by_a_panic_of_the_closure() {
    let ledger = Ledger::new();
    let text = message(|| {
        scope(|s| {
            let mut kept = vec![];
            make_and(s, &ledger, |handle| kept.push(handle));
            make_and(s, &ledger, mem::forget);
            panic!("the closure");
        })
    });
    assert_eq!(text, "the closure");
    assert_eq!(ledger.born(), 6);
    ledger.assert_settled();
}

#[test]
fn g1_by_a_question_mark() {
    let ledger = Ledger::new();
    let failing = |fail: bool| -> Result<u32, String> {
        scope(|s| {
            make_and(s, &ledger, mem::forget);
            let mut numbers = s.adopt_generator(try_generator(async |mut co: Co<u32>| {
                co.yield_(1).await;
                if fail { Err("failed".to_owned()) } else { Ok(()) }
            }));
            let mut sum = 0;
            for n in &mut numbers {
                sum += n?;
            }
            Ok(sum)
        })
    };
    assert_eq!(failing(false), Ok(1));
    assert_eq!(failing(true), Err("failed".to_owned()));
    assert_eq!(ledger.born(), 6);
    ledger.assert_settled();
}

#[test]
fn g1_by_break_out_of_a_loop_of_scopes() {
    let ledger = Ledger::new();
    for round in 0.. {
        let flow = scope(|s| {
            make_and(s, &ledger, mem::forget);
            if round == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        ledger.assert_settled();
        if flow.is_break() {
            break;
        }
    }
    assert_eq!(ledger.born(), 12);
}

#[test]
fn g1_with_bodies_that_panic() {
    let ledger = Ledger::new();
    let things = &ledger;
    let text = message(|| {
        scope(|s| {
            let mut contained = s.generator(async move |mut co: Co<u32>| {
                let _held = things.thing("contained");
                co.yield_(1).await;
                panic!("contained");
            });
            assert_eq!(contained.next(), Some(1));
            assert_eq!(message(|| contained.next()), "contained");
            ledger.assert_settled(); // G3: at once.
            assert_eq!(contained.next(), None);
            make_and(s, &ledger, mem::forget);
            let mut not = s.generator(async move |mut co: Co<u32>| {
                let _held = things.thing("not contained");
                co.yield_(1).await;
                panic!("not contained");
            });
            not.next();
            not.next();
        })
    });
    assert_eq!(text, "not contained");
    ledger.assert_settled();
}

#[test]
fn g1_with_destructors_that_panic() {
    let ledger = Ledger::new();
    let text = message(|| {
        scope(|s| {
            for name in ["one", "two", "three"] {
                make_and(s, &ledger, mem::forget);
                mem::forget(holding(s, ledger.bomb(name)));
            }
        })
    });
    assert!(text.contains("`three`"), "the first panic is the one that goes on: {text}");
    assert_eq!(ledger.born(), 12);
    ledger.assert_settled();
}

#[test]
fn g1_with_a_deferred_closure_that_panics() {
    let ledger = Ledger::new();
    let text = message(|| {
        scope(|s| {
            make_and(s, &ledger, mem::forget);
            let thing = ledger.thing("of the first");
            s.defer(move || {
                let _held = thing;
                panic!("the first deferred");
            });
            let thing = ledger.thing("of the second");
            s.defer(move || {
                let _held = thing;
                panic!("the second deferred");
            });
            make_and(s, &ledger, mem::forget);
        })
    });
    assert_eq!(text, "the second deferred");
    ledger.assert_settled();
}

#[test]
fn g1_the_first_panic_is_the_closures_and_a_result_is_lost_cleanly() {
    let ledger = Ledger::new();
    let text = message(|| {
        scope(|s| {
            mem::forget(holding(s, ledger.bomb("destructor")));
            panic!("the closure");
        })
    });
    assert_eq!(text, "the closure");

    // The result cannot be returned, and its destructor panics as well.
    let text = message(|| {
        scope(|s| {
            mem::forget(holding(s, ledger.bomb("destructor")));
            ledger.bomb("result")
        })
    });
    assert!(text.contains("`destructor`"), "{text}");
    ledger.assert_settled();
}

#[test]
fn g1_with_payloads_that_panic_when_they_are_dropped() {
    struct Payload(#[allow(dead_code)] Thing);
    /// Panics with its thing for payload.
    struct Throws(Option<Thing>);
    impl Drop for Throws {
        fn drop(&mut self) {
            if let Some(thing) = self.0.take() {
                panic_any(Payload(thing));
            }
        }
    }
    let ledger = Ledger::new();
    let payload = catch(|| {
        scope(|s| {
            for name in ["first made", "second made", "third made"] {
                let throws = Throws(Some(ledger.bomb(name)));
                mem::forget(s.generator(async move |_co: Co<u32>| drop(throws)));
                make_and(s, &ledger, mem::forget);
            }
        })
    });
    let payload = payload.downcast::<Payload>().unwrap();
    assert_eq!(payload.0.name(), "third made");
    assert_eq!(ledger.alive(), 1, "the payloads that are not passed on are dropped");
    assert!(message(|| drop(payload)).contains("third made"));
    ledger.assert_settled();
}

#[test]
fn g1_a_destructor_that_panics_while_a_panic_drops_its_handle() {
    let ledger = Ledger::new();
    let text = message(|| {
        scope(|s| {
            let _one = holding(s, ledger.bomb("one"));
            let _two = holding(s, ledger.bomb("two"));
            panic!("the closure");
        })
    });
    assert_eq!(text, "the closure");
    ledger.assert_settled();
}

#[test]
fn g1_nested_scopes() {
    let ledger = Ledger::new();
    let total = scope(|outer| {
        let mut numbers = holding(outer, ledger.thing("of the outer"));
        let from_inner = scope(|inner| {
            make_and(inner, &ledger, mem::forget);
            // The inner one's generators may hold the outer one's handles, not the other way round.
            let mut taken = inner
                .generator(async |mut co: Co<u32>| co.yield_all(numbers.by_ref().take(3)).await);
            let two = taken.by_ref().take(2).sum::<u32>();
            mem::forget(taken);
            two
        });
        assert_eq!(ledger.alive(), 1, "the inner ones are over");
        make_and(outer, &ledger, mem::forget);
        assert!(
            message(|| scope(|inner| {
                make_and(inner, &ledger, mem::forget);
                panic!("the inner closure");
            }))
            .contains("inner")
        );
        assert_eq!(ledger.alive(), 4);
        from_inner + numbers.next().unwrap()
    });
    assert_eq!(total, 1 + 2);
    ledger.assert_settled();
}

#[test]
fn g1_a_scope_inside_a_body_inside_a_scope() {
    let ledger = Ledger::new();
    let things = &ledger;
    scope(|s| {
        let mut outer = s.generator(async move |mut co: Co<u32>| {
            for round in 0..3 {
                let sum = scope(|s| {
                    let mut inner = holding(s, things.thing("inner"));
                    mem::forget(holding(s, things.thing("forgotten")));
                    inner.by_ref().take(round).sum::<u32>()
                });
                co.yield_(sum).await;
            }
        });
        assert_eq!(outer.by_ref().collect::<Vec<_>>(), [0, 0, 1]);
        ledger.assert_settled();
    });
}

#[test]
fn g1_handles_inside_other_bodies_of_the_same_scope() {
    let ledger = Ledger::new();
    scope(|s| {
        let inner = holding(s, ledger.thing("inner"));
        let thing = ledger.thing("outer");
        let mut outer = s.generator(async move |mut co: Co<u32>| {
            let _held = thing;
            for n in inner {
                // And a body can use the scope as well.
                let doubled = s.generator(async move |mut co: Co<u32>| co.yield_(2 * n).await);
                co.yield_all(doubled).await;
            }
        });
        assert_eq!(outer.by_ref().take(3).collect::<Vec<_>>(), [0, 2, 4]);
        drop(outer);
        assert_eq!(ledger.deaths(), ["inner", "outer"]);
        assert_eq!(s.stats().alive, 0);
    });
}

#[test]
fn g1_every_kind_of_generator() {
    let ledger = Ledger::new();
    let hooks = RefCell::new(vec![]);
    let hook = |name: &'static str| {
        let hooks = &hooks;
        move |outcome| hooks.borrow_mut().push((name, outcome))
    };
    scope(|s| {
        let (things, held) = (&ledger, || ledger.thing("held"));
        let with_arguments = s.generator(async move |mut co: Co<u32, Thing>| {
            let _first = co.argument().await;
            let _second = co.yield_(1).await;
            co.yield_(2).await;
        });
        let mut with_arguments = with_arguments;
        for yielded in [1, 2] {
            let resumed = with_arguments.resume(held());
            assert!(matches!(resumed, Ok(GeneratorState::Yielded(n)) if n == yielded));
        }
        mem::forget(with_arguments);

        mem::forget(s.adopt(vec![held(), held()].into_iter()));
        mem::forget(s.adopt_generator(try_generator(async move |mut co: Co<Thing>| {
            co.yield_(things.thing("yielded")).await;
            Err("never pulled")
        })));
        mem::forget(s.adopt_generator(crate::support::holding(held()).boxed_local()));
        mem::forget(s.adopt_generator(crate::support::holding(held()).on_finish(hook("hooked"))));
        let endless = Adopted::new(std::iter::repeat_with(held));
        mem::forget(s.stoppable(endless.on_finish(hook("stoppable"))).0);
        let shared = ledger.clone();
        let body = async move |mut co: Co<u32>| {
            let _held = shared.thing("made when it is pulled");
            co.yield_(1).await;
        };
        let (mut releasable, _) = s.releasable(generator(body));
        assert_eq!(releasable.next(), Some(1));
        mem::forget(releasable);
    });
    ledger.assert_settled();
    let hooks = hooks.into_inner();
    assert_eq!(hooks, [("stoppable", Outcome::Dropped), ("hooked", Outcome::Dropped)]);
}

#[test]
fn g1_an_iterator_that_borrows_is_released_in_time() {
    let numbers = vec![1, 2, 3];
    let alive = Cell::new(0);
    struct Counted<'a>(&'a Cell<i32>);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    scope(|s| {
        let counted = || {
            alive.set(alive.get() + 1);
            Counted(&alive)
        };
        let mut borrowing = s.adopt(numbers.iter().map(move |n| (counted(), *n)));
        let first = borrowing.next().unwrap();
        assert_eq!((first.1, alive.get()), (1, 1));
        mem::forget(borrowing);
        drop(first);
    });
    assert_eq!(alive.get(), 0);
    drop(numbers);
}

#[test]
fn g1_the_result_may_be_what_a_generator_gave() {
    let text = String::from("one two");
    let word = scope(|s| {
        let mut words = s.adopt(text.split(' '));
        words.next()
    });
    assert_eq!(word, Some("one"));
}

/// Each handle sits in the body before it. To drop the first is to drop them all.
fn chain(length: usize, ledger: &Ledger) {
    let end = scope(|s| {
        let mut first: Scoped<'_, _> = s.adopt(std::iter::repeat(0_u32)).erase();
        for n in 0..length {
            let thing = (n % 10_000 == 0).then(|| ledger.thing("link"));
            first = s
                .generator(async move |mut co: Co<u32>| {
                    let _held = thing;
                    let _rest = first;
                    co.yield_(1).await;
                })
                .erase();
        }
        let stats = s.stats();
        assert_eq!((stats.created, stats.alive), (length + 1, length + 1));
        drop(first);
        s.stats()
    });
    assert_eq!((end.alive, end.dropped), (0, length + 1));
}

/// Recursion would need some hundred bytes for each, and overflow any thread's stack.
#[test]
fn g1_a_million_handles_nested_in_each_other() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let small = std::thread::Builder::new().stack_size(256 << 10);
    small.spawn(move || chain(1_000_000, &things)).unwrap().join().unwrap();
    assert_eq!(ledger.born(), 100);
    ledger.assert_settled();
}

/// The same when it is the scope that releases them: forgotten, they are released one by one.
#[test]
fn g1_a_deep_chain_that_is_forgotten_or_panics() {
    let ledger = Ledger::new();
    for panics in [false, true] {
        let text = message(|| {
            scope(|s| {
                let mut first: ScopedGen<'_, u32> = holding(s, ledger.thing("innermost"));
                for n in 0..10_000 {
                    let bomb = panics && n % 1000 == 7;
                    let thing = if bomb { ledger.bomb("bomb") } else { ledger.thing("link") };
                    let rest = first;
                    first = s.generator(async move |_co: Co<u32>| drop((rest, thing))).erase();
                }
                if panics {
                    drop(first); // The first panic passes through here.
                } else {
                    mem::forget(first);
                    panic!("not a bomb");
                }
            })
        });
        assert_eq!(text.contains("`bomb`"), panics, "{text}");
        ledger.assert_settled();
    }
}

#[test]
fn g1_a_scope_under_a_group_is_a_scope() {
    let ledger = Ledger::new();
    let group = watertight::StopHandle::new();
    scope_under(&group, |s| {
        make_and(s, &ledger, mem::forget);
        assert!(!s.stop_handle().is_stopped());
    });
    ledger.assert_settled();
    assert!(group.stop());
    scope_under(&group, |s| {
        assert!(s.stop_handle().is_stopped());
        let (mut stopped, _) = s.stoppable(crate::support::holding(ledger.thing("held")));
        assert_eq!(stopped.next(), None);
    });
    ledger.assert_settled();
}

#[test]
fn g1_a_wrapper_around_a_handle_is_only_a_handle() {
    let ledger = Ledger::new();
    let hooks = Cell::new(0);
    scope(|s| {
        let (hooked, _stop) = holding(s, ledger.thing("held")).stoppable();
        forget(hooked.on_finish(|_| hooks.set(hooks.get() + 1)));
    });
    ledger.assert_settled();
    assert_eq!(hooks.get(), 0, "a hook outside the scope is as forgotten as what it is on");
}
