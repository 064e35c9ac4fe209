//! A server in a process of its own, and just as much of HTTP as it takes to talk to it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const IMPORT: &str = "/data/foundation/import/batches";
const BATCHES: &str = "/data/foundation/catalog/batches";

/// A server that runs.
pub struct Served {
    process: Child,
    address: SocketAddr,
}

impl Served {
    /// Starts `serve` with the arguments that a command has already; the way it ended where it does not
    /// come up.
    pub fn start(command: &mut Command) -> Result<Self, ExitStatus> {
        command
            .args(["--listen", "127.0.0.1:0", "--grace", "2"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        match line.trim().strip_prefix("http://") {
            Some(address) => Ok(Self {
                address: address.parse().unwrap(),
                process,
            }),
            None => Err(process.wait().unwrap()),
        }
    }

    /// Asks for something; returns the status and the body, or how the server broke off.
    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> io::Result<(u16, Value)> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer token\r\n\
             x-api-key: key\r\nx-gw-ims-org-id: default\r\nx-sandbox-name: prod\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        )?;
        stream.write_all(body)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let parts = answer.split_once("\r\n\r\n");
        let (head, body) = parts.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.ok_or(io::ErrorKind::InvalidData)?;
        Ok((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    /// Sends a file as a batch into a dataset; returns its ID where the batch was taken.
    pub fn send_batch(&self, dataset: &str, file: &[u8]) -> io::Result<Option<String>> {
        let body = json!({"datasetId": dataset, "inputFormat": {"format": "json"}});
        let (status, made) = self.ask("POST", IMPORT, body.to_string().as_bytes())?;
        let Some(id) = made["id"].as_str().filter(|_| status == 201) else {
            return Ok(None);
        };
        let put = format!("{IMPORT}/{id}/datasets/{dataset}/files/a.json");
        if self.ask("PUT", &put, file)?.0 != 200 {
            return Ok(None);
        }
        let (status, _) = self.ask("POST", &format!("{IMPORT}/{id}?action=COMPLETE"), b"")?;
        Ok((status == 200).then(|| id.to_owned()))
    }

    /// How a batch stands.
    pub fn batch_status(&self, id: &str) -> io::Result<Option<String>> {
        let (_, batch) = self.ask("GET", &format!("{BATCHES}/{id}"), b"")?;
        Ok(batch[id]["status"].as_str().map(str::to_owned))
    }

    /// Whether a batch has failed since servers broke off at work on it.
    pub fn broke_off(&self, id: &str) -> io::Result<bool> {
        let (_, batch) = self.ask("GET", &format!("{BATCHES}/{id}"), b"")?;
        Ok(batch[id]["errors"][0]["code"] == "PE-0010")
    }

    /// How a batch ends, where it does so in time.
    pub fn batch_end(&self, id: &str, limit: Duration) -> io::Result<Option<String>> {
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Some(status) = self.batch_status(id)?
                && ["success", "failed"].contains(&status.as_str())
            {
                return Ok(Some(status));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(None)
    }

    /// Asks the server to stop, and waits for it.
    pub fn stop(mut self) -> ExitStatus {
        let id = self.process.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        self.process.wait().unwrap()
    }

    /// Ends the server without a word.
    pub fn kill(mut self) {
        let _ = self.process.kill();
        self.process.wait().unwrap();
    }
}
