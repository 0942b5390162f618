//! Writes what was measured as a page, `RESULTS.md`, with charts: the script `report` measures, and
//! calls this. Nothing on the page is typed by hand but the explanations, which are in `reasons`.

mod charts;
mod goals;
mod page;
mod reasons;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use watertight_peers::data::Data;

#[derive(Parser)]
#[command(about = "Writes RESULTS.md and its charts from what was measured")]
struct Options {
    /// The folder with the figures
    data: PathBuf,

    /// The folder to write to
    out: PathBuf,
}

/// All that was measured. What was not is empty.
struct Measured {
    generators: Data,
    /// By the nightly compiler, with `gen` blocks among the contenders.
    generators_nightly: Data,
    memory: Data,
    recursion: Data,
    recursion_nightly: Data,
    streams: Data,
    branches: Data,
    handover: Data,
    bridges: Data,
    growth: Data,
    growth_nightly: Data,
    instructions: Data,
    /// The machine, the compilers, the date and the command.
    environment: BTreeMap<String, String>,
}

impl Measured {
    fn read(folder: &Path) -> Measured {
        let data = |name: &str| {
            let path = folder.join(name);
            if !path.exists() {
                return Data::new();
            }
            Data::read(&path).unwrap_or_else(|error| panic!("{error}"))
        };
        let environment = fs::read_to_string(folder.join("environment")).unwrap_or_default();
        let environment = environment.lines().filter_map(|line| line.split_once('\t'));
        Measured {
            generators: data("generators"),
            generators_nightly: data("generators_nightly"),
            memory: data("memory"),
            recursion: data("recursion"),
            recursion_nightly: data("recursion_nightly"),
            streams: data("streams"),
            branches: data("branches"),
            handover: data("handover"),
            bridges: data("bridges"),
            growth: data("growth"),
            growth_nightly: data("growth_nightly"),
            instructions: data("instructions"),
            environment: environment.map(|(key, value)| (key.into(), value.into())).collect(),
        }
    }
}

fn main() {
    let options = Options::parse();
    let measured = Measured::read(&options.data);
    let folder = options.out.join("charts");
    fs::create_dir_all(&folder).expect("the folder of the charts can be made");
    let drawn = charts::draw(&measured, &folder);
    let page = page::write(&measured, &drawn);
    let path = options.out.join("RESULTS.md");
    fs::write(&path, &page).expect("the page can be written");
    println!("{}", path.display());
    let unexplained = page.matches(reasons::UNEXPLAINED).count();
    if unexplained > 0 {
        println!("{unexplained} rows are behind and have no reason in src/bin/report/reasons.rs");
    }
}
