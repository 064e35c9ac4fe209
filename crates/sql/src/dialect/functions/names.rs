//! The functions that statements can name, and what is behind each.

use super::Target;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) enum Kind {
    /// A function of ours, or one of DataFusion's that does the same as Spark's.
    Scalar {
        name: &'static str,
        least: usize,
        most: usize,
    },
    /// One of ours that takes lambdas.
    Lambda {
        name: &'static str,
        least: usize,
        most: usize,
    },
    Aggregate(Aggregate),
    /// `ordered`: it needs an ORDER BY; `whole`: it gives a whole number.
    Window {
        name: &'static str,
        least: usize,
        most: usize,
        ordered: bool,
        whole: bool,
    },
    /// `int(x)`
    Cast(Target),
    /// `named_struct('a', 1)`
    Struct,
    If,
    NullIf,
    IfNotNull,
    IsNull(bool),
    /// `table_exists('t')`
    Exists,
}

/// Functions over many rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) enum Aggregate {
    Count,
    CountDistinct,
    CountIf,
    /// Of numbers; of texts that are numbers.
    Number(&'static str),
    Plain(&'static str),
    /// The first or last, nulls included unless it is told to ignore them.
    First(&'static str),
    /// A list of all that are not null; `set`: of those that differ.
    Collect {
        set: bool,
    },
}

impl Aggregate {
    /// How many arguments it takes.
    pub(in super::super) fn arguments(self) -> (usize, usize) {
        match self {
            Self::Count => (1, usize::MAX),
            _ => (1, 1),
        }
    }
}

const MANY: usize = usize::MAX;

fn scalar(name: &'static str, least: usize, most: usize) -> Kind {
    Kind::Scalar { name, least, most }
}

/// The function of that name in lower case.
pub(in super::super) fn kind(name: &str) -> Option<Kind> {
    conditional(name)
        .or_else(|| aggregate(name).map(Kind::Aggregate))
        .or_else(|| window(name))
        .or_else(|| collection(name))
        .or_else(|| text(name))
        .or_else(|| time(name))
        .or_else(|| number(name))
}

fn conditional(name: &str) -> Option<Kind> {
    Some(match name {
        "if" | "iff" => Kind::If,
        "nvl" | "ifnull" => scalar("spark_coalesce", 2, 2),
        "coalesce" => scalar("spark_coalesce", 1, MANY),
        "nvl2" => Kind::IfNotNull,
        "nullif" => Kind::NullIf,
        "isnull" => Kind::IsNull(true),
        "isnotnull" => Kind::IsNull(false),
        "named_struct" => Kind::Struct,
        "table_exists" => Kind::Exists,
        "string" | "boolean" | "tinyint" | "smallint" | "int" | "bigint" | "float" | "double"
        | "date" | "timestamp" => Kind::Cast(Target::named(name)?),
        _ => return None,
    })
}

fn aggregate(name: &str) -> Option<Aggregate> {
    Some(match name {
        "count" => Aggregate::Count,
        "approx_count_distinct" => Aggregate::CountDistinct,
        "count_if" => Aggregate::CountIf,
        "sum" => Aggregate::Number("sum"),
        "avg" | "mean" => Aggregate::Number("avg"),
        "min" => Aggregate::Plain("min"),
        "max" => Aggregate::Plain("max"),
        "bool_and" | "every" => Aggregate::Plain("bool_and"),
        "bool_or" | "any" | "some" => Aggregate::Plain("bool_or"),
        "first" | "first_value" | "any_value" => Aggregate::First("first_value"),
        "last" | "last_value" => Aggregate::First("last_value"),
        "collect_list" | "array_agg" => Aggregate::Collect { set: false },
        "collect_set" => Aggregate::Collect { set: true },
        _ => return None,
    })
}

fn window(name: &str) -> Option<Kind> {
    let rank = |name, least| Kind::Window {
        name,
        least,
        most: least,
        ordered: true,
        whole: true,
    };
    Some(match name {
        "row_number" => rank("row_number", 0),
        "rank" => rank("rank", 0),
        "dense_rank" => rank("dense_rank", 0),
        "ntile" => rank("ntile", 1),
        "percent_rank" => Kind::Window {
            name: "percent_rank",
            least: 0,
            most: 0,
            ordered: true,
            whole: false,
        },
        "cume_dist" => Kind::Window {
            name: "cume_dist",
            least: 0,
            most: 0,
            ordered: true,
            whole: false,
        },
        "lag" => Kind::Window {
            name: "lag",
            least: 1,
            most: 3,
            ordered: true,
            whole: false,
        },
        "lead" => Kind::Window {
            name: "lead",
            least: 1,
            most: 3,
            ordered: true,
            whole: false,
        },
        _ => return None,
    })
}

fn collection(name: &str) -> Option<Kind> {
    let lambda = |name, least, most| Kind::Lambda { name, least, most };
    Some(match name {
        "transform" => lambda("spark_transform", 2, 2),
        "filter" => lambda("spark_filter", 2, 2),
        "exists" => lambda("spark_exists", 2, 2),
        "forall" => lambda("spark_forall", 2, 2),
        "aggregate" | "reduce" => lambda("spark_aggregate", 3, 4),
        "zip_with" => lambda("spark_zip_with", 3, 3),
        "size" | "cardinality" => scalar("spark_size", 1, 1),
        "array_size" => scalar("spark_array_size", 1, 1),
        "element_at" | "try_element_at" => scalar("spark_element_at", 2, 2),
        "get" => scalar("spark_array_get", 2, 2),
        "array" => scalar("spark_array", 0, MANY),
        "array_contains" => scalar("spark_array_contains", 2, 2),
        "array_distinct" => scalar("spark_array_distinct", 1, 1),
        "array_join" => scalar("spark_array_join", 2, 3),
        "array_max" => scalar("spark_array_max", 1, 1),
        "array_min" => scalar("spark_array_min", 1, 1),
        "array_position" => scalar("spark_array_position", 2, 2),
        "sort_array" => scalar("spark_sort_array", 1, 2),
        "flatten" => scalar("spark_flatten", 1, 1),
        "slice" => scalar("spark_slice", 3, 3),
        "map" => scalar("spark_map", 0, MANY),
        "map_keys" => scalar("spark_map_keys", 1, 1),
        "map_values" => scalar("spark_map_values", 1, 1),
        "map_entries" => scalar("spark_map_entries", 1, 1),
        "map_from_entries" => scalar("spark_map_from_entries", 1, 1),
        "map_from_arrays" => scalar("spark_map_from_arrays", 2, 2),
        "map_concat" => scalar("spark_map_concat", 1, MANY),
        "map_contains_key" => scalar("spark_map_contains_key", 2, 2),
        _ => return None,
    })
}

fn text(name: &str) -> Option<Kind> {
    Some(match name {
        "length" | "char_length" | "character_length" | "len" => scalar("spark_length", 1, 1),
        "lower" | "lcase" => scalar("spark_lower", 1, 1),
        "upper" | "ucase" => scalar("spark_upper", 1, 1),
        "trim" => scalar("spark_trim", 1, 1),
        "btrim" => scalar("spark_trim", 1, 2),
        "ltrim" => scalar("spark_ltrim", 1, 1),
        "rtrim" => scalar("spark_rtrim", 1, 1),
        "concat" => scalar("spark_concat", 1, MANY),
        "concat_ws" => scalar("spark_concat_ws", 1, MANY),
        "substring" | "substr" => scalar("spark_substring", 2, 3),
        "left" => scalar("spark_left", 2, 2),
        "right" => scalar("spark_right", 2, 2),
        "replace" => scalar("spark_replace", 2, 3),
        "reverse" => scalar("spark_reverse", 1, 1),
        "repeat" => scalar("spark_repeat", 2, 2),
        "lpad" => scalar("spark_lpad", 2, 3),
        "rpad" => scalar("spark_rpad", 2, 3),
        "instr" => scalar("spark_instr", 2, 2),
        "locate" | "position" => scalar("spark_locate", 2, 2),
        "startswith" => scalar("spark_startswith", 2, 2),
        "endswith" => scalar("spark_endswith", 2, 2),
        "contains" => scalar("spark_contains", 2, 2),
        "split" => scalar("spark_split", 2, 3),
        "rlike" | "regexp" | "regexp_like" => scalar("spark_rlike", 2, 2),
        "regexp_replace" => scalar("spark_regexp_replace", 3, 3),
        "regexp_extract" => scalar("spark_regexp_extract", 2, 3),
        "regexp_extract_all" => scalar("spark_regexp_extract_all", 2, 3),
        "regexp_count" => scalar("spark_regexp_count", 2, 2),
        _ => return None,
    })
}

fn time(name: &str) -> Option<Kind> {
    Some(match name {
        "year" => scalar("spark_year", 1, 1),
        "quarter" => scalar("spark_quarter", 1, 1),
        "month" => scalar("spark_month", 1, 1),
        "day" | "dayofmonth" => scalar("spark_day", 1, 1),
        "dayofweek" => scalar("spark_dayofweek", 1, 1),
        "weekday" => scalar("spark_weekday", 1, 1),
        "dayofyear" => scalar("spark_dayofyear", 1, 1),
        "week" | "weekofyear" => scalar("spark_weekofyear", 1, 1),
        "hour" => scalar("spark_hour", 1, 1),
        "minute" => scalar("spark_minute", 1, 1),
        "second" => scalar("spark_second", 1, 1),
        "last_day" => scalar("spark_last_day", 1, 1),
        "date_add" | "dateadd" => scalar("spark_date_add", 2, 2),
        "date_sub" => scalar("spark_date_sub", 2, 2),
        "add_months" => scalar("spark_add_months", 2, 2),
        "datediff" | "date_diff" => scalar("spark_datediff", 2, 2),
        "date_trunc" => scalar("spark_date_trunc", 2, 2),
        "trunc" => scalar("spark_trunc", 2, 2),
        "date_format" => scalar("spark_date_format", 2, 2),
        "to_date" => scalar("spark_to_date", 1, 2),
        "to_timestamp" => scalar("spark_to_timestamp", 1, 2),
        "unix_timestamp" | "to_unix_timestamp" => scalar("spark_unix_timestamp", 1, 2),
        "from_unixtime" => scalar("spark_from_unixtime", 1, 2),
        "from_utc_timestamp" => scalar("spark_from_utc_timestamp", 2, 2),
        "to_utc_timestamp" => scalar("spark_to_utc_timestamp", 2, 2),
        "current_date" | "curdate" => scalar("current_date", 0, 0),
        "current_timestamp" | "now" => scalar("now", 0, 0),
        _ => return None,
    })
}

fn number(name: &str) -> Option<Kind> {
    Some(match name {
        "abs" => scalar("spark_abs", 1, 1),
        "ceil" | "ceiling" => scalar("spark_ceil", 1, 1),
        "floor" => scalar("spark_floor", 1, 1),
        "round" => scalar("spark_round", 1, 2),
        "sqrt" => scalar("spark_sqrt", 1, 1),
        "pow" | "power" => scalar("spark_power", 2, 2),
        "mod" => scalar("spark_modulo", 2, 2),
        "greatest" => scalar("greatest", 2, MANY),
        "least" => scalar("least", 2, MANY),
        _ => return None,
    })
}
