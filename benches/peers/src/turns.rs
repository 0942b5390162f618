//! Contenders that take turns: each round runs all of them once, and a table has the medians of the
//! rounds, so that a machine that is busy for a while is not held against one of them.

use clap::Args;

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
    quick: bool,

    /// Only has this contender do the work that is named, so many times (`--times`), for a program
    /// that counts instructions
    #[arg(long)]
    count: Option<String>,

    /// See `--count`
    #[arg(long, default_value_t = 1)]
    times: u64,
}

/// Measures what the options ask for, and prints a Markdown table: a row for each work, a column for
/// each contender, and a note below it. `works` are those of a quick run if they are asked with `true`.
pub fn run(options: &Options, title: &str, note: &str, works: fn(bool) -> Vec<Planned>) {
    let works = works(options.quick);
    if let Some(contender) = &options.count {
        return count(options, contender, &works);
    }
    let rounds = if options.quick { 1 } else { options.rounds };
    let is_wanted = |name: &str| {
        options.works.is_empty() || options.works.iter().any(|work| name.starts_with(&**work))
    };
    let mut contenders: Vec<&str> = Vec::new();
    let mut measured = Vec::new();
    for planned in works.iter().filter(|planned| is_wanted(&planned.name)) {
        let work = planned.make();
        work.verify();
        // In the order in which they come first.
        for (at, contender) in work.contenders.iter().enumerate() {
            if !contenders.contains(&contender.name) {
                contenders.insert(at.min(contenders.len()), contender.name);
            }
        }
        measured.push((planned.name.clone(), medians(&work, rounds)));
    }
    assert!(!measured.is_empty(), "there is no such work");

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

/// Nanoseconds for each item, by contender.
fn medians(work: &Work, rounds: u32) -> Vec<(&'static str, f64)> {
    let mut all = vec![vec![]; work.contenders.len()];
    for _ in 0..rounds {
        for (contender, times) in work.contenders.iter().zip(&mut all) {
            times.push(work.time(contender));
        }
    }
    work.contenders
        .iter()
        .map(|contender| contender.name)
        .zip(all.into_iter().map(median))
        .collect()
}

/// Does a work and prints its number of items, which instructions are to be divided by.
fn count(options: &Options, contender: &str, works: &[Planned]) {
    let [name] = &*options.works else { panic!("`--count` wants one work, and its whole name") };
    let planned = works.iter().find(|work| work.name == *name).expect("there is such a work");
    let work = planned.make();
    let mut contenders = work.contenders.iter();
    let contender = contenders.find(|one| one.name == contender).expect("it does this work");
    contender.repeat(options.times);
    println!("{}", work.items);
}
