//! G8: a scope releases what was last created first, and handles go where they stand.

use std::mem;

use watertight::{Co, scope};

use crate::support::{Ledger, forget, holding};

#[test]
fn g8_a_scope_releases_last_created_first() {
    let ledger = Ledger::new();
    scope(|s| {
        let one = s.adopt_generator(holding(ledger.thing("one")));
        let thing = ledger.thing("two");
        s.defer(move || drop(thing));
        let three = s.adopt_generator(holding(ledger.thing("three")));
        mem::forget(s.adopt(vec![ledger.thing("four")].into_iter()));
        // How far each was pulled and where its handle is do not matter.
        let mut handles = vec![three, one];
        assert_eq!(
            handles.iter_mut().map(|handle| handle.next()).collect::<Vec<_>>(),
            [Some(0); 2]
        );
        forget(handles);
        assert_eq!(ledger.deaths(), [""; 0]);
    });
    assert_eq!(ledger.deaths(), ["four", "three", "two", "one"]);
    ledger.assert_settled();
}

#[test]
fn g8_dropped_handles_leave_the_order_of_the_others() {
    let ledger = Ledger::new();
    scope(|s| {
        let mut handles: Vec<_> = ["one", "two", "three", "four", "five"]
            .map(|name| Some(s.adopt_generator(holding(ledger.thing(name)))))
            .into();
        for n in [2, 4, 0] {
            handles[n] = None; // From the middle, the beginning and the end of the list.
        }
        assert_eq!(ledger.deaths(), ["three", "five", "one"]);
        forget(handles);
    });
    assert_eq!(ledger.deaths(), ["three", "five", "one", "four", "two"]);
    ledger.assert_settled();
}

#[test]
fn g8_a_handle_in_a_body_goes_with_the_bodys_locals() {
    let ledger = Ledger::new();
    let things = &ledger;
    scope(|s| {
        let mut outer = s.generator(async move |mut co: Co<u32>| {
            let _first = things.thing("first local");
            let mut inner = s.adopt_generator(holding(things.thing("inner")));
            let _last = things.thing("last local");
            co.yield_all(inner.by_ref()).await;
        });
        assert_eq!(outer.next(), Some(0));
        outer.close();
        assert_eq!(ledger.deaths(), ["last local", "inner", "first local"]);
    });
    ledger.assert_settled();
}

#[cfg(feature = "stream")]
#[test]
fn g8_streams_have_their_place_among_the_others() {
    use crate::support::tasks::Bell;
    let (ledger, bell) = (Ledger::new(), Bell::new());
    let things = &ledger;
    scope(|s| {
        let one = s.adopt_generator(holding(ledger.thing("one")));
        let thing = ledger.thing("captured by two");
        let mut two = s.async_generator(async move |mut co: Co<u32>| {
            let _captured = thing;
            let _first = things.thing("first local");
            // A handle in a body goes with its locals, of whichever kind both are.
            let mut inner = s.adopt_generator(holding(things.thing("inner")));
            let _last = things.thing("last local");
            co.yield_all(inner.by_ref()).await;
        });
        let three = s.adopt_stream(futures_util::stream::iter([ledger.thing("three")]));
        assert!(bell.poll_next(&mut two).is_ready());
        forget((three, two, one));
        assert_eq!(ledger.deaths(), [""; 0]);
    });
    // `inner` was created last, and so its scope came to it first.
    let deaths = ["inner", "three", "last local", "first local", "captured by two", "one"];
    assert_eq!(ledger.deaths(), deaths);
    ledger.assert_settled();
}

/// What the documentation of `Scoped` says about very deep nesting, to the letter.
#[test]
fn g8_handles_are_nested_in_order_to_a_depth_of_128() {
    let ledger = Ledger::new();
    const DEPTH: usize = 200;
    scope(|s| {
        let mut first = s.adopt_generator(holding(ledger.thing("innermost"))).erase();
        for level in (0..DEPTH).rev() {
            let (before, after) = match level {
                126 => ("before at 126", "after at 126"),
                127 => ("before at 127", "after at 127"),
                _ => ("", ""),
            };
            let locals = (ledger.thing(before), ledger.thing(after));
            first = s
                .generator(async move |mut co: Co<u32>| {
                    let _before = locals.0;
                    let _rest = first;
                    let _after = locals.1;
                    co.yield_(0).await;
                })
                .erase();
            assert_eq!(first.next(), Some(0));
        }
        drop(first);
        let deaths = ledger.deaths();
        let at = |name| deaths.iter().position(|&death| death == name).unwrap();
        assert!(at("after at 126") < at("after at 127"));
        // The 128th still goes inside its parent, what is deeper goes after its parent's locals.
        assert!(at("before at 127") < at("innermost"));
        assert!(at("before at 127") < at("before at 126"));
        assert!(at("innermost") < at("before at 126"));
    });
    ledger.assert_settled();
}
