use crate::schema::{Schema, Type};
use crate::typed::{Columns, Condition, Term, Test, Value};
use crate::{Error, Expression, check};

/// A segment's expression that fits a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    condition: Condition,
    segments: Vec<String>,
}

/// An expression that fits a schema and gives any value, for looking at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedValue {
    value: Value,
    segments: Vec<String>,
}

impl Expression {
    /// Holds the expression against a schema, as a segment: what it gives is true or false by coercion.
    ///
    /// # Errors
    /// A field that the schema doesn't have, a value of a type that can't stand in its place, a regular expression
    /// that can't be used, and what is for computed attributes only.
    pub fn check(&self, schema: &Schema) -> Result<Checked, Error> {
        let (condition, segments) = check::condition(self, schema)?;
        Ok(Checked {
            condition,
            segments,
        })
    }

    /// The same for an expression whose value is wanted.
    ///
    /// # Errors
    /// As [`Expression::check`].
    pub fn check_value(&self, schema: &Schema) -> Result<CheckedValue, Error> {
        let (value, segments) = check::value(self, schema)?;
        Ok(CheckedValue { value, segments })
    }
}

impl Checked {
    /// What is true for the people in the segment.
    #[must_use]
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Whether it is a number that is worked out, such as `xEvent.count()`: who has one is in, be it 0, and of a count that is
    /// everybody. A field that is a number is asked for by its name alone.
    #[must_use]
    pub fn is_number(&self) -> bool {
        let Test::Defined(value) = &*self.condition.test else {
            return false;
        };
        let is_field = matches!(*value.term, Term::Field(..) | Term::Get(..));
        matches!(value.ty, Type::Integer | Type::Double) && !is_field
    }

    /// The people in this segment who are not in the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let span = self.condition.span;
        let not = Condition::new(Test::Not(other.condition.clone()), other.condition.span);
        let both = Test::And(vec![self.condition.clone(), not]);
        let mut segments = self.segments.clone();
        for asked in &other.segments {
            if !segments.contains(asked) {
                segments.push(asked.clone());
            }
        }
        Self {
            condition: Condition::new(both, span),
            segments,
        }
    }

    /// The fields it reads.
    #[must_use]
    pub fn columns(&self) -> Columns {
        Columns::of_condition(&self.condition)
    }

    /// The IDs of the segments it asks for by `inSegment`, in order, each once.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.segments
    }
}

impl CheckedValue {
    /// What is worked out.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Its type.
    #[must_use]
    pub fn ty(&self) -> &Type {
        &self.value.ty
    }

    /// The fields it reads.
    #[must_use]
    pub fn columns(&self) -> Columns {
        Columns::of_value(&self.value)
    }

    /// The IDs of the segments it asks for by `inSegment`, in order, each once.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.segments
    }
}
