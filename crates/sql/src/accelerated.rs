//! What clients read of the platform's accelerated store, `qsaccel.profile_agg`, before anything else: its dimensions of
//! merge policies and namespaces. What it counts day by day is not had.

use arrow::array::RecordBatch;
use datafusion::error::Result;
use profile_export::platform::{Lookups, identity_namespaces, merge_policies};
use profile_export::store::Store;

use crate::columns::{boolean, number, table, text};
use crate::store_tables::external;

/// `MERGE_POLICY_ID` is a policy's number in this list, `MERGE_POLICY` its ID.
pub(crate) fn policies(store: &Store) -> Result<RecordBatch> {
    let all = merge_policies(store.catalog()).map_err(external)?;
    let each = || all.iter();
    table([
        number("MERGE_POLICY_ID", (1..).take(all.len()).map(Some)),
        text("MERGE_POLICY", each().map(|one| Some(one.id.clone()))),
        text(
            "MERGE_POLICY_NAME",
            each().map(|one| Some(one.name.clone())),
        ),
        boolean(
            "IS_DEFAULT_MERGE_POLICY",
            each().map(|one| Some(one.default)),
        ),
    ])
}

/// Those of identities, the same for each policy.
pub(crate) fn namespaces(store: &Store) -> Result<RecordBatch> {
    let policies = merge_policies(store.catalog()).map_err(external)?.len();
    let all = identity_namespaces(store, &Lookups::default()).map_err(external)?;
    let rows = || {
        (1_i64..)
            .take(policies)
            .flat_map(|number| all.iter().map(move |one| (number, one)))
    };
    table([
        number("MERGE_POLICY_ID", rows().map(|(number, _)| Some(number))),
        number("NAMESPACE_ID", rows().map(|(_, one)| Some(one.id.into()))),
        text("NAMESPACE", rows().map(|(_, one)| Some(one.code.clone()))),
        text(
            "NAMESPACE_DESCRIPTION",
            rows().map(|(_, one)| Some(one.name.clone())),
        ),
    ])
}
