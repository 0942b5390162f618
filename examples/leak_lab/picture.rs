//! The curves: a small picture for each case, all in one file.

use std::io;

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::Compared;
use super::meter::{Outcome, grouped};

/// It is drawn twice as large as it is shown: points are whole numbers, and curves would be jagged.
const WIDTH: u32 = 2 * 880;
const CELL: u32 = 2 * 260;
const HEAD: u32 = 2 * 66;

/// Two colours that nobody takes for one another (Okabe and Ito 2008), and one of them is dashed.
const MISTAKE: RGBColor = RGBColor(213, 94, 0);
const CURE: RGBColor = RGBColor(0, 114, 178);
const INK: RGBColor = RGBColor(34, 34, 34);
const GRID: RGBColor = RGBColor(228, 228, 228);

/// A curve has no more points than this.
const POINTS: usize = 150;

const KIB: f64 = 1024.0;

type Area<'p> = DrawingArea<SVGBackend<'p>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

/// The whole picture.
pub fn svg(results: &[Compared]) -> String {
    let height = HEAD + CELL * (results.len() as u32).div_ceil(2);
    let mut text = String::new();
    draw(results, (WIDTH, height), &mut text).expect("it is drawn into memory");
    let size = |width: u32, height: u32| format!(r#"width="{width}" height="{height}""#);
    text.replacen(&size(WIDTH, height), &size(WIDTH / 2, height / 2), 1)
}

fn draw(results: &[Compared], size: (u32, u32), text: &mut String) -> Drawn {
    let page = SVGBackend::with_string(text, size).into_drawing_area();
    page.fill(&WHITE)?;
    let (head, body) = page.split_vertically(HEAD);
    heading(&head)?;
    let cells = body.split_evenly((results.len().div_ceil(2), 2));
    for (number, (area, result)) in cells.iter().zip(results).enumerate() {
        cell(area, number + 1, result)?;
    }
    if let Some(area) = cells.get(results.len()) {
        heights(area, results)?;
    }
    page.present()
}

/// A text of this size, as it is shown.
fn font(size: u32) -> TextStyle<'static> {
    // The unit of the library is a little smaller than a pixel.
    ("sans-serif", f64::from(2 * size) * 1.24).into_font().color(&INK)
}

fn bold(size: u32) -> TextStyle<'static> {
    ("sans-serif", f64::from(2 * size) * 1.24).into_font().style(FontStyle::Bold).color(&INK)
}

fn heading(area: &Area<'_>) -> Drawn {
    area.draw(&Text::new("What is left on the heap", (48, 24), bold(21)))?;
    area.draw(&Text::new("live heap over the items that came, with", (48, 84), font(14)))?;
    area.draw(&PathElement::new([(640, 98), (700, 98)], MISTAKE.stroke_width(6)))?;
    area.draw(&Text::new("the mistake", (716, 84), font(14)))?;
    let dashes = [(920, 98), (980, 98)];
    area.draw(&DashedPathElement::new(dashes, 14, 8, CURE.stroke_width(6)))?;
    area.draw(&Text::new("its cure", (996, 84), font(14)))
}

/// How high the cures came between two items, which cannot be seen in the curves.
fn heights(area: &Area<'_>, results: &[Compared]) -> Drawn {
    area.draw(&Text::new("The cures, at most", (124, 14), bold(15)))?;
    for (number, result) in results.iter().enumerate() {
        let y = 72 + 48 * number as i32;
        let (name, _) = result.case.cure;
        let highest = curve(&result.cure).1 / KIB;
        let text = format!("{}. {name}", number + 1);
        area.draw(&Text::new(text, (124, y), font(12)))?;
        area.draw(&Text::new(format!("{highest:.1} KiB"), (560, y), font(12)))?;
    }
    Ok(())
}

/// Some points of a curve, and its highest.
fn curve(outcome: &Outcome) -> (Vec<(f64, f64)>, f64) {
    let all: Vec<(f64, f64)> = outcome.curve().collect();
    let step = all.len().div_ceil(POINTS).max(1);
    // From the last one on, so that the end is there.
    let points: Vec<(f64, f64)> = all.iter().rev().step_by(step).rev().copied().collect();
    let highest = all.iter().fold(0.0, |highest: f64, point| highest.max(point.1));
    (points, highest)
}

fn cell(area: &Area<'_>, number: usize, result: &Compared) -> Drawn {
    let (mistake, high) = curve(&result.mistake);
    let (cure, low) = curve(&result.cure);
    let last = mistake.last().map_or(1.0, |point| point.0);
    let high = high.max(low).max(KIB) * 1.08;
    let (unit, name) = match high {
        high if high >= 2.0 * KIB * KIB => (KIB * KIB, "MiB"),
        _ => (KIB, "KiB"),
    };

    let mut chart = ChartBuilder::on(area)
        .caption(format!("{number}. {}", result.case.title), bold(15))
        .margin(16)
        .margin_right(52)
        .x_label_area_size(76)
        .y_label_area_size(124)
        .build_cartesian_2d(0.0..last, 0.0..high / unit)?;
    chart
        .configure_mesh()
        .x_desc("items")
        .y_desc(format!("live heap, {name}"))
        .x_labels(5)
        .y_labels(5)
        .x_label_formatter(&|items| grouped(*items))
        .y_label_formatter(&|bytes| grouped(*bytes))
        .label_style(font(12))
        .axis_desc_style(font(12))
        .axis_style(INK.stroke_width(2))
        .bold_line_style(GRID.stroke_width(2))
        .light_line_style(TRANSPARENT)
        .draw()?;

    let scaled = |points: Vec<(f64, f64)>| points.into_iter().map(move |(x, y)| (x, y / unit));
    let (wrong, right) = (MISTAKE.stroke_width(4), CURE.stroke_width(4));
    let example = |x: i32, y: i32| vec![(x, y), (x + 44, y)];
    chart
        .draw_series(LineSeries::new(scaled(mistake), wrong))?
        .label(result.case.mistake.0)
        .legend(move |(x, y)| PathElement::new(example(x, y), wrong));
    chart
        .draw_series(DashedLineSeries::new(scaled(cure), 14, 8, right))?
        .label(result.case.cure.0)
        .legend(move |(x, y)| DashedPathElement::new(example(x, y), 14, 8, right));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .legend_area_size(56)
        .margin(16)
        .background_style(WHITE)
        .border_style(GRID.stroke_width(2))
        .label_font(font(12))
        .draw()
}
