use profile_export::platform::{expression_schema, policy_of_segment, segment};
use profile_export::request::{IdentityGraphType, MergePolicy};
use profile_export::segment::{Expression, ExpressionError, Segment};
use profile_export::store::Store;
use profile_export::xdm::Class;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::problem::{Answer, Problem, if_there};

/// What the expression of a preview is called where segments are told apart.
const UNNAMED: &str = "(preview)";

/// An expression whose people are looked for.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PreviewBody {
    /// The expression: PQL, or a string that holds its JSON.
    #[schema(value_type = String)]
    predicate_expression: Value,
    /// Its form; pql/text where it is missing. As in definitions, what does not begin with { is text.
    #[serde(default)]
    #[schema(nullable = false)]
    predicate_type: Option<PredicateType>,
    /// The class that it is about: _xdm.context.profile.
    #[serde(default)]
    #[schema(nullable = false)]
    predicate_model: Option<String>,
    /// The identity graph of the built-in merge policy that it is evaluated with; simple is none. Where neither it nor
    /// mergePolicyId is there, the default merge policy counts.
    #[serde(default)]
    #[schema(nullable = false)]
    graph_type: Option<GraphType>,
    /// Another merge policy instead.
    #[serde(default)]
    #[schema(nullable = false)]
    merge_policy_id: Option<String>,
    /// What older clients send; it says nothing.
    #[serde(default, rename = "mergeStrategy")]
    #[schema(nullable = false)]
    _merge_strategy: Option<MergeStrategy>,
}

#[derive(Deserialize, ToSchema)]
enum PredicateType {
    #[serde(rename = "pql/text")]
    Text,
    #[serde(rename = "pql/json")]
    Json,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum GraphType {
    None,
    Pdg,
    Simple,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum MergeStrategy {
    Simple,
}

impl PreviewBody {
    /// The expression as a segment, and the merge policy that it is evaluated with.
    ///
    /// # Errors
    /// Another class; an expression that can't be read, or does not fit the store's schema; segments and merge policies
    /// that there are not.
    pub(crate) fn resolve(&self, store: &Store) -> Answer<(Segment, MergePolicy)> {
        let class = Class::Profile.schema_name();
        if let Some(other) = self.predicate_model.as_deref().filter(|it| *it != class) {
            return Err(Problem::bad_request(format!(
                "predicateModel: found {other:?}; allowed is {class:?}"
            )));
        }
        Ok((self.segment(store)?, self.policy(store)?))
    }

    /// How long its expression is, in bytes.
    pub(crate) fn size(&self) -> usize {
        match &self.predicate_expression {
            Value::String(text) => text.len(),
            nodes => nodes.to_string().len(),
        }
    }

    fn segment(&self, store: &Store) -> Answer<Segment> {
        let refused =
            |problem: String| Problem::bad_request(format!("predicateExpression: {problem}"));
        let told = |error: ExpressionError| refused(error.to_string());
        if matches!(self.predicate_type, None | Some(PredicateType::Text))
            && !self.predicate_expression.is_string()
        {
            return Err(refused(
                "found no string; allowed is PQL, or predicateType \"pql/json\" beside JSON"
                    .to_owned(),
            ));
        }
        let expression = Expression::from_json(&self.predicate_expression).map_err(told)?;
        let schema = expression_schema(store.catalog())?;
        let checked = expression.check(&schema).map_err(told)?;
        for id in checked.segments() {
            if if_there(segment(store.catalog(), id))?.is_none() {
                return Err(refused(format!("no segment {id:?}")));
            }
        }
        Ok(Segment::new(UNNAMED, checked))
    }

    fn policy(&self, store: &Store) -> Answer<MergePolicy> {
        let graph = self.graph_type.map(|graph| match graph {
            GraphType::None | GraphType::Simple => IdentityGraphType::None,
            GraphType::Pdg => IdentityGraphType::Pdg,
        });
        if self.merge_policy_id.is_none()
            && let Some(graph) = graph
        {
            let mut built_in = MergePolicy::built_in().into_iter();
            let policy = built_in.find(|policy| policy.identity_graph.kind == graph);
            return policy.ok_or_else(|| Problem::internal(&"no built-in policy has that graph"));
        }
        let id = self.merge_policy_id.as_deref();
        let policy = policy_of_segment(store.catalog(), id, None)?;
        match graph {
            Some(graph) if policy.identity_graph.kind != graph => {
                Err(Problem::bad_request(format!(
                    "graphType: the merge policy {:?} has another; leave it out",
                    policy.id
                )))
            }
            _ => Ok(policy),
        }
    }
}
