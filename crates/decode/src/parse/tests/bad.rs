//! Bad records among good ones, beside what decoding each record by itself makes of them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Values of all types, whole and broken.
fn value() -> impl Strategy<Value = String> {
    let scalars = [
        "null",
        "true",
        "1",
        "2.5",
        "9007199254740993",
        "\"text\"",
        "\"2024-02-29\"",
        "\"2024-02-29T01:02:03Z\"",
        "[]",
        "{}",
        "{\"a\":1,\"a\":2}",
        "tru",
    ];
    let leaf = select(scalars.to_vec()).prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 3, |inner| {
        let fields = vec((select(vec!["a", "b"]), inner.clone()), 0..3).prop_map(|fields| {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("\"{name}\":{value}"));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        });
        prop_oneof![
            fields,
            vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    })
}

fn line() -> impl Strategy<Value = String> {
    let names = select(vec![
        "a",
        "b",
        "c",
        "repo:a",
        "_repo",
        "segments",
        "identityMap",
    ]);
    let id = select(vec!["\"x\"", "\"x\"", "\"x\"", "null", "1"]);
    (id, vec((names, value()), 0..3)).prop_map(|(id, fields)| {
        let fields = fields
            .iter()
            .map(|(name, value)| format!(",\"{name}\":{value}"));
        format!("{{\"k\":{id}{}}}", fields.collect::<String>())
    })
}

proptest! {
    #[test]
    fn records_are_bad_and_leave_types_as_if_each_were_decoded_by_itself(lines in vec(line(), 1..12)) {
        let spec = spec();
        let chunk = InputChunk::of_lines("records", lines.join("\n").into_bytes());
        let at_once = decode(&RecordSpans::new(&chunk), &spec, &spec.types, 0).expect("few records");
        let (mut types, mut bad) = (spec.types.clone(), Vec::new());
        for (number, line) in lines.iter().enumerate() {
            let chunk = InputChunk::of_lines("records", line.clone().into_bytes());
            let one = decode(&RecordSpans::new(&chunk), &spec, &types, 0).expect("one record");
            types = one.types;
            bad.extend(one.bad.into_iter().map(|bad| (number as u64 + 1, bad.error)));
        }
        let found: Vec<_> = at_once.bad.into_iter().map(|bad| (bad.line, bad.error)).collect();
        prop_assert_eq!(found, bad);
        prop_assert_eq!(at_once.types, types);
    }
}

/// To copy them for each record takes as long as the schema is wide.
#[test]
fn types_grow_when_they_change_and_not_with_each_record() {
    let mut spec = spec();
    spec.types.insert("at", FieldType::DateTime);
    let mut columns = RecordBuilder::new(spec.class, &spec.types, spec.selection());
    let lines = "{\"k\":\"a\",\"at\":1}\n{\"k\":\"a\",\"k\":\"b\"}\n{}\n{\"k\":\"a\"}\n";
    let chunk = InputChunk::of_lines("records", lines.repeat(3).into_bytes());
    let records = RecordSpans::new(&chunk);
    let grown = columns.growth();
    let progress = Progress::default();
    let read = records.each(&mut JsonParser::default(), &progress, |_, record| {
        // A bad record among them changes nothing about those behind it.
        let _ = record.and_then(|record| record.append_to(&mut columns));
        Ok(())
    });
    assert_eq!(read, Ok(()));
    // The field `k`, that it is text, and that the text is no date.
    assert_eq!(columns.growth() - grown, 3);
}
