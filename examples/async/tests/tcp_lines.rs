//! `tcp_lines` as a program: with its own server, and with sockets that are held here.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

const LONGEST_LINE: usize = 4096;

/// A time limit after everything that is to happen. What does not happen fails then.
const LATER: [&str; 2] = ["--seconds", "60"];

/// The program, and the other ends of the sockets that it reads from.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
    errors: BufReader<ChildStderr>,
    sockets: Vec<TcpStream>,
}

impl Running {
    /// Lets it connect to so many sockets here, and then to others.
    fn start(connections: usize, others: &[SocketAddr], args: [&str; 2]) -> Self {
        let listeners: Vec<TcpListener> =
            (0..connections).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let here = listeners.iter().map(|listener| listener.local_addr().unwrap());
        let mut child = Command::new(env!("CARGO_BIN_EXE_tcp_lines"))
            .args(here.chain(others.iter().copied()).map(|address| address.to_string()))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let errors = BufReader::new(child.stderr.take().unwrap());
        let sockets = listeners.iter().map(|listener| listener.accept().unwrap().0).collect();
        Running { child, out, errors, sockets }
    }

    fn line(&mut self) -> String {
        line(&mut self.out)
    }

    /// Sends something, and waits for what is printed of it.
    fn send(&mut self, n: usize, text: &[u8]) -> String {
        self.sockets[n].write_all(text).unwrap();
        self.line()
    }

    /// Waits for the end of a connection.
    fn assert_closed(&mut self, n: usize) {
        let read = self.sockets[n].read(&mut [0]);
        // With something unread in it, it is reset.
        assert!(read.as_ref().map_or(true, |&bytes| bytes == 0), "{read:?}");
    }

    #[cfg(unix)]
    fn interrupt(&self) {
        let mut kill = Command::new("kill");
        assert!(kill.arg("-INT").arg(self.child.id().to_string()).status().unwrap().success());
    }

    /// Waits until it has ended, well, and has printed nothing more but this account.
    fn assert_ends(mut self, ends: &[&str], lines: usize, opened: usize) {
        for (n, end) in ends.iter().enumerate() {
            assert_eq!(self.line(), format!("[{n}] ADDRESS {end}"));
        }
        let account = format!("{opened} sockets opened, {opened} closed; {lines} lines read");
        assert_eq!(self.line(), account);
        assert_eq!((self.line(), line(&mut self.errors)), (String::new(), String::new()));
        assert!(self.child.wait().unwrap().success());
    }
}

/// The next line, without addresses.
fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    let address = regex::Regex::new(r"127\.0\.0\.1:\d+").unwrap();
    address.replace_all(line.trim_end_matches('\n'), "ADDRESS").into_owned()
}

#[cfg(unix)]
#[test]
fn without_arguments_it_reads_from_its_own_server() {
    let mut program = Running::start(0, &[], LATER);
    let mut errors = [(); 2].map(|()| line(&mut program.errors));
    errors.sort();
    let long = "too long, ".repeat(4);
    let expected = [
        format!("tcp_lines: ADDRESS: a line of more than 4096 bytes, which begins with `{long}`"),
        r"tcp_lines: ADDRESS: a line that is not UTF-8: `this is not: \xff`".to_owned(),
    ];
    assert_eq!(errors, expected);

    let lines = [(); 14].map(|()| program.line());
    let of = |n: &str| -> Vec<&str> { lines.iter().filter_map(|l| l.strip_prefix(n)).collect() };
    assert_eq!(of("[0] "), ["one", "two", "and the last one"]);
    assert_eq!(of("[2] "), ["this is text"]);
    assert_eq!(of("[3] "), ["tick"; 10]);

    // The fifth says nothing, so the program would wait. And it may not have seen the end of the first.
    program.interrupt();
    let first = program.line();
    assert!(["[0] ADDRESS completed", "[0] ADDRESS stopped"].contains(&&*first), "{first}");
    let rest = [(); 5].map(|()| program.line());
    let expected = [
        "[1] ADDRESS completed",
        "[2] ADDRESS completed",
        "[3] ADDRESS stopped",
        "[4] ADDRESS stopped",
        "5 sockets opened, 5 closed; 14 lines read",
    ];
    assert_eq!(rest, expected);
    assert!(program.child.wait().unwrap().success());
}

#[cfg(unix)]
#[test]
fn g4_an_interrupt_ends_all_connections_that_wait() {
    let mut program = Running::start(3, &[], LATER);
    for n in 0..3 {
        assert_eq!(program.send(n, b"hello\nand half a"), format!("[{n}] hello"));
    }
    program.interrupt();
    (0..3).for_each(|n| program.assert_closed(n));
    program.assert_ends(&["stopped"; 3], 3, 3);
}

#[test]
fn g4_so_does_the_time_limit() {
    let mut program = Running::start(1, &[], ["--seconds", "5"]);
    program.assert_closed(0);
    program.assert_ends(&["stopped"], 0, 1);
}

#[test]
fn g4_a_connection_that_has_sent_enough_is_closed_by_its_own_handle() {
    let mut program = Running::start(2, &[], ["-n2", "--seconds=60"]);
    assert_eq!(program.send(0, b"one\n"), "[0] one");
    assert_eq!(program.send(0, b"two\nthree\n"), "[0] two");
    program.assert_closed(0);
    assert_eq!(program.send(1, b"and this one is open\n"), "[1] and this one is open");
    program.sockets[1].shutdown(Shutdown::Write).unwrap();
    program.assert_ends(&["stopped", "completed"], 3, 2);
}

#[test]
fn g3_a_line_that_is_too_long_ends_its_connection_and_no_other() {
    let mut program = Running::start(3, &[], LATER);
    let longest = "x".repeat(LONGEST_LINE);
    for (n, end) in [(0, "\n"), (1, "\r\n")] {
        assert_eq!(
            program.send(n, format!("{longest}{end}").as_bytes()),
            format!("[{n}] {longest}")
        );
    }
    let begins = &longest[..40];
    let error = format!("ADDRESS: a line of more than 4096 bytes, which begins with `{begins}`");
    // With its end, and without.
    for (n, end) in [(0, "x\n"), (1, "\rx")] {
        program.sockets[n].write_all(format!("{longest}{end}").as_bytes()).unwrap();
        assert_eq!(line(&mut program.errors), format!("tcp_lines: {error}"));
        program.assert_closed(n);
    }
    assert_eq!(program.send(2, b"\n"), "[2] ");
    assert_eq!(program.send(2, b"a\rb\r\n"), "[2] a\rb");
    program.sockets[2].write_all(b"c\r").unwrap();
    program.sockets[2].shutdown(Shutdown::Write).unwrap();
    assert_eq!(program.line(), "[2] c\r"); // Not the end of a line, but of all.
    program.assert_ends(&["completed"; 3], 5, 3);
}

#[test]
fn g3_a_server_that_cannot_be_reached_concerns_no_other() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut program = Running::start(1, &[nobody], LATER);
    assert!(line(&mut program.errors).starts_with("tcp_lines: ADDRESS: "));
    assert_eq!(program.send(0, b"hello\n"), "[0] hello");
    program.sockets[0].shutdown(Shutdown::Write).unwrap();
    program.assert_ends(&["completed", "completed"], 1, 1);
}
