//! What the store must know of each record: whose it is, when it came, what it links.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, ListArray, StructArray};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::error::ArrowError;
use gather::{Child, Column, RowRef};
use hashbrown::HashSet;
use xdm::{Class, FieldPath, PersonKey, digest128};

use crate::distinct::Distinct;
use crate::namespaces::namespaces_of;
use crate::placeholders::Placeholders;
use crate::spec::RecordSpec;
use crate::text::TextBuilder;
use crate::value::RecordError;

/// Decoded records, with what the store must know of each: one value a record, in their order.
pub struct IdentifiedRows {
    /// The records: a column for each top-level field.
    pub records: StructArray,
    /// The keys of their primary identities.
    pub keys: Vec<u128>,
    /// Each spelling of a namespace that is a key of their maps, in the order in which they bring them.
    pub map_keys: Vec<String>,
    /// The namespaces of their primary identities.
    pub namespaces: ArrayRef,
    /// The ids of their primary identities.
    pub ids: ArrayRef,
    /// When they came in: microseconds since 1970.
    pub ingested: Vec<i64>,
    /// By what time fragments compete: their custom timestamps, else their ingest times.
    pub updated: Vec<i64>,
    /// Ingest times of fragments, event times of events.
    pub times: Vec<i64>,
    /// Lists of the 16-byte keys that each record's identity map links.
    pub links: ArrayRef,
    /// Digests of the events' `_id`s; none for fragments.
    pub event_ids: Vec<u128>,
    /// Their places in the store.
    pub sequences: Vec<u64>,
}

/// Finds out whose the records are, or says which rows lack what they need.
pub(crate) fn identify(
    record: StructArray,
    spec: &RecordSpec,
    sequences: Vec<u64>,
) -> Result<Result<IdentifiedRows, Vec<(usize, RecordError)>>, ArrowError> {
    let rows = record.len();
    let reader = IdentityReader::new(&record, spec)?;
    let mut bad = Vec::new();
    let mut keys = Vec::with_capacity(rows);
    let mut namespaces = TextBuilder::new();
    let mut ids = TextBuilder::new();
    let mut ingested = Vec::with_capacity(rows);
    let mut updated = Vec::with_capacity(rows);
    let mut links = LinksBuilder::default();
    let mut times = Vec::with_capacity(rows);
    let mut event_ids = Vec::new();
    for row in 0..rows {
        let at = RowRef::new(0, row as u32);
        match reader.read(at) {
            Err(error) => bad.push((row, error)),
            Ok(one) => {
                let key = PersonKey::of(one.namespace, one.id);
                keys.push(key.0);
                namespaces.push(one.namespace);
                ids.push(one.id);
                ingested.push(one.ingested_at);
                updated.push(reader.custom_time(at).unwrap_or(one.ingested_at));
                links.push(&reader.identity_map, at);
                times.push(one.event.map_or(one.ingested_at, |(time, _)| time));
                event_ids.extend(one.event.map(|(_, id)| digest128(id.as_bytes())));
            }
        }
    }
    if !bad.is_empty() {
        return Ok(Err(bad));
    }
    let map_keys = namespaces_of(&record);
    let records = match &spec.ingested_at_field {
        Some(path) => without(&record, path.parts())?,
        None => record,
    };
    let records = match &spec.keep {
        Some(keep) => only(&records, keep)?,
        None => records,
    };
    Ok(Ok(IdentifiedRows {
        records,
        keys,
        map_keys,
        namespaces: namespaces.finish(None)?,
        ids: ids.finish(None)?,
        ingested,
        updated,
        times,
        links: links.finish()?,
        event_ids,
        sequences,
    }))
}

struct IdentityReader {
    class: Class,
    identity_map: IdentityMap,
    declared: Option<(Column, String, String)>,
    ingested_at: IngestTime,
    custom_time: Option<Column>,
    event: Option<(Column, Column)>,
}

/// When records came in.
enum IngestTime {
    /// All of them, in microseconds since 1970.
    Given(i64),
    /// Each when a field says so.
    Field(Column, FieldPath),
}

struct RecordIdentity<'a> {
    namespace: &'a str,
    id: &'a str,
    ingested_at: i64,
    event: Option<(i64, &'a str)>,
}

impl IdentityReader {
    fn new(record: &StructArray, spec: &RecordSpec) -> Result<Self, ArrowError> {
        let column = |parts: &[&str], ty: &DataType| Column::new(ty, &[descend(record, parts)]);
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let declared = match &spec.primary_identity {
            None => None,
            Some(primary) => {
                let parts: Vec<&str> = primary.path.parts().iter().map(String::as_str).collect();
                let array = descend(record, &parts).filter(|a| is_text(a.data_type()));
                Some((
                    Column::new(&DataType::Utf8, &[array])?,
                    primary.path.to_string(),
                    primary.namespace.clone(),
                ))
            }
        };
        let ingested_at = match &spec.ingested_at_field {
            Some(path) => {
                let parts: Vec<&str> = path.parts().iter().map(String::as_str).collect();
                IngestTime::Field(column(&parts, &time)?, path.clone())
            }
            None => IngestTime::Given(spec.ingested_at.micros()),
        };
        Ok(Self {
            class: spec.class,
            identity_map: IdentityMap::new(
                record.column_by_name("identityMap").cloned(),
                &spec.placeholders,
            )?,
            declared,
            ingested_at,
            custom_time: match spec.class {
                Class::Profile => {
                    Some(column(&["extSourceSystemAudit", "lastUpdatedDate"], &time)?)
                }
                Class::Event => None,
            },
            event: match spec.class {
                Class::Event => Some((
                    column(&["timestamp"], &time)?,
                    column(&["_id"], &DataType::Utf8)?,
                )),
                Class::Profile => None,
            },
        })
    }

    fn read(&self, at: RowRef) -> Result<RecordIdentity<'_>, RecordError> {
        let (namespace, id) = match &self.declared {
            Some((column, path, namespace)) => match column.text(at).filter(|id| self.identity_map.is_one(id)) {
                Some(id) => (namespace.as_str(), id),
                None => {
                    return Err(RecordError::new(format!(
                        "no primary identity: {path} is missing, no string, empty or a placeholder"
                    )));
                }
            },
            None => self.identity_map.primary(at).ok_or_else(|| {
                RecordError::new(
                    "no primary identity: identityMap is missing or has no entry with an id that is no \
                     placeholder",
                )
            })?,
        };
        let ingested_at = match &self.ingested_at {
            IngestTime::Given(time) => *time,
            IngestTime::Field(column, path) => column.micros(at).ok_or_else(|| {
                RecordError::new(format!("no ingest timestamp: {path} is missing"))
            })?,
        };
        let event = match &self.event {
            None => None,
            Some((times, ids)) => {
                let missing =
                    |name: &str| RecordError::new(format!("an experience event without {name}"));
                let id = ids.text(at).filter(|id| !id.is_empty());
                Some((
                    times.micros(at).ok_or_else(|| missing("timestamp"))?,
                    id.ok_or_else(|| missing("_id"))?,
                ))
            }
        };
        debug_assert_eq!(event.is_some(), self.class == Class::Event);
        Ok(RecordIdentity {
            namespace,
            id,
            ingested_at,
            event,
        })
    }

    fn custom_time(&self, at: RowRef) -> Option<i64> {
        self.custom_time.as_ref()?.micros(at)
    }
}

/// The `identityMap` column, taken apart.
struct IdentityMap {
    map: Column,
    placeholders: Placeholders,
}

impl IdentityMap {
    fn new(array: Option<ArrayRef>, placeholders: &Arc<[String]>) -> Result<Self, ArrowError> {
        let ty = xdm::identity_map().data_type();
        Ok(Self {
            map: Column::new(&ty, &[array])?,
            placeholders: Placeholders::new(placeholders),
        })
    }

    /// Whether an id is an identity.
    fn is_one(&self, id: &str) -> bool {
        self.placeholders.is_identity(id)
    }

    /// Calls `f` with namespace, id and the primary flag of each identity that is one.
    fn each<'a>(&'a self, at: RowRef, f: &mut impl FnMut(&'a str, &'a str, RowRef)) {
        let Child::Map(namespaces, lists) = self.map.child() else {
            return;
        };
        let Child::List(items) = lists.child() else {
            return;
        };
        let Child::Struct(_, [ids, ..]) = items.child() else {
            return;
        };
        for entry in self.map.range(at) {
            for item in lists.range(entry) {
                if let Some(id) = ids.text(item).filter(|id| self.is_one(id)) {
                    let namespace = namespaces.text(entry);
                    let namespace = namespace.unwrap_or_else(|| unreachable!("a map's null key"));
                    f(namespace, id, item);
                }
            }
        }
    }

    /// The entry with `primary: true`, else the first entry; of several, that of the alphabetically
    /// first namespace, whose case does not count.
    fn primary(&self, at: RowRef) -> Option<(&str, &str)> {
        let mut best: Option<(bool, &str, &str)> = None;
        self.each(at, &mut |namespace, id, item| {
            let plain = !self.is_primary(item);
            let is_better = match best {
                None => true,
                Some((best_plain, best_namespace, _)) => (plain.cmp(&best_plain))
                    .then_with(|| lower(namespace).cmp(lower(best_namespace)))
                    .is_lt(),
            };
            if is_better {
                best = Some((plain, namespace, id));
            }
        });
        best.map(|(_, namespace, id)| (namespace, id))
    }

    fn is_primary(&self, item: RowRef) -> bool {
        let Child::Map(_, lists) = self.map.child() else {
            return false;
        };
        let Child::List(items) = lists.child() else {
            return false;
        };
        match items.child() {
            Child::Struct(_, [_, _, primary]) => primary.is_true(item),
            _ => false,
        }
    }
}

fn lower(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().map(|byte| byte.to_ascii_lowercase())
}

/// Builds the lists of linked identities: those of a record's identity map, where there are several.
/// An identity from a declared path beside the map is not linked with them.
#[derive(Default)]
struct LinksBuilder {
    offsets: Vec<i32>,
    bytes: Vec<u8>,
}

impl LinksBuilder {
    fn push(&mut self, map: &IdentityMap, at: RowRef) {
        let mut count = 0;
        map.each(at, &mut |_, _, _| count += 1);
        if count > 1 {
            let (start, mut known) = (self.bytes.len(), Distinct::default());
            map.each(at, &mut |namespace, id, _| {
                let key = PersonKey::of(namespace, id);
                if known.insert(key) {
                    self.bytes.extend_from_slice(&key.to_bytes());
                }
            });
            // One identity that stands there twice is linked with nothing.
            if self.bytes.len() - start <= 16 {
                self.bytes.truncate(start);
            }
        }
        self.offsets.push((self.bytes.len() / 16) as i32);
    }

    fn finish(self) -> Result<ArrayRef, ArrowError> {
        let mut offsets = vec![0];
        offsets.extend(self.offsets);
        let keys = FixedSizeBinaryArray::try_new(16, Buffer::from_vec(self.bytes), None)?;
        let item = Field::new("element", DataType::FixedSizeBinary(16), true);
        Ok(Arc::new(ListArray::try_new(
            Arc::new(item),
            OffsetBuffer::new(offsets.into()),
            Arc::new(keys),
            None,
        )?))
    }
}

fn is_text(ty: &DataType) -> bool {
    matches!(ty, DataType::Utf8 | DataType::Dictionary(..))
}

fn descend(record: &StructArray, parts: &[&str]) -> Option<ArrayRef> {
    let (first, rest) = parts.split_first()?;
    let column = record.column_by_name(first)?;
    if rest.is_empty() {
        Some(column.clone())
    } else {
        descend(column.as_struct_opt()?, rest)
    }
}

/// The record with these top-level fields alone.
fn only(record: &StructArray, keep: &[String]) -> Result<StructArray, ArrowError> {
    let keep: HashSet<&str> = keep.iter().map(String::as_str).collect();
    let (fields, arrays): (Vec<_>, Vec<_>) = record
        .fields()
        .iter()
        .zip(record.columns())
        .filter(|(field, _)| keep.contains(field.name().as_str()))
        .map(|(field, array)| (field.clone(), array.clone()))
        .unzip();
    StructArray::try_new_with_length(fields.into(), arrays, None, record.len())
}

/// The record without the field at a path.
fn without(record: &StructArray, parts: &[String]) -> Result<StructArray, ArrowError> {
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (field, array) in record.fields().iter().zip(record.columns()) {
        match parts {
            [only] if only == field.name() => {}
            [first, rest @ ..] if first == field.name() && !rest.is_empty() => {
                let inner = match array.as_struct_opt() {
                    Some(inner) => Arc::new(without(inner, rest)?) as ArrayRef,
                    None => array.clone(),
                };
                fields.push(Field::new(field.name(), inner.data_type().clone(), true));
                arrays.push(inner);
            }
            _ => {
                fields.push(field.as_ref().clone());
                arrays.push(array.clone());
            }
        }
    }
    StructArray::try_new_with_length(fields.into(), arrays, record.nulls().cloned(), record.len())
}
