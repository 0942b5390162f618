//! The bodies, each next to a stream written by hand and one made by `unfold`, which are no generators.
//!
//! Modules called `unfold` hide the function of that name, which is therefore written with its path.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt};

use super::{Consumer, Inner, Input};
use crate::work::Kernel;
use crate::works::Item;

#[inline(always)]
fn step(x: u64) -> u64 {
    let x = x ^ x << 13;
    let x = x ^ x >> 7;
    x ^ x << 17
}

/// Numbers that are always there.
pub mod ready {
    use super::*;

    pub mod hand_written {
        use super::*;

        struct Numbers {
            x: u64,
            left: u64,
        }

        impl Stream for Numbers {
            type Item = u64;

            #[inline]
            fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
                let Some(left) = self.left.checked_sub(1) else { return Poll::Ready(None) };
                self.left = left;
                self.x = step(self.x);
                Poll::Ready(Some(self.x))
            }
        }

        #[inline(always)]
        pub fn stream<C: 'static>(input: Input) -> impl Stream<Item = u64> + Unpin {
            Numbers { x: input.seed, left: input.items }
        }
    }

    pub mod unfold {
        use super::*;

        #[inline(always)]
        pub fn stream<C: 'static>(input: Input) -> impl Stream<Item = u64> {
            futures_util::stream::unfold((input.seed, input.items), |(x, left)| async move {
                let left = left.checked_sub(1)?;
                let x = step(x);
                Some((x, (x, left)))
            })
        }
    }

    macro_rules! body {
        (
            $form:ident $C:ident $input:ident:
            $make:ident $co:ident [$($give:tt)*] [$($given:tt)*]
        ) => {
            $make! { $co {
                let mut x = $input.seed;
                for _ in 0..$input.items {
                    x = step(x);
                    $($give)* (x) $($given)*;
                }
            } }
        };
    }
    forms! { body: u64 }
}

/// Waits: pending once, and woken at once.
#[inline(always)]
async fn wait() {
    let mut waited = false;
    poll_fn(move |cx| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Of numbers before the first of which, and then before each that comes `EVERY` later, it waits.
macro_rules! waiting {
    (
        $form:ident $C:ident $input:ident:
        $make:ident $co:ident [$($give:tt)*] [$($given:tt)*]
    ) => {
        $make! { $co {
            let mut x = $input.seed;
            for n in 0..$input.items {
                if n.is_multiple_of(EVERY) {
                    wait().await;
                }
                x = step(x);
                $($give)* (x) $($given)*;
            }
        } }
    };
}

macro_rules! waits {
    ($module:ident: $every:literal) => {
        pub mod $module {
            use super::*;

            const EVERY: u64 = $every;

            pub mod hand_written {
                use super::*;

                struct Numbers {
                    x: u64,
                    n: u64,
                    items: u64,
                    waited: bool,
                }

                impl Stream for Numbers {
                    type Item = u64;

                    #[inline]
                    fn poll_next(
                        mut self: Pin<&mut Self>,
                        cx: &mut Context<'_>,
                    ) -> Poll<Option<u64>> {
                        if self.n == self.items {
                            return Poll::Ready(None);
                        }
                        if self.n.is_multiple_of(EVERY) && !self.waited {
                            self.waited = true;
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                        self.waited = false;
                        self.n += 1;
                        self.x = step(self.x);
                        Poll::Ready(Some(self.x))
                    }
                }

                #[inline(always)]
                pub fn stream<C: 'static>(input: Input) -> impl Stream<Item = u64> {
                    Numbers { x: input.seed, n: 0, items: input.items, waited: false }
                }
            }

            pub mod unfold {
                use super::*;

                #[inline(always)]
                pub fn stream<C: 'static>(input: Input) -> impl Stream<Item = u64> {
                    futures_util::stream::unfold((input.seed, 0_u64), move |(x, n)| async move {
                        if n == input.items {
                            return None;
                        }
                        if n.is_multiple_of(EVERY) {
                            wait().await;
                        }
                        let x = step(x);
                        Some((x, (x, n + 1)))
                    })
                }
            }

            forms! { waiting: u64 }
        }
    };
}
waits!(waits_1: 1);
waits!(waits_8: 8);
waits!(waits_64: 64);

/// Items that own memory.
pub mod strings {
    use super::*;

    pub mod hand_written {
        use super::*;

        struct Strings {
            n: u64,
            items: u64,
        }

        impl Stream for Strings {
            type Item = String;

            #[inline]
            fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<String>> {
                let n = self.n;
                if n == self.items {
                    return Poll::Ready(None);
                }
                self.n += 1;
                Poll::Ready(Some(String::make(n)))
            }
        }

        #[inline(always)]
        pub fn stream<C: 'static>(input: Input) -> impl Stream<Item = String> {
            Strings { n: 0, items: input.items }
        }
    }

    pub mod unfold {
        use super::*;

        #[inline(always)]
        pub fn stream<C: 'static>(input: Input) -> impl Stream<Item = String> {
            futures_util::stream::unfold(0_u64, move |n| async move {
                (n < input.items).then(|| (String::make(n), n + 1))
            })
        }
    }

    macro_rules! body {
        (
            $form:ident $C:ident $input:ident:
            $make:ident $co:ident [$($give:tt)*] [$($given:tt)*]
        ) => {
            $make! { $co {
                for n in 0..$input.items {
                    $($give)* (String::make(n)) $($given)*;
                }
            } }
        };
    }
    forms! { body: String }
}

/// A stream that forwards another one: in each form the numbers that are always there, in that form.
pub mod nested {
    use super::*;

    pub mod hand_written {
        use super::*;

        struct Forward<S>(S);

        impl<S: Stream + Unpin> Stream for Forward<S> {
            type Item = S::Item;

            #[inline]
            fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
                Pin::new(&mut self.0).poll_next(cx)
            }
        }

        #[inline(always)]
        pub fn stream<C: 'static>(input: Input) -> impl Stream<Item = u64> {
            Forward(ready::hand_written::stream::<(C, Inner)>(input))
        }
    }

    /// The inner stream is in a box: the state is moved with each item, and a stream that has been
    /// polled cannot be.
    pub mod unfold {
        use super::*;

        #[inline(always)]
        pub fn stream<C: 'static>(input: Input) -> impl Stream<Item = u64> {
            let inner = Box::pin(ready::unfold::stream::<(C, Inner)>(input));
            futures_util::stream::unfold(inner, |mut inner| async move {
                let item = inner.next().await?;
                Some((item, inner))
            })
        }
    }

    macro_rules! body {
        (
            $form:ident $C:ident $input:ident:
            $make:ident $co:ident [$($give:tt)*] [$($given:tt)*]
        ) => {
            $make! { $co {
                let mut inner = pin!(ready::$form::stream::<($C, Inner)>($input));
                while let Some(item) = inner.next().await {
                    $($give)* (item) $($given)*;
                }
            } }
        };
    }
    forms! { body: u64 }
}

/// Records of pages that are asked for one after the other: each is waited for, and is a vector.
pub mod pages {
    use super::*;

    const PAGE: u64 = 100;

    /// The page that begins with this record; the last one is short, or empty.
    #[inline(always)]
    async fn fetch(from: u64, items: u64) -> Vec<u64> {
        wait().await;
        (from..items.min(from + PAGE)).collect()
    }

    pub mod hand_written {
        use super::*;

        struct Pages {
            next: u64,
            items: u64,
            page: std::vec::IntoIter<u64>,
            waited: bool,
        }

        impl Stream for Pages {
            type Item = u64;

            #[inline]
            fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
                if let Some(record) = self.page.next() {
                    return Poll::Ready(Some(record));
                }
                if self.next >= self.items {
                    return Poll::Ready(None);
                }
                if !self.waited {
                    self.waited = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                self.waited = false;
                let end = self.items.min(self.next + PAGE);
                self.page = (self.next..end).collect::<Vec<_>>().into_iter();
                self.next = end;
                Poll::Ready(self.page.next())
            }
        }

        #[inline(always)]
        pub fn stream<C: 'static>(input: Input) -> impl Stream<Item = u64> {
            Pages { next: 0, items: input.items, page: Vec::new().into_iter(), waited: false }
        }
    }

    pub mod unfold {
        use super::*;

        #[inline(always)]
        pub fn stream<C: 'static>(input: Input) -> impl Stream<Item = u64> {
            let start = (0_u64, Vec::new().into_iter());
            futures_util::stream::unfold(start, move |(mut next, mut page)| async move {
                if let Some(record) = page.next() {
                    return Some((record, (next, page)));
                }
                if next >= input.items {
                    return None;
                }
                page = fetch(next, input.items).await.into_iter();
                next += PAGE;
                let record = page.next()?;
                Some((record, (next, page)))
            })
        }
    }

    macro_rules! body {
        (
            $form:ident $C:ident $input:ident:
            $make:ident $co:ident [$($give:tt)*] [$($given:tt)*]
        ) => {
            $make! { $co {
                let mut from = 0;
                while from < $input.items {
                    for record in fetch(from, $input.items).await {
                        $($give)* (record) $($given)*;
                    }
                    from += PAGE;
                }
            } }
        };
    }
    forms! { body: u64 }
}
