//! The older array form of segment membership: a list of entries that name their segment inside,
//! `{"segmentID": {"_id": …, "namespace": {"code": …}}, "status": …}`, read into the map.
//! Source: XDM's deprecated `segments` field.

use hashbrown::HashMap;
use xdm::{SEGMENT_NAMESPACE, Spelling, spelling};

use crate::column_builder::{ColumnBuilder, ColumnValues};
use crate::distinct::Distinct;
use crate::value::{Key, Kind, ObjectEntries, RecordError, Value};

/// What a top-level field is, by its name and its value alone: what a record means does not depend on
/// other records.
pub(crate) enum Form {
    /// Memberships in the array form.
    Memberships,
    /// `segments` without a member: it says nothing.
    Nothing,
    /// A field like any other.
    Field,
}

/// Tells the forms apart. `segments` holds memberships where any of its entries names a segment; then
/// all must. The value may have been walked.
pub(crate) fn form_of<'a>(name: &str, value: impl Value<'a>) -> Result<Form, RecordError> {
    let is_list = match name {
        "segmentMembership" | "segments" => value.kind()? == Kind::List,
        _ => false,
    };
    if !is_list {
        return Ok(Form::Field);
    }
    if name == "segmentMembership" {
        return Ok(Form::Memberships);
    }
    let (mut is_empty, mut names_a_segment) = (true, false);
    value.items(&mut |entry| {
        is_empty = false;
        names_a_segment |= field(entry, "segmentID")?.is_some();
        Ok(())
    })?;
    Ok(match (is_empty, names_a_segment) {
        (true, _) => Form::Nothing,
        (_, true) => Form::Memberships,
        (_, false) => Form::Field,
    })
}

/// The field of an object, which is walked to its end.
fn field<'a, V: Value<'a>>(object: V, name: &str) -> Result<Option<V>, RecordError> {
    let mut found = None;
    let mut entries = object.entries()?;
    while let Some((key, value)) = entries.next(b"")? {
        if is_field(key, name) {
            if found.is_some() {
                return Err(RecordError::twice(name));
            }
            found = Some(value);
        }
        value.skip()?;
    }
    Ok(found)
}

fn is_field(key: Key<'_>, name: &str) -> bool {
    matches!(key, Key::Named(key) if spelling(key) == Spelling::Field(name))
}

/// The text that a field of an object has, if it is there and text.
fn text<'a>(object: Option<impl Value<'a>>, name: &str) -> Result<Option<&'a str>, RecordError> {
    let Some(object) = object else {
        return Ok(None);
    };
    Ok(match field(object, name)? {
        Some(value) => match value.kind()? {
            Kind::Text(text) => Some(text),
            _ => None,
        },
        None => None,
    })
}

fn no_id() -> RecordError {
    RecordError::new("an entry without segmentID._id")
}

/// Up to this many namespaces are scanned; most records have one or two.
const MOST_SCANNED: usize = 16;

/// The namespaces of one record's memberships, as the first entry of each spells it.
struct Namespaces<'a, V> {
    all: Vec<Namespace<'a, V>>,
    /// Where each stands, by its code in lower case, once they are many.
    places: HashMap<String, usize>,
}

struct Namespace<'a, V> {
    code: &'a str,
    members: Vec<(&'a str, V)>,
    known: Distinct<&'a str>,
}

impl<V> Default for Namespaces<'_, V> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            places: HashMap::default(),
        }
    }
}

impl<'a, V> Namespaces<'a, V> {
    fn of(&mut self, code: &'a str) -> &mut Namespace<'a, V> {
        let at = self.place(code).unwrap_or(self.all.len());
        if at == self.all.len() {
            self.all.push(Namespace {
                code,
                members: Vec::new(),
                known: Distinct::default(),
            });
        }
        &mut self.all[at]
    }

    fn place(&mut self, code: &str) -> Option<usize> {
        if self.all.len() <= MOST_SCANNED {
            let is_it = |it: &Namespace<'_, V>| it.code.eq_ignore_ascii_case(code);
            return self.all.iter().position(is_it);
        }
        for (at, one) in self.all.iter().enumerate().skip(self.places.len()) {
            self.places.insert(one.code.to_ascii_lowercase(), at);
        }
        self.places.get(&code.to_ascii_lowercase()).copied()
    }
}

/// Appends a row to the `segmentMembership` column from a list of entries.
pub(crate) fn append<'a, V: Value<'a>>(
    column: &mut ColumnBuilder,
    list: V,
) -> Result<(), RecordError> {
    let mut namespaces = Namespaces::default();
    list.items(&mut |entry| {
        let Some(segment) = field(entry, "segmentID")? else {
            return Err(no_id());
        };
        let id = text(Some(segment), "_id")?.ok_or_else(no_id)?;
        let namespace = field(segment, "namespace")?;
        let code = text(namespace, "code")?.unwrap_or(SEGMENT_NAMESPACE);
        let namespace = namespaces.of(code);
        if !namespace.known.insert(id) {
            return Err(RecordError::new(format!("segment {id} appears twice")));
        }
        namespace.members.push((id, entry));
        entry.skip()
    })?;
    column.append_container(|values| {
        let ColumnValues::Map(_, keys, inner) = values else {
            return Err(RecordError::new("segmentMembership is no map here"));
        };
        namespaces.all.iter().try_for_each(|namespace| {
            keys.push(namespace.code);
            inner.append_container(|values| {
                let ColumnValues::Map(_, keys, memberships) = values else {
                    return Err(RecordError::new("segmentMembership is no map of maps here"));
                };
                namespace.members.iter().try_for_each(|(id, entry)| {
                    keys.push(id);
                    memberships.append(Membership::Entry(*entry))
                })
            })
        })
    })
}

/// An entry of the array form without its `segmentID`, which the map has in its keys, or a value in it.
#[derive(Clone, Copy)]
enum Membership<V> {
    Entry(V),
    Inner(V),
}

impl<V: Copy> Membership<V> {
    fn value(self) -> V {
        let (Self::Entry(value) | Self::Inner(value)) = self;
        value
    }
}

impl<'a, V: Value<'a>> Value<'a> for Membership<V> {
    type Entries = MembershipEntries<V::Entries>;

    fn kind(self) -> Result<Kind<'a>, RecordError> {
        self.value().kind()
    }

    fn items(self, f: &mut impl FnMut(Self) -> Result<(), RecordError>) -> Result<(), RecordError> {
        self.value().items(&mut |item| f(Self::Inner(item)))
    }

    fn entries(self) -> Result<Self::Entries, RecordError> {
        Ok(MembershipEntries {
            entries: self.value().entries()?,
            is_entry: matches!(self, Self::Entry(_)),
        })
    }

    fn skip(self) -> Result<(), RecordError> {
        self.value().skip()
    }
}

struct MembershipEntries<E> {
    entries: E,
    is_entry: bool,
}

impl<'a, E: ObjectEntries<'a>> ObjectEntries<'a> for MembershipEntries<E> {
    type Value = Membership<E::Value>;

    fn next(&mut self, _: &[u8]) -> Result<Option<(Key<'a>, Self::Value)>, RecordError> {
        while let Some((key, value)) = self.entries.next(b"")? {
            if !(self.is_entry && is_field(key, "segmentID")) {
                return Ok(Some((key, Membership::Inner(value))));
            }
            value.skip()?;
        }
        Ok(None)
    }
}
