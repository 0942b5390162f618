//! A body cannot yield a reference to its own local: the caller could keep it.
use watertight::{Co, generator};

fn main() {
    let lines = generator(async |mut co: Co<&str>| {
        let buffer = String::from("line");
        co.yield_(&buffer).await;
    });
    for line in lines {
        println!("{line}");
    }
}
