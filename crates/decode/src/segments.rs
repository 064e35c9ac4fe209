//! The older array form of segment membership: a list of entries that name their segment inside,
//! `{"segmentID": {"_id": …, "namespace": {"code": …}}, "status": …}`, read into the map.
//! Source: XDM's deprecated `segments` field.

use std::collections::HashSet;

use xdm::{SEGMENT_NAMESPACE, Spelling, spelling};

use crate::column_builder::{ColumnBuilder, ColumnValues};
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

/// Appends a row to the `segmentMembership` column from a list of entries.
pub(crate) fn append<'a, V: Value<'a>>(
    column: &mut ColumnBuilder,
    list: V,
) -> Result<(), RecordError> {
    let mut namespaces: Vec<(&'a str, Vec<(&'a str, V)>)> = Vec::new();
    let mut known = HashSet::new();
    list.items(&mut |entry| {
        let Some(segment) = field(entry, "segmentID")? else {
            return Err(no_id());
        };
        let id = text(Some(segment), "_id")?.ok_or_else(no_id)?;
        let namespace = field(segment, "namespace")?;
        let code = text(namespace, "code")?.unwrap_or(SEGMENT_NAMESPACE);
        let at = match namespaces
            .iter()
            .position(|(known, _)| known.eq_ignore_ascii_case(code))
        {
            Some(at) => at,
            None => {
                namespaces.push((code, Vec::new()));
                namespaces.len() - 1
            }
        };
        if let Some((_, members)) = namespaces.get_mut(at) {
            if !known.insert((at, id)) {
                return Err(RecordError::new(format!("segment {id} appears twice")));
            }
            members.push((id, entry));
        }
        entry.skip()
    })?;
    column.append_container(|values| {
        let ColumnValues::Map(_, keys, inner) = values else {
            return Err(RecordError::new("segmentMembership is no map here"));
        };
        namespaces.iter().try_for_each(|(code, members)| {
            keys.push(code);
            inner.append_container(|values| {
                let ColumnValues::Map(_, keys, memberships) = values else {
                    return Err(RecordError::new("segmentMembership is no map of maps here"));
                };
                members.iter().try_for_each(|(id, entry)| {
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
