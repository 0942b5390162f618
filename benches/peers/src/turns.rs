//! Contenders that take turns: each round runs all of them once, and a table has the medians of the
//! rounds, so that a machine that is busy for a while is not held against one of them.

use std::path::PathBuf;

use clap::Args;

use crate::count;
use crate::data::Data;
use crate::table::{self, median, short};
use crate::work::{Planned, Work};

#[derive(Args)]
pub struct Options {
    /// What to measure, as the beginnings of works' names; everything, if nothing is named
    works: Vec<String>,

    /// How many rounds the medians are of
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// One round of small works: shows that everything runs, and measures nothing
    #[arg(long)]
    pub quick: bool,

    /// Adds what each round gave to this file, for the report
    #[arg(long)]
    pub data: Option<PathBuf>,

    /// Does each work once between two marks, and prints its name, the contender's and the number of
    /// items, for a program that counts instructions
    #[arg(long)]
    marks: bool,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.works.is_empty() || self.works.iter().any(|work| name.starts_with(&**work))
    }
}

/// Measures what the options ask for, and prints a Markdown table: a row for each work, a column for
/// each contender, and a note below it. `works` are all that there are.
///
/// # Panics
///
/// If there is no such work, or contenders differ in what they give.
pub fn run(options: &Options, title: &str, note: &str, works: &[Planned]) {
    let works = works.iter().filter(|planned| options.wants(&planned.name));
    if options.marks {
        return works.for_each(|planned| mark(&planned.make()));
    }
    let rounds = if options.quick { 1 } else { options.rounds };
    let mut contenders: Vec<&str> = Vec::new();
    let mut data = Data::new();
    let mut measured = Vec::new();
    for planned in works {
        let work = planned.make();
        work.verify();
        // In the order in which they come first.
        for (at, contender) in work.contenders.iter().enumerate() {
            if !contenders.contains(&contender.name) {
                contenders.insert(at.min(contenders.len()), contender.name);
            }
        }
        let mut row = Vec::new();
        for (name, rounds) in times(&work, rounds) {
            data.add(&work.name, name, "ns", rounds.clone());
            row.push((name, median(rounds)));
        }
        measured.push((planned.name.clone(), row));
    }
    assert!(!measured.is_empty(), "there is no such work");
    if let Some(path) = &options.data {
        data.append(path).expect("the file of the data can be written");
    }

    println!("Rounds that the medians are of: {rounds}.");
    let head: Vec<_> =
        [""].iter().chain(&contenders).map(|&contender| contender.to_owned()).collect();
    let rows: Vec<Vec<_>> = measured
        .into_iter()
        .map(|(name, medians)| {
            let cells = contenders.iter().map(|contender| {
                let median = medians.iter().find(|(name, _)| name == contender);
                median.map_or("–".into(), |&(_, nanos)| short(nanos))
            });
            [name].into_iter().chain(cells).collect()
        })
        .collect();
    table::print(title, &head, &rows);
    println!("\n{note}");
}

/// Nanoseconds for each item, by contender and round.
fn times(work: &Work, rounds: u32) -> Vec<(&'static str, Vec<f64>)> {
    let mut all: Vec<_> =
        work.contenders.iter().map(|contender| (contender.name, Vec::new())).collect();
    for _ in 0..rounds {
        for (contender, (_, times)) in work.contenders.iter().zip(&mut all) {
            times.push(work.time(contender));
        }
    }
    all
}

/// Each contender does the work between two marks, after it has done it once: what happens only the
/// first time, in a thread or in the process, is not counted.
fn mark(work: &Work) {
    work.verify();
    for contender in &work.contenders {
        count::begin();
        contender.repeat(1);
        count::end();
        println!("{}\t{}\t{}", work.name, contender.name, work.items);
    }
}
