//! Charts of how cost grows: what grows to the right, by factors, and time upwards, from zero.

use std::path::Path;

use plotters::prelude::*;
use watertight_peers::data::Data;
use watertight_peers::table::short;

use crate::Measured;

/// A chart that was drawn.
pub struct Chart {
    pub name: &'static str,
    pub title: &'static str,
    pub caption: String,
}

/// Which figures a chart is of: those of works that are called by these words with a number between
/// them.
struct Plan {
    name: &'static str,
    title: &'static str,
    before: &'static str,
    after: &'static str,
    across: &'static str,
    up: &'static str,
    /// The chart is as high as is right for our figures from here on.
    high_from: f64,
    /// What it shows.
    caption: &'static str,
}

/// Where the figures of a chart are, and those by the nightly compiler.
type Source = fn(&Measured) -> (&Data, Option<&Data>);

/// Who is drawn from the figures by the nightly compiler; the others of a chart have one compiler.
const BY_NIGHTLY: &str = "nightly_gen";

const PLANS: [(Source, Plan); 7] = [
    (
        |measured| (&measured.growth, Some(&measured.growth_nightly)),
        Plan {
            name: "items",
            title: "Items of one generator",
            before: "items_",
            after: "",
            across: "items",
            up: "ns for each item",
            high_from: 0.0,
            caption: "One generator that gives so many numbers.",
        },
    ),
    (
        |measured| (&measured.growth, Some(&measured.growth_nightly)),
        Plan {
            name: "alive",
            title: "Generators that are alive",
            before: "alive_",
            after: "",
            across: "generators, each in a box that hides its type",
            up: "ns for each item",
            high_from: 0.0,
            caption: "So many are made, give 16 items each in turn, and are dropped. Where they no \
                      longer fit into a cache, a step is a walk to memory, for everybody.",
        },
    ),
    (
        |measured| (&measured.growth, None),
        Plan {
            name: "size",
            title: "The size of an item",
            before: "size_",
            after: "",
            across: "bytes of an item",
            up: "ns for each item",
            high_from: 0.0,
            caption: "Items are arrays of so many bytes, written by the body and read by the consumer.",
        },
    ),
    (
        |measured| (&measured.growth, None),
        Plan {
            name: "threads",
            title: "Threads",
            before: "threads_",
            after: "",
            across: "threads",
            up: "ns of the wall clock for each item, of all threads",
            high_from: 0.0,
            caption: "Each thread makes generators of 100 items, one after the other. With twice as \
                      many cores half is the best there is. All that can be stopped are under one \
                      stop handle.",
        },
    ),
    (
        |measured| (&measured.recursion, Some(&measured.recursion_nightly)),
        Plan {
            name: "depth",
            title: "The depth of a recursive generator",
            before: "chain_",
            after: "",
            across: "calls, one in the other, to where the items are",
            up: "ns for each item",
            high_from: 0.0,
            caption: "All items come from the deepest call.",
        },
    ),
    (
        |measured| (&measured.handover, None),
        Plan {
            name: "capacity",
            title: "The capacity of a buffer between two threads",
            before: "u64_cap_",
            after: "_two_cores",
            across: "capacity, items",
            up: "ns for each item",
            high_from: 4.0,
            caption: "Hand-over of numbers from one core to another.",
        },
    ),
    (
        |measured| (&measured.handover, None),
        Plan {
            name: "message",
            title: "The size of an item between two threads",
            before: "bytes_",
            after: "_cap_256_two_cores",
            across: "bytes of an item",
            up: "ns for each item",
            high_from: 0.0,
            caption: "Hand-over of arrays from one core to another, through 256 places.",
        },
    ),
];

/// Draws what there are figures for.
pub fn draw(measured: &Measured, folder: &Path) -> Vec<Chart> {
    let mut drawn = Vec::new();
    for (data, plan) in PLANS {
        let (data, nightly) = data(measured);
        let lines = lines(data, nightly, &plan);
        if lines.iter().all(|(_, points)| points.len() < 2) {
            continue;
        }
        let most = height(&lines, plan.high_from);
        let path = folder.join(format!("{}.svg", plan.name));
        one(&path, &plan, &lines, most).expect("a chart can be drawn");
        let above = lines.iter().any(|(_, points)| points.iter().any(|&(_, y)| y > most));
        let above = if above { " Lines that leave the chart go on above it." } else { "" };
        let by_nightly = match lines.iter().any(|(name, _)| *name == BY_NIGHTLY) {
            true => " `nightly_gen` is by the nightly compiler, the others by the stable one.",
            false => "",
        };
        let caption = format!("{}{above}{by_nightly}", plan.caption);
        drawn.push(Chart { name: plan.name, title: plan.title, caption });
    }
    drawn
}

type Line<'a> = (&'a str, Vec<(f64, f64)>);

/// The points of each contender, from left to right.
fn lines<'a>(data: &'a Data, nightly: Option<&'a Data>, plan: &Plan) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    let by_nightly = nightly.into_iter().flat_map(|data| data.of("ns"));
    let by_nightly = by_nightly.filter(|figure| figure.contender == BY_NIGHTLY);
    for figure in data.of("ns").chain(by_nightly) {
        let number = figure
            .work
            .strip_prefix(plan.before)
            .and_then(|rest| rest.strip_suffix(plan.after))
            .and_then(|number| number.parse().ok());
        let Some(x) = number else { continue };
        let point = (x, figure.median());
        match lines.iter_mut().find(|(name, _)| *name == figure.contender) {
            Some((_, points)) => points.push(point),
            None => lines.push((&figure.contender, vec![point])),
        }
    }
    for (_, points) in &mut lines {
        points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    }
    lines
}

/// How much there is to be seen: ours in full, and of the others as much as leaves ours to be seen.
fn height(lines: &[Line<'_>], from: f64) -> f64 {
    let most = |is_wanted: fn(&str) -> bool| {
        let wanted = lines.iter().filter(|(name, _)| is_wanted(name));
        let points = wanted.flat_map(|(_, points)| points).filter(|&&(x, _)| x >= from);
        points.map(|&(_, y)| y).fold(0.0, f64::max)
    };
    let (all, ours) = (most(|_| true), most(|name| name.starts_with("watertight")));
    1.05 * if ours > 0.0 { all.min(3.0 * ours) } else { all }
}

/// The part of a line that is below `most`, with the point where it leaves.
fn below(points: &[(f64, f64)], most: f64) -> Vec<Vec<(f64, f64)>> {
    // Between two points the line is straight on paper, where x is the logarithm.
    let cut = |(x0, y0): (f64, f64), (x1, y1): (f64, f64)| {
        let share = (most - y0) / (y1 - y0);
        ((x0.ln() + share * (x1.ln() - x0.ln())).exp(), most)
    };
    let mut parts: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut last: Option<(f64, f64)> = None;
    for &point in points {
        match (last, point.1 <= most) {
            (Some(before), true) if before.1 <= most => {
                parts.last_mut().expect("the point before is in it").push(point);
            }
            (Some(before), true) => parts.push(vec![cut(before, point), point]),
            (None, true) => parts.push(vec![point]),
            (Some(before), false) if before.1 <= most => {
                parts.last_mut().expect("the point before is in it").push(cut(before, point));
            }
            _ => {}
        }
        last = Some(point);
    }
    parts
}

/// Ours are blue, the others are told by their colours and by the order of the legend.
fn colour(name: &str, n: usize) -> RGBColor {
    const OURS: [RGBColor; 6] = [
        RGBColor(0, 60, 180),
        RGBColor(60, 130, 255),
        RGBColor(0, 150, 200),
        RGBColor(100, 170, 255),
        RGBColor(0, 100, 120),
        RGBColor(120, 120, 220),
    ];
    const THEIRS: [RGBColor; 10] = [
        RGBColor(0, 0, 0),
        RGBColor(200, 40, 40),
        RGBColor(240, 140, 0),
        RGBColor(40, 140, 60),
        RGBColor(150, 60, 160),
        RGBColor(130, 90, 50),
        RGBColor(220, 100, 160),
        RGBColor(110, 110, 110),
        RGBColor(160, 160, 0),
        RGBColor(0, 160, 130),
    ];
    if name.starts_with("watertight") { OURS[n % OURS.len()] } else { THEIRS[n % THEIRS.len()] }
}

fn one(
    path: &Path,
    plan: &Plan,
    lines: &[Line<'_>],
    most: f64,
) -> Result<(), Box<dyn std::error::Error>> {
    let all = || lines.iter().flat_map(|(_, points)| points).map(|&(x, _)| x);
    let (from, to) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    let root = SVGBackend::new(path, (860, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(plan.title, ("sans-serif", 20))
        .margin(12)
        .margin_right(190)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d((from..to).log_scale(), 0.0..most)?;
    chart
        .configure_mesh()
        .x_desc(plan.across)
        .y_desc(plan.up)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| short(*y))
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 13))
        .draw()?;
    let (mut ours, mut theirs) = (0, 0);
    for (place, (name, points)) in lines.iter().enumerate() {
        let n = if name.starts_with("watertight") { &mut ours } else { &mut theirs };
        let style =
            colour(name, *n).stroke_width(if name.starts_with("watertight") { 3 } else { 2 });
        *n += 1;
        for part in below(points, most) {
            chart.draw_series(LineSeries::new(part.clone(), style))?;
            chart.draw_series(part.iter().map(|&point| Circle::new(point, 3, style.filled())))?;
        }
        // A legend at the right, where no line is.
        let y = 50 + 20 * i32::try_from(place)?;
        root.draw(&PathElement::new(vec![(690, y), (710, y)], style))?;
        root.draw(&Text::new(name.to_string(), (716, y - 7), ("sans-serif", 13)))?;
    }
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{BY_NIGHTLY, PLANS, below, lines};
    use watertight_peers::data::Data;

    /// Of the nightly compiler's figures there is only that one, and it has a line of its own.
    #[test]
    fn gen_blocks_are_drawn_next_to_the_others() {
        let data = |contenders: &[&str], nanos: f64| {
            let mut data = Data::new();
            for contender in contenders {
                for work in ["items_1000", "items_100", "alive_1"] {
                    data.add(work, contender, "ns", vec![nanos]);
                }
            }
            data
        };
        let stable = data(&["watertight", "remit"], 1.0);
        let nightly = data(&["watertight", BY_NIGHTLY], 2.0);
        let plan = PLANS.iter().map(|(_, plan)| plan).find(|plan| plan.name == "items").unwrap();
        let line = |name, nanos| (name, vec![(100.0, nanos), (1000.0, nanos)]);
        let expected = [line("watertight", 1.0), line("remit", 1.0), line(BY_NIGHTLY, 2.0)];
        assert_eq!(lines(&stable, Some(&nightly), plan), expected);
        assert_eq!(lines(&stable, None, plan), expected[..2]);
    }

    #[test]
    fn a_line_is_cut_where_it_leaves() {
        let e = std::f64::consts::E;
        let parts = below(&[(1.0, 1.0), (e * e, 3.0), (e * e * e, 1.0)], 2.0);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0][0], (1.0, 1.0));
        assert!((parts[0][1].0 - e).abs() < 1e-9 && parts[0][1].1 == 2.0, "{parts:?}");
        assert!(parts[1][0].1 == 2.0 && parts[1][1] == (e * e * e, 1.0), "{parts:?}");
        assert!(below(&[(1.0, 9.0), (2.0, 9.0)], 2.0).is_empty());
    }
}
