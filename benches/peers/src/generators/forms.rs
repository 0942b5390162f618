//! How each contender writes a body, and makes an iterator of it.
//!
//! A body is a macro that is told how to yield, what to do that with, and the input. [`forms!`] makes a
//! module of it for each contender, in the form that is the cheapest it offers: on the stack, or lent.
//! [`boxes!`] makes those that own themselves and hide their type, which is a `Box<dyn Iterator>`.

/// Of `watertight`, both `genawaiter`s, and whoever else calls it so.
macro_rules! awaited {
    ($co:ident, $value:expr) => {
        $co.yield_($value).await
    };
}

/// In a nightly `gen` block.
#[cfg(nightly_gen)]
macro_rules! yielded {
    ($co:ident, $value:expr) => {
        yield $value
    };
}

/// Where the body has a stack of its own: `corosensei`.
macro_rules! suspended {
    ($co:ident, $value:expr) => {
        $co.suspend($value)
    };
}

/// The same for `generator`.
macro_rules! handed {
    ($co:ident, $value:expr) => {
        $co.yield_with($value)
    };
}

macro_rules! remitted {
    ($co:ident, $value:expr) => {
        $co.value($value).await
    };
}

/// The macro is made by the attribute of `fauxgen`.
macro_rules! faux {
    ($co:ident, $value:expr) => {
        r#yield!($value)
    };
}

/// The same for `next-gen`.
macro_rules! next {
    ($co:ident, $value:expr) => {
        yield_!($value)
    };
}

/// The body as a generator of this crate, to be used in the function where it stands.
macro_rules! ours {
    ($body:ident($input:ident) -> $Item:ty) => {
        ::watertight::generator(async move |mut co: ::watertight::Co<$Item>| {
            $body!(awaited, co, $input);
        })
    };
}

/// Makes a module for each contender, with a function `run` that gives the items to a
/// [`Consumer`](super::Consumer), and a function `all` with the names of the contenders and their
/// kernels. All are expanded where they are used once, because that is where a body is inlined.
///
/// With `forms! { body(input: I) -> Item; from |all: &All| first }` the input is `first`, made of `all`,
/// which is what the work is stated with.
macro_rules! forms {
    (
        $body:ident($input:ident: $Input:ty) -> $Item:ty;
        from |$all:ident: &$All:ty| $first:expr
    ) => {
        forms! { @one $body($input: $Input) -> $Item, watertight => {
            C::consume(std::pin::pin!(ours!($body($input) -> $Item)))
        } }
        forms! { @one $body($input: $Input) -> $Item, watertight_boxed => {
            C::consume(ours!($body($input) -> $Item).into_iter())
        } }
        forms! { @one $body($input: $Input) -> $Item, watertight_stoppable => {
            C::consume(std::pin::pin!(ours!($body($input) -> $Item).stoppable().0))
        } }
        forms! { @one $body($input: $Input) -> $Item, watertight_releasable => {
            ::watertight::scope(|s| C::consume(s.releasable(ours!($body($input) -> $Item)).0))
        } }
        forms! { @one $body($input: $Input) -> $Item, watertight_scoped => {
            ::watertight::scope(|s| C::consume(s.adopt_generator(ours!($body($input) -> $Item))))
        } }
        forms! { @one $body($input: $Input) -> $Item, genawaiter_stack => {
            ::genawaiter::stack::let_gen_using!(generator, |co| async move {
                $body!(awaited, co, $input);
            });
            C::consume(generator.into_iter())
        } }
        forms! { @one $body($input: $Input) -> $Item, genawaiter_rc => {
            C::consume(
                ::genawaiter::rc::Gen::new(|co| async move {
                    $body!(awaited, co, $input);
                })
                .into_iter(),
            )
        } }
        forms! { @one $body($input: $Input) -> $Item, genawaiter_sync => {
            C::consume(
                ::genawaiter::sync::Gen::new(|co| async move {
                    $body!(awaited, co, $input);
                })
                .into_iter(),
            )
        } }
        forms! { @one $body($input: $Input) -> $Item, genawaiter2 => {
            C::consume(
                ::genawaiter2::rc::Gen::new(|mut co| async move {
                    $body!(awaited, co, $input);
                })
                .into_iter(),
            )
        } }
        forms! { @one $body($input: $Input) -> $Item, fauxgen => {
            #[::fauxgen::generator(yield = $Item)]
            fn body<'a, C: 'static>($input: $Input) {
                $body!(faux, co, $input);
            }
            C::consume(std::pin::pin!(body::<C>($input)))
        } }
        forms! { @one $body($input: $Input) -> $Item, next_gen => {
            use ::next_gen::{generator, mk_gen};
            #[generator(yield($Item))]
            fn body<'a, C: 'static>($input: $Input) {
                $body!(next, co, $input);
            }
            mk_gen!(let generator = (body::<C>)($input));
            C::consume(generator)
        } }
        forms! { @one $body($input: $Input) -> $Item, remit => {
            async fn body<'a, C: 'static>($input: $Input, co: ::remit::Remit<'_, $Item>) {
                $body!(remitted, co, $input);
            }
            C::consume(
                std::pin::pin!(::remit::Generator::new()).parameterized(body::<C>, $input),
            )
        } }
        forms! { @one $body($input: $Input) -> $Item, corosensei => {
            use ::corosensei::{ScopedCoroutine, Yielder};
            $crate::recursion::forms::with_stack(|stack| {
                ScopedCoroutine::with_stack(stack, |co: &Yielder<(), $Item>, ()| {
                    $body!(suspended, co, $input);
                })
                .scope(|mut coroutine| {
                    C::consume(std::iter::from_fn(|| coroutine.as_mut().resume(()).as_yield()))
                })
            })
        } }
        forms! { @one $body($input: $Input) -> $Item, generator => {
            C::consume(::generator::Gn::<()>::new_scoped_local(
                |mut co: ::generator::Scope<'_, '_, (), $Item>| {
                    $body!(handed, co, $input);
                    ::generator::done!()
                },
            ))
        } }
        #[cfg(nightly_gen)]
        forms! { @nightly $body($input: $Input) -> $Item }
        forms! { @all $Input, $Item, |$all: &$All| $first =>
            watertight watertight_boxed watertight_stoppable watertight_releasable
            watertight_scoped [nightly_gen] genawaiter_stack genawaiter_rc genawaiter_sync
            genawaiter2 fauxgen next_gen remit corosensei generator
        }
    };
    (@one $body:ident($input:ident: $Input:ty) -> $Item:ty, $form:ident => $run:block) => {
        pub mod $form {
            use super::*;

            // Not every body borrows; and a function has the consumer as a parameter only so that there
            // is one for each.
            #[allow(clippy::extra_unused_lifetimes, clippy::extra_unused_type_parameters)]
            #[inline(always)]
            pub fn run<'a, C: Consumer<$Input, $Item>>($input: $Input) -> u64 $run
        }
    };
    // By itself, for only where it is expanded does the compiler have to know the syntax.
    (@nightly $body:ident($input:ident: $Input:ty) -> $Item:ty) => {
        forms! { @one $body($input: $Input) -> $Item, nightly_gen => {
            C::consume(gen move {
                $body!(yielded, co, $input);
            })
        } }
    };
    (@all $Input:ty, $Item:ty, |$all:ident: &$All:ty| $first:expr =>
        $($ours:ident)* [$nightly:ident] $($form:ident)*
    ) => {
        /// All those that are written as generators.
        #[allow(clippy::extra_unused_lifetimes)]
        pub fn all<C>() -> Vec<(&'static str, Kernel<$All>)>
        where
            C: for<'a> Consumer<$Input, $Item>,
        {
            vec![
                $((stringify!($ours), |$all| C::each($first, |one| $ours::run::<C>(one))),)*
                #[cfg(nightly_gen)]
                (stringify!($nightly), |$all| C::each($first, |one| $nightly::run::<C>(one))),
                $((stringify!($form), |$all| C::each($first, |one| $form::run::<C>(one))),)*
            ]
        }
    };
}

/// Makes a module `boxes` with a function for each contender, which gives the iterator in a box that
/// hides its type, and a function `all` with their names.
macro_rules! boxes {
    ($body:ident($input:ident: $Input:ty) -> $Item:ty) => {
        pub mod boxes {
            use super::*;

            pub type Make = fn($Input) -> Box<dyn Iterator<Item = $Item>>;

            boxes! { @make $input: $Input, $Item;
                watertight => { Box::new(ours!($body($input) -> $Item).into_iter()) }
                genawaiter_rc => {
                    Box::new(
                        ::genawaiter::rc::Gen::new(|co| async move {
                            $body!(awaited, co, $input);
                        })
                        .into_iter(),
                    )
                }
                genawaiter_sync => {
                    Box::new(
                        ::genawaiter::sync::Gen::new(|co| async move {
                            $body!(awaited, co, $input);
                        })
                        .into_iter(),
                    )
                }
                genawaiter2 => {
                    Box::new(
                        ::genawaiter2::rc::Gen::new(|mut co| async move {
                            $body!(awaited, co, $input);
                        })
                        .into_iter(),
                    )
                }
                fauxgen => {
                    #[::fauxgen::generator(yield = $Item)]
                    fn body($input: $Input) {
                        $body!(faux, co, $input);
                    }
                    Box::new(Box::pin(body($input)))
                }
                next_gen => {
                    use ::next_gen::{generator, mk_gen};
                    #[generator(yield($Item))]
                    fn body($input: $Input) {
                        $body!(next, co, $input);
                    }
                    mk_gen!(let generator = box body($input));
                    Box::new(generator)
                }
                remit => {
                    Box::new(::remit::Generator::boxed(|co| async move {
                        $body!(remitted, co, $input);
                    }))
                }
                // Each has a stack of its own, which the crate maps and unmaps.
                corosensei => {
                    use ::corosensei::{Coroutine, Yielder};
                    let mut coroutine = Coroutine::new(move |co: &Yielder<(), $Item>, ()| {
                        $body!(suspended, co, $input);
                    });
                    Box::new(std::iter::from_fn(move || coroutine.resume(()).as_yield()))
                }
                generator => {
                    Box::new(::generator::Gn::<()>::new_scoped_local(
                        move |mut co: ::generator::Scope<'_, '_, (), $Item>| {
                            $body!(handed, co, $input);
                            ::generator::done!()
                        },
                    ))
                }
            }
            #[cfg(nightly_gen)]
            boxes! { @nightly $body($input: $Input) -> $Item }

            pub fn all() -> Vec<(&'static str, Make)> {
                vec![
                    ("watertight", watertight),
                    #[cfg(nightly_gen)]
                    ("nightly_gen", nightly_gen),
                    ("genawaiter_rc", genawaiter_rc),
                    ("genawaiter_sync", genawaiter_sync),
                    ("genawaiter2", genawaiter2),
                    ("fauxgen", fauxgen),
                    ("next_gen", next_gen),
                    ("remit", remit),
                    ("corosensei", corosensei),
                    ("generator", generator),
                ]
            }
        }
    };
    (@make $input:ident: $Input:ty, $Item:ty; $($form:ident => $make:block)*) => {
        $(pub fn $form($input: $Input) -> Box<dyn Iterator<Item = $Item>> $make)*
    };
    (@nightly $body:ident($input:ident: $Input:ty) -> $Item:ty) => {
        boxes! { @make $input: $Input, $Item;
            nightly_gen => {
                Box::new(gen move {
                    $body!(yielded, co, $input);
                })
            }
        }
    };
}
