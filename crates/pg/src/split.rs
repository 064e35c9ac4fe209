//! A text as statements, before anybody knows what they are.

use std::collections::BTreeMap;

use crate::refusal::{Refusal, SYNTAX, TOO_COMPLEX};

/// How many words and signs a text may have: each takes far more memory than its characters.
pub(crate) const MOST_TOKENS: usize = 100_000;

/// A statement's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Without what stands around it; `E'…'` is `'…'`, which means the same in the platform's dialect.
    pub(crate) text: String,
    /// Where it begins in the whole text, in characters; `None` for what nobody wrote so.
    pub(crate) start: Option<usize>,
    /// The highest number of a parameter in it (`$2`); 0 without any.
    pub(crate) parameters: usize,
    /// How often each of them stands in it, by its number.
    pub(crate) places: BTreeMap<usize, usize>,
    /// The numbers of those that are lists, as they stand behind ANY or ALL.
    pub(crate) lists: Vec<usize>,
    /// Its words that are neither quoted nor texts, in lower case.
    pub(crate) words: Vec<String>,
    /// Those of them that have a bracket behind them.
    pub(crate) calls: Vec<String>,
}

impl Piece {
    /// Whether it begins with these words.
    pub(crate) fn begins(&self, words: &[&str]) -> bool {
        let own = self.words.iter().map(String::as_str);
        words.len() <= self.words.len() && own.zip(words).all(|(own, word)| own == *word)
    }

    /// The place of a line and a column of it in the whole text, counted from one; `None` where it has none there.
    pub(crate) fn position(&self, line: u64, column: u64) -> Option<usize> {
        let start = self.start?;
        let before = self
            .text
            .split('\n')
            .take((line as usize).saturating_sub(1));
        let before: usize = before.map(|line| line.chars().count() + 1).sum();
        Some(start + before + column as usize)
    }
}

/// The statements of a text, which `;` divides.
///
/// # Errors
///
/// A text, a name or a comment does not end.
pub(crate) fn split(text: &str) -> Result<Vec<Piece>, Refusal> {
    let mut scan = Scan {
        characters: text.chars().collect(),
        at: 0,
        tokens: 0,
    };
    let mut pieces = Vec::new();
    while scan.at < scan.characters.len() {
        if let Some(piece) = scan.piece()? {
            pieces.push(piece);
        }
    }
    Ok(pieces)
}

/// How much of `= ANY ($1` was passed.
#[derive(PartialEq, Eq)]
enum Quantifier {
    None,
    /// A sign of comparison. Without one, `any` and `some` are aggregates, and `ALL` stands behind SELECT.
    Sign,
    Word,
    Open,
}

struct Scan {
    characters: Vec<char>,
    at: usize,
    /// How many words and signs were passed.
    tokens: usize,
}

impl Scan {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    /// The statement up to the next `;`, which is passed; `None` for one of nothing.
    fn piece(&mut self) -> Result<Option<Piece>, Refusal> {
        let start = self.at;
        let mut parameters = 0;
        let mut places = BTreeMap::new();
        let mut lists = Vec::new();
        let mut quantifier = Quantifier::None;
        let (mut words, mut calls) = (Vec::new(), Vec::new());
        // Whether there is something else than blanks and comments.
        let mut is_something = false;
        let mut end = start;
        while let Some(one) = self.peek(0) {
            match one {
                ';' => break,
                '-' if self.peek(1) == Some('-') => self.line(),
                '/' if self.peek(1) == Some('*') => self.comment()?,
                one if one.is_whitespace() => self.at += 1,
                one => {
                    is_something = true;
                    self.tokens += 1;
                    if self.tokens > MOST_TOKENS {
                        let message =
                            format!("the text has more than {MOST_TOKENS} words and signs");
                        return Err(Refusal::new(TOO_COMPLEX, message));
                    }
                    let before = std::mem::replace(&mut quantifier, Quantifier::None);
                    match one {
                        '\'' => self.quoted('\'', true)?,
                        '"' | '`' => self.quoted(one, false)?,
                        '$' => {
                            let number = self.dollar()?;
                            if number > 0 {
                                *places.entry(number).or_default() += 1;
                            }
                            if before == Quantifier::Open && number > 0 {
                                lists.push(number);
                            }
                            parameters = parameters.max(number);
                        }
                        '(' if before == Quantifier::Word => {
                            quantifier = Quantifier::Open;
                            self.at += 1;
                        }
                        '=' | '<' | '>' => {
                            quantifier = Quantifier::Sign;
                            self.at += 1;
                        }
                        one if starts_a_word(one) => {
                            let word = self.word();
                            if before == Quantifier::Sign
                                && matches!(word.as_str(), "any" | "some" | "all")
                            {
                                quantifier = Quantifier::Word;
                            }
                            // The text behind it is one of the dialect's, whose texts have all such escapes.
                            match self.peek(0) {
                                Some('\'') if word == "e" => self.characters[self.at - 1] = ' ',
                                _ => {
                                    if self.is_called() {
                                        calls.push(word.clone());
                                    }
                                    words.push(word);
                                }
                            }
                        }
                        one if one.is_ascii_digit() => drop(self.word()),
                        _ => self.at += 1,
                    }
                    end = self.at;
                }
            }
        }
        let all = &self.characters[start..end.max(start)];
        let blank = all.iter().take_while(|one| one.is_whitespace()).count();
        let text = all[blank..].iter().collect();
        // Behind the `;`.
        self.at += 1;
        Ok(is_something.then_some(Piece {
            text,
            start: Some(start + blank),
            parameters,
            places,
            lists,
            words,
            calls,
        }))
    }

    /// Whether a bracket opens next.
    fn is_called(&self) -> bool {
        let mut rest = self.characters[self.at..].iter();
        rest.find(|one| !one.is_whitespace()) == Some(&'(')
    }

    fn line(&mut self) {
        while self.peek(0).is_some_and(|one| one != '\n') {
            self.at += 1;
        }
    }

    fn comment(&mut self) -> Result<(), Refusal> {
        let start = self.at;
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => {
                    depth += 1;
                    self.at += 2;
                }
                (Some('*'), Some('/')) => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                (Some(_), _) => self.at += 1,
                (None, _) => return Err(endless("a comment", start)),
            }
        }
    }

    fn quoted(&mut self, quote: char, escapes: bool) -> Result<(), Refusal> {
        let start = self.at;
        self.at += 1;
        while let Some(one) = self.peek(0) {
            self.at += 1;
            if one == '\\' && escapes {
                self.at += 1;
            } else if one == quote {
                // Twice is one of its own, and goes on.
                if self.peek(0) != Some(quote) {
                    return Ok(());
                }
                self.at += 1;
            }
        }
        let what = if quote == '\'' { "a text" } else { "a name" };
        Err(endless(what, start))
    }

    /// A parameter, whose number this is; or a text between `$$`.
    fn dollar(&mut self) -> Result<usize, Refusal> {
        let start = self.at;
        self.at += 1;
        if self.peek(0).is_some_and(|one| one.is_ascii_digit()) {
            let digits = self.word();
            return Ok(digits.parse().unwrap_or(usize::MAX));
        }
        let tag = self.word();
        if self.peek(0) != Some('$') {
            return Ok(0);
        }
        self.at += 1;
        let fence: Vec<char> = self.characters[start..self.at].to_vec();
        while self.at < self.characters.len() {
            if self.characters[self.at..].starts_with(&fence) {
                self.at += fence.len();
                return Ok(0);
            }
            self.at += 1;
        }
        Err(endless(&format!("the text behind ${tag}$"), start))
    }

    fn word(&mut self) -> String {
        let start = self.at;
        while self
            .peek(0)
            .is_some_and(|one| starts_a_word(one) || one.is_ascii_digit())
        {
            self.at += 1;
        }
        let word: String = self.characters[start..self.at].iter().collect();
        word.to_lowercase()
    }
}

fn starts_a_word(one: char) -> bool {
    one.is_alphabetic() || one == '_'
}

fn endless(what: &str, start: usize) -> Refusal {
    let mut refusal = Refusal::new(SYNTAX, format!("{what} begins here and does not end"));
    refusal.position = Some(start + 1);
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let pieces = split(text).expect("pieces");
        pieces.into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn statements_are_divided_by_what_stands_in_no_text_name_or_comment() {
        let text =
            " SELECT ';' , \";\" , `;` -- ;\n ; /* ; /* ; */ */ SELECT $$;$$;; SELECT 'it\\'s;'; ";
        assert_eq!(
            texts(text),
            [
                "SELECT ';' , \";\" , `;`",
                "/* ; /* ; */ */ SELECT $$;$$",
                "SELECT 'it\\'s;'"
            ]
        );
        assert!(texts(" ; -- nothing").is_empty());
    }

    #[test]
    fn a_text_has_so_many_words_and_no_more() {
        for text in ["SELECT 1;".repeat(60_000), "a,".repeat(60_000)] {
            assert_eq!(split(&text).expect_err("long").code, TOO_COMPLEX);
        }
        assert!(split(&format!("SELECT '{}'", "a, ".repeat(200_000))).is_ok());
    }

    #[test]
    fn what_does_not_end_is_refused_where_it_begins() {
        for (text, at) in [
            ("SELECT 'a", 8),
            ("SELECT \"a", 8),
            ("SELECT 'a\\'", 8),
            ("/* /* */", 1),
            ("$x$ $y$", 1),
        ] {
            let refusal = split(text).expect_err(text);
            assert_eq!(
                (refusal.code, refusal.position),
                (SYNTAX, Some(at)),
                "{text}"
            );
        }
    }

    #[test]
    fn the_e_in_front_of_a_text_goes_and_words_that_end_so_stay() {
        assert_eq!(
            texts(r"SELECT E'a\\b', e'c', name'd', 'E'"),
            [r"SELECT  'a\\b',  'c', name'd', 'E'"]
        );
    }

    #[test]
    fn parameters_are_counted_by_their_highest_number() {
        let piece = split("SELECT $2, '$9', $1 -- $7")
            .expect("pieces")
            .remove(0);
        assert_eq!((piece.parameters, piece.lists.len()), (2, 0));
        assert!(piece.begins(&["select"]) && !piece.begins(&["select", "x"]));
    }

    #[test]
    fn parameters_behind_any_and_all_are_lists() {
        let text = "SELECT ALL ($1) WHERE a = ANY($2) AND b <> all ( /* these */ $3 ) AND any > $4 HAVING any($5) OR some($1)";
        let piece = split(text).expect("pieces").remove(0);
        assert_eq!((piece.parameters, piece.lists), (5, vec![2, 3]));
        assert_eq!(
            piece.places.into_iter().collect::<Vec<_>>(),
            [(1, 2), (2, 1), (3, 1), (4, 1), (5, 1)]
        );
    }

    #[test]
    fn a_place_in_a_statement_is_one_in_the_whole_text() {
        let pieces = split("SELECT 1; SELECT\n  ä, b").expect("pieces");
        // Line 2, column 6: b.
        assert_eq!(pieces[1].position(2, 6), Some(23));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = split(&text);
        }

        #[test]
        fn quotes_and_their_like_do_not_either(text in "[eE'\"`$;/*\\\\-a1 \n]{0,40}") {
            let _ = split(&text);
        }
    }
}
