//! Commands at work.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use server::Rights;
use sql::dialect::Statement;
use sql::{Outcome, Planned};

use super::{Client, session};
use crate::catalog::{self, About};
use crate::command::{Command, placed};
use crate::copy_form::Form;
use crate::interrupt::Watch;
use crate::refusal::{MAY_NOT, NO_STATEMENT, Problem, READ_ONLY, Refusal};
use crate::rows::Rows;
use crate::split::Piece;
use crate::value::Nested;
use crate::work::{at_work, made_there};

/// A command whose columns can be told, and that has not run.
#[derive(Clone, Debug)]
pub(super) enum Ready {
    Query(Planned),
    Catalog(catalog::Planned),
    Copy(Form, Box<Self>),
    Command(Command),
}

/// A command that has begun.
pub(super) enum Started {
    Rows(Rows),
    Copy(Form, Rows),
    /// It is done; the word for it.
    Done(Cow<'static, str>),
}

impl Client<'_> {
    /// Plans a command, where that is what its columns are known by.
    // Alone, since a client's rows can be at one place at a time only.
    pub(super) async fn prepare(
        &mut self,
        command: &Command,
        piece: &Piece,
        watch: &mut Watch,
    ) -> Result<Ready, Problem> {
        Ok(match command {
            Command::Catalog(asked) => {
                let asked = asked.clone();
                let about = self.about();
                let session = Arc::clone(&self.session);
                let memory = self.shared.memory.clone();
                let plan = async move {
                    let facts = about.facts(&session.relations()?);
                    asked.plan(facts, &memory).await
                };
                Ready::Catalog(watch.during(at_work(&self.shared.work, plan)).await?)
            }
            Command::Statement(statement) => match &**statement {
                Statement::Query(query) => {
                    let (query, piece) = (query.clone(), piece.clone());
                    let session = Arc::clone(&self.session);
                    let plan = async move {
                        let planned = session.planned(&query);
                        planned.map_err(|error| placed(error, &piece).into())
                    };
                    Ready::Query(watch.during(at_work(&self.shared.work, plan)).await?)
                }
                _ => Ready::Command(command.clone()),
            },
            Command::Copy(form, rows) => {
                let rows = Box::pin(self.prepare(rows, piece, watch)).await?;
                Ready::Copy(form.clone(), Box::new(rows))
            }
            _ => Ready::Command(command.clone()),
        })
    }

    /// The columns of the rows that it will give; `None` for none. Nothing runs.
    pub(super) fn columns(&self, ready: &Ready) -> Result<Option<SchemaRef>, Problem> {
        Ok(match ready {
            Ready::Query(planned) => Some(planned.schema()),
            Ready::Catalog(planned) => Some(planned.schema()),
            Ready::Copy(..) => None,
            Ready::Command(Command::Statement(statement)) => self.session.columns(statement)?,
            Ready::Command(Command::Show(name)) => {
                self.guest.settings.get(name)?;
                Some(texts(&[name]))
            }
            Ready::Command(Command::ShowAll) => Some(texts(&SHOW_ALL)),
            Ready::Command(_) => None,
        })
    }

    /// Runs a command: to its end, or up to its first rows.
    pub(super) async fn start(
        &mut self,
        ready: Ready,
        watch: &mut Watch,
    ) -> Result<Started, Problem> {
        // Tokens may have been taken away since the last statement.
        let admitted = self.guest.admitted(&self.shared)?;
        match ready {
            Ready::Query(planned) => Ok(Started::Rows(self.rows(planned, watch).await?)),
            Ready::Catalog(planned) => {
                let run = async move { Ok(planned.rows()?) };
                let rows = watch.during(at_work(&self.shared.work, run)).await?;
                Ok(Started::Rows(self.sent(rows)))
            }
            Ready::Copy(form, rows) => match Box::pin(self.start(*rows, watch)).await? {
                Started::Rows(rows) => Ok(Started::Copy(form, rows)),
                _ => Err(Refusal::unsupported("COPY of anything but a query").into()),
            },
            Ready::Command(command) => self.command(command, admitted.rights, watch).await,
        }
    }

    async fn rows(&mut self, planned: Planned, watch: &mut Watch) -> Result<Rows, Problem> {
        let session = Arc::clone(&self.session);
        let run = async move { Ok(session.rows_of(planned).await?) };
        let rows = watch.during(at_work(&self.shared.work, run)).await?;
        Ok(self.sent(rows))
    }

    /// Rows as this client wants them.
    fn sent(&self, rows: SendableRecordBatchStream) -> Rows {
        Rows::new(
            made_there(&self.shared.work, rows),
            self.style(),
            &self.shared.work,
        )
    }

    /// What the catalog is about, as it is now.
    fn about(&self) -> About {
        let settings = self.guest.settings.all();
        let settings = settings.map(|[name, value, _]| (name.to_owned(), value.to_owned()));
        About {
            org: self.guest.scope.org.clone(),
            database: self.guest.database.clone(),
            process: self.own.process,
            settings: settings.collect(),
        }
    }

    fn style(&self) -> Nested {
        match self.guest.settings.is_json() {
            true => Nested::Json,
            false => Nested::Platform,
        }
    }

    async fn command(
        &mut self,
        command: Command,
        rights: Rights,
        watch: &mut Watch,
    ) -> Result<Started, Problem> {
        Ok(Started::Done(Cow::Borrowed(match command {
            Command::Statement(statement) => {
                return self.statement(&statement, rights, watch).await;
            }
            Command::Catalog(_) | Command::Copy(..) => {
                return Err(Refusal::unsupported("COPY of a COPY").into());
            }
            Command::Begin(_)
            | Command::Commit
            | Command::Rollback
            | Command::Savepoint(_)
            | Command::Release(_)
            | Command::RollbackTo(_)
            | Command::SetTransaction(_)
            | Command::SetTransactions(_)
            | Command::Set(..)
            | Command::SetLocal(..)
            | Command::Reset(_) => self.transact(command, watch).await?,
            Command::Show(name) => {
                let value = self.guest.settings.get(&name)?.to_owned();
                return Ok(Started::Rows(Rows::of(
                    table(&[&name], [vec![value]])?,
                    &self.shared.work,
                )));
            }
            Command::ShowAll => {
                let column = |at: usize| {
                    let all = self.guest.settings.all();
                    all.map(|one| one[at].to_owned()).collect()
                };
                let rows = table(&SHOW_ALL, [column(0), column(1), column(2)])?;
                return Ok(Started::Rows(Rows::of(rows, &self.shared.work)));
            }
            Command::Deallocate(name) => {
                self.deallocate(name, watch).await?;
                "DEALLOCATE"
            }
            Command::DiscardAll if self.open.is_some() => {
                let message = "DISCARD ALL is not for transactions, and one is open";
                return Err(Refusal::new("25001", message).into());
            }
            Command::DiscardAll => {
                self.statements.clear();
                self.portals.clear();
                self.session = session(&self.shared, &self.guest)?;
                let mut settings = self.guest.settings.clone();
                settings.reset(None)?;
                self.replace(settings);
                "DISCARD ALL"
            }
            Command::Nothing(word) => word,
        })))
    }

    /// Lets the dialect's session run a statement.
    pub(super) async fn own_statement(
        &mut self,
        statement: Statement,
        watch: &mut Watch,
    ) -> Result<Outcome, Problem> {
        watch.during(self.ran(statement)).await
    }

    fn ran(&self, statement: Statement) -> impl Future<Output = Result<Outcome, Problem>> + use<> {
        let (session, work) = (Arc::clone(&self.session), self.shared.work.clone());
        async move {
            let run = async move { Ok(session.run(&statement).await?) };
            at_work(&work, run).await
        }
    }

    /// The same for one that writes: where it is ended, it says itself whether it has written.
    async fn own_writing(
        &mut self,
        statement: Statement,
        watch: &mut Watch,
    ) -> Result<Outcome, Problem> {
        let mut work = std::pin::pin!(self.ran(statement));
        let done = async { Ok(work.as_mut().await) };
        match watch.during(done).await {
            Ok(done) => done,
            // It ends soon, and as if nobody had ended it where all is written.
            Err(why) if self.session.cancel_write() => work.await.map_err(|_| why),
            Err(why) => Err(why),
        }
    }

    async fn statement(
        &mut self,
        statement: &Statement,
        rights: Rights,
        watch: &mut Watch,
    ) -> Result<Started, Problem> {
        let writes = writes(statement);
        // A session of whoever may only read drops its own tables alone; rights may have been taken away since it began.
        let drops = matches!(statement, Statement::Drop { view: false, .. });
        let may_write = rights == Rights::Write;
        if !may_write && (writes || (drops && !self.session.is_read_only())) {
            return Err(Refusal::new(MAY_NOT, "this token may only read").into());
        }
        if (writes || drops) && self.guest.settings.is_read_only(self.open.is_some()) {
            let message = "the transaction is one that only reads";
            return Err(Refusal::new(READ_ONLY, message).into());
        }
        let outcome = match writes || drops {
            true => self.own_writing(statement.clone(), watch).await?,
            false => self.own_statement(statement.clone(), watch).await?,
        };
        Ok(match outcome {
            Outcome::Rows(stream) => Started::Rows(self.sent(stream)),
            Outcome::Done(word) => Started::Done(Cow::Borrowed(word)),
            Outcome::Written(written) => Started::Done(Cow::Owned(written.to_string())),
        })
    }

    /// Clients forget by it what they prepared over the protocol, too.
    async fn deallocate(&mut self, name: Option<String>, watch: &mut Watch) -> Result<(), Problem> {
        match &name {
            None => self.statements.clear(),
            Some(name) => {
                if self.statements.remove(name).is_some() {
                    return Ok(());
                }
            }
        }
        let name = name.map(|name| name.to_lowercase());
        let statement = Statement::Deallocate(name.clone());
        match self.own_statement(statement, watch).await {
            Ok(_) => Ok(()),
            Err(Problem::Refused(_)) if name.is_some() => {
                let message = format!("there is no prepared statement {:?}", name.as_deref());
                Err(Refusal::new(NO_STATEMENT, message).into())
            }
            Err(problem) => Err(problem),
        }
    }
}

/// Whether a statement may change what others see.
fn writes(statement: &Statement) -> bool {
    match statement {
        Statement::Insert { .. } => true,
        Statement::CreateTable { temporary, .. } => !temporary,
        // Of a table it is told by the session, which knows its own from those of the store.
        Statement::Drop { .. } => false,
        Statement::Query(_)
        | Statement::Explain { .. }
        | Statement::CreateView { .. }
        | Statement::ShowTables
        | Statement::ShowViews
        | Statement::Show(_)
        | Statement::Set { .. }
        | Statement::Begin
        | Statement::Commit
        | Statement::Rollback
        | Statement::Prepare { .. }
        | Statement::Execute { .. }
        | Statement::Deallocate(_)
        | Statement::Declare { .. }
        | Statement::Fetch { .. }
        | Statement::Close(_) => false,
    }
}

/// The columns of SHOW ALL.
const SHOW_ALL: [&str; 3] = ["name", "setting", "description"];

fn texts(names: &[&str]) -> SchemaRef {
    let field = |name: &&str| Field::new(*name, DataType::Utf8, true);
    Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()))
}

fn table<const N: usize>(
    names: &[&str; N],
    columns: [Vec<String>; N],
) -> Result<RecordBatch, Problem> {
    let array = |values: Vec<String>| Arc::new(StringArray::from(values)) as ArrayRef;
    let columns = columns.into_iter().map(array).collect();
    Ok(RecordBatch::try_new(texts(names), columns)?)
}
