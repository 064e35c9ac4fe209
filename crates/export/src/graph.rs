//! The private identity graph: which persons are one.

use std::cmp::Reverse;
use std::sync::Arc;

use decode::Progress;
use merge::IdentityGraphType;
use xdm::PersonKey;

use crate::components::{Components, Profile};
use crate::error::Result;
use crate::people::People;
use crate::plan::Plan;
use crate::shard::Shard;
use crate::sources::Sources;

/// Components of more identities are told: there it is likely that one device, test account or default value made
/// one person of many.
pub(crate) const LARGE: u32 = 50;
/// How many of them are named.
const MOST_NAMED: usize = 10;

/// What stands out in an identity graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphReport {
    /// How many profiles have more than 50 identities.
    pub large: u64,
    /// The largest of them, at the most ten.
    pub largest: Vec<LargeComponent>,
    /// How many profiles are left out, since they have more identities than [`Plan::max_identities`].
    pub left_out: u64,
}

/// A profile of many identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeComponent {
    /// The namespace of one of the primary identities that are this profile.
    pub namespace: String,
    /// Its id.
    pub id: String,
    /// How many identities the profile has.
    pub identities: u32,
}

/// The identity graph of a snapshot.
pub(crate) struct Graph {
    components: Arc<Components>,
    report: GraphReport,
}

impl Graph {
    /// The graph that a plan's policy needs, if it needs one.
    pub(crate) fn of(plan: &Plan, sources: &Sources, progress: &Progress) -> Result<Option<Self>> {
        if plan.policy.identity_graph.kind == IdentityGraphType::None {
            return Ok(None);
        }
        let components = Components::of(sources, plan.max_identities, progress)?;
        let mut graph = Self {
            report: GraphReport::default(),
            components: Arc::new(components),
        };
        // Before anything is read of them.
        graph.keeps(sources);
        graph.report = report(&graph.components, sources)?;
        Ok(Some(graph))
    }

    /// Lets sources keep what chunks of this graph's profiles need again.
    pub(crate) fn keeps(&self, sources: &Sources) {
        if self.components.has_joined() {
            // The persons of a profile may be anywhere, so any chunk may need any batch.
            sources.keep_all();
        }
    }

    pub(crate) fn report(&self) -> &GraphReport {
        &self.report
    }

    /// The profile that a person belongs to.
    pub(crate) fn profile(&self, key: PersonKey) -> Profile<'_> {
        self.components.profile(key)
    }

    /// All profiles of a shard.
    pub(crate) fn everybody(&self, sources: &Sources, shard: Shard) -> People {
        People::everybody(sources, shard).joined(&self.components)
    }

    /// The profiles of a shard that these persons belong to.
    pub(crate) fn of_keys(&self, keys: &[PersonKey], sources: &Sources, shard: Shard) -> People {
        let leasts = keys
            .iter()
            .filter_map(|key| match self.components.profile(*key) {
                Profile::Alone => Some(*key),
                Profile::Joined(members) => members.first().copied(),
                Profile::LeftOut => None,
            });
        let mut leasts: Vec<PersonKey> = leasts.collect();
        leasts.sort_unstable();
        leasts.dedup();
        People::of_keys(leasts, sources, shard).joined(&self.components)
    }
}

/// Tells the large components by one of their persons.
fn report(components: &Components, sources: &Sources) -> Result<GraphReport> {
    let mut large: Vec<(u32, PersonKey)> = (components.sizes())
        .filter(|(identities, _)| *identities > LARGE)
        .collect();
    // The largest first, those of one size by their keys.
    large.sort_unstable_by_key(|(identities, least)| (Reverse(*identities), *least));
    let mut largest = Vec::new();
    for (identities, least) in large.iter().take(MOST_NAMED) {
        let mut runs = sources.all.iter().map(|source| &source.run);
        if let Some((run, person)) = runs.find_map(|run| Some((run, run.find(*least)?))) {
            let (namespace, id) = run.identity(person)?;
            largest.push(LargeComponent {
                namespace: namespace.to_owned(),
                id: id.to_owned(),
                identities: *identities,
            });
        }
    }
    Ok(GraphReport {
        large: large.len() as u64,
        largest,
        left_out: components.left_out(),
    })
}
