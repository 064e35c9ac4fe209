use std::collections::BTreeMap;

use super::walk::{Below, below_condition, below_value};
use super::{Aggregate, Condition, Term, Test, Value};
use crate::schema::Type;

/// What orders items of equal times.
const ID: &str = "_id";

/// The fields that an expression reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// Those of profiles, in the order of their paths.
    pub profile: Vec<Column>,
    /// Those of events, if it reads events at all.
    pub events: Option<Vec<Column>>,
}

/// A field that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The names from the outside inwards; arrays and maps on the way are not named. Empty: the whole row.
    pub path: Vec<String>,
    /// Only whether it is there, and how many items it has; any field within it tells as much.
    pub only_shape: bool,
}

/// Whose field, and which.
type Origin = (Row, Vec<String>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Profile,
    Event,
}

impl Columns {
    pub(crate) fn of_condition(condition: &Condition) -> Self {
        collect(|reader| reader.condition(condition))
    }

    pub(crate) fn of_value(value: &Value) -> Self {
        collect(|reader| reader.value(value, false))
    }
}

fn collect(read: impl FnOnce(&mut Reader)) -> Columns {
    let mut reader = Reader::default();
    read(&mut reader);
    let of = |row: Row| {
        let read: Vec<(&Vec<String>, bool)> = reader
            .read
            .iter()
            .filter(|((r, _), _)| *r == row)
            .map(|((_, path), only_shape)| (path, *only_shape))
            .collect();
        let is_told = |path: &[String], only_shape: bool| {
            read.iter().any(|(other, others_shape)| {
                let within = other.len() > path.len() && other.starts_with(path);
                let around = other.len() < path.len() && path.starts_with(other);
                (only_shape && within) || (around && !others_shape)
            })
        };
        read.iter()
            .filter(|(path, only_shape)| !is_told(path, *only_shape))
            .map(|(path, only_shape)| Column {
                path: (*path).clone(),
                only_shape: *only_shape,
            })
            .collect()
    };
    Columns {
        profile: of(Row::Profile),
        events: reader.reads_events.then(|| of(Row::Event)),
    }
}

#[derive(Default)]
struct Reader {
    read: BTreeMap<Origin, bool>,
    reads_events: bool,
    /// What each scope's items are, the innermost last.
    scopes: Vec<Vec<Origin>>,
}

impl Reader {
    fn mark(&mut self, origins: Vec<Origin>, only_shape: bool) {
        for origin in origins {
            let entry = self.read.entry(origin).or_insert(only_shape);
            *entry &= only_shape;
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match &*condition.test {
            Test::Defined(value) | Test::NotEmpty(value) => self.value(value, true),
            Test::Any(source, body) | Test::All(source, body) => {
                self.value(source, true);
                self.within(source, |reader| reader.condition(body));
            }
            Test::Chain {
                source,
                order,
                steps,
            } => {
                self.value(source, true);
                let has_ids = has_ids(&source.ty);
                self.within(source, |reader| {
                    if let Some(order) = order {
                        reader.value(order, false);
                        if has_ids {
                            let items = reader.scopes.last().cloned().unwrap_or_default();
                            reader.mark(extended(items, &[ID.to_owned()]), false);
                        }
                    }
                    steps.iter().for_each(|s| reader.condition(&s.condition));
                });
            }
            _ => below_condition(condition, &mut |below, _| self.below(&below)),
        }
    }

    fn below(&mut self, below: &Below<&Value, &Condition>) {
        match below {
            Below::Value(value) => self.value(value, false),
            Below::Condition(condition) => self.condition(condition),
        }
    }

    fn within(&mut self, source: &Value, read: impl FnOnce(&mut Self)) {
        let origins = self.origins(source);
        self.scopes.push(origins);
        read(self);
        self.scopes.pop();
    }

    /// Reads a value, or only whether it is there.
    fn value(&mut self, value: &Value, only_shape: bool) {
        match &*value.term {
            Term::Profile | Term::Scope(_) => {
                let origins = self.origins(value);
                self.mark(origins, only_shape);
            }
            Term::Events => {
                self.reads_events = true;
                self.mark(vec![(Row::Event, Vec::new())], only_shape);
            }
            Term::Field(object, _) => {
                let origins = self.origins(value);
                self.mark(origins, only_shape);
                self.value(object, true);
            }
            Term::Filter(source, condition) => {
                self.value(source, only_shape);
                self.within(source, |reader| reader.condition(condition));
            }
            Term::Each(source, body) => {
                self.value(source, true);
                self.within(source, |reader| reader.value(body, only_shape));
            }
            Term::Top { source, key, .. } => {
                self.value(source, only_shape);
                self.within(source, |reader| reader.value(key, false));
            }
            Term::Head(source) => self.value(source, only_shape),
            Term::Record(members) => members.iter().for_each(|(_, v)| self.value(v, only_shape)),
            Term::Aggregate(Aggregate::Count, list) => self.value(list, true),
            Term::If(condition, a, b) => {
                self.condition(condition);
                self.value(a, only_shape);
                self.value(b, only_shape);
            }
            _ => below_value(value, &mut |below, _| self.below(&below)),
        }
    }

    /// Which fields a value, or its items, are; none if it is worked out.
    fn origins(&self, value: &Value) -> Vec<Origin> {
        match &*value.term {
            Term::Profile => vec![(Row::Profile, Vec::new())],
            Term::Events => vec![(Row::Event, Vec::new())],
            Term::Scope(level) => {
                let at = self.scopes.len().checked_sub(1 + *level as usize);
                at.and_then(|at| self.scopes.get(at))
                    .cloned()
                    .unwrap_or_default()
            }
            Term::Field(object, path) => match (&*object.term, path.split_first()) {
                (Term::Record(members), Some((name, rest))) => {
                    let member = members.iter().find(|(n, _)| n == name);
                    extended(member.map_or_else(Vec::new, |(_, v)| self.origins(v)), rest)
                }
                _ => extended(self.origins(object), path),
            },
            Term::Filter(source, _)
            | Term::Top { source, .. }
            | Term::Head(source)
            | Term::Distinct(source) => self.origins(source),
            Term::If(_, a, b) => {
                let mut origins = self.origins(a);
                origins.extend(self.origins(b));
                origins
            }
            Term::Each(source, body) => {
                let mut inner = Self {
                    scopes: self.scopes.clone(),
                    ..Self::default()
                };
                inner.scopes.push(self.origins(source));
                inner.origins(body)
            }
            _ => Vec::new(),
        }
    }
}

/// Whether items have what orders those of equal times.
fn has_ids(list: &Type) -> bool {
    let Type::Array(item) = list else {
        return false;
    };
    matches!(&**item, Type::Object(fields) if fields.get(ID) == Some(&Type::String))
}

fn extended(mut origins: Vec<Origin>, path: &[String]) -> Vec<Origin> {
    for (_, own) in &mut origins {
        own.extend_from_slice(path);
    }
    origins
}
