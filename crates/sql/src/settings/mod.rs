//! What `SET` changes and `SHOW` tells, on the command line and over PostgreSQL's protocol.

mod list;

use std::collections::BTreeMap;

use crate::dialect::{Code, Error};
use list::ALL;
pub use list::VERSION;

/// The settings of a session: those that clients of the platform ask for or send. Another value than one that is meant here
/// is refused. Some are kept that change nothing, where every value of theirs would be kept to the same way: what each of them
/// says it is about tells so (`SHOW ALL`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Those that are not what they usually are.
    changed: BTreeMap<&'static str, String>,
    /// Those of them that a session began with: they go back to these.
    began: BTreeMap<&'static str, String>,
    keeper: Keeper,
}

/// A setting.
struct Setting {
    /// As PostgreSQL writes it; it is known in any case.
    name: &'static str,
    /// What it is where nobody says.
    usual: &'static str,
    takes: Takes,
    /// Who keeps to it.
    keeper: Keeper,
    about: &'static str,
}

/// Who keeps to what is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Keeper {
    /// Every session.
    #[default]
    Session,
    /// One of PostgreSQL's protocol alone.
    Front,
}

/// Which values a setting takes.
enum Takes {
    /// `on` and `off`, with PostgreSQL's other words for them.
    Flag,
    /// A whole number between these, themselves included.
    Number(i32, i32),
    /// A time in milliseconds, or with its unit behind it; kept in milliseconds.
    Time,
    /// Any text.
    Text,
    /// Its usual value alone, in these spellings.
    Only(&'static [&'static str]),
    /// These words, in any case; each is kept as its group's first one.
    Words(&'static [&'static [&'static str]]),
    /// Names of schemas.
    Schemas,
    /// Any time zone, though times are UTC.
    Zone,
    /// None: it tells something.
    Nothing,
}

/// What became of a setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its name, as PostgreSQL writes it.
    pub name: &'static str,
    /// What it is now.
    pub value: String,
    /// What its user should know: that it changed nothing. Who can't tell them refuses it.
    pub notice: Option<String>,
}

/// Clients' other words for some.
fn known(name: &str) -> Result<&'static Setting, Error> {
    let name = match name {
        "transaction isolation level" => "transaction_isolation",
        "time zone" => "TimeZone",
        "names" => "client_encoding",
        other => other,
    };
    let found = ALL
        .iter()
        .find(|setting| setting.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        Error::new(
            Code::UndefinedObject,
            format!("there is no setting {name:?}; SHOW ALL lists those there are"),
        )
    })
}

impl Settings {
    /// Those of a session over PostgreSQL's protocol, which keeps to more of them.
    #[must_use]
    pub fn of_front() -> Self {
        Self {
            keeper: Keeper::Front,
            ..Self::default()
        }
    }

    /// What a setting is.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn get(&self, name: &str) -> Result<&str, Error> {
        Ok(self.value(known(name)?))
    }

    fn value(&self, setting: &Setting) -> &str {
        let own = self.changed.get(setting.name);
        own.map_or(setting.usual, String::as_str)
    }

    /// All of them: name, value, what it is about.
    pub fn all(&self) -> impl Iterator<Item = [&str; 3]> {
        ALL.iter()
            .map(|setting| [setting.name, self.value(setting), setting.about])
    }

    /// Changes a setting.
    ///
    /// # Errors
    /// There is none of that name, nobody changes it, it is not given one of its values.
    pub fn set(&mut self, name: &str, value: &str) -> Result<Changed, Error> {
        let setting = known(name)?;
        let new = setting.read(value)?;
        if setting.keeper == Keeper::Front && self.keeper == Keeper::Session && new != setting.usual
        {
            return Err(setting.refused(value, setting.usual));
        }
        let is_zone = matches!(setting.takes, Takes::Zone) && !is_utc(value);
        self.changed.insert(setting.name, new.clone());
        Ok(Changed {
            name: setting.name,
            value: new,
            notice: is_zone
                .then(|| format!("times are UTC here, whatever the time zone ({value})")),
        })
    }

    /// A session begins with what they are now.
    pub fn begin(&mut self) {
        self.began.clone_from(&self.changed);
    }

    /// Sets one back to what the session began with, or all that are no transaction's; which were others.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn reset(&mut self, name: Option<&str>) -> Result<Vec<&'static str>, Error> {
        let mut names = match name {
            Some(name) => vec![known(name)?.name],
            None => {
                let all = ALL.iter().map(|setting| setting.name);
                all.filter(|name| !name.starts_with("transaction_"))
                    .collect()
            }
        };
        names.retain(|&name| {
            let first = self.began.get(name);
            let was = match first {
                Some(first) => self.changed.insert(name, first.clone()),
                None => self.changed.remove(name),
            };
            was.as_ref() != first
        });
        Ok(names)
    }

    /// Changes a setting for a session that tells its user nothing but errors; to its usual value where none is given.
    ///
    /// # Errors
    /// As for [`Settings::set`]; it would change nothing.
    pub(crate) fn set_silently(&mut self, name: &str, value: Option<&str>) -> Result<(), Error> {
        let Some(value) = value else {
            return self.reset(Some(name)).map(drop);
        };
        let mut new = self.clone();
        let changed = new.set(name, value)?;
        if changed.notice.is_some() {
            return Err(known(name)?.refused(value, &changed.value));
        }
        *self = new;
        Ok(())
    }
}

/// How long the text of a setting may be: savepoints keep settings as they were.
const MOST_BYTES: usize = 1024;

impl Setting {
    fn refused(&self, found: &str, allowed: &str) -> Error {
        let name = self.name;
        let message = format!("{name}: found {found:?}; allowed is {allowed}");
        Error::new(Code::InvalidValue, message)
    }

    fn read(&self, text: &str) -> Result<String, Error> {
        let refuse = |allowed: &str| Err(self.refused(text, allowed));
        let is = |word: &str| text.trim().eq_ignore_ascii_case(word);
        if text.len() > MOST_BYTES {
            let message = format!(
                "{}: found a text of {} bytes; {MOST_BYTES} are the most",
                self.name,
                text.len()
            );
            return Err(Error::new(Code::InvalidValue, message));
        }
        match self.takes {
            Takes::Text => Ok(text.to_owned()),
            Takes::Flag if ["on", "true", "t", "yes", "1"].into_iter().any(is) => {
                Ok("on".to_owned())
            }
            Takes::Flag if ["off", "false", "f", "no", "0"].into_iter().any(is) => {
                Ok("off".to_owned())
            }
            Takes::Flag => refuse("true or false"),
            Takes::Number(least, most) => match text.trim().parse::<i32>() {
                Ok(number) if (least..=most).contains(&number) => Ok(number.to_string()),
                _ => refuse(&format!("a whole number from {least} to {most}")),
            },
            Takes::Time => match milliseconds(text.trim()) {
                Some(time) => Ok(time.to_string()),
                None => refuse("a number of milliseconds, or one like 10s, 5min"),
            },
            Takes::Only(spellings) if spellings.iter().any(|word| is(word)) => {
                Ok(self.usual.to_owned())
            }
            Takes::Only(_) => refuse(self.usual),
            Takes::Words(groups) => {
                let found = groups
                    .iter()
                    .find(|group| group.iter().any(|word| is(word)));
                match found.and_then(|group| group.first()) {
                    Some(word) => Ok((*word).to_owned()),
                    None => {
                        let firsts = groups.iter().filter_map(|group| group.first());
                        refuse(&firsts.copied().collect::<Vec<_>>().join(" or "))
                    }
                }
            }
            Takes::Schemas => schemas(text),
            Takes::Zone => Ok(self.usual.to_owned()),
            Takes::Nothing => Err(Error::new(
                Code::CantChange,
                format!("{} can't be changed", self.name),
            )),
        }
    }
}

fn is_utc(zone: &str) -> bool {
    let zone = zone.trim();
    ["utc", "gmt", "etc/utc", "z", "0"]
        .iter()
        .any(|known| zone.eq_ignore_ascii_case(known))
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
fn schemas(value: &str) -> Result<String, Error> {
    let known = ["public", "pg_catalog", "information_schema", "$user", ""];
    let mut names = value
        .split(',')
        .map(|name| name.trim().trim_matches(['"', '\'']));
    match names.find(|name| !known.contains(&name.to_lowercase().as_str())) {
        None => Ok(value.to_owned()),
        Some(other) => Err(Error::new(
            Code::UndefinedSchema,
            format!("there is no schema {other:?} but public"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_kept_until_it_gets_its_usual_value_again() {
        let mut settings = Settings::default();
        assert_eq!(settings.get("auto_to_json"), Ok("off"));
        settings.set("AUTO_TO_JSON", "TRUE").expect("a flag");
        assert_eq!(settings.get("auto_to_json"), Ok("on"));
        assert_eq!(settings.reset(None), Ok(vec!["auto_to_json"]));
        assert_eq!(settings.get("auto_to_json"), Ok("off"));
        assert_eq!(settings.reset(Some("auto_to_json")), Ok(Vec::new()));
        settings
            .set_silently("time zone", Some("utc"))
            .expect("the one there is");
        assert_eq!(settings.get("timezone"), Ok("UTC"));
    }

    #[test]
    fn what_would_have_no_effect_is_refused_by_name() {
        let cases = [
            ("TimeZone", "Europe/Zurich", Code::InvalidValue),
            ("statement_timeout", "1000", Code::InvalidValue),
            ("default_transaction_read_only", "on", Code::InvalidValue),
            ("extra_float_digits", "many", Code::InvalidValue),
            ("client_encoding", "latin1", Code::InvalidValue),
            ("standard_conforming_strings", "on", Code::InvalidValue),
            (
                "resolve_fallback_snapshot_on_failure",
                "true",
                Code::InvalidValue,
            ),
            ("server_version", "16", Code::CantChange),
            ("work_mem", "1GB", Code::UndefinedObject),
            ("search_path", "elsewhere", Code::UndefinedSchema),
        ];
        for (name, value, code) in cases {
            let mut settings = Settings::default();
            let error = settings.set_silently(name, Some(value)).expect_err(name);
            assert_eq!(error.code, code, "{error}");
            assert!(
                error.message.contains(name) || code == Code::UndefinedSchema,
                "{error}"
            );
            assert_eq!(settings, Settings::default(), "{name}");
        }
        for (name, value) in [("statement_timeout", "0"), ("client_encoding", "UTF-8")] {
            let mut settings = Settings::default();
            assert_eq!(settings.set_silently(name, Some(value)), Ok(()), "{name}");
        }
    }

    #[test]
    fn no_setting_is_a_long_text() {
        let mut settings = Settings::default();
        let name = "x".repeat(MOST_BYTES);
        assert!(settings.set("application_name", &name).is_ok());
        for (setting, value) in [
            ("application_name", name + "x"),
            ("search_path", "public,".repeat(MOST_BYTES)),
        ] {
            let error = settings.set(setting, &value).expect_err(setting);
            assert_eq!(error.code, Code::InvalidValue, "{error}");
            assert!(error.message.len() < MOST_BYTES && error.message.contains(setting));
        }
    }

    #[test]
    fn a_transactions_settings_stay_when_all_are_reset() {
        let mut settings = Settings::of_front();
        for name in ["transaction_read_only", "default_transaction_read_only"] {
            settings.set(name, "on").expect("a flag");
        }
        assert_eq!(
            settings.reset(None),
            Ok(vec!["default_transaction_read_only"])
        );
        assert_eq!(settings.get("transaction_read_only"), Ok("on"));
    }

    #[test]
    fn settings_go_back_to_what_a_session_began_with() {
        let mut settings = Settings::of_front();
        settings.set("statement_timeout", "5s").expect("a time");
        settings.begin();
        let first = settings.clone();
        for name in [Some("statement_timeout"), None] {
            settings.set("statement_timeout", "0").expect("a time");
            assert_eq!(settings.reset(name), Ok(vec!["statement_timeout"]));
            assert_eq!(settings, first);
            assert_eq!(settings.reset(name), Ok(Vec::new()));
        }
    }

    #[test]
    fn a_front_keeps_to_more_and_tells_what_changes_nothing() {
        let mut settings = Settings::of_front();
        for (value, wanted) in [("250", "250"), ("2s", "2000"), ("1 min", "60000")] {
            let changed = settings.set("statement_timeout", value).expect(value);
            assert_eq!((changed.value.as_str(), changed.notice), (wanted, None));
        }
        assert!(settings.set("statement_timeout", "'3h'").is_err());
        let changed = settings.set("timezone", "Europe/Berlin").expect("taken");
        assert!(changed.notice.is_some_and(|told| told.contains("UTC")));
        assert_eq!(settings.get("TimeZone"), Ok("UTC"));
    }

    #[test]
    fn every_usual_value_is_one_that_its_setting_takes() {
        for setting in ALL {
            match setting.takes {
                Takes::Nothing => {}
                _ => assert_eq!(
                    setting.read(setting.usual).as_deref(),
                    Ok(setting.usual),
                    "{}",
                    setting.name
                ),
            }
        }
        assert!(ALL.is_sorted_by_key(|setting| setting.name));
    }
}
