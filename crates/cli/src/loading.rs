//! What loading has in common, into a store or straight to an export.

use std::path::Path;

use profile_export::platform::SourceFolder;
use profile_export::store::{JsonForm, LoadOptions, LoadReport, OnBadRecord, ReadOptions};

use crate::args::{Arguments, BadRecord, JsonFormArg, LoadArgs};
use crate::failure::Failure;
use crate::message::{say, tell};
use crate::output::count;

/// What the arguments say of a load that begins now.
pub fn load_options(arguments: &LoadArgs) -> LoadOptions {
    let on_bad_record = match arguments.on_bad_record {
        BadRecord::Fail => OnBadRecord::Fail,
        BadRecord::Skip => OnBadRecord::Skip {
            rejects: arguments.rejects.clone(),
            limit: arguments.max_bad_records.unwrap_or_default(),
        },
    };
    let json_form = match arguments.json_form {
        JsonFormArg::Auto => JsonForm::Noticed,
        JsonFormArg::Lines => JsonForm::Lines,
        JsonFormArg::Documents => JsonForm::Documents,
    };
    LoadOptions {
        on_bad_record,
        read: ReadOptions {
            json_form,
            max_line: arguments.max_line << 20,
            ..ReadOptions::default()
        },
        ..LoadOptions::default()
    }
}

/// Opens a source folder, and names what is no part of it.
pub fn open_source(arguments: &Arguments, folder: &Path) -> Result<SourceFolder, Failure> {
    let source = SourceFolder::open(folder)?;
    let names: Vec<String> = (source.passed_over().iter())
        .filter_map(|path| path.file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    if !names.is_empty() {
        let text = format!("passed over, as no dataset: {}", names.join(", "));
        say(arguments, &text);
    }
    Ok(source)
}

pub fn say_loaded(arguments: &Arguments, report: &LoadReport, bad: &LoadArgs) {
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
    if report.merged > 0 {
        let merged = count(report.merged);
        say(arguments, &format!("merged {merged} runs into larger ones"));
    }
    if let Some(reason) = &report.not_merged {
        tell(&format!(
            "warning: the records are in, but runs could not be merged: {reason}; the next load tries again"
        ));
    }
}
