//! docs/types.md, from what the tests expect.

use std::fmt::Write;

use super::outcome::{Outcome, shown};
use super::{arrow_types, parquet_types};

const HEAD: &str = "\
# Types

What the columns of Parquet files and of Arrow record batches become. The tests write this page, and hold it
against what they see (`crates/engine/tests/it/types`).

- **A type is mapped exactly or refused.** A column of a type that no XDM field has is one error for the whole
  file, which names the column's path and type, before any record is read. A value that does not fit is a bad
  record. Nothing becomes null that was something.
- **What a schema declares, or the union schema knows,** decides what a value becomes: an integer in a field
  that is a double is a double, and a decimal in a field that is declared a string is its text, with all digits of its
  scale. The tables say what becomes of a column in a field that nobody knows yet.
- **Texts** have at most 16 MiB, as lines of JSON have.
- **Nesting** ends at 128 levels, as in JSON.
- **Extension types** are what they are stored as, but for `arrow.uuid`.
- **Records of one file** may unfold to 64 MiB each on average, and its pages to 256 MiB at once; those of a
  larger file to 100 times its size.
- Encrypted files, and columns compressed with Brotli or LZO, are refused.
";

pub fn page(arrow: &[arrow_types::Case], parquet: &[parquet_types::Case]) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## Parquet\n\nFiles that carry an Arrow schema are read by it; the table of Arrow's types holds for them, too.\n\n");
    table(
        &mut page,
        "Parquet",
        parquet.iter().map(|case| {
            let inputs = case.inputs.iter().map(|input| (*input).to_owned());
            (case.name.to_owned(), inputs.collect(), case.expected())
        }),
    );
    page.push_str("\n## Arrow\n\n");
    table(
        &mut page,
        "Arrow",
        arrow.iter().map(|case| {
            let inputs = match case.expected() {
                Outcome::Refused(_) => Vec::new(),
                Outcome::Field { .. } => (0..case.values.len())
                    .map(|row| shown(&case.values, row))
                    .collect(),
            };
            (case.name(), inputs, case.expected())
        }),
    );
    page
}

fn table(
    page: &mut String,
    title: &str,
    rows: impl Iterator<Item = (String, Vec<String>, Outcome)>,
) {
    writeln!(page, "| {title} | becomes | for example |\n|---|---|---|").unwrap();
    for (name, inputs, outcome) in rows {
        let name = cell(&name);
        match outcome {
            Outcome::Refused(reason) => {
                writeln!(page, "| `{name}` | *refused* | {} |", cell(&reason)).unwrap();
            }
            Outcome::Field { becomes, values } => {
                let mut examples: Vec<String> = inputs
                    .iter()
                    .zip(values)
                    .map(|(input, value)| match value {
                        Ok(value) => format!("`{}` → `{}`", cell(input), cell(&value)),
                        Err(reason) => format!("`{}`: {}", cell(input), cell(&reason)),
                    })
                    .collect();
                examples.dedup();
                writeln!(page, "| `{name}` | {becomes} | {} |", examples.join("; ")).unwrap();
            }
        }
    }
}

/// Text that ends no cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
