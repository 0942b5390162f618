//! Processor time for each item that one of two readers gets of one source, as a Markdown table: a row for
//! each work, a column for each contender, who take turns.

use clap::Parser;
use watertight_peers::branches::works;
use watertight_peers::turns;

#[derive(Parser)]
#[command(about = "Measures one source with two readers")]
struct Options {
    #[command(flatten)]
    turns: turns::Options,
}

fn main() {
    let title = "**Processor time for each item that is read, ns**";
    let note =
        "`ahead_N`: one reader takes N items, then the other one. `one_gone`: there is only one.";
    let options = Options::parse().turns;
    turns::run(&options, title, note, &works(options.quick));
}
