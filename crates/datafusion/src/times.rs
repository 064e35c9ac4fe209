//! Conditions that bound a time.

use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use profile_export::export::TimeRange;

/// What a condition says of a column of times: `timestamp >= …`, `BETWEEN … AND …`; `None` where it says something else. Rows
/// that it does not take may be in the range, too.
pub(crate) fn time_of(condition: &Expr, schema: &SchemaRef) -> Option<TimeRange> {
    let range = |column: usize, first: i64, last: i64| TimeRange {
        column,
        first,
        last,
    };
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (column, op, (floor, ceiling)) = match (column(left, schema), moment(right)) {
                (Some(column), Some(moment)) => (column, *op, moment),
                _ => (column(right, schema)?, op.swap()?, moment(left)?),
            };
            match op {
                Operator::Eq => Some(range(column, floor, ceiling)),
                Operator::Gt | Operator::GtEq => Some(range(column, floor, i64::MAX)),
                Operator::Lt | Operator::LtEq => Some(range(column, i64::MIN, ceiling)),
                _ => None,
            }
        }
        Expr::Between(Between {
            expr,
            negated: false,
            low,
            high,
        }) => {
            let ((first, _), (_, last)) = (moment(low)?, moment(high)?);
            Some(range(column(expr, schema)?, first, last))
        }
        _ => None,
    }
}

/// The number of the column that an expression is, if that has times. A cast to another zone of the same unit leaves them as they
/// are: none of a column has no zone.
fn column(expression: &Expr, schema: &SchemaRef) -> Option<usize> {
    let is_time = |ty: &DataType| matches!(ty, DataType::Timestamp(TimeUnit::Microsecond, _));
    match expression {
        Expr::Column(column) => {
            let (number, field) = schema.column_with_name(&column.name)?;
            is_time(field.data_type()).then_some(number)
        }
        Expr::Cast(cast)
            if is_time(cast.field.data_type()) && matches!(*cast.expr, Expr::Column(_)) =>
        {
            column(&cast.expr, schema)
        }
        _ => None,
    }
}

/// A constant time in microseconds since 1970: the last one that is not later, and the first that is not earlier.
fn moment(expression: &Expr) -> Option<(i64, i64)> {
    let Expr::Literal(value, _) = expression else {
        return None;
    };
    match value {
        ScalarValue::TimestampSecond(Some(at), _) => {
            let at = at.checked_mul(1_000_000)?;
            Some((at, at))
        }
        ScalarValue::TimestampMillisecond(Some(at), _) => {
            let at = at.checked_mul(1_000)?;
            Some((at, at))
        }
        ScalarValue::TimestampMicrosecond(Some(at), _) => Some((*at, *at)),
        ScalarValue::TimestampNanosecond(Some(at), _) => {
            let floor = at.div_euclid(1_000);
            Some((floor, floor + i64::from(at.rem_euclid(1_000) > 0)))
        }
        _ => None,
    }
}
