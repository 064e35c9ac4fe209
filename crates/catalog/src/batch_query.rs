//! Which batches a list shows, and in what order.

use rusqlite::types::Value;

use crate::Scope;

/// What a list of batches shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchQuery {
    /// At the most this many; all where it is missing.
    pub limit: Option<u32>,
    /// How many are left out before the first.
    pub start: u32,
    /// Only those of this dataset.
    pub dataset: Option<String>,
    /// What must hold besides: all of it.
    pub filters: Vec<BatchFilter>,
    /// By what they are sorted, and whether downwards; newest first where it is empty.
    pub order: Vec<(BatchProperty, bool)>,
}

/// What must hold for a batch to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchFilter {
    /// A property has one of these values; of times, milliseconds since 1970 in digits.
    Is(BatchProperty, Vec<String>),
    /// It has none of them.
    IsNot(BatchProperty, Vec<String>),
    /// It is greater than this number.
    Above(BatchProperty, i64),
    /// It is less than this number.
    Below(BatchProperty, i64),
    /// A label has a value like this one, in which `*` stands for any text.
    Tag(String, String),
    /// It came in, rather than being what a job wrote.
    CameIn,
}

/// What batches are searched and sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchProperty {
    /// The ID.
    Id,
    /// The state.
    Status,
    /// The ID of its dataset.
    Dataset,
    /// When it was made.
    Created,
    /// The order in which they came into the catalog; those of jobs when they became visible, whatever a clock said.
    Entered,
    /// When it was last changed.
    Updated,
    /// When the work on it began.
    Started,
    /// When the work on it ended.
    Ended,
}

impl BatchProperty {
    fn sql(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Status => "status",
            Self::Dataset => "dataset",
            Self::Created => "created",
            Self::Entered => "rowid",
            Self::Updated => "json_extract(body, '$.updated')",
            Self::Started => "json_extract(body, '$.metrics.startTime')",
            Self::Ended => "json_extract(body, '$.metrics.endTime')",
        }
    }
}

impl BatchQuery {
    /// The statement that finds them, and its values. Only the conditions that are asked for stand in
    /// it, so that SQLite finds an index for the usual ones.
    pub(crate) fn sql(&self, scope: &Scope) -> (String, Vec<Value>) {
        let mut conditions = "org = ? AND sandbox = ?".to_owned();
        let mut values: Vec<Value> = vec![scope.org.clone().into(), scope.sandbox.clone().into()];
        if let Some(dataset) = &self.dataset {
            conditions.push_str(" AND dataset = ?");
            values.push(dataset.clone().into());
        }
        for filter in &self.filters {
            conditions.push_str(" AND ");
            filter.add(&mut conditions, &mut values);
        }
        let order: String = match self.order.as_slice() {
            [] => "created DESC, id DESC".to_owned(),
            order => {
                let word = |down: bool| if down { "DESC" } else { "ASC" };
                let parts =
                    (order.iter()).map(|(by, down)| format!("{} {}", by.sql(), word(*down)));
                // What is the same in all of that comes in the direction of the last.
                let last = order.last().is_some_and(|(_, down)| *down);
                let parts = parts.chain([format!("id {}", word(last))]);
                parts.collect::<Vec<_>>().join(", ")
            }
        };
        values.push(self.limit.map_or(-1, i64::from).into());
        values.push(self.start.into());
        let sql = format!(
            "SELECT body FROM batches WHERE {conditions} ORDER BY {order} LIMIT ? OFFSET ?"
        );
        (sql, values)
    }
}

impl BatchFilter {
    fn add(&self, conditions: &mut String, values: &mut Vec<Value>) {
        match self {
            Self::Is(property, among) | Self::IsNot(property, among) => {
                let not = if matches!(self, Self::Is(..)) {
                    ""
                } else {
                    "NOT "
                };
                let places = vec!["?"; among.len()].join(", ");
                // As text, since times are numbers.
                let found = format!("CAST({} AS TEXT)", property.sql());
                let found = match property {
                    BatchProperty::Id | BatchProperty::Status | BatchProperty::Dataset => {
                        property.sql()
                    }
                    _ => &found,
                };
                conditions.push_str(&format!("{found} {not}IN ({places})"));
                values.extend(among.iter().cloned().map(Value::from));
            }
            Self::Above(property, than) => {
                conditions.push_str(&format!("{} > ?", property.sql()));
                values.push((*than).into());
            }
            Self::Below(property, than) => {
                conditions.push_str(&format!("{} < ?", property.sql()));
                values.push((*than).into());
            }
            Self::CameIn => {
                conditions.push_str("(job IS NULL AND json_extract(body, '$.written') IS NULL)")
            }
            Self::Tag(name, like) => {
                // A label is a list of texts, or a text.
                conditions.push_str(
                    "EXISTS (SELECT 1 FROM json_each(body, '$.tags') AS tag,
                     json_each(iif(tag.type = 'array', tag.value, json_array(tag.value))) AS value
                     WHERE tag.key = ? AND value.value GLOB ?)",
                );
                values.push(name.clone().into());
                values.push(glob(like).into());
            }
        }
    }
}

/// A pattern of SQLite's in which only `*` stands for something else.
fn glob(like: &str) -> String {
    like.replace('[', "[[]").replace('?', "[?]")
}

#[cfg(test)]
mod tests {
    use xdm::Timestamp;

    use super::*;
    use crate::{Batch, BatchMetrics, BatchStatus, Catalog};

    fn catalog(folder: &std::path::Path) -> Catalog {
        let path = folder.join("catalog.sqlite");
        let catalog = Catalog::open(&path, Scope::default(), false, || Ok(true));
        let catalog = catalog.expect("a catalog");
        for (i, status) in [BatchStatus::Failed, BatchStatus::Success]
            .iter()
            .enumerate()
        {
            let time = i as i64 + 1;
            let tags = serde_json::json!({
                "list": ["other", format!("b{i}[?]")], "text": format!("t{i}"), "number": i,
            });
            let batch = Batch {
                id: format!("batch{i}"),
                status: *status,
                ims_org: "default".to_owned(),
                related_objects: Batch::of_dataset("d"),
                job_id: None,
                written: false,
                input_format: None,
                tags: tags.as_object().cloned(),
                created: Timestamp::from_millis(time),
                updated: Timestamp::from_millis(10 - time),
                version: None,
                metrics: BatchMetrics {
                    start_time: (i == 1).then_some(5),
                    ..BatchMetrics::default()
                },
                errors: None,
                files: Vec::new(),
                completed: None,
                sequences: None,
                uploads: Vec::new(),
                broken_off: 0,
                folder: None,
                among: None,
            };
            catalog.create_batch(&batch).expect("a batch");
        }
        catalog
    }

    #[test]
    fn filters_and_orders_choose_among_batches() {
        use BatchProperty::{Created, Id, Started, Status, Updated};
        let folder = tempfile::tempdir().expect("a folder");
        let catalog = catalog(folder.path());
        let found = |filters: Vec<BatchFilter>, order: Vec<(BatchProperty, bool)>| {
            let query = BatchQuery {
                filters,
                order,
                ..BatchQuery::default()
            };
            let found = catalog.batches(&query).expect("batches").into_iter();
            found.map(|batch| batch.id).collect::<Vec<_>>()
        };
        let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let one = |filter: BatchFilter| found(vec![filter], Vec::new());
        let tag = |name: &str, like: &str| BatchFilter::Tag(name.to_owned(), like.to_owned());
        let (first, second) = (["batch0"], ["batch1"]);
        assert_eq!(found(Vec::new(), Vec::new()), ["batch1", "batch0"]);
        assert_eq!(
            found(Vec::new(), vec![(Updated, true)]),
            ["batch0", "batch1"]
        );
        assert_eq!(one(BatchFilter::Is(Status, texts(&["failed"]))), first);
        assert_eq!(one(BatchFilter::IsNot(Status, texts(&["failed"]))), second);
        assert_eq!(one(BatchFilter::Is(Id, texts(&["batch0", "x"]))), first);
        assert_eq!(one(BatchFilter::Is(Created, texts(&["2"]))), second);
        assert_eq!(one(BatchFilter::Above(Created, 1)), second);
        assert_eq!(one(BatchFilter::Below(Created, 2)), first);
        assert_eq!(one(BatchFilter::Below(Started, 6)), second);
        assert_eq!(one(tag("list", "b0[?]")), first);
        assert_eq!(one(tag("list", "b1*")), second);
        assert_eq!(one(tag("text", "t0")), first);
        assert_eq!(one(tag("text", "*")).len(), 2);
        assert_eq!(one(tag("none", "*")), [""; 0]);
    }
}
