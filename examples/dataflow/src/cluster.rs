//! The processes: how they are started, find one another, and end together.
//!
//! A process is told on its standard input where the others listen, and says on its standard output where it
//! does and, in the end, what came of it. The input stays open as long as the one that started it lives and
//! wants it to go on. So whoever is killed, by whatever means, nobody is left behind.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use watertight::StopHandle;

/// Set for the processes that are started, to their number.
const INDEX: &str = "DATAFLOW_PROCESS";

fn invalid(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

/// Starts this program so many times, with the same arguments. Gives what each has said in the end, or the
/// first failure, and in either case when all of them have ended.
pub fn start(processes: usize) -> io::Result<Vec<String>> {
    let mut children = vec![];
    for index in 0..processes {
        let mut command = Command::new(env::current_exe()?);
        command.args(env::args_os().skip(1)).env(INDEX, index.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        println!("process {index} is {}", child.id());
        children.push((BufReader::new(child.stdout.take().expect("it is piped")), child));
    }
    let mut ports = String::new();
    for (output, _) in &mut children {
        let mut port = String::new();
        output.read_line(&mut port)?;
        ports += &format!("{} ", port.trim_end());
    }

    let (ended, ends) = mpsc::channel();
    thread::scope(|s| {
        let mut inputs = vec![];
        for (index, (mut output, mut child)) in children.into_iter().enumerate() {
            let mut input = child.stdin.take().expect("it is piped");
            // One that has died already is reported by its thread.
            _ = writeln!(input, "{ports}");
            inputs.push(input);
            let ended = ended.clone();
            s.spawn(move || {
                let mut said = String::new();
                let end = output.read_to_string(&mut said).and_then(|_| succeed(index, &mut child));
                ended.send((index, end.map(|()| said))).expect("the other end waits for it");
            });
        }
        let mut said = vec![String::new(); processes];
        let mut result = Ok(());
        for (index, end) in ends.iter().take(processes) {
            match end {
                Ok(text) => said[index] = text,
                Err(error) => {
                    inputs.clear(); // This ends the others.
                    result = result.and(Err(error));
                }
            }
        }
        result.map(|()| said)
    })
}

fn succeed(index: usize, child: &mut Child) -> io::Result<()> {
    let status = child.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("process {index}: {status}")))
    }
}

/// Which of the processes this is; none of them, if it is the one that starts them.
pub fn index() -> Option<usize> {
    env::var(INDEX).ok()?.parse().ok()
}

/// Connects this process to each of the others, and has `stop` stopped when the first one wants an end, or
/// has come to one.
pub fn join(index: usize, stop: &StopHandle) -> io::Result<Vec<Option<TcpStream>>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let own = listener.local_addr()?;
    writeln!(io::stdout(), "{}", own.port())?;

    let mut ports = String::new();
    io::stdin().read_line(&mut ports)?;
    let ports: Vec<u16> = ports
        .split_whitespace()
        .map(|port| port.parse().map_err(invalid))
        .collect::<io::Result<_>>()?;
    if ports.len() <= index {
        return Err(invalid("nobody says where the others are"));
    }

    let stop = stop.clone();
    thread::spawn(move || {
        _ = io::stdin().read_to_end(&mut vec![]);
        stop.stop();
        // If one of the others has died too early, it is still being waited for.
        _ = TcpStream::connect(own);
    });

    // It connects to those before it, and is connected to by those after it.
    let mut sockets: Vec<_> = ports.iter().map(|_| None).collect();
    for (other, &port) in ports.iter().enumerate().take(index) {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        socket.write_all(&index.to_be_bytes())?;
        sockets[other] = Some(socket);
    }
    for _ in index + 1..ports.len() {
        let (mut socket, _) = listener.accept()?;
        let mut other = 0_usize.to_be_bytes();
        socket.read_exact(&mut other)?;
        let place = sockets.get_mut(usize::from_be_bytes(other)).filter(|place| place.is_none());
        *place.ok_or_else(|| invalid("who is that?"))? = Some(socket);
    }
    for socket in sockets.iter().flatten() {
        socket.set_nodelay(true)?;
    }
    Ok(sockets)
}
