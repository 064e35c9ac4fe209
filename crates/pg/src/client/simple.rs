//! The simple protocol: a text of statements, and all that they give.

use super::Client;
use super::run::Started;
use crate::command::Command;
use crate::refusal::Problem;
use crate::split::{Piece, split};
use crate::value::columns;
use crate::work::at_work;

impl Client<'_> {
    /// Runs the statements of a text up to the first that is refused.
    pub(super) async fn query(&mut self, text: &str) -> Result<(), Problem> {
        let text = text.to_owned();
        let pieces = at_work(&self.shared.work, async move { Ok(split(&text)?) });
        let done = match pieces.await {
            Ok(pieces) if pieces.is_empty() => {
                self.wire.out.empty();
                Ok(())
            }
            Ok(pieces) => self.all(&pieces).await,
            Err(problem) => Err(problem),
        };
        done.or_else(|problem| self.tell(problem))
    }

    async fn all(&mut self, pieces: &[Piece]) -> Result<(), Problem> {
        for piece in pieces {
            self.one(piece).await?;
        }
        Ok(())
    }

    async fn one(&mut self, piece: &Piece) -> Result<(), Problem> {
        let mut watch = self.watch();
        let own = piece.clone();
        let command = at_work(&self.shared.work, async move { Ok(Command::of(&own)?) });
        let command = watch.during(command).await?;
        let ready = self.prepare(&command, piece, &mut watch).await?;
        match self.start(ready, &mut watch).await? {
            Started::Done(word) => self.wire.out.done(&word),
            Started::Copy(form, mut rows) => {
                let sent = rows.copy(self.wire, &form, &mut watch).await?;
                self.wire.out.done(&format!("COPY {sent}"));
            }
            Started::Rows(mut rows) => {
                let columns = columns(&rows.schema(), &[])?;
                self.wire.out.columns(&columns);
                let binary = vec![false; columns.len()];
                let (sent, _) = rows.send(self.wire, &binary, None, &mut watch).await?;
                self.wire.out.done(&tag(command.verb(), sent));
            }
        }
        Ok(())
    }
}

/// The word that rows are done by, and how many they were, where clients look for that.
pub(super) fn tag(verb: &str, rows: usize) -> String {
    match verb {
        "SELECT" | "FETCH" => format!("{verb} {rows}"),
        verb => verb.to_owned(),
    }
}
