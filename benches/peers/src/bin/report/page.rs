//! The page: its tables, and the words between them.

use std::fmt::Write;

use watertight_peers::data::{Data, Ratio};
use watertight_peers::table::short;

use crate::Measured;
use crate::charts::Chart;
use crate::goals::{Verdict, goals};
use crate::reasons::reason;

/// A contender that is more than this much slower than another one is behind it.
const BEHIND: f64 = 1.05;

pub fn write(measured: &Measured, charts: &[Chart]) -> String {
    let mut page = String::new();
    head(&mut page, measured);
    goal_table(&mut page, measured);

    page += "\n## Synchronous generators\n\nProcessor time for each item, ns; medians. In `short` \
             and `short_boxed` for each generator (made, three items, dropped), in `sieve` for each \
             prime, in `lexer` for each token, in `csv` for each record.\n";
    times(&mut page, &measured.generators);
    ratios(&mut page, "generators", &measured.generators, &[]);
    if !measured.generators_nightly.works("ns").is_empty() {
        page += "\nBy the nightly compiler, next to its `gen` blocks:\n";
        let compared = ["hand_written", "nightly_gen"];
        ratios(&mut page, "nightly", &measured.generators_nightly, &compared);
    }

    page += "\n## Recursive generators\n\nProcessor time for each item, ns; medians.\n";
    times(&mut page, &measured.recursion);
    ratios(&mut page, "recursion", &measured.recursion, &[]);

    page += "\n## Streams\n\nProcessor time for each item, ns; medians. Works that end in `_tokio` \
             are awaited in a `block_on` of tokio, the others polled.\n";
    times(&mut page, &measured.streams);
    ratios(&mut page, "streams", &measured.streams, &[]);

    page += "\n## One source, two readers\n\nProcessor time for each item that one of them reads, ns; \
             medians. In `ahead_N` one takes N items, then the other one; in `one_gone` there is only \
             one. `twice` runs the source once for each. Our branches have room for as much as the \
             work needs, and may be closed and stopped; those of itertools grow as they have to.\n";
    times(&mut page, &measured.branches);
    ratios(&mut page, "branches", &measured.branches, &[]);

    page += "\n## Bounded hand-over between two threads\n\nTime of the wall clock for each item, ns; \
             medians. `two_cores` and `one_core` say where the two threads run.\n";
    times(&mut page, &measured.handover);
    page += "\nOurs (`watertight_prefetch`) divided by theirs:\n";
    ratio_table(&mut page, "handover", &measured.handover, "watertight_prefetch", &[]);

    page += "\n## Bounded hand-over to a task, and from one\n\nTime of the wall clock for each item, \
             ns; medians. A capacity of other crates holds one item more, that of the producer who \
             waits.\n";
    times(&mut page, &measured.bridges);
    ratios(&mut page, "bridges", &measured.bridges, &[]);

    memory(&mut page, &measured.memory);

    page += "\n## Instructions\n\nFor each item, counted by callgrind: with one compiler they are \
             the same in every run, on a machine that is busy as well.\n";
    counts(&mut page, &measured.instructions, "instructions");

    page += "\n## How cost grows\n";
    for chart in charts {
        write!(page, "\n![{}](charts/{}.svg)\n\n{}\n", chart.title, chart.name, chart.caption)
            .expect("a string takes all");
    }
    page
}

fn head(page: &mut String, measured: &Measured) {
    *page += "# Results\n\nThis page is made by a program, `benches/peers/report`, which anybody can \
              run; `benches/peers/README.md` says what each contender and each work is. Times are of \
              one machine and one day. Ratios carry over to others: each is of rounds that were taken \
              in turns, the median with the least and the most of them.\n\n";
    for (key, value) in &measured.environment {
        writeln!(page, "- {key}: {value}").expect("a string takes all");
    }
}

fn goal_table(page: &mut String, measured: &Measured) {
    *page += "\n## The goals\n\nWhat the crate was meant to reach, and what was measured. *Noise* \
              says that the goal lies between the rounds.\n";
    let (mut met, mut all) = (0, 0);
    let rows: Vec<_> = goals(measured)
        .into_iter()
        .map(|goal| {
            all += 1;
            met += usize::from(matches!(goal.verdict, Verdict::Met));
            let verdict = match goal.verdict {
                Verdict::Met => "met".to_owned(),
                Verdict::Noise => "*noise*".to_owned(),
                Verdict::Missed => format!("**not met**: {}", reason("goals", &goal.key)),
                Verdict::Unknown => "not measured".to_owned(),
            };
            vec![goal.work, goal.goal, goal.figure, verdict]
        })
        .collect();
    table(page, &["work", "goal", "measured", ""].map(str::to_owned), &rows);
    writeln!(page, "\nMet: {met} of {all}.").expect("a string takes all");
}

fn table(page: &mut String, head: &[String], rows: &[Vec<String>]) {
    writeln!(page, "\n| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()))
        .expect("a string takes all");
    for row in rows {
        writeln!(page, "| {} |", row.join(" | ")).expect("a string takes all");
    }
}

/// Medians: a row for each contender, a column for each work, the least of each bold.
fn times(page: &mut String, data: &Data) {
    if data.works("ns").is_empty() {
        *page += "\nNot measured.\n";
        return;
    }
    grid(page, data, "ns", true);
}

fn counts(page: &mut String, data: &Data, unit: &str) {
    if data.works(unit).is_empty() {
        *page += "\nNot measured.\n";
        return;
    }
    grid(page, data, unit, false);
}

fn grid(page: &mut String, data: &Data, unit: &str, marks_least: bool) {
    let works = data.works(unit);
    // A table that is wider than a page is not read.
    for works in works.chunks(8) {
        let least: Vec<f64> = works
            .iter()
            .map(|work| {
                let of_work = data.of(unit).filter(|figure| figure.work == *work);
                of_work.map(|figure| figure.median()).fold(f64::INFINITY, f64::min)
            })
            .collect();
        let rows: Vec<Vec<String>> = data
            .contenders(unit)
            .into_iter()
            .filter_map(|contender| {
                let figures: Vec<_> =
                    works.iter().map(|work| data.get(work, contender, unit)).collect();
                figures.iter().any(Option::is_some).then(|| {
                    let cells = figures.iter().zip(&least).map(|(figure, &least)| match figure {
                        None => "–".to_owned(),
                        Some(figure) if marks_least && figure.median() <= least => {
                            format!("**{}**", short(figure.median()))
                        }
                        Some(figure) => short(figure.median()),
                    });
                    [format!("`{contender}`")].into_iter().chain(cells).collect()
                })
            })
            .collect();
        table(page, &named(works), &rows);
    }
}

fn named(columns: &[&str]) -> Vec<String> {
    [String::new()].into_iter().chain(columns.iter().map(|name| format!("`{name}`"))).collect()
}

fn ratios(page: &mut String, section: &str, data: &Data, theirs: &[&str]) {
    *page += "\nOurs (`watertight`) divided by theirs: below 1, ours is faster.\n";
    ratio_table(page, section, data, "watertight", theirs);
}

pub fn ratio(Ratio { median, least, most }: Ratio) -> String {
    format!("{} ({}–{})", short(median), short(least), short(most))
}

/// A row for each work and a column for each of `theirs`, which are all others if none is named. What
/// is behind is bold, and explained below.
fn ratio_table(page: &mut String, section: &str, data: &Data, ours: &str, theirs: &[&str]) {
    let all = data.contenders("ns");
    let theirs: Vec<&str> = if theirs.is_empty() {
        all.into_iter().filter(|name| !name.starts_with("watertight")).collect()
    } else {
        theirs.to_vec()
    };
    let mut lost = Vec::new();
    let mut rows = Vec::new();
    for work in data.works("ns") {
        let Some(our) = data.get(work, ours, "ns") else { continue };
        let mut row = vec![format!("`{work}`")];
        for name in &theirs {
            let Some(their) = data.get(work, name, "ns") else {
                row.push("–".into());
                continue;
            };
            let over = our.over(their);
            if over.median > BEHIND {
                row.push(format!("**{}**", ratio(over)));
                lost.push((work, *name, over.median));
            } else {
                row.push(ratio(over));
            }
        }
        rows.push(row);
    }
    table(page, &named(&theirs), &rows);
    if lost.is_empty() {
        return;
    }
    *page += "\nBehind:\n\n";
    let mut works: Vec<&str> = lost.iter().map(|(work, ..)| *work).collect();
    works.dedup();
    for work in works {
        let names: Vec<_> = lost
            .iter()
            .filter(|(lost, ..)| *lost == work)
            .map(|(_, name, ratio)| format!("`{name}` ({})", short(*ratio)))
            .collect();
        writeln!(page, "- `{work}`, {}: {}", names.join(", "), reason(section, work))
            .expect("a string takes all");
    }
}

fn memory(page: &mut String, data: &Data) {
    *page += "\n## Memory\n\nOf the heap, and exact. *Generators* are on the stack or lent where a \
              contender offers it, *boxes* are behind `Box<dyn Iterator>`. One is made, gives three \
              items, and is dropped. A stack of its own (`corosensei`, `generator`) is mapped and is \
              not of the heap.\n";
    for work in ["generators", "boxes"] {
        let units = ["allocations", "allocations of 1000", "bytes", "peak bytes"];
        let rows: Vec<Vec<String>> = data
            .of("allocations")
            .filter(|figure| figure.work == work)
            .map(|figure| {
                let counts = units.map(|unit| {
                    let count = data.get(work, &figure.contender, unit);
                    count.map_or("–".into(), |figure| figure.median().to_string())
                });
                [format!("`{}`", figure.contender)].into_iter().chain(counts).collect()
            })
            .collect();
        if rows.is_empty() {
            *page += "\nNot measured.\n";
            return;
        }
        let head =
            [work, "allocations", "allocations with 1,000 items", "bytes", "bytes at one time"];
        table(page, &head.map(str::to_owned), &rows);
    }
}
