//! Serves a store in this process, asks whether it is up, and stops.
//!
//!     cargo run -p profile-export-server --example serve

use std::io::{Read, Write};
use std::net::TcpStream;

use profile_export_server::{Server, Settings};
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let settings = Settings::new(folder.path().join("store"), ([127, 0, 0, 1], 0).into());
    let server = Server::bind(settings).await?;
    let address = server.address();
    println!("http://{address}");

    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(async {
        // Told to stop, or its sender is gone: both mean the same.
        let _ = stopped.await;
    }));
    let answer = tokio::task::spawn_blocking(move || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        write!(
            stream,
            "GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })
    .await??;
    println!("{}", answer.lines().last().unwrap_or("no answer"));
    assert!(answer.contains("\"up\""));
    if stop.send(()).is_err() {
        return Err("the server stopped by itself".into());
    }
    serving.await??;
    Ok(())
}
