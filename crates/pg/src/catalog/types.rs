//! The types that the catalog tells of.

use arrow::datatypes::DataType;

use crate::value::Pg;

/// A type of PostgreSQL's own.
pub(super) struct BuiltIn {
    pub(super) oid: u32,
    pub(super) name: &'static str,
    /// As statements spell it.
    pub(super) spelled: &'static str,
    /// In bytes; -1 where values differ, -2 for a text with a zero behind it.
    pub(super) size: i32,
    pub(super) category: &'static str,
    /// `b` for base types, `p` for pseudo types.
    pub(super) kind: &'static str,
    /// Of the lists of it; 0 without.
    pub(super) list: u32,
    /// What its functions for input, output, receiving and sending begin with.
    pub(super) functions: &'static str,
}

macro_rules! types {
    ($($oid:literal $name:literal $spelled:literal $size:literal $category:literal $kind:literal $list:literal $functions:literal;)*) => {
        &[$(BuiltIn {
            oid: $oid, name: $name, spelled: $spelled, size: $size, category: $category, kind: $kind, list: $list,
            functions: $functions,
        }),*]
    };
}

/// Those that values here have, and those that clients look for by name.
pub(super) const ALL: &[BuiltIn] = types! {
    16 "bool" "boolean" 1 "B" "b" 1000 "bool";
    17 "bytea" "bytea" -1 "U" "b" 1001 "bytea";
    18 "char" "\"char\"" 1 "S" "b" 1002 "char";
    19 "name" "name" 64 "S" "b" 1003 "name";
    20 "int8" "bigint" 8 "N" "b" 1016 "int8";
    21 "int2" "smallint" 2 "N" "b" 1005 "int2";
    23 "int4" "integer" 4 "N" "b" 1007 "int4";
    24 "regproc" "regproc" 4 "N" "b" 1008 "regproc";
    25 "text" "text" -1 "S" "b" 1009 "text";
    26 "oid" "oid" 4 "N" "b" 1028 "oid";
    114 "json" "json" -1 "U" "b" 199 "json_";
    700 "float4" "real" 4 "N" "b" 1021 "float4";
    701 "float8" "double precision" 8 "N" "b" 1022 "float8";
    705 "unknown" "unknown" -2 "X" "p" 0 "unknown";
    1042 "bpchar" "character" -1 "S" "b" 1014 "bpchar";
    1043 "varchar" "character varying" -1 "S" "b" 1015 "varchar";
    1082 "date" "date" 4 "D" "b" 1182 "date_";
    1083 "time" "time without time zone" 8 "D" "b" 1183 "time_";
    1114 "timestamp" "timestamp without time zone" 8 "D" "b" 1115 "timestamp_";
    1184 "timestamptz" "timestamp with time zone" 8 "D" "b" 1185 "timestamptz_";
    1186 "interval" "interval" 16 "T" "b" 1187 "interval_";
    1700 "numeric" "numeric" -1 "N" "b" 1231 "numeric_";
    2249 "record" "record" -1 "P" "p" 0 "record_";
    2277 "anyarray" "anyarray" -1 "P" "p" 0 "anyarray_";
    2950 "uuid" "uuid" 16 "U" "b" 2951 "uuid_";
    3802 "jsonb" "jsonb" -1 "U" "b" 3807 "jsonb_";
    16380 "anymap" "anymap" -1 "P" "p" 0 "anymap_";
};

/// A list of anything, as the platform calls it.
pub(super) const ANY_LIST: u32 = 2277;
/// A map.
pub(super) const ANY_MAP: u32 = 16380;

/// Which type a column has that is no object.
pub(super) fn plain(ty: &DataType) -> u32 {
    match ty {
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => ANY_LIST,
        DataType::Map(..) => ANY_MAP,
        DataType::Dictionary(_, value) => plain(value),
        ty => Pg::of(ty).oid(),
    }
}

pub(super) fn by_oid(oid: u32) -> Option<&'static BuiltIn> {
    ALL.iter().find(|ty| ty.oid == oid)
}

/// By either of its names, without case.
pub(super) fn by_name(name: &str) -> Option<u32> {
    let name = name.trim().to_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    if let Some(item) = name.strip_suffix("[]") {
        let item = by_oid(by_name(item)?)?;
        return (item.list > 0).then_some(item.list);
    }
    let all = ALL.iter();
    let lists = all.clone().filter(|ty| ty.list > 0);
    let mut lists = lists.filter(|ty| name.strip_prefix('_') == Some(ty.name));
    let other = match name {
        "int" => Some(23),
        "decimal" => Some(1700),
        "float" => Some(701),
        "string" => Some(25),
        _ => None,
    };
    let mut named = all.filter(|ty| ty.name == name || ty.spelled == name);
    named
        .next()
        .map(|ty| ty.oid)
        .or(other)
        .or_else(|| lists.next().map(|ty| ty.list))
}

/// As statements spell it, with its modifier.
pub(super) fn spelled(oid: u32, modifier: Option<i32>) -> Option<String> {
    if let Some(ty) = by_oid(oid) {
        return Some(match (oid, modifier) {
            (1700, Some(modifier)) if modifier >= 4 => {
                let modifier = modifier - 4;
                format!("numeric({},{})", modifier >> 16, modifier & 0xffff)
            }
            (1042 | 1043, Some(modifier)) if modifier >= 4 => {
                format!("{}({})", ty.spelled, modifier - 4)
            }
            _ => ty.spelled.to_owned(),
        });
    }
    let item = ALL.iter().find(|ty| ty.list == oid)?;
    Some(format!("{}[]", item.spelled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_both_names_and_lists_by_theirs() {
        assert_eq!(by_name("INT4"), Some(23));
        assert_eq!(by_name("pg_catalog.double precision"), Some(701));
        assert_eq!(by_name("_text"), Some(1009));
        assert_eq!(by_name("text[]"), Some(1009));
        assert_eq!(by_name("hstore"), None);
        assert_eq!(spelled(1009, None).as_deref(), Some("text[]"));
        assert_eq!(
            spelled(1700, Some((10 << 16) + 2 + 4)).as_deref(),
            Some("numeric(10,2)")
        );
        assert_eq!(spelled(1, None), None);
    }

    #[test]
    fn no_two_types_are_one() {
        let mut oids: Vec<u32> = ALL
            .iter()
            .flat_map(|ty| [ty.oid, ty.list])
            .filter(|oid| *oid > 0)
            .collect();
        let count = oids.len();
        oids.sort_unstable();
        oids.dedup();
        assert_eq!(oids.len(), count);
    }
}
