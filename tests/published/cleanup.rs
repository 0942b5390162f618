//! Cleanup that ran too late, somewhere else, or never.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;

use watertight::{
    Cleanup, Co, Outcome, ScopedGen, async_generator, generator, scope, with_cleanup,
};

use crate::support::Ledger;
use crate::support::tasks::Bell;

/// CPython: an asynchronous generator that is left by `break` is finalized by the event loop, some time
/// later, after its consumer has gone on. <https://github.com/python/cpython/issues/88684>
///
/// Here it is dropped where it goes out of scope, before what comes after it.
#[test]
fn a_stream_that_is_left_early_is_released_before_its_consumer_goes_on() {
    let log = Arc::new(Mutex::new(vec![]));
    struct Says(Arc<Mutex<Vec<&'static str>>>, &'static str);
    impl Drop for Says {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(self.1);
        }
    }
    smol::block_on(async {
        let _outer = Says(log.clone(), "outer");
        {
            let mut items = pin!(async_generator(async |mut co: Co<u32>| {
                let _inner = Says(log.clone(), "inner");
                co.yield_(1).await;
                co.yield_(2).await;
            }));
            while let Some(item) = items.next().await {
                if item == 1 {
                    break;
                }
            }
        }
        log.lock().unwrap().push("after the loop");
    });
    assert_eq!(*log.lock().unwrap(), ["inner", "after the loop", "outer"]);
}

/// trio, and Python in general: a generator that is not read to its end is finalized wherever the garbage
/// collector happens to run, in whatever task and thread that is.
/// <https://github.com/python-trio/trio/issues/265>
#[test]
fn a_generator_is_released_on_the_thread_that_lets_go_of_it() {
    struct Where(Arc<Mutex<Option<thread::ThreadId>>>);
    impl Drop for Where {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = Some(thread::current().id());
        }
    }
    let seen = Arc::new(Mutex::new(None));
    let held = Where(seen.clone());
    let mut numbers = generator(async move |mut co: Co<u32>| {
        let _held = held;
        co.yield_all(0..).await;
    })
    .boxed();
    assert_eq!(numbers.next(), Some(0));
    let other = thread::spawn(move || {
        drop(numbers);
        thread::current().id()
    });
    assert_eq!(Some(other.join().unwrap()), *seen.lock().unwrap());
}

/// CPython: what `break` leaves behind may never have its `aclose` awaited; there is a warning at the
/// end of the program, if that. <https://github.com/python/cpython/issues/117536>
///
/// Here `close` says how it ended, and what could not be awaited is told to a hook, there and then.
#[test]
fn cleanup_that_nobody_awaits_is_told() {
    let ran = Arc::new(Mutex::new(0));
    let told = Arc::new(Mutex::new(None));
    let rows = || {
        let (ran, told) = (ran.clone(), told.clone());
        let rows = with_cleanup(move |cleanup: Cleanup| {
            async_generator(async move |mut co: Co<u32>| {
                cleanup.defer(async move { *ran.lock().unwrap() += 1 });
                co.yield_all(0..3).await;
            })
        });
        rows.on_abandoned(move |count| *told.lock().unwrap() = Some(count))
    };
    smol::block_on(async {
        let mut closed = pin!(rows());
        assert_eq!(closed.next().await, Some(0));
        assert_eq!(closed.as_mut().close().await, Outcome::Stopped);
        assert_eq!((*ran.lock().unwrap(), *told.lock().unwrap()), (1, None));
        let mut left = Box::pin(rows());
        assert!(Bell::new().poll_next(&mut left).is_ready());
        drop(left);
        assert_eq!((*ran.lock().unwrap(), *told.lock().unwrap()), (1, Some(1)));
    });
}

/// CPython collects a generator that holds itself; reference counts do not. There it depends on when the
/// collector runs, and with `gc.disable()` it never does.
/// <https://docs.python.org/3/library/gc.html>
///
/// Here, in a scope, it is over when the scope is.
#[test]
fn a_generator_that_holds_itself() {
    let ledger = Ledger::new();
    scope(|s| {
        let own: Rc<RefCell<Option<ScopedGen<'_, u32>>>> = Rc::default();
        let (held, itself) = (ledger.thing("held"), own.clone());
        let numbers = s.generator(async move |mut co: Co<u32>| {
            let (_held, _itself) = (held, itself);
            co.yield_all(0..).await;
        });
        assert_eq!(own.borrow_mut().insert(numbers.erase()).next(), Some(0));
    });
    ledger.assert_settled();
}
