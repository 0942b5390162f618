//! A capacity says what it counts.
use watertight::IteratorExt;

fn main() {
    let _numbers = (0..3).prefetch(16);
}
