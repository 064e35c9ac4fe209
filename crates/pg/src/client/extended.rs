//! The extended protocol: statements that are kept, values for their parameters, rows a few at a time.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::sql::sqlparser::ast::Expr;
use sql::dialect::{Code, Statement};

use super::Client;
use super::kept::Kept;
use super::run::{Ready, Started};
use super::simple::tag;
use crate::command::Command;
use crate::refusal::{
    INTERNAL, NAME_TAKEN, NO_PORTAL, NO_STATEMENT, PROTOCOL, Problem, Refusal, SYNTAX,
};
use crate::rows::Rows;
use crate::split::{Piece, split};
use crate::value::{TEXTS, columns, expression, most_items, unbound};
use crate::wire::{Bind, Column, Message, Target};
use crate::work::at_work;

/// How many statements and portals a session may keep.
const MOST_KEPT: usize = 1000;
/// How much an item of a list that is a value is greater than its bytes, as an expression of its own.
const ITEM: usize = 32;
/// What a parameter is told to be whose type nobody said.
const TEXT: u32 = 25;

/// A statement that is kept.
pub(super) struct Stored {
    /// None for a text of nothing.
    command: Option<(Command, Piece)>,
    /// The types of its parameters.
    types: Vec<u32>,
    _kept: Kept,
}

/// A statement with values for its parameters.
pub(super) struct Portal {
    stored: Arc<Stored>,
    columns: Vec<Column>,
    state: State,
    _kept: Kept,
}

enum State {
    Empty,
    Ready(Ready),
    Rows(Rows),
    Done,
}

impl Client<'_> {
    /// Does what a message says.
    pub(super) async fn step(&mut self, message: Message) -> Result<(), Problem> {
        match message {
            Message::Parse { name, text, types } => self.parse(name, text, types).await,
            Message::Bind(bind) => self.bind(bind).await,
            Message::Describe(Target::Statement(name)) => self.describe_statement(&name).await,
            Message::Describe(Target::Portal(name)) => self.describe_portal(&name),
            Message::Execute { portal, rows } => self.execute(&portal, rows).await,
            Message::Close(target) => {
                // What is not there is closed.
                match target {
                    Target::Statement(name) => drop(self.statements.remove(&name)),
                    Target::Portal(name) => drop(self.portals.remove(&name)),
                }
                self.wire.out.closed();
                Ok(())
            }
            _ => Err(Refusal::new(PROTOCOL, "a message that is none of a statement's").into()),
        }
    }

    async fn parse(
        &mut self,
        name: String,
        text: String,
        mut types: Vec<u32>,
    ) -> Result<(), Problem> {
        let kept = Kept::new(&self.kept, text.len())?;
        let command = at_work(&self.shared.work, async move { Ok(command(&text)?) });
        let command = self.watch().during(command).await?;
        let parameters = command.as_ref().map_or(0, |(_, piece)| piece.parameters);
        if parameters > usize::from(u16::MAX) {
            return Err(Refusal::new("42P02", "there is no such parameter").into());
        }
        types.resize(parameters.max(types.len()), 0);
        for number in command.iter().flat_map(|(_, piece)| &piece.lists) {
            if let Some(oid) = types.get_mut(number - 1)
                && *oid == 0
            {
                *oid = TEXTS;
            }
        }
        for oid in &mut types {
            unbound(*oid)?;
            if *oid == 0 {
                *oid = TEXT;
            }
        }
        let most = self.statements.len() >= MOST_KEPT;
        match self.statements.entry(name) {
            Entry::Occupied(entry) if !entry.key().is_empty() => {
                let message = format!("there is a prepared statement {:?} already", entry.key());
                return Err(Refusal::new(NAME_TAKEN, message).into());
            }
            Entry::Vacant(_) if most => return Err(too_many("prepared statements")),
            entry => drop(entry.insert_entry(Arc::new(Stored {
                command,
                types,
                _kept: kept,
            }))),
        }
        self.wire.out.parsed();
        Ok(())
    }

    fn stored(&self, name: &str) -> Result<Arc<Stored>, Refusal> {
        let found = self.statements.get(name).cloned();
        found.ok_or_else(|| {
            Refusal::new(
                NO_STATEMENT,
                format!("there is no prepared statement {name:?}"),
            )
        })
    }

    /// Its parameters' types, and the columns of its rows: nothing runs, and what parameters are makes none other.
    async fn describe_statement(&mut self, name: &str) -> Result<(), Problem> {
        let stored = self.stored(name)?;
        self.wire.out.parameters(&stored.types);
        let schema = match &stored.command {
            None => None,
            Some((command, piece)) => {
                let values = stored.types.iter().map(|oid| unbound(*oid));
                let values: Vec<Expr> = values.collect::<Result<_, _>>()?;
                let bound = command.with_parameters(&values, piece)?;
                let mut watch = self.watch();
                let ready = self.prepare(&bound, piece, &mut watch).await?;
                self.columns(&ready)?
            }
        };
        match schema {
            None => self.wire.out.no_rows(),
            Some(schema) => self.wire.out.columns(&columns(&schema, &[])?),
        }
        Ok(())
    }

    fn describe_portal(&mut self, name: &str) -> Result<(), Problem> {
        if let Some(portal) = self.portals.get(name) {
            match portal.columns.as_slice() {
                [] => self.wire.out.no_rows(),
                columns => self.wire.out.columns(columns),
            }
            return Ok(());
        }
        // The dialect's cursors are portals to clients.
        let fetch = Statement::Fetch {
            cursor: name.to_owned(),
            rows: None,
        };
        let schema = self.session.columns(&fetch).map_err(|error| {
            match error.code == Code::UndefinedCursor {
                true => no_portal(name).into(),
                false => Problem::from(error),
            }
        })?;
        if let Some(schema) = schema {
            self.wire.out.columns(&columns(&schema, &[])?);
        }
        Ok(())
    }

    async fn bind(&mut self, bind: Bind) -> Result<(), Problem> {
        let stored = self.stored(&bind.statement)?;
        if !bind.portal.is_empty() {
            if self.portals.contains_key(&bind.portal) {
                let message = format!("there is a portal {:?} already", bind.portal);
                return Err(Refusal::new("42P03", message).into());
            }
            if self.portals.len() >= MOST_KEPT {
                return Err(too_many("portals"));
            }
        }
        let portal = bind.portal.clone();
        let results = bind.results.clone();
        let made = {
            let (stored, of) = (Arc::clone(&stored), Arc::clone(&self.kept));
            async move {
                // It is held as long as they are made, too, whoever waits for them.
                let kept = Kept::new(&of, weight(&bind, &stored)?)?;
                let values = values(&bind, &stored.types)?;
                let bound = stored.command.as_ref();
                let bound = bound.map(|(command, piece)| command.with_parameters(&values, piece));
                Ok((bound.transpose()?, kept))
            }
        };
        let mut watch = self.watch();
        let (bound, kept) = watch.during(at_work(&self.shared.work, made)).await?;
        let (state, schema): (State, Option<SchemaRef>) = match (&stored.command, bound) {
            (Some((_, piece)), Some(bound)) => {
                let ready = self.prepare(&bound, piece, &mut watch).await?;
                let schema = self.columns(&ready)?;
                (State::Ready(ready), schema)
            }
            _ => (State::Empty, None),
        };
        let columns = match schema {
            None => Vec::new(),
            Some(schema) => columns(&schema, &results)?,
        };
        let made = Portal {
            stored,
            columns,
            state,
            _kept: kept,
        };
        self.portals.insert(portal, made);
        self.wire.out.bound();
        Ok(())
    }

    async fn execute(&mut self, name: &str, most: Option<usize>) -> Result<(), Problem> {
        let mut portal = self.portals.remove(name).ok_or_else(|| no_portal(name))?;
        let verb = portal
            .stored
            .command
            .as_ref()
            .map_or("", |(command, _)| command.verb());
        let mut watch = self.watch();
        let mut rows = match std::mem::replace(&mut portal.state, State::Done) {
            State::Empty => {
                self.wire.out.empty();
                portal.state = State::Empty;
                self.portals.insert(name.to_owned(), portal);
                return Ok(());
            }
            State::Done => {
                self.wire.out.done(&tag(verb, 0));
                self.portals.insert(name.to_owned(), portal);
                return Ok(());
            }
            State::Rows(rows) => rows,
            State::Ready(ready) => match self.start(ready, &mut watch).await? {
                Started::Rows(rows) => rows,
                Started::Done(word) => {
                    self.wire.out.done(&word);
                    return Ok(());
                }
                Started::Copy(form, mut rows) => {
                    let sent = rows.copy(self.wire, &form, &mut watch).await?;
                    self.wire.out.done(&format!("COPY {sent}"));
                    return Ok(());
                }
            },
        };
        let binary: Vec<bool> = portal.columns.iter().map(|column| column.binary).collect();
        // What was told of them is how clients read them.
        let given = columns(&rows.schema(), &[])?;
        let types =
            |columns: &[Column]| -> Vec<u32> { columns.iter().map(|one| one.oid).collect() };
        if types(&given) != types(&portal.columns) {
            let message = "the statement gives other columns than it was told to";
            return Err(Refusal::new(INTERNAL, message).into());
        }
        let (sent, is_more) = rows.send(self.wire, &binary, most, &mut watch).await?;
        match is_more {
            true => {
                self.wire.out.suspended();
                portal.state = State::Rows(rows);
            }
            false => self.wire.out.done(&tag(verb, sent)),
        }
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }
}

/// The one statement of a text; `None` for a text of nothing.
fn command(text: &str) -> Result<Option<(Command, Piece)>, Refusal> {
    let mut pieces = split(text)?;
    let piece = pieces.pop();
    if !pieces.is_empty() {
        let message = "a prepared statement is one statement";
        return Err(Refusal::new(SYNTAX, message));
    }
    piece
        .map(|piece| Ok((Command::of(&piece)?, piece)))
        .transpose()
}

fn values(bind: &Bind, types: &[u32]) -> Result<Vec<Expr>, Refusal> {
    let all = bind.values.iter().zip(types).enumerate();
    let all = all.map(|(at, (value, oid))| expression(*oid, is_binary(bind, at), value.as_deref()));
    all.collect()
}

/// About how many bytes of text a statement with these values would have: the statement once more, which the plan is made
/// of, and each value in each of its places.
fn weight(bind: &Bind, stored: &Stored) -> Result<usize, Refusal> {
    let (given, types) = (bind.values.len(), &stored.types);
    if given != types.len() {
        let message = format!("{given} values for {} parameters", types.len());
        return Err(Refusal::new(PROTOCOL, message));
    }
    if bind.formats.len() > 1 && bind.formats.len() != given {
        let message = format!("{} formats for {given} parameters", bind.formats.len());
        return Err(Refusal::new(PROTOCOL, message));
    }
    let piece = stored.command.as_ref().map(|(_, piece)| piece);
    let values = bind.values.iter().zip(types).enumerate();
    let values = values.filter_map(|(at, (value, oid))| Some((at, *oid, value.as_deref()?)));
    Ok(values.fold(
        piece.map_or(0, |piece| piece.text.len()),
        |sum, (at, oid, bytes)| {
            let items = most_items(oid, is_binary(bind, at), bytes);
            let places = piece.and_then(|piece| piece.places.get(&(at + 1)).copied());
            let times = places.unwrap_or(1);
            sum.saturating_add((bytes.len() + items * ITEM).saturating_mul(times))
        },
    ))
}

fn is_binary(bind: &Bind, at: usize) -> bool {
    match bind.formats.as_slice() {
        [] => false,
        [all] => *all,
        each => each[at],
    }
}

fn no_portal(name: &str) -> Refusal {
    Refusal::new(NO_PORTAL, format!("there is no portal {name:?}"))
}

fn too_many(what: &str) -> Problem {
    Refusal::new(
        "54000",
        format!("a session has {MOST_KEPT} {what} at the most"),
    )
    .into()
}
