//! Integers in columns: which fit, which widen, and which are lost in a float64.

use std::sync::Arc;

use arrow::array::{ArrayRef, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Int8Type, Int16Type, Int32Type, Int64Type};
use xdm::FieldType;

use crate::decimal::Decimal;
use crate::selection::ColumnTerms;
use crate::value::{Kind, RecordError};

/// The integer that a column of type `ty` takes, or `None` where the value is no integer but the
/// column may widen to float64.
pub(crate) fn integer(
    ty: &mut FieldType,
    kind: Kind<'_>,
    terms: &ColumnTerms,
) -> Result<Option<i64>, RecordError> {
    let misfit = |ty: &FieldType| {
        Err(RecordError::new(format!(
            "{kind} does not fit the field's type {ty}"
        )))
    };
    let (low, high) = match ty {
        FieldType::Byte => (i8::MIN.into(), i8::MAX.into()),
        FieldType::Short => (i16::MIN.into(), i16::MAX.into()),
        FieldType::Int => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    };
    let fixed = is_fixed(ty);
    let value = match kind {
        Kind::Integer(i) => i,
        // JSON knows one kind of number: 5.0 is an integer where a schema asks for one.
        Kind::Float(x) if fixed && x.fract() == 0.0 && x.abs() <= 9_007_199_254_740_992.0 => {
            x as i64
        }
        Kind::Float(_) if !fixed && !matches!(ty, FieldType::Long { wide: true, .. }) => {
            return Ok(None);
        }
        Kind::Float(_) | Kind::Large(_) => return misfit(ty),
        _ => {
            return Err(RecordError::new(format!("expected a number, found {kind}")));
        }
    };
    if value < low || value > high {
        return misfit(ty);
    }
    if let FieldType::Long { wide, .. } = ty
        && !*wide
        && !is_exact(value.into())
    {
        *wide = true;
        terms.grow();
    }
    Ok(Some(value))
}

/// Whether an integer field takes no fractions: a schema declares it.
pub(crate) fn is_fixed(ty: &FieldType) -> bool {
    !matches!(
        ty,
        FieldType::Long {
            declared: false,
            ..
        }
    )
}

/// The integer or float64 that a decimal is. Whole ones are integers where their type has no
/// fractions, or where the field takes none.
pub(crate) fn number(decimal: Decimal, fixed: bool) -> Result<Kind<'static>, RecordError> {
    let integer = || {
        decimal
            .integer()
            .filter(|_| fixed || decimal.is_integer_type())
    };
    let float = || decimal.float().filter(|_| !decimal.is_integer_type());
    integer()
        .or_else(|| float().map(Kind::Float))
        .ok_or_else(|| {
            let lack = match decimal.is_integer_type() {
                true => "does not fit 64 bits",
                false => "is not exactly a double",
            };
            RecordError::new(format!(
                "the decimal {decimal} {lack}; a field that is declared a string takes it"
            ))
        })
}

/// Whether a float64 holds exactly this integer.
pub(crate) fn is_exact(i: i128) -> bool {
    i.unsigned_abs() <= 1 << 53 || (i as f64) as i128 == i
}

pub(crate) fn integers(values: Vec<i64>, ty: &FieldType, nulls: Option<NullBuffer>) -> ArrayRef {
    // Each value was checked against the type's range when it came in.
    match ty {
        FieldType::Byte => Arc::new(PrimitiveArray::<Int8Type>::new(
            values.iter().map(|v| *v as i8).collect(),
            nulls,
        )),
        FieldType::Short => Arc::new(PrimitiveArray::<Int16Type>::new(
            values.iter().map(|v| *v as i16).collect(),
            nulls,
        )),
        FieldType::Int => Arc::new(PrimitiveArray::<Int32Type>::new(
            values.iter().map(|v| *v as i32).collect(),
            nulls,
        )),
        _ => Arc::new(PrimitiveArray::<Int64Type>::new(values.into(), nulls)),
    }
}
