//! The three fields that are united across fragments instead of taken whole from one.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, MapArray, StructArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, FieldRef};
use arrow::error::ArrowError;
use gather::{Child, Column, RowRef};

use crate::Groups;
use crate::error::{Error, Result};
use crate::stop::Stop;

mod lookup;
mod namespaces;

use lookup::Lookup;
use namespaces::{NamespaceGroups, NoCase};

#[derive(Clone, Copy)]
pub(crate) enum UnionKind {
    /// map<namespace, list<identity>>
    IdentityMap,
    /// list<identity>, with the namespace inside
    Identities,
    /// map<namespace, map<segment, membership>>
    SegmentMembership,
}

/// How a top-level field is united, if it is one of the three and has the type that XDM gives it.
pub(crate) fn kind(name: &str, column: &Column) -> Option<UnionKind> {
    match (name, column.child()) {
        ("identityMap", Child::Map(_, lists)) => {
            matches!(lists.child(), Child::List(_)).then_some(UnionKind::IdentityMap)
        }
        ("segmentMembership", Child::Map(_, inner)) => {
            matches!(inner.child(), Child::Map(..)).then_some(UnionKind::SegmentMembership)
        }
        ("identities", Child::List(items)) => {
            matches!(items.child(), Child::Struct(..)).then_some(UnionKind::Identities)
        }
        _ => None,
    }
}

pub(crate) fn merge(
    kind: UnionKind,
    column: &Column,
    groups: &Groups,
    stop: &mut Stop<'_>,
) -> Result<ArrayRef> {
    stop.check()?;
    match kind {
        UnionKind::IdentityMap => identity_map(column, groups, stop),
        UnionKind::Identities => identities(column, groups, stop),
        UnionKind::SegmentMembership => segment_membership(column, groups, stop),
    }
}

fn part<'a>(column: &'a Column, name: &str) -> Option<&'a Column> {
    match column.child() {
        Child::Struct(fields, columns) => {
            let (at, _) = fields.find(name)?;
            columns.get(at)
        }
        _ => None,
    }
}

/// Lists under construction: where each ends, and which are null.
#[derive(Default)]
struct Lists {
    offsets: Vec<i32>,
    valid: Vec<bool>,
}

impl Lists {
    fn close(&mut self, end: usize, valid: bool) -> Result<()> {
        let end = i32::try_from(end).map_err(|_| ArrowError::OffsetOverflowError(end))?;
        self.offsets.push(end);
        self.valid.push(valid);
        Ok(())
    }

    fn finish(self) -> (OffsetBuffer<i32>, Option<NullBuffer>) {
        let mut offsets = Vec::with_capacity(self.offsets.len() + 1);
        offsets.push(0);
        offsets.extend(self.offsets);
        let nulls = NullBuffer::new(BooleanBuffer::from(self.valid));
        (
            OffsetBuffer::new(offsets.into()),
            Some(nulls).filter(|nulls| nulls.null_count() > 0),
        )
    }
}

fn identity_map(column: &Column, groups: &Groups, stop: &mut Stop<'_>) -> Result<ArrayRef> {
    let Child::Map(namespaces, lists) = column.child() else {
        return Ok(column.interleave(&[])?);
    };
    let Child::List(items) = lists.child() else {
        return Ok(column.interleave(&[])?);
    };
    let ids = part(items, "id");
    let id = |at: RowRef| ids.and_then(|ids| ids.text(at));
    let (mut maps, mut values) = (Lists::default(), Lists::default());
    let (mut key_rows, mut item_rows) = (Vec::new(), Vec::new());
    let mut entries = NamespaceGroups::default();
    for rows in groups.iter() {
        entries.clear();
        for entry in rows.iter().flat_map(|at| column.range(*at)) {
            stop.count()?;
            if !lists.is_valid(entry) {
                continue;
            }
            let (identities, lookup) = entries.of(namespaces, entry);
            for item in lists.range(entry).filter(|item| items.is_valid(*item)) {
                stop.count()?;
                let known = !identities.is_empty()
                    && id(item).is_some_and(|one| {
                        lookup.contains(one, identities.len(), |at| id(identities[at]))
                    });
                if !known {
                    identities.push(item);
                }
            }
        }
        for (key, identities) in entries.iter() {
            key_rows.push(*key);
            item_rows.extend_from_slice(identities);
            values.close(item_rows.len(), true)?;
        }
        maps.close(key_rows.len(), rows.iter().any(|at| column.is_valid(*at)))?;
    }
    let values = list_array(lists, items, values, &item_rows)?;
    map_array(column, namespaces.interleave(&key_rows)?, values, maps)
}

fn segment_membership(column: &Column, groups: &Groups, stop: &mut Stop<'_>) -> Result<ArrayRef> {
    let Child::Map(namespaces, inner) = column.child() else {
        return Ok(column.interleave(&[])?);
    };
    let Child::Map(segments, memberships) = inner.child() else {
        return Ok(column.interleave(&[])?);
    };
    let (mut outer_maps, mut inner_maps) = (Lists::default(), Lists::default());
    let (mut key_rows, mut member_rows) = (Vec::new(), Vec::new());
    let mut entries = NamespaceGroups::default();
    for rows in groups.iter() {
        entries.clear();
        for entry in rows.iter().flat_map(|at| column.range(*at)) {
            stop.count()?;
            if !inner.is_valid(entry) {
                continue;
            }
            let (members, lookup) = entries.of(namespaces, entry);
            // Within one map a segment stands once; it takes a second map to compete.
            let others = members.len();
            for member in inner.range(entry).filter(|m| memberships.is_valid(*m)) {
                stop.count()?;
                let known = others > 0
                    && lookup.contains(segments.text(member), others, |at| {
                        Some(segments.text(members[at]))
                    });
                if !known {
                    members.push(member);
                }
            }
        }
        for (key, members) in entries.iter() {
            key_rows.push(*key);
            member_rows.extend_from_slice(members);
            inner_maps.close(member_rows.len(), true)?;
        }
        outer_maps.close(key_rows.len(), rows.iter().any(|at| column.is_valid(*at)))?;
    }
    let values = map_array(
        inner,
        segments.interleave(&member_rows)?,
        memberships.interleave(&member_rows)?,
        inner_maps,
    )?;
    map_array(
        column,
        namespaces.interleave(&key_rows)?,
        values,
        outer_maps,
    )
}

fn identities(column: &Column, groups: &Groups, stop: &mut Stop<'_>) -> Result<ArrayRef> {
    let Child::List(items) = column.child() else {
        return Ok(column.interleave(&[])?);
    };
    let ids = part(items, "id");
    let codes = part(items, "namespace").and_then(|namespace| part(namespace, "code"));
    let identity = |at: RowRef| {
        Some((
            NoCase(codes.and_then(|codes| codes.text(at))?),
            ids.and_then(|ids| ids.text(at))?,
        ))
    };
    let mut lists = Lists::default();
    let mut item_rows = Vec::new();
    let (mut known, mut lookup) = (Vec::new(), Lookup::default());
    for rows in groups.iter() {
        known.clear();
        lookup.clear();
        for item in rows.iter().flat_map(|at| column.range(*at)) {
            stop.count()?;
            match identity(item) {
                Some(one) if lookup.contains(one, known.len(), |at| Some(known[at])) => continue,
                Some(one) => known.push(one),
                None if !items.is_valid(item) => continue,
                None => {}
            }
            item_rows.push(item);
        }
        lists.close(item_rows.len(), rows.iter().any(|at| column.is_valid(*at)))?;
    }
    list_array(column, items, lists, &item_rows)
}

fn list_array(column: &Column, items: &Column, lists: Lists, rows: &[RowRef]) -> Result<ArrayRef> {
    let DataType::List(item) = column.data_type() else {
        return Err(not_a("list"));
    };
    let (offsets, nulls) = lists.finish();
    let values = items.interleave(rows)?;
    Ok(Arc::new(ListArray::try_new(
        item.clone(),
        offsets,
        values,
        nulls,
    )?))
}

fn map_array(column: &Column, keys: ArrayRef, values: ArrayRef, maps: Lists) -> Result<ArrayRef> {
    let DataType::Map(entries, _) = column.data_type() else {
        return Err(not_a("map"));
    };
    let entries: &FieldRef = entries;
    let DataType::Struct(parts) = entries.data_type() else {
        return Err(not_a("map"));
    };
    let (offsets, nulls) = maps.finish();
    let pairs = StructArray::try_new(parts.clone(), vec![keys, values], None)?;
    Ok(Arc::new(MapArray::try_new(
        entries.clone(),
        offsets,
        pairs,
        nulls,
        false,
    )?))
}

fn not_a(what: &str) -> Error {
    ArrowError::SchemaError(format!("a field that is united is no {what}")).into()
}

#[cfg(test)]
mod tests;
