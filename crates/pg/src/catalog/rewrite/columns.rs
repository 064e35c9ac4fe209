//! The columns that a statement gives.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Statement,
    TableFactor, Value,
};

use super::nothing::named;
use crate::catalog::tables;

/// Columns of one name have two to DataFusion; the names that they had are what PostgreSQL calls them.
pub(in super::super) fn distinct(statement: &mut Statement) -> Option<Vec<String>> {
    let Statement::Query(query) = statement else {
        return None;
    };
    let SetExpr::Select(select) = &mut *query.body else {
        return None;
    };
    expand(select);
    let name = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        SelectItem::UnnamedExpr(expr) => Some(named(expr)),
        _ => None,
    };
    let names: Vec<String> = select.projection.iter().map(name).collect::<Option<_>>()?;
    let all: HashSet<&String> = names.iter().collect();
    if all.len() == names.len() {
        return None;
    }
    for (number, item) in select.projection.iter_mut().enumerate() {
        if names[..number].contains(&names[number])
            && let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
        {
            let expr = std::mem::replace(expr, Expr::Value(Value::Null.into()));
            let alias = Ident::with_quote('"', format!("{} {}", names[number], number + 1));
            *item = SelectItem::ExprWithAlias { expr, alias };
        }
    }
    Some(names)
}

/// Writes `t.*` out where other columns stand beside it, as one of these may be among them.
fn expand(select: &mut Select) {
    let is_wildcard = |item: &SelectItem| matches!(item, SelectItem::QualifiedWildcard(..));
    if !select.projection.iter().any(is_wildcard) || select.projection.iter().all(is_wildcard) {
        return;
    }
    let joined = select.from.iter().flat_map(|from| {
        let joins = from.joins.iter().map(|join| &join.relation);
        std::iter::once(&from.relation).chain(joins)
    });
    let known: Vec<(Ident, Vec<&str>)> = joined.filter_map(columns).collect();
    let items = std::mem::take(&mut select.projection);
    for item in items {
        match of(&item, &known) {
            Some((table, columns)) => select.projection.extend(columns.iter().map(|column| {
                let path = vec![table.clone(), Ident::new(*column)];
                SelectItem::UnnamedExpr(Expr::CompoundIdentifier(path))
            })),
            None => select.projection.push(item),
        }
    }
}

/// The table that an item is all columns of, where that is known.
fn of<'k, 'c>(
    item: &SelectItem,
    known: &'k [(Ident, Vec<&'c str>)],
) -> Option<&'k (Ident, Vec<&'c str>)> {
    let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item
    else {
        return None;
    };
    let [part] = name.0.as_slice() else {
        return None;
    };
    let name = &part.as_ident()?.value;
    let mut known = known.iter();
    known.find(|(own, _)| own.value.eq_ignore_ascii_case(name))
}

/// What a table of the catalog is called in a statement, and its columns.
fn columns(factor: &TableFactor) -> Option<(Ident, Vec<&'static str>)> {
    let TableFactor::Table { name, alias, .. } = factor else {
        return None;
    };
    let own = name.0.last()?.as_ident()?;
    let schema = match name.0.as_slice() {
        [schema, _] => schema.as_ident()?.value.to_lowercase(),
        _ => "pg_catalog".to_owned(),
    };
    let columns = tables::columns(&schema, &own.value.to_lowercase())?;
    let called = alias.as_ref().map_or(own, |alias| &alias.name);
    Some((called.clone(), columns))
}
