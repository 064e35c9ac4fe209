//! A store in a DataFusion session of one's own, beside whatever other tables that has.
//!
//!     cargo run -p profile-export-datafusion --example session

use std::sync::Arc;

use datafusion::prelude::{SessionConfig, SessionContext};
use profile_export::export::Progress;
use profile_export::platform::{SourceFolder, merge_policies};
use profile_export::store::{LoadOptions, Scope, Store};
use profile_export_datafusion::{DatasetTable, ProfileTable};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path().join("store"), Scope::default())?;
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/retailer");
    let source = SourceFolder::open(fixtures.as_ref())?;
    source.load(&store, &LoadOptions::default(), &Progress::default())?;

    // Both tables show one state of the store. XDM's names keep their case.
    let snapshot = store.snapshot(None)?;
    let mut policies = merge_policies(store.catalog())?.into_iter();
    let policy = policies
        .find(|policy| policy.default)
        .ok_or("a default policy")?;
    let visits = store.catalog().dataset("visits")?.ok_or("visits")?;
    let config =
        SessionConfig::new().set_bool("datafusion.sql_parser.enable_ident_normalization", false);
    let context = SessionContext::new_with_config(config);
    context.register_table("profiles", Arc::new(ProfileTable::new(&snapshot, policy)?))?;
    context.register_table(
        "visits",
        Arc::new(DatasetTable::new(&snapshot, &visits.id)?),
    )?;

    // The store finds the segment's members by itself; `EXPLAIN` says so.
    let members = "SELECT count(*) AS members FROM profiles \
                   WHERE segmentMembership['AAM']['holiday-shoppers']['status'] = 'realized'";
    context.sql(members).await?.show().await?;
    context
        .sql(&format!("EXPLAIN {members}"))
        .await?
        .show()
        .await?;
    let types =
        "SELECT eventType, count(*) AS events FROM visits GROUP BY eventType ORDER BY events DESC";
    context.sql(types).await?.show().await?;
    Ok(())
}
