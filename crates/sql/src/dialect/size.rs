//! How long and how deep a text may be, before anything is made of it, and how large its plan.
//!
//! A chain of operators is parsed in a loop and is a tree as deep as it is long, which is walked down, copied and freed
//! on the stack.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::error::{Code, Error};

/// How deep brackets may lie in each other.
pub const NESTING: usize = 60;
/// How many operators a text may have that make chains.
const OPERATORS: usize = 500;
/// How many comparisons and their like may stand behind each other with no AND, OR or comma between, over all brackets
/// that are open at a place.
const COMPARISONS: usize = 100;
/// How many tokens a text may have.
const TOKENS: usize = 100_000;
/// How many steps a plan may have. Those of a common table expression or of a view are as many again wherever it is named.
const STEPS: usize = 5_000;

/// Refuses the tokens of a text that is too long, or whose tree would be too deep.
///
/// # Errors
///
/// 54001.
pub fn check_size(tokens: &[TokenWithSpan]) -> Result<(), Error> {
    if tokens.len() > TOKENS {
        let message = format!(
            "the text has {} words and signs, more than {TOKENS}",
            tokens.len()
        );
        return Err(Error::new(Code::TooComplex, message));
    }
    let mut open = Open(vec![Level::default()]);
    let mut operators = 0;
    for TokenWithSpan { token, span } in tokens {
        if open.take(token) {
            operators += 1;
        }
        let comparisons: usize = open.0.iter().map(|level| level.comparisons).sum();
        if comparisons > COMPARISONS {
            let message =
                format!("more than {COMPARISONS} comparisons stand behind each other here");
            return Err(Error::new(Code::TooComplex, message).at(*span));
        }
    }
    match operators > OPERATORS {
        true => Err(Error::new(
            Code::TooComplex,
            format!(
                "the text has {operators} operators, more than {OPERATORS} (IN takes long lists)"
            ),
        )),
        false => Ok(()),
    }
}

/// Refuses a plan of too many steps.
///
/// # Errors
///
/// 54001.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<(), Error> {
    let mut steps = 0;
    plan.apply_with_subqueries(|_| {
        steps += 1;
        Ok(match steps > STEPS {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    match steps > STEPS {
        true => Err(Error::new(
            Code::TooComplex,
            format!(
                "the plan has more than {STEPS} steps: a query of WITH, or a view, has its own wherever it is named \
                 (CREATE TEMP TABLE keeps its rows)"
            ),
        )),
        false => Ok(()),
    }
}

/// What is within one pair of brackets.
#[derive(Default)]
struct Level {
    /// CASE … END rather than brackets.
    is_case: bool,
    /// Since the last word or sign that ends a chain of them.
    comparisons: usize,
    /// Whether tables are listed here.
    is_from: bool,
}

/// Brackets that are open, from the outermost: always one for what stands in none.
struct Open(Vec<Level>);

impl Open {
    /// Passes a token; whether it is an operator that makes chains.
    fn take(&mut self, token: &Token) -> bool {
        match token {
            Token::LParen | Token::LBrace => self.0.push(Level::default()),
            Token::LBracket => {
                self.compared();
                self.0.push(Level::default());
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                // CASE without END is no SQL: the parser says so.
                while self.0.len() > 1 && self.0.pop().is_some_and(|level| level.is_case) {}
            }
            Token::Word(word) if word.quote_style.is_none() => return self.word(word.keyword),
            Token::Comma => {
                let level = self.top();
                level.comparisons = 0;
                return level.is_from;
            }
            Token::SemiColon => *self.top() = Level::default(),
            Token::Plus
            | Token::Minus
            | Token::Mul
            | Token::Div
            | Token::Mod
            | Token::StringConcat => return true,
            Token::Word(_)
            | Token::EOF
            | Token::Number(..)
            | Token::Char(_)
            | Token::Period
            | Token::Whitespace(_)
            | Token::Placeholder(_)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::TripleSingleQuotedString(_)
            | Token::TripleDoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::DoubleQuotedByteStringLiteral(_)
            | Token::TripleSingleQuotedByteStringLiteral(_)
            | Token::TripleDoubleQuotedByteStringLiteral(_)
            | Token::SingleQuotedRawStringLiteral(_)
            | Token::DoubleQuotedRawStringLiteral(_)
            | Token::TripleSingleQuotedRawStringLiteral(_)
            | Token::TripleDoubleQuotedRawStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_) => {}
            // Comparisons, casts, arrows, whatever PostgreSQL calls an operator.
            _ => self.compared(),
        }
        false
    }

    fn word(&mut self, word: Keyword) -> bool {
        match word {
            Keyword::AND | Keyword::OR => {
                self.top().comparisons = 0;
                true
            }
            Keyword::DIV
            | Keyword::UNION
            | Keyword::EXCEPT
            | Keyword::INTERSECT
            | Keyword::MINUS
            | Keyword::JOIN
            | Keyword::LATERAL => {
                *self.top() = Level {
                    is_from: matches!(word, Keyword::JOIN | Keyword::LATERAL),
                    comparisons: match word {
                        Keyword::DIV => self.top().comparisons,
                        _ => 0,
                    },
                    is_case: self.top().is_case,
                };
                true
            }
            Keyword::CASE => {
                self.0.push(Level {
                    is_case: true,
                    ..Level::default()
                });
                false
            }
            Keyword::END => {
                if self.0.len() > 1 && self.top().is_case {
                    self.0.pop();
                }
                false
            }
            Keyword::FROM
            | Keyword::SELECT
            | Keyword::WHERE
            | Keyword::GROUP
            | Keyword::ORDER
            | Keyword::HAVING
            | Keyword::LIMIT
            | Keyword::ON
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE => {
                let level = self.top();
                level.comparisons = 0;
                // A join's condition has no commas of its own, and other tables may follow.
                level.is_from = word == Keyword::FROM || (level.is_from && word == Keyword::ON);
                false
            }
            Keyword::IS
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::RLIKE
            | Keyword::REGEXP
            | Keyword::SIMILAR
            | Keyword::BETWEEN
            | Keyword::IN
            | Keyword::COLLATE
            | Keyword::AT
            | Keyword::OVERLAPS
            | Keyword::NOTNULL
            | Keyword::OPERATOR => {
                self.compared();
                false
            }
            _ => false,
        }
    }

    fn compared(&mut self) {
        self.top().comparisons += 1;
    }

    fn top(&mut self) -> &mut Level {
        if self.0.is_empty() {
            self.0.push(Level::default());
        }
        let last = self.0.len() - 1;
        &mut self.0[last]
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn check(text: &str) -> Result<(), Code> {
        let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location();
        check_size(&tokens.expect("tokens")).map_err(|error| error.code)
    }

    #[test]
    fn chains_are_refused_whatever_they_are_made_of() {
        for link in [
            "+1",
            "=1",
            "::int",
            " IS NULL",
            " COLLATE c",
            "[1]",
            " AND 1",
            " || 'a'",
            " UNION SELECT 1",
            " IN (1)",
            " = CASE WHEN 1 THEN 1 END",
            " = f(1, 2)",
            " ~ 'a'",
            "->'a'",
        ] {
            let text = |links: usize| format!("SELECT 1{}", link.repeat(links));
            assert_eq!(check(&text(50)), Ok(()), "{link}");
            assert_eq!(check(&text(1000)), Err(Code::TooComplex), "{link}");
        }
        for link in [
            ", t",
            " JOIN t ON 1 = 1",
            " JOIN t ON true, t",
            ", LATERAL f(1)",
        ] {
            let text = format!("SELECT 1 FROM t{}", link.repeat(1000));
            assert_eq!(check(&text), Err(Code::TooComplex), "{link}");
        }
        let nested = "(1=1".repeat(50).replace("1=1", &"1=".repeat(10));
        assert_eq!(check(&format!("SELECT {nested}")), Err(Code::TooComplex));
        let ended = format!("SELECT {}", "1 = t.end = ".repeat(500));
        assert_eq!(check(&ended), Err(Code::TooComplex));
    }

    #[test]
    fn long_texts_of_many_small_trees_are_taken() {
        let columns = vec!["CASE WHEN a = 1 THEN b IS NULL ELSE c::int END AS d"; 400].join(", ");
        let conditions = vec!["a = 1"; 400].join(" OR ");
        let list = vec!["1"; 10_000].join(", ");
        let text = format!(
            "SELECT {columns} FROM t JOIN u ON t.a = u.a WHERE ({conditions}) AND e IN ({list}) ORDER BY a, b"
        );
        assert_eq!(check(&text), Ok(()));
    }
}
