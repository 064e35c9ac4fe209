//! A connection, from its first byte to its last.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::client::{Client, Next};
use crate::front::{OneOfOrg, Shared};
use crate::interrupt::stopping;
use crate::opening::{Incoming, Opened, Outgoing};
use crate::refusal::{IDLE, PROTOCOL, Problem, Refusal, TOO_MANY};
use crate::sign_in::sign_in;
use crate::wire::{LONGEST, Malformed, Message, Out, body, head};

/// Messages that are read ahead, so that it is seen when a client goes away.
const AHEAD: usize = 16;
/// How many bytes of messages a session has that are not answered yet: a longest one, and short ones behind it.
const AHEAD_BYTES: usize = LONGEST + (64 << 10);

/// After how long without a byte a client is asked whether it is still there, and again a few times: one whose machine
/// is gone would have its place for a day.
const SILENT: Duration = Duration::from_secs(60);
/// How long a client may take to hear why its connection ends, and that it does.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What goes to a client.
pub(crate) struct Wire {
    pub(crate) out: Out,
    /// How much of it went.
    sent: usize,
    to: Outgoing,
    /// How long a client may read nothing.
    stall: Duration,
}

impl Wire {
    /// Sends all that waits to be sent. Whoever gives up waiting can go on later: what was sent is known.
    ///
    /// # Errors
    ///
    /// The client is gone, or reads nothing.
    pub(crate) async fn flush(&mut self) -> Result<(), Problem> {
        while self.sent < self.out.0.len() {
            let write = self.to.write(&self.out.0[self.sent..]);
            let written = timeout(self.stall, write).await;
            match written.map_err(|_| self.stalled())?? {
                0 => return Err(Problem::Gone),
                written => self.sent += written,
            }
        }
        self.sent = 0;
        self.out.0.clear();
        // What TLS has taken is not yet on its way.
        let flushed = timeout(self.stall, self.to.flush()).await;
        Ok(flushed.map_err(|_| self.stalled())??)
    }

    fn stalled(&self) -> Problem {
        tracing::info!(
            "a client read nothing for {:?}; its connection is ended",
            self.stall
        );
        Problem::Gone
    }
}

/// Serves a connection.
pub(crate) async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let alive = TcpKeepalive::new()
        .with_time(SILENT)
        .with_interval(SILENT / 4);
    if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&alive) {
        tracing::debug!(%error, "a client that is gone without a word will be noticed late");
    }
    let mut stop = shared.stop.clone();
    let until = Instant::now() + shared.options.sign_in;
    let opening = timeout_at(until, Opened::of(shared.options.tls.as_ref(), stream));
    let opened = tokio::select! {
        opened = opening => opened,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    let opened = match opened {
        Ok(Ok(Some(opened))) => opened,
        // Who only looks whether a port is open, or says nothing.
        Ok(Ok(None)) | Err(_) => return,
        Ok(Err(error)) => return tracing::debug!(%error, "a connection broke off as it began"),
    };
    let has_tls = opened.has_tls();
    let (reader, to, hello) = opened.split();
    let mut reader = BufReader::new(reader);
    let mut wire = Wire {
        out: Out::default(),
        sent: 0,
        to,
        stall: shared.options.stall,
    };
    let signing_in = timeout_at(
        until,
        sign_in(&shared, hello, has_tls, &mut reader, &mut wire),
    );
    let signed_in = tokio::select! {
        signed_in = signing_in => signed_in.unwrap_or(Err(Problem::Gone)),
        _ = stop.wait_for(|stop| *stop) => Err(stopping()),
    };
    let ended = match signed_in {
        // Who wanted a statement to end waits until it is told that this was heard.
        Ok(None) => Ok(()),
        Err(problem) => Err(problem),
        Ok(Some(guest)) => match places(&shared, &guest.scope.org) {
            Err(problem) => Err(problem),
            Ok(places) => {
                let (gone, is_gone) = watch::channel(false);
                let (sender, mut messages) = mpsc::channel(AHEAD);
                let reading = tokio::spawn(read(reader, sender, gone));
                let ended = match Client::new(&shared, guest, is_gone, &mut wire) {
                    Ok(mut client) => answer(&mut client, &mut messages, &mut stop).await,
                    Err(problem) => Err(problem),
                };
                reading.abort();
                drop(places);
                ended
            }
        },
    };
    if let Err(Problem::Fatal(refusal) | Problem::Refused(refusal)) = ended {
        wire.out.refusal("FATAL", &refusal);
        // Who does not read its last words does not get them.
        let _ = timeout(LAST_WORDS, wire.flush()).await;
    }
    let _ = timeout(LAST_WORDS, wire.to.shutdown()).await;
}

/// A session's place among all, and among those of its organisation.
fn places(shared: &Arc<Shared>, org: &str) -> Result<(OwnedSemaphorePermit, OneOfOrg), Problem> {
    let refuse = |message| Problem::Fatal(Refusal::new(TOO_MANY, message));
    let place = Arc::clone(&shared.places)
        .try_acquire_owned()
        .map_err(|_| {
            let most = shared.options.max_sessions;
            refuse(format!(
                "there are {most} sessions, which are all that this server has at a time"
            ))
        })?;
    let of_org = shared.one_more(org).ok_or_else(|| {
        refuse("this organisation has as many sessions as one may have at a time".to_owned())
    })?;
    Ok((place, of_org))
}

/// A message, and the room that it takes until it is answered.
type Read = Result<(Message, OwnedSemaphorePermit), Malformed>;

/// Reads ahead. When there is nothing more to be read, the client has gone away.
async fn read(
    mut reader: BufReader<Incoming>,
    messages: mpsc::Sender<Read>,
    gone: watch::Sender<bool>,
) {
    let room = Arc::new(Semaphore::new(AHEAD_BYTES));
    // What can't be read any more has gone away as well.
    while let Ok(Some(message)) = ahead(&mut reader, &room).await {
        let is_last = message.is_err();
        if messages.send(message).await.is_err() || is_last {
            // What comes behind something that is no message is none either.
            return gone.closed().await;
        }
    }
    gone.send_replace(true);
}

/// The next message, as soon as there is room for it.
async fn ahead(
    reader: &mut BufReader<Incoming>,
    room: &Arc<Semaphore>,
) -> io::Result<Option<Read>> {
    let head = match head(reader).await? {
        None => return Ok(None),
        Some(Err(malformed)) => return Ok(Some(Err(malformed))),
        Some(Ok(head)) => head,
    };
    // A message is shorter than four billion bytes by far.
    let bytes = u32::try_from(head.rest).map_err(io::Error::other)?;
    let place = Arc::clone(room).acquire_many_owned(bytes).await;
    let place = place.map_err(io::Error::other)?;
    Ok(Some(
        body(reader, &head).await?.map(|message| (message, place)),
    ))
}

/// Answers messages until there are none.
async fn answer(
    client: &mut Client<'_>,
    messages: &mut mpsc::Receiver<Read>,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), Problem> {
    client.welcome().await?;
    loop {
        let message = tokio::select! {
            message = timeout(client.patience(), messages.recv()) => match message {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(()),
                Err(_) => {
                    let message = "the session was without a statement for too long";
                    return Err(Problem::Fatal(Refusal::new(IDLE, message)));
                }
            },
            _ = stop.wait_for(|stop| *stop) => return Err(stopping()),
        };
        let (message, _room) = message
            .map_err(|malformed| Problem::Fatal(Refusal::new(PROTOCOL, malformed.to_string())))?;
        match client.answer(message).await? {
            Next::Go => {}
            Next::End => return Ok(()),
        }
    }
}
