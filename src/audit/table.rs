//! Tables for people: each column as wide as it has to be.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

pub(super) struct Table<const N: usize> {
    heads: [&'static str; N],
    /// Each cell, and whether it is aligned to the right.
    rows: Vec<[(String, bool); N]>,
}

/// What stands in a cell.
pub(super) enum Short<'c> {
    Left(&'c dyn fmt::Display),
    Right(&'c dyn fmt::Display),
    Time(Option<Duration>),
    /// Now, at the most, and what there can be.
    Fill(Option<(usize, usize, usize)>),
}

impl Short<'_> {
    fn text(&self) -> (String, bool) {
        match self {
            Short::Left(cell) => (cell.to_string(), false),
            Short::Right(cell) => (cell.to_string(), true),
            Short::Time(Some(time)) => (self::time(*time), true),
            Short::Fill(Some((now, peak, bound))) => (format!("{now}/{peak}/{bound}"), true),
            Short::Time(None) | Short::Fill(None) => ("-".into(), true),
        }
    }
}

/// Three figures or so, and a unit.
fn time(time: Duration) -> String {
    let (seconds, micros) = (time.as_secs(), time.subsec_micros());
    match seconds {
        0 if micros < 1000 => format!("{micros}us"),
        0 => format!("{}ms", micros / 1000),
        1..60 => format!("{seconds}.{}s", micros / 100_000),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

impl<const N: usize> Table<N> {
    pub(super) fn new(heads: [&'static str; N]) -> Self {
        Table { heads, rows: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn row(&mut self, cells: [Short<'_>; N]) {
        self.rows.push(cells.each_ref().map(Short::text));
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = self.heads.map(|head| head.chars().count());
        for row in &self.rows {
            for (width, (cell, _)) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        // A column of numbers has its head above them.
        let right = |column: usize| self.rows.first().is_some_and(|row| row[column].1);
        let heads: [(String, bool); N] =
            core::array::from_fn(|column| (self.heads[column].into(), right(column)));
        for (number, row) in core::iter::once(&heads).chain(&self.rows).enumerate() {
            let mut line = String::new();
            for ((cell, right), width) in row.iter().zip(widths) {
                match right {
                    true => line += &format!("{cell:>width$}  "),
                    false => line += &format!("{cell:<width$}  "),
                }
            }
            if number > 0 {
                f.write_str("\n")?;
            }
            f.write_str(line.trim_end())?;
        }
        Ok(())
    }
}
