//! FROM: tables, subqueries and joins as relations that the provider knows.

use datafusion::arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, Ident, Join, JoinConstraint, JoinOperator,
    ObjectName, Spanned as _, TableAlias, TableFactor, TableWithJoins, Value,
};

use super::super::error::{Code, Error};
use super::super::scope::{Column, Relation, Scope, same};
use super::super::{statement, tokens};
use super::expr::Place;
use super::{Rewriter, build, refuse};
use crate::Snapshots;

/// What of a join's sides can be named behind it.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Both,
    Left,
}

impl Rewriter<'_> {
    /// Replaces what FROM names; its relations are added to the scope.
    pub(super) fn from(
        &mut self,
        from: Vec<TableWithJoins>,
        scope: &mut Scope<'_>,
    ) -> Result<Vec<TableWithJoins>, Error> {
        from.into_iter()
            .map(|one| {
                let mut own = Scope {
                    relations: Vec::new(),
                    outer: scope.outer,
                };
                let one = self.joined(one, &mut own)?;
                for relation in &own.relations {
                    distinct(scope, relation)?;
                }
                scope.relations.append(&mut own.relations);
                Ok(one)
            })
            .collect()
    }

    fn joined(
        &mut self,
        tables: TableWithJoins,
        scope: &mut Scope<'_>,
    ) -> Result<TableWithJoins, Error> {
        let relation = self.factor(tables.relation, scope)?;
        let joins = tables
            .joins
            .into_iter()
            .map(|join| self.join(join, scope))
            .collect::<Result<_, _>>()?;
        Ok(TableWithJoins { relation, joins })
    }

    fn factor(&mut self, factor: TableFactor, scope: &mut Scope<'_>) -> Result<TableFactor, Error> {
        let (relation, alias) = match factor {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                refuse(&[
                    (
                        !with_hints.is_empty() || !index_hints.is_empty(),
                        "Hints of a table",
                    ),
                    (
                        version.is_some(),
                        "FOR SYSTEM_TIME of a table (SNAPSHOT AS OF has a snapshot)",
                    ),
                    (with_ordinality, "WITH ORDINALITY"),
                    (!partitions.is_empty(), "PARTITION of a table"),
                    (json_path.is_some(), "A path behind a table"),
                    (sample.is_some(), "TABLESAMPLE"),
                ])?;
                match args {
                    None => (self.table(&name, &Snapshots::All)?, alias),
                    Some(args) if args.settings.is_none() => {
                        (self.table_function(&name, &args.args)?, alias)
                    }
                    Some(_) => return Err(Error::unsupported("SETTINGS of a table")),
                }
            }
            TableFactor::Derived {
                lateral: false,
                subquery,
                alias,
                sample: None,
            } => {
                let name = alias.as_ref().map(|alias| alias.name.value.clone());
                (self.derived(*subquery, name)?, alias)
            }
            TableFactor::Derived { .. } => {
                return Err(Error::unsupported(
                    "LATERAL in front of a subquery (LATERAL VIEW is known)",
                ));
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => {
                let nested = self.joined(*table_with_joins, scope)?;
                return Ok(TableFactor::NestedJoin {
                    table_with_joins: Box::new(nested),
                    alias: None,
                });
            }
            other => return Err(Error::unsupported(format!("{other} in FROM"))),
        };
        let mut relation = relation;
        if let Some(alias) = &alias {
            rename(&mut relation, alias)?;
        }
        // The same table may stand there twice.
        let source = relation.internal;
        relation.internal = self
            .provider
            .unique(relation.name.as_deref().unwrap_or("query"));
        let factor = build::table(&source, &relation.internal);
        distinct(scope, &relation)?;
        scope.relations.push(relation);
        Ok(factor)
    }

    /// The table or common table expression of that name.
    fn table(&mut self, name: &ObjectName, snapshots: &Snapshots) -> Result<Relation, Error> {
        let key = statement::name(name).map_err(|error| error.at(name.span()))?;
        let with = self.with.iter().rev().find_map(|level| level.get(&key));
        if let (Some(relation), Snapshots::All, [_]) = (with, snapshots, name.0.as_slice()) {
            return Ok(relation.clone());
        }
        match self.tables.table(&key, snapshots)? {
            Some(table) => Ok(self.base(&key, table)),
            None => Err(self.unknown(&key).at(name.span())),
        }
    }

    fn unknown(&self, name: &str) -> Error {
        let names = self.tables.names();
        let message = if names.is_empty() {
            format!("there is no table {name}: there are none at all")
        } else {
            format!("there is no table {name}: there are {}", names.join(", "))
        };
        Error::new(Code::UndefinedTable, message)
    }

    /// A table at snapshots, as `tokens` wrote them, or what is known of its snapshots.
    fn table_function(
        &mut self,
        name: &ObjectName,
        arguments: &[FunctionArg],
    ) -> Result<Relation, Error> {
        let texts: Option<Vec<String>> = arguments.iter().map(literal).collect();
        let function = name.to_string().to_lowercase();
        match texts {
            Some(texts) if function == "history_meta" => self.history(&texts, name),
            Some(texts) => match tokens::snapshots(&texts) {
                Some(snapshots) => self.table(name, &snapshots),
                None => {
                    Err(Error::unsupported(format!("The table function {name}")).at(name.span()))
                }
            },
            None => Err(Error::unsupported(format!("The table function {name}")).at(name.span())),
        }
    }

    /// `history_meta('t')`
    pub(super) fn history(
        &mut self,
        arguments: &[String],
        name: &ObjectName,
    ) -> Result<Relation, Error> {
        let [table] = arguments else {
            return Err(
                Error::new(Code::Syntax, "history_meta takes the name of a table").at(name.span()),
            );
        };
        let key = table.to_lowercase();
        match self.tables.history(&key)? {
            Some(history) => Ok(self.base("history_meta", history)),
            None => Err(self.unknown(&key).at(name.span())),
        }
    }

    /// `table_exists('t')`
    pub(super) fn exists(&self, name: &str) -> Result<bool, Error> {
        Ok(self
            .tables
            .table(&name.to_lowercase(), &Snapshots::All)?
            .is_some())
    }

    fn base(
        &mut self,
        name: &str,
        table: std::sync::Arc<dyn datafusion::catalog::TableProvider>,
    ) -> Relation {
        let columns = table
            .schema()
            .fields()
            .iter()
            .map(|field| Column {
                name: field.name().clone(),
                internal: field.name().clone(),
                data_type: field.data_type().clone(),
                hidden: false,
                united: None,
            })
            .collect();
        Relation {
            name: Some(name.to_owned()),
            internal: self.provider.add(name, table),
            columns,
        }
    }

    fn join(&mut self, join: Join, scope: &mut Scope<'_>) -> Result<Join, Error> {
        refuse(&[(join.global, "GLOBAL in front of a join")])?;
        let before = scope.relations.len();
        let relation = self.factor(join.relation, scope)?;
        type Operator = fn(JoinConstraint) -> JoinOperator;
        let (operator, constraint, seen): (Operator, _, _) = match join.join_operator {
            JoinOperator::CrossJoin(JoinConstraint::None)
            | JoinOperator::Join(JoinConstraint::None)
            | JoinOperator::Inner(JoinConstraint::None) => {
                return Ok(Join {
                    relation,
                    global: false,
                    join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
                });
            }
            JoinOperator::Join(on) | JoinOperator::Inner(on) => {
                (JoinOperator::Inner, on, Seen::Both)
            }
            JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => {
                (JoinOperator::LeftOuter, on, Seen::Both)
            }
            JoinOperator::Right(on) | JoinOperator::RightOuter(on) => {
                (JoinOperator::RightOuter, on, Seen::Both)
            }
            JoinOperator::FullOuter(on) => (JoinOperator::FullOuter, on, Seen::Both),
            JoinOperator::Semi(on) | JoinOperator::LeftSemi(on) => {
                (JoinOperator::LeftSemi, on, Seen::Left)
            }
            JoinOperator::Anti(on) | JoinOperator::LeftAnti(on) => {
                (JoinOperator::LeftAnti, on, Seen::Left)
            }
            other => return Err(Error::unsupported(format!("The join {other:?}"))),
        };
        let on = match constraint {
            JoinConstraint::On(on) => self.expr(on, &mut Place::of(scope))?,
            JoinConstraint::Using(names) => {
                let full =
                    operator(JoinConstraint::None) == JoinOperator::FullOuter(JoinConstraint::None);
                if full {
                    return Err(Error::unsupported("FULL JOIN with USING (ON is known)"));
                }
                let right = operator(JoinConstraint::None)
                    == JoinOperator::RightOuter(JoinConstraint::None);
                using(&names, before, right, scope)?
            }
            JoinConstraint::Natural => return Err(Error::unsupported("NATURAL JOIN")),
            JoinConstraint::None => {
                return Err(Error::new(Code::Syntax, "a join takes ON and a condition"));
            }
        };
        if seen == Seen::Left {
            scope.relations.truncate(before);
        }
        Ok(Join {
            relation,
            global: false,
            join_operator: operator(JoinConstraint::On(on)),
        })
    }
}

/// The condition of `USING (a, b)`; of each pair of columns the one that may be null is hidden.
fn using(
    names: &[ObjectName],
    before: usize,
    right: bool,
    scope: &mut Scope<'_>,
) -> Result<Expr, Error> {
    let mut condition: Option<Expr> = None;
    for (place, name) in names.iter().enumerate() {
        let word = match name.0.as_slice() {
            [part] => part.as_ident().cloned(),
            _ => None,
        };
        let word = word
            .ok_or_else(|| Error::new(Code::Syntax, format!("USING takes columns, not {name}")))?;
        let outer = scope.outer;
        let theirs = Scope {
            relations: scope.relations.split_off(before),
            outer,
        };
        let a = side(scope, &word)?;
        let b = side(&theirs, &word)?;
        scope.relations.extend(theirs.relations);
        let pair = build::binary(a.0, BinaryOperator::Eq, b.0);
        condition = Some(match condition {
            None => pair,
            Some(others) => build::binary(others, BinaryOperator::And, pair),
        });
        let (hidden, seen) = if right { (a.1, b.1) } else { (b.1, a.1) };
        if let Some(column) = column(scope, &hidden) {
            column.hidden = true;
        }
        if let Some(column) = column(scope, &seen) {
            column.united = Some((before, place));
        }
    }
    condition.ok_or_else(|| Error::new(Code::Syntax, "USING takes columns"))
}

/// The column that a relation and a name in the plan mean.
fn column<'c>(
    scope: &'c mut Scope<'_>,
    (relation, name): &(String, String),
) -> Option<&'c mut Column> {
    let relation = scope
        .relations
        .iter_mut()
        .find(|one| one.internal == *relation)?;
    relation
        .columns
        .iter_mut()
        .find(|one| one.internal == *name)
}

/// A column of one side of a join: as an expression, and its names in the plan.
fn side(scope: &Scope<'_>, name: &Ident) -> Result<(Expr, (String, String)), Error> {
    match scope.own(std::slice::from_ref(name))? {
        Some(found) => {
            let names = (
                found.relation.internal.clone(),
                found.column.internal.clone(),
            );
            Ok((found.relation.reference(found.column), names))
        }
        None => {
            let message = format!("{} of USING is a column of one side only", name.value);
            Err(Error::new(Code::UndefinedColumn, message).at(name.span))
        }
    }
}

/// Gives a relation the names of its alias.
pub(super) fn rename(relation: &mut Relation, alias: &TableAlias) -> Result<(), Error> {
    refuse(&[(alias.at.is_some(), "AT behind a table's alias")])?;
    relation.name = Some(alias.name.value.clone());
    if alias.columns.is_empty() {
        return Ok(());
    }
    if alias.columns.len() != relation.columns.len() {
        let message = format!(
            "{} has {} columns and gets {} names",
            alias.name.value,
            relation.columns.len(),
            alias.columns.len(),
        );
        return Err(Error::new(Code::Syntax, message).at(alias.name.span));
    }
    for (column, name) in relation.columns.iter_mut().zip(&alias.columns) {
        column.name.clone_from(&name.name.value);
    }
    Ok(())
}

fn distinct(scope: &Scope<'_>, relation: &Relation) -> Result<(), Error> {
    let Some(name) = &relation.name else {
        return Ok(());
    };
    let twice = scope
        .relations
        .iter()
        .any(|other| other.name.as_ref().is_some_and(|other| same(other, name)));
    if twice {
        let message = format!("{name} stands in FROM twice: give one an alias");
        return Err(Error::new(Code::Syntax, message));
    }
    Ok(())
}

/// The text of an argument that is written as such.
pub(super) fn literal(argument: &FunctionArg) -> Option<String> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The field of a struct, without case.
pub(super) fn field<'t>(data_type: &'t DataType, name: &str) -> Option<&'t DataType> {
    match data_type {
        DataType::Struct(fields) => fields
            .iter()
            .find(|field| same(field.name(), name))
            .map(|field| field.data_type()),
        _ => None,
    }
}
