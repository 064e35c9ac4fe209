//! `COPY (query) TO STDOUT`: what it says.

use crate::copy_form::Form;
use crate::refusal::{BAD_VALUE, Refusal, SYNTAX};
use crate::split::{Piece, split};
use crate::tokens::{Token, tokens};

/// What is to be copied, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    /// The query.
    pub(crate) query: Piece,
    pub(crate) form: Form,
}

impl Copy {
    /// # Errors
    ///
    /// It copies into a table or a file, or has options that aren't known here.
    pub(crate) fn of(piece: &Piece) -> Result<Self, Refusal> {
        let tokens = tokens(piece);
        let characters: Vec<char> = piece.text.chars().collect();
        let mut depth = 0_usize;
        // The words TO or FROM that stand in no brackets.
        let direction = tokens.iter().position(|(token, _)| {
            match token {
                Token::Sign('(') => depth += 1,
                Token::Sign(')') => depth = depth.saturating_sub(1),
                token => return depth == 0 && (token.is("to") || token.is("from")),
            }
            false
        });
        let Some(direction) = direction else {
            return Err(Refusal::new(SYNTAX, "COPY has no TO STDOUT"));
        };
        if tokens[direction].0.is("from") {
            return Err(Refusal::unsupported("COPY FROM"));
        }
        let source = &tokens[1..direction];
        let text = |from: usize, to: usize| -> String { characters[from..to].iter().collect() };
        let (query, start) = match source {
            [] => return Err(Refusal::new(SYNTAX, "COPY names nothing to be copied")),
            [(Token::Sign('('), open), .., (Token::Sign(')'), close)] => {
                (text(open.end, close.start), Some(open.end))
            }
            [(_, first), ..] => {
                // `t`, `s.t`, `t (a, b)`
                let list = source
                    .iter()
                    .position(|(token, _)| *token == Token::Sign('('));
                let (name, columns) = match (list, source.last()) {
                    (Some(list), Some((Token::Sign(')'), close))) => {
                        let open = &source[list].1;
                        (text(first.start, open.start), text(open.end, close.start))
                    }
                    (_, Some((_, last))) => (text(first.start, last.end), "*".to_owned()),
                    (_, None) => return Err(Refusal::new(SYNTAX, "COPY names nothing")),
                };
                // Its words stand elsewhere, and in another order.
                (format!("SELECT {columns} FROM {name}"), None)
            }
        };
        let mut pieces = split(&query)?;
        let (Some(mut query), true) = (pieces.pop(), pieces.is_empty()) else {
            return Err(Refusal::new(SYNTAX, "COPY takes one query"));
        };
        query.start = match (query.start, piece.start, start) {
            (Some(own), Some(outer), Some(within)) => Some(own + outer + within),
            _ => None,
        };
        let rest: Vec<Token> = tokens[direction + 1..]
            .iter()
            .map(|(token, _)| token.clone())
            .collect();
        match rest.split_first() {
            Some((stdout, options)) if stdout.is("stdout") => {
                let form = form(options)?;
                Ok(Self { query, form })
            }
            _ => Err(Refusal::unsupported("COPY into a file or a program of the server")
                .with_hint("TO STDOUT sends the rows to the client; in psql, \\copy writes them into a file")),
        }
    }
}

/// Both spellings of the options: `WITH (FORMAT csv, HEADER)` and `WITH CSV HEADER`.
fn form(tokens: &[Token]) -> Result<Form, Refusal> {
    let mut options = Options::default();
    let mut rest = tokens;
    if let [first, more @ ..] = rest
        && first.is("with")
    {
        rest = more;
    }
    let in_brackets = matches!(rest, [Token::Sign('('), .., Token::Sign(')')]);
    if in_brackets {
        rest = &rest[1..rest.len() - 1];
        for option in rest.split(|token| *token == Token::Sign(',')) {
            match option {
                [name] => options.set(name, None)?,
                [name, value] => options.set(name, Some(value.value()))?,
                _ => return Err(unknown(option)),
            }
        }
    } else {
        while let [name, more @ ..] = rest {
            rest = more;
            match name {
                name if name.is("binary") || name.is("csv") => {
                    options.set(&Token::Word("format".to_owned()), Some(name.value()))?;
                }
                name if name.is("header") => options.set(name, None)?,
                name => {
                    if let [word, more @ ..] = rest
                        && word.is("as")
                    {
                        rest = more;
                    }
                    let [value @ Token::Text(_), more @ ..] = rest else {
                        return Err(unknown(std::slice::from_ref(name)));
                    };
                    options.set(name, Some(value.value()))?;
                    rest = more;
                }
            }
        }
    }
    options.form()
}

#[derive(Default)]
struct Options {
    /// The names of those that were given.
    given: Vec<String>,
    format: Option<String>,
    delimiter: Option<u8>,
    null: Option<String>,
    header: Option<bool>,
    quote: Option<u8>,
    escape: Option<u8>,
}

impl Options {
    fn set(&mut self, name: &Token, value: Option<String>) -> Result<(), Refusal> {
        let option = name.value().to_lowercase();
        if self.given.contains(&option) {
            let message = format!("COPY: {} is given twice", name.value());
            return Err(Refusal::new(SYNTAX, message));
        }
        let one = |value: Option<String>| match value.as_deref().map(str::as_bytes) {
            Some([byte]) if !b"\r\n".contains(byte) => Ok(Some(*byte)),
            other => {
                let found = other.map(String::from_utf8_lossy);
                let message = format!("COPY: {} is one character, not {found:?}", name.value());
                Err(Refusal::new(BAD_VALUE, message))
            }
        };
        match option.as_str() {
            "format" => self.format = value.map(|value| value.to_lowercase()),
            "delimiter" => self.delimiter = one(value)?,
            "null" => self.null = value,
            "header" => {
                let value = value.as_deref().map(str::to_lowercase);
                self.header = Some(match value.as_deref() {
                    None | Some("true" | "on" | "1") => true,
                    Some("false" | "off" | "0") => false,
                    Some(other) => {
                        return Err(Refusal::unsupported(format!("COPY … HEADER {other}")));
                    }
                });
            }
            "quote" => self.quote = one(value)?,
            "escape" => self.escape = one(value)?,
            "encoding" => {
                let is_utf8 = value.is_some_and(|value| {
                    ["utf8", "utf-8", "unicode"].contains(&value.to_lowercase().as_str())
                });
                if !is_utf8 {
                    return Err(Refusal::unsupported("COPY in another encoding than UTF8"));
                }
            }
            _ => return Err(unknown(std::slice::from_ref(name))),
        }
        self.given.push(option);
        Ok(())
    }

    fn form(self) -> Result<Form, Refusal> {
        let Self {
            format,
            delimiter,
            null,
            header,
            quote,
            escape,
            given: _,
        } = self;
        let only_csv = quote.is_some() || escape.is_some() || header == Some(true);
        let only_texts = only_csv || delimiter.is_some() || null.is_some();
        let form = match format.as_deref() {
            None | Some("text") if !only_csv => Ok(Form::Text {
                delimiter: delimiter.unwrap_or(b'\t'),
                null: null.unwrap_or_else(|| "\\N".to_owned()),
            }),
            Some("csv") => {
                let quote = quote.unwrap_or(b'"');
                Ok(Form::Csv {
                    delimiter: delimiter.unwrap_or(b','),
                    null: null.unwrap_or_default(),
                    header: header.unwrap_or(false),
                    quote,
                    escape: escape.unwrap_or(quote),
                })
            }
            Some("binary") if !only_texts => Ok(Form::Binary),
            Some(other) if !["text", "binary"].contains(&other) => Err(Refusal::new(
                BAD_VALUE,
                format!("COPY has no format {other:?}: text, csv, binary"),
            )),
            _ => Err(Refusal::new(
                BAD_VALUE,
                "COPY: HEADER, QUOTE and ESCAPE are for the format csv; DELIMITER and NULL are for text and csv",
            )),
        }?;
        told_apart(&form)?;
        Ok(form)
    }
}

/// Refuses signs that could not be told from each other where the rows are read: those that PostgreSQL refuses.
fn told_apart(form: &Form) -> Result<(), Refusal> {
    let (delimiter, null) = match form {
        Form::Binary => return Ok(()),
        Form::Text { delimiter, null }
        | Form::Csv {
            delimiter, null, ..
        } => (*delimiter, null),
    };
    let refuse = |message: &str| Err(Refusal::new(BAD_VALUE, format!("COPY: {message}")));
    if null.contains(['\r', '\n']) {
        return refuse("NULL is no text of several lines");
    }
    if null.as_bytes().contains(&delimiter) {
        return refuse("the DELIMITER may not be in the text for NULL");
    }
    match form {
        Form::Text { .. }
            if delimiter == b'\\'
                || delimiter == b'.'
                || delimiter.is_ascii_lowercase()
                || delimiter.is_ascii_digit() =>
        {
            refuse("DELIMITER is no letter, digit, point or backslash in the format text")
        }
        Form::Csv { quote, .. } if *quote == delimiter => {
            refuse("DELIMITER and QUOTE are two signs")
        }
        Form::Csv { quote, .. } if null.as_bytes().contains(quote) => {
            refuse("the QUOTE may not be in the text for NULL")
        }
        _ => Ok(()),
    }
}

fn unknown(option: &[Token]) -> Refusal {
    let words: Vec<_> = option.iter().map(Token::value).collect();
    Refusal::unsupported(format!("The option {} of COPY", words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(text: &str) -> Result<(String, Form), Refusal> {
        let copy = Copy::of(&split(text)?[0])?;
        Ok((copy.query.text, copy.form))
    }

    fn text() -> Form {
        Form::Text {
            delimiter: b'\t',
            null: "\\N".to_owned(),
        }
    }

    #[test]
    fn both_spellings_of_the_options() {
        let csv = Form::Csv {
            delimiter: b';',
            null: "-".to_owned(),
            header: true,
            quote: b'"',
            escape: b'"',
        };
        for (statement, query, form) in [
            (
                "COPY (SELECT ')' FROM t) TO STDOUT",
                "SELECT ')' FROM t",
                text(),
            ),
            ("copy t to stdout", "SELECT * FROM t", text()),
            (
                "COPY public.t (a, \"b\") TO STDOUT",
                "SELECT a, \"b\" FROM public.t",
                text(),
            ),
            (
                "COPY (SELECT 1) TO STDOUT (FORMAT binary)",
                "SELECT 1",
                Form::Binary,
            ),
            (
                "COPY (SELECT 1) TO STDOUT WITH BINARY",
                "SELECT 1",
                Form::Binary,
            ),
            (
                "COPY (SELECT 1) TO STDOUT WITH (FORMAT CSV, HEADER, DELIMITER ';', NULL '-')",
                "SELECT 1",
                csv.clone(),
            ),
            (
                "COPY (SELECT 1) TO STDOUT WITH CSV HEADER DELIMITER AS ';' NULL '-'",
                "SELECT 1",
                csv.clone(),
            ),
        ] {
            assert_eq!(copy(statement), Ok((query.to_owned(), form)), "{statement}");
        }
    }

    #[test]
    fn what_is_not_had_is_refused_by_name() {
        for (statement, told) in [
            ("COPY t FROM STDIN", "COPY FROM"),
            ("COPY t TO '/etc/passwd'", "file"),
            ("COPY t TO PROGRAM 'rm'", "program"),
            ("COPY t TO STDOUT (FORMAT parquet)", "parquet"),
            ("COPY t TO STDOUT (FORCE_QUOTE *)", "FORCE_QUOTE"),
            ("COPY t TO STDOUT (FORMAT binary, HEADER)", "csv"),
            ("COPY t TO STDOUT (DELIMITER 'ab')", "one character"),
            ("COPY () TO STDOUT", "one query"),
            ("COPY t TO STDOUT (DELIMITER 'n')", "DELIMITER"),
            ("COPY t TO STDOUT (DELIMITER '\\\\')", "DELIMITER"),
            ("COPY t TO STDOUT (NULL 'a\tb')", "DELIMITER"),
            ("COPY t TO STDOUT (NULL 'a\nb')", "NULL"),
            ("COPY t TO STDOUT (FORMAT csv, DELIMITER '\"')", "QUOTE"),
            ("COPY t TO STDOUT (FORMAT csv, NULL '\"')", "QUOTE"),
            ("COPY t TO STDOUT (FORMAT csv, NULL 'a,b')", "DELIMITER"),
            ("COPY t TO STDOUT (FORMAT csv, FORMAT text)", "twice"),
            ("COPY t TO STDOUT WITH CSV CSV", "twice"),
            ("COPY t", "TO STDOUT"),
        ] {
            let refusal = copy(statement).expect_err(statement);
            assert!(
                refusal.message.contains(told),
                "{statement}: {}",
                refusal.message
            );
        }
    }

    #[test]
    fn the_place_of_the_query_is_kept() {
        let pieces = split("SELECT 1; COPY ( SELECT x) TO STDOUT").expect("pieces");
        let copy = Copy::of(&pieces[1]).expect("a copy");
        assert_eq!(copy.query.start, Some(17));
        let pieces = split("COPY t (a) TO STDOUT").expect("pieces");
        let copy = Copy::of(&pieces[0]).expect("a copy");
        assert_eq!(copy.query.position(1, 8), None);
    }
}
