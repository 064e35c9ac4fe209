//! A sink whose bytes become an object.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, Result};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// The length of a part: 10,000 of them, which S3 allows, are 160 GB. Some stores want all but the last to have one
/// length.
const PART: usize = 16 << 20;
/// How many parts are on their way at once.
const PARTS_AT_ONCE: usize = 4;

/// A sink whose bytes become an object when it is closed, all at once. Dropped before that, or where that fails, it
/// leaves none, and takes back the parts that were uploaded.
pub struct Upload {
    store: Arc<dyn ObjectStore>,
    key: Path,
    runtime: Arc<Runtime>,
    /// What is no part yet.
    buffer: Vec<u8>,
    parts: Option<Parts>,
}

/// An object that goes in parts.
struct Parts {
    upload: Box<dyn MultipartUpload>,
    on_their_way: JoinSet<Result<()>>,
}

impl Upload {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, key: Path, runtime: Arc<Runtime>) -> Self {
        Self {
            store,
            key,
            runtime,
            buffer: Vec::new(),
            parts: None,
        }
    }

    /// Ends the object; it is there when this returns without an error.
    pub fn close(mut self) -> io::Result<()> {
        let rest = Bytes::from(std::mem::take(&mut self.buffer));
        let runtime = Arc::clone(&self.runtime);
        runtime.block_on(async {
            let Some(parts) = &mut self.parts else {
                self.store.put(&self.key, rest.into()).await?;
                return Ok(());
            };
            if !rest.is_empty() {
                parts.send(rest).await?;
            }
            parts.wait_until(0).await?;
            parts.upload.complete().await?;
            self.parts = None;
            Ok(())
        })
    }

    fn send_part(&mut self) -> io::Result<()> {
        let rest = self.buffer.split_off(PART);
        let part = Bytes::from(std::mem::replace(&mut self.buffer, rest));
        let runtime = Arc::clone(&self.runtime);
        runtime.block_on(async {
            let parts = match &mut self.parts {
                Some(parts) => parts,
                none => none.insert(Parts {
                    upload: self.store.put_multipart(&self.key).await?,
                    on_their_way: JoinSet::new(),
                }),
            };
            Ok(parts.send(part).await?)
        })
    }
}

impl Parts {
    async fn send(&mut self, part: Bytes) -> Result<()> {
        self.wait_until(PARTS_AT_ONCE - 1).await?;
        self.on_their_way.spawn(self.upload.put_part(part.into()));
        Ok(())
    }

    /// Waits until no more than so many are on their way.
    async fn wait_until(&mut self, most: usize) -> Result<()> {
        while self.on_their_way.len() > most
            && let Some(sent) = self.on_their_way.join_next().await
        {
            sent.map_err(object_store::Error::from)??;
        }
        Ok(())
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        while self.buffer.len() >= PART {
            self.send_part()?;
        }
        Ok(bytes.len())
    }

    /// Parts have a length of their own: nothing goes sooner for being asked.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(mut parts) = self.parts.take() {
            self.runtime.block_on(async {
                parts.on_their_way.shutdown().await;
                // Parts of an upload that nobody ends are no object; stores throw them away by themselves after a while.
                let _ = parts.upload.abort().await;
            });
        }
    }
}
