mod cards;

use export::read_json;
use platform::{read_merge_policies, read_segments};
use profile_export::platform::{
    DatasetBody, check_definition, create_dataset, dataset_id, delete_merge_policy, delete_segment,
    merge_policies as list_policies, merge_policy, misfit, policy_id, put_merge_policy,
    put_segment, put_segments, segment, segment_id,
};
use profile_export::request::MergePolicy;
use profile_export::store::{Kind, Store};
use profile_export::xdm::{Dataset, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::{Arguments, DatasetsCommand, DocumentsCommand, MergePoliciesCommand};
use crate::card::{Card, print_object, wants_card};
use crate::failure::Failure;
use crate::listing::{Cell, Table, print_list};
use crate::message::say;
use crate::output::{print_json, print_result, read};
use crate::stores::{open, open_or_make};

/// What errors call the argument that is an ID or a name.
const ID: &str = "ID";

pub fn datasets(arguments: &Arguments, command: &DatasetsCommand) -> Result<(), Failure> {
    match command {
        DatasetsCommand::Create { body, store: at } => {
            let body = DatasetBody::from_json(&read(body)?)?;
            let dataset = Dataset {
                created: Timestamp::now(),
                ..body.into_dataset()
            };
            let store = open_or_make(arguments, &at.store)?;
            let made = (store.catalog()).atomically(|catalog| create_dataset(catalog, dataset))?;
            print_json(&json!([format!("@/dataSets/{}", made.id)]))
        }
        DatasetsCommand::List { store: at } => {
            let datasets = open(arguments, &at.store)?.catalog().datasets()?;
            print_list(arguments, &datasets, &datasets, || {
                let rows = datasets.iter().map(|dataset| {
                    [
                        Cell::Text(dataset.id.clone()),
                        Cell::Text(dataset.class.word().to_owned()),
                        Cell::Time(dataset.created),
                        Cell::Text(dataset.name.clone()),
                    ]
                });
                Ok(Table {
                    head: ["ID", "CLASS", "CREATED", "NAME"],
                    rows: rows.collect(),
                })
            })
        }
        DatasetsCommand::Get { id, store: at } => {
            let store = open(arguments, &at.store)?;
            let dataset = store.catalog().dataset(id)?;
            let dataset = dataset.ok_or_else(|| Failure::not_found(Kind::Dataset, id))?;
            print_object(arguments, &dataset, || cards::dataset(&store, &dataset))
        }
        DatasetsCommand::Delete { id, store: at } => {
            let store = open(arguments, &at.store)?;
            store.delete_dataset(&dataset_id(store.catalog(), id)?)?;
            say(arguments, &format!("deleted dataset {id}"));
            Ok(())
        }
    }
}

pub fn merge_policies(
    arguments: &Arguments,
    command: &MergePoliciesCommand,
) -> Result<(), Failure> {
    let command = match command {
        MergePoliciesCommand::Documents(command) => command,
        MergePoliciesCommand::List { store: at } => {
            return list_merge_policies(arguments, &open(arguments, &at.store)?);
        }
    };
    match command {
        DocumentsCommand::Create { body, store: at } => {
            let store = open_or_make(arguments, &at.store)?;
            let mut made = Vec::new();
            for policy in read_merge_policies(&read(body)?)? {
                made.push(put_merge_policy(store.catalog(), policy, Timestamp::now())?);
            }
            print_one_or_list(arguments, &made, |made| cards::merge_policy(&store, made))
        }
        DocumentsCommand::Update {
            id,
            body,
            store: at,
        } => {
            let store = open(arguments, &at.store)?;
            let id = policy_id(store.catalog(), id, ID)?;
            merge_policy(store.catalog(), &id, None)?;
            let mut policy: MergePolicy = read_json(&read(body)?)?;
            policy.id = id;
            let made = put_merge_policy(store.catalog(), policy, Timestamp::now())?;
            print_object(arguments, &made, || cards::merge_policy(&store, &made))
        }
        DocumentsCommand::Get { id, store: at } => {
            let store = open(arguments, &at.store)?;
            let id = policy_id(store.catalog(), id, ID)?;
            let found = merge_policy(store.catalog(), &id, None)?;
            print_object(arguments, &found, || cards::merge_policy(&store, &found))
        }
        DocumentsCommand::Delete { id, store: at } => {
            let store = open(arguments, &at.store)?;
            delete_merge_policy(store.catalog(), &policy_id(store.catalog(), id, ID)?)?;
            say(arguments, &format!("deleted merge policy {id}"));
            Ok(())
        }
    }
}

fn list_merge_policies(arguments: &Arguments, store: &Store) -> Result<(), Failure> {
    let policies = list_policies(store.catalog())?;
    print_list(arguments, &policies, &policies, || {
        let rows = policies.iter().map(|policy| {
            [
                Cell::Text(policy.id.clone()),
                Cell::Text(policy.version.to_string()),
                Cell::of(policy.default.then_some("default")),
                Cell::Text(policy.name.clone()),
            ]
        });
        Ok(Table {
            head: ["ID", "VERSION", "", "NAME"],
            rows: rows.collect(),
        })
    })
}

pub fn segments(arguments: &Arguments, command: &DocumentsCommand) -> Result<(), Failure> {
    match command {
        DocumentsCommand::Create { body, store: at } => {
            let store = open_or_make(arguments, &at.store)?;
            let bodies = read_segments(&read(body)?)?;
            bodies.iter().try_for_each(check_definition)?;
            let made = put_segments(store.catalog(), bodies)?;
            warn_of_misfits(arguments, &store, &made)?;
            print_one_or_list(arguments, &made, |made| Ok(cards::segment(made)))
        }
        DocumentsCommand::Update {
            id,
            body,
            store: at,
        } => {
            let store = open(arguments, &at.store)?;
            let id = segment_id(store.catalog(), id, ID)?;
            segment(store.catalog(), &id)?;
            let mut body: Value = read_json(&read(body)?)?;
            if let Some(body) = body.as_object_mut() {
                body.insert("id".to_owned(), json!(id));
            }
            check_definition(&body)?;
            let made = put_segment(store.catalog(), body)?;
            warn_of_misfits(arguments, &store, std::slice::from_ref(&made))?;
            print_object(arguments, &made, || Ok(cards::segment(&made)))
        }
        DocumentsCommand::Get { id, store: at } => {
            let store = open(arguments, &at.store)?;
            let id = segment_id(store.catalog(), id, ID)?;
            let found = segment(store.catalog(), &id)?;
            print_object(arguments, &found, || Ok(cards::segment(&found)))
        }
        DocumentsCommand::Delete { id, store: at } => {
            let store = open(arguments, &at.store)?;
            delete_segment(store.catalog(), &segment_id(store.catalog(), id, ID)?)?;
            say(arguments, &format!("deleted segment {id}"));
            Ok(())
        }
    }
}

/// Says which of some definitions can't be evaluated as the store is. They are kept: what they ask for may be loaded later.
fn warn_of_misfits(
    arguments: &Arguments,
    store: &Store,
    definitions: &[Value],
) -> Result<(), Failure> {
    for definition in definitions {
        if let Some(problem) = misfit(store.catalog(), definition)? {
            let id = definition.get("id").and_then(Value::as_str);
            let id = id.unwrap_or_default();
            say(
                arguments,
                &format!("warning: segment {id} can't be evaluated as the store is: {problem}"),
            );
        }
    }
    Ok(())
}

fn print_one_or_list<T: Serialize>(
    arguments: &Arguments,
    values: &[T],
    card: impl Fn(&T) -> Result<Card, Failure>,
) -> Result<(), Failure> {
    match values {
        [one] => print_object(arguments, one, || card(one)),
        list if wants_card(arguments) => list
            .iter()
            .try_for_each(|one| print_object(arguments, one, || card(one))),
        list => print_result(arguments, &list),
    }
}
