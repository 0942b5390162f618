//! How each contender writes a body that is a generator.
//!
//! A body is stated once, as a macro that is told what stands before a value that is yielded and what
//! after it, and the macro that makes a stream of the body. (Not with a macro for the yield, as those
//! of recursion have one: async-stream looks for the word in the body before macros are expanded.)
//! [`forms!`] makes a module of it for each contender.

macro_rules! make_watertight {
    ($co:ident $body:tt) => {
        ::watertight::async_generator(async move |mut $co: ::watertight::Co<_>| $body)
    };
}

macro_rules! make_watertight_boxed {
    ($co:ident $body:tt) => {
        make_watertight!($co $body).boxed()
    };
}

macro_rules! make_watertight_releasable {
    ($co:ident $body:tt) => {
        ::watertight::StreamExt::releasable(make_watertight!($co $body)).0
    };
}

/// Without a name for what yields: the word is the macro's.
macro_rules! make_async_stream {
    ($co:ident $body:tt) => {
        ::async_stream::stream! { $body }
    };
}

macro_rules! make_asynk_strim {
    ($co:ident $body:tt) => {
        ::asynk_strim::stream_fn(move |mut $co: ::asynk_strim::Yielder<_>| async move $body)
    };
}

macro_rules! make_async_fn_stream {
    ($co:ident $body:tt) => {
        ::async_fn_stream::fn_stream(move |$co: ::async_fn_stream::StreamEmitter<_>| async move $body)
    };
}

/// The same word as async-stream's.
macro_rules! make_async_gen {
    ($co:ident $body:tt) => {
        ::async_gen::stream! { $body }
    };
}

macro_rules! make_genawaiter {
    ($co:ident $body:tt) => {
        ::genawaiter::rc::Gen::new(move |$co: ::genawaiter::rc::Co<_>| async move $body)
    };
}

/// Makes a module for each contender that writes a generator of a body's macro, with a function
/// `stream`; and a function `all`, which has the names of all contenders and the kernels for a
/// [`Consumer`](super::Consumer). The modules `hand_written` and `unfold` have to be there.
///
/// `stream` has the consumer as a parameter, because a body is inlined only where it is used once.
macro_rules! forms {
    ($body:ident: $Item:ty) => {
        forms! { @forms $body: $Item,
            watertight(make_watertight co [co.yield_] [.await])
            watertight_boxed(make_watertight_boxed co [co.yield_] [.await])
            watertight_releasable(make_watertight_releasable co [co.yield_] [.await])
            async_stream(make_async_stream co [yield] [])
            asynk_strim(make_asynk_strim co [co.yield_item] [.await])
            async_fn_stream(make_async_fn_stream co [co.emit] [.await])
            async_gen(make_async_gen co [yield] [])
            genawaiter(make_genawaiter co [co.yield_] [.await])
        }
        forms! { @all
            hand_written unfold watertight watertight_boxed watertight_releasable
            async_stream asynk_strim async_fn_stream async_gen genawaiter
        }
    };
    (@forms $body:ident: $Item:ty,
        $($form:ident($make:ident $co:ident [$($give:tt)*] [$($given:tt)*]))*
    ) => {
        $(pub mod $form {
            use super::*;

            #[inline(always)]
            pub fn stream<C: 'static>(input: Input) -> impl Stream<Item = $Item> {
                $body!($form C input: $make $co [$($give)*] [$($given)*])
            }
        })*
    };
    (@all $($form:ident)*) => {
        pub fn all<C: Consumer>() -> Vec<(&'static str, Kernel<Input>)> {
            vec![$((stringify!($form), |input| C::run(*input, $form::stream::<C>))),*]
        }
    };
}
