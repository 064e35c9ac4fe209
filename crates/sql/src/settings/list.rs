//! The settings that there are.

use super::Takes::{Flag, Nothing, Number, Only, Schemas, Text, Time, Words, Zone};
use super::{Keeper, Setting};

/// The PostgreSQL that clients may take this for: the oldest that they still ask everything of in the way that is
/// answered here.
pub const VERSION: &str = "9.6.24";

/// Each statement sees one state of the store, and there is no other isolation.
const LEVELS: super::Takes = Words(&[&["read committed"], &["read uncommitted"]]);

const fn setting(
    name: &'static str,
    usual: &'static str,
    takes: super::Takes,
    about: &'static str,
) -> Setting {
    Setting {
        name,
        usual,
        takes,
        keeper: Keeper::Session,
        about,
    }
}

/// One that changes something for clients of PostgreSQL's protocol alone.
const fn of_front(
    name: &'static str,
    usual: &'static str,
    takes: super::Takes,
    about: &'static str,
) -> Setting {
    Setting {
        keeper: Keeper::Front,
        ..setting(name, usual, takes, about)
    }
}

pub(super) const ALL: &[Setting] = &[
    setting(
        "DateStyle",
        "ISO, MDY",
        Only(&[
            "iso", "iso, mdy", "iso,mdy", "iso, dmy", "iso,dmy", "iso, ymd", "iso,ymd",
        ]),
        "How times are sent",
    ),
    setting(
        "IntervalStyle",
        "postgres",
        Only(&["postgres"]),
        "How intervals would be sent",
    ),
    setting("TimeZone", "UTC", Zone, "In which zone times are"),
    setting("application_name", "", Text, "What the client calls itself"),
    setting(
        "auto_to_json",
        "off",
        Flag,
        "Whether lists, maps and structs are sent to PostgreSQL's clients as JSON; elsewhere they always are",
    ),
    setting(
        "bytea_output",
        "hex",
        Only(&["hex"]),
        "How bytes are sent as text",
    ),
    setting(
        "client_encoding",
        "UTF8",
        Only(&["utf8", "utf-8", "unicode"]),
        "How texts are sent",
    ),
    setting(
        "client_min_messages",
        "notice",
        Words(&[
            &["debug5", "debug4", "debug3", "debug2", "debug1", "debug"],
            &["log"],
            &["notice", "info"],
            &["warning"],
            &["error", "fatal", "panic"],
        ]),
        "Which notices are wanted; all there are, are sent",
    ),
    setting(
        "default_transaction_isolation",
        "read committed",
        LEVELS,
        "What a statement sees: the store as it is when it begins",
    ),
    of_front(
        "default_transaction_read_only",
        "off",
        Flag,
        "Whether transactions begin as ones that only read",
    ),
    setting(
        "extra_float_digits",
        "1",
        Number(-15, 3),
        "How many digits numbers have; they always have all of them",
    ),
    setting(
        "idle_in_transaction_session_timeout",
        "0",
        Only(&["0"]),
        "How long a transaction may wait for a statement; 0 is as long as any session",
    ),
    setting(
        "integer_datetimes",
        "on",
        Nothing,
        "How times are sent in binary",
    ),
    setting(
        "is_superuser",
        "off",
        Nothing,
        "Whether this is somebody who may do anything",
    ),
    setting("lc_collate", "C", Nothing, "How texts are ordered"),
    setting("lc_ctype", "C", Nothing, "What letters are"),
    setting("lc_messages", "C", Only(&["c"]), "How messages are written"),
    setting("lc_monetary", "C", Only(&["c"]), "How money is written"),
    setting("lc_numeric", "C", Only(&["c"]), "How numbers are written"),
    setting("lc_time", "C", Only(&["c"]), "How times are written"),
    setting(
        "lock_timeout",
        "0",
        Time,
        "How long a statement may wait for another's rows; none waits",
    ),
    setting(
        "max_identifier_length",
        "63",
        Nothing,
        "How long clients may take names to be",
    ),
    setting(
        "max_index_keys",
        "32",
        Nothing,
        "How many columns an index would have at the most",
    ),
    setting(
        "resolve_fallback_snapshot_on_failure",
        "off",
        Only(&["off", "false", "no", "0"]),
        "Whether a snapshot that is gone stands for the oldest one",
    ),
    setting(
        "row_security",
        "on",
        Flag,
        "Whether rows would be hidden; none is",
    ),
    setting(
        "search_path",
        "\"$user\", public",
        Schemas,
        "Where tables are looked for",
    ),
    setting("server_encoding", "UTF8", Nothing, "How texts are kept"),
    setting(
        "server_version",
        VERSION,
        Nothing,
        "The PostgreSQL that clients may take this for",
    ),
    setting(
        "server_version_num",
        "90624",
        Nothing,
        "The same as a number",
    ),
    // A client that is told otherwise would let a backslash end its text.
    setting(
        "standard_conforming_strings",
        "off",
        Only(&["off", "false", "no", "0"]),
        "Whether a backslash in a text is a backslash; it is Spark's escape",
    ),
    of_front(
        "statement_timeout",
        "0",
        Time,
        "How long a statement may take, in milliseconds; 0 is as long as it takes",
    ),
    setting(
        "synchronize_seqscans",
        "on",
        Flag,
        "Whether several that read one table read it together; nothing depends on it",
    ),
    setting(
        "transaction_isolation",
        "read committed",
        LEVELS,
        "The same of the transaction that is open",
    ),
    of_front(
        "transaction_read_only",
        "off",
        Flag,
        "Whether the transaction that is open only reads",
    ),
];
