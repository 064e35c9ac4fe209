//! What the catalog is about: the tables of a session, and the types that are made of their objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};
use sql::Relation;

use super::types;

/// The schemas, by their numbers.
pub(super) const PG_CATALOG: u32 = 11;
pub(super) const PUBLIC: u32 = 2200;
pub(super) const INFORMATION_SCHEMA: u32 = 12_000;
/// Who owns everything: the organisation.
pub(super) const OWNER: u32 = 10;
/// The first number that is a table's or a type's of the session.
const FIRST_OWN: u32 = 16_384;

/// What is said of a table whose columns can't be told.
const UNTOLD: &str = "its columns are not listed, since a file of it is missing or damaged: profile-export store verify";

/// Whose session it is.
pub(crate) struct About {
    pub(crate) org: String,
    pub(crate) database: String,
    /// The number that clients are told to be a process's.
    pub(crate) process: i32,
    /// Settings and their values.
    pub(crate) settings: Vec<(String, String)>,
}

/// Everything that catalog queries are answered from.
pub(crate) struct Facts {
    pub(super) about: About,
    pub(super) relations: Vec<Known>,
}

/// A table, a view, or the columns of an object.
pub(super) struct Known {
    pub(super) oid: u32,
    /// Of the type of its rows.
    pub(super) row_type: u32,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) description: Option<String>,
    /// Of a view.
    pub(super) definition: Option<String>,
    pub(super) columns: Vec<Column>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Table,
    View,
    /// The type of a column that is an object: `table_column`, as the platform calls it.
    Object,
}

pub(super) struct Column {
    pub(super) name: String,
    pub(super) ty: u32,
    pub(super) modifier: i32,
}

impl About {
    /// With the tables that there are.
    pub(crate) fn facts(self, tables: &[Relation]) -> Facts {
        let mut numbers = Numbers::default();
        let mut relations = Vec::new();
        for table in tables {
            let kind = match &table.view {
                Some(_) => Kind::View,
                None => Kind::Table,
            };
            let fields = table.columns.as_ref();
            let fields = fields.map_or_else(Fields::empty, |schema| schema.fields().clone());
            let name = &table.name;
            let mut known = Known::new(
                &mut numbers,
                name,
                name.clone(),
                kind,
                &fields,
                &mut relations,
            );
            // Clients ask for the columns of all tables before they do anything else: one that has lost a file must not
            // keep them out. Whoever asks for its rows is told why there are none.
            known.description = Some(match &table.columns {
                Some(_) => table.description.clone(),
                None => format!("{}; {UNTOLD}", table.description),
            });
            known.definition.clone_from(&table.view);
            relations.push(known);
        }
        Facts {
            about: self,
            relations,
        }
    }
}

impl Facts {
    pub(super) fn relation(&self, oid: u32) -> Option<&Known> {
        self.relations.iter().find(|known| known.oid == oid)
    }

    /// The number of a relation by its name, with or without its schema in front.
    pub(super) fn oid_of(&self, name: &str) -> Option<u32> {
        let name = name.trim();
        let name = name.strip_prefix("public.").unwrap_or(name);
        let bare = name.trim_matches('"');
        let mut all = self.relations.iter();
        all.find(|known| known.name.eq_ignore_ascii_case(bare))
            .map(|known| known.oid)
    }

    /// A type as statements spell it.
    pub(super) fn spelled(&self, oid: u32, modifier: Option<i32>) -> Option<String> {
        let own = || self.relations.iter().find(|known| known.row_type == oid);
        types::spelled(oid, modifier).or_else(|| own().map(|known| known.name.clone()))
    }
}

impl Known {
    /// With the types of the objects in it, and in these, which are added to `others`.
    fn new(
        numbers: &mut Numbers,
        path: &str,
        name: String,
        kind: Kind,
        fields: &Fields,
        others: &mut Vec<Self>,
    ) -> Self {
        let mut columns = Vec::new();
        for field in fields {
            let ty = match object(field) {
                Some(parts) => {
                    let column = field.name().to_lowercase();
                    let (path, own) = (format!("{path}.{column}"), format!("{name}_{column}"));
                    let own = Self::new(numbers, &path, own, Kind::Object, parts, others);
                    let row_type = own.row_type;
                    others.push(own);
                    row_type
                }
                None => types::plain(field.data_type()),
            };
            columns.push(Column {
                // The platform lists them so.
                name: field.name().to_lowercase(),
                ty,
                modifier: crate::value::modifier(field.data_type()),
            });
        }
        Self {
            oid: numbers.of(path),
            row_type: numbers.of(&format!("{path} row")),
            name,
            kind,
            description: None,
            definition: None,
            columns,
        }
    }
}

fn object(field: &Arc<Field>) -> Option<&Fields> {
    match field.data_type() {
        DataType::Struct(parts) => Some(parts),
        _ => None,
    }
}

/// Numbers that stay those of a name from one query to the next, as clients expect.
#[derive(Default)]
struct Numbers(BTreeMap<u32, String>);

impl Numbers {
    fn of(&mut self, name: &str) -> u32 {
        // FNV-1a; numbers stay below 2^31, which some clients read as signed.
        let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let mut number = FIRST_OWN + (hash & 0x3fff_ffff);
        while self.0.get(&number).is_some_and(|own| own != name) {
            number += 1;
        }
        self.0.insert(number, name.to_owned());
        number
    }
}
