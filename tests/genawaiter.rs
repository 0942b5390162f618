//! What changes for a generator of `genawaiter` when it is adopted.

#![cfg(all(feature = "genawaiter", feature = "std"))]

mod support;

use std::cell::Cell;
use std::pin::Pin;
use std::thread;

use genawaiter::{rc, stack, sync};
use support::{Ledger, Thing, catch, forget};
use watertight::GeneratorState::{Complete, Yielded};
use watertight::{Adopted, AdoptedCoroutine, Capacity, Outcome, Overflow, Resume, scope};

/// Holds a thing, and yields so many others. With debug assertions theirs complain if a `Co` is kept
/// longer than the body, so it is moved into it.
fn things(
    ledger: &Ledger,
    count: usize,
) -> sync::Gen<Thing, (), impl Future<Output = ()> + Send + use<>> {
    let (held, ledger) = (ledger.thing("held"), ledger.clone());
    sync::Gen::new(move |co| async move {
        let _held = held;
        for _ in 0..count {
            co.yield_(ledger.thing("item")).await;
        }
    })
}

#[test]
fn g3_it_is_released_when_it_ends_and_not_with_its_handle() {
    let ledger = Ledger::new();
    let mut ours = AdoptedCoroutine::new(things(&ledger, 1));
    assert_eq!(ours.next().map(|thing| thing.name()), Some("item"));
    assert_eq!(ledger.alive(), 1);
    assert!(ours.next().is_none());
    ledger.assert_settled();
    assert!(ours.next().is_none()); // Theirs would be polled again, which panics.
    assert!(!ours.close());
}

#[test]
fn g4_to_close_it_is_final_and_says_so() {
    for by_the_trait in [false, true] {
        let ledger = Ledger::new();
        let mut ours = AdoptedCoroutine::new(things(&ledger, 9));
        assert!(ours.next().is_some());
        assert!(!ours.is_finished() && !Resume::is_finished(&ours));
        assert_eq!(format!("{ours:?}"), "AdoptedCoroutine { finished: false, .. }");
        let close = |ours: &mut AdoptedCoroutine<_>| match by_the_trait {
            true => Resume::close(Pin::new(ours)),
            false => ours.close(),
        };
        assert!(close(&mut ours));
        ledger.assert_settled();
        for _ in 0..3 {
            assert!(ours.is_finished() && Resume::is_finished(&ours));
            assert!(ours.next().is_none());
            assert!(!close(&mut ours));
        }
        assert_eq!(format!("{ours:?}"), "AdoptedCoroutine { finished: true, .. }");
    }
}

#[test]
fn g2_arguments_and_the_end_value_come_through_and_one_too_late_comes_back() {
    let ledger = Ledger::new();
    let mut ours = AdoptedCoroutine::new(rc::Gen::new(|co: rc::Co<Thing, Thing>| async move {
        let kept = co.yield_(co_thing()).await;
        drop(kept);
        "end"
    }));
    fn co_thing() -> Thing {
        Ledger::new().thing("yielded")
    }
    let mut resume = |name| ours.resume(ledger.thing(name));
    assert!(matches!(resume("first"), Ok(Yielded(_))));
    assert!(matches!(resume("answer"), Ok(Complete("end"))));
    assert_eq!(resume("late").unwrap_err().into_argument().name(), "late");
    ledger.assert_settled();
}

#[test]
fn g7_a_panic_comes_once_and_releases_it() {
    let ledger = Ledger::new();
    let held = ledger.thing("held");
    let mut ours = AdoptedCoroutine::new(rc::Gen::new(|co: rc::Co<u32>| async move {
        let _held = held;
        co.yield_(1).await;
        panic!("the body panics");
    }));
    assert_eq!(ours.next(), Some(1));
    let payload = catch(|| ours.next());
    assert_eq!(payload.downcast_ref(), Some(&"the body panics"));
    ledger.assert_settled();
    assert_eq!(ours.next(), None);
}

#[test]
fn g4_a_stop_from_another_thread_releases_it() {
    let ledger = Ledger::new();
    let (mut ours, stop) = AdoptedCoroutine::new(things(&ledger, 5)).releasable();
    assert!(ours.next().is_some());
    assert!(thread::spawn(move || stop.stop()).join().unwrap());
    ledger.assert_settled();
    assert!(ours.next().is_none());
}

#[test]
fn g1_a_scope_releases_it_when_its_handle_is_forgotten() {
    let ledger = Ledger::new();
    let told = Cell::new(None);
    scope(|s| {
        let ours = AdoptedCoroutine::new(things(&ledger, 5)).on_finish(|how| told.set(Some(how)));
        let mut ours = s.adopt_generator(ours);
        assert!(ours.next().is_some());
        forget(ours);
    });
    ledger.assert_settled();
    assert_eq!(told.get(), Some(Outcome::Dropped));
}

#[test]
fn g5_it_runs_ahead_is_split_and_looked_into() {
    let numbers = || {
        AdoptedCoroutine::new(sync::Gen::new(|co| async move {
            for n in 0..100_u32 {
                co.yield_(n).await;
            }
        }))
    };
    assert!(numbers().prefetch(Capacity::items(3)).eq(0..100));
    let mut branches = numbers().tee(2, Capacity::items(101), Overflow::Block);
    assert!(branches.remove(0).eq(0..100) && branches.remove(0).eq(0..100));
    let mut ahead = numbers().lookahead(Capacity::items(2));
    assert_eq!(ahead.peek_nth(1), Some(&1));
    assert!(ahead.eq(0..100));
}

#[test]
fn one_on_the_stack_is_adopted_as_an_iterator() {
    genawaiter::stack::let_gen_using!(theirs, |co: stack::Co<'_, u32>| async move {
        co.yield_(1).await;
        co.yield_(2).await;
    });
    assert!(Adopted::new(theirs.into_iter()).eq([1, 2]));
}

/// All that version 0.99.1 makes public, hidden items included.
#[test]
fn the_guide_names_every_item_of_theirs() {
    let guide = std::fs::read_to_string("docs/from-genawaiter.md").unwrap();
    let (_, table) = guide.split_once("## Call by call").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let theirs: Vec<_> = table.lines().filter_map(|row| row.split(" | ").next()).collect();
    let theirs = theirs.join("\n");
    let items = [
        "Coroutine",
        "Coroutine::resume_with",
        "Coroutine::{Yield, Resume, Return}",
        "Generator",
        "Generator::resume",
        "GeneratorState::{Yielded, Complete}",
        "Gen<Y, R, F>",
        "Gen::new",
        "generator.resume()",
        "generator.resume_with",
        "generator.async_resume()",
        "co.yield_(x)",
        "rc::Co",
        "sync::Co",
        "stack::Co",
        "sync::Gen::new_boxed",
        "GenBoxed",
        "stack::Gen::new",
        "stack::Shelf",
        "stack::let_gen!",
        "let_gen_using!",
        "generator_mut!",
        "unsafe_create_generator!",
        "rc::gen!",
        "sync::gen!",
        "yield_!",
        "rc_producer!",
        "sync_producer!",
        "stack_producer!",
        "producer_fn",
        "for x in generator",
        "for x in &mut generator",
        "Stream",
    ];
    let missing: Vec<_> = items.iter().filter(|item| !theirs.contains(**item)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
