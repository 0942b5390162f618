//! What a process says when it has ended, as one line of numbers, and what they come to together.

use std::fmt;
use std::str::FromStr;

/// What one process has done, or all of them.
#[derive(Debug, Default, PartialEq)]
pub struct Report {
    /// Lines it has read, and words it has sent.
    pub lines: u64,
    pub words: u64,
    /// Words it has been sent, how many different ones there were, and how often the one looked for.
    pub counted: u64,
    pub different: u64,
    pub found: u64,
    /// The most lines that the source has been ahead.
    pub peak: u64,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// Whether the source has been released by the thread that has read.
    pub at_home: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { lines, words, counted, different, found, peak, stopped, at_home } = self;
        write!(f, "{lines} {words} {counted} {different} {found} {peak}")?;
        write!(f, " {} {}", u8::from(*stopped), u8::from(*at_home))
    }
}

impl FromStr for Report {
    type Err = String;

    fn from_str(line: &str) -> Result<Report, String> {
        let numbers: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        let Ok(&[lines, words, counted, different, found, peak, stopped, at_home]) =
            numbers.as_deref()
        else {
            return Err(format!("this is no report: {line:?}"));
        };
        let (stopped, at_home) = (stopped == 1, at_home == 1);
        Ok(Report { lines, words, counted, different, found, peak, stopped, at_home })
    }
}
