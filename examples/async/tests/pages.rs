//! `pages` as a program: with its own server, and with one that counts here.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pages")).args(args).output().unwrap()
}

/// The items that were printed, and the last line, of a run that went well.
fn good(args: &[&str]) -> (Vec<String>, String) {
    let output = run(args);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let last = lines.pop().unwrap();
    (lines, last)
}

/// What a run complained of that failed.
fn bad(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

enum Event {
    /// A request for this path.
    Asked(String),
    /// The client has closed a connection.
    Gone,
}

/// A server that tells what it sees. `answer` makes a whole response of a path, or says nothing.
struct Server {
    address: SocketAddr,
    events: Receiver<Event>,
}

impl Server {
    fn start(answer: impl Fn(&str) -> Option<String> + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, events) = channel();
        // It ends with the test's process.
        thread::spawn(move || {
            for socket in listener.incoming() {
                let (answer, sender) = (answer.clone(), sender.clone());
                thread::spawn(move || talk(socket.unwrap(), answer, sender));
            }
        });
        Server { address, events }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The paths that were asked for, up to the end of the only connection.
    fn asked(&self) -> Vec<String> {
        let asked = |event| match event {
            Event::Asked(path) => Some(path),
            Event::Gone => None,
        };
        self.events.iter().map_while(asked).collect()
    }
}

fn talk(
    mut socket: TcpStream,
    answer: impl Fn(&str) -> Option<String>,
    events: Sender<Event>,
) -> Option<()> {
    let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
    while let Some(Ok(first)) = lines.next() {
        let path = first.split(' ').nth(1).unwrap().to_owned();
        assert!(lines.by_ref().any(|line| line.is_ok_and(|line| line.is_empty())));
        let answer = answer(&path);
        events.send(Event::Asked(path)).ok()?;
        if let Some(answer) = answer {
            let _ = socket.write_all(answer.as_bytes());
            if answer.contains("connection: close") {
                return None;
            }
        }
    }
    events.send(Event::Gone).ok()
}

fn response(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Page `n` of `/1`, `/2` and so on, of seven items each, up to the hundredth.
fn page(path: &str) -> String {
    let n: usize = path[1..].parse().unwrap();
    let items: Vec<String> = (1..=7).map(|i| format!("{n}.{i}")).collect();
    let next = (n < 100).then(|| format!("/{}", n + 1));
    serde_json::json!({ "items": items, "next": next }).to_string()
}

#[test]
fn without_arguments_it_lists_fifty_items_of_its_own_server() {
    let (items, last) = good(&[]);
    assert!(items.iter().eq(&(1..=50).map(|n| format!("item {n}")).collect::<Vec<_>>()));
    // Three pages, perhaps one ahead, and one request that was made twice.
    let seen = ["4", "5"].map(|n| format!("50 items; {n} requests, at most 5 allowed"));
    assert!(seen.contains(&last), "{last}");

    let (items, last) = good(&["--limit", "5000", "--work", "0"]);
    assert_eq!((items.len(), &*items[999]), (1000, "item 1000"));
    assert_eq!(last, "1000 items; 51 requests, at most 52 allowed");

    let (items, last) = good(&["--timeout", "0"]);
    assert_eq!((items, last.split(';').next()), (vec![], Some("0 items, then the time was up")));
}

#[test]
fn g5_g10_no_page_is_requested_that_nobody_wants_an_item_of() {
    for (limit, ahead) in [(0, 1), (1, 1), (6, 1), (7, 1), (8, 1), (13, 1), (20, 7), (20, 30)] {
        let server = Server::start(|path| Some(response("200 OK", &page(path))));
        let url = server.url("/1");
        let (n, ahead_of) = (limit.to_string(), ahead.to_string());
        let (items, last) = good(&["--url", &url, "-n", &n, "--ahead", &ahead_of]);
        assert_eq!(last, format!("{limit} items"));
        let all = (1..).flat_map(|n| (1..=7).map(move |i| format!("{n}.{i}")));
        assert_eq!(items, all.take(limit).collect::<Vec<_>>());
        if limit == 0 {
            assert!(server.events.try_iter().next().is_none()); // It has not even connected.
            continue;
        }
        let asked = server.asked();
        let allowed = usize::div_ceil(limit, 7)..=(limit + ahead).div_ceil(7);
        assert!(allowed.contains(&asked.len()), "{limit} and {ahead} ahead: {asked:?}");
        assert_eq!(asked, (1..=asked.len()).map(|n| format!("/{n}")).collect::<Vec<_>>());
    }
}

#[test]
fn g4_g6_a_deadline_ends_a_request_that_is_never_answered() {
    let server = Server::start(|path| (path == "/1").then(|| response("200 OK", &page(path))));
    let (items, last) = good(&["--url", &server.url("/1"), "--work", "0", "--timeout", "0.5"]);
    // Seven, unless the machine was so slow that the time was up before that.
    assert!(items.len() <= 7);
    assert_eq!(last, format!("{} items, then the time was up", items.len()));
    if items.len() == 7 {
        assert_eq!(server.asked(), ["/1", "/2"]);
    }
}

#[test]
fn a_server_that_fails_is_asked_once_more_and_then_not() {
    for (answers, expected) in [
        (vec!["503 Service Unavailable", "200 OK"], Ok("7 items")),
        (vec!["500 Internal Server Error", "502 Bad Gateway"], Err("502 Bad Gateway")),
        (vec!["404 Not Found"], Err("404 Not Found")),
    ] {
        let requests = answers.len();
        let (sender, statuses) = channel();
        answers.iter().for_each(|answer| sender.send(*answer).unwrap());
        let statuses = std::sync::Arc::new(std::sync::Mutex::new(statuses));
        let server = Server::start(move |path| {
            let status = statuses.lock().unwrap().recv().unwrap();
            Some(response(status, &page(path)))
        });
        let url = server.url("/100"); // The last page.
        match expected {
            Ok(last) => assert_eq!(good(&["--url", &url]).1, last),
            Err(status) => assert_eq!(bad(&["--url", &url]), format!("pages: {url}: {status}\n")),
        }
        assert_eq!(server.asked().len(), requests);
    }
}

#[test]
fn a_server_that_closes_the_connection_after_each_page_is_connected_to_again() {
    let server = Server::start(|path| {
        let body = page(path);
        let length = body.len();
        Some(format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    });
    let (items, _) = good(&["--url", &server.url("/98"), "--limit", "1000"]);
    assert_eq!((items.len(), &*items[20]), (21, "100.7"));
}

#[test]
fn what_is_no_page_and_leads_elsewhere_is_an_error_after_the_items_before_it() {
    let item = |next: &str| format!(r#"{{ "items": ["one"], "next": "{next}" }}"#);
    let long = format!(r#"{{ "items": ["{}"] }}"#, "x".repeat(1 << 20));
    for (body, items, complaint) in [
        (item("http://127.0.0.1:9/2"), "one\n", "the next page is `http://127.0.0.1:9/2`, which"),
        (item("https:///2"), "one\n", "the next page is `https:///2`, which is not on"),
        (item(" "), "one\n", "the next page is ` `, which is not on this server\n"),
        ("[]".to_owned(), "", "not a page: invalid length 0"),
        (r#"{ "items": ["one" }"#.to_owned(), "", "not a page: expected"),
        (long, "", "the page cannot be read: length limit exceeded\n"),
    ] {
        let server = Server::start(move |_| Some(response("200 OK", &body)));
        let url = server.url("/");
        let output = run(&["--url", &url]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), items);
        let complained = String::from_utf8(output.stderr).unwrap();
        assert!(complained.starts_with(&format!("pages: {url}: {complaint}")), "{complained}");
        assert_eq!(server.asked(), ["/"]);
    }
    assert!(bad(&["--url", "https://localhost/"]).contains("not the address of an http server"));
}
