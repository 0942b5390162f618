//! [`Snapshot`]: what is alive at a moment.

use alloc::vec::Vec;
use core::fmt;
use core::panic::Location;
use core::slice;
use core::time::Duration;
use std::time::Instant;

use super::live::{Fill, Live};
use super::registry;
use super::table::{Short, Table};
use super::{Kind, State};

/// Where something was made: a line of the program.
///
/// # Examples
///
/// ```
/// use watertight::{Co, audit, generator};
///
/// let line = line!() + 2;
/// let (_numbers, left) = audit::leaks(|| {
///     generator(async |mut co: Co<u32>| co.yield_(1).await)
/// });
/// let site = left.entries()[0].site();
/// assert_eq!((site.file(), site.line()), (file!(), line));
/// assert_eq!(site.to_string(), format!("{}:{line}:{}", site.file(), site.column()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site(&'static Location<'static>);

impl Site {
    /// The file, as the compiler was given its path.
    pub fn file(self) -> &'static str {
        self.0.file()
    }

    /// The line, from 1 on.
    pub fn line(self) -> u32 {
        self.0.line()
    }

    /// The column, from 1 on.
    pub fn column(self) -> u32 {
        self.0.column()
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Site {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut site = serializer.serialize_struct("Site", 3)?;
        site.serialize_field("file", self.file())?;
        site.serialize_field("line", &self.line())?;
        site.serialize_field("column", &self.column())?;
        site.end()
    }
}

/// How full a buffer is.
///
/// # Examples
///
/// ```
/// use watertight::{Capacity, Overflow, audit, bounded};
///
/// let (_ends, left) = audit::leaks(|| {
///     let (mut producer, consumer) = bounded(Capacity::items(8), Overflow::Block);
///     producer.push('a').unwrap();
///     producer.push('b').unwrap();
///     (producer, consumer)
/// });
/// let buffer = left.iter().find_map(|entry| entry.buffered()).unwrap();
/// assert_eq!((buffer.now, buffer.bound), (2, 8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Buffered {
    /// How many items are in it. While both sides are at it, one more or less may be counted.
    pub now: usize,
    /// The most that has been found in it, see [`BufferStats::peak`](crate::BufferStats::peak).
    pub peak: usize,
    /// How many there can be.
    pub bound: usize,
}

/// Something that was alive when the snapshot was taken.
///
/// # Examples
///
/// ```
/// use watertight::{Capacity, IteratorExt, audit};
///
/// let (mut numbers, here) = ((0..9).lookahead(Capacity::items(4)), (file!(), line!()));
/// numbers.next();
/// let snapshot = audit::snapshot();
/// let mut entries = snapshot.iter().filter(|entry| (entry.site().file(), entry.site().line()) == here);
/// let entry = entries.find(|entry| entry.kind() == audit::Kind::Lookahead).unwrap();
/// assert_eq!((entry.items(), entry.yielded()), ("i32", 1));
/// assert!(entry.idle() <= Some(entry.age()));
/// assert_eq!(entry.buffered().unwrap().bound, 4);
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Entry {
    id: u64,
    kind: Kind,
    state: State,
    site: Site,
    items: &'static str,
    body: Option<&'static str>,
    age: Duration,
    yielded: u64,
    idle: Option<Duration>,
    buffered: Option<Buffered>,
}

impl Entry {
    /// Under the lock of the registry.
    fn of(live: &Live, now: Instant) -> Self {
        let buffered = live.fill().map(|Fill { now, peak, bound }| Buffered { now, peak, bound });
        Entry {
            id: live.id,
            kind: live.kind(),
            state: live.state(),
            site: Site(live.site),
            items: live.items,
            body: live.body,
            age: now.saturating_duration_since(live.born),
            yielded: live.yielded(),
            idle: live.idle(now),
            buffered,
        }
    }

    /// A number that nothing else in this process has, or has had. What was made later by the same
    /// thread has a greater one.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, audit};
    ///
    /// let (_both, left) = audit::leaks(|| ((0..1).stoppable(), (0..2).stoppable()));
    /// let [first, second] = left.entries() else { panic!("{left}") };
    /// assert!(first.id() < second.id());
    /// ```
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What it was doing.
    pub fn state(&self) -> State {
        self.state
    }

    /// Where it was made.
    pub fn site(&self) -> Site {
        self.site
    }

    /// The type of its items; of a thread that fills no buffer, its name.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, audit, generator};
    ///
    /// let words = || generator(async |mut co: Co<&str>| co.yield_("a").await);
    /// let (_words, left) = audit::leaks(words);
    /// assert_eq!(left.entries()[0].items(), "&str");
    /// ```
    pub fn items(&self) -> &'static str {
        self.items
    }

    /// The type of its body, or of the iterator or the stream that it has taken over. Buffers have
    /// none: their source is an entry of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, audit};
    ///
    /// let (_numbers, left) = audit::leaks(|| (0..9_u8).stoppable());
    /// assert!(left.entries()[0].body().unwrap().ends_with("Range<u8>"));
    /// ```
    pub fn body(&self) -> Option<&'static str> {
        self.body
    }

    /// How long ago it was made.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, audit};
    ///
    /// let (_both, left) = audit::leaks(|| ((0..1).stoppable(), (0..2).stoppable()));
    /// let [first, second] = left.entries() else { panic!("{left}") };
    /// assert!(first.age() >= second.age());
    /// ```
    pub fn age(&self) -> Duration {
        self.age
    }

    /// How many values it has yielded, of a buffer: delivered, of a producer: pushed. An error that
    /// ends it is not among them.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, audit};
    ///
    /// let (_numbers, left) = audit::leaks(|| {
    ///     let (mut numbers, _) = (0..9).stoppable();
    ///     numbers.nth(3);
    ///     numbers
    /// });
    /// assert_eq!(left.entries()[0].yielded(), 4);
    /// ```
    pub fn yielded(&self) -> u64 {
        self.yielded
    }

    /// How long ago it was last asked, `None` if never. Zero if it was being asked.
    ///
    /// This is exact for the first 64 items, and for the end. Afterwards the clock is read for every
    /// 64th item, and this may be too much by the time that up to 63 items have taken; it is never too
    /// little by more than a step. If there was an earlier snapshot since which it has been asked,
    /// this is not more than the time since that one.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, audit};
    ///
    /// let (mut numbers, left) = audit::leaks(|| (0..9).stoppable().0);
    /// let id = left.entries()[0].id();
    /// assert_eq!(left.entries()[0].idle(), None); // Nobody has asked it for anything.
    /// numbers.next();
    /// let now = audit::snapshot().filter(|entry| entry.id() == id);
    /// assert!(now.entries()[0].idle() <= Some(now.entries()[0].age()));
    /// ```
    pub fn idle(&self) -> Option<Duration> {
        self.idle
    }

    /// How full it is, if it is a buffer.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt, audit};
    ///
    /// let (_words, left) = audit::leaks(|| {
    ///     let mut words = ["a", "b", "c"].into_iter().lookahead(Capacity::items(2));
    ///     assert_eq!(words.peek_nth(1), Some(&"b"));
    ///     words
    /// });
    /// let fills: Vec<_> = left.iter().filter_map(|entry| entry.buffered()).collect();
    /// assert_eq!((fills[0].now, fills[0].bound), (2, 2));
    /// ```
    pub fn buffered(&self) -> Option<Buffered> {
        self.buffered
    }
}

/// What was alive at a moment, oldest first. From [`snapshot`].
///
/// As [`Display`](fmt::Display) it is a table.
///
/// # Examples
///
/// ```
/// use watertight::{IteratorExt, audit};
///
/// let _kept = (0..9).stoppable();
/// let snapshot = audit::snapshot();
/// let here = snapshot.filter(|entry| entry.site().file() == file!());
/// assert!(!here.is_empty());
/// println!("{here}");
/// ```
#[derive(Clone, Debug)]
pub struct Snapshot {
    taken: Instant,
    entries: Vec<Entry>,
}

/// Looks at everything that is alive in this process.
///
/// Linear in its number. The registry is locked in parts, one after the other: what is made or dropped
/// by other threads meanwhile may be there or not. Numbers are those that the threads at work have
/// written last, as far as they are to be seen here.
///
/// # Examples
///
/// ```
/// use watertight::{Co, audit, generator};
///
/// let line = line!() + 1;
/// let mut forgotten = generator(async |mut co: Co<u32>| co.yield_all(0..).await).boxed();
/// forgotten.next();
/// let snapshot = audit::snapshot();
/// println!("{snapshot}");
/// let entry = snapshot.iter().find(|entry| entry.site().line() == line).unwrap();
/// assert_eq!((entry.kind(), entry.yielded()), (audit::Kind::Gen, 1));
/// ```
pub fn snapshot() -> Snapshot {
    Snapshot::of(|_| true)
}

impl Snapshot {
    pub(super) fn of(wanted: impl Fn(&Live) -> bool) -> Self {
        let taken = Instant::now();
        let mut entries = Vec::new();
        registry::visit(|live| {
            if wanted(live) {
                entries.push(Entry::of(live, taken));
            }
        });
        entries.sort_unstable_by_key(Entry::id);
        Snapshot { taken, entries }
    }

    /// What was alive, oldest first.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt, audit};
    ///
    /// let (_numbers, left) = audit::leaks(|| (0..9).lookahead(Capacity::items(2)));
    /// let kinds: Vec<_> = left.entries().iter().map(|entry| entry.kind().name()).collect();
    /// assert_eq!(kinds, ["Adopted", "Lookahead"]); // The source of a buffer is an entry, too.
    /// ```
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The same, one by one.
    pub fn iter(&self) -> slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    /// How many were alive.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, audit};
    ///
    /// let (_both, left) = audit::leaks(|| ((0..1).stoppable(), (0..2).stoppable()));
    /// assert_eq!(left.len(), 2);
    /// assert_eq!(left.len(), left.iter().count());
    /// ```
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When it was taken.
    pub fn taken(&self) -> Instant {
        self.taken
    }

    /// Only the entries that are `wanted`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use watertight::audit;
    ///
    /// // What may have been forgotten: it has yielded something, and nobody has asked it since.
    /// let hour = Some(Duration::from_secs(3600));
    /// let idle = audit::snapshot().filter(|entry| entry.yielded() > 0 && entry.idle() > hour);
    /// println!("{idle}");
    /// # assert!(idle.is_empty());
    /// ```
    #[must_use]
    pub fn filter(&self, wanted: impl FnMut(&&Entry) -> bool) -> Snapshot {
        Snapshot { taken: self.taken, entries: self.iter().filter(wanted).cloned().collect() }
    }
}

impl<'s> IntoIterator for &'s Snapshot {
    type Item = &'s Entry;
    type IntoIter = slice::Iter<'s, Entry>;

    fn into_iter(self) -> slice::Iter<'s, Entry> {
        self.iter()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Snapshot {
    /// A sequence of the entries.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entries.serialize(serializer)
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(self.iter()).fmt(f)
    }
}

/// A line for each entry.
pub(super) fn table<'e>(entries: impl Iterator<Item = &'e Entry>) -> Table<7> {
    let mut table = Table::new(["kind", "site", "age", "yielded", "idle", "buffered", "state"]);
    for entry in entries {
        let buffered = entry.buffered.map(|Buffered { now, peak, bound }| (now, peak, bound));
        table.row([
            Short::Left(&entry.kind),
            Short::Left(&entry.site),
            Short::Time(Some(entry.age)),
            Short::Right(&entry.yielded),
            Short::Time(entry.idle),
            Short::Fill(buffered),
            Short::Left(&entry.state),
        ]);
    }
    table
}
