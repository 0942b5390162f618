//! Processor time for each item of synchronous generators, as a Markdown table: a row for each work, a
//! column for each contender, who take turns.

use clap::Parser;
use watertight_peers::generators::works;
use watertight_peers::turns;

#[derive(Parser)]
#[command(about = "Measures synchronous generators")]
struct Options {
    #[command(flatten)]
    turns: turns::Options,
}

fn main() {
    let title = "**Processor time for each item, ns (–: left out)**";
    let note = "In `short` and `short_boxed` for each generator, in `sieve` for each prime, in \
                `lexer` for each token, in `csv` for each record.";
    let options = Options::parse().turns;
    turns::run(&options, title, note, &works(options.quick));
}
