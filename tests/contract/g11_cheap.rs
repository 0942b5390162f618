//! G11: a pinned generator allocates nothing, a boxed one once; what was not asked for costs
//! nothing.

use std::mem::size_of_val;
use std::pin::pin;

use allocation_counter::measure;
use watertight::{Co, generator, try_generator};

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
