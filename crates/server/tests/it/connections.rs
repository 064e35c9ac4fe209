//! Connections that clients keep: each request on one is answered, or the client is told that it will not be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::serving::{HEADERS, IMPORT, JOBS, Serving};

/// A client that sends what it likes over one connection.
struct Client(BufReader<TcpStream>);

impl Client {
    fn of(server: &Serving) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// The next answer: its head, in lower case. Its body is read, too.
    #[track_caller]
    fn answer(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.0.read_line(&mut head).unwrap();
            assert!(read > 0, "the connection ended behind {head:?}");
        }
        let head = head.to_ascii_lowercase();
        let length = head
            .split_once("content-length: ")
            .map_or("0", |(_, rest)| rest.split("\r\n").next().unwrap());
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        head
    }

    fn is_at_its_end(&mut self) -> bool {
        // An end with bytes that were not read is a reset.
        !matches!(self.0.read(&mut [0]), Ok(1..))
    }
}

/// A request without a token, so that it is refused before its body is read.
fn refused(more: &str) -> String {
    format!("POST {JOBS} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n\r\n")
}

fn good() -> String {
    let headers = HEADERS.map(|(name, value)| format!("{name}: {value}\r\n"));
    format!(
        "GET {JOBS} HTTP/1.1\r\nhost: localhost\r\n{}\r\n",
        headers.concat()
    )
}

#[track_caller]
fn assert_answers(client: &mut Client, status: &str) {
    let head = client.answer();
    assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
    assert!(!head.contains("connection: close"), "{head}");
}

#[test]
fn a_request_behind_one_that_was_refused_with_its_body_unread_is_answered() {
    let server = Serving::empty();
    // What comes with the head, what comes later, and what does not say how long it is.
    for length in [1, 1000, 300_000, 1 << 20] {
        let mut client = Client::of(&server);
        for _ in 0..3 {
            client.send(refused(&format!("content-length: {length}")).as_bytes());
            client.send(&vec![b'x'; length]);
            client.send(good().as_bytes());
            assert_answers(&mut client, "401");
            assert_answers(&mut client, "200");
        }
    }
    let mut client = Client::of(&server);
    client.send(refused("transfer-encoding: chunked").as_bytes());
    std::thread::sleep(Duration::from_millis(50));
    client.send(b"5\r\nhello\r\n0\r\n\r\n");
    client.send(good().as_bytes());
    assert_answers(&mut client, "401");
    assert_answers(&mut client, "200");
}

#[test]
fn a_connection_that_ends_behind_an_answer_says_so_in_it() {
    let server = Serving::empty();
    // Too large, never sent, longer than it says, and waiting to be asked for.
    for (more, sent) in [
        ("content-length: 2000000".to_owned(), 0),
        ("content-length: 1000".to_owned(), 10),
        ("transfer-encoding: chunked".to_owned(), 0),
        ("content-length: 1000\r\nexpect: 100-continue".to_owned(), 0),
    ] {
        let mut client = Client::of(&server);
        client.send(refused(&more).as_bytes());
        client.send(&vec![b'x'; sent]);
        let head = client.answer();
        assert!(head.starts_with("http/1.1 401 "), "{more}: {head}");
        assert!(head.contains("connection: close"), "{more}: {head}");
        assert!(client.is_at_its_end(), "{more}");
    }
}

#[test]
fn a_body_that_is_too_long_is_told_so_and_the_connection_stays() {
    let server = Serving::with(|settings| settings.max_body = 1000);
    let mut client = Client::of(&server);
    let headers = HEADERS.map(|(name, value)| format!("{name}: {value}\r\n"));
    let head = format!(
        "POST {IMPORT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 500000\r\n{}\r\n",
        headers.concat()
    );
    client.send(head.as_bytes());
    client.send(&vec![b' '; 500_000]);
    client.send(good().as_bytes());
    assert_answers(&mut client, "413");
    assert_answers(&mut client, "200");
}
