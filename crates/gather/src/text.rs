use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, StringArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;

use crate::RowRef;
use crate::dictionaries::{Dictionaries, same_buffers};

/// Text in several sources, plain or in dictionaries.
pub(crate) struct Text {
    sources: Vec<Option<TextSource>>,
    /// All dictionaries in one, where every source has a dictionary.
    united: Option<Arc<StringArray>>,
}

enum TextSource {
    Plain(StringArray),
    Dictionary {
        keys: Int32Array,
        values: StringArray,
        /// The united dictionary's key for each of this dictionary's.
        remap: Arc<Vec<i32>>,
    },
}

impl Text {
    pub(crate) fn new(
        sources: &[Option<ArrayRef>],
        known: &Dictionaries,
    ) -> Result<Self, ArrowError> {
        let parts = sources
            .iter()
            .map(|source| source.as_ref().map(Parts::of).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        // Batches of one run share their dictionary.
        let mut dictionaries: Vec<&StringArray> = Vec::new();
        let mut numbers = Vec::with_capacity(parts.len());
        let mut all_dictionaries = true;
        for part in &parts {
            numbers.push(match part {
                None => 0,
                Some(Parts::Plain(_)) => {
                    all_dictionaries = false;
                    0
                }
                Some(Parts::Dictionary(_, values)) => {
                    let mut known = dictionaries.iter().rev();
                    match known.position(|known| same_buffers(known, values)) {
                        Some(from_end) => dictionaries.len() - 1 - from_end,
                        None => {
                            dictionaries.push(values);
                            dictionaries.len() - 1
                        }
                    }
                }
            });
        }
        let united = known.united(&dictionaries, all_dictionaries);
        let sources = std::iter::zip(parts, numbers)
            .map(|(part, number)| {
                Some(match part? {
                    Parts::Plain(text) => TextSource::Plain(text.clone()),
                    Parts::Dictionary(keys, values) => TextSource::Dictionary {
                        keys: keys.clone(),
                        values: values.clone(),
                        remap: united.remaps.get(number).cloned().unwrap_or_default(),
                    },
                })
            })
            .collect();
        Ok(Self {
            united: united.values.clone(),
            sources,
        })
    }

    pub(crate) fn data_type(&self) -> DataType {
        match self.united {
            Some(_) => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            None => DataType::Utf8,
        }
    }

    #[inline]
    pub(crate) fn get(&self, at: RowRef) -> Option<&str> {
        let row = at.row as usize;
        match self.sources.get(at.source as usize)?.as_ref()? {
            TextSource::Plain(text) => (row < text.len()).then(|| text.value(row)),
            TextSource::Dictionary { keys, values, .. } => {
                let key = usize::try_from(*keys.values().get(row)?).ok()?;
                (key < values.len()).then(|| values.value(key))
            }
        }
    }

    /// Gathers rows, of which `nulls` are null.
    pub(crate) fn interleave(
        &self,
        rows: &[RowRef],
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef, ArrowError> {
        if let Some(united) = &self.united {
            let key = |at: &RowRef| match self.sources.get(at.source as usize) {
                Some(Some(TextSource::Dictionary { keys, remap, .. })) => keys
                    .values()
                    .get(at.row as usize)
                    .and_then(|key| remap.get(usize::try_from(*key).ok()?))
                    .copied()
                    // A null row, or one of a source that lacks the field: its key is masked.
                    .unwrap_or(0),
                _ => 0,
            };
            let keys = Int32Array::new(rows.iter().map(key).collect(), nulls);
            let values: ArrayRef = united.clone();
            return Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(
                keys, values,
            )?));
        }
        // Null rows have empty text, which is masked.
        let texts: Vec<&str> = match &nulls {
            None => rows.iter().map(|at| self.get(*at).unwrap_or("")).collect(),
            Some(nulls) => std::iter::zip(rows, nulls)
                .map(|(at, is_valid)| self.get(*at).filter(|_| is_valid).unwrap_or(""))
                .collect(),
        };
        let mut length = 0usize;
        let mut offsets = Vec::with_capacity(rows.len() + 1);
        offsets.push(0i32);
        for text in &texts {
            length += text.len();
            offsets
                .push(i32::try_from(length).map_err(|_| ArrowError::OffsetOverflowError(length))?);
        }
        let mut bytes = Vec::with_capacity(length);
        for text in &texts {
            bytes.extend_from_slice(text.as_bytes());
        }
        Ok(Arc::new(StringArray::try_new(
            OffsetBuffer::new(offsets.into()),
            bytes.into(),
            nulls,
        )?))
    }
}

/// What a source of text is made of.
enum Parts<'a> {
    Plain(&'a StringArray),
    Dictionary(&'a Int32Array, &'a StringArray),
}

impl<'a> Parts<'a> {
    fn of(source: &'a ArrayRef) -> Result<Self, ArrowError> {
        if let Some(text) = source.as_string_opt::<i32>() {
            return Ok(Self::Plain(text));
        }
        let dictionary = source.as_dictionary_opt::<Int32Type>();
        let values = dictionary.and_then(|d| d.values().as_string_opt::<i32>());
        match (dictionary, values) {
            (Some(dictionary), Some(values)) => Ok(Self::Dictionary(dictionary.keys(), values)),
            _ => Err(ArrowError::SchemaError(format!(
                "text can't be read from {}",
                source.data_type()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Column;

    fn dictionary(texts: &[Option<&str>]) -> ArrayRef {
        Arc::new(
            texts
                .iter()
                .copied()
                .collect::<DictionaryArray<Int32Type>>(),
        )
    }

    fn column(sources: &[ArrayRef]) -> Column {
        let sources: Vec<_> = sources.iter().cloned().map(Some).collect();
        Column::new(&DataType::Utf8, &sources).expect("text")
    }

    fn texts(column: &Column, rows: &[(u32, u32)]) -> Vec<Option<String>> {
        let rows: Vec<RowRef> = rows.iter().map(|(s, r)| RowRef::new(*s, *r)).collect();
        let array = column.interleave(&rows).expect("text");
        assert_eq!(array.data_type(), column.data_type());
        let plain = arrow::compute::cast(&array, &DataType::Utf8).expect("text");
        plain
            .as_string::<i32>()
            .iter()
            .map(|t| t.map(str::to_owned))
            .collect()
    }

    #[test]
    fn dictionaries_of_all_sources_are_united() {
        let column = column(&[
            dictionary(&[Some("b"), None, Some("a")]),
            dictionary(&[Some("c"), Some("b")]),
        ]);
        let rows = [(1, 1), (0, 1), (0, 2), (1, 0), (0, 0)].map(|(s, r)| RowRef::new(s, r));
        let array = column.interleave(&rows).expect("a dictionary");
        let array = array.as_dictionary::<Int32Type>();
        assert_eq!(
            array.values().as_ref(),
            &StringArray::from(vec!["b", "a", "c"]) as &dyn Array
        );
        let keys = [Some(0), None, Some(1), Some(2), Some(0)];
        assert_eq!(array.keys(), &Int32Array::from(keys.to_vec()));
    }

    #[test]
    fn beside_plain_text_a_dictionary_is_plain() {
        let plain: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), None]));
        let column = column(&[dictionary(&[Some("a"), None]), plain]);
        assert_eq!(column.data_type(), &DataType::Utf8);
        let [a, b] = ["a", "b"].map(|t| Some(t.to_owned()));
        assert_eq!(
            texts(&column, &[(1, 0), (0, 0), (0, 1), (1, 1)]),
            [b, a, None, None]
        );
        assert_eq!(column.text(RowRef::new(0, 0)), Some("a"));
    }

    #[test]
    fn dictionaries_of_more_than_16384_values_are_given_up() {
        let numbered = |range: std::ops::Range<usize>| {
            let texts: Vec<String> = range.map(|i| i.to_string()).collect();
            dictionary(&texts.iter().map(|t| Some(t.as_str())).collect::<Vec<_>>())
        };
        let most = column(&[numbered(0..10_000), numbered(5_000..16_384)]);
        assert!(matches!(most.data_type(), DataType::Dictionary(..)));
        let more = [numbered(0..10_000), numbered(5_000..16_385), numbered(0..1)];
        let [at_the_last, before_it] = [column(&more[..2]), column(&more)];
        assert_eq!(at_the_last.data_type(), &DataType::Utf8);
        assert_eq!(before_it.data_type(), &DataType::Utf8);
        for column in [most, at_the_last, before_it] {
            let expected = ["16383", "9999"].map(|t| Some(t.to_owned()));
            assert_eq!(texts(&column, &[(1, 11_383), (0, 9_999)]), expected);
        }
    }

    #[test]
    fn a_dictionary_without_values_gives_nulls() {
        let without = || dictionary(&[None, None]);
        let column = column(&[without()]);
        assert_eq!(texts(&column, &[(0, 1), (0, 0)]), [None, None]);
        // Readers may look up the keys of null rows too.
        let text = Text::new(&[Some(without())], &Dictionaries::default()).expect("text");
        assert_eq!(text.united.expect("a dictionary").len(), 1);
    }
}
