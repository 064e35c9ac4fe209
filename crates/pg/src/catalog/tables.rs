//! The tables of `pg_catalog` and `information_schema`, as PostgreSQL 9.6 has them, with what there is in them here.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use sql::VERSION;

use super::empty::{EMPTY, EMPTY_INFORMATION};
use super::facts::{Facts, INFORMATION_SCHEMA, Kind, OWNER, PG_CATALOG, PUBLIC};
use super::rows::{attributes, classes, information_columns, keywords, named, roles, type_rows};
use super::sheet::{Cell, Row, sheet};

/// The number of the database that a session is in.
pub(super) const DATABASE: u32 = 16_000;

type Make = fn(&Facts) -> Vec<Row>;

const FILLED: &[(&str, &str, Make)] = &[
    (
        "pg_attribute",
        "attrelid:o attname:t atttypid:o attstattarget:i attlen:s attnum:s attndims:i attcacheoff:i atttypmod:i attbyval:b attstorage:t attalign:t attnotnull:b atthasdef:b atthasmissing:b attidentity:t attgenerated:t attisdropped:b attislocal:b attinhcount:i attcollation:o attcompression:t attacl:a attoptions:a attfdwoptions:a",
        attributes,
    ),
    (
        "pg_class",
        "oid:o relname:t relnamespace:o reltype:o reloftype:o relowner:o relam:o relfilenode:o reltablespace:o relpages:i reltuples:f relallvisible:i reltoastrelid:o relhasindex:b relisshared:b relpersistence:t relkind:t relnatts:s relchecks:s relhasoids:b relhaspkey:b relhasrules:b relhastriggers:b relhassubclass:b relrowsecurity:b relforcerowsecurity:b relispopulated:b relreplident:t relispartition:b relfrozenxid:o relminmxid:o relacl:a reloptions:a relpartbound:t",
        classes,
    ),
    (
        "pg_database",
        "oid:o datname:t datdba:o encoding:i datlocprovider:t datcollate:t datctype:t datistemplate:b datallowconn:b datconnlimit:i datlastsysoid:o datfrozenxid:o datminmxid:o dattablespace:o datacl:a",
        |facts| {
            vec![vec![
                ("oid", DATABASE.into()),
                ("datname", facts.about.database.as_str().into()),
                ("datdba", OWNER.into()),
                ("encoding", 6.into()),
                ("datlocprovider", "c".into()),
                ("datcollate", "C".into()),
                ("datctype", "C".into()),
                ("datallowconn", true.into()),
                ("datconnlimit", (-1).into()),
                ("dattablespace", 1663.into()),
            ]]
        },
    ),
    (
        "pg_description",
        "objoid:o classoid:o objsubid:i description:t",
        |facts| {
            let told = facts
                .relations
                .iter()
                .filter_map(|known| Some((known.oid, known.description.as_deref()?)));
            told.map(|(oid, text)| {
                vec![
                    ("objoid", oid.into()),
                    ("classoid", 1259.into()),
                    ("description", text.into()),
                ]
            })
            .collect()
        },
    ),
    (
        "pg_namespace",
        "oid:o nspname:t nspowner:o nspacl:a",
        |_| {
            let all = [
                (PG_CATALOG, "pg_catalog"),
                (PUBLIC, "public"),
                (INFORMATION_SCHEMA, "information_schema"),
            ];
            all.map(|(oid, name)| {
                vec![
                    ("oid", oid.into()),
                    ("nspname", name.into()),
                    ("nspowner", OWNER.into()),
                ]
            })
            .to_vec()
        },
    ),
    ("pg_get_keywords", "word:t catcode:t catdesc:t", keywords),
    (
        "pg_roles",
        "oid:o rolname:t rolsuper:b rolinherit:b rolcreaterole:b rolcreatedb:b rolcanlogin:b rolreplication:b rolconnlimit:i rolpassword:t rolvaliduntil:t rolbypassrls:b rolconfig:a",
        roles,
    ),
    (
        "pg_authid",
        "oid:o rolname:t rolsuper:b rolinherit:b rolcreaterole:b rolcreatedb:b rolcanlogin:b rolreplication:b rolconnlimit:i rolpassword:t rolvaliduntil:t rolbypassrls:b",
        roles,
    ),
    (
        "pg_settings",
        "name:t setting:t unit:t category:t short_desc:t extra_desc:t context:t vartype:t source:t min_val:t max_val:t enumvals:a boot_val:t reset_val:t sourcefile:t sourceline:i pending_restart:b",
        |facts| {
            let all = facts.about.settings.iter();
            all.map(|(name, value)| {
                vec![
                    ("name", name.as_str().into()),
                    ("setting", value.as_str().into()),
                    ("context", "user".into()),
                    ("sourceline", Cell::Null),
                ]
            })
            .collect()
        },
    ),
    (
        "pg_tables",
        "schemaname:t tablename:t tableowner:t tablespace:t hasindexes:b hasrules:b hastriggers:b rowsecurity:b",
        |facts| {
            let all = named(facts).filter(|known| known.kind == Kind::Table);
            all.map(|known| {
                vec![
                    ("schemaname", "public".into()),
                    ("tablename", known.name.as_str().into()),
                    ("tableowner", facts.about.org.as_str().into()),
                ]
            })
            .collect()
        },
    ),
    (
        "pg_tablespace",
        "oid:o spcname:t spcowner:o spcacl:a spcoptions:a",
        |_| {
            vec![vec![
                ("oid", 1663.into()),
                ("spcname", "pg_default".into()),
                ("spcowner", OWNER.into()),
            ]]
        },
    ),
    (
        "pg_type",
        "oid:o typname:t typnamespace:o typowner:o typlen:s typbyval:b typtype:t typcategory:t typispreferred:b typisdefined:b typdelim:t typrelid:o typelem:o typarray:o typinput:t typoutput:t typreceive:t typsend:t typmodin:t typmodout:t typanalyze:t typalign:t typstorage:t typnotnull:b typbasetype:o typtypmod:i typndims:i typcollation:o typdefaultbin:t typdefault:t typacl:a",
        type_rows,
    ),
    (
        "pg_user",
        "usename:t usesysid:o usecreatedb:b usesuper:b userepl:b usebypassrls:b passwd:t valuntil:t useconfig:a",
        |facts| {
            vec![vec![
                ("usename", facts.about.org.as_str().into()),
                ("usesysid", OWNER.into()),
            ]]
        },
    ),
    (
        "pg_views",
        "schemaname:t viewname:t viewowner:t definition:t",
        |facts| {
            let all = named(facts).filter(|known| known.kind == Kind::View);
            all.map(|known| {
                vec![
                    ("schemaname", "public".into()),
                    ("viewname", known.name.as_str().into()),
                    ("viewowner", facts.about.org.as_str().into()),
                    ("definition", known.definition.clone().into()),
                ]
            })
            .collect()
        },
    ),
];

const FILLED_INFORMATION: &[(&str, &str, Make)] = &[
    (
        "columns",
        "table_catalog:t table_schema:t table_name:t column_name:t ordinal_position:i column_default:t is_nullable:t data_type:t character_maximum_length:i character_octet_length:i numeric_precision:i numeric_precision_radix:i numeric_scale:i datetime_precision:i interval_type:t collation_name:t domain_name:t udt_catalog:t udt_schema:t udt_name:t is_identity:t is_generated:t generation_expression:t is_updatable:t",
        information_columns,
    ),
    (
        "schemata",
        "catalog_name:t schema_name:t schema_owner:t default_character_set_name:t sql_path:t",
        |facts| {
            let all = ["information_schema", "pg_catalog", "public"];
            all.map(|name| {
                vec![
                    ("catalog_name", facts.about.database.as_str().into()),
                    ("schema_name", name.into()),
                    ("schema_owner", facts.about.org.as_str().into()),
                ]
            })
            .to_vec()
        },
    ),
    (
        "tables",
        "table_catalog:t table_schema:t table_name:t table_type:t is_insertable_into:t is_typed:t commit_action:t",
        |facts| {
            named(facts)
                .map(|known| {
                    let ty = if known.kind == Kind::View {
                        "VIEW"
                    } else {
                        "BASE TABLE"
                    };
                    vec![
                        ("table_catalog", facts.about.database.as_str().into()),
                        ("table_schema", "public".into()),
                        ("table_name", known.name.as_str().into()),
                        ("table_type", ty.into()),
                        ("is_typed", "NO".into()),
                    ]
                })
                .collect()
        },
    ),
    (
        "views",
        "table_catalog:t table_schema:t table_name:t view_definition:t check_option:t is_updatable:t",
        |facts| {
            let all = named(facts).filter(|known| known.kind == Kind::View);
            all.map(|known| {
                vec![
                    ("table_catalog", facts.about.database.as_str().into()),
                    ("table_schema", "public".into()),
                    ("table_name", known.name.as_str().into()),
                    ("view_definition", known.definition.clone().into()),
                    ("check_option", "NONE".into()),
                    ("is_updatable", "NO".into()),
                ]
            })
            .collect()
        },
    ),
];

/// Whether a table of the catalog has never a row.
pub(super) fn is_empty(schema: &str, name: &str) -> bool {
    let (empty, _) = of(schema);
    empty.iter().any(|(own, _)| *own == name)
}

/// The names of a schema's tables.
pub(super) fn names(schema: &str) -> Vec<&'static str> {
    let (empty, filled) = of(schema);
    let empty = empty.iter().map(|(name, _)| *name);
    empty.chain(filled.iter().map(|(name, ..)| *name)).collect()
}

/// The names of a table's columns.
pub(super) fn columns(schema: &str, name: &str) -> Option<Vec<&'static str>> {
    let (empty, filled) = of(schema);
    let empty = empty.iter().map(|(own, columns)| (*own, *columns));
    let mut all = empty.chain(filled.iter().map(|(own, columns, _)| (*own, *columns)));
    let (_, columns) = all.find(|(own, _)| *own == name)?;
    let columns = columns.split_whitespace();
    Some(
        columns
            .filter_map(|column| column.split_once(':'))
            .map(|(name, _)| name)
            .collect(),
    )
}

/// A table; `None` where there is none.
pub(super) fn table(
    schema: &str,
    name: &str,
    facts: &Facts,
) -> Option<Result<RecordBatch, ArrowError>> {
    let (empty, filled) = of(schema);
    if let Some((_, columns)) = empty.iter().find(|(own, _)| *own == name) {
        return Some(sheet(columns, &[]));
    }
    let (_, columns, rows) = filled.iter().find(|(own, ..)| *own == name)?;
    Some(sheet(columns, &rows(facts)))
}

type All = (
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str, Make)],
);

fn of(schema: &str) -> All {
    match schema {
        "pg_catalog" => (EMPTY, FILLED),
        "information_schema" => (EMPTY_INFORMATION, FILLED_INFORMATION),
        _ => (&[], &[]),
    }
}

/// What `version()` says: what clients take for PostgreSQL, and what it is.
pub(super) fn version() -> String {
    format!(
        "PostgreSQL {VERSION} (Profile Export {})",
        env!("CARGO_PKG_VERSION")
    )
}
