//! What the profiles of a store are made of: the platform's sample of them, of which here everybody is part.

use std::sync::Arc;

use catalog::Catalog;
use decode::Progress;
use export::{Composition, Export, ExportRequest, FilterRequest, Plan, UnionSchemas};
use merge::MergePolicy;
use store::Store;
use xdm::{IDENTITY_MAP, Timestamp};

use crate::error::Result;
use crate::resolve::resolve_policy;

/// For how many days without an event profiles of one fragment are counted.
pub const UNSTITCHED_DAYS: [u32; 5] = [7, 30, 60, 90, 120];

const DAY: i64 = 86_400_000_000;

/// What all profiles were made of at a moment.
#[derive(Clone, Debug)]
pub struct ProfileReport {
    /// The state of the store.
    pub generation: i64,
    /// The default merge policy, by which records are profiles.
    pub policy: MergePolicy,
    /// When it was made.
    pub made: Timestamp,
    /// What was counted; unstitched profiles for [`UNSTITCHED_DAYS`].
    pub composition: Composition,
}

impl ProfileReport {
    /// Whether one that is made now would say the same: of the same records, by the same policy, on the same day of UTC.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn holds(&self, catalog: &Catalog, now: Timestamp) -> Result<bool> {
        Ok(
            self.made.micros().div_euclid(DAY) == now.micros().div_euclid(DAY)
                && catalog.generation()? == self.generation
                && default_policy(catalog)? == self.policy,
        )
    }
}

/// Counts what all profiles are made of, by the default merge policy.
///
/// # Errors
/// A damaged store; `progress` was cancelled.
pub fn profile_report(
    store: &Store,
    now: Timestamp,
    progress: &Arc<Progress>,
) -> Result<ProfileReport> {
    let policy = default_policy(store.catalog())?;
    let snapshot = store.snapshot(None)?;
    let request = ExportRequest {
        fields: Some(IDENTITY_MAP.to_owned()),
        filter: Some(FilterRequest {
            empty_profiles: Some(true),
            ..FilterRequest::default()
        }),
        ..ExportRequest::default()
    };
    let plan = Plan::new(&request, policy.clone(), &UnionSchemas::from(&snapshot))?;
    let export = Export::watched(&snapshot, &plan, Arc::clone(progress))?;
    let since =
        UNSTITCHED_DAYS.map(|days| Timestamp::from_micros(now.micros() - i64::from(days) * DAY));
    Ok(ProfileReport {
        generation: snapshot.generation,
        policy,
        made: now,
        composition: export.composition(&since)?,
    })
}

fn default_policy(catalog: &Catalog) -> Result<MergePolicy> {
    resolve_policy(catalog, &ExportRequest::default())
}
