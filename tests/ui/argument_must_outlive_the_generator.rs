//! Rule 2, as a user would meet it: the body keeps an argument, so it must live long enough.
use std::pin::pin;
use watertight::{Co, generator};

fn main() {
    let mut keeps = pin!(generator(async |mut co: Co<(), &String>| {
        let kept = co.yield_(()).await;
        co.yield_(()).await;
        println!("{kept}");
    }));
    let _ = keeps.as_mut().resume(&String::from("first"));
    {
        let short = String::from("short-lived");
        let _ = keeps.as_mut().resume(&short);
    }
    let _ = keeps.as_mut().resume(&String::from("last"));
}
