//! Standard output and standard error that can't be written, and what is written there.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lives::{Place, json as json_of};
use crate::program::{fixtures, program};

fn full() -> Stdio {
    Stdio::from(File::options().write(true).open("/dev/full").unwrap())
}

/// A pipe that nobody reads.
fn closed() -> Stdio {
    let mut child = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let pipe = child.stdin.take().unwrap();
    child.wait().unwrap();
    Stdio::from(pipe)
}

/// Commands that print a result, and those that only say something.
fn commands(place: &Place) -> (Vec<Command>, Vec<Command>) {
    let made = json_of(place.command("run").arg(&place.request));
    let id = made["id"].to_string();
    let batch = made["destination"]["batchId"].as_str().unwrap().to_owned();
    let mut printing: Vec<Command> = [
        "datasets list",
        "datasets list --json",
        "merge-policies list",
        "segments list",
        "segments get holiday-shoppers",
        "jobs list",
        "batches list",
        "store stats",
        "store stats --json",
        "store verify",
        "store compact",
    ]
    .map(|name| place.loud(name))
    .into();
    for name in ["jobs get", "jobs watch"] {
        let mut command = place.loud(name);
        command.arg(&id);
        printing.push(command);
    }
    for name in ["batches get", "batches files"] {
        let mut command = place.loud(name);
        command.arg(&batch);
        printing.push(command);
    }
    for name in ["jobs create", "run"] {
        let mut command = place.loud(name);
        command.arg(&place.request);
        printing.push(command);
    }
    for arguments in [
        ["completions", "bash"],
        ["run", "--help"],
        ["--version", "-q"],
    ] {
        let mut command = program();
        command.args(arguments);
        printing.push(command);
    }
    let mut silent = vec![place.loud("ingest"), place.loud("datasets delete")];
    silent[0].arg("--from").arg(fixtures());
    silent[1].arg("5b020a27e7040801dedba61a");
    (printing, silent)
}

#[test]
fn standard_error_that_cant_be_written_changes_no_exit_code() {
    let place = Place::small();
    let (printing, silent) = commands(&place);
    for mut command in printing.into_iter().chain(silent) {
        for stderr in [full(), closed()] {
            let output = command.stderr(stderr).output().unwrap();
            // A dataset is deleted once.
            let done = output.status.success() || format!("{command:?}").contains("\"delete\"");
            assert!(done, "{command:?}: {output:?}");
            assert_ne!(output.status.code(), Some(101), "{command:?}");
        }
    }
    for arguments in [vec!["run"], vec!["store", "stats", "--store", "nowhere"]] {
        let mut command = program();
        let output = command.args(arguments).stderr(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{command:?}");
    }
    place.assert_sound();
}

#[test]
fn standard_output_that_cant_be_written_is_an_error_unless_its_reader_has_gone() {
    let place = Place::small();
    let (printing, silent) = commands(&place);
    for mut command in printing {
        let output = command.stdout(full()).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command:?}: {message}");
        let expected = "profile-export: standard output: No space left on device";
        assert!(message.contains(expected), "{command:?}: {message}");
        let output = command.stdout(closed()).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command:?}: {message}");
        assert!(!message.contains("output"), "{command:?}: {message}");
        // Both: the exit code is all that is left.
        let status = command.stdout(full()).stderr(full()).status().unwrap();
        assert_eq!(
            (status.code(), status.signal()),
            (Some(1), None),
            "{command:?}"
        );
    }
    for mut command in silent {
        let status = command.stdout(full()).status().unwrap();
        assert!(status.success(), "{command:?}");
    }
    place.assert_sound();
}

/// A server, ended when it is dropped.
pub struct Served {
    child: Child,
    pub address: String,
}

impl Served {
    pub fn start(place: &Place, stderr: Stdio) -> Self {
        let mut child = place
            .loud("serve")
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().strip_prefix("http://").unwrap().to_owned();
        Self { child, address }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let host = &self.address;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_server_lives_without_its_log() {
    let place = Place::small();
    for stderr in [full(), closed()] {
        let mut served = Served::start(&place, stderr);
        let id = place.create();
        let status = place
            .command("jobs watch")
            .arg(id.to_string())
            .output()
            .unwrap()
            .status;
        assert!(status.success());
        assert!(served.get("/health").starts_with("HTTP/1.1 200"));
        assert!(
            served
                .get("/data/core/ups/export/jobs")
                .starts_with("HTTP/1.1 40")
        );
        assert!(served.child.try_wait().unwrap().is_none());
    }
}

#[test]
fn what_acts_on_a_terminal_is_written_out_and_json_stays_json() {
    let place = Place::small();
    let name = "a\u{1b}[31m\nforged\u{9b}2J\u{202e}\u{7f}";
    let body = json!({"name": name, "schemaRef": {
        "id": "https://ns.adobe.com/xdm/context/profile__union",
        "contentType": "application/vnd.adobe.xed+json;version=1"}});
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("body.json");
    fs::write(&path, body.to_string()).unwrap();
    json_of(place.command("datasets create").arg(&path));
    let policy = json!({"name": name});
    fs::write(&path, policy.to_string()).unwrap();
    json_of(place.command("merge-policies create").arg(&path));

    let acts = |text: &str| {
        text.chars()
            .any(|c| (c.is_control() && c != '\n') || c == '\u{202e}')
    };
    let shown = |command: &mut Command| {
        let output = command.output().unwrap();
        let both = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(both).unwrap();
        assert!(!acts(&text), "{command:?}: {text:?}");
        assert!(
            !text.lines().any(|line| line.starts_with("forged")),
            "{text}"
        );
        assert!(text.contains("forged"), "{command:?}: {text}");
        text
    };
    let text = shown(&mut place.loud("datasets list"));
    assert!(
        text.contains("a\\u{1b}[31m\\nforged\\u{9b}2J\\u{202e}\\u{7f}"),
        "{text}"
    );
    shown(&mut place.loud("merge-policies list"));
    shown(&mut place.loud("store stats"));
    let listed = shown(place.command("datasets list").arg("--json"));
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert!(listed.as_array().unwrap().iter().any(|d| d["name"] == name));

    // Names of files, of fields, of datasets and arguments in messages.
    let odd = folder.path().join("b\u{1b}[2J\nforged.ndjson");
    fs::write(
        &odd,
        "{\"x\u{202e}forged\": 1}\n{\"x\u{202e}forged\": \"a\"}\n",
    )
    .unwrap();
    shown(place.loud("ingest").args(["--dataset", name]).arg(&odd));
    shown(
        place
            .loud("ingest")
            .args(["--dataset", "d", "--schema"])
            .arg(&odd)
            .arg(&odd),
    );
    shown(place.loud("datasets get").arg(name));
    shown(place.loud("run").arg(&odd));
    shown(program().args(["store", name]));
    shown(place.loud("jobs list").args(["--sort", name]));
    let mut request: Value = serde_json::from_slice(&fs::read(&place.request).unwrap()).unwrap();
    request["fields"] = json!(format!("\"{name}\""));
    fs::write(&path, request.to_string()).unwrap();
    shown(place.loud("run").arg(&path));
    // And where an export goes.
    let out = folder.path().join("o\u{1b}\nforged");
    shown(place.loud("run").arg(&place.request).arg("--out").arg(out));
}
