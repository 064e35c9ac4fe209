//! What `SET` changes and `SHOW` tells.

use std::collections::BTreeMap;

use crate::dialect::{Code, Error};

/// The settings of a session: those that clients of the platform ask for or send. Another value than one that is meant here
/// is refused, so that none is kept without effect.
#[derive(Clone, Debug, Default)]
pub struct Settings(BTreeMap<&'static str, String>);

/// A setting, by its name in lower case.
struct Setting {
    name: &'static str,
    /// What it is where nobody says.
    usual: &'static str,
    takes: Takes,
    about: &'static str,
}

/// Which values a setting takes.
enum Takes {
    /// `on` and `off`, with PostgreSQL's other words for them.
    Flag,
    /// A whole number between these, themselves included.
    Number(i32, i32),
    /// Any text.
    Text,
    /// These words, in any case; each is kept as its group's first one.
    Words(&'static [&'static [&'static str]]),
    /// None: it tells something.
    Nothing,
}

const ALL: [Setting; 14] = [
    Setting {
        name: "application_name",
        usual: "",
        takes: Takes::Text,
        about: "What the client calls itself",
    },
    Setting {
        name: "auto_to_json",
        usual: "off",
        takes: Takes::Flag,
        about: "Whether lists, maps and structs are sent as JSON",
    },
    Setting {
        name: "client_encoding",
        usual: "UTF8",
        takes: Takes::Words(&[&["UTF8", "UTF-8", "UNICODE"]]),
        about: "How texts are sent",
    },
    Setting {
        name: "client_min_messages",
        usual: "notice",
        takes: Takes::Words(&[
            &["debug5", "debug4", "debug3", "debug2", "debug1", "debug"],
            &["log"],
            &["notice"],
            &["warning"],
            &["error"],
        ]),
        about: "Which notices are sent; there are none",
    },
    Setting {
        name: "datestyle",
        usual: "ISO, MDY",
        takes: Takes::Words(&[&["ISO, MDY", "ISO", "ISO,MDY"]]),
        about: "How times are sent",
    },
    Setting {
        name: "extra_float_digits",
        usual: "1",
        takes: Takes::Number(-15, 3),
        about: "How many digits numbers have; they always have all of them",
    },
    Setting {
        name: "resolve_fallback_snapshot_on_failure",
        usual: "off",
        takes: Takes::Words(&[&["off", "false", "no", "0"]]),
        about: "Whether a snapshot that is gone stands for the oldest one",
    },
    Setting {
        name: "search_path",
        usual: "public",
        takes: Takes::Words(&[&["public", "\"$user\", public", "$user, public"]]),
        about: "Where tables are looked for",
    },
    Setting {
        name: "server_encoding",
        usual: "UTF8",
        takes: Takes::Nothing,
        about: "How texts are kept",
    },
    Setting {
        name: "server_version",
        usual: "15.0",
        takes: Takes::Nothing,
        about: "The PostgreSQL that clients may take this for",
    },
    Setting {
        // A backslash in a text is Spark's escape.
        name: "standard_conforming_strings",
        usual: "off",
        takes: Takes::Words(&[&["off", "false", "no", "0"]]),
        about: "Whether a backslash in a text is a backslash",
    },
    Setting {
        name: "statement_timeout",
        usual: "0",
        takes: Takes::Number(0, 0),
        about: "How long a statement may take, in milliseconds; 0 is as long as it takes",
    },
    Setting {
        name: "timezone",
        usual: "UTC",
        takes: Takes::Words(&[&["UTC", "Etc/UTC", "GMT", "Z", "0"]]),
        about: "In which zone times are sent",
    },
    Setting {
        name: "transaction_isolation",
        usual: "read committed",
        takes: Takes::Words(&[&["read committed"]]),
        about: "What a statement sees: the store as it is when it begins",
    },
];

/// Clients' other words for some.
fn known(name: &str) -> Result<&'static Setting, Error> {
    let name = match name {
        "transaction isolation level" | "default_transaction_isolation" => "transaction_isolation",
        "time zone" => "timezone",
        "names" => "client_encoding",
        other => other,
    };
    let found = ALL.iter().find(|setting| setting.name == name);
    found.ok_or_else(|| {
        Error::new(
            Code::UndefinedObject,
            format!("there is no setting {name:?}; SHOW ALL lists those there are"),
        )
    })
}

impl Settings {
    /// What a setting is.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn get(&self, name: &str) -> Result<&str, Error> {
        Ok(self.value(known(name)?))
    }

    fn value(&self, setting: &Setting) -> &str {
        let own = self.0.get(setting.name);
        own.map_or(setting.usual, String::as_str)
    }

    /// All of them: name, value, what it is about.
    pub fn all(&self) -> impl Iterator<Item = [&str; 3]> {
        ALL.iter()
            .map(|setting| [setting.name, self.value(setting), setting.about])
    }

    /// Changes a setting; to its usual value where none is given.
    ///
    /// # Errors
    /// There is none of that name, nobody changes it, it is not given one of its values.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), Error> {
        let setting = known(name)?;
        let Some(value) = value else {
            self.0.remove(setting.name);
            return Ok(());
        };
        let value = setting.read(value)?;
        self.0.insert(setting.name, value);
        Ok(())
    }
}

impl Setting {
    fn read(&self, text: &str) -> Result<String, Error> {
        let refuse = |allowed: &str| {
            let name = self.name;
            let message = format!("{name}: found {text:?}; allowed is {allowed}");
            Err(Error::new(Code::InvalidValue, message))
        };
        let is = |word: &str| text.trim().eq_ignore_ascii_case(word);
        match self.takes {
            Takes::Text => Ok(text.to_owned()),
            Takes::Flag if ["on", "true", "yes", "1"].into_iter().any(is) => Ok("on".to_owned()),
            Takes::Flag if ["off", "false", "no", "0"].into_iter().any(is) => Ok("off".to_owned()),
            Takes::Flag => refuse("true or false"),
            Takes::Number(least, most) => match text.trim().parse::<i32>() {
                Ok(number) if (least..=most).contains(&number) => Ok(number.to_string()),
                _ if least == most => refuse(&least.to_string()),
                _ => refuse(&format!("a whole number from {least} to {most}")),
            },
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
            Takes::Nothing => Err(Error::new(
                Code::CantChange,
                format!("{} can't be changed", self.name),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_kept_until_it_gets_its_usual_value_again() {
        let mut settings = Settings::default();
        assert_eq!(settings.get("auto_to_json"), Ok("off"));
        settings.set("auto_to_json", Some("TRUE")).expect("a flag");
        assert_eq!(settings.get("auto_to_json"), Ok("on"));
        settings.set("auto_to_json", None).expect("its usual value");
        assert_eq!(settings.get("auto_to_json"), Ok("off"));
        settings
            .set("time zone", Some("utc"))
            .expect("the one there is");
        assert_eq!(settings.get("timezone"), Ok("UTC"));
    }

    #[test]
    fn what_would_have_no_effect_is_refused_by_name() {
        let mut settings = Settings::default();
        let cases = [
            ("timezone", "Europe/Zurich", Code::InvalidValue),
            ("statement_timeout", "1000", Code::InvalidValue),
            ("extra_float_digits", "many", Code::InvalidValue),
            (
                "resolve_fallback_snapshot_on_failure",
                "true",
                Code::InvalidValue,
            ),
            ("server_version", "16", Code::CantChange),
            ("work_mem", "1GB", Code::UndefinedObject),
        ];
        for (name, value, code) in cases {
            let error = settings.set(name, Some(value)).expect_err(name);
            assert_eq!(error.code, code, "{error}");
            assert!(error.message.contains(name), "{error}");
        }
    }
}
