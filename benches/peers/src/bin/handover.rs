//! What Criterion does not measure about a bounded hand-over: delays, overlap, what the machine
//! spends on it, and from which amount of work on a stage pays. Each prints a Markdown table.
//!
//! Contenders take turns: each round runs all of them once, and a table has the medians of the
//! rounds, so that a machine that is busy for a while is not held against one of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use watertight_peers::contenders;
use watertight_peers::data::Data;
use watertight_peers::machine::{Place, Usage};
use watertight_peers::table::{self, median, short};
use watertight_peers::works::{
    Item, Run, batch, delays, nanos, steps_per_nano, used, verify, worked, worked_directly,
};

#[derive(Parser)]
#[command(about = "Measures bounded hand-over between two threads")]
struct Options {
    /// What to measure; everything, if nothing is named
    sections: Vec<Section>,

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

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// Time, processor time and context switches for each item
    Throughput,
    /// Time for each item, by the capacity and by the size of an item
    Growth,
    /// From the push until the consumer has it, with a producer that is slow, or sends bursts
    Delay,
    /// How much of the work of two sides is done at the same time
    Overlap,
    /// A stage next to calling the source, by the work for each item
    Stage,
}

/// How long and how often.
#[derive(Clone, Copy)]
struct Effort<'a> {
    rounds: u32,
    /// Of one contender in one round.
    time: Duration,
    quick: bool,
    data: Option<&'a Path>,
}

fn main() {
    let options = Options::parse();
    let (rounds, millis) = if options.quick { (1, 2) } else { (options.rounds, 200) };
    let effort = Effort {
        rounds,
        time: Duration::from_millis(millis),
        quick: options.quick,
        data: options.data.as_deref(),
    };
    let all = options.sections.is_empty();
    let wanted = |section| all || options.sections.contains(&section);
    let places = Place::all();

    println!("Rounds that the medians are of: {}.", effort.rounds);
    if wanted(Section::Throughput) {
        places.iter().for_each(|&place| throughput(place, effort));
    }
    if wanted(Section::Growth) {
        growth(places[0], effort);
    }
    if wanted(Section::Delay) {
        delay(&places, effort);
    }
    // Nothing can be done at the same time on one core.
    for &place in places.iter().filter(|place| place.name == "two_cores") {
        if wanted(Section::Overlap) {
            overlap(place, effort);
        }
        if wanted(Section::Stage) {
            stage(place, effort);
        }
    }
}

/// What each round gave of `N` figures, by column, contender and round.
type Rounds<const N: usize> = Vec<Vec<Vec<[f64; N]>>>;

/// Runs each column's works in interleaved rounds: `measure(column, contender)` gives what one
/// round gives.
fn rounds<const N: usize>(
    effort: Effort<'_>,
    columns: usize,
    contenders: usize,
    mut measure: impl FnMut(usize, usize) -> [f64; N],
) -> Rounds<N> {
    let column = |column| {
        let mut all = vec![vec![]; contenders];
        for _ in 0..effort.rounds {
            for (contender, figures) in all.iter_mut().enumerate() {
                figures.push(measure(column, contender));
            }
        }
        all
    };
    (0..columns).map(column).collect()
}

/// By column and contender.
fn medians<const N: usize>(rounds: &Rounds<N>) -> Vec<Vec<[f64; N]>> {
    let of_one = |rounds: &Vec<[f64; N]>| {
        std::array::from_fn(|n| median(rounds.iter().map(|round| round[n]).collect()))
    };
    rounds.iter().map(|column| column.iter().map(of_one).collect()).collect()
}

/// Writes the figures with this number to the file of the data, if there is to be one.
fn record<const N: usize>(
    effort: Effort<'_>,
    unit: &str,
    columns: &[String],
    names: &[&str],
    rounds: &Rounds<N>,
    figure: usize,
) {
    let Some(path) = effort.data else { return };
    let mut data = Data::new();
    for (column, all) in columns.iter().zip(rounds) {
        for (name, rounds) in names.iter().zip(all) {
            data.add(column, name, unit, rounds.iter().map(|round| round[figure]).collect());
        }
    }
    data.append(path).expect("the file of the data can be written");
}

/// One table: a row for each contender, a column for each work.
fn tabulate<const N: usize>(
    title: &str,
    columns: &[String],
    names: &[&str],
    medians: &[Vec<[f64; N]>],
    figure: impl Fn(&[f64; N]) -> String,
) {
    let head: Vec<_> = [String::new()].iter().chain(columns).cloned().collect();
    let rows: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(contender, name)| {
            let cells = medians.iter().map(|column| figure(&column[contender]));
            [(*name).to_owned()].into_iter().chain(cells).collect()
        })
        .collect();
    table::print(title, &head, &rows);
}

/// So many items as take about the time that a round of a contender should, but not so few that
/// the buffer itself matters.
fn enough(effort: Effort<'_>, per_item: f64, capacity: usize) -> u64 {
    let least = if effort.quick { batch(capacity) / 8 } else { batch(capacity) };
    ((nanos(effort.time) / per_item) as u64).max(least)
}

type Used = fn(Place, usize, u64) -> (Run, Usage);
type Verify = fn(&str, Place, usize);

/// One sort of items through a buffer of one capacity.
struct Work {
    item: &'static str,
    capacity: usize,
    kernels: Vec<(&'static str, Used)>,
    verify: Vec<(&'static str, Verify)>,
}

fn work<T: Item>(item: &'static str, capacity: usize) -> Work {
    Work {
        item,
        capacity,
        kernels: contenders!(Used: C => used::<C, T>),
        verify: contenders!(Verify: C => verify::<C, T>),
    }
}

const COSTS: [&str; 4] = [
    "time for each item, ns",
    "processor time for each item, both threads, ns",
    "voluntary context switches for each item, both threads",
    "involuntary context switches for each item, both threads, yields among them",
];

fn throughput(place: Place, effort: Effort<'_>) {
    let works = [
        work::<u64>("u64", 1),
        work::<u64>("u64", 16),
        work::<u64>("u64", 256),
        work::<u64>("u64", 4096),
        work::<[u8; 256]>("array", 256),
        work::<String>("string", 4096),
    ];
    cost(place, effort, &works, &COSTS);
}

fn growth(place: Place, effort: Effort<'_>) {
    let capacities = [4, 64, 1_024, 16_384, 65_536];
    let capacities = if effort.quick { &capacities[..2] } else { &capacities[..] };
    let works: Vec<_> = capacities.iter().map(|&capacity| work::<u64>("u64", capacity)).collect();
    cost(place, effort, &works, &COSTS[..1]);
    let works = [
        work::<[u8; 1]>("bytes_1", CAPACITY),
        work::<[u8; 16]>("bytes_16", CAPACITY),
        work::<[u8; 64]>("bytes_64", CAPACITY),
        work::<[u8; 1024]>("bytes_1024", CAPACITY),
        work::<[u8; 4096]>("bytes_4096", CAPACITY),
    ];
    cost(place, effort, &works, &COSTS[..1]);
}

/// Prints a table for each of these figures.
fn cost(place: Place, effort: Effort<'_>, works: &[Work], figures: &[&str]) {
    // How many items each takes is found once, so that all rounds of a contender are alike.
    let counts: Vec<Vec<u64>> = works
        .iter()
        .map(|work| {
            let verified = work.verify.iter().zip(&work.kernels);
            verified
                .map(|((name, verify), (_, kernel))| {
                    verify(name, place, work.capacity);
                    let (run, _) = kernel(place, work.capacity, batch(work.capacity) / 8);
                    enough(effort, run.per_item(), work.capacity)
                })
                .collect()
        })
        .collect();
    let names: Vec<_> = works[0].kernels.iter().map(|(name, _)| *name).collect();
    let rounds = rounds(effort, works.len(), names.len(), |column, contender| {
        let work = &works[column];
        let count = counts[column][contender];
        let (run, usage) = work.kernels[contender].1(place, work.capacity, count);
        let each = |total: f64| total / count as f64;
        [
            run.per_item(),
            each(nanos(usage.cpu)),
            each(usage.sleeps as f64),
            each(usage.preemptions as f64),
        ]
    });
    let named = |work: &Work| format!("{}_cap_{}_{}", work.item, work.capacity, place.name);
    record(effort, "ns", &works.iter().map(named).collect::<Vec<_>>(), &names, &rounds, 0);
    let columns: Vec<_> =
        works.iter().map(|work| format!("`{}`, cap {}", work.item, work.capacity)).collect();
    let medians = medians(&rounds);
    for (n, what) in figures.iter().enumerate() {
        let title = format!("**{}: {what}**", place.name);
        tabulate(&title, &columns, &names, &medians, |figures| short(figures[n]));
    }
}

/// The capacity where nothing else is said.
const CAPACITY: usize = 256;

fn delay(places: &[Place], effort: Effort<'_>) {
    type Delays = fn(Place, usize, Duration, u32, u32) -> Vec<f64>;
    let contenders = contenders!(Delays: C => delays::<C>);
    let names: Vec<_> = contenders.iter().map(|(name, _)| *name).collect();
    let pause = Duration::from_millis(1);
    let bursts = (effort.time.as_millis() as u32).max(2);

    let works: Vec<(Place, u32)> =
        [1, 3].iter().flat_map(|&burst| places.iter().map(move |&place| (place, burst))).collect();
    let columns: Vec<_> = works
        .iter()
        .map(|(place, burst)| match burst {
            1 => format!("1 item, {}", place.name),
            _ => format!("worst of {burst}, {}", place.name),
        })
        .collect();
    let rounds = rounds(effort, works.len(), names.len(), |column, contender| {
        let (place, burst) = works[column];
        [median(contenders[contender].1(place, CAPACITY, pause, burst, bursts)) / 1e3]
    });
    let named = |(place, burst): &(Place, u32)| format!("delay_{burst}_{}", place.name);
    record(effort, "µs", &works.iter().map(named).collect::<Vec<_>>(), &names, &rounds, 0);
    let medians = medians(&rounds);
    let title = format!(
        "**Delay: from the push until the consumer has it, µs, the producer being busy for 1 ms \
         before each item or burst of items; cap {CAPACITY}**"
    );
    tabulate(&title, &columns, &names, &medians, |[micros]| short(*micros));
}

type Worked = fn(Place, usize, u32, u64) -> Run;

/// Checks that a work gives the same on one thread and on two.
fn verify_worked(contenders: &[(&str, Worked)], place: Place) {
    let expected = worked_directly(place, 10, 1_000).checksum;
    for (name, kernel) in contenders {
        assert_eq!(kernel(place, 16, 10, 1_000).checksum, expected, "{name} changes the work");
    }
}

fn overlap(place: Place, effort: Effort<'_>) {
    const EACH_SIDE: f64 = 2_000.0;
    const CAPACITIES: [usize; 4] = [1, 16, 256, 4096];

    let contenders = contenders!(Worked: C => worked::<C>);
    verify_worked(&contenders, place);
    let mut names: Vec<_> = contenders.iter().map(|(name, _)| *name).collect();
    let steps = (EACH_SIDE * steps_per_nano()) as u32;
    let rounds = rounds(effort, CAPACITIES.len(), names.len(), |column, contender| {
        let capacity = CAPACITIES[column];
        // With more than a buffer of them, else the work of one side is done before the watch runs.
        let count = if effort.quick { 1_000 } else { batch(capacity).clamp(10_000, 100_000) };
        // The two halves next to it, in the same round: a machine that is slower for a while is
        // slower for both.
        let direct = worked_directly(place, steps, count.min(10_000)).per_item();
        let run = contenders[contender].1(place, capacity, steps, count).per_item();
        // Of what perfect overlap would save, half of the time, how much was saved.
        [run, 100.0 * (direct - run) / (direct / 2.0), direct]
    });
    let named = CAPACITIES.map(|capacity| format!("overlap_cap_{capacity}"));
    record(effort, "%", &named, &names, &rounds, 1);
    let medians = medians(&rounds);
    let columns = CAPACITIES.map(|capacity| format!("cap {capacity}"));
    tabulate(
        "**Overlap: share of the time that perfect overlap would save, %, with 2 µs of work on \
         each side; 0 is no overlap, less is worse than one thread**",
        &columns,
        &names,
        &medians,
        |[_, share, _]| format!("{share:.1}"),
    );
    // On one thread, as each column has measured it next to its first contender.
    names.push("on one thread");
    let with_direct: Vec<Vec<[f64; 1]>> = medians
        .iter()
        .map(|column| {
            let direct = median(column.iter().map(|[_, _, direct]| *direct).collect());
            column.iter().map(|[run, ..]| [*run]).chain([[direct]]).collect()
        })
        .collect();
    tabulate("**Overlap: ns for each item**", &columns, &names, &with_direct, |[run]| short(*run));
}

fn stage(place: Place, effort: Effort<'_>) {
    const WORK: [u32; 9] = [0, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

    // What this crate offers, and the standard library's channel to compare with.
    let mut contenders = contenders!(Worked: C => worked::<C>);
    contenders.retain(|(name, _)| name.starts_with("watertight") || *name == "std_sync_channel");
    verify_worked(&contenders, place);
    let speed = steps_per_nano();
    let rounds = rounds(effort, WORK.len(), contenders.len() + 1, |column, contender| {
        let steps = (f64::from(WORK[column]) * speed) as u32;
        let expected = 2.0 * f64::from(WORK[column]).max(50.0);
        let count = enough(effort, expected, CAPACITY);
        let run = match contender.checked_sub(1) {
            None => worked_directly(place, steps, count),
            Some(contender) => contenders[contender].1(place, CAPACITY, steps, count),
        };
        [run.per_item()]
    });
    let medians = medians(&rounds);

    let mut head = vec!["work on each side, ns".to_owned(), "called directly".to_owned()];
    for (name, _) in &contenders {
        head.extend([(*name).to_owned(), format!("ratio, {name}")]);
    }
    let rows: Vec<_> = WORK
        .iter()
        .zip(&medians)
        .map(|(work, figures)| {
            let [direct] = figures[0];
            let mut row = vec![work.to_string(), short(direct)];
            for [run] in &figures[1..] {
                row.extend([short(*run), short(run / direct)]);
            }
            row
        })
        .collect();
    let title = format!(
        "**Stage: ns for each item, through a stage and with the source called directly; cap \
         {CAPACITY}**"
    );
    table::print(&title, &head, &rows);
    println!();
    for (n, (name, _)) in contenders.iter().enumerate() {
        let pays = |figures: &Vec<[f64; 1]>| figures[n + 1][0] < figures[0][0];
        // From the first on after which it always does.
        let first = medians.iter().rposition(|figures| !pays(figures)).map_or(0, |last| last + 1);
        match WORK.get(first) {
            Some(work) => println!("A stage of {name} pays from {work} ns on each side on."),
            None => println!("A stage of {name} does not pay for any of these amounts."),
        }
    }
}
