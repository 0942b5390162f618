//! G7 for streams in scopes: panics of bodies, of destructors and of the closure.

use std::panic::resume_unwind;
use std::task::Poll;

use watertight::{Co, async_generator, scope};

use crate::support::tasks::Bell;
use crate::support::{Ledger, catch, forget, message};

#[test]
fn g7_a_bodys_panic_reaches_who_polls_it_once() {
    let (ledger, bell) = (Ledger::new(), Bell::new());
    for erased in [false, true] {
        scope(|s| {
            let things = (ledger.thing("captured"), ledger.bomb("bomb"));
            let items = s.async_generator(async |mut co: Co<u32>| {
                let _things = things;
                co.yield_(1).await;
                // The bomb of a body that panics is the one thing that cannot be helped: it is defused.
                forget(_things.1);
                resume_unwind(Box::new("the body"));
            });
            let check = |poll: &mut dyn FnMut() -> Poll<Option<u32>>| {
                assert_eq!(poll(), Poll::Ready(Some(1)));
                assert_eq!(catch(&mut *poll).downcast_ref(), Some(&"the body"));
                assert_eq!([poll(), poll()], [Poll::Ready(None); 2]);
            };
            if erased {
                let mut items = items.erase();
                check(&mut || bell.poll_next(&mut items));
            } else {
                let mut items = items;
                check(&mut || bell.poll_next(&mut items));
            }
            assert_eq!(ledger.alive(), if erased { 2 } else { 1 }, "only the forgotten bombs");
            assert_eq!(s.stats().panicked, 1);
        });
    }
}

#[test]
fn g7_bombs_of_a_scopes_streams_keep_no_sibling() {
    for (way, first) in ["bomb 2", "the closure", "bomb 0"].into_iter().enumerate() {
        let (ledger, bell) = (Ledger::new(), Bell::new());
        let text = message(|| {
            scope(|s| {
                let names = [["bomb 0", "one"], ["bomb 1", "two"], ["bomb 2", "three"]];
                let mut handles = names.map(|[bomb, thing]| {
                    let held = (ledger.bomb(bomb), ledger.thing(thing));
                    s.async_generator(async move |mut co: Co<u32>| {
                        let _held = held;
                        co.yield_(1).await;
                    })
                });
                for handle in &mut handles {
                    assert_eq!(bell.poll_next(handle), Poll::Ready(Some(1)));
                }
                match way {
                    0 => forget(handles),
                    1 => {
                        let _handles = handles; // Dropped by the panic.
                        panic!("the closure");
                    }
                    _ => drop(handles),
                }
            })
        });
        assert!(text.contains(first), "{text}");
        ledger.assert_settled();
    }
}

#[test]
fn g7_a_stop_whose_release_panics_says_so_and_leaves_the_scope_in_order() {
    let (ledger, bell) = (Ledger::new(), Bell::new());
    scope(|s| {
        let held = (ledger.bomb("bomb"), ledger.thing("held"));
        let (mut items, stop) = s.releasable_stream(async_generator(async |mut co: Co<u32>| {
            let _held = held;
            co.yield_(1).await;
        }));
        assert_eq!(bell.poll_next(&mut items), Poll::Ready(Some(1)));
        assert_eq!(message(|| stop.stop()), "the destructor of `bomb` panics");
        ledger.assert_settled();
        assert_eq!(bell.poll_next(&mut items), Poll::Ready(None));
    });
}
