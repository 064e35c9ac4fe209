//! A reader of packed files by FORMAT.md alone: plain, and slow.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, DictionaryArray, FixedSizeBinaryArray,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, ListArray, MapArray, NullArray,
    RecordBatch, StringArray, StructArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use arrow::ipc::{convert::fb_to_schema, root_as_schema};
use serde_json::Value;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

pub struct PlainFile {
    bytes: Vec<u8>,
    pub root: Value,
    /// The XXH3-128 digest of its root and all behind it.
    pub digest: u128,
}

impl PlainFile {
    pub fn open(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        assert_eq!(bytes[..8], *b"PXRUN2\r\n");
        let trailer = bytes.len() - 16;
        assert_eq!(bytes[trailer + 8..], *b"PXRUN2\r\n");
        let length = number(&bytes[trailer..trailer + 8]) as usize;
        let root = serde_json::from_slice(&bytes[trailer - length..trailer]).unwrap();
        let digest = xxh3_128(&bytes[trailer - length..]);
        Self {
            bytes,
            root,
            digest,
        }
    }

    fn table(&self, name: &str) -> &Value {
        let tables = self.root["tables"].as_array().unwrap();
        tables.iter().find(|table| table["name"] == name).unwrap()
    }

    pub fn table_names(&self) -> Vec<&str> {
        let tables = self.root["tables"].as_array().unwrap();
        tables
            .iter()
            .map(|table| table["name"].as_str().unwrap())
            .collect()
    }

    pub fn schema(&self, table: &str) -> SchemaRef {
        let schema = self.extent(&self.table(table)["schema"]);
        Arc::new(fb_to_schema(root_as_schema(schema).unwrap()))
    }

    pub fn batches(&self, table: &str) -> Vec<RecordBatch> {
        let schema = self.schema(table);
        let table = self.table(table);
        let entries = table["dictionaries"].as_array().unwrap();
        let dictionaries = entries
            .iter()
            .map(|entry| Cursor::new(self, entry, &[]).array(&DataType::Utf8))
            .collect::<Vec<_>>();
        let entries = table["batches"].as_array().unwrap();
        let batch = |entry: &Value| {
            let mut cursor = Cursor::new(self, entry, &dictionaries);
            let fields = schema.fields().iter();
            let columns = fields
                .map(|field| cursor.array(field.data_type()))
                .collect();
            assert!(cursor.is_at_its_end());
            let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
            assert_eq!(entry["rows"], batch.num_rows());
            batch
        };
        entries.iter().map(batch).collect()
    }

    fn extent(&self, extent: &Value) -> &[u8] {
        let [at, length, digest] = ["at", "length", "digest"].map(|k| extent[k].as_u64().unwrap());
        let bytes = &self.bytes[at as usize..(at + length) as usize];
        assert_eq!(xxh3_64(bytes), digest);
        bytes
    }
}

/// A little-endian number.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |n, byte| n << 8 | u64::from(*byte))
}

fn unpacked(kind: u8, data: &[u8], length: usize) -> Vec<u8> {
    let data = match kind % 2 {
        0 => data.to_vec(),
        _ => zstd::decode_all(data).unwrap(),
    };
    assert_eq!(data.len(), length);
    data
}

fn bytes_of(block: &[u8]) -> Vec<u8> {
    assert_eq!(block[0] / 2, 0);
    unpacked(block[0], &block[9..], number(&block[1..9]) as usize)
}

fn integers_of(block: &[u8]) -> Vec<i64> {
    let [kind, planes, scale] = *block.first_chunk::<3>().unwrap();
    assert_eq!(kind / 2, 1);
    let count = number(&block[3..7]) as usize;
    let base = number(&block[7..15]).cast_signed();
    let data = unpacked(kind, &block[15..], count * planes as usize);
    let scale = [1, 1_000, 1_000_000][scale as usize];
    let integer = |i: usize| {
        let bytes: Vec<u8> = (0..planes as usize)
            .map(|plane| data[plane * count + i])
            .collect();
        base.wrapping_add(number(&bytes).cast_signed().wrapping_mul(scale))
    };
    (0..count).map(integer).collect()
}

/// Goes through the nodes and blocks of a batch.
struct Cursor<'a> {
    nodes: std::vec::IntoIter<(usize, usize)>,
    blocks: std::vec::IntoIter<&'a [u8]>,
    dictionaries: std::slice::Iter<'a, ArrayRef>,
}

impl<'a> Cursor<'a> {
    fn new(file: &'a PlainFile, entry: &Value, dictionaries: &'a [ArrayRef]) -> Self {
        let directory = bytes_of(file.extent(&entry["directory"]));
        let count = number(&directory[..4]) as usize;
        let (nodes, blocks) = directory[4..].split_at(count * 8);
        let nodes: Vec<_> = nodes
            .chunks(8)
            .map(|node| (number(&node[..4]) as usize, number(&node[4..]) as usize))
            .collect();
        assert_eq!(number(&blocks[..4]) as usize * 16, blocks.len() - 4);
        let mut at = entry["at"].as_u64().unwrap() as usize;
        let blocks: Vec<&[u8]> = blocks[4..]
            .chunks(16)
            .map(|block| {
                let length = number(&block[..8]) as usize;
                let bytes = &file.bytes[at..at + length];
                assert_eq!(xxh3_64(bytes), number(&block[8..]));
                at += length;
                bytes
            })
            .collect();
        Self {
            nodes: nodes.into_iter(),
            blocks: blocks.into_iter(),
            dictionaries: dictionaries.iter(),
        }
    }

    fn is_at_its_end(&self) -> bool {
        self.nodes.len() + self.blocks.len() + self.dictionaries.len() == 0
    }

    fn bits(&mut self, length: usize) -> BooleanBuffer {
        let bytes = bytes_of(self.blocks.next().unwrap());
        assert_eq!(bytes.len(), length.div_ceil(8));
        BooleanBuffer::new(bytes.into(), 0, length)
    }

    fn integers<T: TryFrom<i64, Error: std::fmt::Debug>>(&mut self) -> Vec<T> {
        let integers = integers_of(self.blocks.next().unwrap());
        integers
            .into_iter()
            .map(|n| n.try_into().unwrap())
            .collect()
    }

    fn offsets(&mut self) -> OffsetBuffer<i32> {
        OffsetBuffer::from_lengths(self.integers::<usize>())
    }

    fn fields(&mut self, fields: &[FieldRef]) -> Vec<ArrayRef> {
        fields
            .iter()
            .map(|field| self.array(field.data_type()))
            .collect()
    }

    fn array(&mut self, ty: &DataType) -> ArrayRef {
        let (length, nulls) = self.nodes.next().unwrap();
        if *ty == DataType::Null {
            return Arc::new(NullArray::new(length));
        }
        let validity = match nulls {
            0 => {
                assert_eq!(self.blocks.next(), Some(&[][..]));
                None
            }
            _ => Some(NullBuffer::new(self.bits(length))),
        };
        assert_eq!(validity.as_ref().map_or(0, NullBuffer::null_count), nulls);
        let array: ArrayRef = match ty {
            DataType::Boolean => Arc::new(BooleanArray::new(self.bits(length), validity)),
            DataType::Int8 => Arc::new(Int8Array::new(self.integers().into(), validity)),
            DataType::Int16 => Arc::new(Int16Array::new(self.integers().into(), validity)),
            DataType::Int32 => Arc::new(Int32Array::new(self.integers().into(), validity)),
            DataType::Int64 => Arc::new(Int64Array::new(self.integers().into(), validity)),
            DataType::UInt32 => Arc::new(UInt32Array::new(self.integers().into(), validity)),
            DataType::UInt64 => Arc::new(UInt64Array::new(self.integers().into(), validity)),
            DataType::Date32 => Arc::new(Date32Array::new(self.integers().into(), validity)),
            DataType::Timestamp(_, zone) => {
                let times = TimestampMicrosecondArray::new(self.integers().into(), validity);
                Arc::new(times.with_timezone_opt(zone.clone()))
            }
            DataType::Float64 => {
                let bits = self.integers::<i64>().into_iter();
                let floats: Vec<f64> = bits.map(|n| f64::from_bits(n.cast_unsigned())).collect();
                Arc::new(Float64Array::new(floats.into(), validity))
            }
            DataType::FixedSizeBinary(16) => {
                let bytes = bytes_of(self.blocks.next().unwrap());
                Arc::new(FixedSizeBinaryArray::new(16, bytes.into(), validity))
            }
            DataType::Utf8 => {
                let offsets = self.offsets();
                let bytes = bytes_of(self.blocks.next().unwrap());
                Arc::new(StringArray::new(offsets, bytes.into(), validity))
            }
            DataType::Dictionary(..) => {
                let keys = Int32Array::new(self.integers().into(), validity);
                let values = self.dictionaries.next().unwrap();
                Arc::new(DictionaryArray::new(keys, values.clone()))
            }
            DataType::List(item) => {
                let offsets = self.offsets();
                let items = self.array(item.data_type());
                Arc::new(ListArray::new(item.clone(), offsets, items, validity))
            }
            DataType::Map(entries, _) => {
                let offsets = self.offsets();
                let DataType::Struct(parts) = entries.data_type() else {
                    panic!("{entries}");
                };
                let pairs = StructArray::new(parts.clone(), self.fields(parts), None);
                Arc::new(MapArray::new(
                    entries.clone(),
                    offsets,
                    pairs,
                    validity,
                    false,
                ))
            }
            DataType::Struct(fields) => Arc::new(StructArray::new(
                fields.clone(),
                self.fields(fields),
                validity,
            )),
            other => panic!("{other}"),
        };
        assert_eq!(array.len(), length);
        array
    }
}
