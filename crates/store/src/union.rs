//! The union schema without the fields that only deleted datasets had.

use arrow::array::{Array, ArrayRef, AsArray};
use rayon::prelude::*;
use run::Run;
use xdm::{Class, FieldType, Fields};

use crate::Store;
use crate::error::Result;

impl Store {
    /// The union schemas that have fields which no dataset of today has, declared or in its records, without
    /// them.
    pub(crate) fn narrower_unions(&self) -> Result<Vec<(Class, Fields)>> {
        let datasets = self.catalog().datasets()?;
        if datasets.len() == self.catalog().datasets_ever()?.len() {
            // None was deleted: to look at all records would be in vain.
            return Ok(Vec::new());
        }
        let snapshot = self.snapshot(None)?;
        let mut narrower = Vec::new();
        for (class, union) in [
            (Class::Profile, &snapshot.profile_union),
            (Class::Event, &snapshot.event_union),
        ] {
            let mut kept = class.standard_fields();
            for dataset in &datasets {
                if dataset.class == class {
                    add(
                        &mut kept,
                        &dataset.declared_fields().map_err(catalog::Error::from)?,
                    );
                }
            }
            let runs = snapshot.runs.par_iter().filter(|run| run.class == class);
            let used: Vec<Fields> = runs.map(|run| used_in(union, run)).collect::<Result<_>>()?;
            for fields in &used {
                add(&mut kept, fields);
            }
            let narrowed = restricted(union, &kept);
            if narrowed != *union {
                narrower.push((class, narrowed));
            }
        }
        Ok(narrower)
    }
}

/// The fields of the union that have a value in a run.
fn used_in(union: &Fields, run: &Run) -> Result<Fields> {
    let mut used = Fields::default();
    for batch in 0..run.batch_count() as u32 {
        for (name, ty) in union.iter() {
            let array = run.batch_field(batch, name, &ty.stored_type())?;
            let array: Vec<ArrayRef> = array.into_iter().collect();
            if let Some(ty) = used_type(ty, &array) {
                add(&mut used, &[(name.to_owned(), ty)].into_iter().collect());
            }
        }
    }
    Ok(used)
}

/// The type with the fields that have a value; `None` where there is no value at all.
fn used_type(ty: &FieldType, arrays: &[ArrayRef]) -> Option<FieldType> {
    if arrays.iter().all(|a| a.logical_null_count() == a.len()) {
        return None;
    }
    let within = |inner: &FieldType, items: Vec<ArrayRef>| {
        Box::new(used_type(inner, &items).unwrap_or(FieldType::Unknown))
    };
    Some(match ty {
        FieldType::Object(fields) => {
            let column = |name: &str| -> Vec<ArrayRef> {
                let structs = arrays.iter().filter_map(|a| a.as_struct_opt());
                structs
                    .filter_map(|s| s.column_by_name(name).cloned())
                    .collect()
            };
            let used = fields.iter().filter_map(|(name, ty)| {
                used_type(ty, &column(name)).map(|ty| (name.to_owned(), ty))
            });
            FieldType::Object(used.collect())
        }
        FieldType::List(item) => {
            let lists = arrays.iter().filter_map(|a| a.as_list_opt::<i32>());
            FieldType::List(within(item, lists.map(|l| l.values().clone()).collect()))
        }
        FieldType::Map(value) => {
            let maps = arrays.iter().filter_map(|a| a.as_map_opt());
            FieldType::Map(within(value, maps.map(|m| m.values().clone()).collect()))
        }
        other => other.clone(),
    })
}

/// Adds names; which of two types a field gets does not matter, as long as it is no narrower in names.
fn add(kept: &mut Fields, more: &Fields) {
    for (name, ty) in more.iter() {
        let both = match kept.get(name) {
            Some(known) => added(known, ty),
            None => ty.clone(),
        };
        kept.insert(name, both);
    }
}

fn added(a: &FieldType, b: &FieldType) -> FieldType {
    match (a, b) {
        (FieldType::Object(a), FieldType::Object(b)) => {
            let mut both = a.clone();
            add(&mut both, b);
            FieldType::Object(both)
        }
        (FieldType::List(a), FieldType::List(b)) => FieldType::List(Box::new(added(a, b))),
        (FieldType::Map(a), FieldType::Map(b)) => FieldType::Map(Box::new(added(a, b))),
        (FieldType::Unknown, b) => b.clone(),
        (a, _) => a.clone(),
    }
}

/// The fields of the union, with their types and in their order, whose names are kept.
fn restricted(union: &Fields, kept: &Fields) -> Fields {
    union
        .iter()
        .filter_map(|(name, ty)| Some((name.to_owned(), restricted_type(ty, kept.get(name)?))))
        .collect()
}

fn restricted_type(ty: &FieldType, kept: &FieldType) -> FieldType {
    match (ty, kept) {
        (FieldType::Object(fields), FieldType::Object(kept)) => {
            FieldType::Object(restricted(fields, kept))
        }
        (FieldType::List(item), FieldType::List(kept)) => {
            FieldType::List(Box::new(restricted_type(item, kept)))
        }
        (FieldType::Map(value), FieldType::Map(kept)) => {
            FieldType::Map(Box::new(restricted_type(value, kept)))
        }
        // A list or map of which no item is there says nothing of its items.
        _ => ty.clone(),
    }
}
