//! Types.

use arrow::datatypes::{DataType, Schema};

use crate::refusal::{PROTOCOL, Refusal};
use crate::wire::Column;

/// The types of PostgreSQL that values are sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pg {
    Bool,
    Bytea,
    Int8,
    Int2,
    Int4,
    Text,
    Oid,
    Float4,
    Float8,
    Date,
    Time,
    Timestamp,
    Numeric,
}

impl Pg {
    /// What values of an Arrow type are sent as. Lists, maps and objects are texts.
    pub(crate) fn of(ty: &DataType) -> Self {
        match ty {
            DataType::Boolean => Self::Bool,
            DataType::Int8 | DataType::UInt8 | DataType::Int16 => Self::Int2,
            DataType::UInt16 | DataType::Int32 => Self::Int4,
            // Of the catalog alone; the dialect has no such numbers.
            DataType::UInt32 => Self::Oid,
            DataType::Int64 | DataType::UInt64 => Self::Int8,
            DataType::Float16 | DataType::Float32 => Self::Float4,
            DataType::Float64 => Self::Float8,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            // The platform tells no zone: its times are UTC, as these are.
            DataType::Timestamp(..) => Self::Timestamp,
            DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..) => Self::Numeric,
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Self::Bytea,
            _ => Self::Text,
        }
    }

    pub(crate) fn oid(self) -> u32 {
        match self {
            Self::Bool => 16,
            Self::Bytea => 17,
            Self::Int8 => 20,
            Self::Int2 => 21,
            Self::Int4 => 23,
            Self::Text => 25,
            Self::Oid => 26,
            Self::Float4 => 700,
            Self::Float8 => 701,
            Self::Date => 1082,
            Self::Time => 1083,
            Self::Timestamp => 1114,
            Self::Numeric => 1700,
        }
    }

    /// In bytes; -1 where values differ.
    pub(crate) fn size(self) -> i16 {
        match self {
            Self::Bool => 1,
            Self::Int2 => 2,
            Self::Int4 | Self::Oid | Self::Float4 | Self::Date => 4,
            Self::Int8 | Self::Float8 | Self::Time | Self::Timestamp => 8,
            Self::Bytea | Self::Text | Self::Numeric => -1,
        }
    }
}

/// Precision and scale of a decimal, as PostgreSQL packs them.
pub(crate) fn modifier(ty: &DataType) -> i32 {
    match ty {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale)
            if *scale >= 0 =>
        {
            ((i32::from(*precision) << 16) | i32::from(*scale)) + 4
        }
        _ => -1,
    }
}

/// The columns of rows, in the formats that are asked for: none for texts, one for all, or one each.
///
/// # Errors
///
/// There are more formats than one, and others than columns.
pub(crate) fn columns(schema: &Schema, binary: &[bool]) -> Result<Vec<Column>, Refusal> {
    let fields = schema.fields();
    if binary.len() > 1 && binary.len() != fields.len() {
        let message = format!("{} formats for {} columns", binary.len(), fields.len());
        return Err(Refusal::new(PROTOCOL, message));
    }
    let is_binary = |at: usize| match binary {
        [] => false,
        [all] => *all,
        each => each[at],
    };
    let all = fields.iter().enumerate().map(|(at, field)| {
        let ty = Pg::of(field.data_type());
        Column {
            name: field.name().clone(),
            oid: ty.oid(),
            size: ty.size(),
            modifier: modifier(field.data_type()),
            binary: is_binary(at),
        }
    });
    Ok(all.collect())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn one_format_is_for_all_columns_and_several_are_one_each() {
        let fields = ["a", "b"].map(|name| Field::new(name, DataType::Int64, true));
        let schema = Schema::new(fields.to_vec());
        let binary = |formats: &[bool]| -> Option<Vec<bool>> {
            let columns = columns(&schema, formats).ok()?;
            Some(columns.iter().map(|column| column.binary).collect())
        };
        assert_eq!(binary(&[]), Some(vec![false, false]));
        assert_eq!(binary(&[true]), Some(vec![true, true]));
        assert_eq!(binary(&[false, true]), Some(vec![false, true]));
        assert_eq!(binary(&[false, true, true]), None);
    }

    #[test]
    fn a_decimal_tells_its_precision_and_scale() {
        assert_eq!(modifier(&DataType::Decimal128(10, 2)), (10 << 16) + 2 + 4);
        assert_eq!(modifier(&DataType::Int64), -1);
    }
}
