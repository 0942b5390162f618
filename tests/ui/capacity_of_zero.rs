//! G5: a capacity of zero is an error of the compiler's, where it is known beforehand.
use watertight::Capacity;

const NOTHING: Capacity = Capacity::items(0);

fn main() {
    println!("{NOTHING}");
}
