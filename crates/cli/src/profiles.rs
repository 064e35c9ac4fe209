//! One profile: looked up, or deleted.

mod card;

use std::path::Path;

use profile_export::export::Progress;
use profile_export::platform::{
    DeletedProfile, Erasure, Lookup, Lookups, OtherJob, Told, delete_profile, erase, policy_id,
};
use profile_export::store::Store;
use profile_export::xdm::{Identity, Timestamp};
use serde_json::json;

use crate::args::{Arguments, ProfilesCommand};
use crate::card::print_object;
use crate::failure::Failure;
use crate::gone;
use crate::message::{say, shown, tell};
use crate::names::Names;
use crate::output::{count, print, print_result};
use crate::progress::Watch;
use crate::stores::open;

pub fn profiles(arguments: &Arguments, command: &ProfilesCommand) -> Result<(), Failure> {
    match command {
        ProfilesCommand::Get {
            identity,
            fields,
            events,
            fragments,
            merge_policy,
            store,
        } => {
            let store = open(arguments, &store.store)?;
            let lookup = Lookup {
                fields: fields.clone(),
                event_fields: events.clone(),
                merge_policy: policy(&store, merge_policy.as_ref())?,
            };
            get(arguments, &store, &lookup, identity, *fragments)
        }
        ProfilesCommand::Delete {
            identity,
            everywhere,
            merge_policy,
            store,
        } => {
            let store = open(arguments, &store.store)?;
            let policy = policy(&store, merge_policy.as_ref())?;
            match everywhere {
                true => erase_everywhere(arguments, &store, identity, policy.as_deref()),
                false => delete(arguments, &store, identity, policy.as_deref()),
            }
        }
    }
}

fn policy(store: &Store, word: Option<&String>) -> Result<Option<String>, Failure> {
    let policy = word.map(|word| policy_id(store.catalog(), word, "--merge-policy"));
    Ok(policy.transpose()?)
}

fn get(
    arguments: &Arguments,
    store: &Store,
    lookup: &Lookup,
    identity: &Identity,
    fragments: bool,
) -> Result<(), Failure> {
    let lookups = Lookups::default();
    let found = match fragments {
        true => lookups.explain(store, lookup, identity, &Progress::default())?,
        false => (lookups.find(store, lookup, identity, &Progress::default())?)
            .map(|found| (found, None)),
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
    if let Some(explained) = &explained {
        told["fragments"] = json!(explained.fragments);
        told["fields"] = json!(explained.fields);
    }
    print_object(arguments, &told, || {
        Ok(card::card(&found, explained.as_ref(), &Names::of(store)?))
    })
}

fn missing(identity: &Identity) -> Failure {
    Failure::missing(format!(
        "no profile has {identity}: without an identity graph (--merge-policy) only primary identities are known; the case of \
         an id counts, that of a namespace does not"
    ))
}

fn delete(
    arguments: &Arguments,
    store: &Store,
    identity: &Identity,
    policy: Option<&str>,
) -> Result<(), Failure> {
    let watch = Watch::start(arguments, 0);
    let deleted = delete_profile(store, identity, None, policy, &watch.progress);
    drop(watch);
    let deleted = deleted?;
    if deleted.datasets.is_empty() {
        return Err(Failure::missing(format!(
            "no record bears {identity}; nothing is deleted: the case of an id counts, that of a namespace does not"
        )));
    }
    if arguments.is_for_machines() {
        return print_result(arguments, &deleted);
    }
    print_records(&deleted)
}

fn erase_everywhere(
    arguments: &Arguments,
    store: &Store,
    identity: &Identity,
    policy: Option<&str>,
) -> Result<(), Failure> {
    let watch = Watch::start(arguments, 0);
    // Should it break off: of a profile that is half gone no graph tells them any more.
    let named = |told: Told<'_>| match told {
        Told::Identities(identities) if identities.len() > 1 => {
            let identities: Vec<String> = identities.iter().map(ToString::to_string).collect();
            say(arguments, &format!("erasing {}", identities.join(", ")));
        }
        Told::Identities(_) => {}
        // Not `say`: where the files are is known nowhere else from now on.
        Told::GivenOut(job, files) => {
            let files = files.join(", ");
            tell(&shown(&format!(
                "job {job} names it and is forgotten now; what it gave out holds it, or may: {files}"
            )));
        }
    };
    let erased = erase(store, identity, policy, named, &watch.progress);
    drop(watch);
    let erased = erased?;
    if arguments.is_for_machines() {
        print_result(arguments, &erased)?;
    } else {
        print_records(&erased.profile)?;
        print_erased(store.layout().root(), &erased)?;
    }
    for job in &erased.open_jobs {
        tell(&format!(
            "job {job} reads the store as it was before, and may write what is erased: cancel it, or wait for it, and \
             erase again"
        ));
    }
    for OtherJob { id, org, sandbox } in &erased.other_jobs {
        tell(&shown(&format!(
            "job {id} of organisation {org}, sandbox {sandbox} keeps the files of before: cancel it there, or wait for it, \
             and erase again"
        )));
    }
    for plan in &erased.plans {
        tell(&shown(&format!(
            "plan {} of organisation {}, sandbox {} keeps the files of before, until {} at the latest: abort it, and erase \
             again",
            plan.id,
            plan.org,
            plan.sandbox,
            Timestamp::from_millis(plan.expires)
        )));
    }
    gone::judge(&erased.remaining)
}

fn print_records(deleted: &DeletedProfile) -> Result<(), Failure> {
    for dataset in &deleted.datasets {
        print(&shown(&format!(
            "{} records of dataset {} ({}, {})",
            count(dataset.records),
            dataset.name,
            dataset.class,
            dataset.dataset_id
        )))?;
    }
    print(&format!(
        "{} records deleted, {} runs written anew",
        count(deleted.datasets.iter().map(|dataset| dataset.records).sum()),
        count(deleted.runs)
    ))
}

fn print_erased(root: &Path, erased: &Erasure) -> Result<(), Failure> {
    for batch in &erased.batches {
        print(&format!("export batch {batch} deleted"))?;
    }
    for job in &erased.jobs {
        print(&format!("job {job} forgotten"))?;
    }
    for file in &erased.given_out {
        let file = file.display();
        print(&shown(&format!("given out, and not deleted: {file}")))?;
    }
    for reason in &erased.given_out_unread {
        print(&shown(&format!(
            "given out, and can't be looked at: {reason}"
        )))?;
    }
    for batch in &erased.moved {
        print(&shown(&format!(
            "given out, and not there to be looked at: {batch}"
        )))?;
    }
    gone::print_report(root, &erased.remaining)
}
