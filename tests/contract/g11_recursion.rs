//! G11 for recursive generators: one allocation when it is made, none for an item, none for going down
//! to where it has been before, and memory in proportion to the depth.

use std::mem::size_of_val;

use allocation_counter::measure;
use watertight::{Recursive, RecursiveCo, SendRecursive, recursive};

/// Goes down by `depth`, yields `items` items at the bottom, and comes back, `rounds` times.
async fn dive(mut co: RecursiveCo<'_, u32>, rounds: u32, depth: u32, items: u32) {
    for _ in 0..rounds {
        if depth == 0 {
            co.yield_all(0..items).await;
        } else {
            co.yield_from(|co| dive(co, 1, depth - 1, items)).await;
        }
    }
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g11_a_recursive_generator_allocates_once_when_it_is_made_and_not_for_an_item() {
    let usage = measure(|| drop(recursive(async |mut co: RecursiveCo<u32>| co.yield_(1).await)));
    assert_eq!((usage.count_total, usage.bytes_total, usage.bytes_current), (1, 1024, 0));
    let usage = measure(|| assert_eq!(recursive(|co| dive(co, 1, 2, 10_000)).count(), 10_000));
    assert_eq!(usage.count_total, 1, "three small bodies fit into the first piece");
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g11_the_handle_is_a_pointer() {
    // Without `std` also whether a panic has gone by, see `Poison`.
    let handle = size_of::<usize>() * if cfg!(feature = "std") { 1 } else { 2 };
    assert_eq!(size_of::<Recursive<'_, [u64; 9], String, [u8; 99]>>(), handle);
    assert_eq!(size_of::<SendRecursive<'_, u8>>(), handle);
    assert_eq!(size_of::<RecursiveCo<'_, [u64; 9], String>>(), size_of::<u64>());
}

#[test]
fn g11_going_down_and_up_at_the_same_height_allocates_nothing() {
    for depth in [1, 10, 100, 3000] {
        let mut walk = recursive(|co| dive(co, 1000, depth, 1));
        assert_eq!(walk.next(), Some(0)); // Warm.
        let usage = measure(|| assert_eq!(walk.by_ref().take(99).sum::<u32>(), 0));
        assert_eq!((usage.count_total, usage.bytes_total), (0, 0), "depth {depth}");
    }
}

/// The height at which one piece of memory ends and the next begins is crossed again and again.
#[test]
fn g11_going_down_and_up_at_any_height_allocates_nothing() {
    async fn stairs(mut co: RecursiveCo<'_, u32>, depth: u32) {
        for _ in 0..20 {
            co.yield_from(|co| dive(co, 1, 1, 1)).await;
        }
        if depth > 0 {
            co.yield_from(|co| stairs(co, depth - 1)).await;
        }
        for _ in 0..20 {
            co.yield_from(|co| dive(co, 1, 2, 1)).await;
        }
    }
    let mut walk = recursive(async |mut co: RecursiveCo<u32>| {
        co.yield_from(|co| stairs(co, 100)).await;
        co.yield_(7).await;
        co.yield_from(|co| stairs(co, 100)).await;
    });
    assert_eq!(walk.by_ref().take_while(|n| *n != 7).count(), 101 * 40);
    let before = walk.allocated();
    let usage = measure(|| assert_eq!(walk.by_ref().take(101 * 40).sum::<u32>(), 0));
    assert_eq!((usage.count_total, walk.allocated()), (0, before));
}

#[test]
fn g11_bodies_of_two_sizes_in_turns_allocate_nothing_when_they_have_been_there_before() {
    async fn both<'a>(mut co: RecursiveCo<'a, u32>, sizes: &'a [bool]) {
        if let Some((large, rest)) = sizes.split_first() {
            if *large {
                co.yield_from(async move |mut co: RecursiveCo<'a, u32>| {
                    let local = std::hint::black_box([1_u8; 20_000]);
                    co.yield_from(|co| both(co, rest)).await;
                    co.yield_(u32::from(local[7])).await;
                })
                .await;
            } else {
                co.yield_from(|co| both(co, rest)).await;
                co.yield_(1).await;
            }
        }
    }
    let orders = [[true, false, true, false, false, true], [false; 6], [true; 6]];
    let mut walk = recursive(async |mut co: RecursiveCo<u32>| {
        for _ in 0..1000 {
            for order in &orders {
                co.yield_from(|co| both(co, order)).await;
            }
        }
    });
    assert_eq!(walk.by_ref().take(2 * 18).count(), 2 * 18); // Twice, so that all pieces are there.
    let usage = measure(|| assert_eq!(walk.by_ref().take(20 * 18).count(), 20 * 18));
    assert_eq!(usage.count_total, 0);
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g11_memory_is_linear_in_the_depth() {
    // The size of a body, and what its frame takes at most.
    let mut size = 0;
    drop(recursive(|co| {
        let body = dive(co, 1, 1, 1);
        size = size_of_val(&body);
        body
    }));
    let frame = size.next_multiple_of(8) + 40;
    for depth in [10, 100, 1000, 10_000, 100_000] {
        let usage = measure(|| {
            let mut walk = recursive(|co| dive(co, 1, depth as u32, 1));
            assert_eq!((walk.next(), walk.depth()), (Some(0), depth));
            let (used, allocated) = (frame * depth, walk.allocated());
            assert!(size * depth <= allocated, "{allocated} bytes do not hold {depth} bodies");
            // A piece is at most as large as all before it, and one kibibyte, and no larger than a
            // mebibyte. Of each up to a frame is lost at its end.
            let idle = (used + 3 * 1024).min((1 << 20) + used / 100 + 64 * 1024);
            assert!(allocated <= used + idle, "{allocated} bytes for {depth} frames of {frame}");
        });
        assert!(usage.count_total < 12 + (frame * depth) as u64 / (1 << 20));
        assert_eq!(usage.bytes_current, 0);
    }
}

/// What is aligned to more than a piece of memory is takes no piece of its own for that.
#[test]
fn g11_bodies_of_a_large_alignment_share_their_pieces() {
    #[repr(align(64))]
    struct Wide([u8; 64]);

    async fn down(mut co: RecursiveCo<'_, u8>, depth: u8) {
        let wide = std::hint::black_box(Wide([depth; 64]));
        if depth > 0 {
            co.yield_from(|co| down(co, depth - 1)).await;
        }
        co.yield_(wide.0[7]).await;
    }
    let mut size = 0;
    let mut walk = recursive(|co| {
        let body = down(co, 50);
        size = size_of_val(&body);
        body
    });
    assert_eq!((walk.next(), walk.depth()), (Some(0), 50));
    let used = 51 * (size + 2 * 64);
    assert!(walk.allocated() <= 2 * used + 3 * 1024, "{} bytes for {used}", walk.allocated());
    assert!(walk.eq(1..=50));
}

/// What was not asked for costs nothing: the limit is not an allocation.
#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g11_a_depth_limit_allocates_nothing() {
    let usage = measure(|| drop(recursive(|co| dive(co, 1, 1, 1)).max_depth(9)));
    assert_eq!(usage.count_total, 1);
}
