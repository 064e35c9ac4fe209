//! The settings of a session as its client sees them, and what the front does by them.

use std::time::Duration;

use sql::Changed;
use sql::dialect::Error;

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
#[derive(Clone, Debug)]
pub(crate) struct Settings(sql::Settings);

impl Default for Settings {
    fn default() -> Self {
        Self(sql::Settings::of_front())
    }
}

/// Whether clients are told of a setting's new value.
pub(crate) fn is_told(name: &str) -> bool {
    TOLD.contains(&name)
}

impl Settings {
    /// What clients are told when they come in.
    pub(crate) fn told(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.all().filter(|[name, ..]| is_told(name));
        all.map(|[name, value, _]| (name, value))
    }

    /// All of them: name, value, what it is about.
    pub(crate) fn all(&self) -> impl Iterator<Item = [&str; 3]> {
        self.0.all()
    }

    /// The value of one.
    ///
    /// # Errors
    ///
    /// There is no such.
    pub(crate) fn get(&self, name: &str) -> Result<&str, Error> {
        self.0.get(name)
    }

    /// Changes one.
    ///
    /// # Errors
    ///
    /// There is no such setting, or it takes another value.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<Changed, Error> {
        self.0.set(name, value)
    }

    /// A session begins with what they are now.
    pub(crate) fn sign_in(&mut self) {
        self.0.begin();
    }

    /// Sets one back to that, or all; which were others.
    ///
    /// # Errors
    ///
    /// There is no such setting.
    pub(crate) fn reset(&mut self, name: Option<&str>) -> Result<Vec<&'static str>, Error> {
        self.0.reset(name)
    }

    /// Whether lists, maps and objects are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.is_on("auto_to_json")
    }

    fn is_on(&self, flag: &str) -> bool {
        self.0.get(flag) == Ok("on")
    }

    /// Whether statements that change the store are refused, in a transaction or without one.
    pub(crate) fn is_read_only(&self, in_transaction: bool) -> bool {
        self.is_on("transaction_read_only")
            || (!in_transaction && self.is_on("default_transaction_read_only"))
    }

    /// How a transaction goes on: as is said, or as they begin.
    ///
    /// # Errors
    ///
    /// None, as it is a flag.
    pub(crate) fn begin(&mut self, read_only: Option<bool>) -> Result<(), Error> {
        let value = match read_only.unwrap_or_else(|| self.is_on("default_transaction_read_only")) {
            true => "on",
            false => "off",
        };
        self.0.set("transaction_read_only", value).map(drop)
    }

    /// How long a statement may take.
    pub(crate) fn statement_timeout(&self) -> Option<Duration> {
        let time = self.0.get("statement_timeout").ok()?.parse().ok();
        time.filter(|time| *time > 0).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_are_told_is_what_there_is() {
        let settings = Settings::default();
        assert_eq!(settings.told().count(), TOLD.len());
        let told: Vec<_> = settings
            .told()
            .filter(|(name, _)| *name == "server_version")
            .collect();
        assert_eq!(told, [("server_version", sql::VERSION)]);
    }

    #[test]
    fn a_statement_may_take_as_long_as_is_set() {
        let mut settings = Settings::default();
        assert_eq!(settings.statement_timeout(), None);
        settings.set("statement_timeout", "2s").expect("a time");
        assert_eq!(settings.statement_timeout(), Some(Duration::from_secs(2)));
        settings.reset(None).expect("all");
        assert_eq!(settings.statement_timeout(), None);
    }

    #[test]
    fn a_transaction_begins_as_is_said_or_as_all_do() {
        let mut settings = Settings::default();
        settings
            .set("default_transaction_read_only", "on")
            .expect("a flag");
        assert!(settings.is_read_only(false) && !settings.is_read_only(true));
        for (said, wanted) in [(None, true), (Some(false), false), (Some(true), true)] {
            settings.begin(said).expect("a flag");
            assert_eq!(settings.is_read_only(true), wanted, "{said:?}");
        }
    }
}
