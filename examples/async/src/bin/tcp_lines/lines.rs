//! What a connection sends, line by line: the part to copy.

use std::io;
use std::net::SocketAddr;
use std::string::FromUtf8Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use thiserror::Error;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use watertight::{Co, TryAsyncGen, try_async_generator};

/// The longest line that is read, without its ending.
pub const LONGEST_LINE: usize = 4096;

/// Why a connection was not read to its end. What was read of the line is handed back.
#[derive(Debug, Error)]
pub enum LineError {
    #[error("a line of more than {LONGEST_LINE} bytes, which begins with `{}`", shown(start))]
    TooLong { start: Vec<u8> },
    #[error("a line that is not UTF-8: `{}`", shown(.0.as_bytes()))]
    NotText(#[from] FromUtf8Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Some bytes as a message can have them.
fn shown(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(40)].escape_ascii().to_string()
}

/// What has become of all connections together.
#[derive(Default)]
pub struct Account {
    pub opened: AtomicUsize,
    pub closed: AtomicUsize,
    pub lines: AtomicUsize,
}

/// A socket that is counted, for as long as it lives.
struct Open(Arc<Account>);

impl Open {
    fn count(account: Arc<Account>) -> Self {
        account.opened.fetch_add(1, Ordering::Relaxed);
        Open(account)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Ordering::Relaxed);
    }
}

/// What comes from `address`, line by line, without the line ends.
pub fn lines(
    address: SocketAddr,
    account: Arc<Account>,
) -> TryAsyncGen<String, impl Future<Output = Result<(), LineError>>> {
    try_async_generator(async move |mut co: Co<String>| {
        let socket = TcpStream::connect(address).await?;
        // Locals are dropped last one first: it counts as closed when it is.
        let open = Open::count(account);
        let mut input = BufReader::new(socket);
        while let Some(line) = next_line(&mut input).await? {
            open.0.lines.fetch_add(1, Ordering::Relaxed);
            co.yield_(line).await;
        }
        Ok(())
    })
}

/// The last line of all may have no end.
async fn next_line(input: impl AsyncBufRead + Unpin) -> Result<Option<String>, LineError> {
    let mut line = Vec::new();
    // With as much again as a line end can have.
    let most = LONGEST_LINE as u64 + 2;
    if input.take(most).read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    if line.ends_with(b"\n") {
        line.truncate(line.len() - if line.ends_with(b"\r\n") { 2 } else { 1 });
    }
    if line.len() > LONGEST_LINE {
        return Err(LineError::TooLong { start: line });
    }
    Ok(Some(String::from_utf8(line)?))
}
