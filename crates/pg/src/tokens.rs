//! The words of a statement that is none of the dialect: COPY, SET and their like.

use std::ops::Range;

use crate::split::Piece;

/// A word or sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// As it is written.
    Word(String),
    /// `"name"`, without its quotes.
    Name(String),
    /// `'text'`, without its quotes and escapes.
    Text(String),
    Sign(char),
}

impl Token {
    pub(crate) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(own) if own.eq_ignore_ascii_case(word))
    }

    /// What it says, whatever it is.
    pub(crate) fn value(&self) -> String {
        match self {
            Self::Word(text) | Self::Name(text) | Self::Text(text) => text.clone(),
            Self::Sign(sign) => sign.to_string(),
        }
    }
}

/// The tokens of a statement, each with its place in characters.
pub(crate) fn tokens(piece: &Piece) -> Vec<(Token, Range<usize>)> {
    let characters: Vec<char> = piece.text.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(one) = characters.get(at) {
        let start = at;
        let next = characters.get(at + 1);
        match one {
            one if one.is_whitespace() => {
                at += 1;
                continue;
            }
            '-' if next == Some(&'-') => {
                while characters.get(at).is_some_and(|one| *one != '\n') {
                    at += 1;
                }
                continue;
            }
            '/' if next == Some(&'*') => {
                at = comment_end(&characters, at);
                continue;
            }
            '\'' => {
                let text = quoted(&characters, &mut at, '\'');
                out.push((Token::Text(text), start..at));
            }
            '"' | '`' => {
                let name = quoted(&characters, &mut at, *one);
                out.push((Token::Name(name), start..at));
            }
            one if is_of_a_word(*one) => {
                while characters.get(at).is_some_and(|one| is_of_a_word(*one)) {
                    at += 1;
                }
                let word = characters[start..at].iter().collect();
                out.push((Token::Word(word), start..at));
            }
            sign => {
                at += 1;
                out.push((Token::Sign(*sign), start..at));
            }
        }
    }
    out
}

fn is_of_a_word(one: char) -> bool {
    one.is_alphanumeric() || one == '_'
}

/// Comments lie within each other; that they end is known by now.
fn comment_end(characters: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < characters.len() {
        match (characters[at], characters.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    break;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn quoted(characters: &[char], at: &mut usize, quote: char) -> String {
    let mut text = String::new();
    *at += 1;
    while let Some(one) = characters.get(*at).copied() {
        *at += 1;
        if one == '\\' && quote == '\'' {
            if let Some(escaped) = characters.get(*at) {
                *at += 1;
                text.push(match escaped {
                    't' => '\t',
                    'n' => '\n',
                    'r' => '\r',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    other => *other,
                });
            }
        } else if one == quote {
            if characters.get(*at) != Some(&quote) {
                break;
            }
            text.push(quote);
            *at += 1;
        } else {
            text.push(one);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::split;

    #[test]
    fn words_names_texts_and_signs() {
        let piece = &split(r#"COPY (a) /* ) */ TO "x""y", E'\t''', `b` -- end"#).expect("one")[0];
        let found: Vec<_> = tokens(piece).into_iter().map(|(token, _)| token).collect();
        let word = |text: &str| Token::Word(text.to_owned());
        let name = |text: &str| Token::Name(text.to_owned());
        let wanted = [
            word("COPY"),
            Token::Sign('('),
            word("a"),
            Token::Sign(')'),
            word("TO"),
            name("x\"y"),
            Token::Sign(','),
            Token::Text("\t'".to_owned()),
            Token::Sign(','),
            name("b"),
        ];
        assert_eq!(found, wanted);
    }
}
