use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::problem::{Answer, Problem};

/// The parameters of a request's query. Clients of the platform repeat some and leave some empty, as its links do: the
/// first one that says something counts. Which there may be is checked with who may ask.
pub(crate) struct Query(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes());
        Ok(Self(pairs.into_owned().collect()))
    }
}

impl Query {
    #[cfg(test)]
    pub(crate) fn of_text(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes());
        Self(pairs.into_owned().collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.trim())
            .find(|value| !value.is_empty())
    }

    /// What a filter says.
    ///
    /// # Errors
    /// It is there and says nothing: the list would be that of no filter, and look like one of what was meant.
    pub(crate) fn filter(&self, name: &str) -> Answer<Option<&str>> {
        let said = self.get(name);
        if said.is_none() && self.pairs().any(|(known, _)| known == name) {
            return Err(Problem::bad_request(format!(
                "{name}: found \"\"; expected what is looked for (leave it out to see all)"
            )));
        }
        Ok(said)
    }

    /// What a parameter with several names says.
    ///
    /// # Errors
    /// Two of its names say different things.
    pub(crate) fn by_any_name(&self, names: &[&str]) -> Answer<Option<&str>> {
        let mut said = names
            .iter()
            .filter_map(|name| Some((*name, self.get(name)?)));
        let Some((name, value)) = said.next() else {
            return Ok(None);
        };
        match said.find(|(_, other)| *other != value) {
            Some((again, other)) => Err(Problem::bad_request(format!(
                "{again}: found {other:?}, and {name} is {value:?}; they are one parameter, which says one thing"
            ))),
            None => Ok(Some(value)),
        }
    }

    /// All that a parameter says, where it may come several times.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let own = self.pairs().filter(move |(known, _)| *known == name);
        own.map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// All parameters.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// A whole number from `least` on, as far as 32 bits go; one above `most` counts as `most`.
    pub(crate) fn number(&self, name: &str, least: u32, most: u32) -> Answer<Option<u32>> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.parse::<i32>().map(u32::try_from) {
            Ok(Ok(number)) if number >= least && !text.starts_with('+') => {
                Ok(Some(number.min(most)))
            }
            _ => Err(Problem::bad_request(format!(
                "{name}: found {text:?}; allowed is a whole number from {least} to {}",
                i32::MAX
            ))),
        }
    }

    /// A yes or no, in any case: the platform's Python client sends `False`.
    pub(crate) fn flag(&self, name: &str) -> Answer<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(text) => Err(Problem::bad_request(format!(
                "{name}: found {text:?}; allowed are true and false"
            ))),
        }
    }
}
