//! G11: a pinned generator allocates nothing, a boxed one once; what was not asked for costs
//! nothing.

use std::mem::size_of_val;
use std::pin::pin;

use allocation_counter::measure;
use watertight::{Co, generator, try_generator};

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g11_a_pinned_generator_allocates_nothing() {
    let usage = measure(|| {
        let mut sum = pin!(generator(async |mut co: Co<u64, u64>| {
            let mut sum = co.argument().await.unwrap_or(0);
            for _ in 0..1000 {
                sum += co.yield_(sum).await;
            }
            sum
        }));
        while let Ok(state) = sum.as_mut().resume(1) {
            std::hint::black_box(state);
        }
        let numbers = pin!(generator(async |mut co| co.yield_all(0..1000).await));
        assert_eq!(numbers.sum::<u32>(), 499_500);
        let fallible = pin!(try_generator(async |mut co: Co<u32>| {
            co.yield_(1).await;
            Err("failed")
        }));
        assert_eq!(fallible.count(), 2);
        let mut closed = pin!(generator(async |mut co: Co<u32>| co.yield_(1).await));
        closed.as_mut().close();
    });
    assert_eq!((usage.count_total, usage.bytes_total), (0, 0));
}

#[cfg(feature = "alloc")]
#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g11_a_boxed_generator_allocates_once() {
    let once = |make_and_use: &dyn Fn()| measure(make_and_use).count_total;
    let body = async |mut co: Co<u32>| co.yield_all(0..100).await;
    assert_eq!(once(&|| assert_eq!(generator(body).boxed().count(), 100)), 1);
    assert_eq!(once(&|| assert_eq!(generator(body).boxed_local().count(), 100)), 1);
    assert_eq!(once(&|| assert_eq!(generator(body).into_iter().count(), 100)), 1);
    assert_eq!(once(&|| drop(generator(body))), 0);
    let body = async |mut co: Co<u32>| {
        co.yield_(1).await;
        Err(())
    };
    assert_eq!(once(&|| assert_eq!(try_generator(body).boxed().count(), 2)), 1);
    assert_eq!(once(&|| assert_eq!(try_generator(body).into_iter().count(), 2)), 1);
}

#[cfg(feature = "alloc")]
#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g11_a_box_is_given_back_when_its_generator_has_finished() {
    let two = || generator(async |mut co: Co<u32>| co.yield_all(0..2).await).boxed();
    let ways: [fn(&mut watertight::BoxGen<u32>); 2] =
        [|ends| assert_eq!(ends.by_ref().count(), 1), |closed| assert!(closed.close())];
    for end in ways {
        let mut numbers = two();
        assert_eq!(numbers.next(), Some(0));
        let usage = measure(|| end(&mut numbers));
        assert_eq!((usage.count_current, usage.count_total), (-1, 0));
        assert!(numbers.is_finished());
    }
}

#[test]
fn g11_the_state_is_the_body_and_at_most_24_bytes() {
    /// The size of a body and of the generator around it.
    macro_rules! sizes {
        ($body:expr) => {{
            let mut body_size = 0;
            let generator = generator(|co| {
                let body = $body(co);
                body_size = size_of_val(&body);
                body
            });
            (body_size, size_of_val(&generator))
        }};
    }
    let small = sizes!(async |mut co: Co<u8>| co.yield_(1).await);
    let string = sizes!(async |mut co: Co<String>| {
        let held = vec![1, 2, 3];
        co.yield_(String::from("a")).await;
        drop(held);
    });
    let large = sizes!(async |mut co: Co<u64>| {
        let held = [1u64; 512];
        for n in held {
            co.yield_(n).await;
        }
    });
    let answered = sizes!(async |mut co: Co<u32, [u64; 8]>| {
        co.yield_(1).await;
    });
    for (body, generator) in [small, string, large, answered] {
        assert!(generator <= body + 24, "{generator} bytes for a body of {body}");
    }
    // An end value takes the place of the body, so the larger of the two counts.
    let (body, generator) = sizes!(async |mut co: Co<u32, [u64; 8]>| co.yield_(1).await);
    assert!(generator <= body.max(size_of::<[u64; 8]>()) + 24, "{generator} for {body}");
}

#[cfg(feature = "std")]
mod with_std {
    use watertight::{async_generator, scope};

    use super::*;

    fn numbers(upto: u64) -> watertight::Gen<u64, impl Future<Output = ()> + Send + 'static> {
        generator(async move |mut co: Co<u64>| co.yield_all(0..upto).await)
    }

    #[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
    #[test]
    fn g11_an_empty_scope_allocates_nothing_and_a_generator_in_it_once() {
        let usage = measure(|| scope(|s| assert_eq!(s.stats().created, 0)));
        assert_eq!(usage.count_total, 0);
        let usage = measure(|| {
            scope(|s| {
                let handle = s.adopt_generator(numbers(1000)).erase();
                assert_eq!(handle.sum::<u64>(), 499_500);
            });
        });
        assert_eq!(usage.count_total, 1);
        let overhead = usage.bytes_max as usize - size_of_val(&numbers(1));
        assert!(overhead <= 40, "{overhead} bytes");
    }

    #[test]
    fn g11_a_hook_costs_its_own_size_and_no_allocation() {
        let plain = size_of_val(&numbers(1));
        let hooked = numbers(3).on_finish(|_| ());
        assert!(size_of_val(&hooked) <= plain + 8);
        let usage = measure(|| assert_eq!(pin!(hooked).count(), 3));
        assert_eq!(usage.count_total, 0);
    }

    #[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
    #[test]
    fn g11_stop_handles_allocate_what_the_documentation_says() {
        let usage = measure(|| drop(numbers(1).stoppable()));
        assert_eq!(usage.count_total, 1);
        assert!(usage.bytes_max <= 160, "{} bytes", usage.bytes_max);
        let usage = measure(|| drop(numbers(1).releasable()));
        assert_eq!(usage.count_total, 2);
        let usage = measure(|| scope(|s| drop(s.releasable(numbers(1)))));
        assert!(usage.count_total <= 5, "{} allocations", usage.count_total);
    }

    /// Memory follows what lives.
    #[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
    #[test]
    fn g11_ten_million_generators_one_after_the_other_take_the_memory_of_one() {
        let count = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };
        let usage = measure(|| {
            scope(|s| {
                let mut sum = 0;
                for n in 0..count {
                    let mut handle = s.adopt_generator(numbers(n + 1));
                    sum += handle.next().unwrap();
                    match n % 3 {
                        0 => drop(handle),
                        1 => assert!(handle.close()),
                        _ => handle.by_ref().take(3).for_each(drop),
                    }
                }
                assert_eq!(sum, 0);
                assert_eq!(s.stats().created, count as usize);
            });
        });
        assert!(usage.bytes_max <= 40 + size_of_val(&numbers(1)) as u64, "{}", usage.bytes_max);
        assert_eq!(usage.bytes_current, 0);
    }

    #[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
    #[test]
    fn g11_a_million_generators_at_once_take_48_bytes_each_over_their_own() {
        const COUNT: usize = 1_000_000;
        let own = size_of_val(&numbers(1));
        let usage = measure(|| {
            scope(|s| {
                let mut handles = Vec::with_capacity(COUNT);
                handles.extend((0..COUNT).map(|_| s.adopt_generator(numbers(9))));
                assert!(handles.iter_mut().all(|handle| handle.next() == Some(0)));
                assert_eq!(s.stats().alive, COUNT);
                handles.truncate(COUNT / 2); // The rest is for the scope.
                crate::support::forget(handles);
            });
        });
        let each = usage.bytes_max as usize / COUNT;
        assert!(each <= own + 48, "{each} bytes each, of which {own} are the generator's own");
        // The vector that was forgotten: all that is left.
        assert!(usage.bytes_current as usize <= 8 * COUNT + 4096);
    }
    #[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
    #[test]
    fn g11_a_streams_box_is_given_back_when_it_has_ended() {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let mut numbers = async_generator(async |mut co: Co<u32>| co.yield_(1).await).boxed();
        assert!(numbers.poll_next(&mut cx).is_ready());
        let usage = measure(|| assert!(numbers.poll_next(&mut cx).is_ready()));
        assert_eq!((usage.count_current, usage.count_total), (-1, 0));
        assert!(numbers.is_finished());
    }

    #[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
    #[test]
    fn g11_what_has_panicked_gives_its_memory_back_with_the_next_call() {
        let panics = || generator(async |_co: Co<u64>| panic!("the body"));
        let own = size_of_val(&panics()) as i64;
        scope(|s| {
            let mut asked = s.adopt_generator(panics());
            let mut closed = s.adopt_generator(panics());
            crate::support::catch(|| asked.next());
            crate::support::catch(|| closed.next());
            let usage = measure(|| assert_eq!(asked.next(), None));
            assert!(usage.bytes_current <= -own, "{usage:?}, of {own}");
            let usage = measure(|| assert!(!closed.close()));
            assert!(usage.bytes_current <= -own, "{usage:?}, of {own}");
        });
    }
}
