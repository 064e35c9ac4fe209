use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use xdm::PersonKey;

/// A range of persons' keys, both ends included: a part of an export that is done by itself.
///
/// A profile belongs to the shard of its key, with an identity graph of its least key. In JSON the keys
/// are 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// The first key.
    #[serde(serialize_with = "write_key", deserialize_with = "read_key")]
    pub first: PersonKey,
    /// The last key.
    #[serde(serialize_with = "write_key", deserialize_with = "read_key")]
    pub last: PersonKey,
}

impl Shard {
    /// All keys.
    pub const ALL: Self = Self {
        first: PersonKey(0),
        last: PersonKey(u128::MAX),
    };

    /// The keys cut into `n` ranges of the same width, in order; at least one.
    ///
    /// Keys are hashes, so the ranges hold about as many persons each.
    #[must_use]
    pub fn split(n: usize) -> Vec<Self> {
        let n = n.max(1) as u128;
        let width = u128::MAX / n;
        (0..n)
            .map(|i| Self {
                first: PersonKey(i * width + u128::from(i > 0)),
                last: PersonKey(if i + 1 == n {
                    u128::MAX
                } else {
                    (i + 1) * width
                }),
            })
            .collect()
    }

    pub(crate) fn contains(self, key: PersonKey) -> bool {
        (self.first..=self.last).contains(&key)
    }
}

fn write_key<S: Serializer>(key: &PersonKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{:032x}", key.0))
}

fn read_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PersonKey, D::Error> {
    let text = String::deserialize(deserializer)?;
    match u128::from_str_radix(&text, 16) {
        Ok(key) if text.len() == 32 => Ok(PersonKey(key)),
        _ => Err(de::Error::custom(format!(
            "found {text:?}; expected 32 hex digits"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_every_key_once() {
        for n in [1, 2, 3, 7, 64, 1000] {
            let shards = Shard::split(n);
            assert_eq!(shards.len(), n);
            assert_eq!(shards[0].first, Shard::ALL.first);
            assert_eq!(shards[n - 1].last, Shard::ALL.last);
            for pair in shards.windows(2) {
                assert_eq!(pair[0].last.0 + 1, pair[1].first.0, "of {n}");
            }
        }
        assert_eq!(Shard::split(0), [Shard::ALL]);
    }

    #[test]
    fn a_shard_survives_json() {
        let shard = Shard::split(3)[1];
        let text = serde_json::to_string(&shard).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Shard>(&text).expect("a shard"),
            shard
        );
        serde_json::from_str::<Shard>(r#"{"first": "0", "last": "f"}"#).expect_err("too short");
    }
}
