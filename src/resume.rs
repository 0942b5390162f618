//! What every generator can do: be resumed and be closed.

use core::fmt;
use core::ops::DerefMut;
use core::pin::Pin;

/// What a resumed generator came back with.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use watertight::{Co, GeneratorState, generator};
///
/// let mut numbers = pin!(generator(async |mut co: Co<u32>| {
///     co.yield_(1).await;
///     "over"
/// }));
/// assert_eq!(numbers.as_mut().resume(()), Ok(GeneratorState::Yielded(1)));
/// assert_eq!(numbers.as_mut().resume(()), Ok(GeneratorState::Complete("over")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GeneratorState<Y, T> {
    /// The body yielded a value and is suspended.
    Yielded(Y),
    /// The body has ended with this value, and everything it held has been dropped.
    Complete(T),
}

/// A generator was resumed after it had finished. Gives the argument back.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use watertight::{Co, generator};
///
/// let mut ended = pin!(generator(async |_: Co<u32, String>| {}));
/// assert!(ended.as_mut().resume("first".to_owned()).is_ok());
/// let refused = ended.as_mut().resume("second".to_owned()).unwrap_err();
/// assert_eq!(refused.into_argument(), "second");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("generator resumed after it had finished")]
pub struct ResumeError<R> {
    argument: R,
}

impl<R> ResumeError<R> {
    /// What a [`Resume`] of your own refuses an argument with, when it has finished.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::Pin;
    /// use watertight::{GeneratorState, Resume, ResumeError, Resumed};
    ///
    /// /// Gives what it is given, so many times.
    /// struct Echo(u32);
    ///
    /// impl Resume for Echo {
    ///     type Argument = char;
    ///     type Yield = char;
    ///     type Return = ();
    ///
    ///     fn resume(mut self: Pin<&mut Self>, argument: char) -> Resumed<char, (), char> {
    ///         match self.0.checked_sub(1) {
    ///             Some(left) => self.0 = left,
    ///             None => return Err(ResumeError::new(argument)),
    ///         }
    ///         Ok(GeneratorState::Yielded(argument))
    ///     }
    ///
    ///     fn close(mut self: Pin<&mut Self>) -> bool {
    ///         std::mem::take(&mut self.0) > 0
    ///     }
    ///
    ///     fn is_finished(&self) -> bool {
    ///         self.0 == 0
    ///     }
    /// }
    /// let mut echo = Echo(1);
    /// assert_eq!(Pin::new(&mut echo).resume('a'), Ok(GeneratorState::Yielded('a')));
    /// assert_eq!(Pin::new(&mut echo).resume('b').unwrap_err().into_argument(), 'b');
    /// ```
    #[inline(always)]
    pub fn new(argument: R) -> Self {
        ResumeError { argument }
    }

    /// The argument that could not be delivered.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, generator};
    ///
    /// let mut ended = generator(async |_: Co<u32, String>| {}).boxed();
    /// assert!(ended.resume("first".to_owned()).is_ok());
    /// let refused = ended.resume("second".to_owned()).unwrap_err();
    /// assert_eq!(refused.into_argument(), "second");
    /// ```
    #[inline]
    pub fn into_argument(self) -> R {
        self.argument
    }
}

impl<R> fmt::Debug for ResumeError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeError").finish_non_exhaustive()
    }
}

/// The outcome of [`Resume::resume`]: a step, or the argument back from a finished generator.
///
/// # Examples
///
/// ```
/// use watertight::{GeneratorState::*, Resumed};
///
/// fn say(step: Resumed<u32, (), String>) -> String {
///     match step {
///         Ok(Yielded(number)) => format!("{number}"),
///         Ok(Complete(())) => "the end".to_owned(),
///         Err(refused) => format!("{:?} was not taken", refused.into_argument()),
///     }
/// }
/// assert_eq!(say(Ok(Yielded(1))), "1");
/// ```
pub type Resumed<Y, T, R> = Result<GeneratorState<Y, T>, ResumeError<R>>;

/// A generator that can be resumed: implemented by all of this crate's, so that a wrapper can be
/// written once. It can be used as a trait object; [`BoxGen`](crate::BoxGen) is one, in a box.
///
/// Implementations keep these promises, and so should yours:
///
/// - Finished means finished: after [`Complete`](GeneratorState::Complete), a panic or a `close`,
///   every `resume` gives its argument back in a [`ResumeError`] and runs nothing.
/// - When a call finishes the generator, what the generator captured is dropped before that call
///   returns.
///
/// # Examples
///
/// ```
/// use std::pin::{Pin, pin};
/// use watertight::{Co, GeneratorState::*, Resume, Resumed, generator};
///
/// /// Yields the number of each value with it.
/// struct Counted<G> {
///     generator: G,
///     count: usize,
/// }
///
/// impl<G: Resume + Unpin> Resume for Counted<G> {
///     type Argument = G::Argument;
///     type Yield = (usize, G::Yield);
///     type Return = G::Return;
///
///     fn resume(
///         mut self: Pin<&mut Self>,
///         argument: G::Argument,
///     ) -> Resumed<Self::Yield, G::Return, G::Argument> {
///         self.count += 1;
///         Ok(match Pin::new(&mut self.generator).resume(argument)? {
///             Yielded(value) => Yielded((self.count, value)),
///             Complete(value) => Complete(value),
///         })
///     }
///
///     fn close(mut self: Pin<&mut Self>) -> bool {
///         Pin::new(&mut self.generator).close()
///     }
///
///     fn is_finished(&self) -> bool {
///         self.generator.is_finished()
///     }
/// }
///
/// let generator = pin!(generator(async |mut co: Co<char>| co.yield_all('a'..='b').await));
/// let mut counted = Counted { generator, count: 0 };
/// assert_eq!(Pin::new(&mut counted).resume(()), Ok(Yielded((1, 'a'))));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a generator",
    label = "cannot be resumed",
    note = "an iterator is made a generator by `Adopted::new(iterator)`; in a scope there is \
            `s.adopt(iterator)`; what `IteratorExt` adds to iterators does it by itself",
    note = "an asynchronous generator and a `Stream` are polled and not resumed: see `PollNext`, \
            `ReleasableStream`, `StreamExt`"
)]
pub trait Resume {
    /// What the generator is given each time it is resumed.
    type Argument;
    /// What it yields.
    type Yield;
    /// What it ends with.
    type Return;

    /// Runs the generator to its next yield or to its end.
    ///
    /// # Errors
    ///
    /// [`ResumeError`], with the argument, if the generator has finished.
    ///
    /// # Panics
    ///
    /// If the body does; the generator is finished then.
    fn resume(
        self: Pin<&mut Self>,
        argument: Self::Argument,
    ) -> Resumed<Self::Yield, Self::Return, Self::Argument>;

    /// Finishes the generator now, dropping everything it holds. `false` if it had finished.
    fn close(self: Pin<&mut Self>) -> bool;

    /// Whether the next `resume` will be refused.
    fn is_finished(&self) -> bool;

    /// Whether it has ended by itself and has been released, even if that is still to be reported:
    /// a body that failed is released when its error is delivered, one step before its end is.
    fn is_released(&self) -> bool {
        self.is_finished()
    }

    /// The least and the greatest number of values that are still to come, as for
    /// [`Iterator::size_hint`]. Nobody knows what a body will do, until it has ended.
    fn remaining(&self) -> (usize, Option<usize>) {
        if self.is_finished() { (0, Some(0)) } else { (0, None) }
    }
}

impl<P: DerefMut<Target: Resume>> Resume for Pin<P> {
    type Argument = <P::Target as Resume>::Argument;
    type Yield = <P::Target as Resume>::Yield;
    type Return = <P::Target as Resume>::Return;

    #[inline]
    fn resume(
        self: Pin<&mut Self>,
        argument: Self::Argument,
    ) -> Resumed<Self::Yield, Self::Return, Self::Argument> {
        self.as_deref_mut().resume(argument)
    }

    #[inline]
    fn close(self: Pin<&mut Self>) -> bool {
        self.as_deref_mut().close()
    }

    #[inline]
    fn is_finished(&self) -> bool {
        (**self).is_finished()
    }

    fn is_released(&self) -> bool {
        (**self).is_released()
    }

    fn remaining(&self) -> (usize, Option<usize>) {
        (**self).remaining()
    }
}

impl<G: Resume + Unpin + ?Sized> Resume for &mut G {
    type Argument = G::Argument;
    type Yield = G::Yield;
    type Return = G::Return;

    #[inline]
    fn resume(
        mut self: Pin<&mut Self>,
        argument: Self::Argument,
    ) -> Resumed<Self::Yield, Self::Return, Self::Argument> {
        Pin::new(&mut **self).resume(argument)
    }

    #[inline]
    fn close(mut self: Pin<&mut Self>) -> bool {
        Pin::new(&mut **self).close()
    }

    #[inline]
    fn is_finished(&self) -> bool {
        (**self).is_finished()
    }

    fn is_released(&self) -> bool {
        (**self).is_released()
    }

    fn remaining(&self) -> (usize, Option<usize>) {
        (**self).remaining()
    }
}

/// Gives a wrapper the methods of [`Resume`] as its own, so that the trait need not be imported.
macro_rules! own_methods {
    ([$($params:tt)*] $gen:ty where $($bounds:tt)*) => {
        impl<$($params)*> $gen where $($bounds)* {
            /// Runs the body to its next yield or to its end; see [`Gen::resume`](crate::Gen::resume).
            ///
            /// # Errors
            ///
            /// [`ResumeError`](crate::ResumeError), with the argument, if the generator is over.
            ///
            /// # Panics
            ///
            /// If the body does; the generator is finished then.
            #[inline]
            pub fn resume(
                self: ::core::pin::Pin<&mut Self>,
                argument: G::Argument,
            ) -> $crate::Resumed<G::Yield, G::Return, G::Argument> {
                $crate::Resume::resume(self, argument)
            }

            /// Finishes the generator: drops everything it holds, before this returns.
            ///
            /// `true` if that was this call's doing; `false` if it was over, or a stop came first.
            ///
            /// # Panics
            ///
            /// If a destructor does. The generator is finished all the same.
            pub fn close(self: ::core::pin::Pin<&mut Self>) -> bool {
                $crate::Resume::close(self)
            }

            /// Whether nothing will come any more: the next `resume` is refused.
            #[inline]
            pub fn is_finished(&self) -> bool {
                $crate::Resume::is_finished(self)
            }
        }
    };
}
pub(crate) use own_methods;

/// Makes a generator that can be moved, because it is a handle to what is pinned elsewhere, an
/// [`Iterator`] itself.
#[allow(unused_macros, reason = "what uses it needs `alloc`")]
macro_rules! iterate {
    ([$($params:tt)*] $gen:ty where $($bounds:tt)*) => {
        impl<$($params)*> Iterator for $gen where $($bounds)* {
            type Item = <Self as $crate::resume::Resume>::Yield;

            #[inline]
            fn next(&mut self) -> Option<Self::Item> {
                $crate::resume::next(::core::pin::Pin::new(self))
            }

            #[inline]
            fn size_hint(&self) -> (usize, Option<usize>) {
                $crate::Resume::remaining(self)
            }
        }

        impl<$($params)*> ::core::iter::FusedIterator for $gen where $($bounds)* {}
    };
}
#[allow(unused_imports, reason = "what uses it needs `alloc`")]
pub(crate) use iterate;

/// Makes a generator that is resumed with `()` and ends with `()` an [`Iterator`] behind its
/// pinned pointers. A macro, because coherence forbids the blanket implementation.
macro_rules! iterate_pinned {
    ([$($params:tt)*] $gen:ty where $($bounds:tt)*) => {
        $crate::resume::iterate_pinned! { @ptr
            "Iterates without allocation: [`pin!`](core::pin::pin) the generator first.",
            [$($params)*] &mut $gen where $($bounds)*
        }
        #[cfg(feature = "alloc")]
        $crate::resume::iterate_pinned! { @ptr
            "A generator pinned in a box by hand. `IntoIterator` for the generator itself does \
             that, too, and frees the box when the generator finishes.",
            [$($params)*] ::alloc::boxed::Box<$gen> where $($bounds)*
        }
    };
    (@ptr $doc:literal, [$($params:tt)*] $ptr:ty where $($bounds:tt)*) => {
        #[doc = $doc]
        impl<$($params)*> Iterator for ::core::pin::Pin<$ptr> where $($bounds)* {
            type Item = <Self as $crate::resume::Resume>::Yield;

            #[inline]
            fn next(&mut self) -> Option<Self::Item> {
                $crate::resume::next(self.as_mut())
            }

            #[inline]
            fn size_hint(&self) -> (usize, Option<usize>) {
                $crate::Resume::remaining(&**self)
            }
        }

        impl<$($params)*> ::core::iter::FusedIterator for ::core::pin::Pin<$ptr>
        where $($bounds)* {}
    };
}
pub(crate) use iterate_pinned;

/// `Iterator::next` of a generator.
#[inline(always)]
pub(crate) fn next<G>(generator: Pin<&mut G>) -> Option<G::Yield>
where
    G: Resume<Argument = (), Return = ()> + ?Sized,
{
    match generator.resume(()) {
        Ok(GeneratorState::Yielded(value)) => Some(value),
        Ok(GeneratorState::Complete(())) | Err(_) => None,
    }
}
