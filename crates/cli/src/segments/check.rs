//! Expressions read, and held against the fields of a store.

use profile_export::platform::expression_schema;
use profile_export::segment::{Column, Expression};
use profile_export::store::Store;
use serde_json::{Value, json};

use super::wanted::{UNNAMED, Wanted};
use crate::args::Arguments;
use crate::failure::Failure;
use crate::message::say;
use crate::output::{print, print_result, read};

/// Reads expressions, and holds them against the fields of a store, if there is one.
pub fn check(arguments: &Arguments, file: &str, store: Option<&Store>) -> Result<(), Failure> {
    let text = read(file)?;
    let text =
        String::from_utf8(text).map_err(|_| Failure::usage(format!("{file}: no UTF-8 text")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let wanted = match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(definitions)) if definitions.is_empty() => {
            return Err(Failure::usage(format!("{file}: a list of no definition")));
        }
        Ok(Value::Array(definitions)) => definitions
            .into_iter()
            .map(Wanted::of_definition)
            .collect::<Result<_, _>>()?,
        Ok(definition) if definition.get("expression").is_some() => {
            vec![Wanted::of_definition(definition)?]
        }
        Ok(json @ (Value::Object(_) | Value::String(_))) => {
            vec![Wanted::unnamed(Expression::from_json(&json))?]
        }
        _ => vec![Wanted::unnamed(Expression::parse(text))?],
    };
    let schema = store
        .map(|store| expression_schema(store.catalog()))
        .transpose()?;
    let mut told = Vec::new();
    for one in &wanted {
        let mut entry = json!({"name": one.name, "expression": one.expression.to_text()});
        if let Some(schema) = &schema {
            let checked = one.checked(schema)?;
            let columns = checked.columns();
            let path = |column: &Column| match column.path.is_empty() {
                true => "(all)".to_owned(),
                false => column.path.join("."),
            };
            entry["fields"] = columns.profile.iter().map(path).collect();
            entry["eventFields"] = columns.events.iter().flatten().map(path).collect();
            entry["segments"] = json!(checked.segments());
        }
        told.push(entry);
    }
    if arguments.is_for_machines() {
        return match &told[..] {
            [one] => print_result(arguments, one),
            all => print_result(arguments, &all),
        };
    }
    let lines: Vec<String> = (told.iter())
        .map(|entry| {
            let expression = entry["expression"].as_str().unwrap_or_default();
            match entry["name"].as_str() {
                Some(UNNAMED) | None => expression.to_owned(),
                Some(name) => format!("{name}: {expression}"),
            }
        })
        .collect();
    print(&lines.join("\n"))?;
    if schema.is_none() {
        say(
            arguments,
            "no store was given: its fields were not looked at",
        );
    }
    Ok(())
}
