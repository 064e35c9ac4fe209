//! The functions that catalog queries call.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, ListBuilder, StringArray, StringBuilder, UInt32Array,
    new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

use super::facts::{Facts, Kind};
use super::{privileges, tables, types};
use crate::refusal::{NO_SETTING, Refusal};

/// Arguments of a call, of as many rows.
pub(super) struct Call<'a> {
    pub(super) facts: &'a Facts,
    pub(super) args: &'a [ArrayRef],
    rows: usize,
}

impl Call<'_> {
    /// An argument as numbers; none where there is no such argument.
    fn numbers(&self, at: usize) -> Result<Vec<Option<i64>>> {
        let Some(array) = self.args.get(at) else {
            return Ok(vec![None; self.rows]);
        };
        let array = cast(array, &DataType::Int64)?;
        Ok(array.as_primitive::<Int64Type>().iter().collect())
    }

    /// The same as texts.
    pub(super) fn texts(&self, at: usize) -> Result<Vec<Option<String>>> {
        let Some(array) = self.args.get(at) else {
            return Ok(vec![None; self.rows]);
        };
        let array = cast(array, &DataType::Utf8)?;
        let texts = array.as_string::<i32>().iter();
        Ok(texts.map(|text| text.map(str::to_owned)).collect())
    }

    fn same<T: Clone>(&self, value: T) -> Vec<T> {
        vec![value; self.rows]
    }

    /// Whether the thing of that number is one that a statement can name without its schema; null for what isn't there.
    fn visible(&self, is_known: impl Fn(&Facts, u32) -> bool) -> Result<ArrayRef> {
        let oids = self.numbers(0)?.into_iter().map(|oid| {
            let oid = u32::try_from(oid?).ok()?;
            is_known(self.facts, oid).then_some(true)
        });
        Ok(Arc::new(oids.collect::<BooleanArray>()))
    }
}

fn texts(values: impl IntoIterator<Item = Option<String>>) -> Result<ArrayRef> {
    Ok(Arc::new(values.into_iter().collect::<StringArray>()))
}

fn oids(values: impl IntoIterator<Item = Option<u32>>) -> Result<ArrayRef> {
    Ok(Arc::new(values.into_iter().collect::<UInt32Array>()))
}

pub(super) fn refused(code: &'static str, message: String) -> DataFusionError {
    DataFusionError::External(Box::new(Refusal::new(code, message)))
}

fn booleans(values: Vec<bool>) -> Result<ArrayRef> {
    Ok(Arc::new(BooleanArray::from(values)))
}

type Body = fn(&Call<'_>) -> Result<ArrayRef>;

/// The text that there never is one of: nothing here has defaults, keys, indexes, triggers.
fn nothing(call: &Call<'_>) -> Result<ArrayRef> {
    texts(call.same(None))
}

fn org(call: &Call<'_>) -> Result<ArrayRef> {
    texts(call.same(Some(call.facts.about.org.clone())))
}

fn database(call: &Call<'_>) -> Result<ArrayRef> {
    texts(call.same(Some(call.facts.about.database.clone())))
}

fn described(call: &Call<'_>) -> Result<ArrayRef> {
    let oids = call.numbers(0)?.into_iter();
    texts(oids.map(|oid| {
        let oid = u32::try_from(oid?).ok()?;
        call.facts.relation(oid)?.description.clone()
    }))
}

/// A size or a count that nobody tells.
fn unknown(call: &Call<'_>) -> Result<ArrayRef> {
    Ok(new_null_array(&DataType::Int64, call.rows))
}

/// Name, how many arguments it takes, whether its result is text, boolean, number of a thing, number or a list of texts,
/// and what it does.
const ALL: &[(&str, RangeInclusive<usize>, char, Body)] = &[
    ("col_description", 2..=2, 't', nothing),
    ("current_catalog", 0..=0, 't', database),
    ("current_database", 0..=0, 't', database),
    ("current_role", 0..=0, 't', org),
    ("current_schema", 0..=0, 't', |call| {
        texts(call.same(Some("public".to_owned())))
    }),
    ("current_schemas", 1..=1, 'a', |call| {
        let implicit = cast(&call.args[0], &DataType::Boolean)?;
        let mut lists = ListBuilder::new(StringBuilder::new());
        for implicit in implicit.as_boolean() {
            if implicit == Some(true) {
                lists.values().append_value("pg_catalog");
            }
            if implicit.is_some() {
                lists.values().append_value("public");
            }
            lists.append(implicit.is_some());
        }
        Ok(Arc::new(lists.finish()))
    }),
    ("current_setting", 1..=2, 't', |call| {
        let may_miss = call.texts(1)?.into_iter();
        let each = call.texts(0)?.into_iter().zip(may_miss);
        let each = each.map(|(name, may_miss)| {
            let Some(name) = name else {
                return Ok(None);
            };
            let mut all = call.facts.about.settings.iter();
            let found = all.find(|(own, _)| own.eq_ignore_ascii_case(&name));
            match found {
                Some((_, value)) => Ok(Some(value.clone())),
                None if may_miss.as_deref() == Some("true") => Ok(None),
                None => Err(refused(NO_SETTING, format!("there is no setting {name:?}"))),
            }
        });
        texts(each.collect::<Result<Vec<_>>>()?)
    }),
    ("current_user", 0..=0, 't', org),
    ("format_type", 2..=2, 't', |call| {
        let modifiers = call.numbers(1)?;
        let all = call.numbers(0)?.into_iter().zip(modifiers);
        texts(all.map(|(oid, modifier)| {
            let modifier = modifier.and_then(|modifier| i32::try_from(modifier).ok());
            Some(match u32::try_from(oid?).ok()? {
                0 => "-".to_owned(),
                oid => call
                    .facts
                    .spelled(oid, modifier)
                    .unwrap_or_else(|| "???".to_owned()),
            })
        }))
    }),
    ("has_any_column_privilege", 2..=3, 'b', privileges::on_table),
    ("has_column_privilege", 3..=4, 'b', privileges::on_column),
    (
        "has_database_privilege",
        2..=3,
        'b',
        privileges::on_database,
    ),
    ("has_schema_privilege", 2..=3, 'b', privileges::on_schema),
    ("has_table_privilege", 2..=3, 'b', privileges::on_table),
    ("obj_description", 1..=2, 't', described),
    ("pg_backend_pid", 0..=0, 'o', |call| {
        oids(call.same(u32::try_from(call.facts.about.process).ok()))
    }),
    ("pg_encoding_to_char", 1..=1, 't', |call| {
        let all = call.numbers(0)?.into_iter();
        texts(all.map(|number| Some(if number? == 6 { "UTF8" } else { "" }.to_owned())))
    }),
    ("pg_function_is_visible", 1..=1, 'b', |call| {
        call.visible(|_, _| false)
    }),
    ("pg_get_constraintdef", 1..=2, 't', nothing),
    ("pg_get_expr", 2..=3, 't', nothing),
    ("pg_get_indexdef", 1..=3, 't', nothing),
    ("pg_get_partkeydef", 1..=1, 't', nothing),
    ("pg_get_ruledef", 1..=2, 't', nothing),
    ("pg_get_serial_sequence", 2..=2, 't', nothing),
    ("pg_get_triggerdef", 1..=2, 't', nothing),
    ("pg_get_userbyid", 1..=1, 't', |call| {
        let all = call.numbers(0)?.into_iter();
        texts(all.map(|oid| {
            let is_org = oid? == i64::from(super::facts::OWNER);
            Some(if is_org {
                call.facts.about.org.clone()
            } else {
                format!("unknown (OID={})", oid?)
            })
        }))
    }),
    ("pg_get_viewdef", 1..=2, 't', |call| {
        let all = call.numbers(0)?.into_iter();
        texts(all.map(|oid| {
            call.facts
                .relation(u32::try_from(oid?).ok()?)?
                .definition
                .clone()
        }))
    }),
    ("pg_is_in_recovery", 0..=0, 'b', |call| {
        booleans(call.same(false))
    }),
    ("pg_is_other_temp_schema", 1..=1, 'b', |call| {
        booleans(call.same(false))
    }),
    ("pg_my_temp_schema", 0..=0, 'o', |call| {
        oids(call.same(Some(0)))
    }),
    ("pg_indexes_size", 1..=1, 'l', unknown),
    ("pg_relation_is_publishable", 1..=1, 'b', |call| {
        booleans(call.same(false))
    }),
    ("pg_relation_size", 1..=2, 'l', unknown),
    ("pg_stat_get_numscans", 1..=1, 'l', unknown),
    ("pg_table_is_visible", 1..=1, 'b', |call| {
        call.visible(|facts, oid| facts.relation(oid).is_some())
    }),
    ("pg_table_size", 1..=1, 'l', unknown),
    ("pg_tablespace_location", 1..=1, 't', |call| {
        texts(call.same(Some(String::new())))
    }),
    ("pg_total_relation_size", 1..=1, 'l', unknown),
    ("pg_type_is_visible", 1..=1, 'b', |call| {
        call.visible(|facts, oid| facts.spelled(oid, None).is_some())
    }),
    ("quote_ident", 1..=1, 't', |call| {
        let all = call.texts(0)?.into_iter();
        texts(all.map(|name| {
            let name = name?;
            let is_plain = !name.is_empty()
                && !name.starts_with(|one: char| one.is_ascii_digit())
                && name
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
            Some(if is_plain {
                name
            } else {
                format!("\"{}\"", name.replace('"', "\"\""))
            })
        }))
    }),
    ("regclass_text", 1..=1, 't', |call| {
        let all = call.numbers(0)?.into_iter();
        texts(all.map(|oid| {
            let oid = u32::try_from(oid?).ok()?;
            let known = call.facts.relation(oid);
            Some(known.map_or_else(|| oid.to_string(), |known| known.name.clone()))
        }))
    }),
    ("regtype_text", 1..=1, 't', |call| {
        let all = call.numbers(0)?.into_iter();
        texts(all.map(|oid| {
            let oid = u32::try_from(oid?).ok()?;
            Some(
                call.facts
                    .spelled(oid, None)
                    .unwrap_or_else(|| oid.to_string()),
            )
        }))
    }),
    ("session_user", 0..=0, 't', org),
    ("shobj_description", 2..=2, 't', nothing),
    ("to_regclass", 1..=1, 'o', |call| {
        let all = call.texts(0)?.into_iter();
        oids(all.map(|name| call.facts.oid_of(&name?)))
    }),
    ("to_regtype", 1..=1, 'o', |call| {
        let all = call.texts(0)?.into_iter();
        oids(all.map(|name| type_of(call.facts, &name?)))
    }),
    ("version", 0..=0, 't', |call| {
        texts(call.same(Some(tables::version())))
    }),
];

/// The number of a type by its name.
pub(super) fn type_of(facts: &Facts, name: &str) -> Option<u32> {
    let own = || {
        let mut all = facts.relations.iter();
        let bare = name.trim().trim_matches('"');
        all.find(|known| known.kind != Kind::View && known.name.eq_ignore_ascii_case(bare))
    };
    types::by_name(name).or_else(|| own().map(|known| known.row_type))
}

/// Whether a function of that name is one of these.
pub(super) fn is_known(name: &str) -> bool {
    ALL.iter().any(|(own, ..)| *own == name)
}

/// All of them, over what the catalog is about.
pub(super) fn all(facts: &Arc<Facts>) -> Vec<ScalarUDF> {
    let each = ALL.iter().map(|(name, arguments, result, body)| {
        ScalarUDF::new_from_impl(Function {
            name,
            arguments: arguments.clone(),
            signature: Signature::one_of(
                vec![TypeSignature::VariadicAny, TypeSignature::Nullary],
                Volatility::Stable,
            ),
            result: match result {
                't' => DataType::Utf8,
                'b' => DataType::Boolean,
                'o' => DataType::UInt32,
                'l' => DataType::Int64,
                _ => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
            },
            body: *body,
            facts: Arc::clone(facts),
        })
    });
    each.collect()
}

struct Function {
    name: &'static str,
    arguments: RangeInclusive<usize>,
    signature: Signature,
    result: DataType,
    body: Body,
    facts: Arc<Facts>,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        if !self.arguments.contains(&arguments.len()) {
            let message = format!(
                "there is no {}() of {} arguments",
                self.name,
                arguments.len()
            );
            return Err(refused("42883", message));
        }
        Ok(self.result.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = args.args.iter().map(|arg| arg.to_array(args.number_rows));
        let arrays: Vec<ArrayRef> = arrays.collect::<Result<_>>()?;
        let values = (self.body)(&Call {
            facts: &self.facts,
            args: &arrays,
            rows: args.number_rows,
        })?;
        Ok(ColumnarValue::Array(values))
    }
}
