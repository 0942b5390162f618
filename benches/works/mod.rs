//! The works that the benches compare, and the ways to run them.
//!
//! Each work is stated twice: once by hand, as the iterator one would write without generators, and
//! once as a body, a macro that is told how to yield ([`awaited`] or [`yielded`]) and is expanded
//! afresh for every contender. They are macros and not functions because the compiler inlines a
//! coroutine only where it is used once: with a shared one, whoever came second would be measured
//! without inlining.

// Each bench is a crate of its own and uses its own part of this.
#![allow(dead_code, unused_macros)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};

pub type Kernel<I> = fn(I) -> u64;

/// Times the contenders, after it has checked that all of them do the same.
pub fn compare<I: Copy>(
    criterion: &mut Criterion,
    work: &str,
    elements: u64,
    input: I,
    contenders: &[(&str, Kernel<I>)],
) {
    let (first, kernel) = contenders[0];
    let expected = kernel(input);
    for (contender, kernel) in &contenders[1..] {
        assert_eq!(kernel(input), expected, "{work}/{contender} and {work}/{first} differ");
    }
    let mut group = criterion.benchmark_group(work);
    group.throughput(Throughput::Elements(elements));
    for (contender, kernel) in contenders {
        group.bench_function(*contender, |bencher| bencher.iter(|| kernel(black_box(input))));
    }
    group.finish();
}

/// How the benches of time are run.
pub fn timing() -> Criterion {
    // Drawing would take several times as long as measuring; `--plotting-backend plotters` does it.
    Criterion::default()
        .without_plots()
        .nresamples(20_000)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1))
        .sample_size(40)
}

#[inline(always)]
pub fn total(items: impl Iterator<Item = u64>) -> u64 {
    let mut total = 0_u64;
    for item in items {
        total = total.wrapping_add(item);
    }
    total
}

/// Unlike the sum of a range, which the compiler knows without adding.
#[inline(always)]
pub fn parity(items: impl Iterator<Item = u64>) -> u64 {
    let mut parity = 0;
    for item in items {
        parity ^= item;
    }
    parity
}

/// Calls `run` with the seeds of as many generators, each hidden from the compiler, which could
/// otherwise compute the items of several at once.
#[inline(always)]
pub fn each(generators: u64, mut run: impl FnMut(u64) -> u64) -> u64 {
    let mut sum = 0_u64;
    for seed in 1..=generators {
        sum = sum.wrapping_add(run(black_box(seed)));
    }
    sum
}

/// Where `co` takes the values: `watertight` and `genawaiter`.
macro_rules! awaited {
    ($co:ident, $value:expr) => {
        $co.yield_($value).await
    };
}

/// In a nightly `gen` block.
macro_rules! yielded {
    ($co:ident, $value:expr) => {
        yield $value
    };
}

/// Evaluates `$use` with `$items`, an iterator of the body's values as this contender gives it with
/// the least overhead it offers.
macro_rules! run {
    (watertight, $body:ident($($input:ident),*), $items:ident => $use:expr) => {{
        let $items = std::pin::pin!(watertight::generator(async move |mut co| {
            $body!(awaited, co $(, $input)*)
        }));
        $use
    }};
    (watertight_into_iter, $body:ident($($input:ident),*), $items:ident => $use:expr) => {{
        let $items = watertight::generator(async move |mut co| {
            $body!(awaited, co $(, $input)*)
        })
        .into_iter();
        $use
    }};
    (nightly_gen, $body:ident($($input:ident),*), $items:ident => $use:expr) => {{
        let $items = gen move { $body!(yielded, co $(, $input)*) };
        $use
    }};
    (genawaiter_stack, $body:ident($($input:ident),*), $items:ident => $use:expr) => {{
        genawaiter::stack::let_gen_using!(generator, |co| async move {
            $body!(awaited, co $(, $input)*)
        });
        let $items = generator.into_iter();
        $use
    }};
    (genawaiter_rc, $body:ident($($input:ident),*), $items:ident => $use:expr) => {{
        let $items = genawaiter::rc::Gen::new(|co| async move {
            $body!(awaited, co $(, $input)*)
        })
        .into_iter();
        $use
    }};
    (genawaiter_sync, $body:ident($($input:ident),*), $items:ident => $use:expr) => {{
        let $items = genawaiter::sync::Gen::new(|co| async move {
            $body!(awaited, co $(, $input)*)
        })
        .into_iter();
        $use
    }};
}

/// Evaluates to an iterator of the body's values in a box that hides the body's type. `watertight`
/// is the crate's own box; `watertight_box_dyn` puts its iterator into the box that the others use.
macro_rules! boxed {
    (watertight, $body:ident($($input:ident),*)) => {{
        let items: watertight::BoxGen<'_, _> = watertight::generator(async move |mut co| {
            $body!(awaited, co $(, $input)*)
        })
        .boxed();
        items
    }};
    (watertight_box_dyn, $body:ident($($input:ident),*)) => {
        boxed!(watertight_into_iter, $body($($input),*))
    };
    ($contender:ident, $body:ident($($input:ident),*)) => {
        run!($contender, $body($($input),*), items => {
            let items: Box<dyn Iterator<Item = _>> = Box::new(items);
            items
        })
    };
}

/// Yields all of an iterator's items.
macro_rules! give_all {
    (watertight, $give:ident, $co:ident, $items:expr) => {
        $co.yield_all($items).await
    };
    ($contender:ident, $give:ident, $co:ident, $items:expr) => {
        for item in $items {
            $give!($co, item);
        }
    };
}

/// Makes a kernel of each contender in the second list by expanding `$kernel!(contender)`, and
/// evaluates to a vector of all, with their names, as they are on this toolchain.
macro_rules! contenders {
    (
        $type:ty,
        [$($by_hand:ident),*],
        $kernel:ident: [$($contender:ident),*]
    ) => {{
        $(contenders!(@kernel $kernel $contender);)*
        let all: Vec<(&str, $type)> = [
            $(Some((stringify!($by_hand), $by_hand as $type)),)*
            $(contenders!(@entry $type, $contender),)*
        ]
        .into_iter()
        .flatten()
        .collect();
        all
    }};
    (@kernel $kernel:ident nightly_gen) => {
        #[cfg(nightly_gen)]
        $kernel!(nightly_gen);
    };
    (@kernel $kernel:ident $contender:ident) => {
        $kernel!($contender);
    };
    (@entry $type:ty, nightly_gen) => {{
        #[cfg(nightly_gen)]
        let entry = Some(("nightly_gen", nightly_gen as $type));
        #[cfg(not(nightly_gen))]
        let entry = None;
        entry
    }};
    (@entry $type:ty, $contender:ident) => {
        Some((stringify!($contender), $contender as $type))
    };
}

/// The values of a xorshift generator.
macro_rules! xorshift {
    ($give:ident, $co:ident, $seed:ident, $count:ident) => {{
        let mut x: u64 = $seed;
        for _ in 0..$count {
            x = $crate::works::step(x);
            $give!($co, x);
        }
    }};
}

#[inline(always)]
pub fn step(mut x: u64) -> u64 {
    x ^= x << 13;
    x ^= x >> 7;
    x ^ (x << 17)
}

pub struct Xorshift {
    x: u64,
    left: u64,
}

impl Xorshift {
    #[inline]
    pub fn new(seed: u64, count: u64) -> Self {
        Xorshift { x: seed, left: count }
    }
}

impl Iterator for Xorshift {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        self.x = step(self.x);
        Some(self.x)
    }
}

/// Counts up; by hand, that is the standard library's range.
macro_rules! range {
    ($give:ident, $co:ident, $count:ident) => {{
        for n in 0..$count {
            $give!($co, n);
        }
    }};
}

/// Counts up by delegating to the range.
macro_rules! delegated_range {
    ($give:ident, $co:ident, $contender:ident, $count:ident) => {
        give_all!($contender, $give, $co, 0..$count)
    };
}

/// A generator that delegates to `rounds` others, one after the other.
macro_rules! delegated_xorshifts {
    ($give:ident, $co:ident, $contender:ident, $rounds:ident, $count:ident) => {{
        for seed in 1..=$rounds {
            run!($contender, xorshift(seed, $count), items => {
                give_all!($contender, $give, $co, items)
            });
        }
    }};
}

pub struct Xorshifts {
    seeds: std::ops::RangeInclusive<u64>,
    current: Xorshift,
    count: u64,
}

impl Xorshifts {
    #[inline]
    pub fn new(rounds: u64, count: u64) -> Self {
        Xorshifts { seeds: 1..=rounds, current: Xorshift::new(0, 0), count }
    }
}

impl Iterator for Xorshifts {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        loop {
            if let Some(x) = self.current.next() {
                return Some(x);
            }
            self.current = Xorshift::new(self.seeds.next()?, self.count);
        }
    }
}

/// The pairs `a <= b < side` that pass a filter.
macro_rules! nested {
    ($give:ident, $co:ident, $side:ident) => {{
        for a in 0..$side {
            for b in a..$side {
                if (a ^ b) % 3 == 0 {
                    $give!($co, a * b);
                }
            }
        }
    }};
}

pub struct Nested {
    side: u64,
    a: u64,
    b: u64,
}

impl Nested {
    #[inline]
    pub fn new(side: u64) -> Self {
        Nested { side, a: 0, b: 0 }
    }
}

impl Iterator for Nested {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        while self.a < self.side {
            while self.b < self.side {
                let (a, b) = (self.a, self.b);
                self.b += 1;
                if (a ^ b) % 3 == 0 {
                    return Some(a * b);
                }
            }
            self.a += 1;
            self.b = self.a;
        }
        None
    }
}

/// Values that own memory; by hand, `map` over a range.
macro_rules! strings {
    ($give:ident, $co:ident, $count:ident) => {{
        for n in 0..$count {
            $give!($co, n.to_string());
        }
    }};
}

/// Values of one size that own memory.
macro_rules! blocks {
    ($give:ident, $co:ident, $count:ident) => {{
        for n in 0..$count {
            $give!($co, $crate::works::block(n));
        }
    }};
}

pub type Block = Box<[u64; 8]>;

pub fn block(n: u64) -> Block {
    Box::new([n; 8])
}

/// Consumes a collection that the body owns; by hand, that is its `into_iter`.
macro_rules! all_of {
    ($give:ident, $co:ident, $collection:ident) => {{
        for item in $collection {
            $give!($co, item);
        }
    }};
}

/// Walks `table` in the order that `indices` give. Every access is checked, so the body can panic.
macro_rules! lookup {
    ($give:ident, $co:ident, $indices:ident, $table:ident) => {{
        for &index in $indices {
            $give!($co, $table[index]);
        }
    }};
}

pub struct Lookup<'a> {
    indices: std::slice::Iter<'a, usize>,
    table: &'a [u64],
}

impl<'a> Lookup<'a> {
    #[inline]
    pub fn new(indices: &'a [usize], table: &'a [u64]) -> Self {
        Lookup { indices: indices.iter(), table }
    }
}

impl Iterator for Lookup<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        self.indices.next().map(|&index| self.table[index])
    }
}

/// Data that end in the middle of a number.
#[derive(Debug)]
pub struct Truncated;

/// Decodes variable-length numbers, seven bits to a byte, as a body that fails with `?`.
macro_rules! varints {
    ($give:ident, $co:ident, $bytes:ident) => {{
        let mut bytes = $bytes.iter();
        while let Some(&first) = bytes.next() {
            let mut number = u64::from(first & 0x7f);
            let (mut byte, mut shift) = (first, 7);
            while byte & 0x80 != 0 {
                byte = *bytes.next().ok_or($crate::works::Truncated)?;
                number |= u64::from(byte & 0x7f) << (shift & 63);
                shift += 7;
            }
            $give!($co, number);
        }
        Ok(())
    }};
}

/// The same where the body cannot fail, so that it yields its results and ends after an error.
macro_rules! varint_results {
    ($give:ident, $co:ident, $bytes:ident) => {{
        let mut bytes = $bytes.iter();
        'numbers: while let Some(&first) = bytes.next() {
            let mut number = u64::from(first & 0x7f);
            let (mut byte, mut shift) = (first, 7);
            while byte & 0x80 != 0 {
                let Some(&next) = bytes.next() else {
                    $give!($co, Err($crate::works::Truncated));
                    break 'numbers;
                };
                byte = next;
                number |= u64::from(byte & 0x7f) << (shift & 63);
                shift += 7;
            }
            $give!($co, Ok(number));
        }
    }};
}

pub struct Varints<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl<'a> Varints<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Varints { bytes: bytes.iter() }
    }
}

impl Iterator for Varints<'_> {
    type Item = Result<u64, Truncated>;

    // After an error there is nothing left, so this is fused as it stands.
    #[inline]
    fn next(&mut self) -> Option<Result<u64, Truncated>> {
        let first = *self.bytes.next()?;
        let mut number = u64::from(first & 0x7f);
        let (mut byte, mut shift) = (first, 7);
        while byte & 0x80 != 0 {
            match self.bytes.next() {
                Some(&next) => byte = next,
                None => return Some(Err(Truncated)),
            }
            number |= u64::from(byte & 0x7f) << (shift & 63);
            shift += 7;
        }
        Some(Ok(number))
    }
}

/// Numbers of one to three bytes, the last one cut short.
pub fn encoded(count: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in Xorshift::new(SEED, count) {
        let mut rest = number >> (number % 3 * 7 + 43);
        while rest > 0x7f {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes.push(0x80);
    bytes
}

/// A moving average, fed by resuming: each value answers the sample before it.
macro_rules! average {
    ($co:ident) => {{
        let mut average: u64 = 0;
        loop {
            let sample = $co.yield_(average).await;
            average = $crate::works::averaged(average, sample);
        }
    }};
}

#[inline(always)]
pub fn averaged(average: u64, sample: u64) -> u64 {
    average - (average >> 3) + (sample >> 3)
}

pub struct Average {
    average: u64,
}

impl Average {
    #[inline]
    pub fn new() -> Self {
        Average { average: 0 }
    }

    #[inline]
    pub fn push(&mut self, sample: u64) -> u64 {
        self.average = averaged(self.average, sample);
        self.average
    }
}

pub enum Token<'a> {
    Word(&'a str),
    Number(u64),
    Text(&'a str),
    Sign(u8),
    Line,
}

/// Splits a program text into tokens.
macro_rules! tokens {
    ($give:ident, $co:ident, $text:ident) => {{
        use $crate::works::Token::*;
        let bytes = $text.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let start = at;
            at += 1;
            match byte {
                b' ' | b'\t' => {}
                b'\n' => {
                    $give!($co, Line);
                }
                b'#' => {
                    while bytes.get(at).is_some_and(|&b| b != b'\n') {
                        at += 1;
                    }
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                    while bytes.get(at).is_some_and(|&b| b.is_ascii_alphanumeric() || b == b'_') {
                        at += 1;
                    }
                    $give!($co, Word(&$text[start..at]));
                }
                b'0'..=b'9' => {
                    let mut number = u64::from(byte - b'0');
                    while let Some(&b @ b'0'..=b'9') = bytes.get(at) {
                        number = number.wrapping_mul(10).wrapping_add(u64::from(b - b'0'));
                        at += 1;
                    }
                    $give!($co, Number(number));
                }
                b'"' => {
                    while bytes.get(at).is_some_and(|&b| b != b'"') {
                        at += 1;
                    }
                    $give!($co, Text(&$text[start + 1..at]));
                    at += 1;
                }
                sign => {
                    $give!($co, Sign(sign));
                }
            }
        }
    }};
}

pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    #[inline]
    pub fn new(text: &'a str) -> Self {
        Tokens { text, at: 0 }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    #[inline]
    fn next(&mut self) -> Option<Token<'a>> {
        let bytes = self.text.as_bytes();
        let mut at = self.at;
        while let Some(&byte) = bytes.get(at) {
            let start = at;
            at += 1;
            let token = match byte {
                b' ' | b'\t' => continue,
                b'\n' => Token::Line,
                b'#' => {
                    while bytes.get(at).is_some_and(|&b| b != b'\n') {
                        at += 1;
                    }
                    continue;
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                    while bytes.get(at).is_some_and(|&b| b.is_ascii_alphanumeric() || b == b'_') {
                        at += 1;
                    }
                    Token::Word(&self.text[start..at])
                }
                b'0'..=b'9' => {
                    let mut number = u64::from(byte - b'0');
                    while let Some(&b @ b'0'..=b'9') = bytes.get(at) {
                        number = number.wrapping_mul(10).wrapping_add(u64::from(b - b'0'));
                        at += 1;
                    }
                    Token::Number(number)
                }
                b'"' => {
                    while bytes.get(at).is_some_and(|&b| b != b'"') {
                        at += 1;
                    }
                    let text = &self.text[start + 1..at];
                    at += 1;
                    Token::Text(text)
                }
                sign => Token::Sign(sign),
            };
            self.at = at;
            return Some(token);
        }
        self.at = at;
        None
    }
}

/// A program text of at least `length` bytes.
pub fn program(length: usize) -> String {
    let mut text = String::with_capacity(length + 128);
    let mut random = Xorshift::new(SEED, u64::MAX);
    while text.len() < length {
        let x = random.next().unwrap_or_default();
        let (name, number) = (x % 977, x >> 40);
        text += &match x >> 33 & 3 {
            0 => format!("let value_{name} = {number} + other_{} * 3;\n", name / 7),
            1 => format!("if (a{name} >= {number}) {{ print(\"limit {name} reached\"); }}\n"),
            2 => format!("\t# comment {number}: nothing to see for the next {name} lines\n"),
            _ => format!("\treturn call_{name}(x, y, \"{number}\", [1, 22, 333]);\n"),
        };
    }
    text
}

pub const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
