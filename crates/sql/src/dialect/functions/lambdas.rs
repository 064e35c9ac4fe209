//! Functions that take lambdas: `transform(list, x -> …)` and its like.
//!
//! A lambda is evaluated over the elements of all lists at once; columns that it names are repeated for each element.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Int32Array, ListArray, UInt64Array,
    new_null_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{interleave, take, take_arrays};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature,
    HigherOrderTypeSignature, HigherOrderUDF, HigherOrderUDFImpl, LambdaArgument,
    LambdaParametersProgress, ValueOrLambda, Volatility,
};

use super::super::error::{Code, Error};
use super::access::span;
use super::{plain, plain_type};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Transform,
    Filter,
    Exists,
    ForAll,
    Aggregate,
    ZipWith,
}

static FUNCTIONS: LazyLock<HashMap<&'static str, Arc<HigherOrderUDF>>> = LazyLock::new(|| {
    let all = [
        ("spark_transform", Kind::Transform),
        ("spark_filter", Kind::Filter),
        ("spark_exists", Kind::Exists),
        ("spark_forall", Kind::ForAll),
        ("spark_aggregate", Kind::Aggregate),
        ("spark_zip_with", Kind::ZipWith),
    ];
    all.into_iter()
        .map(|(name, kind)| {
            let signature = HigherOrderSignature::new(
                HigherOrderTypeSignature::VariadicAny,
                Volatility::Immutable,
            );
            (
                name,
                Arc::new(HigherOrderUDF::new_from_impl(Function {
                    name,
                    kind,
                    signature,
                })),
            )
        })
        .collect()
});

/// The function of that name.
pub(super) fn function(name: &str) -> Option<Arc<HigherOrderUDF>> {
    FUNCTIONS.get(name).cloned()
}

#[derive(Debug)]
struct Function {
    name: &'static str,
    kind: Kind,
    signature: HigherOrderSignature,
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

impl Function {
    fn refused<T>(&self, takes: &str) -> Result<T> {
        let name = self.name.strip_prefix("spark_").unwrap_or(self.name);
        Err(Error::new(Code::DatatypeMismatch, format!("{name} takes {takes}")).into())
    }

    fn element<'f, L>(
        &self,
        field: Option<&'f ValueOrLambda<FieldRef, L>>,
    ) -> Result<&'f FieldRef> {
        match field {
            Some(ValueOrLambda::Value(field)) => match field.data_type() {
                DataType::List(element) => Ok(element),
                _ => self.refused("a list and a lambda"),
            },
            _ => self.refused("a list and a lambda"),
        }
    }
}

fn nullable(data_type: &DataType) -> FieldRef {
    Arc::new(Field::new("", data_type.clone(), true))
}

/// Of a start and what a step gives: numbers are the wider of the two.
fn accumulated(start: &DataType, step: Option<&DataType>) -> DataType {
    let start = plain_type(start);
    match step.map(plain_type) {
        None => start,
        Some(step) if start == DataType::Null => step,
        Some(step) if start.is_integer() && step.is_integer() => DataType::Int64,
        Some(step) if start.is_numeric() && step.is_numeric() && start != step => DataType::Float64,
        Some(_) => start,
    }
}

impl HigherOrderUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn lambda_parameters(
        &self,
        _: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        let element = nullable(self.element(fields.first())?.data_type());
        let index = nullable(&DataType::Int32);
        Ok(match (self.kind, fields) {
            (Kind::Transform | Kind::Filter, [_, ValueOrLambda::Lambda(_)]) => {
                LambdaParametersProgress::Complete(vec![vec![element, index]])
            }
            (Kind::Exists | Kind::ForAll, [_, ValueOrLambda::Lambda(_)]) => {
                LambdaParametersProgress::Complete(vec![vec![element]])
            }
            (Kind::ZipWith, [_, _, ValueOrLambda::Lambda(_)]) => {
                let other = nullable(self.element(fields.get(1))?.data_type());
                LambdaParametersProgress::Complete(vec![vec![element, other]])
            }
            (Kind::Aggregate, [_, ValueOrLambda::Value(start), ValueOrLambda::Lambda(merge)])
            | (
                Kind::Aggregate,
                [
                    _,
                    ValueOrLambda::Value(start),
                    ValueOrLambda::Lambda(merge),
                    ValueOrLambda::Lambda(_),
                ],
            ) => {
                // What a step gives may be wider than the start, and then it is a step's argument, too.
                let merged = merge.as_ref().map(|field| field.data_type());
                let state = nullable(&accumulated(start.data_type(), merged));
                let finish = fields.len() == 4;
                if merged.is_none() {
                    let mut all = vec![Some(vec![state, element])];
                    if finish {
                        all.push(None);
                    }
                    LambdaParametersProgress::Partial(all)
                } else {
                    let mut all = vec![vec![Arc::clone(&state), element]];
                    if finish {
                        all.push(vec![state]);
                    }
                    LambdaParametersProgress::Complete(all)
                }
            }
            (Kind::Aggregate, _) => {
                return self
                    .refused("a list, a start, (state, element) -> …, and state -> … if need be");
            }
            (Kind::ZipWith, _) => return self.refused("two lists and (a, b) -> …"),
            _ => return self.refused("a list and a lambda"),
        })
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs<'_>) -> Result<FieldRef> {
        let lambda = |number: usize| match args.arg_fields.get(number) {
            Some(ValueOrLambda::Lambda(field)) => Ok(field.data_type().clone()),
            _ => self.refused("a lambda"),
        };
        let truth = |data_type: DataType| match data_type {
            DataType::Boolean | DataType::Null => Ok(()),
            _ => self.refused("a lambda that gives true or false"),
        };
        let data_type = match self.kind {
            Kind::Transform => super::list(lambda(1)?),
            Kind::ZipWith => super::list(lambda(2)?),
            Kind::Filter => {
                truth(lambda(1)?)?;
                super::list(self.element(args.arg_fields.first())?.data_type().clone())
            }
            Kind::Exists | Kind::ForAll => {
                truth(lambda(1)?)?;
                DataType::Boolean
            }
            Kind::Aggregate => {
                let ValueOrLambda::Value(start) = &args.arg_fields[1] else {
                    return self.refused("a start");
                };
                let state = accumulated(start.data_type(), Some(&lambda(2)?));
                let merged = plain_type(&lambda(2)?);
                let fits = merged == state
                    || merged == DataType::Null
                    || merged.is_numeric() && state.is_numeric();
                if !fits {
                    return self.refused("a lambda whose results are of the type of the start");
                }
                if args.arg_fields.len() == 4 {
                    lambda(3)?
                } else {
                    state
                }
            }
        };
        Ok(nullable(&data_type))
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let mut values = Vec::new();
        let mut lambdas = Vec::new();
        for arg in &args.args {
            match arg {
                ValueOrLambda::Value(value) => values.push(plain(&value.to_array(rows)?)?),
                ValueOrLambda::Lambda(lambda) => lambdas.push(lambda),
            }
        }
        let data_type = args.return_field.data_type();
        let (Some(list), Some(lambda)) = (values.first(), lambdas.first()) else {
            return exec_err!("{} takes a list and a lambda", self.name);
        };
        if *list.data_type() == DataType::Null {
            return Ok(ColumnarValue::Array(new_null_array(data_type, rows)));
        }
        let lists = list.as_list::<i32>();
        let array = match self.kind {
            Kind::Transform => transform(lists, lambda, data_type)?,
            Kind::Filter => filter(lists, lambda, data_type)?,
            Kind::Exists => quantified(lists, lambda, true)?,
            Kind::ForAll => quantified(lists, lambda, false)?,
            Kind::Aggregate => {
                let start = &values[1];
                aggregate(
                    lists,
                    start,
                    lambda,
                    lambdas.get(1).copied(),
                    &args,
                    data_type,
                )?
            }
            Kind::ZipWith => zip_with(lists, values[1].as_list::<i32>(), lambda, data_type)?,
        };
        Ok(ColumnarValue::Array(array))
    }
}

/// The elements of the lists that are no nulls, one behind the other, and the row of each.
struct Elements {
    values: ArrayRef,
    rows: UInt64Array,
    /// Places within their lists.
    places: ArrayRef,
    offsets: OffsetBuffer<i32>,
}

fn elements(lists: &ListArray) -> Result<Elements> {
    let spans: Vec<_> = (0..lists.len())
        .map(|row| {
            if lists.is_null(row) {
                0..0
            } else {
                span(lists.value_offsets(), row)
            }
        })
        .collect();
    let offsets = OffsetBuffer::from_lengths(spans.iter().map(ExactSizeIterator::len));
    let rows = spans
        .iter()
        .enumerate()
        .flat_map(|(row, span)| std::iter::repeat_n(row as u64, span.len()))
        .collect();
    let places: Int32Array = spans
        .iter()
        .flat_map(|span| (0..).take(span.len()))
        .map(Some)
        .collect();
    let order: UInt64Array = spans
        .into_iter()
        .flatten()
        .map(|at| Some(at as u64))
        .collect();
    Ok(Elements {
        values: take(lists.values(), &order, None)?,
        rows,
        places: Arc::new(places),
        offsets,
    })
}

fn evaluated(
    lambda: &LambdaArgument,
    parameters: &[ArrayRef],
    rows: &UInt64Array,
) -> Result<ArrayRef> {
    let length = rows.len();
    let parameters: Vec<_> = parameters
        .iter()
        .map(|array| move || Ok(Arc::clone(array)))
        .collect();
    let parameters: Vec<&dyn Fn() -> Result<ArrayRef>> = parameters
        .iter()
        .map(|parameter| parameter as &dyn Fn() -> Result<ArrayRef>)
        .collect();
    let value = lambda.evaluate(&parameters, |captured| {
        Ok(take_arrays(captured, rows, None)?)
    })?;
    value.into_array(length)
}

fn element_field(data_type: &DataType) -> Result<FieldRef> {
    match data_type {
        DataType::List(element) => Ok(Arc::clone(element)),
        other => exec_err!("{other} is no list"),
    }
}

fn transform(lists: &ListArray, lambda: &LambdaArgument, data_type: &DataType) -> Result<ArrayRef> {
    let all = elements(lists)?;
    let values = evaluated(lambda, &[all.values, all.places], &all.rows)?;
    Ok(Arc::new(ListArray::try_new(
        element_field(data_type)?,
        all.offsets,
        values,
        lists.nulls().cloned(),
    )?))
}

fn truths(array: &ArrayRef) -> Result<BooleanArray> {
    match array.data_type() {
        DataType::Boolean => Ok(array.as_boolean().clone()),
        _ => Ok(BooleanArray::new_null(array.len())),
    }
}

fn filter(lists: &ListArray, lambda: &LambdaArgument, data_type: &DataType) -> Result<ArrayRef> {
    let all = elements(lists)?;
    let kept = truths(&evaluated(
        lambda,
        &[Arc::clone(&all.values), all.places],
        &all.rows,
    )?)?;
    let is_kept = |at: usize| kept.is_valid(at) && kept.value(at);
    let lengths =
        (0..lists.len()).map(|row| span(&all.offsets, row).filter(|&at| is_kept(at)).count());
    let offsets = OffsetBuffer::from_lengths(lengths);
    let values = datafusion::arrow::compute::filter(&all.values, &kept)?;
    Ok(Arc::new(ListArray::try_new(
        element_field(data_type)?,
        offsets,
        values,
        lists.nulls().cloned(),
    )?))
}

/// Of an unknown element the answer is unknown, unless another one decides.
fn quantified(lists: &ListArray, lambda: &LambdaArgument, any: bool) -> Result<ArrayRef> {
    let all = elements(lists)?;
    let found = truths(&evaluated(lambda, &[all.values], &all.rows)?)?;
    let values: BooleanArray = (0..lists.len())
        .map(|row| {
            if lists.is_null(row) {
                return None;
            }
            let mut places = span(&all.offsets, row);
            if places
                .clone()
                .any(|at| found.is_valid(at) && found.value(at) == any)
            {
                return Some(any);
            }
            if places.any(|at| found.is_null(at)) {
                None
            } else {
                Some(!any)
            }
        })
        .collect();
    Ok(Arc::new(values))
}

/// Step by step: the first elements of all lists, then the second ones of those that have some …
fn aggregate(
    lists: &ListArray,
    start: &ArrayRef,
    merge: &LambdaArgument,
    finish: Option<&LambdaArgument>,
    args: &HigherOrderFunctionArgs,
    data_type: &DataType,
) -> Result<ArrayRef> {
    let merged = match args.arg_fields.get(2) {
        Some(ValueOrLambda::Lambda(field)) => field.data_type().clone(),
        _ => return exec_err!("aggregate takes a lambda"),
    };
    let state_type = accumulated(start.data_type(), Some(&merged));
    let all = elements(lists)?;
    let mut state = super::cast::to(start, &state_type)?;
    let longest = (0..lists.len())
        .map(|row| span(&all.offsets, row).len())
        .max()
        .unwrap_or(0);
    for step in 0..longest {
        let rows: Vec<usize> = (0..lists.len())
            .filter(|&row| span(&all.offsets, row).len() > step)
            .collect();
        let numbers: UInt64Array = rows.iter().map(|&row| Some(row as u64)).collect();
        let places: UInt64Array = rows
            .iter()
            .map(|&row| Some((span(&all.offsets, row).start + step) as u64))
            .collect();
        let parameters = [
            take(&state, &numbers, None)?,
            take(&all.values, &places, None)?,
        ];
        let next = super::cast::to(
            &plain(&evaluated(merge, &parameters, &numbers)?)?,
            &state_type,
        )?;
        let mut order: Vec<(usize, usize)> = (0..lists.len()).map(|row| (0, row)).collect();
        for (at, &row) in rows.iter().enumerate() {
            order[row] = (1, at);
        }
        state = interleave(&[state.as_ref(), next.as_ref()], &order)?;
    }
    if let Some(finish) = finish {
        let rows: UInt64Array = (0..lists.len() as u64).map(Some).collect();
        state = evaluated(finish, &[state], &rows)?;
    }
    let places: UInt64Array = (0..lists.len())
        .map(|row| lists.is_valid(row).then_some(row as u64))
        .collect();
    super::cast::to(&take(&state, &places, None)?, data_type)
}

/// The shorter list is filled up with nulls.
fn zip_with(
    left: &ListArray,
    right: &ListArray,
    lambda: &LambdaArgument,
    data_type: &DataType,
) -> Result<ArrayRef> {
    let nulls = NullBuffer::union(left.nulls(), right.nulls());
    let mut lengths = Vec::with_capacity(left.len());
    let (mut of_left, mut of_right, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..left.len() {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            lengths.push(0);
            continue;
        }
        let (a, b) = (
            span(left.value_offsets(), row),
            span(right.value_offsets(), row),
        );
        let length = a.len().max(b.len());
        lengths.push(length);
        for at in 0..length {
            of_left.push((at < a.len()).then_some((a.start + at) as u64));
            of_right.push((at < b.len()).then_some((b.start + at) as u64));
            rows.push(row as u64);
        }
    }
    let parameters = [
        take(left.values(), &UInt64Array::from(of_left), None)?,
        take(right.values(), &UInt64Array::from(of_right), None)?,
    ];
    let values = evaluated(lambda, &parameters, &UInt64Array::from(rows))?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(
        element_field(data_type)?,
        offsets,
        values,
        nulls,
    )?))
}
