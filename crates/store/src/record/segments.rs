//! The older array form of segment membership: a list of entries that name their segment inside,
//! `{"segmentID": {"_id": …, "namespace": {"code": …}}, "status": …}`, read into the map.
//! Source: XDM's deprecated `segments` field.

use xdm::{Spelling, spelling};

use super::columns::{Column, Values};
use super::{Kind, RecordError, Value};

/// The namespace of an entry that names none: the platform's own segments.
const OWN_NAMESPACE: &str = "ups";

/// Whether a top-level field holds memberships in the array form.
pub(super) fn is_array_form<'a>(name: &str, value: impl Value<'a>) -> bool {
    match name {
        "segmentMembership" => value.kind() == Kind::List,
        "segments" => value.kind() == Kind::List && all_name_a_segment(value),
        _ => false,
    }
}

/// Whether the list has entries at all.
pub(super) fn has_members<'a>(value: impl Value<'a>) -> bool {
    let mut any = false;
    let _ = value.items(&mut |_| {
        any = true;
        Ok(())
    });
    any
}

fn all_name_a_segment<'a>(list: impl Value<'a>) -> bool {
    let mut all = true;
    let _ = list.items(&mut |entry| {
        all &= field(entry, "segmentID").is_some();
        Ok(())
    });
    all
}

fn field<'a, V: Value<'a>>(object: V, name: &str) -> Option<V> {
    let mut found = None;
    let _ = object.entries(&mut |key, value| {
        if spelling(key) == Spelling::Field(name) {
            found = Some(value);
        }
        Ok(())
    });
    found
}

fn text<'a>(value: Option<impl Value<'a>>) -> Option<&'a str> {
    match value?.kind() {
        Kind::Text(text) => Some(text),
        _ => None,
    }
}

/// Appends a row to the `segmentMembership` column from a list of entries.
pub(super) fn append<'a, V: Value<'a>>(column: &mut Column, list: V) -> Result<(), RecordError> {
    let mut namespaces: Vec<(&'a str, Vec<(&'a str, V)>)> = Vec::new();
    list.items(&mut |entry| {
        let segment = field(entry, "segmentID");
        let id = text(segment.and_then(|s| field(s, "_id")))
            .ok_or_else(|| RecordError::new("an entry without segmentID._id"))?;
        let namespace = segment.and_then(|s| field(s, "namespace"));
        let code = text(namespace.and_then(|n| field(n, "code"))).unwrap_or(OWN_NAMESPACE);
        let members = match namespaces
            .iter()
            .position(|(known, _)| known.eq_ignore_ascii_case(code))
        {
            Some(at) => at,
            None => {
                namespaces.push((code, Vec::new()));
                namespaces.len() - 1
            }
        };
        if let Some((_, members)) = namespaces.get_mut(members) {
            if members.iter().any(|(known, _)| *known == id) {
                return Err(RecordError::new(format!("segment {id} appears twice")));
            }
            members.push((id, entry));
        }
        Ok(())
    })?;
    column.append_container(|values| {
        let Values::Map(_, keys, inner) = values else {
            return Err(RecordError::new("segmentMembership is no map here"));
        };
        namespaces.iter().try_for_each(|(code, members)| {
            keys.push(code);
            inner.append_container(|values| {
                let Values::Map(_, keys, memberships) = values else {
                    return Err(RecordError::new("segmentMembership is no map of maps here"));
                };
                members.iter().try_for_each(|(id, entry)| {
                    keys.push(id);
                    memberships.append(Membership(*entry))
                })
            })
        })
    })
}

/// An entry of the array form without its `segmentID`, which the map has in its keys.
#[derive(Clone, Copy)]
struct Membership<V>(V);

impl<'a, V: Value<'a>> Value<'a> for Membership<V> {
    fn kind(self) -> Kind<'a> {
        self.0.kind()
    }

    fn items(self, f: &mut impl FnMut(Self) -> Result<(), RecordError>) -> Result<(), RecordError> {
        self.0.items(&mut |item| f(Membership(item)))
    }

    fn entries(
        self,
        f: &mut impl FnMut(&'a str, Self) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        self.0.entries(&mut |key, value| {
            if spelling(key) == Spelling::Field("segmentID") {
                Ok(())
            } else {
                f(key, Membership(value))
            }
        })
    }
}
