//! How cost grows: with the number of items, of generators that are alive, of threads, and with the
//! size of an item. By depth is in the program `recursion` (`chain`), by the capacity of a buffer in
//! `handover`.

use clap::Parser;
use watertight_peers::generators::growth::works;
use watertight_peers::turns;

#[derive(Parser)]
#[command(about = "Measures how the cost of generators grows")]
struct Options {
    /// How many items a generator has at the most, as a power of ten
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(3..=10))]
    items: u32,

    #[command(flatten)]
    turns: turns::Options,
}

fn main() {
    let title = "**Time for each item, ns (–: left out)**";
    let note = "`threads_N` by the clock on the wall, of all threads together; the others are of \
                processor time.";
    let options = Options::parse();
    turns::run(&options.turns, title, note, &works(options.turns.quick, options.items));
}
