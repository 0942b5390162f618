//! What can be alive, and what it can be doing.

/// What an entry of the audit is.
///
/// # Examples
///
#[cfg_attr(feature = "audit", doc = "```")]
#[cfg_attr(not(feature = "audit"), doc = "```ignore")] // It is private then.
/// use watertight::audit::{self, Kind};
/// use watertight::scope;
///
/// audit::leaks(|| {
///     scope(|s| {
///         let _numbers = s.adopt(0..9);
///         let living = audit::Behalf::current().living();
///         let kinds: Vec<_> = living.iter().map(|entry| entry.kind()).collect();
///         assert_eq!(kinds, [Kind::Scope, Kind::Adopted]);
///     });
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[cfg_attr(not(feature = "audit"), allow(dead_code, reason = "nobody counts them"))]
#[non_exhaustive]
pub enum Kind {
    /// A [`Gen`](crate::Gen), pinned, boxed or in a scope.
    Gen,
    /// A [`TryGen`](crate::TryGen).
    TryGen,
    /// An [`AsyncGen`](crate::AsyncGen).
    AsyncGen,
    /// A [`TryAsyncGen`](crate::TryAsyncGen).
    TryAsyncGen,
    /// A [`Recursive`](crate::Recursive) generator.
    Recursive,
    /// A [`TryRecursive`](crate::TryRecursive) generator.
    TryRecursive,
    /// An [`AsyncRecursive`](crate::AsyncRecursive) generator.
    AsyncRecursive,
    /// A [`TryAsyncRecursive`](crate::TryAsyncRecursive) generator.
    TryAsyncRecursive,
    /// An iterator that a scope, a stop handle or a buffer has taken over, see
    /// [`Adopted`](crate::Adopted).
    Adopted,
    /// A stream that a stop handle or a hook has taken over, see `AdoptedStream`.
    AdoptedStream,
    /// A [`scope`](crate::scope()) that has not returned.
    Scope,
    /// A [`Prefetch`](crate::Prefetch): the handle, and what is buffered.
    Prefetch,
    /// A prefetch that is read by a task, `ThreadStream`.
    ThreadStream,
    /// The end of a [`bounded`](crate::bounded) buffer that values are pushed into.
    Producer,
    /// The end of a [`bounded`](crate::bounded) buffer that values are taken out of, and what is
    /// buffered.
    Consumer,
    /// A [`Lookahead`](crate::Lookahead).
    Lookahead,
    /// What the branches of a tee have in common. It yields what it pulls.
    Tee,
    /// A [`Branch`](crate::Branch) of a tee, and its backlog.
    Branch,
    /// What a stream gives that a driver runs ahead, `TaskStream`, and what is buffered.
    TaskStream,
    /// The same read by a thread, `TaskIter`.
    TaskIter,
    /// The future that runs a stream ahead, `Driver`.
    Driver,
    /// A thread that this crate has started.
    Thread,
}

/// What an entry of the audit is doing.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use watertight::audit::{self, State};
/// use watertight::{Co, generator};
///
/// let state = || audit::Behalf::current().living().entries()[0].state();
/// audit::leaks(|| {
///     let mut numbers = pin!(generator(async |mut co: Co<u32>| co.yield_(1).await));
///     assert_eq!(state(), State::NotStarted);
///     numbers.next();
///     assert_eq!(state(), State::Suspended);
///     numbers.next();
///     assert_eq!(state(), State::Finished);
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[cfg(feature = "audit")]
#[non_exhaustive]
pub enum State {
    /// Nobody has asked it for anything.
    NotStarted,
    /// It has been asked before, and is not being asked at this moment.
    Suspended,
    /// It is being asked at this moment, which includes that somebody waits for its answer. A scope
    /// and a thread are running as long as they are there.
    Running,
    /// It is over and holds nothing any more, but is still kept by somebody.
    Finished,
}

#[cfg(feature = "audit")]
impl Kind {
    /// Whether it is a generator, an adopted iterator or stream included.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit::Kind;
    ///
    /// assert!(Kind::Recursive.is_generator());
    /// assert!(!Kind::Prefetch.is_generator());
    /// ```
    pub fn is_generator(self) -> bool {
        self <= Kind::AdoptedStream
    }

    /// The name of its type, or of what makes it.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit::Kind;
    ///
    /// assert_eq!(Kind::Prefetch.name(), "Prefetch"); // A type,
    /// assert_eq!(Kind::Tee.name(), "tee"); // and what is several of them.
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Kind::Gen => "Gen",
            Kind::TryGen => "TryGen",
            Kind::AsyncGen => "AsyncGen",
            Kind::TryAsyncGen => "TryAsyncGen",
            Kind::Recursive => "Recursive",
            Kind::TryRecursive => "TryRecursive",
            Kind::AsyncRecursive => "AsyncRecursive",
            Kind::TryAsyncRecursive => "TryAsyncRecursive",
            Kind::Adopted => "Adopted",
            Kind::AdoptedStream => "AdoptedStream",
            Kind::Scope => "scope",
            Kind::Prefetch => "Prefetch",
            Kind::ThreadStream => "ThreadStream",
            Kind::Producer => "Producer",
            Kind::Consumer => "Consumer",
            Kind::Lookahead => "Lookahead",
            Kind::Tee => "tee",
            Kind::Branch => "Branch",
            Kind::TaskStream => "TaskStream",
            Kind::TaskIter => "TaskIter",
            Kind::Driver => "Driver",
            Kind::Thread => "thread",
        }
    }
}

#[cfg(feature = "audit")]
impl State {
    /// In words.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit::State;
    ///
    /// assert_eq!(State::NotStarted.name(), State::NotStarted.to_string());
    /// assert_eq!(State::NotStarted.to_string(), "not started");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            State::NotStarted => "not started",
            State::Suspended => "suspended",
            State::Running => "running",
            State::Finished => "finished",
        }
    }
}

#[cfg(feature = "audit")]
impl core::fmt::Display for Kind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(feature = "audit")]
impl core::fmt::Display for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}
