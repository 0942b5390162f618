//! What was measured, in a file that the program `report` reads: a line for each figure, with tabs
//! between the work, the contender, the unit, and what each round gave.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use crate::table::median;

/// What one contender took for one work.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub work: String,
    pub contender: String,
    pub unit: String,
    /// What each round gave. A count has one.
    pub rounds: Vec<f64>,
}

/// A ratio of two figures: the median over the rounds, and the least and the most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

#[derive(Clone, Debug, Default)]
pub struct Data(Vec<Figure>);

impl Figure {
    pub fn new(work: &str, contender: &str, unit: &str, rounds: Vec<f64>) -> Figure {
        let [work, contender, unit] = [work, contender, unit].map(str::to_owned);
        Figure { work, contender, unit, rounds }
    }

    fn parse(line: &str) -> Option<Figure> {
        let mut fields = line.split('\t');
        let [work, contender, unit] = [fields.next()?, fields.next()?, fields.next()?];
        let rounds: Vec<f64> = fields.map(|round| round.parse().ok()).collect::<Option<_>>()?;
        (!rounds.is_empty()).then(|| Figure::new(work, contender, unit, rounds))
    }

    pub fn median(&self) -> f64 {
        median(self.rounds.clone())
    }

    /// How many times as much as `other`. Rounds were taken in turns, so that each is divided by the
    /// one that was taken next to it.
    pub fn over(&self, other: &Figure) -> Ratio {
        let ratios: Vec<f64> =
            self.rounds.iter().zip(&other.rounds).map(|(ours, theirs)| ours / theirs).collect();
        Ratio {
            least: ratios.iter().copied().fold(f64::INFINITY, f64::min),
            most: ratios.iter().copied().fold(0.0, f64::max),
            median: median(ratios),
        }
    }
}

impl Data {
    pub fn new() -> Data {
        Data::default()
    }

    pub fn add(&mut self, work: &str, contender: &str, unit: &str, rounds: Vec<f64>) {
        self.0.push(Figure::new(work, contender, unit, rounds));
    }

    /// # Errors
    /// If the file cannot be read, or has a line that is not a figure.
    pub fn read(path: &Path) -> io::Result<Data> {
        let mut figures = Vec::new();
        for line in BufReader::new(File::open(path)?).lines() {
            let line = line?;
            let wrong = || io::Error::other(format!("{}: not a figure: {line}", path.display()));
            figures.push(Figure::parse(&line).ok_or_else(wrong)?);
        }
        Ok(Data(figures))
    }

    /// Adds the figures to a file, which is made if there is none.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn append(&self, path: &Path) -> io::Result<()> {
        let mut file = File::options().create(true).append(true).open(path)?;
        for Figure { work, contender, unit, rounds } in &self.0 {
            let rounds: Vec<_> = rounds.iter().map(f64::to_string).collect();
            writeln!(file, "{work}\t{contender}\t{unit}\t{}", rounds.join("\t"))?;
        }
        Ok(())
    }

    pub fn get(&self, work: &str, contender: &str, unit: &str) -> Option<&Figure> {
        self.0.iter().find(|figure| {
            figure.work == work && figure.contender == contender && figure.unit == unit
        })
    }

    /// All figures of a unit, in the order in which they came.
    pub fn of(&self, unit: &str) -> impl Iterator<Item = &Figure> {
        self.0.iter().filter(move |figure| figure.unit == unit)
    }

    /// The works that have figures of a unit.
    pub fn works(&self, unit: &str) -> Vec<&str> {
        distinct(self.of(unit).map(|figure| &*figure.work))
    }

    /// Who has figures of a unit.
    pub fn contenders(&self, unit: &str) -> Vec<&str> {
        distinct(self.of(unit).map(|figure| &*figure.contender))
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut all = Vec::new();
    for name in names {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{Data, Figure};

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().expect("there is a place for it");
        let path = folder.path().join("figures");
        for n in 0..2 {
            let mut data = Data::new();
            data.add("work", &format!("contender {n}"), "ns", vec![0.5, f64::from(n)]);
            data.append(&path).expect("it can be written");
        }
        let data = Data::read(&path).expect("it can be read");
        assert_eq!(data.contenders("ns"), ["contender 0", "contender 1"]);
        assert_eq!(data.works("ns"), ["work"]);
        let figure = Figure::new("work", "contender 1", "ns", vec![0.5, 1.0]);
        assert_eq!(data.get("work", "contender 1", "ns"), Some(&figure));
        assert_eq!(data.get("work", "contender 1", "bytes"), None);
    }

    #[test]
    fn a_line_that_is_no_figure_is_a_mistake() {
        let folder = tempfile::tempdir().expect("there is a place for it");
        let path = folder.path().join("figures");
        for line in ["work\tcontender\tns", "work\tcontender\tns\tfew", "", "work"] {
            std::fs::write(&path, format!("{line}\n")).expect("it can be written");
            assert!(Data::read(&path).is_err(), "{line:?}");
        }
    }

    #[test]
    fn rounds_are_divided_by_those_next_to_them() {
        let ours = Figure::new("", "", "", vec![1.0, 20.0, 3.0]);
        let theirs = Figure::new("", "", "", vec![2.0, 20.0, 2.0]);
        let ratio = ours.over(&theirs);
        assert_eq!((ratio.least, ratio.median, ratio.most), (0.5, 1.0, 1.5));
    }
}
