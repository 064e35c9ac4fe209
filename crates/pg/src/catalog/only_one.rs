//! The value of a query that stands for one.

use std::sync::Arc;

use arrow::array::{Array as _, AsArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use crate::refusal::Refusal;

/// `only_one(list)`: the item of a list of one, null of a list of none.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct OnlyOne(Signature);

impl OnlyOne {
    pub(super) fn new() -> Self {
        Self(Signature::any(1, Volatility::Immutable))
    }
}

impl ScalarUDFImpl for OnlyOne {
    fn name(&self) -> &str {
        "only_one"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match args {
            [DataType::List(item)] => Ok(item.data_type().clone()),
            _ => Err(DataFusionError::Plan("only_one takes a list".to_owned())),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let lists = arrays.first().and_then(|array| array.as_list_opt::<i32>());
        let Some(lists) = lists else {
            return Err(DataFusionError::Plan("only_one takes a list".to_owned()));
        };
        let mut places = Vec::with_capacity(lists.len());
        for row in 0..lists.len() {
            let of = |row: usize| u64::try_from(lists.value_offsets()[row]);
            let (start, end) = (of(row), of(row + 1));
            let (Ok(start), Ok(end)) = (start, end) else {
                return Err(DataFusionError::Internal(
                    "a list before its start".to_owned(),
                ));
            };
            places.push(match end - start {
                _ if lists.is_null(row) => None,
                0 => None,
                1 => Some(start),
                _ => {
                    let message = "more than one row of a query that stands for a value";
                    let refusal = Refusal::new("21000", message);
                    return Err(DataFusionError::External(Box::new(refusal)));
                }
            });
        }
        let items = take(lists.values(), &UInt64Array::from(places), None)?;
        Ok(ColumnarValue::Array(Arc::clone(&items)))
    }
}
