//! Rule 4: the body can lend its waker, but not keep it.
use std::cell::Cell;
use std::task::{Poll, Waker};
use watertight::{Co, generator};

fn main() {
    let kept: Cell<Option<&Waker>> = Cell::new(None);
    let _ = generator(async |_co: Co<u32>| {
        std::future::poll_fn(|cx| {
            kept.set(Some(cx.waker()));
            Poll::Ready(())
        })
        .await;
    });
}
