//! What it takes to hand items to a task, or from one, through a bounded buffer; and how far a source
//! runs ahead. Each is a Markdown table: a row for each contender, a column for each capacity.
//!
//! Contenders take turns: each round runs all of them once, and a table has the medians of the rounds,
//! so that a machine that is busy for a while is not held against one of them.

use std::path::PathBuf;

use clap::Parser;
use watertight_peers::bridges;
use watertight_peers::bridges::{CAPACITIES, Work, most_in_flight, verify, works};
use watertight_peers::data::Data;
use watertight_peers::machine::Place;
use watertight_peers::table::{self, median, short};
use watertight_peers::works::batch;

#[derive(Parser)]
#[command(about = "Measures bounded buffers with a task at one end or at both")]
struct Options {
    /// What to measure, as the beginnings of works' names, or `in_flight`; everything, if nothing is
    /// named
    works: Vec<String>,

    /// How many rounds the medians are of
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// One short round: shows that everything runs, and measures nothing
    #[arg(long)]
    quick: bool,

    /// Adds what each round gave to this file, for the report
    #[arg(long)]
    data: Option<PathBuf>,
}

fn main() {
    let options = Options::parse();
    let is_wanted = |name: &str| {
        options.works.is_empty() || options.works.iter().any(|work| name.starts_with(&**work))
    };
    println!("Rounds that the medians are of: {}.", if options.quick { 1 } else { options.rounds });
    for work in works().iter().filter(|work| is_wanted(work.name)) {
        let places = Place::all();
        let places = if work.is_placed { &places[..] } else { &places[..1] };
        for &place in places {
            hand_over(work, place, &options);
        }
    }
    if is_wanted("in_flight") {
        in_flight();
    }
}

fn head() -> Vec<String> {
    let capacities = CAPACITIES.map(|capacity| format!("cap {capacity}"));
    [String::new()].into_iter().chain(capacities).collect()
}

fn hand_over(work: &Work, place: Place, options: &Options) {
    let mut rows: Vec<_> =
        work.contenders.iter().map(|(name, _)| vec![(*name).to_owned()]).collect();
    let mut data = Data::new();
    let at =
        |separator| if work.is_placed { format!("{separator}{}", place.name) } else { "".into() };
    for capacity in CAPACITIES {
        let count = if options.quick { batch(capacity) / 16 } else { batch(capacity).max(20_000) };
        for (name, hand_over) in &work.contenders {
            verify(name, *hand_over, place, capacity, batch(capacity) / 16);
        }
        let rounds = if options.quick { 1 } else { options.rounds };
        let mut all = vec![vec![]; work.contenders.len()];
        for _ in 0..rounds {
            for ((_, hand_over), times) in work.contenders.iter().zip(&mut all) {
                times.push(hand_over(place, capacity, count).per_item());
            }
        }
        let measured = format!("{}_cap_{capacity}{}", work.name, at("_"));
        for ((row, (name, _)), times) in rows.iter_mut().zip(&work.contenders).zip(all) {
            row.push(short(median(times.clone())));
            data.add(&measured, name, "ns", times);
        }
    }
    let title = format!("**{}{}: ns for each item, `u64`**", work.name, at(", "));
    table::print(&title, &head(), &rows);
    if let Some(path) = &options.data {
        data.append(path).expect("the file of the data can be written");
    }
}

fn in_flight() {
    type Most = fn(usize) -> u64;
    let rows: Vec<_> = bridges!(Most: B => most_in_flight::<B>)
        .into_iter()
        .map(|(name, most)| {
            let cells = CAPACITIES.map(|capacity| {
                let (most, capacity) = (most(capacity), capacity as u64);
                assert!(name != "watertight" || most == capacity, "{name} has {most} in flight");
                format!("{most} ({:+})", most as i64 - capacity as i64)
            });
            [name.to_owned()].into_iter().chain(cells).collect::<Vec<_>>()
        })
        .collect();
    let title = "**In flight: the most items taken from the source and not yet delivered (in \
                 brackets: over the capacity)**";
    table::print(title, &head(), &rows);
}
