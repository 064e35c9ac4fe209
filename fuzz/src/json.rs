//! Lines of JSON, decoded, held against serde_json.

use arrow::array::{Array, ArrayRef};
use decode::{BadRecord, Decoded, InputChunk, RecordSpans, RecordSpec, decode};
use std::sync::Arc;
use xdm::{Class, Dataset, Spelling, Timestamp, spelling};

use crate::expected::{is_same, record};
use crate::tree::Tree;

/// How deep a record may nest.
const DEEPEST: usize = 128;

/// Decodes lines of JSON. The first byte says of which class they are (its lowest bit) and whether a
/// schema is declared (the next one); a digit does.
///
/// Each line that begins as an object gets the fields that each record needs, so that few are refused
/// for want of them.
///
/// # Panics
/// Something does not hold.
pub fn check(input: &[u8]) {
    let Some((choice, lines)) = input.split_first() else {
        return;
    };
    // serde_json takes a frame of the stack for each level.
    if lines
        .iter()
        .filter(|byte| matches!(byte, b'[' | b'{'))
        .count()
        > 1_000
    {
        return;
    }
    let class = if choice & 1 == 0 {
        Class::Profile
    } else {
        Class::Event
    };
    let is_declared = choice & 2 != 0;
    let spec = spec(class, is_declared);
    let lines: Vec<Vec<u8>> = lines
        .split(|byte| *byte == b'\n')
        .map(without_marks)
        .map(|line| with_needed(class, line))
        .collect();
    let decoded = decoded(&spec, &lines);

    let mut bad = decoded.bad.iter().peekable();
    let mut good = Vec::new();
    for (number, line) in (0..).zip(&lines) {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let read = Tree::read(line);
        match (bad.next_if(|bad| bad.line == number + 1), read) {
            (None, Ok(tree)) => good.push((line.clone(), tree)),
            (None, Err(error)) => panic!("serde_json refuses {}: {error}", shown(line)),
            (Some(bad), read) => {
                let is_first = good.is_empty() && !is_declared;
                judge(bad, line, read.ok().as_ref(), is_first);
            }
        }
    }
    assert!(
        bad.next().is_none(),
        "bad records that are none, or out of order"
    );

    let records: ArrayRef = Arc::new(decoded.rows.records.clone());
    assert_eq!(records.len(), good.len());
    assert_eq!(decoded.rows.keys.len(), good.len());
    let has_own_segments = |row: usize| {
        let own = decoded.rows.records.column_by_name("segments");
        own.is_some_and(|column| column.is_valid(row))
    };
    for (row, (line, tree)) in good.iter().enumerate() {
        assert!(tree.depth() <= DEEPEST, "too deep: {}", shown(line));
        let right = record(tree, has_own_segments(row))
            .is_some_and(|expected| is_same(&records, row, &expected));
        assert!(right, "{} became {:?}", shown(line), records.slice(row, 1));
    }

    // A bad record leaves no trace.
    if !decoded.bad.is_empty() {
        let lines: Vec<Vec<u8>> = good.into_iter().map(|(line, _)| line).collect();
        let alone = self::decoded(&spec, &lines);
        assert_eq!(alone.bad.len(), 0);
        assert_eq!(alone.types, decoded.types);
        assert!(
            alone.rows.records == decoded.rows.records,
            "bad records change others"
        );
    }
}

/// A byte order mark may stand before any line, and is none of it: tests of the reader's own hold that. Of several the
/// others would be taken for the line's first one here.
fn without_marks(mut line: &[u8]) -> &[u8] {
    while let Some(rest) = line.strip_prefix(b"\xef\xbb\xbf") {
        line = rest;
    }
    line
}

/// Whether a record may be bad for the reason that is given.
fn judge(bad: &BadRecord, line: &[u8], tree: Option<&Tree>, is_first: bool) {
    assert_eq!(bad.text.as_deref(), Some(&*String::from_utf8_lossy(line)));
    let reason = bad.error.to_string();
    assert!(!reason.is_empty());
    let Some(tree) = tree else {
        return;
    };
    if tree.depth() > DEEPEST || tree.has_large_numbers() {
        return;
    }
    let syntax = ["broken JSON", "invalid UTF-8", "nested deeper"];
    // A reason shows the record's own words, too.
    let is_own = |word: &&str| String::from_utf8_lossy(line).contains(*word);
    let said = syntax
        .iter()
        .find(|word| reason.contains(**word) && !is_own(word));
    assert!(said.is_none(), "serde_json reads {}: {reason}", shown(line));
    assert!(
        !(is_first && matches!(tree, Tree::Object(_)) && !tree.has_duplicates() && is_plain(tree)),
        "why is {} bad: {reason}",
        shown(line)
    );
}

/// Whether nothing in a value could contradict a type: there are no lists, whose items must agree, and no
/// fields that have a type beforehand or a spelling of their own.
fn is_plain(tree: &Tree) -> bool {
    match tree {
        Tree::List(_) => false,
        Tree::Integer(i) => i64::try_from(*i).is_ok(),
        Tree::Object(entries) => entries.iter().all(|(key, value)| {
            let is_special = matches!(
                key.as_str(),
                "identityMap" | "segmentMembership" | "segments" | "extSourceSystemAudit" | "_repo"
            );
            !is_special && spelling(key) == Spelling::Field(key) && is_plain(value)
        }),
        _ => true,
    }
}

fn decoded(spec: &RecordSpec, lines: &[Vec<u8>]) -> Decoded {
    let chunk = InputChunk::of_lines("fuzz", lines.join(&b'\n'));
    decode(&RecordSpans::new(&chunk), spec, &spec.types, 0).expect("few records")
}

/// A line with the fields that each record needs.
fn with_needed(class: Class, line: &[u8]) -> Vec<u8> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
    let start = line.iter().take_while(|byte| is_space(byte)).count();
    let Some((before, inner)) = line
        .split_at_checked(start + 1)
        .filter(|(b, _)| b.ends_with(b"{"))
    else {
        return line.to_vec();
    };
    let needed = match class {
        Class::Profile => r#""id":"x""#,
        Class::Event => r#""id":"x","_id":"e","timestamp":"2024-02-29T00:00:00Z""#,
    };
    let is_empty = inner.iter().find(|byte| !is_space(byte)) == Some(&b'}');
    let comma = if is_empty { "" } else { "," };
    [before, needed.as_bytes(), comma.as_bytes(), inner].concat()
}

/// How records are read whose identity is in `id`.
pub(crate) fn spec(class: Class, is_declared: bool) -> RecordSpec {
    let mut dataset = Dataset::new("5b020a27e7040801dedba61a", "fuzz", class);
    dataset.primary_identity = Some("id=ID".to_owned());
    if is_declared {
        let schema = include_str!("schema.json");
        dataset.schema = Some(serde_json::from_str(schema).expect("a schema"));
    }
    RecordSpec::new(&dataset, &class.standard_fields(), Timestamp::default()).expect("a dataset")
}

fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}
