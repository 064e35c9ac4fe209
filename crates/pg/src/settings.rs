//! What a session is told by SET, and tells by SHOW.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::refusal::{BAD_VALUE, NO_SCHEMA, NO_SETTING, Refusal};
use crate::wire::Notice;

/// What this front says that it is: the oldest PostgreSQL that clients still ask everything of in the way that is
/// answered here.
pub(crate) const VERSION: &str = "9.6.24";

/// What a setting takes.
#[derive(Clone, Copy)]
enum Takes {
    /// One value, in these spellings; there is no other.
    Only(&'static [&'static str]),
    /// `on` or `off`.
    Switch,
    /// A number of milliseconds, or with a unit behind it.
    Time,
    /// Any text: nothing depends on it here.
    Anything,
    /// Names of schemas.
    Schemas,
    /// Any time zone; times are UTC.
    Zone,
    /// One of these.
    OneOf(&'static [&'static str]),
}

/// Name, the value that it begins with, and what it takes.
const ALL: &[(&str, &str, Takes)] = &[
    (
        "DateStyle",
        "ISO, MDY",
        Takes::Only(&["iso", "iso, mdy", "iso, dmy", "iso, ymd"]),
    ),
    ("IntervalStyle", "postgres", Takes::Only(&["postgres"])),
    ("TimeZone", "UTC", Takes::Zone),
    ("application_name", "", Takes::Anything),
    ("auto_to_json", "off", Takes::Switch),
    ("bytea_output", "hex", Takes::Only(&["hex"])),
    (
        "client_encoding",
        "UTF8",
        Takes::Only(&["utf8", "utf-8", "unicode"]),
    ),
    ("client_min_messages", "notice", Takes::Anything),
    (
        "default_transaction_isolation",
        "read committed",
        Takes::OneOf(LEVELS),
    ),
    ("default_transaction_read_only", "off", Takes::Switch),
    ("extra_float_digits", "1", Takes::Anything),
    (
        "idle_in_transaction_session_timeout",
        "0",
        Takes::Only(&["0"]),
    ),
    ("integer_datetimes", "on", Takes::Only(&["on"])),
    ("is_superuser", "off", Takes::Only(&["off"])),
    ("lc_collate", "C", Takes::Only(&["c"])),
    ("lc_ctype", "C", Takes::Only(&["c"])),
    ("lc_messages", "C", Takes::Only(&["c"])),
    ("lc_monetary", "C", Takes::Only(&["c"])),
    ("lc_numeric", "C", Takes::Only(&["c"])),
    ("lc_time", "C", Takes::Only(&["c"])),
    ("lock_timeout", "0", Takes::Anything),
    ("max_identifier_length", "63", Takes::Only(&["63"])),
    ("max_index_keys", "32", Takes::Only(&["32"])),
    ("row_security", "on", Takes::Anything),
    ("search_path", "\"$user\", public", Takes::Schemas),
    ("server_encoding", "UTF8", Takes::Only(&["utf8"])),
    ("server_version", VERSION, Takes::Only(&[VERSION])),
    ("server_version_num", "90624", Takes::Only(&["90624"])),
    // The dialect's texts have escapes; a client that is told otherwise would let a backslash end its text.
    ("standard_conforming_strings", "off", Takes::Only(&["off"])),
    ("statement_timeout", "0", Takes::Time),
    ("synchronize_seqscans", "on", Takes::Anything),
    (
        "transaction_isolation",
        "read committed",
        Takes::OneOf(LEVELS),
    ),
    ("transaction_read_only", "off", Takes::Switch),
];

/// Each statement sees one state of the store, and there is no other isolation.
const LEVELS: &[&str] = &["read committed", "read uncommitted"];

/// What clients are told without asking, as by PostgreSQL.
const TOLD: [&str; 11] = [
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "integer_datetimes",
    "IntervalStyle",
    "is_superuser",
    "server_encoding",
    "server_version",
    "standard_conforming_strings",
    "TimeZone",
];

/// The settings of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Those that are no longer what they were at the beginning.
    changed: BTreeMap<&'static str, String>,
}

impl Settings {
    /// What clients are told when they come in.
    pub(crate) fn told(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.all().filter(|(name, _)| TOLD.contains(name))
    }

    /// All of them by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = ALL.iter();
        all.map(|(name, first, _)| (*name, self.changed.get(name).map_or(*first, String::as_str)))
    }

    /// The value of one.
    ///
    /// # Errors
    ///
    /// There is no such.
    pub(crate) fn get(&self, name: &str) -> Result<&str, Refusal> {
        let (name, first, _) = find(name)?;
        Ok(self.changed.get(name).map_or(*first, String::as_str))
    }

    /// Changes one. What a client must be told of it comes back: that it has another value now, where clients are told
    /// so, and that it changes nothing.
    ///
    /// # Errors
    ///
    /// There is no such setting, or it takes another value.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<Changed, Refusal> {
        let (name, first, takes) = find(name)?;
        let mut notice = None;
        let lower = value.trim().to_lowercase();
        let new = match takes {
            Takes::Only(spellings) if spellings.contains(&lower.as_str()) => (*first).to_owned(),
            Takes::OneOf(values) if values.contains(&lower.as_str()) => lower,
            Takes::Only(_) | Takes::OneOf(_) => {
                let message = format!("{name} can't be {value:?} here: it is {first:?}");
                return Err(Refusal::new(BAD_VALUE, message));
            }
            Takes::Switch => match switch(&lower) {
                Some(on) => if on { "on" } else { "off" }.to_owned(),
                None => return Err(bad(name, value, "on or off")),
            },
            Takes::Time => match milliseconds(&lower) {
                Some(time) => time.to_string(),
                None => {
                    return Err(bad(
                        name,
                        value,
                        "a number of milliseconds, or like 10s, 5min",
                    ));
                }
            },
            Takes::Anything => value.to_owned(),
            Takes::Schemas => schemas(value)?,
            Takes::Zone => {
                if !["utc", "gmt", "etc/utc", "z"].contains(&lower.as_str()) {
                    notice = Some(Notice {
                        severity: "NOTICE",
                        code: "00000",
                        message: format!("times are UTC here, whatever the time zone ({value})"),
                    });
                }
                (*first).to_owned()
            }
        };
        self.changed.insert(name, new.clone());
        let told = TOLD.contains(name).then_some((*name, new));
        Ok(Changed { told, notice })
    }

    /// Sets one back, or all.
    pub(crate) fn reset(
        &mut self,
        name: Option<&str>,
    ) -> Result<Vec<(&'static str, String)>, Refusal> {
        let names: Vec<&'static str> = match name {
            Some(name) => vec![find(name)?.0],
            None => self.changed.keys().copied().collect(),
        };
        for name in &names {
            self.changed.remove(name);
        }
        let told = names.into_iter().filter(|name| TOLD.contains(name));
        told.map(|name| Ok((name, find(name)?.1.to_owned())))
            .collect()
    }

    /// Whether lists, maps and objects are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.is_on("auto_to_json")
    }

    fn is_on(&self, switch: &str) -> bool {
        self.changed.get(switch).is_some_and(|value| value == "on")
    }

    /// Whether statements that change the store are refused, in a transaction or without one.
    pub(crate) fn is_read_only(&self, in_transaction: bool) -> bool {
        self.is_on("transaction_read_only")
            || (!in_transaction && self.is_on("default_transaction_read_only"))
    }

    /// How transactions begin.
    pub(crate) fn begin(&mut self, read_only: Option<bool>) {
        let value = match read_only.unwrap_or_else(|| self.is_on("default_transaction_read_only")) {
            true => "on",
            false => "off",
        };
        self.changed
            .insert("transaction_read_only", value.to_owned());
    }

    /// And how they end.
    pub(crate) fn end(&mut self) {
        self.changed.remove("transaction_read_only");
    }

    /// How long a statement may take.
    pub(crate) fn statement_timeout(&self) -> Option<Duration> {
        let time = self.changed.get("statement_timeout")?;
        let time = time.parse().ok().filter(|time| *time > 0)?;
        Some(Duration::from_millis(time))
    }
}

/// What became of a setting.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) told: Option<(&'static str, String)>,
    pub(crate) notice: Option<Notice>,
}

fn find(name: &str) -> Result<&'static (&'static str, &'static str, Takes), Refusal> {
    let found = ALL
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(name));
    found.ok_or_else(|| Refusal::new(NO_SETTING, format!("there is no setting {name:?}")))
}

fn bad(name: &str, value: &str, right: &str) -> Refusal {
    Refusal::new(
        BAD_VALUE,
        format!("{name} can't be {value:?}: it takes {right}"),
    )
}

fn switch(value: &str) -> Option<bool> {
    match value {
        "on" | "true" | "t" | "yes" | "1" => Some(true),
        "off" | "false" | "f" | "no" | "0" => Some(false),
        _ => None,
    }
}

fn milliseconds(value: &str) -> Option<u64> {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = value.split_at(digits);
    let times = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(times)
}

/// Everything is in the schema public, and what tells of it in two others.
fn schemas(value: &str) -> Result<String, Refusal> {
    let known = ["public", "pg_catalog", "information_schema", "$user", ""];
    let mut names = value
        .split(',')
        .map(|name| name.trim().trim_matches(['"', '\'']));
    match names.find(|name| !known.contains(&name.to_lowercase().as_str())) {
        None => Ok(value.to_owned()),
        Some(other) => Err(Refusal::new(
            NO_SCHEMA,
            format!("there is no schema {other:?} but public"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_known_without_case_and_others_are_refused() {
        let mut settings = Settings::default();
        let changed = settings.set("APPLICATION_NAME", "psql").expect("set");
        assert_eq!(changed.told, Some(("application_name", "psql".to_owned())));
        assert_eq!(settings.get("application_name"), Ok("psql"));
        assert_eq!(
            settings.set("no_such", "1").expect_err("none").code,
            NO_SETTING
        );
        assert_eq!(settings.get("no_such").expect_err("none").code, NO_SETTING);
        settings.reset(None).expect("reset");
        assert_eq!(settings.get("application_name"), Ok(""));
    }

    #[test]
    fn what_would_change_the_meaning_of_texts_and_times_is_refused_or_told() {
        let mut settings = Settings::default();
        assert_eq!(
            settings
                .set("standard_conforming_strings", "on")
                .expect_err("on")
                .code,
            BAD_VALUE
        );
        assert_eq!(
            settings
                .set("client_encoding", "latin1")
                .expect_err("latin1")
                .code,
            BAD_VALUE
        );
        settings.set("client_encoding", "UTF-8").expect("it is");
        assert_eq!(settings.get("client_encoding"), Ok("UTF8"));
        assert!(
            settings
                .set("TimeZone", "Europe/Berlin")
                .expect("taken")
                .notice
                .is_some()
        );
        assert_eq!(settings.get("timezone"), Ok("UTC"));
        assert_eq!(
            settings
                .set("search_path", "elsewhere")
                .expect_err("none")
                .code,
            NO_SCHEMA
        );
    }

    #[test]
    fn times_have_units() {
        let mut settings = Settings::default();
        for (value, wanted) in [("250", 250), ("2s", 2000), ("1 min", 60_000), ("'3h'", 0)] {
            let set = settings.set("statement_timeout", value);
            assert_eq!(set.is_ok(), wanted > 0, "{value}");
            if wanted > 0 {
                assert_eq!(
                    settings.statement_timeout(),
                    Some(Duration::from_millis(wanted))
                );
            }
        }
        settings.set("statement_timeout", "0").expect("none");
        assert_eq!(settings.statement_timeout(), None);
    }
}
