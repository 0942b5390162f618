//! [`Difference`]: what has happened between two snapshots.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::sites::BySite;
use super::snapshot::{Entry, Snapshot, table};
use super::table::{Short, Table};

/// Something that was alive in both snapshots.
///
/// # Examples
///
/// ```
/// use watertight::{IteratorExt, audit};
///
/// let ((mut numbers, _), line) = ((0..9).stoppable(), line!());
/// let before = audit::snapshot();
/// numbers.nth(2);
/// let since = audit::snapshot().since(&before);
/// let change = since.kept().iter().find(|kept| kept.entry.site().line() == line).unwrap();
/// assert_eq!((change.yielded, change.entry.yielded()), (3, 3));
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Change {
    /// As it was in the later one.
    pub entry: Entry,
    /// How many values it has yielded in between.
    pub yielded: u64,
}

/// What has happened between two snapshots. From [`Snapshot::since`].
///
/// As [`Display`](fmt::Display) it is a table of what is new and one of what has gone, and one of what
/// is still there and has yielded something.
///
/// # Examples
///
/// ```
/// use watertight::{IteratorExt, audit};
///
/// let before = audit::snapshot();
/// let _kept = (0..9).stoppable();
/// let since = audit::snapshot().since(&before);
/// assert!(since.created().iter().any(|entry| entry.kind() == audit::Kind::Adopted));
/// println!("{since}");
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Difference {
    elapsed: Duration,
    created: Vec<Entry>,
    gone: Vec<Entry>,
    kept: Vec<Change>,
}

impl Snapshot {
    /// What has become of it since an earlier one.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, audit, generator};
    ///
    /// let before = audit::snapshot();
    /// let line = line!() + 1;
    /// let kept = generator(async |mut co: Co<u32>| co.yield_all(0..).await);
    /// let since = audit::snapshot().since(&before);
    /// assert!(since.created().iter().any(|entry| entry.site().line() == line));
    /// drop(kept);
    /// ```
    pub fn since(&self, earlier: &Snapshot) -> Difference {
        Difference::between(earlier, self)
    }
}

impl Difference {
    pub(super) fn between(earlier: &Snapshot, later: &Snapshot) -> Self {
        let (mut created, mut gone, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        // Both are in the order of the numbers.
        let mut before = earlier.iter().peekable();
        for entry in later {
            while let Some(lost) = before.next_if(|before| before.id() < entry.id()) {
                gone.push(lost.clone());
            }
            match before.next_if(|before| before.id() == entry.id()) {
                None => created.push(entry.clone()),
                Some(before) => {
                    let yielded = entry.yielded().saturating_sub(before.yielded());
                    kept.push(Change { entry: entry.clone(), yielded });
                }
            }
        }
        gone.extend(before.cloned());
        let elapsed = later.taken().saturating_duration_since(earlier.taken());
        Difference { elapsed, created, gone, kept }
    }

    /// How much time is between the two.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit;
    ///
    /// let before = audit::snapshot();
    /// let after = audit::snapshot();
    /// assert_eq!(after.since(&before).elapsed(), after.taken() - before.taken());
    /// ```
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// What was made in between and is alive, oldest first. What was made and has gone again is in
    /// neither snapshot.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, audit};
    ///
    /// let before = audit::snapshot();
    /// let (_numbers, line) = ((0..9).stoppable(), line!());
    /// let since = audit::snapshot().since(&before);
    /// assert!(since.created().iter().any(|entry| entry.site().line() == line));
    /// ```
    pub fn created(&self) -> &[Entry] {
        &self.created
    }

    /// What has gone, oldest first and as it was in the earlier one.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, audit};
    ///
    /// let (numbers, line) = ((0..9).stoppable(), line!());
    /// let before = audit::snapshot();
    /// drop(numbers);
    /// let since = audit::snapshot().since(&before);
    /// assert!(since.gone().iter().any(|entry| entry.site().line() == line));
    /// ```
    pub fn gone(&self) -> &[Entry] {
        &self.gone
    }

    /// What is there in both, oldest first.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, audit};
    ///
    /// let ((mut numbers, _), line) = ((0..9).stoppable(), line!());
    /// let before = audit::snapshot();
    /// assert_eq!(numbers.nth(4), Some(4));
    /// let since = audit::snapshot().since(&before);
    /// let busy: Vec<_> = since.kept().iter().filter(|kept| kept.yielded > 0).collect();
    /// assert_eq!((busy[0].entry.site().line(), busy[0].yielded), (line, 5));
    /// ```
    pub fn kept(&self) -> &[Change] {
        &self.kept
    }

    /// By how many there are more.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, audit};
    ///
    /// let one = (0..9).stoppable();
    /// let before = audit::snapshot();
    /// let _both = ((0..9).stoppable(), (0..9).stoppable());
    /// drop(one);
    /// assert_eq!(audit::snapshot().since(&before).growth(), 1); // Two new, one gone.
    /// ```
    pub fn growth(&self) -> isize {
        self.created.len() as isize - self.gone.len() as isize
    }

    /// What is new, by the line that made it.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, audit};
    ///
    /// let before = audit::snapshot();
    /// let kept = Vec::from_iter((0..5).map(|n| (0..n).stoppable()));
    /// let by_site = audit::snapshot().since(&before).new_by_site();
    /// let line = line!() - 2;
    /// let group = by_site.iter().find(|group| group.site.line() == line).unwrap();
    /// assert_eq!(group.count, kept.len());
    /// ```
    pub fn new_by_site(&self) -> BySite {
        BySite::of(&self.created)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (new, gone, kept) = (self.created.len(), self.gone.len(), self.kept.len());
        write!(f, "{new} new, {gone} gone, {kept} kept, in {:.1?}", self.elapsed)?;
        if new > 0 {
            write!(f, "\n\nnew\n{}", table(self.created.iter()))?;
        }
        if gone > 0 {
            write!(f, "\n\ngone\n{}", table(self.gone.iter()))?;
        }
        let mut busy = Table::new(["kind", "site", "yielded since", "buffered", "state"]);
        for Change { entry, yielded } in self.kept.iter().filter(|kept| kept.yielded > 0) {
            busy.row([
                Short::Left(&entry.kind()),
                Short::Left(&entry.site()),
                Short::Right(yielded),
                Short::Fill(entry.buffered().map(|fill| (fill.now, fill.peak, fill.bound))),
                Short::Left(&entry.state()),
            ]);
        }
        match busy.is_empty() {
            true => Ok(()),
            false => write!(f, "\n\nkept, and has yielded\n{busy}"),
        }
    }
}
