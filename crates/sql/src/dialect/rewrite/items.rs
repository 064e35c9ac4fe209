//! The items of a SELECT: their names, and what stars stand for.

use std::cmp::Reverse;

use datafusion::arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArguments, Ident, ObjectName, SelectItem, SelectItemQualifiedWildcardKind,
    Spanned as _, WildcardAdditionalOptions,
};

use super::super::error::{Code, Error};
use super::super::scope::{Column, Relation, Scope, same};
use super::expr::{Alias, Place};
use super::generators::{self, Generator};
use super::{Rewriter, build, from, paths, refuse};

/// A column of a SELECT, rewritten.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub name: String,
    pub expr: Expr,
}

/// The number of the item that is a generator.
pub(super) fn generator(items: &[SelectItem]) -> Result<Option<usize>, Error> {
    let mut found = None;
    for (number, item) in items.iter().enumerate() {
        let expr = match item {
            SelectItem::UnnamedExpr(expr)
            | SelectItem::ExprWithAlias { expr, .. }
            | SelectItem::ExprWithAliases { expr, .. } => expr,
            _ => continue,
        };
        if generators::of(expr)?.is_some() && found.replace(number).is_some() {
            let message = "Only one generator is allowed in a SELECT (LATERAL VIEW takes several)";
            return Err(Error::new(Code::NotSupported, message).at(expr.span()));
        }
    }
    Ok(found)
}

/// That generator, and the names that its columns are given.
pub(super) fn generator_of(
    items: &[SelectItem],
    at: usize,
) -> Result<(Generator, Vec<Ident>), Error> {
    let found = match items.get(at) {
        Some(SelectItem::UnnamedExpr(expr)) => generators::of(expr)?.map(|one| (one, Vec::new())),
        Some(SelectItem::ExprWithAlias { expr, alias }) => {
            generators::of(expr)?.map(|one| (one, vec![alias.clone()]))
        }
        Some(SelectItem::ExprWithAliases { expr, aliases }) => {
            generators::of(expr)?.map(|one| (one, aliases.clone()))
        }
        _ => None,
    };
    found.ok_or_else(|| Error::new(Code::System, "an item is no generator"))
}

impl Rewriter<'_> {
    /// `SELECT history_meta('t')`
    pub(super) fn history_in_select(
        &mut self,
        items: &[SelectItem],
    ) -> Result<Option<Relation>, Error> {
        let [SelectItem::UnnamedExpr(Expr::Function(call))] = items else {
            return Ok(None);
        };
        let FunctionArguments::List(list) = &call.args else {
            return Ok(None);
        };
        if !call.name.to_string().eq_ignore_ascii_case("history_meta") {
            return Ok(None);
        }
        match list
            .args
            .iter()
            .map(from::literal)
            .collect::<Option<Vec<_>>>()
        {
            Some(arguments) => self.history(&arguments, &call.name).map(Some),
            None => Err(
                Error::new(Code::Syntax, "history_meta takes the name of a table")
                    .at(call.name.span()),
            ),
        }
    }

    /// The columns that an item stands for; its alias is known to those behind it.
    pub(super) fn item(
        &mut self,
        item: SelectItem,
        place: &mut Place<'_>,
    ) -> Result<Vec<Item>, Error> {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = paths::name(&expr);
                Ok(vec![Item {
                    name,
                    expr: self.expr(expr, place)?,
                }])
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let expr = self.expr(expr, place)?;
                place.aliases.push(Alias {
                    name: alias.value.clone(),
                    expr: expr.clone(),
                });
                Ok(vec![Item {
                    name: alias.value,
                    expr,
                }])
            }
            SelectItem::ExprWithAliases { expr, .. } => {
                let message = format!("{expr} is one column and gets several names");
                Err(Error::new(Code::Syntax, message).at(expr.span()))
            }
            SelectItem::Wildcard(options) => {
                let except = excepted(options)?;
                let scope = place.scope;
                if scope.relations.is_empty() {
                    return Err(Error::new(Code::Syntax, "* needs something in FROM"));
                }
                Ok(without(starred(scope), &except))
            }
            SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(name),
                options,
            ) => {
                let except = excepted(options)?;
                Ok(without(self.qualified(&name, place)?, &except))
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expr), _) => {
                Err(Error::unsupported(format!(
                    "{expr}.* (of a relation or a struct column it is known)"
                )))
            }
        }
    }

    /// `relation.*`, or the fields of a struct.
    fn qualified(&mut self, name: &ObjectName, place: &mut Place<'_>) -> Result<Vec<Item>, Error> {
        let names: Option<Vec<Ident>> =
            name.0.iter().map(|part| part.as_ident().cloned()).collect();
        let names = names
            .ok_or_else(|| Error::new(Code::Syntax, format!("{name}.*: {name} is no name")))?;
        if let [only] = names.as_slice()
            && let Some(relation) = place.scope.named(&only.value)
        {
            return Ok(columns(relation).collect());
        }
        let found = place.scope.own(&names)?;
        let data_type = found.and_then(|found| {
            let mut steps = names.iter().skip(found.parts);
            steps.try_fold(&found.column.data_type, |data_type, step| {
                from::field(data_type, &step.value)
            })
        });
        let Some(DataType::Struct(fields)) = data_type else {
            let message = format!("{name}.*: {name} is no relation of FROM, and no struct");
            return Err(Error::new(Code::UndefinedTable, message).at(name.span()));
        };
        let fields: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
        let base = self.path(Expr::CompoundIdentifier(names), place)?;
        Ok(fields
            .into_iter()
            .map(|name| {
                let expr = build::call("spark_get", vec![base.clone(), build::text(name.clone())]);
                Item { name, expr }
            })
            .collect())
    }
}

/// All columns of FROM: those that joins unite come first, and once.
fn starred(scope: &Scope<'_>) -> Vec<Item> {
    let all = scope.relations.iter().flat_map(|relation| {
        relation
            .columns
            .iter()
            .map(move |column| (relation, column))
    });
    let mut all: Vec<_> = all.filter(|(_, column)| !column.hidden).collect();
    all.sort_by_key(|(_, column)| match column.united {
        Some((join, place)) => (0, Reverse(join), place),
        None => (1, Reverse(0), 0),
    });
    all.into_iter()
        .map(|(relation, column)| item(relation, column))
        .collect()
}

/// All columns of a relation.
fn columns(relation: &Relation) -> impl Iterator<Item = Item> {
    relation.columns.iter().map(|column| item(relation, column))
}

fn item(relation: &Relation, column: &Column) -> Item {
    Item {
        name: column.name.clone(),
        expr: relation.reference(column),
    }
}

/// The names behind EXCEPT.
fn excepted(options: WildcardAdditionalOptions) -> Result<Vec<String>, Error> {
    refuse(&[
        (options.opt_ilike.is_some(), "* ILIKE"),
        (options.opt_exclude.is_some(), "* EXCLUDE"),
        (options.opt_replace.is_some(), "* REPLACE"),
        (options.opt_rename.is_some(), "* RENAME"),
        (options.opt_alias.is_some(), "* AS"),
    ])?;
    Ok(options
        .opt_except
        .into_iter()
        .flat_map(|except| std::iter::once(except.first_element).chain(except.additional_elements))
        .map(|name| name.value)
        .collect())
}

fn without(items: Vec<Item>, except: &[String]) -> Vec<Item> {
    items
        .into_iter()
        .filter(|item| !except.iter().any(|name| same(name, &item.name)))
        .collect()
}
