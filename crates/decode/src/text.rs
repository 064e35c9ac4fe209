use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::is_same;
use crate::value::RecordError;

/// A dictionary is given up when it holds more values than this.
const LARGEST_DICTIONARY: usize = 4096;
/// After this many rows a dictionary must have proved worth its while.
const TRIAL: usize = 512;

/// Builds a text column: a dictionary as long as values repeat, plain text otherwise.
pub(crate) struct TextBuilder {
    /// End of each value in `bytes`, with a leading 0: of each row, or of each distinct value.
    offsets: Vec<i32>,
    bytes: Vec<u8>,
    dictionary: Option<Dictionary>,
    discards: bool,
    /// Whether there was more text than offsets can count; then what is held is not all of it.
    overflowed: bool,
}

struct Dictionary {
    keys: Vec<i32>,
    table: HashTable<i32>,
    hasher: DefaultHashBuilder,
}

impl TextBuilder {
    pub(crate) fn new() -> Self {
        Self {
            offsets: vec![0],
            bytes: Vec::new(),
            dictionary: Some(Dictionary {
                keys: Vec::new(),
                table: HashTable::new(),
                hasher: DefaultHashBuilder::default(),
            }),
            discards: false,
            overflowed: false,
        }
    }

    /// One that takes text and keeps none; it can't be finished.
    pub(crate) fn discarding() -> Self {
        Self {
            discards: true,
            dictionary: None,
            ..Self::new()
        }
    }

    /// Pushes a value; false where it is known that the column has it already.
    #[inline]
    pub(crate) fn push(&mut self, text: &str) -> bool {
        if self.discards {
            return true;
        }
        let Self {
            offsets,
            bytes,
            dictionary,
            overflowed,
            ..
        } = self;
        match dictionary {
            None => *overflowed |= !push_value(offsets, bytes, text.as_bytes()),
            Some(dictionary) => {
                let hash = dictionary.hasher.hash_one(text.as_bytes());
                let found = dictionary.table.find(hash, |key| {
                    is_same(value(offsets, bytes, *key), text.as_bytes())
                });
                match found {
                    Some(key) => {
                        dictionary.keys.push(*key);
                        return false;
                    }
                    None => {
                        // It is given up long before this wraps.
                        let key = offsets.len() as i32 - 1;
                        *overflowed |= !push_value(offsets, bytes, text.as_bytes());
                        let hasher = &dictionary.hasher;
                        dictionary.table.insert_unique(hash, key, |key| {
                            hasher.hash_one(value(offsets, bytes, *key))
                        });
                        dictionary.keys.push(key);
                        let distinct = offsets.len() - 1;
                        let rows = dictionary.keys.len();
                        if distinct > LARGEST_DICTIONARY || (rows >= TRIAL && distinct > rows / 2) {
                            self.give_up();
                        }
                    }
                }
            }
        }
        true
    }

    /// Pushes `n` values for null rows.
    pub(crate) fn push_empty(&mut self, n: usize) {
        if self.discards {
            return;
        }
        match &mut self.dictionary {
            Some(dictionary) => {
                let length = dictionary.keys.len() + n;
                dictionary.keys.resize(length, 0);
            }
            None => {
                let length = self.offsets.len() + n;
                // Offsets begin with 0.
                let last = self.offsets[self.offsets.len() - 1];
                self.offsets.resize(length, last);
            }
        }
    }

    fn give_up(&mut self) {
        let Some(dictionary) = self.dictionary.take() else {
            return;
        };
        let mut offsets = Vec::with_capacity(dictionary.keys.len() * 2);
        let mut bytes = Vec::with_capacity(self.bytes.len() * 2);
        offsets.push(0);
        for key in dictionary.keys {
            let text = value(&self.offsets, &self.bytes, key);
            self.overflowed |= !push_value(&mut offsets, &mut bytes, text);
        }
        self.offsets = offsets;
        self.bytes = bytes;
    }

    /// What `parse` makes of each of the `rows` values; anything where the row is null.
    ///
    /// # Errors
    /// More text than was held.
    pub(crate) fn parsed<T: Clone + Default>(
        &self,
        rows: usize,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, RecordError> {
        if self.overflowed {
            return Err(RecordError::new("more than 2 GiB of text in one load step"));
        }
        if self.discards {
            return Ok(vec![T::default(); rows]);
        }
        let values = self.offsets.windows(2).map(|ends| {
            let text = &self.bytes[ends[0] as usize..ends[1] as usize];
            // Null rows have what is no such value.
            let parsed = std::str::from_utf8(text).ok().and_then(&parse);
            parsed.unwrap_or_default()
        });
        Ok(match &self.dictionary {
            None => values.collect(),
            Some(dictionary) => {
                let values: Vec<T> = values.collect();
                let value = |key: &i32| values.get(*key as usize).cloned().unwrap_or_default();
                dictionary.keys.iter().map(value).collect()
            }
        })
    }

    /// The column.
    ///
    /// # Errors
    /// More text than an array's offsets can count.
    pub(crate) fn finish(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        if self.overflowed {
            return Err(ArrowError::InvalidArgumentError(
                "more than 2 GiB of text in one field of one load step".to_owned(),
            ));
        }
        let Some(dictionary) = self.dictionary else {
            return Ok(Arc::new(StringArray::try_new(
                OffsetBuffer::new(self.offsets.into()),
                self.bytes.into(),
                nulls,
            )?));
        };
        let mut offsets = self.offsets;
        if offsets.len() == 1 {
            // Keys of null rows still need a value to point at.
            offsets.push(0);
        }
        let values =
            StringArray::try_new(OffsetBuffer::new(offsets.into()), self.bytes.into(), None)?;
        let keys = Int32Array::new(dictionary.keys.into(), nulls);
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(
            keys,
            Arc::new(values),
        )?))
    }
}

/// Appends a value; an empty one, and false, where offsets can't count so far.
#[inline]
fn push_value(offsets: &mut Vec<i32>, bytes: &mut Vec<u8>, text: &[u8]) -> bool {
    let end = i32::try_from(bytes.len() + text.len());
    if end.is_ok() {
        bytes.extend_from_slice(text);
    }
    // What is held was counted before.
    offsets.push(end.unwrap_or(bytes.len() as i32));
    end.is_ok()
}

#[inline]
fn value<'a>(offsets: &[i32], bytes: &'a [u8], key: i32) -> &'a [u8] {
    let key = key as usize;
    &bytes[offsets[key] as usize..offsets[key + 1] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_beyond_what_offsets_count_is_an_error() {
        let mut text = TextBuilder::new();
        text.dictionary = None;
        // Zeros that nobody touches take no memory.
        text.bytes = vec![0; i32::MAX as usize - 3];
        text.offsets = vec![0, i32::MAX - 3];
        text.push("abc");
        text.push_empty(1);
        assert!(!text.overflowed);
        text.push("d");
        text.push("");
        assert_eq!(text.offsets[2..], [i32::MAX; 4]);
        let error = text.finish(None).expect_err("too much");
        assert!(error.to_string().contains("more than 2 GiB"), "{error}");
    }
}
