use export::read_json;
use platform::{read_merge_policies, read_segments};
use profile_export::platform::{
    DatasetBody, delete_merge_policy, delete_segment, merge_policies as list_policies,
    merge_policy, put_merge_policy, put_segment, segment, segments as list_segments,
};
use profile_export::request::MergePolicy;
use profile_export::store::Kind;
use profile_export::xdm::{Dataset, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::{Arguments, DatasetsCommand, DocumentsCommand};
use crate::failure::Failure;
use crate::message::say;
use crate::output::{print, print_json, read, table};
use crate::stores::{open, open_or_make};

pub fn datasets(arguments: &Arguments, command: &DatasetsCommand) -> Result<(), Failure> {
    match command {
        DatasetsCommand::Create { body, store: at } => {
            let body = DatasetBody::from_json(&read(body)?)?;
            let dataset = Dataset {
                created: Timestamp::now(),
                ..body.into_dataset()
            };
            let made = open_or_make(arguments, &at.store)?
                .catalog()
                .create_dataset(dataset)?;
            print_json(&json!([format!("@/dataSets/{}", made.id)]))
        }
        DatasetsCommand::List { store: at } => {
            let datasets = open(arguments, &at.store)?.catalog().datasets()?;
            if arguments.json {
                return print_json(&datasets);
            }
            let rows = datasets
                .iter()
                .map(|d| [d.id.as_str(), d.class.word(), &d.name]);
            print(&table(["ID", "CLASS", "NAME"], rows))
        }
        DatasetsCommand::Get { id, store: at } => {
            let dataset = open(arguments, &at.store)?.catalog().dataset(id)?;
            let dataset = dataset.ok_or_else(|| Failure::not_found(Kind::Dataset, id))?;
            print_json(&dataset)
        }
        DatasetsCommand::Delete { id, store: at } => {
            open(arguments, &at.store)?.delete_dataset(id)?;
            say(arguments, &format!("deleted dataset {id}"));
            Ok(())
        }
    }
}

pub fn merge_policies(arguments: &Arguments, command: &DocumentsCommand) -> Result<(), Failure> {
    match command {
        DocumentsCommand::Create { body, store: at } => {
            let store = open_or_make(arguments, &at.store)?;
            let mut made = Vec::new();
            for policy in read_merge_policies(&read(body)?)? {
                made.push(put_merge_policy(store.catalog(), policy, Timestamp::now())?);
            }
            print_one_or_list(&made)
        }
        DocumentsCommand::Update {
            id,
            body,
            store: at,
        } => {
            let store = open(arguments, &at.store)?;
            merge_policy(store.catalog(), id, None)?;
            let mut policy: MergePolicy = read_json(&read(body)?)?;
            policy.id.clone_from(id);
            let made = put_merge_policy(store.catalog(), policy, Timestamp::now())?;
            print_json(&made)
        }
        DocumentsCommand::Get { id, store: at } => {
            let store = open(arguments, &at.store)?;
            print_json(&merge_policy(store.catalog(), id, None)?)
        }
        DocumentsCommand::Delete { id, store: at } => {
            delete_merge_policy(open(arguments, &at.store)?.catalog(), id)?;
            say(arguments, &format!("deleted merge policy {id}"));
            Ok(())
        }
        DocumentsCommand::List { store: at } => {
            let policies = list_policies(open(arguments, &at.store)?.catalog())?;
            if arguments.json {
                return print_json(&policies);
            }
            let versions: Vec<String> = policies.iter().map(|p| p.version.to_string()).collect();
            let rows = policies.iter().zip(&versions).map(|(p, version)| {
                let default = if p.default { "default" } else { "" };
                [p.id.as_str(), version, default, &p.name]
            });
            print(&table(["ID", "VERSION", "", "NAME"], rows))
        }
    }
}

pub fn segments(arguments: &Arguments, command: &DocumentsCommand) -> Result<(), Failure> {
    match command {
        DocumentsCommand::Create { body, store: at } => {
            let store = open_or_make(arguments, &at.store)?;
            let mut made = Vec::new();
            for body in read_segments(&read(body)?)? {
                made.push(put_segment(store.catalog(), body)?);
            }
            print_one_or_list(&made)
        }
        DocumentsCommand::Update {
            id,
            body,
            store: at,
        } => {
            let store = open(arguments, &at.store)?;
            segment(store.catalog(), id)?;
            let mut body: Value = read_json(&read(body)?)?;
            if let Some(body) = body.as_object_mut() {
                body.insert("id".to_owned(), json!(id));
            }
            print_json(&put_segment(store.catalog(), body)?)
        }
        DocumentsCommand::Get { id, store: at } => {
            print_json(&segment(open(arguments, &at.store)?.catalog(), id)?)
        }
        DocumentsCommand::Delete { id, store: at } => {
            delete_segment(open(arguments, &at.store)?.catalog(), id)?;
            say(arguments, &format!("deleted segment {id}"));
            Ok(())
        }
        DocumentsCommand::List { store: at } => {
            let segments = list_segments(open(arguments, &at.store)?.catalog())?;
            if arguments.json {
                return print_json(&segments);
            }
            let text = |segment: &Value, name: &str| {
                segment
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let texts: Vec<[String; 3]> = segments
                .iter()
                .map(|s| [text(s, "id"), text(s, "mergePolicyId"), text(s, "name")])
                .collect();
            let rows = texts
                .iter()
                .map(|[id, policy, name]| [id.as_str(), policy, name]);
            print(&table(["ID", "MERGE POLICY", "NAME"], rows))
        }
    }
}

fn print_one_or_list(values: &[impl Serialize]) -> Result<(), Failure> {
    match values {
        [one] => print_json(one),
        list => print_json(&list),
    }
}
