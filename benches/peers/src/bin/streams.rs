//! Processor time for each item of streams, as a Markdown table: a row for each work, a column for each
//! contender, who take turns.

use clap::Parser;
use watertight_peers::streams::works;
use watertight_peers::turns;

#[derive(Parser)]
#[command(about = "Measures streams")]
struct Options {
    #[command(flatten)]
    turns: turns::Options,
}

fn main() {
    let title = "**Processor time for each item, ns; in `short`, for each stream**";
    let note =
        "Works that end in `_tokio` are awaited in a `block_on` of tokio, the others polled.";
    let options = Options::parse().turns;
    turns::run(&options, title, note, &works(options.quick));
}
