//! One profile, looked up.

use profile_export::platform::{Lookup, Lookups, policy_id};
use profile_export::xdm::Identity;
use serde_json::json;

use crate::args::{Arguments, ProfilesCommand};
use crate::failure::Failure;
use crate::output::print_result;
use crate::stores::open;

pub fn profiles(arguments: &Arguments, command: &ProfilesCommand) -> Result<(), Failure> {
    let ProfilesCommand::Get {
        identity,
        fields,
        events,
        fragments,
        merge_policy,
        store,
    } = command;
    let store = open(arguments, &store.store)?;
    let policy = merge_policy.as_ref();
    let policy = policy.map(|word| policy_id(store.catalog(), word, "--merge-policy"));
    let lookup = Lookup {
        fields: fields.clone(),
        event_fields: events.clone(),
        merge_policy: policy.transpose()?,
    };
    let lookups = Lookups::default();
    let found = match fragments {
        true => lookups.explain(&store, &lookup, identity)?,
        false => (lookups.find(&store, &lookup, identity)?).map(|found| (found, None)),
    };
    let (found, explained) = found.ok_or_else(|| missing(identity))?;
    let identities = found.identities.iter();
    let identities: Vec<String> = identities
        .map(|(namespace, id)| format!("{namespace}:{id}"))
        .collect();
    let mut told = json!({
        "identities": identities,
        "sources": found.datasets,
        "lastModifiedAt": found.last_modified.to_string(),
        "entity": found.row,
    });
    if let Some(explained) = explained {
        told["fragments"] = json!(explained.fragments);
        told["fields"] = json!(explained.fields);
    }
    print_result(arguments, &told)
}

fn missing(identity: &Identity) -> Failure {
    Failure::missing(format!(
        "no profile has {identity}: without an identity graph (--merge-policy) only primary identities are known; the case of \
         an id counts, that of a namespace does not"
    ))
}
