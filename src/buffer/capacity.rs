//! The words that buffers share: how much, and what happens when that is reached.

use core::fmt;
use core::num::NonZeroUsize;

/// How many values a buffer holds at the most. Never zero: a buffer without a place could not pass
/// anything on.
///
/// # Examples
///
/// ```
/// use std::num::NonZeroUsize;
/// use watertight::{Capacity, ZeroCapacity};
///
/// // Known when the program is written: zero does not compile in a constant.
/// const AHEAD: Capacity = Capacity::items(16);
///
/// // Known only when it runs.
/// assert_eq!(Capacity::try_from(16), Ok(AHEAD));
/// assert_eq!(Capacity::try_from(0), Err(ZeroCapacity));
/// assert_eq!(Capacity::from(NonZeroUsize::MIN).get(), 1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capacity(NonZeroUsize);

impl Capacity {
    /// So many values.
    ///
    /// # Panics
    ///
    /// If that is zero; in a constant, this is an error of the compiler's. For a number that is not
    /// known beforehand there is `Capacity::try_from`.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::Capacity;
    ///
    /// const ROOM: Capacity = Capacity::items(16);
    /// assert_eq!(ROOM.get(), 16);
    /// ```
    #[must_use]
    pub const fn items(items: usize) -> Self {
        match NonZeroUsize::new(items) {
            Some(items) => Capacity(items),
            None => panic!(
                "watertight: a buffer needs a capacity of at least 1; for a number that may be 0, \
                 use `Capacity::try_from`"
            ),
        }
    }

    /// The number of values.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::Capacity;
    ///
    /// let room: Capacity = "12".parse::<usize>().unwrap().try_into().unwrap();
    /// assert_eq!(room.get(), 12);
    /// ```
    #[must_use]
    pub const fn get(self) -> usize {
        self.0.get()
    }
}

impl From<NonZeroUsize> for Capacity {
    fn from(items: NonZeroUsize) -> Self {
        Capacity(items)
    }
}

impl TryFrom<usize> for Capacity {
    type Error = ZeroCapacity;

    /// # Errors
    ///
    /// [`ZeroCapacity`] for 0.
    fn try_from(items: usize) -> Result<Self, ZeroCapacity> {
        NonZeroUsize::new(items).map(Capacity).ok_or(ZeroCapacity)
    }
}

impl fmt::Debug for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Capacity").field(&self.get()).finish()
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A buffer was asked for that could hold nothing.
///
/// # Examples
///
/// ```
/// use watertight::{Capacity, ZeroCapacity};
///
/// assert_eq!(Capacity::try_from(0), Err(ZeroCapacity));
/// assert_eq!(Capacity::try_from(16), Ok(Capacity::items(16)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a buffer needs a capacity of at least 1")]
pub struct ZeroCapacity;

/// What becomes of a value that finds its buffer full.
///
/// The names are Kotlin's (`BufferOverflow`), and `Error` is added for those who want to decide for
/// themselves.
///
/// # Examples
///
/// ```
/// use watertight::{Capacity, Overflow, bounded};
///
/// let left = |overflow| {
///     let (mut producer, consumer) = bounded(Capacity::items(2), overflow);
///     let lost = (1..=3).filter(|n| producer.push(*n).is_err()).collect::<Vec<_>>();
///     drop(producer);
///     (consumer.collect::<Vec<_>>(), lost)
/// };
/// assert_eq!(left(Overflow::DropOldest), (vec![2, 3], vec![]));
/// assert_eq!(left(Overflow::DropNewest), (vec![1, 2], vec![]));
/// assert_eq!(left(Overflow::Error), (vec![1, 2], vec![3]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Overflow {
    /// Whoever brings it waits until there is room. Nothing is lost.
    Block,
    /// The oldest value in the buffer makes room, and is lost.
    DropOldest,
    /// It is lost itself.
    DropNewest,
    /// It is given back, in an error. Nothing is lost.
    Error,
}
