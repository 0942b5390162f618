//! Processor time for each item of recursive generators, as a Markdown table: a row for each work, a
//! column for each contender, who take turns.

use clap::Parser;
use watertight_peers::recursion::forms::STACK;
use watertight_peers::recursion::works;
use watertight_peers::turns;

#[derive(Parser)]
#[command(about = "Measures recursive generators")]
struct Options {
    #[command(flatten)]
    turns: turns::Options,
}

fn main() {
    let title = "**Processor time for each item, ns (–: left out)**";
    let note = format!(
        "The coroutine's stack has {} MiB of address space, and is mapped once for all of them.",
        STACK >> 20
    );
    let options = Options::parse().turns;
    turns::run(&options, title, &note, &works(options.quick));
}
