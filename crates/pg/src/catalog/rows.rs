//! The rows of tables that are long to tell.

use std::collections::BTreeSet;

use datafusion::sql::sqlparser::keywords::{RESERVED_FOR_COLUMN_ALIAS, RESERVED_FOR_TABLE_ALIAS};

use super::facts::{Column, Facts, Kind, Known, OWNER, PG_CATALOG, PUBLIC};
use super::sheet::{Cell, Row};
use super::types;

/// What statements can name.
pub(super) fn named(facts: &Facts) -> impl Iterator<Item = &Known> {
    facts
        .relations
        .iter()
        .filter(|known| known.kind != Kind::Object)
}

pub(super) fn roles(facts: &Facts) -> Vec<Row> {
    vec![vec![
        ("oid", OWNER.into()),
        ("rolname", facts.about.org.as_str().into()),
        ("rolinherit", true.into()),
        ("rolcanlogin", true.into()),
        ("rolconnlimit", (-1).into()),
        ("rolpassword", "********".into()),
    ]]
}

pub(super) fn classes(facts: &Facts) -> Vec<Row> {
    let all = facts.relations.iter().map(|known| {
        let kind = match known.kind {
            Kind::Table => "r",
            Kind::View => "v",
            Kind::Object => "c",
        };
        vec![
            ("oid", known.oid.into()),
            ("relname", known.name.as_str().into()),
            ("relnamespace", PUBLIC.into()),
            ("reltype", known.row_type.into()),
            ("relowner", OWNER.into()),
            // Nobody has counted.
            ("reltuples", (-1).into()),
            ("relpersistence", "p".into()),
            ("relkind", kind.into()),
            ("relnatts", (known.columns.len() as i32).into()),
            ("relispopulated", true.into()),
            ("relreplident", "n".into()),
        ]
    });
    all.collect()
}

pub(super) fn attributes(facts: &Facts) -> Vec<Row> {
    let attribute = |known: &Known, number: usize, column: &Column| -> Row {
        let size = types::by_oid(column.ty).map_or(-1, |ty| ty.size);
        vec![
            ("attrelid", known.oid.into()),
            ("attname", column.name.as_str().into()),
            ("atttypid", column.ty.into()),
            ("attstattarget", (-1).into()),
            ("attlen", size.into()),
            ("attnum", (number as i32 + 1).into()),
            ("attcacheoff", (-1).into()),
            ("atttypmod", column.modifier.into()),
            ("attbyval", ((1..=8).contains(&size)).into()),
            ("attstorage", if size > 0 { "p" } else { "x" }.into()),
            ("attalign", "i".into()),
            ("attidentity", "".into()),
            ("attgenerated", "".into()),
            ("attcompression", "".into()),
            ("attislocal", true.into()),
        ]
    };
    let all = facts.relations.iter().flat_map(|known| {
        let columns = known.columns.iter().enumerate();
        columns.map(move |(number, column)| attribute(known, number, column))
    });
    all.collect()
}

pub(super) fn type_rows(facts: &Facts) -> Vec<Row> {
    let common =
        |oid: u32, name: Cell, schema: u32, size: i32, kind: &str, category: &str| -> Row {
            vec![
                ("oid", oid.into()),
                ("typname", name),
                ("typnamespace", schema.into()),
                ("typowner", OWNER.into()),
                ("typlen", size.into()),
                ("typbyval", ((1..=8).contains(&size)).into()),
                ("typtype", kind.into()),
                ("typcategory", category.into()),
                ("typisdefined", true.into()),
                ("typdelim", ",".into()),
                ("typmodin", "-".into()),
                ("typmodout", "-".into()),
                ("typanalyze", "-".into()),
                ("typalign", "i".into()),
                ("typstorage", if size > 0 { "p" } else { "x" }.into()),
                ("typtypmod", (-1).into()),
            ]
        };
    let functions = |of: &str| -> Row {
        [
            ("typinput", "in"),
            ("typoutput", "out"),
            ("typreceive", "recv"),
            ("typsend", "send"),
        ]
        .map(|(column, end)| (column, format!("{of}{end}").into()))
        .to_vec()
    };
    let mut rows = Vec::new();
    for ty in types::ALL {
        let mut row = common(
            ty.oid,
            ty.name.into(),
            PG_CATALOG,
            ty.size,
            ty.kind,
            ty.category,
        );
        row.push(("typarray", ty.list.into()));
        row.extend(functions(ty.functions));
        rows.push(row);
        if ty.list > 0 {
            let name = format!("_{}", ty.name);
            let mut row = common(ty.list, name.into(), PG_CATALOG, -1, "b", "A");
            row.push(("typelem", ty.oid.into()));
            row.extend(functions("array_"));
            rows.push(row);
        }
    }
    for known in &facts.relations {
        let mut row = common(
            known.row_type,
            known.name.as_str().into(),
            PUBLIC,
            -1,
            "c",
            "C",
        );
        row.push(("typrelid", known.oid.into()));
        row.extend(functions("record_"));
        rows.push(row);
    }
    rows
}

pub(super) fn information_columns(facts: &Facts) -> Vec<Row> {
    let row = |known: &Known, number: usize, column: &Column| -> Row {
        let built_in = types::by_oid(column.ty);
        let (schema, own) = match built_in {
            Some(ty) => ("pg_catalog", Cell::from(ty.name)),
            None => ("public", Cell::from(facts.spelled(column.ty, None))),
        };
        let precision = match column.ty {
            21 => Some(16),
            23 => Some(32),
            20 => Some(64),
            700 => Some(24),
            701 => Some(53),
            1700 => Some((column.modifier - 4) >> 16),
            _ => None,
        };
        let radix = precision.map(|_| if column.ty == 1700 { 10 } else { 2 });
        let scale = match column.ty {
            20 | 21 | 23 => Some(0),
            1700 => Some((column.modifier - 4) & 0xffff),
            _ => None,
        };
        let times = match column.ty {
            1082 => Some(0),
            1083 | 1114 => Some(6),
            _ => None,
        };
        vec![
            ("table_catalog", facts.about.database.as_str().into()),
            ("table_schema", "public".into()),
            ("table_name", known.name.as_str().into()),
            ("column_name", column.name.as_str().into()),
            ("ordinal_position", (number as i32 + 1).into()),
            ("is_nullable", "YES".into()),
            (
                "data_type",
                built_in.map_or("USER-DEFINED", |ty| ty.spelled).into(),
            ),
            ("character_maximum_length", Cell::Null),
            ("character_octet_length", Cell::Null),
            ("numeric_precision", precision.into()),
            ("numeric_precision_radix", radix.into()),
            ("numeric_scale", scale.into()),
            ("datetime_precision", times.into()),
            ("udt_catalog", facts.about.database.as_str().into()),
            ("udt_schema", schema.into()),
            ("udt_name", own),
            ("is_identity", "NO".into()),
            ("is_generated", "NEVER".into()),
        ]
    };
    let all = named(facts).flat_map(|known| {
        let columns = known.columns.iter().enumerate();
        columns.map(move |(number, column)| row(known, number, column))
    });
    all.collect()
}

/// The words that are no names without quotes.
pub(super) fn keywords(_: &Facts) -> Vec<Row> {
    let both = RESERVED_FOR_COLUMN_ALIAS
        .iter()
        .chain(RESERVED_FOR_TABLE_ALIAS);
    let words: BTreeSet<String> = both
        .map(|word| format!("{word:?}").to_lowercase())
        .collect();
    let row = |word: String| {
        vec![
            ("word", word.as_str().into()),
            ("catcode", "R".into()),
            ("catdesc", "reserved".into()),
        ]
    };
    words.into_iter().map(row).collect()
}
