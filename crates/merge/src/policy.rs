use serde::{Deserialize, Serialize};
use xdm::{Class, Dataset};

/// A merge policy, in the platform's JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MergePolicy {
    /// Given out where it is missing.
    #[serde(default)]
    pub id: String,
    /// What users call it.
    #[serde(default)]
    pub name: String,
    /// 1 when it is made; each update makes the next one.
    #[serde(default = "first_version")]
    pub version: i64,
    /// The class of the records that it merges.
    #[serde(default)]
    pub schema: SchemaName,
    /// Which identities are one person.
    #[serde(default)]
    pub identity_graph: IdentityGraph,
    /// Whose value wins.
    #[serde(default)]
    pub attribute_merge: AttributeMerge,
    /// Whether jobs that name no policy use it.
    #[serde(default)]
    pub default: bool,
    /// When this version was made: seconds since 1970.
    #[serde(default)]
    pub update_epoch: i64,
}

/// The name of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaName {
    /// Such as `_xdm.context.profile`.
    pub name: String,
}

/// Which identities are one person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityGraph {
    /// The kind of graph.
    #[serde(rename = "type")]
    pub kind: IdentityGraphType,
}

/// Kinds of identity graphs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityGraphType {
    /// Each primary identity is a person.
    #[default]
    None,
    /// Identities that occur together are one person (the private graph).
    Pdg,
}

impl IdentityGraphType {
    /// The platform's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pdg => "pdg",
        }
    }
}

/// Whose value wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeMerge {
    /// The kind of order.
    #[serde(rename = "type")]
    pub kind: AttributeMergeType,
    /// The datasets, best first; the ones that are not listed take no part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
}

/// Kinds of orders among fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttributeMergeType {
    /// The latest first.
    #[default]
    #[serde(rename = "timestampOrdered")]
    TimestampOrdered,
    /// By dataset.
    #[serde(rename = "dataSetPrecedence")]
    DataSetPrecedence,
}

impl Default for SchemaName {
    fn default() -> Self {
        Self {
            name: Class::Profile.schema_name().to_owned(),
        }
    }
}

fn first_version() -> i64 {
    1
}

impl MergePolicy {
    /// The policies that every store has: latest first, without and with the identity graph. The
    /// first is the default as long as no other is.
    #[must_use]
    pub fn built_in() -> [Self; 2] {
        [IdentityGraphType::None, IdentityGraphType::Pdg].map(|kind| {
            let word = kind.word();
            Self {
                id: format!("timestampOrdered-{word}-mp"),
                name: format!("Built in: latest first, identity graph {word}"),
                version: 1,
                schema: SchemaName::default(),
                identity_graph: IdentityGraph { kind },
                attribute_merge: AttributeMerge::default(),
                default: kind == IdentityGraphType::None,
                update_epoch: 0,
            }
        })
    }

    /// What is wrong with it, if anything.
    #[must_use]
    pub fn problem(&self) -> Option<PolicyProblem> {
        let problem = |path, text| Some(PolicyProblem { path, text });
        let class = Class::Profile.schema_name();
        if self.schema.name != class {
            let found = &self.schema.name;
            return problem(
                "schema.name",
                format!("found {found:?}; a merge policy is of {class:?}"),
            );
        }
        let path = "attributeMerge.order";
        let order = &self.attribute_merge.order;
        match self.attribute_merge.kind {
            AttributeMergeType::DataSetPrecedence if order.is_empty() => problem(
                path,
                "dataSetPrecedence needs the list of dataset IDs, best first".to_owned(),
            ),
            AttributeMergeType::TimestampOrdered if !order.is_empty() => {
                problem(path, "only dataSetPrecedence takes an order".to_owned())
            }
            _ if order.iter().any(|id| id == Dataset::EVALUATED_MEMBERSHIPS) => problem(
                path,
                "evaluated memberships take part in every policy, before all others: leave their dataset out".to_owned(),
            ),
            _ => order
                .iter()
                .enumerate()
                .find(|(i, id)| order.iter().take(*i).any(|earlier| earlier == *id))
                .and_then(|(_, id)| problem(path, format!("dataset {id} is listed twice"))),
        }
    }
}

/// What is wrong with a merge policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// The JSON path of the property.
    pub path: &'static str,
    /// What was found and what is allowed.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_policy_that_says_little_is_version_1_of_the_latest_first_without_a_graph() {
        let policy: MergePolicy =
            serde_json::from_value(json!({"name": "mine"})).expect("a policy");
        let whole = json!({
            "id": "",
            "name": "mine",
            "version": 1,
            "schema": {"name": "_xdm.context.profile"},
            "identityGraph": {"type": "none"},
            "attributeMerge": {"type": "timestampOrdered"},
            "default": false,
            "updateEpoch": 0,
        });
        assert_eq!(json!(policy), whole);
        assert_eq!(policy.problem(), None);
    }

    #[test]
    fn a_policy_in_json_reads_back_and_knows_no_other_words() {
        let text = json!({
            "id": "p",
            "name": "mine",
            "version": 3,
            "schema": {"name": "_xdm.context.profile"},
            "identityGraph": {"type": "pdg"},
            "attributeMerge": {"type": "dataSetPrecedence", "order": ["b", "a"]},
            "default": true,
            "updateEpoch": 7,
        });
        let policy: MergePolicy = serde_json::from_value(text.clone()).expect("a policy");
        assert_eq!(policy.identity_graph.kind, IdentityGraphType::Pdg);
        assert_eq!(json!(policy), text);
        for wrong in [
            json!({"attributeMerging": {}}),
            json!({"identityGraph": {"type": "coop"}}),
            json!({"attributeMerge": {"type": "dataSetPrecedence", "datasets": []}}),
            json!({"attributeMerge": {"type": "datasetPrecedence"}}),
        ] {
            serde_json::from_value::<MergePolicy>(wrong.clone()).expect_err(&wrong.to_string());
        }
    }

    #[test]
    fn a_policy_says_what_is_wrong_with_it() {
        let policy = |kind, order: &[&str]| MergePolicy {
            attribute_merge: AttributeMerge {
                kind,
                order: order.iter().map(|id| (*id).to_owned()).collect(),
            },
            ..MergePolicy::built_in()[0].clone()
        };
        let (by_time, by_dataset) = (
            AttributeMergeType::TimestampOrdered,
            AttributeMergeType::DataSetPrecedence,
        );
        let mut of_events = policy(by_time, &[]);
        of_events.schema.name = Class::Event.schema_name().to_owned();
        for (policy, problem) in [
            (policy(by_dataset, &[]), "needs the list of dataset IDs"),
            (
                policy(by_time, &["a"]),
                "only dataSetPrecedence takes an order",
            ),
            (
                policy(by_dataset, &["a", "b", "a"]),
                "dataset a is listed twice",
            ),
            (
                policy(by_dataset, &["a", Dataset::EVALUATED_MEMBERSHIPS]),
                "take part in every policy",
            ),
            (of_events, "found \"_xdm.context.experienceevent\""),
        ] {
            let found = policy.problem().expect(problem);
            assert!(found.text.contains(problem), "{found:?}");
            let is_of_class = found.text.contains("a merge policy is of");
            let path = if is_of_class {
                "schema.name"
            } else {
                "attributeMerge.order"
            };
            assert_eq!(found.path, path);
        }
        assert_eq!(policy(by_dataset, &["b", "a"]).problem(), None);
    }

    #[test]
    fn the_built_in_policies_are_whole_and_the_one_without_a_graph_is_the_default() {
        let [none, pdg] = MergePolicy::built_in();
        assert_eq!(
            (none.id.as_str(), none.default),
            ("timestampOrdered-none-mp", true)
        );
        assert_eq!(
            (pdg.id.as_str(), pdg.default),
            ("timestampOrdered-pdg-mp", false)
        );
        assert_eq!(pdg.identity_graph.kind, IdentityGraphType::Pdg);
        assert_eq!([none.problem(), pdg.problem()], [None, None]);
    }
}
