//! The kinds of statements, and what is refused of them.

use std::fmt;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, CloseCursor, ContextModifier, CreateTableOptions, Expr, FetchDirection, ObjectName,
    ObjectType, SqlOption, TableObject, TransactionMode, Value, VisitMut, VisitorMut,
};

use super::error::{Code, Error};

/// A query, as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query(pub(super) Box<ast::Query>);

impl Query {
    /// Whether it is `VALUES (…)` alone, whose columns have no names of their own.
    pub(crate) fn is_values(&self) -> bool {
        matches!(*self.0.body, ast::SetExpr::Values(_))
    }

    /// The query with `$1`, `$2` … replaced by these expressions (of [`Statement::Execute`]).
    ///
    /// # Errors
    ///
    /// There are more parameters than values.
    pub fn with_parameters(&self, values: &[Parameter]) -> Result<Self, Error> {
        let mut query = self.0.clone();
        put_parameters(&mut query, values)?;
        Ok(Self(query))
    }
}

/// Puts values in the places of `$1`, `$2` … of what was parsed, in this dialect or another one.
///
/// # Errors
///
/// There are more parameters than values.
pub fn put_parameters(parsed: &mut impl VisitMut, values: &[Parameter]) -> Result<(), Error> {
    match parsed.visit(&mut Parameters(values)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// In the dialect's words again: parsed once more, it is the same.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut query = self.0.clone();
        let ControlFlow::Continue(()) = query.visit(&mut Escaped);
        query.fmt(f)
    }
}

/// A value for a parameter of a prepared query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameter(Expr);

/// Any expression without names.
impl From<Expr> for Parameter {
    fn from(expr: Expr) -> Self {
        Self(expr)
    }
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// Rows.
    Query(Query),
    /// How a query is run; `analyze` runs it.
    Explain {
        /// With what it took.
        analyze: bool,
        /// Of what.
        query: Query,
    },
    /// `CREATE TABLE t WITH (…) AS …`
    CreateTable {
        /// Its name in lower case.
        name: String,
        /// For this session only.
        temporary: bool,
        /// No error where it exists.
        if_not_exists: bool,
        /// Of WITH: names in lower case, values as text.
        options: Vec<(String, String)>,
        /// What is in it.
        query: Query,
    },
    /// `INSERT INTO t SELECT …`
    Insert {
        /// The table's name in lower case.
        table: String,
        /// Its columns, as written; none for all in order.
        columns: Vec<String>,
        /// What is added.
        query: Query,
    },
    /// `CREATE VIEW v AS …`
    CreateView {
        /// Its name in lower case.
        name: String,
        /// Instead of the one there is.
        or_replace: bool,
        /// Its columns' names, as written; none for those of the query.
        columns: Vec<String>,
        /// What it shows.
        query: Query,
    },
    /// `DROP TABLE`, `DROP VIEW`
    Drop {
        /// Views rather than tables.
        view: bool,
        /// Names in lower case.
        names: Vec<String>,
        /// No error where there is none.
        if_exists: bool,
    },
    /// `SHOW TABLES`
    ShowTables,
    /// `SHOW VIEWS`
    ShowViews,
    /// `SHOW name`: a setting, its words in lower case with blanks between them; `all`.
    Show(String),
    /// `SET name = value`, `RESET name`
    Set {
        /// In lower case.
        name: String,
        /// As text; none for DEFAULT.
        value: Option<String>,
    },
    /// `BEGIN`
    Begin,
    /// `COMMIT`, `END`
    Commit,
    /// `ROLLBACK`
    Rollback,
    /// `PREPARE name AS query`
    Prepare {
        /// In lower case.
        name: String,
        /// With `$1`, `$2` … in it.
        query: Query,
    },
    /// `EXECUTE name(…)`
    Execute {
        /// In lower case.
        name: String,
        /// In the order of `$1`, `$2` …
        parameters: Vec<Parameter>,
    },
    /// `DEALLOCATE name`, or ALL
    Deallocate(Option<String>),
    /// `DECLARE name CURSOR FOR query`
    Declare {
        /// In lower case.
        cursor: String,
        /// Whose rows.
        query: Query,
    },
    /// `FETCH n FROM cursor`
    Fetch {
        /// In lower case.
        cursor: String,
        /// How many rows; all that are left without.
        rows: Option<u64>,
    },
    /// `CLOSE name`, or ALL
    Close(Option<String>),
}

impl Statement {
    /// # Errors
    ///
    /// A kind of statement, or a clause, that isn't known here: it is named.
    pub(super) fn of(statement: ast::Statement) -> Result<Self, Error> {
        let statement = match statement {
            ast::Statement::Query(query) => Self::Query(Query(query)),
            ast::Statement::Explain {
                analyze,
                verbose,
                query_plan,
                estimate,
                statement,
                format,
                options,
                ..
            } => {
                if verbose || query_plan || estimate || format.is_some() || options.is_some() {
                    return Err(Error::unsupported("Options of EXPLAIN"));
                }
                match *statement {
                    ast::Statement::Query(query) => Self::Explain {
                        analyze,
                        query: Query(query),
                    },
                    other => {
                        return Err(Error::unsupported(format!("EXPLAIN of {}", kind(&other))));
                    }
                }
            }
            ast::Statement::CreateTable(table) => create_table(table)?,
            ast::Statement::CreateView(view) => create_view(view)?,
            ast::Statement::Insert(insert) => self::insert(insert)?,
            ast::Statement::Drop {
                object_type,
                if_exists,
                names,
                cascade: _,
                restrict: _,
                purge: _,
                ..
            } if matches!(object_type, ObjectType::Table | ObjectType::View) => {
                let names = names.iter().map(name).collect::<Result<_, _>>()?;
                Self::Drop {
                    view: object_type == ObjectType::View,
                    names,
                    if_exists,
                }
            }
            ast::Statement::ShowTables {
                terse: false,
                history: false,
                extended: false,
                full: false,
                ..
            } => Self::ShowTables,
            ast::Statement::ShowViews {
                terse: false,
                materialized: false,
                ..
            } => Self::ShowViews,
            ast::Statement::ShowVariable { variable } => {
                let words: Vec<_> = variable
                    .iter()
                    .map(|word| word.value.to_lowercase())
                    .collect();
                Self::Show(words.join(" "))
            }
            ast::Statement::Set(set) => self::set(set)?,
            ast::Statement::Reset(ast::ResetStatement {
                reset: ast::Reset::ConfigurationParameter(variable),
            }) => Self::Set {
                name: words(&variable),
                value: None,
            },
            ast::Statement::StartTransaction {
                statements,
                exception: None,
                ..
            } if statements.is_empty() => Self::Begin,
            ast::Statement::Commit { .. } => Self::Commit,
            ast::Statement::Rollback {
                savepoint: None, ..
            } => Self::Rollback,
            ast::Statement::Prepare {
                name, statement, ..
            } => match *statement {
                ast::Statement::Query(query) => Self::Prepare {
                    name: name.value.to_lowercase(),
                    query: Query(query),
                },
                other => return Err(Error::unsupported(format!("PREPARE of {}", kind(&other)))),
            },
            ast::Statement::Execute {
                name: Some(name),
                parameters,
                immediate: false,
                into,
                using,
                ..
            } if into.is_empty() && using.is_empty() => Self::Execute {
                name: self::name(&name)?,
                parameters: parameters.into_iter().map(Parameter).collect(),
            },
            ast::Statement::Deallocate { name, .. } => Self::Deallocate(all_or(&name)),
            ast::Statement::Declare { stmts } => declare(stmts)?,
            ast::Statement::Fetch {
                name,
                direction,
                into: None,
                ..
            } => Self::Fetch {
                cursor: name.value.to_lowercase(),
                rows: rows(&direction)?,
            },
            ast::Statement::Close { cursor } => Self::Close(match cursor {
                CloseCursor::All => None,
                CloseCursor::Specific { name } => Some(name.value.to_lowercase()),
            }),
            other => return Err(Error::unsupported(kind(&other))),
        };
        Ok(statement)
    }
}

fn set(set: ast::Set) -> Result<Statement, Error> {
    let is_local = |scope: &Option<ContextModifier>| *scope == Some(ContextModifier::Local);
    let (name, value) = match &set {
        ast::Set::SingleAssignment {
            scope,
            variable,
            values,
            hivevar: false,
        } if !is_local(scope) => {
            let is_usual = matches!(values.as_slice(), [Expr::Identifier(word)]
                if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("default"));
            let texts: Vec<_> = values.iter().map(text).collect();
            (words(variable), (!is_usual).then(|| texts.join(", ")))
        }
        ast::Set::SetTimeZone {
            local: false,
            value,
        } => ("timezone".to_owned(), Some(text(value))),
        ast::Set::SetNames {
            charset_name,
            collation_name: None,
        } => (
            "client_encoding".to_owned(),
            Some(charset_name.value.clone()),
        ),
        ast::Set::SetTransaction {
            modes,
            snapshot: None,
            ..
        } => match modes.as_slice() {
            [TransactionMode::IsolationLevel(level)] => (
                "transaction_isolation".to_owned(),
                Some(level.to_string().to_lowercase()),
            ),
            _ => return Err(Error::unsupported(&set)),
        },
        _ => return Err(Error::unsupported(&set)),
    };
    Ok(Statement::Set { name, value })
}

/// The name of a setting in lower case.
fn words(variable: &ObjectName) -> String {
    let parts = variable.0.iter().map(|part| match part.as_ident() {
        Some(ident) => ident.value.to_lowercase(),
        None => part.to_string().to_lowercase(),
    });
    parts.collect::<Vec<_>>().join(".")
}

fn create_table(table: ast::CreateTable) -> Result<Statement, Error> {
    if table.or_replace {
        return Err(Error::unsupported("CREATE OR REPLACE TABLE"));
    }
    if !table.columns.is_empty() || table.like.is_some() || table.clone.is_some() {
        return Err(Error::unsupported(
            "CREATE TABLE with columns of its own (only AS SELECT)",
        ));
    }
    let Some(query) = table.query else {
        return Err(Error::unsupported("CREATE TABLE without AS SELECT"));
    };
    let clauses = [
        (table.external, "EXTERNAL"),
        (table.transient, "TRANSIENT"),
        (table.file_format.is_some(), "STORED AS"),
        (table.location.is_some(), "LOCATION"),
        (table.partition_by.is_some(), "PARTITION BY"),
        (
            table.cluster_by.is_some() || table.clustered_by.is_some(),
            "CLUSTER BY",
        ),
        (table.order_by.is_some(), "ORDER BY of a table"),
        (table.comment.is_some(), "COMMENT"),
        (table.on_commit.is_some(), "ON COMMIT"),
    ];
    if let Some((_, clause)) = clauses.into_iter().find(|(there, _)| *there) {
        return Err(Error::unsupported(format!("{clause} in CREATE TABLE")));
    }
    let options = match table.table_options {
        CreateTableOptions::None => Vec::new(),
        CreateTableOptions::With(options) => {
            options.iter().map(option).collect::<Result<_, _>>()?
        }
        other => return Err(Error::unsupported(format!("{other} in CREATE TABLE"))),
    };
    Ok(Statement::CreateTable {
        name: name(&table.name)?,
        temporary: table.temporary,
        if_not_exists: table.if_not_exists,
        options,
        query: Query(query),
    })
}

fn option(option: &SqlOption) -> Result<(String, String), Error> {
    match option {
        SqlOption::KeyValue { key, value } => Ok((key.value.to_lowercase(), text(value))),
        other => Err(Error::unsupported(format!("the option {other}"))),
    }
}

fn create_view(view: ast::CreateView) -> Result<Statement, Error> {
    let clauses = [
        (view.materialized, "MATERIALIZED"),
        (view.temporary, "TEMPORARY"),
        (view.if_not_exists, "IF NOT EXISTS"),
        (view.or_alter, "OR ALTER"),
        (view.to.is_some(), "TO"),
        (!matches!(view.options, CreateTableOptions::None), "WITH"),
    ];
    if let Some((_, clause)) = clauses.into_iter().find(|(there, _)| *there) {
        return Err(Error::unsupported(format!("{clause} in CREATE VIEW")));
    }
    Ok(Statement::CreateView {
        name: name(&view.name)?,
        or_replace: view.or_replace,
        columns: view
            .columns
            .iter()
            .map(|column| column.name.value.clone())
            .collect(),
        query: Query(view.query),
    })
}

fn insert(insert: ast::Insert) -> Result<Statement, Error> {
    if insert.overwrite || insert.replace_into || insert.or.is_some() || insert.ignore {
        return Err(Error::unsupported("INSERT that replaces or ignores rows"));
    }
    if insert.partitioned.is_some() || insert.on.is_some() || insert.returning.is_some() {
        return Err(Error::unsupported(
            "PARTITION, ON CONFLICT and RETURNING in INSERT",
        ));
    }
    let TableObject::TableName(table) = &insert.table else {
        return Err(Error::unsupported("INSERT INTO a function"));
    };
    let Some(query) = insert.source else {
        return Err(Error::new(
            Code::Syntax,
            "INSERT INTO a table takes a SELECT",
        ));
    };
    Ok(Statement::Insert {
        table: name(table)?,
        columns: insert
            .columns
            .iter()
            .map(name_as_written)
            .collect::<Result<_, _>>()?,
        query: Query(query),
    })
}

fn declare(statements: Vec<ast::Declare>) -> Result<Statement, Error> {
    match <[ast::Declare; 1]>::try_from(statements) {
        Ok(
            [
                ast::Declare {
                    names,
                    for_query: Some(query),
                    hold,
                    scroll,
                    binary,
                    ..
                },
            ],
        ) => match names.as_slice() {
            [name] if hold != Some(true) && scroll != Some(true) && binary != Some(true) => {
                Ok(Statement::Declare {
                    cursor: name.value.to_lowercase(),
                    query: Query(query),
                })
            }
            _ => Err(Error::unsupported(
                "Cursors that are kept, go back or are binary",
            )),
        },
        _ => Err(Error::unsupported(
            "DECLARE of anything but a cursor FOR a query",
        )),
    }
}

fn rows(direction: &FetchDirection) -> Result<Option<u64>, Error> {
    let count = match direction {
        FetchDirection::Next | FetchDirection::Forward { limit: None } => return Ok(Some(1)),
        FetchDirection::All | FetchDirection::ForwardAll => return Ok(None),
        FetchDirection::Count { limit } | FetchDirection::Forward { limit: Some(limit) } => limit,
        other => return Err(Error::unsupported(format!("FETCH {other}"))),
    };
    count.to_string().parse().map(Some).map_err(|_| {
        Error::new(
            Code::Syntax,
            format!("FETCH takes a number of rows, not {count}"),
        )
        .at(count.span)
    })
}

fn all_or(name: &ast::Ident) -> Option<String> {
    let name = name.value.to_lowercase();
    (name != "all").then_some(name)
}

/// A table's name in lower case: there is one schema, PostgreSQL's `public`, which may stand in front of it, as the platform's
/// accelerated store may in front of its own.
pub(super) fn name(name: &ObjectName) -> Result<String, Error> {
    Ok(name_as_written(name)?.to_lowercase())
}

fn name_as_written(name: &ObjectName) -> Result<String, Error> {
    let parts: Option<Vec<_>> = name.0.iter().map(|part| part.as_ident()).collect();
    match parts.as_deref() {
        Some([ident]) => Ok(ident.value.clone()),
        Some([schema, ident]) if schema.value.eq_ignore_ascii_case("public") => {
            Ok(ident.value.clone())
        }
        Some([database, schema, ident])
            if database.value.eq_ignore_ascii_case("qsaccel")
                && schema.value.eq_ignore_ascii_case("profile_agg")
                && ident.value.to_lowercase().starts_with("adwh_") =>
        {
            Ok(ident.value.clone())
        }
        _ => Err(Error::new(
            Code::UndefinedTable,
            format!("{name}: there is no schema but public"),
        )),
    }
}

fn text(value: &Expr) -> String {
    match value {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text.clone(),
            other => other.to_string(),
        },
        Expr::Identifier(word) => word.value.clone(),
        other => other.to_string(),
    }
}

/// The statement's first word or two.
fn kind(statement: &ast::Statement) -> String {
    let text = statement.to_string();
    let words: Vec<_> = text.split_whitespace().take(2).collect();
    match words.as_slice() {
        [first @ ("CREATE" | "DROP" | "ALTER" | "SHOW"), second] => format!("{first} {second}"),
        [first, ..] => (*first).to_owned(),
        [] => "An empty statement".to_owned(),
    }
}

struct Parameters<'a>(&'a [Parameter]);

impl VisitorMut for Parameters<'_> {
    type Break = Error;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if let Expr::Value(value) = &*expr
            && let Value::Placeholder(name) = &value.value
        {
            let number = name
                .strip_prefix('$')
                .and_then(|digits| digits.parse::<usize>().ok());
            let found = number.and_then(|number| self.0.get(number.checked_sub(1)?));
            let Some(Parameter(found)) = found else {
                let message = format!("there is no value for the parameter {name}");
                return ControlFlow::Break(Error::new(Code::Syntax, message).at(value.span));
            };
            *expr = found.clone();
        }
        ControlFlow::Continue(())
    }
}

/// The parser takes a backslash for the beginning of an escape; its printer leaves it as it is, and a quote behind it.
struct Escaped;

impl VisitorMut for Escaped {
    type Break = std::convert::Infallible;

    fn post_visit_value(&mut self, value: &mut ast::ValueWithSpan) -> ControlFlow<Self::Break> {
        if let Value::SingleQuotedString(text) = &mut value.value {
            *text = text.replace('\\', "\\\\").replace('\'', "\\'");
        }
        ControlFlow::Continue(())
    }
}
