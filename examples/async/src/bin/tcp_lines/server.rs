//! A little server to try it with.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::lines::LONGEST_LINE;

/// Starts it, and gives its address.
pub async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener));
    Ok(address)
}

/// Sends something else to each of the first four who come, then nothing at all.
async fn serve(listener: TcpListener) -> io::Result<()> {
    for n in 0.. {
        let (mut socket, _) = listener.accept().await?;
        tokio::spawn(async move {
            match n {
                0 => socket.write_all(b"one\r\ntwo\nand the last one").await?,
                1 => socket.write_all(&b"too long, ".repeat(LONGEST_LINE)).await?,
                2 => socket.write_all(b"this is text\nthis is not: \xff\n").await?,
                3 => loop {
                    socket.write_all(b"tick\n").await?; // Fails when the other side is gone.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                },
                _ => drop(socket.read_u8().await),
            }
            io::Result::Ok(())
        });
    }
    Ok(())
}
