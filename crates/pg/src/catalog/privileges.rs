//! `has_…_privilege`: everybody may look; whether they may write is said when they do.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use datafusion::error::Result;

use super::facts::{Facts, INFORMATION_SCHEMA, PG_CATALOG, PUBLIC};
use super::functions::{Call, refused};
use super::tables;
use crate::refusal::{BAD_VALUE, NO_DATABASE, NO_SCHEMA, NO_SETTING};

/// What is asked about, as its name or its number: whether it is there. A number of nothing is null, a name an error.
type There = fn(&Facts, &str) -> bool;

/// `([user,] table, privilege)`
pub(super) fn on_table(call: &Call<'_>) -> Result<ArrayRef> {
    answer(call, call.args.len() == 3, ("42P01", "table"), is_table)
}

/// `([user,] table, column, privilege)`
pub(super) fn on_column(call: &Call<'_>) -> Result<ArrayRef> {
    answer(call, call.args.len() == 4, ("42P01", "table"), is_table)
}

/// `([user,] schema, privilege)`
pub(super) fn on_schema(call: &Call<'_>) -> Result<ArrayRef> {
    answer(
        call,
        call.args.len() == 3,
        (NO_SCHEMA, "schema"),
        |_, name| {
            let numbers = [PG_CATALOG, PUBLIC, INFORMATION_SCHEMA].map(|oid| oid.to_string());
            ["pg_catalog", "public", "information_schema"].contains(&name)
                || numbers.iter().any(|oid| oid == name)
        },
    )
}

/// `([user,] database, privilege)`
pub(super) fn on_database(call: &Call<'_>) -> Result<ArrayRef> {
    answer(
        call,
        call.args.len() == 3,
        (NO_DATABASE, "database"),
        |facts, name| name == facts.about.database || name == tables::DATABASE.to_string(),
    )
}

fn is_table(facts: &Facts, name: &str) -> bool {
    if let Ok(oid) = name.parse() {
        return facts.relation(oid).is_some();
    }
    let of = |schema: &str, name: &str| tables::names(schema).contains(&name);
    let is_catalogs = match name.split_once('.') {
        Some((schema, name)) => of(schema, name),
        None => of("pg_catalog", name),
    };
    is_catalogs || facts.oid_of(name).is_some()
}

fn answer(
    call: &Call<'_>,
    of_user: bool,
    (code, what): (&'static str, &str),
    is_there: There,
) -> Result<ArrayRef> {
    let users = match of_user {
        true => call.texts(0)?,
        false => Vec::new(),
    };
    let org = &call.facts.about.org;
    let number = super::facts::OWNER.to_string();
    let known = |user: &String| user == org || *user == number || user == "public";
    if let Some(user) = users.iter().flatten().find(|user| !known(user)) {
        return Err(refused(NO_SETTING, format!("there is no user {user:?}")));
    }
    let things = call.texts(usize::from(of_user))?;
    let wanted = call.texts(call.args.len().saturating_sub(1))?;
    let each = things.into_iter().zip(wanted).map(|(thing, wanted)| {
        let (Some(thing), Some(wanted)) = (thing, wanted) else {
            return Ok(None);
        };
        let allowed = allowed(&wanted)?;
        match is_there(call.facts, &thing) {
            true => Ok(Some(allowed)),
            false if thing.parse::<u32>().is_ok() => Ok(None),
            false => Err(refused(code, format!("there is no {what} {thing:?}"))),
        }
    });
    let each: BooleanArray = each.collect::<Result<Vec<_>>>()?.into_iter().collect();
    Ok(Arc::new(each))
}

/// Whether one of these privileges is everybody's.
fn allowed(wanted: &str) -> Result<bool> {
    let mut any = false;
    for one in wanted.split(',') {
        let one = one.trim().to_lowercase();
        let (one, grants) = match one.strip_suffix(" with grant option") {
            Some(one) => (one, true),
            None => (one.as_str(), false),
        };
        any |= !grants
            && match one {
                "select" | "usage" | "connect" | "temp" | "temporary" => true,
                "insert" | "update" | "delete" | "truncate" | "references" | "trigger"
                | "create" => false,
                other => {
                    return Err(refused(
                        BAD_VALUE,
                        format!("there is no privilege {other:?}"),
                    ));
                }
            };
    }
    Ok(any)
}
