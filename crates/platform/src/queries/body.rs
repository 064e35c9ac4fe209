use catalog::Catalog;
use export::RequestError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::template::QueryTemplate;
use crate::error::{ErrorKind, Result};
use crate::kept::one;

/// The longest text of SQL, in bytes.
const LONGEST: usize = 256 << 10;

/// What a query is to do: the body of the platform's `POST /query/queries`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = QueryRequest))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueryBody {
    /// The sandbox and `all`, such as `prod:all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub db_name: Option<String>,
    /// The statement; several have `;` between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub sql: Option<String>,
    /// Where the statement stands instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub template_id: Option<String>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub description: Option<String>,
    /// What stands for each `$name` in the statement, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub query_parameters: Option<Map<String, Value>>,
    /// The dataset that is made of the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub ctas_parameters: Option<CtasParameters>,
    /// The dataset that the rows are added to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub insert_into_parameters: Option<InsertIntoParameters>,
}

/// A dataset that is made of a query's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CtasParameters {
    /// Its name.
    pub dataset_name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub description: Option<String>,
    /// The schema that it is made on; one of its own where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub target_schema_title: Option<String>,
}

/// A dataset that a query's rows are added to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InsertIntoParameters {
    /// Its name or ID.
    pub dataset_name: String,
}

/// What becomes of a query's rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum QueryTarget {
    /// They are counted.
    Nothing,
    /// A dataset is made of them.
    New(CtasParameters),
    /// They are added to the dataset of this ID.
    Dataset(String),
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryWork {
    /// The text, with its parameters filled in.
    pub sql: String,
    /// Where the rows go.
    pub target: QueryTarget,
}

impl QueryBody {
    /// What is run.
    ///
    /// # Errors
    /// No statement or two; a template, parameter or dataset that there isn't; another sandbox.
    pub fn work(&self, catalog: &Catalog) -> Result<QueryWork> {
        let refuse = |path: &str, problem: String| Err(RequestError::new(path, problem).into());
        if let Some(name) = &self.db_name {
            let sandbox = &catalog.scope().sandbox;
            let (own, rest) = name.split_once(':').unwrap_or((name, "all"));
            if own != sandbox || rest != "all" {
                return refuse(
                    "dbName",
                    format!("found {name:?}; here it is \"{sandbox}:all\""),
                );
            }
        }
        let (sql, mut parameters) = match (&self.sql, &self.template_id) {
            (Some(sql), None) => (sql.clone(), Map::new()),
            (None, Some(id)) => match one::<QueryTemplate>(catalog, id) {
                Ok(template) => (template.sql, template.query_parameters.unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return refuse("templateId", format!("there is no query template {id:?}"));
                }
                Err(error) => return Err(error),
            },
            (None, None) => {
                return refuse(
                    "sql",
                    "missing; or templateId says where it stands".to_owned(),
                );
            }
            (Some(_), Some(_)) => {
                return refuse(
                    "templateId",
                    "found one beside sql; a query has one of the two".to_owned(),
                );
            }
        };
        check_text(&sql)?;
        parameters.extend(self.query_parameters.clone().unwrap_or_default());
        let sql = match self.query_parameters.is_some() || !parameters.is_empty() {
            true => filled(&sql, &parameters)?,
            false => sql,
        };
        let target = match (&self.ctas_parameters, &self.insert_into_parameters) {
            (None, None) => QueryTarget::Nothing,
            (Some(new), None) if new.dataset_name.trim().is_empty() => {
                return refuse(
                    "ctasParameters.datasetName",
                    "found \"\"; a dataset needs a name".to_owned(),
                );
            }
            (Some(new), None) => QueryTarget::New(new.clone()),
            (None, Some(InsertIntoParameters { dataset_name })) => {
                match catalog.dataset(dataset_name)? {
                    Some(dataset) => QueryTarget::Dataset(dataset.id),
                    None => {
                        let problem = format!("there is no dataset {dataset_name:?}");
                        return refuse("insertIntoParameters.datasetName", problem);
                    }
                }
            }
            (Some(_), Some(_)) => {
                return refuse(
                    "insertIntoParameters",
                    "found it beside ctasParameters; rows go to one dataset".to_owned(),
                );
            }
        };
        Ok(QueryWork { sql, target })
    }
}

/// Refuses a text that is none, or too long to be kept.
pub(super) fn check_text(sql: &str) -> Result<(), RequestError> {
    match sql.len() {
        _ if sql.trim().is_empty() => Err(RequestError::new("sql", "found no statement")),
        0..=LONGEST => Ok(()),
        length => Err(RequestError::new(
            "sql",
            format!("found {length} bytes; allowed are {LONGEST}"),
        )),
    }
}

/// A text with what stands for each `$name`. `$1` and the like stay, which are parameters of prepared statements.
fn filled(sql: &str, parameters: &Map<String, Value>) -> Result<String, RequestError> {
    let mut text = Filled(String::with_capacity(sql.len()));
    let mut rest = sql;
    while let Some((before, behind)) = rest.split_once('$') {
        text.push(before)?;
        let end = behind.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let (name, after) = behind.split_at(end.unwrap_or(behind.len()));
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            text.push("$")?;
            text.push(name)?;
        } else {
            match parameters.get(name) {
                Some(Value::String(value)) => text.push(value)?,
                Some(value @ (Value::Number(_) | Value::Bool(_))) => {
                    text.push(&value.to_string())?;
                }
                Some(_) => {
                    let problem = "allowed are texts, numbers, true and false";
                    return Err(RequestError::new(
                        format!("queryParameters.{name}"),
                        problem,
                    ));
                }
                None => {
                    let problem = format!("missing; the statement has ${name}");
                    return Err(RequestError::new(
                        format!("queryParameters.{name}"),
                        problem,
                    ));
                }
            }
        }
        rest = after;
    }
    text.push(rest)?;
    Ok(text.0)
}

/// A text that is never longer than it may be: a short one may name a long parameter many times.
struct Filled(String);

impl Filled {
    fn push(&mut self, part: &str) -> Result<(), RequestError> {
        if self.0.len() + part.len() > LONGEST {
            let problem = format!("with these the statement has more than {LONGEST} bytes");
            return Err(RequestError::new("queryParameters", problem));
        }
        self.0.push_str(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_stand_for_names_and_one_that_is_missing_is_named() {
        let parameters = json!({"key": "city", "n": 3, "list": []});
        let parameters = parameters.as_object().expect("an object");
        let sql = "SELECT $key, $1 FROM t WHERE $key_2 > $n AND a = 'US$'";
        let missing = filled(sql, parameters).expect_err("one is missing");
        assert_eq!(missing.path, "queryParameters.key_2");
        let filled = |sql| filled(sql, parameters);
        assert_eq!(
            filled("SELECT $key, $1 WHERE $key > $n AND a = 'US$'").expect("filled"),
            "SELECT city, $1 WHERE city > 3 AND a = 'US$'"
        );
        filled("$list").expect_err("no text");
    }

    #[test]
    fn a_text_that_parameters_make_too_long_is_refused() {
        let parameters = json!({"long": "x".repeat(1 << 16)});
        let parameters = parameters.as_object().expect("an object");
        filled("$long $long", parameters).expect("short enough");
        let refused = filled(&"$long ".repeat(4), parameters).expect_err("too long");
        assert_eq!(refused.path, "queryParameters");
    }
}
