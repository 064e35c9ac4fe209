//! How many rows a query gives.

use datafusion::sql::sqlparser::ast::LimitClause;

use super::error::{Code, Error};
use super::rewrite::{number, whole};
use super::statement::Query;

/// What the platform says of LIMIT, where a caller wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryLimits {
    /// Where no LIMIT stands; the platform's are 50,000.
    pub unless_said: Option<usize>,
    /// A LIMIT above is refused with 53400; the platform's is 100,000.
    pub at_most: Option<usize>,
}

impl Query {
    /// The query with these limits: `LIMIT 0` is none, whatever they say.
    ///
    /// # Errors
    ///
    /// Its LIMIT is above what it may be, or no number.
    pub fn with_limits(&self, limits: QueryLimits) -> Result<Self, Error> {
        let mut query = self.0.clone();
        let (limit, offset) = match query.limit_clause.take() {
            None => (None, None),
            Some(LimitClause::LimitOffset {
                limit,
                offset,
                limit_by,
            }) if limit_by.is_empty() => (limit, offset),
            Some(other) => return Err(Error::unsupported(other)),
        };
        let limit = match limit {
            None => limits.unless_said.map(number),
            Some(limit) => {
                let rows = whole(&limit, "LIMIT")?;
                if let Some(most) = limits.at_most
                    && rows > most
                {
                    let message = format!("LIMIT {rows} is more than {most} (LIMIT 0 is no limit)");
                    return Err(Error::new(Code::LimitExceeded, message));
                }
                Some(limit)
            }
        };
        if limit.is_some() || offset.is_some() {
            query.limit_clause = Some(LimitClause::LimitOffset {
                limit,
                offset,
                limit_by: Vec::new(),
            });
        }
        Ok(Self(query))
    }
}
