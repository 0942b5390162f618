//! [`Lookahead`]: an iterator that can be looked into, so many items ahead and no further.
//!
//! What has been looked at lies in a ring of a fixed number of places. Each place is an `Option`,
//! and those from `head` on, `len` of them, are full. The source is asked only when a place is free,
//! and only as often as it takes to reach the item that is wanted.

use alloc::boxed::Box;
use core::fmt;
use core::iter::FusedIterator;
use core::mem;
use core::pin::Pin;

use super::Capacity;
use crate::adopted::Adopted;
use crate::audit::{Kind, Record};
use crate::resume::{Resume, next};
use crate::unwind::Shield;

/// How many places lie in the `Lookahead` itself.
const INLINE: usize = 8;

/// An iterator that can be looked into up to `capacity` items ahead. Made by
/// [`IteratorExt::lookahead`](crate::IteratorExt::lookahead), or, for any generator that can be
/// moved, by [`Lookahead::new`].
///
/// [`Peekable`](core::iter::Peekable) looks one item ahead; itertools' `multipeek` and `peek_nth`
/// look as far as one likes and grow with it. This looks as far as it was made for: after `k` items
/// have been taken, the source was asked at most `k + capacity` times, and never further than was
/// looked at.
///
/// Up to a capacity of 8, the items that have been looked at lie in the `Lookahead` itself, which
/// has 8 places for them whatever the capacity. For more there is one allocation, when it is made.
/// Each method is O(1), but for the pulls that it takes to get to an item for the first time.
///
/// # The end, and panics
///
/// The source is dropped as soon as it has ended, although items that were looked at may still be
/// here. If it panics, whoever looked or pulled gets the panic, once; then comes what was there
/// before, then `None`. A stop of the source, too, leaves what has been looked at;
/// [`close`](Lookahead::close) does not.
///
/// # Dropping
///
/// First the source is dropped, then what has been looked at.
///
/// # Examples
///
/// ```
/// use watertight::{Capacity, IteratorExt};
///
/// // `..` and `.` need a second look, and that is all this can do.
/// let mut chars = "1..2.5".chars().lookahead(Capacity::items(2));
/// let mut tokens = Vec::new();
/// while let Some(c) = chars.peek_nth(0).copied() {
///     if c == '.' && chars.peek_nth(1) == Some(&'.') {
///         chars.nth(1);
///         tokens.push("..".to_string());
///         continue;
///     }
///     let mut number = String::new();
///     while let Some(c) = chars.peek().copied() {
///         if c == '.' && chars.peek_nth(1) == Some(&'.') {
///             break;
///         }
///         number.extend(chars.next());
///     }
///     tokens.push(number);
/// }
/// assert_eq!(tokens, ["1", "..", "2.5"]);
/// ```
///
/// A generator that has to be pinned is lent. Nothing is allocated:
///
/// ```
/// use std::pin::pin;
/// use watertight::{Capacity, Co, generator};
///
/// let mut numbers = pin!(generator(async |mut co: Co<u32>| co.yield_all(0..).await));
/// let mut numbers = numbers.as_mut().lookahead(Capacity::items(4));
/// assert_eq!(numbers.peek_nth(3), Some(&3));
/// assert_eq!(numbers.next(), Some(0));
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Lookahead<G: Resume> {
    source: G,
    slots: Slots<G::Yield>,
    head: usize,
    len: usize,
    capacity: Capacity,
    record: Record,
}

// The items are never pinned.
impl<G: Resume + Unpin> Unpin for Lookahead<G> {}

enum Slots<T> {
    Inline([Option<T>; INLINE]),
    Boxed(Box<[Option<T>]>),
}

impl<T> Slots<T> {
    #[inline]
    fn get(&self, at: usize) -> Option<&T> {
        match self {
            Slots::Inline(slots) => slots[at].as_ref(),
            Slots::Boxed(slots) => slots[at].as_ref(),
        }
    }

    #[inline]
    fn get_mut(&mut self, at: usize) -> &mut Option<T> {
        match self {
            Slots::Inline(slots) => &mut slots[at],
            Slots::Boxed(slots) => &mut slots[at],
        }
    }
}

impl<G: Resume<Argument = (), Return = ()> + Unpin> Lookahead<G> {
    /// Lets `generator` be looked into up to `capacity` items ahead.
    ///
    /// For an iterator there is [`IteratorExt::lookahead`](crate::IteratorExt::lookahead).
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Adopted, Capacity, Lookahead};
    ///
    /// let mut words = Lookahead::new(Adopted::new("a b".split(' ')), Capacity::items(2));
    /// assert_eq!(words.peek(), Some(&"a"));
    /// ```
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn new(generator: G, capacity: Capacity) -> Self {
        let slots = match capacity.get() {
            ..=INLINE => Slots::Inline([const { None }; INLINE]),
            more => Slots::Boxed(core::iter::repeat_with(|| None).take(more).collect()),
        };
        let record = Record::buffer::<G::Yield>(Kind::Lookahead, capacity.get());
        Lookahead { source: generator, slots, head: 0, len: 0, capacity, record }
    }

    /// The next item, which stays. The source is asked for it once.
    ///
    /// # Panics
    ///
    /// If the source does; see [above](Lookahead#the-end-and-panics).
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// let mut numbers = (1..3).lookahead(Capacity::items(1));
    /// assert_eq!(numbers.peek(), Some(&1));
    /// assert_eq!(numbers.next(), Some(1));
    /// assert_eq!(numbers.nth(0), Some(2));
    /// assert_eq!(numbers.peek(), None);
    /// ```
    #[inline]
    pub fn peek(&mut self) -> Option<&G::Yield> {
        self.reach(0)
    }

    /// The next item, to be changed before it is taken.
    ///
    /// # Panics
    ///
    /// If the source does.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// let mut numbers = (1..3).lookahead(Capacity::items(1));
    /// if let Some(number) = numbers.peek_mut() {
    ///     *number *= 10;
    /// }
    /// assert!(numbers.eq([10, 2]));
    /// ```
    #[inline]
    pub fn peek_mut(&mut self) -> Option<&mut G::Yield> {
        match self.fill(0) {
            true => self.slots.get_mut(self.head).as_mut(),
            false => None,
        }
    }

    /// The item that [`nth(k)`](Iterator::nth) would give; `peek_nth(0)` is [`peek`](Self::peek).
    ///
    /// # Panics
    ///
    /// If `k` is the capacity or more; [`try_peek_nth`](Self::try_peek_nth) gives an error instead.
    /// And if the source does.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// let mut numbers = (1..3).lookahead(Capacity::items(3));
    /// assert_eq!(numbers.peek_nth(1), Some(&2));
    /// assert_eq!(numbers.peek_nth(2), None); // There are only two.
    /// assert!(numbers.eq([1, 2]));
    /// ```
    #[inline]
    #[track_caller]
    pub fn peek_nth(&mut self, k: usize) -> Option<&G::Yield> {
        let capacity = self.capacity.get();
        assert!(
            k < capacity,
            "watertight: `peek_nth({k})` of a lookahead of {capacity}, which counts from 0: make it \
             with a capacity of more than {k}, or use `try_peek_nth`"
        );
        self.reach(k)
    }

    /// The same, for a `k` that is not known when the program is written.
    ///
    /// # Errors
    ///
    /// [`BeyondLookahead`] if `k` is the capacity or more. The source is not asked then.
    ///
    /// # Panics
    ///
    /// If the source does.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{BeyondLookahead, Capacity, IteratorExt};
    ///
    /// let mut numbers = (1..3).lookahead(Capacity::items(3));
    /// assert_eq!(numbers.try_peek_nth(2), Ok(None));
    /// assert_eq!(numbers.try_peek_nth(3), Err(BeyondLookahead { k: 3, capacity: 3 }));
    /// ```
    #[inline]
    pub fn try_peek_nth(&mut self, k: usize) -> Result<Option<&G::Yield>, BeyondLookahead> {
        match self.capacity.get() {
            capacity if k >= capacity => Err(BeyondLookahead { k, capacity }),
            _ => Ok(self.reach(k)),
        }
    }

    /// Takes the next item if `wanted` says so of it.
    ///
    /// # Panics
    ///
    /// If the source does, or `wanted`; the item stays then.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// let mut chars = "12ab".chars().lookahead(Capacity::items(1));
    /// let mut number = 0;
    /// while let Some(digit) = chars.next_if(char::is_ascii_digit) {
    ///     number = 10 * number + digit.to_digit(10).unwrap();
    /// }
    /// assert_eq!((number, chars.next()), (12, Some('a')));
    /// ```
    #[inline]
    pub fn next_if(&mut self, wanted: impl FnOnce(&G::Yield) -> bool) -> Option<G::Yield> {
        match wanted(self.peek()?) {
            true => self.take(),
            false => None,
        }
    }

    /// Takes the next item if it is equal to `expected`.
    ///
    /// # Panics
    ///
    /// If the source or the comparison does.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// let mut words = ["let", "x"].into_iter().lookahead(Capacity::items(1));
    /// assert_eq!(words.next_if_eq(&"let"), Some("let"));
    /// assert_eq!(words.next_if_eq(&"let"), None);
    /// assert_eq!(words.next(), Some("x"));
    /// ```
    #[inline]
    pub fn next_if_eq<E: ?Sized>(&mut self, expected: &E) -> Option<G::Yield>
    where
        G::Yield: PartialEq<E>,
    {
        self.next_if(|item| item == expected)
    }

    /// Drops the source and all that has been looked at, now. `false` if nothing was left of either.
    ///
    /// # Panics
    ///
    /// If a destructor does. Everything is dropped all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// let mut numbers = (0..).lookahead(Capacity::items(3));
    /// numbers.peek_nth(2);
    /// assert!(numbers.close());
    /// assert_eq!((numbers.peeked(), numbers.next()), (0, None));
    /// assert!(!numbers.close());
    /// ```
    pub fn close(&mut self) -> bool {
        self.record.finish();
        let held = mem::replace(&mut self.slots, Slots::Boxed(Box::default()));
        let peeked = mem::take(&mut self.len);
        let held = Shield::new(held);
        let closed = Pin::new(&mut self.source).close();
        drop(held.into_inner());
        closed || peeked > 0
    }

    #[inline]
    fn reach(&mut self, k: usize) -> Option<&G::Yield> {
        match self.fill(k) {
            true => self.slots.get(self.at(k)),
            false => None,
        }
    }

    /// Pulls until there is an item `k`, which is less than the capacity. `false` if there is none.
    #[inline]
    fn fill(&mut self, k: usize) -> bool {
        while self.len <= k {
            let step = self.record.ask();
            let Some(item) = next(Pin::new(&mut self.source)) else { return false };
            step.waits();
            let at = self.at(self.len);
            *self.slots.get_mut(at) = Some(item); // It was empty: no destructor runs.
            self.len += 1;
            self.record.level(self.len);
        }
        true
    }

    /// Where the item `k`, or the place for it, is.
    #[inline]
    fn at(&self, k: usize) -> usize {
        // Both are at most the capacity, so written this way it does not overflow.
        let before_the_wrap = self.capacity.get() - self.head;
        if k < before_the_wrap { self.head + k } else { k - before_the_wrap }
    }

    /// Takes the oldest item that has been looked at.
    #[inline]
    fn take(&mut self) -> Option<G::Yield> {
        let item = match self.len {
            0 => None,
            _ => self.slots.get_mut(self.head).take(),
        }?;
        self.head = self.at(1);
        self.len -= 1;
        self.record.level(self.len);
        self.record.ask().yielded();
        Some(item)
    }
}

impl<G: Resume> Lookahead<G> {
    /// How many items have been looked at and not been taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// let mut numbers = (0..).lookahead(Capacity::items(3));
    /// assert_eq!(numbers.peeked(), 0);
    /// numbers.peek_nth(1);
    /// assert_eq!(numbers.peeked(), 2);
    /// ```
    #[inline]
    pub fn peeked(&self) -> usize {
        self.len
    }

    /// How far ahead this can look.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// assert_eq!((0..).lookahead(Capacity::items(3)).capacity().get(), 3);
    /// ```
    #[inline]
    pub fn capacity(&self) -> Capacity {
        self.capacity
    }
}

impl<G: Resume<Argument = (), Return = ()> + Unpin> Iterator for Lookahead<G> {
    type Item = G::Yield;

    #[inline]
    fn next(&mut self) -> Option<G::Yield> {
        if self.len > 0 {
            return self.take();
        }
        let step = self.record.ask();
        let item = next(Pin::new(&mut self.source));
        match &item {
            Some(_) => step.yielded(),
            None => step.finished(),
        }
        item
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let (low, high) = self.source.remaining();
        (low.saturating_add(self.len), high.and_then(|high| high.checked_add(self.len)))
    }
}

impl<G: Resume<Argument = (), Return = ()> + Unpin> FusedIterator for Lookahead<G> {}

impl<I: ExactSizeIterator> ExactSizeIterator for Lookahead<Adopted<I>> {}

impl<G: Resume> fmt::Debug for Lookahead<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookahead")
            .field("peeked", &self.len)
            .field("capacity", &self.capacity.get())
            .field("finished", &(self.len == 0 && self.source.is_finished()))
            .finish_non_exhaustive()
    }
}

/// Somebody wanted to look further than the [`Lookahead`] was made for.
///
/// # Examples
///
/// ```
/// use watertight::{BeyondLookahead, Capacity, IteratorExt};
///
/// let mut numbers = (0..).lookahead(Capacity::items(2));
/// assert_eq!(numbers.try_peek_nth(1), Ok(Some(&1)));
/// assert_eq!(numbers.try_peek_nth(2), Err(BeyondLookahead { k: 2, capacity: 2 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("item {k}, counted from 0, is beyond a lookahead of {capacity}")]
pub struct BeyondLookahead {
    /// Which item was asked for, counted from 0.
    pub k: usize,
    /// How many can be looked at.
    pub capacity: usize,
}
