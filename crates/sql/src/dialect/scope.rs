//! Which names a statement can use where it stands: columns of relations, without case.

use datafusion::arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast::{self, Ident};

use super::error::{Code, Error};

/// A column of a relation.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// As users see it.
    pub name: String,
    /// As DataFusion's plan calls it.
    pub internal: String,
    pub data_type: DataType,
    /// The twin of a column that a join unites (`USING`): found by its relation's name only.
    pub hidden: bool,
    /// Of a column that a join unites: the join's number, and the place in its USING. In `*` they come first, those
    /// of the last join before all.
    pub united: Option<(usize, usize)>,
}

/// Something in FROM.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    /// The alias or table name in front of its columns' names.
    pub name: Option<String>,
    /// As DataFusion's plan calls it: unique in the statement.
    pub internal: String,
    pub columns: Vec<Column>,
}

impl Relation {
    /// The column as an expression over DataFusion's plan.
    pub(super) fn reference(&self, column: &Column) -> ast::Expr {
        ast::Expr::CompoundIdentifier(vec![quoted(&self.internal), quoted(&column.internal)])
    }

    fn named(&self, name: &str) -> bool {
        self.name.as_deref().is_some_and(|own| same(own, name))
    }
}

/// The relations of one SELECT, and those of the SELECTs around it.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope<'a> {
    pub relations: Vec<Relation>,
    pub outer: Option<&'a Scope<'a>>,
}

/// A column that was found, and how many parts of the name it took.
pub(super) struct Found<'a> {
    pub relation: &'a Relation,
    pub column: &'a Column,
    pub parts: usize,
}

impl Scope<'_> {
    /// The column that the first parts name in this SELECT: `relation.column`, else `column`.
    ///
    /// # Errors
    ///
    /// More than one is meant.
    pub(super) fn own(&self, parts: &[Ident]) -> Result<Option<Found<'_>>, Error> {
        let Some(first) = parts.first() else {
            return Ok(None);
        };
        if let Some(second) = parts.get(1) {
            let qualified = self
                .relations
                .iter()
                .filter(|relation| relation.named(&first.value));
            if let Some(found) = one(qualified, second, true, 2)? {
                return Ok(Some(found));
            }
        }
        one(self.relations.iter(), first, false, 1)
    }

    /// The relations that a qualifier in front of `.*` means.
    pub(super) fn named(&self, name: &str) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.named(name))
    }

    /// Names that are spelled much like that one, for a hint.
    pub(super) fn all_names(&self) -> impl Iterator<Item = &str> {
        self.relations
            .iter()
            .flat_map(|relation| &relation.columns)
            .map(|column| column.name.as_str())
    }
}

fn one<'a>(
    relations: impl Iterator<Item = &'a Relation>,
    name: &Ident,
    hidden_too: bool,
    parts: usize,
) -> Result<Option<Found<'a>>, Error> {
    let candidates: Vec<_> = relations
        .flat_map(|relation| {
            relation
                .columns
                .iter()
                .map(move |column| (relation, column))
        })
        .filter(|(_, column)| same(&column.name, &name.value) && (hidden_too || !column.hidden))
        .collect();
    match candidates.as_slice() {
        [] => Ok(None),
        [(relation, column)] => Ok(Some(Found {
            relation,
            column,
            parts,
        })),
        several => {
            let of: Vec<_> = several
                .iter()
                .map(|(relation, column)| match &relation.name {
                    Some(relation) => format!("{relation}.{}", column.name),
                    None => column.name.clone(),
                })
                .collect();
            let message = format!("{} is ambiguous: it may be {}", name.value, of.join(" or "));
            Err(Error::new(Code::AmbiguousColumn, message).at(name.span))
        }
    }
}

/// Whether two names are the same, without case.
pub(super) fn same(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

/// A name that DataFusion takes as it stands.
pub(super) fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}
