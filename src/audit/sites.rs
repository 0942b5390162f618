//! [`BySite`]: what is alive, by the line that made it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::fmt;
use core::slice;
use core::time::Duration;

use super::snapshot::{Buffered, Entry, Site, Snapshot};
use super::table::{Short, Table};
use super::{Kind, State};

/// Everything of one kind that one line has made and that was alive.
///
/// # Examples
///
/// ```
/// use watertight::{IteratorExt, audit};
///
/// let (_kept, left) = audit::leaks(|| {
///     let mut kept = Vec::from_iter((0..3).map(|n| (0..n).stoppable().0));
///     kept[2].next();
///     kept
/// });
/// let by_site = left.by_site();
/// let group = &by_site.groups()[0];
/// assert_eq!((group.count, group.not_started, group.yielded), (3, 2, 1));
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Group {
    /// The line.
    pub site: Site,
    /// The kind.
    pub kind: Kind,
    /// How many there are.
    pub count: usize,
    /// How many of them nobody has ever asked for anything.
    pub not_started: usize,
    /// How many of them are over and still kept.
    pub finished: usize,
    /// How many values they have yielded together.
    pub yielded: u64,
    /// The age of the oldest.
    pub oldest: Duration,
    /// The longest that one of them has been idle, of those that have been asked at all.
    pub idle: Option<Duration>,
    /// How full they are together, if they are buffers. `peak` is the greatest of one of them.
    pub buffered: Option<Buffered>,
}

/// The entries of a snapshot, or of a difference, by the line that made them and their kind; those of
/// which there are most first, then by site.
///
/// As [`Display`](fmt::Display) it is a table.
///
/// # Examples
///
/// ```
/// use watertight::{IteratorExt, audit};
///
/// let kept = Vec::from_iter((0..3).map(|n| (0..n).stoppable()));
/// let by_site = audit::snapshot().by_site();
/// assert!(by_site.iter().any(|group| group.count == kept.len()));
/// println!("{by_site}");
/// ```
#[derive(Clone, Debug)]
pub struct BySite(Vec<Group>);

impl Snapshot {
    /// The entries by the line that made them, those of which there are most first.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, audit};
    ///
    /// let (_kept, left) = audit::leaks(|| {
    ///     (Vec::from_iter((0..3).map(|n| (0..n).stoppable())), (0..9).stoppable())
    /// });
    /// let counts: Vec<_> = left.by_site().iter().map(|group| group.count).collect();
    /// assert_eq!(counts, [3, 1]);
    /// ```
    pub fn by_site(&self) -> BySite {
        BySite::of(self)
    }
}

impl Group {
    fn new(entry: &Entry) -> Self {
        Group {
            site: entry.site(),
            kind: entry.kind(),
            count: 0,
            not_started: 0,
            finished: 0,
            yielded: 0,
            oldest: Duration::ZERO,
            idle: None,
            buffered: None,
        }
    }

    fn add(&mut self, entry: &Entry) {
        self.count += 1;
        self.not_started += usize::from(entry.state() == State::NotStarted);
        self.finished += usize::from(entry.state() == State::Finished);
        self.yielded = self.yielded.saturating_add(entry.yielded());
        self.oldest = self.oldest.max(entry.age());
        self.idle = self.idle.max(entry.idle());
        if let Some(Buffered { now, peak, bound }) = entry.buffered() {
            let sum = self.buffered.get_or_insert(Buffered { now: 0, peak: 0, bound: 0 });
            sum.now = sum.now.saturating_add(now);
            sum.peak = sum.peak.max(peak);
            sum.bound = sum.bound.saturating_add(bound);
        }
    }
}

impl BySite {
    pub(super) fn of<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Self {
        let mut groups = BTreeMap::new();
        for entry in entries {
            let key = (entry.site(), entry.kind());
            groups.entry(key).or_insert_with(|| Group::new(entry)).add(entry);
        }
        let mut groups: Vec<Group> = groups.into_values().collect();
        groups.sort_by_key(|group| Reverse(group.count)); // Stable: then by site.
        BySite(groups)
    }

    /// The groups, in order.
    pub fn groups(&self) -> &[Group] {
        &self.0
    }

    /// The same, one by one.
    pub fn iter(&self) -> slice::Iter<'_, Group> {
        self.0.iter()
    }
}

impl<'s> IntoIterator for &'s BySite {
    type Item = &'s Group;
    type IntoIter = slice::Iter<'s, Group>;

    fn into_iter(self) -> slice::Iter<'s, Group> {
        self.iter()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for BySite {
    /// A sequence of the groups.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl fmt::Display for BySite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = [
            "count",
            "kind",
            "site",
            "oldest",
            "yielded",
            "idle",
            "buffered",
            "unstarted",
            "finished",
        ];
        let mut table = Table::new(heads);
        for group in self {
            let buffered = group.buffered.map(|Buffered { now, peak, bound }| (now, peak, bound));
            table.row([
                Short::Right(&group.count),
                Short::Left(&group.kind),
                Short::Left(&group.site),
                Short::Time(Some(group.oldest)),
                Short::Right(&group.yielded),
                Short::Time(group.idle),
                Short::Fill(buffered),
                Short::Right(&group.not_started),
                Short::Right(&group.finished),
            ]);
        }
        table.fmt(f)
    }
}
