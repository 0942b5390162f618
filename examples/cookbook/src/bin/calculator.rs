//! A tokeniser and a parser: `cargo run --bin calculator -- "2 * (3 + 4) - 1"`.
//!
//! The tokeniser is a generator, so it is written as a loop over characters and not as a machine of
//! states; the parser pulls a token when it needs one and looks ahead by one. Neither has a list of tokens.

use std::process::ExitCode;

use thiserror::Error;
use watertight::{Capacity, Co, LocalBoxGen, Lookahead, TryGen, try_generator};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    Number(f64),
    Symbol(char),
}

#[derive(Debug, Error, PartialEq)]
enum SyntaxError {
    #[error("`{0}` is not a number")]
    Number(String),
    #[error("`{0}` at character {1} means nothing here")]
    Character(char, usize),
    #[error("`{0}` is not expected here")]
    Unexpected(char),
    #[error("something is missing at the end")]
    End,
}

fn tokens(text: &str) -> TryGen<Token, impl Future<Output = Result<(), SyntaxError>>> {
    try_generator(async move |mut co: Co<Token>| {
        let mut rest = text.char_indices().peekable();
        while let Some((start, c)) = rest.next() {
            match c {
                ' ' | '\t' => {}
                '+' | '-' | '*' | '/' | '(' | ')' => co.yield_(Token::Symbol(c)).await,
                '0'..='9' | '.' => {
                    let mut end = start + 1;
                    while rest.next_if(|(_, c)| c.is_ascii_digit() || *c == '.').is_some() {
                        end += 1;
                    }
                    let number = &text[start..end];
                    let value = number.parse().map_err(|_| SyntaxError::Number(number.into()))?;
                    co.yield_(Token::Number(value)).await;
                }
                _ => {
                    let place = text[..start].chars().count() + 1;
                    return Err(SyntaxError::Character(c, place));
                }
            }
        }
        Ok(())
    })
}

struct Parser<'t>(Lookahead<LocalBoxGen<'t, Result<Token, SyntaxError>>>);

impl Parser<'_> {
    /// Takes the next token if it is one of these symbols.
    fn one_of(&mut self, symbols: &str) -> Option<char> {
        match self.0.peek() {
            Some(&Ok(Token::Symbol(c))) if symbols.contains(c) => {
                self.0.next();
                Some(c)
            }
            _ => None,
        }
    }

    fn sum(&mut self) -> Result<f64, SyntaxError> {
        let mut value = self.product()?;
        while let Some(sign) = self.one_of("+-") {
            let other = self.product()?;
            value = if sign == '+' { value + other } else { value - other };
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<f64, SyntaxError> {
        let mut value = self.factor()?;
        while let Some(sign) = self.one_of("*/") {
            let other = self.factor()?;
            value = if sign == '*' { value * other } else { value / other };
        }
        Ok(value)
    }

    fn factor(&mut self) -> Result<f64, SyntaxError> {
        if self.one_of("-").is_some() {
            return Ok(-self.factor()?);
        }
        if self.one_of("(").is_some() {
            let value = self.sum()?;
            return self.one_of(")").map(|_| value).ok_or_else(|| self.unexpected());
        }
        if let Some(&Ok(Token::Number(value))) = self.0.peek() {
            self.0.next();
            return Ok(value);
        }
        Err(self.unexpected())
    }

    /// Why it cannot go on: an error of the tokeniser, a token that does not fit, or the end.
    fn unexpected(&mut self) -> SyntaxError {
        match self.0.next() {
            Some(Err(error)) => error,
            Some(Ok(Token::Symbol(c))) => SyntaxError::Unexpected(c),
            Some(Ok(Token::Number(n))) => SyntaxError::Number(format!("… {n}")),
            None => SyntaxError::End,
        }
    }
}

fn evaluate(text: &str) -> Result<f64, SyntaxError> {
    let mut parser = Parser(tokens(text).boxed_local().lookahead(Capacity::items(1)));
    let value = parser.sum()?;
    match parser.0.peek() {
        None => Ok(value),
        Some(_) => Err(parser.unexpected()),
    }
}

fn main() -> ExitCode {
    let text = std::env::args().nth(1).unwrap_or_else(|| "2 * (3 + 4) - 1".into());
    match evaluate(&text) {
        Ok(value) => println!("{text} = {value}"),
        Err(error) => {
            eprintln!("{text}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_errors() {
        assert_eq!(evaluate("2 * (3 + 4) - 1"), Ok(13.0));
        assert_eq!(evaluate("-(1.5 + .5) / 4"), Ok(-0.5));
        assert_eq!(evaluate("1 +"), Err(SyntaxError::End));
        assert_eq!(evaluate("(1"), Err(SyntaxError::End));
        assert_eq!(evaluate("1 ) 2"), Err(SyntaxError::Unexpected(')')));
        assert_eq!(evaluate("1.2.3"), Err(SyntaxError::Number("1.2.3".into())));
        assert_eq!(evaluate("1 + ä"), Err(SyntaxError::Character('ä', 5)));
    }
}
