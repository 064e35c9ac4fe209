//! Which earlier job an export is compared with.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The word for the latest of the same request.
const LAST: &str = "last";

/// An earlier job, whose rows a later one is told against: `"last"` or a job's ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinceJob {
    /// The latest of the same request that succeeded and can be compared with; none at first.
    Last,
    /// That with this ID.
    Job(i64),
}

impl SinceJob {
    /// Reads the word or an ID.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            LAST => Some(Self::Last),
            id => id.parse().ok().map(Self::Job),
        }
    }
}

impl Serialize for SinceJob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Last => serializer.serialize_str(LAST),
            Self::Job(id) => serializer.serialize_i64(*id),
        }
    }
}

impl<'de> Deserialize<'de> for SinceJob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = SinceJob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"last\" or the ID of a job")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SinceJob, E> {
        SinceJob::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_i64<E: de::Error>(self, id: i64) -> Result<SinceJob, E> {
        Ok(SinceJob::Job(id))
    }

    fn visit_u64<E: de::Error>(self, id: u64) -> Result<SinceJob, E> {
        let too_large = |_| E::invalid_value(de::Unexpected::Unsigned(id), &self);
        i64::try_from(id).map(SinceJob::Job).map_err(too_large)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_word_or_an_id_as_a_number_or_as_text() {
        let read = |text: &str| serde_json::from_str::<SinceJob>(text).ok();
        assert_eq!(read(r#""last""#), Some(SinceJob::Last));
        assert_eq!(read("12"), Some(SinceJob::Job(12)));
        assert_eq!(read(r#""12""#), Some(SinceJob::Job(12)));
        for wrong in [r#""first""#, "1.5", "18446744073709551615", "null", "[]"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        for since in [SinceJob::Last, SinceJob::Job(7)] {
            let text = serde_json::to_string(&since).expect("JSON");
            assert_eq!(read(&text), Some(since));
        }
    }
}
