//! The dialect's functions: their names, and those of our own behind them.
//!
//! DataFusion asks a function of ours for its type when it plans the call; so what a step of a path or a cast means
//! follows from the types of its arguments, within lambdas, too.

mod access;
mod cast;
mod collections;
mod dates;
mod java_time;
mod lambdas;
mod lists;
mod maps;
mod names;
mod numbers;
mod pattern;
mod regex;
mod regex_java;
mod rows;
mod text;
mod zones;

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderUDF, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, TypeSignature, Volatility,
};

pub(super) use cast::Target;
pub use cast::{double_text, float_text};
pub(super) use names::{Aggregate, Kind, kind};

use super::error::{Code, Error};

/// What a function is asked for its type with.
struct Asked<'a> {
    name: &'a str,
    /// Plain types of the arguments.
    types: &'a [DataType],
    /// Those that are constants.
    constants: &'a [Option<&'a ScalarValue>],
}

impl Asked<'_> {
    /// The text that an argument is.
    fn text(&self, number: usize) -> Option<&str> {
        self.constants
            .get(number)
            .copied()
            .flatten()
            .and_then(|value| value.try_as_str().flatten())
    }

    /// Spark takes some words for times where they are constants, and for nothing elsewhere. Texts that it reads and
    /// this dialect doesn't are refused where they are constants, too.
    fn no_word_for_a_time(&self, number: usize) -> Result<()> {
        let word = self.text(number).map(|text| text.trim().to_lowercase());
        match word.as_deref() {
            Some(word @ ("now" | "today" | "yesterday" | "tomorrow" | "epoch")) => {
                Err(Error::unsupported(format!(
                    "The word '{word}' for a time (current_date and current_timestamp are known)"
                ))
                .into())
            }
            _ => match self.text(number).filter(|text| java_time::unread(text)) {
                Some(text) => Err(Error::unsupported(format!(
                    "The text '{text}' for a time (a year of four digits goes first)"
                ))
                .into()),
                None => Ok(()),
            },
        }
    }

    /// The type of an argument.
    fn of(&self, number: usize) -> Result<&DataType> {
        match self.types.get(number) {
            Some(data_type) => Ok(data_type),
            None => exec_err!("{} has no argument {}", self.name, number + 1),
        }
    }

    /// A refusal: what the function takes, and what it got.
    fn refused<T>(&self, takes: &str) -> Result<T> {
        let types: Vec<_> = self.types.iter().map(spelled).collect();
        let name = self.name.strip_prefix("spark_").unwrap_or(self.name);
        let message = format!("{name}({}): it takes {takes}", types.join(", "));
        Err(Error::new(Code::DatatypeMismatch, message).into())
    }
}

/// What a function is called with: plain arrays of as many rows.
struct Called<'a> {
    name: &'a str,
    args: &'a [ArrayRef],
    rows: usize,
    /// Of the result.
    data_type: &'a DataType,
}

impl Called<'_> {
    fn arg(&self, number: usize) -> Result<&ArrayRef> {
        match self.args.get(number) {
            Some(array) => Ok(array),
            None => exec_err!("{} has no argument {}", self.name, number + 1),
        }
    }
}

/// A scalar function of ours.
#[derive(Debug)]
struct Function {
    name: &'static str,
    signature: Signature,
    data_type: fn(&Asked<'_>) -> Result<DataType>,
    values: fn(&Called<'_>) -> Result<ArrayRef>,
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

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        exec_err!("{} is asked for its field", self.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<_> = args
            .arg_fields
            .iter()
            .map(|field| plain_type(field.data_type()))
            .collect();
        let asked = Asked {
            name: self.name,
            types: &types,
            constants: args.scalar_arguments,
        };
        Ok(Arc::new(Field::new(
            self.name,
            (self.data_type)(&asked)?,
            true,
        )))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let arrays = args
            .args
            .iter()
            .map(|arg| plain(&arg.to_array(rows)?))
            .collect::<Result<Vec<_>>>()?;
        let data_type = args.return_field.data_type();
        let values = (self.values)(&Called {
            name: self.name,
            args: &arrays,
            rows,
            data_type,
        })?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &values, 0,
            )?));
        }
        Ok(ColumnarValue::Array(values))
    }
}

/// A row of the table of functions.
type Row = (
    &'static str,
    fn(&Asked<'_>) -> Result<DataType>,
    fn(&Called<'_>) -> Result<ArrayRef>,
);

static SCALARS: LazyLock<HashMap<&'static str, Arc<ScalarUDF>>> = LazyLock::new(|| {
    let tables = [
        access::FUNCTIONS,
        cast::FUNCTIONS,
        collections::FUNCTIONS,
        dates::FUNCTIONS,
        lists::FUNCTIONS,
        maps::FUNCTIONS,
        numbers::FUNCTIONS,
        regex::FUNCTIONS,
        rows::FUNCTIONS,
        text::FUNCTIONS,
    ];
    tables
        .into_iter()
        .flatten()
        .map(|&(name, data_type, values)| {
            let signature = Signature::one_of(
                vec![TypeSignature::VariadicAny, TypeSignature::Nullary],
                Volatility::Immutable,
            );
            (
                name,
                Arc::new(ScalarUDF::new_from_impl(Function {
                    name,
                    signature,
                    data_type,
                    values,
                })),
            )
        })
        .collect()
});

/// The scalar function of ours of that name.
pub(super) fn scalar(name: &str) -> Option<Arc<ScalarUDF>> {
    SCALARS.get(name).cloned()
}

/// The function of ours of that name that takes lambdas.
pub(super) fn higher_order(name: &str) -> Option<Arc<HigherOrderUDF>> {
    lambdas::function(name)
}

/// Texts are plain, times are in microseconds of UTC; the rest stays as it is.
pub(super) fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::Timestamp(..) => timestamp(),
        DataType::Date64 => DataType::Date32,
        DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => DataType::Float64,
        DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            DataType::List(Arc::clone(field))
        }
        other => other.clone(),
    }
}

fn plain(array: &ArrayRef) -> Result<ArrayRef> {
    let wanted = plain_type(array.data_type());
    if wanted == *array.data_type() {
        return Ok(Arc::clone(array));
    }
    Ok(datafusion::arrow::compute::cast(array, &wanted)?)
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn list(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

/// A type in the dialect's words.
fn spelled(data_type: &DataType) -> String {
    match plain_type(data_type) {
        DataType::Utf8 => "string".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "int".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float32 => "float".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::Null => "null".to_owned(),
        DataType::List(field) => format!("array<{}>", spelled(field.data_type())),
        DataType::Struct(fields) => {
            let fields: Vec<_> = fields
                .iter()
                .map(|field| format!("{}:{}", field.name(), spelled(field.data_type())))
                .collect();
            format!("struct<{}>", fields.join(","))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => {
                let types: Vec<_> = fields
                    .iter()
                    .map(|field| spelled(field.data_type()))
                    .collect();
                format!("map<{}>", types.join(","))
            }
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}
