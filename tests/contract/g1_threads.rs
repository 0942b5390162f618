//! G1 for threads: when `scope` returns, every thread that it started has ended, and the sources have
//! been dropped on them, whatever became of the handles.

use std::iter;
use std::mem;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use watertight::{Capacity, Prefetch, Scope, scope};

use crate::support::threads::{Event, Watch, in_time, until};
use crate::support::{Ledger, catch, forget, message};

const TWO: Capacity = Capacity::items(2);

/// A prefetch of endless numbers, borrowing `numbers`.
fn counting<'scope>(
    s: &'scope Scope<'scope, '_>,
    watch: &Watch,
    numbers: &'scope [u32],
) -> Prefetch<'scope, u32> {
    let source = watch.source(move |n| Some(numbers[n % numbers.len()]));
    s.prefetch(TWO, source)
}

/// Four prefetches: not started, started, asleep at a full buffer, and with a source that panicked.
/// Each handle is given to `with`.
fn in_four_states(with: impl for<'s> Fn(Prefetch<'s, u32>) + Send + 'static) {
    in_time(move || {
        let numbers = vec![1, 2, 3];
        let watches = [(); 4].map(|()| Watch::new());
        let panic = catch(|| {
            scope(|s| {
                with(counting(s, &watches[0], &numbers));
                let mut started = counting(s, &watches[1], &numbers);
                started.start().unwrap();
                with(started);
                let mut full = counting(s, &watches[2], &numbers);
                assert_eq!(full.next(), Some(1));
                watches[2].wait_asked(3);
                with(full);
                let failing = watches[3].source(|_| resume_unwind(Box::new("the source")));
                let mut failing: Prefetch<u32> = s.prefetch(TWO, failing);
                failing.start().unwrap();
                watches[3].wait_asked(1);
                with(failing);
            })
        });
        assert_eq!(panic.downcast_ref(), Some(&"the source"));
        watches[0].assert_unused();
        watches[2..].iter().for_each(Watch::assert_over);
        assert!(watches[1].is_dropped());
        drop(numbers);
    });
}

#[test]
fn g1_threads_whose_handles_are_dropped() {
    in_four_states(|handle| drop(handle));
}

#[test]
fn g1_threads_whose_handles_are_forgotten() {
    in_four_states(|handle| forget(handle));
}

#[test]
fn g1_threads_whose_handles_are_in_a_cycle() {
    struct Knot<'scope> {
        _handle: Prefetch<'scope, u32>,
        itself: Mutex<Option<Arc<Knot<'scope>>>>,
    }
    in_four_states(|handle| {
        let knot = Arc::new(Knot { _handle: handle, itself: Mutex::default() });
        *knot.itself.lock().unwrap() = Some(knot.clone());
        forget(knot); // Its memory leaks, as it would without this; the address is kept.
    });
}

#[test]
fn g1_a_source_that_owns_its_own_handle() {
    for pulled in 0..3 {
        let watch = Watch::new();
        let watched = watch.clone();
        in_time(move || {
            scope(|s| {
                let slot = Arc::new(Mutex::new(None::<Prefetch<u32>>));
                let own = slot.clone();
                let source = watched.source(move |n| {
                    let _own = &own;
                    Some(n as u32)
                });
                let mut handle = s.prefetch(TWO, source);
                assert_eq!(handle.by_ref().take(pulled).count(), pulled);
                *slot.lock().unwrap() = Some(handle);
            });
        });
        assert!(watch.is_dropped());
        assert_eq!(watch.thread_ended(), watch.ran_on().is_some());
    }
}

#[test]
fn g1_a_chain_of_stages_ends_with_its_scope() {
    let watches = [(); 3].map(|()| Watch::new());
    let seen = watches.clone();
    in_time(move || {
        let numbers = vec![1, 2, 3];
        scope(|s| {
            let mut last = counting(s, &seen[0], &numbers);
            for watch in &seen[1..] {
                let mut below = last;
                last = s.prefetch(TWO, watch.source(move |_| below.next()));
            }
            assert_eq!(last.next(), Some(1));
            // Each stage is full, with its own two.
            for (watch, ahead) in seen.iter().rev().zip([3, 5, 7]) {
                watch.wait_asked(ahead);
            }
            forget(last);
        });
    });
    watches.iter().for_each(Watch::assert_over);
}

/// Starts one, fills it, and leaves the scope by `leave`.
fn leaving(leave: impl FnOnce(Prefetch<'_, u32>) + Send + 'static) -> Watch {
    let watch = Watch::new();
    let watched = watch.clone();
    in_time(move || {
        let numbers = vec![1, 2, 3];
        let left = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            scope(|s| {
                let mut handle = counting(s, &watched, &numbers);
                assert_eq!(handle.next(), Some(1));
                watched.wait_asked(3);
                leave(handle);
            });
        }));
        drop(left);
        watched.assert_over(); // Before anything else happens.
    });
    watch
}

#[test]
fn g1_a_thread_ends_when_the_closure_returns_or_panics() {
    leaving(|handle| drop(handle)).assert_over();
    leaving(|handle| forget(handle)).assert_over();
    leaving(|_handle| resume_unwind(Box::new("the closure"))).assert_over();
    leaving(|handle| {
        forget(handle);
        resume_unwind(Box::new("the closure"))
    })
    .assert_over();
}

#[test]
fn g1_a_thread_ends_when_the_closure_returns_early() {
    let watch = Watch::new();
    let numbers = [1, 2, 3];
    let found = scope(|s| {
        for n in counting(s, &watch, &numbers) {
            if n == 2 {
                Err(n)?;
            }
        }
        Ok::<_, u32>(())
    });
    assert_eq!(found, Err(2));
    watch.assert_over();

    let watch = Watch::new();
    let broken = scope(|s| {
        let mut handle = counting(s, &watch, &numbers);
        handle.try_for_each(
            |n| if n == 3 { ControlFlow::Break(n) } else { ControlFlow::Continue(()) },
        )
    });
    assert_eq!(broken, ControlFlow::Break(3));
    watch.assert_over();
}

#[test]
fn g1_a_thread_started_by_a_destructor_at_the_end_of_the_scope() {
    struct Starts<'scope, 'env> {
        scope: &'scope Scope<'scope, 'env>,
        watch: &'env Watch,
        numbers: &'env [u32],
    }
    impl Drop for Starts<'_, '_> {
        fn drop(&mut self) {
            let mut handle = counting(self.scope, self.watch, self.numbers);
            assert_eq!(handle.next(), Some(1));
            forget(handle);
        }
    }
    // The first prefetch of its scope, and one among others.
    for others in 0..2 {
        let (watch, other, numbers) = (Watch::new(), Watch::new(), [1, 2, 3]);
        scope(|s| {
            for _ in 0..others {
                let mut before = counting(s, &other, &numbers);
                assert_eq!(before.next(), Some(1));
                forget(before);
            }
            let starts = Starts { scope: s, watch: &watch, numbers: &numbers };
            forget(s.adopt(iter::repeat_with(move || {
                let _starts = &starts;
            })));
        });
        watch.assert_over();
        assert_eq!(other.is_dropped(), others > 0);
    }
}

#[test]
fn g1_a_source_that_waits_for_what_an_older_generator_holds() {
    let watch = Watch::new();
    let watched = watch.clone();
    in_time(move || {
        scope(|s| {
            let (sender, receiver) = mpsc::channel::<u32>();
            // The sender goes with this one, when the scope releases it.
            forget(s.adopt(iter::repeat_with(move || sender.send(1))));
            let mut waiting = s.prefetch(TWO, watched.source(move |_| receiver.recv().ok()));
            waiting.start().unwrap();
            watched.wait_asked(1);
            forget(waiting);
        });
    });
    watch.assert_over();
}

#[test]
fn g1_a_source_that_waits_for_what_a_younger_one_holds() {
    // Neither the order of making nor of ending may matter among threads.
    for swapped in [false, true] {
        let watches = [Watch::new(), Watch::new()];
        let seen = watches.clone();
        in_time(move || {
            scope(|s| {
                let (sender, receiver) = mpsc::channel::<u32>();
                let holds = seen[0].source(move |_| Some(mem::size_of_val(&sender) as u32));
                let waits = seen[1].source(move |_| receiver.recv().ok());
                let mut handles = if swapped {
                    let waits = s.prefetch(TWO, waits);
                    [s.prefetch(TWO, holds), waits]
                } else {
                    [s.prefetch(TWO, holds), s.prefetch(TWO, waits)]
                };
                handles.iter_mut().for_each(|handle| handle.start().unwrap());
                seen.iter().for_each(|watch| watch.wait_asked(1));
                forget(handles);
            });
        });
        watches.iter().for_each(Watch::assert_over);
    }
}

/// Two threads whose sources fail; the first to be made ends last if `slow`. What the scope passes on.
fn first_of_two(
    slow: bool,
    fail: impl Fn(Watch, &'static str, Event) -> Box<dyn Iterator<Item = u32> + Send>,
) -> Box<dyn std::any::Any + Send> {
    let (one, two) = (Watch::new(), Watch::new());
    let (go, gone) = (Event::default(), Event::default());
    gone.set();
    let sources = if slow {
        [fail(one.clone(), "one", go.clone()), fail(two.clone(), "two", gone)]
    } else {
        [fail(one.clone(), "one", gone), fail(two.clone(), "two", go.clone())]
    };
    let (first, last) = if slow { (two.clone(), one.clone()) } else { (one.clone(), two.clone()) };
    let payload = in_time(move || {
        catch(|| {
            scope(|s| {
                for source in sources {
                    let mut handle = s.prefetch(TWO, source);
                    handle.start().unwrap();
                    forget(handle);
                }
                until(|| first.thread_ended());
                last.wait_asked(1);
                go.set();
            })
        })
    });
    [one, two].iter().for_each(Watch::assert_over);
    payload
}

#[test]
fn g1_the_panic_of_the_oldest_thread_leaves_the_scope_whoever_ends_first() {
    for slow in [false, true] {
        let payload = first_of_two(slow, |watch, name, go| {
            Box::new(watch.source(move |_| -> Option<u32> {
                go.wait();
                resume_unwind(Box::new(name))
            }))
        });
        assert_eq!(payload.downcast_ref(), Some(&"one"), "slow: {slow}");
        let payload = first_of_two(slow, |watch, name, go| {
            let source = watch.source(move |n| -> Option<u32> {
                go.wait();
                (n == 0).then_some(0)
            });
            Box::new(source.dropping(name))
        });
        assert_eq!(payload.downcast_ref(), Some(&"one"), "slow: {slow}");
    }
}

#[test]
fn g1_the_panic_of_a_thread_that_has_been_swept_out_is_not_lost() {
    let payload = catch(|| {
        scope(|s| {
            // Enough for the scope to look several times for threads that have ended.
            for n in 0..200 {
                let watch = Watch::new();
                let source = watch.source(move |_| -> Option<u32> {
                    if n >= 5 { None } else { resume_unwind(Box::new(n)) }
                });
                let mut handle = s.prefetch(TWO, source);
                handle.start().unwrap();
                until(|| watch.thread_ended());
                handle.close();
            }
        })
    });
    assert_eq!(payload.downcast_ref(), Some(&0));
}

#[test]
fn g1_a_panic_that_was_delivered_does_not_leave_the_scope_again() {
    scope(|s| {
        let failing: fn() -> Option<u32> = || panic!("the source");
        let mut handle = s.prefetch(TWO, iter::from_fn(failing));
        assert_eq!(message(|| handle.next()), "the source");
        assert_eq!(handle.next(), None);
    });
}

#[test]
fn g1_the_panic_of_the_closure_goes_before_those_of_threads() {
    let watch = Watch::new();
    let text = message(|| {
        scope(|s| {
            let source = watch.source(|n| Some(n as u32)).dropping("the source");
            let mut handle = s.prefetch(TWO, source);
            assert_eq!(handle.next(), Some(0));
            forget(handle);
            panic!("the closure");
        })
    });
    assert_eq!(text, "the closure");
    watch.assert_over();
}

#[test]
fn g1_what_is_buffered_is_dropped_by_the_end_of_the_scope() {
    let ledger = Ledger::new();
    let watch = Watch::new();
    scope(|s| {
        let mut handle = s.prefetch(TWO, watch.source(|_| Some(ledger.thing("item"))));
        drop(handle.next());
        watch.wait_asked(3);
        forget(handle);
    });
    assert_eq!(ledger.born(), 3);
    ledger.assert_settled();
}

/// How many threads this process has.
#[cfg(target_os = "linux")]
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn g1_ten_thousand_prefetches_one_after_the_other_do_not_pile_up() {
    let ledger = Ledger::new();
    let mut most = 0;
    scope(|s| {
        for round in 0..10_000 {
            let thing = ledger.thing("source");
            let mut handle = s.prefetch(
                TWO,
                iter::from_fn(move || {
                    let _held = &thing;
                    Some(round)
                }),
            );
            match round % 4 {
                0 => {}
                1 => assert!(handle.close()),
                _ => assert_eq!(handle.next(), Some(round)),
            }
            drop(handle);
            if round % 100 == 99 {
                // A thread that has been told to end does that soon.
                until(|| ledger.alive() == 0);
                assert_eq!(s.buffers(), []);
                #[cfg(target_os = "linux")]
                until(|| threads() < 100);
            }
            most = ledger.alive().max(most);
        }
    });
    ledger.assert_settled();
    assert!(most <= 100, "{most} sources at once");
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g1_memory_is_flat_over_prefetches_that_come_and_go() {
    let run = |rounds: u64| {
        allocation_counter::measure(|| {
            scope(|s| {
                for round in 0..rounds {
                    // Never started, so that all there is happens on this thread.
                    let mut handle = s.prefetch(TWO, 0..round);
                    handle.close();
                    drop(handle);
                }
            });
        })
        .bytes_max
    };
    let (few, many) = (run(100), run(10_000));
    assert!(many <= few + 256, "{few} bytes, then {many}");
}

#[test]
fn g1_memory_is_flat_over_threads_that_come_and_go() {
    let run = |rounds: u32| {
        allocation_counter::measure(|| {
            scope(|s| {
                for round in 0..rounds {
                    // So large that what else there is, and is freed elsewhere, does not count.
                    let mut handle = s.prefetch(Capacity::items(10_000), iter::once(round));
                    assert_eq!(handle.next(), Some(round));
                    assert_eq!(handle.next(), None);
                    // Its thread is about to end, if it has not ended yet.
                    thread::sleep(std::time::Duration::from_micros(50));
                }
            });
        })
        .bytes_max
    };
    let (few, many) = (run(100), run(2000));
    assert!(many <= 4 * few, "{few} bytes, then {many}");
}

#[test]
fn g1_two_scopes_on_two_threads_have_each_their_own_threads() {
    let ends: Vec<_> = (0..2)
        .map(|_| {
            thread::spawn(|| {
                let watch = Watch::new();
                let numbers = [1, 2, 3];
                let sum: u32 = scope(|s| counting(s, &watch, &numbers).take(30).sum());
                watch.assert_over();
                sum
            })
        })
        .collect();
    assert!(ends.into_iter().all(|end| end.join().unwrap() == 60));
}

/// Those whose threads have ended are taken out of the scope's book as others come. No others.
#[test]
fn g1_many_prefetches_are_all_there_until_they_have_ended() {
    in_time(|| {
        let numbers = vec![1, 2, 3];
        let watches = [(); 40].map(|()| Watch::new());
        scope(|s| {
            let mut prefetches = vec![];
            for (n, watch) in watches.iter().enumerate() {
                let mut prefetch = counting(s, watch, &numbers);
                if n % 2 == 0 {
                    prefetch.start().unwrap(); // Its thread waits for room, and for ever.
                }
                prefetches.push(prefetch);
            }
            assert_eq!(s.buffers().len(), 40);
            for prefetch in &mut prefetches {
                assert_eq!(prefetch.next(), Some(1));
            }
        });
        watches.iter().for_each(Watch::assert_over);
    });
}
