//! Which expressions are meant, and how they are evaluated.

use profile_export::platform::{
    Audience, expression_of, has_expression, policy_id, policy_of_segment, segment, segment_id,
    segments as list_segments,
};
use profile_export::request::MergePolicy;
use profile_export::segment::{Checked, Expression, ExpressionError, Schema, Segment};
use profile_export::store::Store;
use profile_export::xdm::Timestamp;
use serde_json::Value;

use crate::args::EvaluationArgs;
use crate::audience::start;
use crate::failure::Failure;

/// What an expression that stands in no definition is called.
pub const UNNAMED: &str = "(expression)";

/// An expression, and the definition that it is of, if it is of one.
pub struct Wanted {
    pub id: String,
    pub name: String,
    pub definition: Option<Value>,
    pub expression: Expression,
}

impl Wanted {
    /// What was read of an expression that stands in no definition.
    pub fn unnamed(read: Result<Expression, ExpressionError>) -> Result<Self, Failure> {
        Ok(Self {
            id: UNNAMED.to_owned(),
            name: UNNAMED.to_owned(),
            definition: None,
            expression: read.map_err(|error| refused(UNNAMED, &error))?,
        })
    }

    pub fn of_definition(definition: Value) -> Result<Self, Failure> {
        let text = |name: &str| {
            definition
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let id = text("id").unwrap_or_else(|| UNNAMED.to_owned());
        Ok(Self {
            name: text("name").unwrap_or_else(|| id.clone()),
            expression: expression_of(&definition)
                .map_err(|error| Failure::usage(format!("segment {id}: {error}")))?,
            id,
            definition: Some(definition),
        })
    }

    pub fn of_definitions(
        store: &Store,
        wanted: &[String],
        all: bool,
    ) -> Result<Vec<Self>, Failure> {
        let catalog = store.catalog();
        let definitions: Vec<Value> = match all {
            // One without an expression stands for memberships that data brings along.
            true => {
                let all = list_segments(catalog)?.into_iter();
                all.filter(has_expression).collect()
            }
            false => {
                let ids = wanted
                    .iter()
                    .map(|name| segment_id(catalog, name, "--segment"));
                let found = ids.map(|id| segment(catalog, &id?));
                found.collect::<Result<_, _>>()?
            }
        };
        definitions.into_iter().map(Self::of_definition).collect()
    }

    pub fn checked(&self, schema: &Schema) -> Result<Checked, Failure> {
        self.expression
            .check(schema)
            .map_err(|error| refused(&self.name, &error))
    }

    pub fn segment(&self, schema: &Schema) -> Result<Audience, Failure> {
        let segment = Segment::new(self.id.clone(), self.checked(schema)?);
        Ok(match &self.definition {
            Some(definition) => Audience::of_definition(segment, definition),
            None => segment.into(),
        })
    }

    pub fn policy(&self, store: &Store, at: &EvaluationArgs) -> Result<MergePolicy, Failure> {
        let catalog = store.catalog();
        let asked = at.merge_policy.as_deref();
        let asked = asked
            .map(|name| policy_id(catalog, name, "--merge-policy"))
            .transpose()?;
        Ok(policy_of_segment(
            catalog,
            asked.as_deref(),
            self.definition.as_ref(),
        )?)
    }
}

fn refused(whose: &str, error: &ExpressionError) -> Failure {
    Failure::usage(match whose {
        UNNAMED => error.to_string(),
        whose => format!("segment {whose}: {error}"),
    })
}

/// The moment that expressions are evaluated at: this one, if none is asked for.
pub fn now(asked: Option<&str>) -> Result<Timestamp, Failure> {
    let asked = start("--now", asked)?;
    Ok(asked
        .and_then(|text| Timestamp::parse(&text))
        .unwrap_or_else(Timestamp::now))
}
