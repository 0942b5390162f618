//! How each contender writes a recursive body.
//!
//! A body is stated once, as a macro that is told the contender, and says `give!` where it yields and
//! `call!` where it calls itself. [`forms!`] makes a module of it for each contender.

use std::cell::Cell;

use corosensei::stack::DefaultStack;

/// How much address space the stack of the coroutine has: enough for the deepest work, a million
/// calls. It becomes memory only where it is touched. (The crate's own choice, where none is made, is
/// a mebibyte.)
pub const STACK: usize = 512 << 20;

thread_local! {
    static KEPT: Cell<Option<DefaultStack>> = const { Cell::new(None) };
}

/// A stack is kept from one coroutine to the next, as by whoever makes many: mapping one costs
/// microseconds, and its pages would have to be cleared again.
pub fn with_stack<T>(work: impl FnOnce(&mut DefaultStack) -> T) -> T {
    let mut stack = KEPT
        .take()
        .unwrap_or_else(|| DefaultStack::new(STACK).expect("there is address space enough"));
    let result = work(&mut stack);
    KEPT.set(Some(stack));
    result
}

/// Unmaps the stack that was kept, with all it has touched.
pub fn unmap_stack() {
    KEPT.take();
}

/// Yields a value.
macro_rules! give {
    (corosensei, $co:ident, $value:expr) => {
        $co.suspend($value)
    };
    (nightly_gen, $co:ident, $value:expr) => {
        yield $value
    };
    ($async:ident, $co:ident, $value:expr) => {
        $co.yield_($value).await
    };
}

/// Yields what the body yields for other inputs.
macro_rules! call {
    (corosensei, $co:ident, $walk:ident($($input:expr),*)) => {
        $walk($co, $($input),*)
    };
    (nightly_gen, $co:ident, $walk:ident($($input:expr),*)) => {
        for item in $walk($($input),*) {
            yield item;
        }
    };
    (genawaiter, $co:ident, $walk:ident($($input:expr),*)) => {
        for item in $walk($($input),*) {
            $co.yield_(item).await;
        }
    };
    (genawaiter_nested, $co:ident, $walk:ident($($input:expr),*)) => {
        $walk($co, $($input),*).await
    };
    // `watertight` and `watertight_send`.
    ($watertight:ident, $co:ident, $walk:ident($($input:expr),*)) => {
        $co.yield_from(|co| $walk(co, $($input),*)).await
    };
}

/// Makes a module for each contender of a body's macro, with a function `run` that gives the items to
/// a [`Consumer`](super::Consumer), and a function `all` with the names of the contenders and their
/// checksums.
///
/// With `forms! { body(a: A, b: B) from |input: &I| (first, second) }` the inputs of the outermost
/// body are `first` and `second`, made from `input`.
macro_rules! forms {
    (
        $body:ident($($input:ident: $type:ty),*)
        from |$all:ident: &$All:ty| ($($first:expr),*)
    ) => {
        pub mod watertight {
            use super::*;
            use ::watertight::{RecursiveCo, recursive};

            async fn walk<'a>(mut co: RecursiveCo<'a, u64>, $($input: $type),*) {
                $body!(watertight, co, walk, $($input),*);
            }

            pub fn run<C: Consumer>(consumer: C, $all: &$All) -> C::Output {
                consumer.consume(recursive(|co| walk(co, $($first),*)))
            }
        }

        pub mod watertight_send {
            use super::*;
            use ::watertight::{SendRecursiveCo, recursive_send};

            #[allow(clippy::manual_async_fn)] // It has to say that it is `Send`.
            fn walk<'a>(
                mut co: SendRecursiveCo<'a, u64>,
                $($input: $type),*
            ) -> impl Future<Output = ()> + Send + 'a {
                async move {
                    $body!(watertight_send, co, walk, $($input),*);
                }
            }

            pub fn run<C: Consumer>(consumer: C, $all: &$All) -> C::Output {
                consumer.consume(recursive_send(|co| walk(co, $($first),*)))
            }
        }

        /// A generator in each call, in a box because it contains its like.
        pub mod genawaiter {
            use super::*;
            use ::genawaiter::rc::Gen;

            fn walk<'a>($($input: $type),*) -> Box<dyn Iterator<Item = u64> + 'a> {
                Box::new(
                    Gen::new(|co| async move {
                        $body!(genawaiter, co, walk, $($input),*);
                    })
                    .into_iter(),
                )
            }

            pub fn run<C: Consumer>(consumer: C, $all: &$All) -> C::Output {
                consumer.consume(walk($($first),*))
            }
        }

        /// One generator, and in it a future in each call, in a box. An item is not handed up, but the
        /// way to the deepest future is still polled for each.
        pub mod genawaiter_nested {
            use super::*;
            use std::pin::Pin;
            use ::genawaiter::rc::{Co, Gen};

            fn walk<'a>(
                co: &'a Co<u64>,
                $($input: $type),*
            ) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
                Box::pin(async move {
                    $body!(genawaiter_nested, co, walk, $($input),*);
                })
            }

            pub fn run<C: Consumer>(consumer: C, $all: &$All) -> C::Output {
                let generator = Gen::new(|co| async move { walk(&co, $($first),*).await });
                consumer.consume(generator.into_iter())
            }
        }

        pub mod corosensei {
            use super::*;
            use ::corosensei::{ScopedCoroutine, Yielder};

            #[allow(clippy::extra_unused_lifetimes)] // Not every body borrows.
            fn walk<'a>(co: &Yielder<(), u64>, $($input: $type),*) {
                $body!(corosensei, co, walk, $($input),*);
            }

            pub fn run<C: Consumer>(consumer: C, $all: &$All) -> C::Output {
                $crate::recursion::forms::with_stack(|stack| {
                    ScopedCoroutine::with_stack(stack, |co: &Yielder<(), u64>, ()| {
                        walk(co, $($first),*);
                    })
                    .scope(|mut coroutine| {
                        consumer.consume(std::iter::from_fn(|| {
                            coroutine.as_mut().resume(()).as_yield()
                        }))
                    })
                })
            }
        }

        #[cfg(nightly_gen)]
        forms! { @nightly $body($($input: $type),*) from |$all: &$All| ($($first),*) }

        /// The checksum of each form, all but those that were written by hand.
        pub fn all() -> Vec<(&'static str, Kernel<$All>)> {
            vec![
                ("watertight", |input| watertight::run(Checksum, input)),
                ("watertight_send", |input| watertight_send::run(Checksum, input)),
                ("genawaiter", |input| genawaiter::run(Checksum, input)),
                ("genawaiter_nested", |input| genawaiter_nested::run(Checksum, input)),
                ("corosensei", |input| corosensei::run(Checksum, input)),
                #[cfg(nightly_gen)]
                ("nightly_gen", |input| nightly_gen::run(Checksum, input)),
            ]
        }
    };
    // By itself, for only where it is expanded does the compiler have to know the syntax.
    (
        @nightly $body:ident($($input:ident: $type:ty),*)
        from |$all:ident: &$All:ty| ($($first:expr),*)
    ) => {
        /// A `gen` block in each call, in a box because it contains its like.
        pub mod nightly_gen {
            use super::*;

            fn walk<'a>($($input: $type),*) -> Box<dyn Iterator<Item = u64> + 'a> {
                Box::new(gen move {
                    $body!(nightly_gen, co, walk, $($input),*);
                })
            }

            pub fn run<C: Consumer>(consumer: C, $all: &$All) -> C::Output {
                consumer.consume(walk($($first),*))
            }
        }
    };
}
