//! Bodies for recursive generators.

use std::future::Future;

use watertight::{RecursiveCo, SendRecursiveCo};

use super::Ledger;

/// The name of what a body of this depth holds.
pub const LEVELS: [&str; 8] = ["root", "1", "2", "3", "4", "5", "6", "7"];

/// The names of what `depth` bodies and their root hold, deepest first.
pub fn deepest_first(depth: usize) -> Vec<&'static str> {
    LEVELS[..=depth].iter().rev().copied().collect()
}

/// Delegates down to `depth`, and runs `bottom` there. Every body on the way holds a thing.
pub async fn at_depth<'a, Y, R, B, F>(
    co: RecursiveCo<'a, Y, R>,
    ledger: Ledger,
    depth: usize,
    bottom: B,
) -> F::Output
where
    Y: 'a,
    R: 'a,
    B: FnOnce(RecursiveCo<'a, Y, R>) -> F + 'a,
    F: Future + 'a,
{
    from_level(co, ledger, 0, depth, bottom).await
}

async fn from_level<'a, Y, R, B, F>(
    mut co: RecursiveCo<'a, Y, R>,
    ledger: Ledger,
    level: usize,
    depth: usize,
    bottom: B,
) -> F::Output
where
    Y: 'a,
    R: 'a,
    B: FnOnce(RecursiveCo<'a, Y, R>) -> F + 'a,
    F: Future + 'a,
{
    let _held = ledger.thing(LEVELS[level]);
    if level == depth {
        return bottom(co).await;
    }
    co.yield_from(|co| from_level(co, ledger, level + 1, depth, bottom)).await
}

/// Delegates down to `depth`, where it yields the natural numbers. It can go to other threads.
#[allow(clippy::manual_async_fn, reason = "an `async fn` could not delegate to itself")]
pub fn counting_at(
    mut co: SendRecursiveCo<'_, u32>,
    ledger: Ledger,
    level: usize,
    depth: usize,
) -> impl Future<Output = ()> + Send {
    async move {
        let _held = ledger.thing(LEVELS[level]);
        if level < depth {
            co.yield_from(|co| counting_at(co, ledger, level + 1, depth)).await;
        } else {
            co.yield_all(0..).await;
        }
    }
}
