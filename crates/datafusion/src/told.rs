//! What tables tell of themselves, to planning and to `EXPLAIN`.

use arrow::datatypes::FieldRef;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};

/// Which filters a table takes in: the rows of those that it knows are among those that it gives, and maybe others.
pub(crate) fn inexact(
    filters: &[&Expr],
    is_known: impl Fn(&Expr) -> bool,
) -> Vec<TableProviderFilterPushDown> {
    let told = filters.iter().map(|filter| match is_known(filter) {
        true => TableProviderFilterPushDown::Inexact,
        false => TableProviderFilterPushDown::Unsupported,
    });
    told.collect()
}

/// The names of columns, as `EXPLAIN` shows them.
pub(crate) fn names<'a>(columns: impl IntoIterator<Item = &'a FieldRef>) -> String {
    let names = columns.into_iter().map(|field| field.name().as_str());
    names.collect::<Vec<_>>().join(", ")
}
