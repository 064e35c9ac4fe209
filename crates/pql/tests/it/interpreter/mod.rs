//! A plain, slow interpreter of typed trees over JSON: what evaluators are held against.

mod windows;

use chrono::{DateTime, Datelike, NaiveDate, TimeZone, Utc};
use profile_export_pql::Type;
use profile_export_pql::typed::{
    Aggregate, Arithmetic, Comparison, Condition, Literal, Part, SetTest, Step, Term, Test,
    TextTest, Value,
};

/// A value in hand; arrays hold no nulls.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    Null,
    Text(String),
    Boolean(bool),
    Integer(i64),
    Double(f64),
    Time(DateTime<Utc>),
    Day(NaiveDate),
    Array(Vec<Held>),
    /// An object or a map.
    Members(Vec<(String, Held)>),
}

use Held::{Array, Null};
use windows::midnight;

/// One person at one time.
pub struct World<'a> {
    pub profile: Held,
    /// By `(timestamp, _id)`.
    pub events: Vec<Held>,
    pub now: DateTime<Utc>,
    pub segments: &'a dyn Fn(&str) -> bool,
}

/// JSON as its type says.
pub fn read(json: Option<&serde_json::Value>, ty: &Type) -> Held {
    let Some(json) = json.filter(|j| !j.is_null()) else {
        return Null;
    };
    match ty {
        Type::String => Held::Text(json.as_str().unwrap().to_owned()),
        Type::Boolean => Held::Boolean(json.as_bool().unwrap()),
        Type::Integer => Held::Integer(json.as_i64().unwrap()),
        Type::Double => Held::Double(json.as_f64().unwrap()),
        Type::Timestamp => match json.as_i64() {
            Some(millis) => Held::Time(Utc.timestamp_millis_opt(millis).unwrap()),
            None => time_of(json.as_str().unwrap()),
        },
        Type::Date => Held::Day(json.as_str().unwrap().parse().unwrap()),
        Type::Array(item) => {
            let items = json.as_array().unwrap().iter();
            Array(
                items
                    .map(|j| read(Some(j), item))
                    .filter(|h| *h != Null)
                    .collect(),
            )
        }
        Type::Map(value) => {
            let members = json.as_object().unwrap().iter();
            let read = members.map(|(k, v)| (k.clone(), read(Some(v), value)));
            Held::Members(read.filter(|(_, v)| *v != Null).collect())
        }
        Type::Object(fields) => {
            for name in json.as_object().unwrap().keys() {
                assert!(fields.get(name).is_some(), "{name} is not in the schema");
            }
            let members = fields
                .iter()
                .map(|(name, ty)| (name.to_owned(), read(json.get(name), ty)));
            Held::Members(members.collect())
        }
    }
}

fn time_of(text: &str) -> Held {
    let text = text.trim();
    let moment = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok();
    match (
        DateTime::parse_from_rfc3339(text),
        moment,
        text.parse::<NaiveDate>(),
    ) {
        (Ok(time), _, _) => Held::Time(to_the_millisecond(time.to_utc())),
        (_, Some(moment), _) => Held::Time(to_the_millisecond(moment.and_utc())),
        (_, _, Ok(day)) => Held::Time(midnight(day)),
        _ => Null,
    }
}

/// What is compared of a time.
fn to_the_millisecond(time: DateTime<Utc>) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(time.timestamp_millis()).unwrap()
}

impl Held {
    fn member(&self, name: &str) -> Held {
        match self {
            Held::Members(members) => {
                let member = members.iter().find(|(n, _)| n == name);
                member.map_or(Null, |(_, value)| value.clone())
            }
            Null => Null,
            other => panic!("{name} of {other:?}"),
        }
    }

    fn items(self) -> Option<Vec<Held>> {
        match self {
            Array(items) => Some(items),
            Null => None,
            other => panic!("{other:?} is no array"),
        }
    }

    fn number(&self) -> f64 {
        match self {
            Held::Integer(value) => *value as f64,
            Held::Double(value) => *value,
            other => panic!("{other:?} is no number"),
        }
    }
}

pub(crate) type Scopes<'s> = &'s mut Vec<Held>;

impl World<'_> {
    pub fn is_true(&self, condition: &Condition) -> bool {
        self.condition(condition, &mut Vec::new())
    }

    pub fn work_out(&self, value: &Value) -> Held {
        self.value(value, &mut Vec::new())
    }

    fn condition(&self, condition: &Condition, scopes: Scopes<'_>) -> bool {
        match &*condition.test {
            Test::Constant(value) => *value,
            Test::And(all) => all.iter().all(|c| self.condition(c, scopes)),
            Test::Or(all) => all.iter().any(|c| self.condition(c, scopes)),
            Test::Not(inner) => !self.condition(inner, scopes),
            Test::Holds(value) => self.value(value, scopes) == Held::Boolean(true),
            Test::Defined(value) => self.value(value, scopes) != Null,
            Test::NotEmpty(value) => match self.value(value, scopes) {
                Null => false,
                Array(items) => !items.is_empty(),
                Held::Members(members) => !members.is_empty(),
                other => panic!("{other:?} has no items"),
            },
            Test::Compare(comparison, left, right) => compare(
                *comparison,
                &self.value(left, scopes),
                &self.value(right, scopes),
            ),
            Test::In {
                value,
                list,
                negated,
            } => {
                let value = self.value(value, scopes);
                match self.value(list, scopes) {
                    Array(items) if value != Null => items.contains(&value) != *negated,
                    _ => false,
                }
            }
            Test::Text {
                test,
                negated,
                value,
                with,
                case_sensitive,
            } => match (self.value(value, scopes), self.value(with, scopes)) {
                (Held::Text(text), Held::Text(with)) => {
                    let fold = |text: String| match case_sensitive {
                        true => text,
                        false => text.to_lowercase(),
                    };
                    let (text, with) = (fold(text), fold(with));
                    let holds = match test {
                        TextTest::StartsWith => text.starts_with(&with),
                        TextTest::EndsWith => text.ends_with(&with),
                        TextTest::Contains => text.contains(&with),
                        TextTest::Equals => text == with,
                    };
                    holds != *negated
                }
                _ => false,
            },
            Test::Like(text, pattern) => {
                match (self.value(text, scopes), self.value(pattern, scopes)) {
                    (Held::Text(text), Held::Text(pattern)) => {
                        let text: Vec<char> = text.chars().collect();
                        let pattern: Vec<char> = pattern.chars().collect();
                        like(&text, &pattern)
                    }
                    _ => false,
                }
            }
            Test::Matches(text, pattern) => match self.value(text, scopes) {
                Held::Text(text) => regex::Regex::new(pattern.as_str()).unwrap().is_match(&text),
                _ => false,
            },
            Test::Sets(test, left, right) => {
                let left = self.value(left, scopes).items();
                let right = self.value(right, scopes).items();
                match (left, right) {
                    (Some(left), Some(right)) => match test {
                        SetTest::Intersects => left.iter().any(|item| right.contains(item)),
                        SetTest::SubsetOf => left.iter().all(|item| right.contains(item)),
                        SetTest::SupersetOf => right.iter().all(|item| left.contains(item)),
                    },
                    _ => false,
                }
            }
            Test::Occurs(time, window) => match self.value(time, scopes) {
                Null => false,
                Held::Time(time) => self.occurs(time, window, scopes).unwrap_or(false),
                Held::Day(day) => self.occurs(midnight(day), window, scopes).unwrap_or(false),
                other => panic!("{other:?} is no time"),
            },
            Test::Any(source, condition) => self
                .value(source, scopes)
                .items()
                .is_some_and(|items| items.into_iter().any(|i| self.about(i, condition, scopes))),
            Test::All(source, condition) => self
                .value(source, scopes)
                .items()
                .is_none_or(|items| items.into_iter().all(|i| self.about(i, condition, scopes))),
            Test::Chain {
                source,
                order,
                steps,
            } => self.chain(source, order.as_ref(), steps, scopes),
            Test::InSegment(id) => (self.segments)(id),
        }
    }

    fn about(&self, item: Held, condition: &Condition, scopes: Scopes<'_>) -> bool {
        scopes.push(item);
        let holds = self.condition(condition, scopes);
        scopes.pop();
        holds
    }

    fn of_item(&self, item: Held, value: &Value, scopes: Scopes<'_>) -> Held {
        scopes.push(item);
        let value = self.value(value, scopes);
        scopes.pop();
        value
    }

    /// Each step takes the earliest items that it can, all strictly later than those before.
    fn chain(
        &self,
        source: &Value,
        order: Option<&Value>,
        steps: &[Step],
        scopes: Scopes<'_>,
    ) -> bool {
        let Some(items) = self.value(source, scopes).items() else {
            return false;
        };
        match order {
            None => self.walk(items.into_iter(), steps, scopes),
            Some(order) => self.walk(self.ordered(items, order, scopes), steps, scopes),
        }
    }

    fn walk(
        &self,
        mut items: impl Iterator<Item = Held>,
        steps: &[Step],
        scopes: Scopes<'_>,
    ) -> bool {
        steps.iter().all(|step| {
            (0..step.count).all(|_| items.any(|item| self.about(item, &step.condition, scopes)))
        })
    }

    /// Items by a time of theirs, to the millisecond, and by their `_id`s; those without the time are left out.
    fn ordered(
        &self,
        items: Vec<Held>,
        order: &Value,
        scopes: Scopes<'_>,
    ) -> impl Iterator<Item = Held> + use<> {
        let mut ordered: Vec<(i64, String, Held)> = Vec::new();
        for item in items {
            let id = match &item {
                Held::Members(m) if m.iter().any(|(n, _)| n == "_id") => item.member("_id"),
                _ => Null,
            };
            let id = match id {
                Held::Text(id) => id,
                _ => String::new(),
            };
            match self.of_item(item.clone(), order, scopes) {
                Held::Time(time) => ordered.push((time.timestamp_millis(), id, item)),
                Held::Day(day) => ordered.push((midnight(day).timestamp_millis(), id, item)),
                _ => {}
            }
        }
        ordered.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        ordered.into_iter().map(|(_, _, item)| item)
    }

    fn value(&self, value: &Value, scopes: Scopes<'_>) -> Held {
        match &*value.term {
            Term::Constant(Literal::String(text)) => Held::Text(text.clone()),
            Term::Constant(Literal::Boolean(value)) => Held::Boolean(*value),
            Term::Constant(Literal::Integer(value)) => Held::Integer(*value),
            Term::Constant(Literal::Double(value)) => Held::Double(*value),
            Term::Timestamp(millis) => Held::Time(Utc.timestamp_millis_opt(*millis).unwrap()),
            Term::Day(days) => {
                Held::Day(NaiveDate::from_num_days_from_ce_opt(days + 719_163).unwrap())
            }
            Term::Now => Held::Time(self.now),
            Term::List(items) => {
                let items = items.iter().map(|item| self.value(item, scopes));
                Array(items.filter(|item| *item != Null).collect())
            }
            Term::Profile => self.profile.clone(),
            Term::Events => Array(self.events.clone()),
            Term::Scope(level) => scopes[scopes.len() - 1 - *level as usize].clone(),
            Term::Field(object, path) => {
                let object = self.value(object, scopes);
                path.iter().fold(object, |object, name| object.member(name))
            }
            Term::Record(members) => Held::Members(
                members
                    .iter()
                    .map(|(name, value)| (name.clone(), self.value(value, scopes)))
                    .collect(),
            ),
            Term::Filter(source, condition) => match self.value(source, scopes).items() {
                Some(items) => {
                    let kept = |item: &Held| self.about(item.clone(), condition, scopes);
                    Array(items.into_iter().filter(kept).collect())
                }
                None => Null,
            },
            Term::Each(source, body) => match self.value(source, scopes).items() {
                Some(items) => {
                    let mut all = Vec::new();
                    for item in items {
                        match self.of_item(item, body, scopes) {
                            Null => {}
                            Array(more) => all.extend(more),
                            one => all.push(one),
                        }
                    }
                    Array(all)
                }
                None => Null,
            },
            Term::Head(source) => match self.value(source, scopes).items() {
                Some(items) => items.into_iter().next().unwrap_or(Null),
                None => Null,
            },
            Term::Top {
                source,
                key,
                count,
                highest,
            } => match self.value(source, scopes).items() {
                Some(items) => {
                    let mut keyed: Vec<(Held, Held)> = items
                        .into_iter()
                        .map(|item| (self.of_item(item.clone(), key, scopes), item))
                        .filter(|(key, _)| *key != Null)
                        .collect();
                    keyed.sort_by(|(a, _), (b, _)| {
                        let order = order(a, b);
                        if *highest { order.reverse() } else { order }
                    });
                    let taken = keyed.into_iter().take(*count as usize);
                    Array(taken.map(|(_, item)| item).collect())
                }
                None => Null,
            },
            Term::Distinct(source) => match self.value(source, scopes).items() {
                Some(items) => Array(distinct(items)),
                None => Null,
            },
            Term::Intersection(left, right) => {
                let left = self.value(left, scopes).items();
                let right = self.value(right, scopes).items();
                match (left, right) {
                    (Some(left), Some(right)) => {
                        let common = left.into_iter().filter(|item| right.contains(item));
                        match distinct(common.collect()) {
                            none if none.is_empty() => Null,
                            some => Array(some),
                        }
                    }
                    _ => Null,
                }
            }
            Term::Aggregate(aggregate, list) => {
                let items = self.value(list, scopes).items().unwrap_or_default();
                aggregated(*aggregate, items, &value.ty)
            }
            Term::Get(map, key) => match (self.value(map, scopes), self.value(key, scopes)) {
                (map, Held::Text(key)) => map.member(&key),
                _ => Null,
            },
            Term::Keys(map) => match self.value(map, scopes) {
                Held::Members(members) => Array(
                    members
                        .into_iter()
                        .map(|(key, _)| Held::Text(key))
                        .collect(),
                ),
                _ => Null,
            },
            Term::Values(map) => match self.value(map, scopes) {
                Held::Members(members) => {
                    Array(members.into_iter().map(|(_, value)| value).collect())
                }
                _ => Null,
            },
            Term::Arithmetic(arithmetic, left, right) => calculated(
                *arithmetic,
                self.value(left, scopes),
                self.value(right, scopes),
            ),
            Term::Negate(value) => match self.value(value, scopes) {
                Held::Integer(value) => value.checked_neg().map_or(Null, Held::Integer),
                Held::Double(value) => Held::Double(-value),
                _ => Null,
            },
            Term::If(condition, one, other) => match self.condition(condition, scopes) {
                true => self.value(one, scopes),
                false => self.value(other, scopes),
            },
            Term::Test(condition) => Held::Boolean(self.condition(condition, scopes)),
            Term::RegexGroup(text, pattern, group) => match self.value(text, scopes) {
                Held::Text(text) => regex::Regex::new(pattern.as_str())
                    .unwrap()
                    .captures(&text)
                    .and_then(|captures| captures.get(*group as usize))
                    .map_or(Null, |found| Held::Text(found.as_str().to_owned())),
                _ => Null,
            },
            Term::Part(part, time) => {
                let day = match self.value(time, scopes) {
                    Held::Time(time) => time.date_naive(),
                    Held::Day(day) => day,
                    _ => return Null,
                };
                Held::Integer(match part {
                    Part::Year => i64::from(day.year()),
                    Part::Month => i64::from(day.month()),
                    Part::DayOfMonth => i64::from(day.day()),
                })
            }
            Term::Date(year, month, day) => {
                let parts = [year, month, day].map(|part| self.value(part, scopes));
                let [
                    Held::Integer(year),
                    Held::Integer(month),
                    Held::Integer(day),
                ] = parts
                else {
                    return Null;
                };
                let (Ok(year), Ok(month), Ok(day)) =
                    (year.try_into(), month.try_into(), day.try_into())
                else {
                    return Null;
                };
                NaiveDate::from_ymd_opt(year, month, day).map_or(Null, Held::Day)
            }
            Term::Cast(inner) => cast(self.value(inner, scopes), &value.ty),
        }
    }
}

fn order(a: &Held, b: &Held) -> std::cmp::Ordering {
    match (a, b) {
        (Held::Time(a), Held::Time(b)) => a.cmp(b),
        (Held::Day(a), Held::Day(b)) => a.cmp(b),
        (Held::Integer(a), Held::Integer(b)) => a.cmp(b),
        (a, b) => a.number().partial_cmp(&b.number()).unwrap(),
    }
}

fn compare(comparison: Comparison, left: &Held, right: &Held) -> bool {
    if *left == Null || *right == Null {
        return false;
    }
    match comparison {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => order(left, right).is_lt(),
        Comparison::LessOrEqual => order(left, right).is_le(),
        Comparison::Greater => order(left, right).is_gt(),
        Comparison::GreaterOrEqual => order(left, right).is_ge(),
    }
}

fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('%', rest)) => (0..=text.len()).any(|at| like(&text[at..], rest)),
        Some(('_', rest)) => text.split_first().is_some_and(|(_, more)| like(more, rest)),
        Some((c, rest)) => text
            .split_first()
            .is_some_and(|(first, more)| first == c && like(more, rest)),
    }
}

fn distinct(items: Vec<Held>) -> Vec<Held> {
    let mut once: Vec<Held> = Vec::new();
    for item in items {
        if !once.contains(&item) {
            once.push(item);
        }
    }
    once
}

fn finite(value: f64) -> Held {
    match value.is_finite() {
        true => Held::Double(value),
        false => Null,
    }
}

fn aggregated(aggregate: Aggregate, items: Vec<Held>, ty: &Type) -> Held {
    match aggregate {
        Aggregate::Count => Held::Integer(items.len() as i64),
        Aggregate::Sum if *ty == Type::Integer => items
            .iter()
            .try_fold(0i64, |sum, item| match item {
                Held::Integer(value) => sum.checked_add(*value),
                other => panic!("{other:?} is no Integer"),
            })
            .map_or(Null, Held::Integer),
        Aggregate::Sum => finite(items.iter().map(Held::number).sum()),
        Aggregate::Average if items.is_empty() => Null,
        Aggregate::Average => {
            finite(items.iter().map(Held::number).sum::<f64>() / items.len() as f64)
        }
        Aggregate::Min => items.into_iter().min_by(order).unwrap_or(Null),
        Aggregate::Max => items.into_iter().max_by(order).unwrap_or(Null),
    }
}

fn calculated(arithmetic: Arithmetic, left: Held, right: Held) -> Held {
    match (left, right) {
        (Held::Integer(a), Held::Integer(b)) => match arithmetic {
            Arithmetic::Add => a.checked_add(b),
            Arithmetic::Subtract => a.checked_sub(b),
            Arithmetic::Multiply => a.checked_mul(b),
            Arithmetic::Remainder => a.checked_rem(b),
            Arithmetic::Divide => panic!("integers are divided as Doubles"),
        }
        .map_or(Null, Held::Integer),
        (Held::Double(a), Held::Double(b)) => finite(match arithmetic {
            Arithmetic::Add => a + b,
            Arithmetic::Subtract => a - b,
            Arithmetic::Multiply => a * b,
            Arithmetic::Divide => a / b,
            Arithmetic::Remainder => a % b,
        }),
        (Null, _) | (_, Null) => Null,
        (a, b) => panic!("{arithmetic:?} of {a:?} and {b:?}"),
    }
}

fn cast(held: Held, ty: &Type) -> Held {
    match (held, ty) {
        (Held::Integer(value), Type::Double) => Held::Double(value as f64),
        (Held::Integer(value), Type::String) => Held::Text(value.to_string()),
        (Held::Boolean(value), Type::String) => Held::Text(value.to_string()),
        (Held::Text(text), Type::Integer) => text.trim().parse().map_or(Null, Held::Integer),
        (Held::Text(text), Type::Double) => text.trim().parse().map_or(Null, finite),
        (Held::Text(text), Type::Boolean) => match text.to_ascii_lowercase().as_str() {
            "true" => Held::Boolean(true),
            "false" => Held::Boolean(false),
            _ => Null,
        },
        (Held::Text(text), Type::Timestamp) => time_of(&text),
        (Held::Text(text), Type::Date) => text.parse().map_or(Null, Held::Day),
        (Held::Integer(millis), Type::Timestamp) => Utc
            .timestamp_millis_opt(millis)
            .single()
            .map_or(Null, Held::Time),
        (Held::Time(time), Type::Date) => Held::Day(time.date_naive()),
        (Null, _) => Null,
        (held, ty) => panic!("{held:?} as {ty}"),
    }
}
