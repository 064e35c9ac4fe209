//! What loading has in common, into a store or straight to an export.

use profile_export::store::{LoadOptions, LoadReport, OnBadRecord};

use crate::args::{Arguments, BadRecord, BadRecordArgs};
use crate::output::count;
use crate::progress::say;

/// What the arguments say of a load that begins now.
pub fn load_options(arguments: &BadRecordArgs) -> LoadOptions {
    let on_bad_record = match arguments.on_bad_record {
        BadRecord::Fail => OnBadRecord::Fail,
        BadRecord::Skip => OnBadRecord::Skip {
            rejects: arguments.rejects.clone(),
        },
    };
    LoadOptions {
        on_bad_record,
        ..LoadOptions::default()
    }
}

pub fn say_loaded(arguments: &Arguments, report: &LoadReport, bad: &BadRecordArgs) {
    let mut text = format!(
        "read {} records: {} new, {} replaced or there already",
        count(report.read),
        count(report.loaded),
        count(report.dropped)
    );
    if report.bad > 0 {
        text.push_str(&format!(
            ", {} bad (see {})",
            count(report.bad),
            bad.rejects.display()
        ));
    }
    say(arguments, &text);
}
