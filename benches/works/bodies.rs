//! The bodies that are compared, and the iterators that one would write without generators. What the
//! benches here measure and what `benches/peers` does are the same, because it is this file.
//!
//! A body is a macro that is told how to yield, and is expanded afresh for every contender: the
//! compiler inlines a coroutine only where it is used once. It finds its functions in
//! `crate::works::bodies`, where each crate that uses it has to have it.

// No crate uses all of it.
#![allow(dead_code, unused_macros)]

/// The values of a xorshift generator.
macro_rules! xorshift {
    ($give:ident, $co:ident, $seed:ident, $count:ident) => {{
        let mut x: u64 = $seed;
        for _ in 0..$count {
            x = $crate::works::bodies::step(x);
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

#[derive(Clone)]
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
            $give!($co, $crate::works::bodies::block(n));
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
                byte = *bytes.next().ok_or($crate::works::bodies::Truncated)?;
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
                    $give!($co, Err($crate::works::bodies::Truncated));
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
            average = $crate::works::bodies::averaged(average, sample);
        }
    }};
}

#[inline(always)]
pub fn averaged(average: u64, sample: u64) -> u64 {
    average - (average >> 3) + (sample >> 3)
}

#[derive(Default)]
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
        use $crate::works::bodies::Token::*;
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
