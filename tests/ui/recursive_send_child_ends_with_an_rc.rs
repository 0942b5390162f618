//! What a child ends with waits on the stack for its parent, so it has to be `Send` as well.
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use watertight::{SendRecursiveCo, recursive_send};

/// `Send` itself.
struct EndsWithRc;

impl Future for EndsWithRc {
    type Output = Rc<u32>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Rc<u32>> {
        Poll::Ready(Rc::new(1))
    }
}

fn main() {
    recursive_send(async |mut co: SendRecursiveCo<u32>| {
        co.yield_from(|_co| EndsWithRc).await;
    })
    .count();
}
