use serde::{Deserialize, Serialize};
use xdm::Class;

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
            let word = match kind {
                IdentityGraphType::None => "none",
                IdentityGraphType::Pdg => "pdg",
            };
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
