//! What an export would give, and its first rows.

use profile_export::export::leaves;
use profile_export::platform::{Error, Prepared};
use profile_export::request::ExportRequest;
use serde_json::{Map, Value, json};

use crate::args::{Arguments, PlanArgs, PreviewArgs};
use crate::audience;
use crate::failure::Failure;
use crate::message::{say, shown};
use crate::origin::Work;
use crate::output::{print, print_result, print_rows};
use crate::settings::Settings;
use crate::shards;
use crate::told::{Written, left_out, unknown_segment, written};

pub fn plan(arguments: &Arguments, settings: &Settings, plan: &PlanArgs) -> Result<(), Failure> {
    let mut work = Work::to_look(settings, &plan.look)?;
    let request = audience::request(&plan.look.audience)?;
    if plan.shards.is_some() {
        return shards::plan(arguments, plan, (&work, &request));
    }
    work.run.writer = shards::writer(&plan.files)?;
    tell(arguments, &work, &request, |_| Ok(())).map(drop)
}

/// Says what an export would give, where `check` has nothing against it: all rows are made, and none is kept. Returns the rows of each batch, and how many
/// records were rejected.
pub fn tell(
    arguments: &Arguments,
    work: &Work<'_>,
    request: &ExportRequest,
    check: impl FnOnce(&Prepared) -> Result<(), Error>,
) -> Result<(Vec<u64>, u64), Failure> {
    let (found, rejected) = work.looked_at(arguments, request, |prepared| {
        check(prepared)?;
        let schema = prepared.export.schema();
        let fields: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        Ok((
            prepared.export.unknown_segments()?,
            prepared.outcomes(&work.run.writer)?,
            fields,
            prepared.policy.clone(),
            prepared.why_policy(),
            prepared.request.clone(),
        ))
    })?;
    let (unknown, outcomes, fields, policy, why, request) = found;
    let lines = outcomes.iter().enumerate().map(|(number, outcome)| {
        let place = "(nothing is written)".to_owned();
        Written::new(&request, number, &outcome.counts, outcome.bytes, place)
    });
    let lines: Vec<Written> = lines.collect();
    let lacking = outcomes.iter().map(|outcome| outcome.counts.lacking).sum();
    let duplicates = outcomes
        .iter()
        .map(|outcome| outcome.counts.duplicates)
        .sum();
    let rows = lines.iter().map(|line| line.profiles).collect();
    if arguments.is_for_machines() {
        let batches: Vec<Value> = (lines.iter())
            .map(|line| {
                json!({"segment": line.segment, "profiles": line.profiles,
                               "events": line.events, "bytes": line.bytes})
            })
            .collect();
        let policy =
            json!({"id": policy.id, "name": policy.name, "version": policy.version, "why": why});
        print_result(
            arguments,
            &json!({"request": request, "mergePolicy": policy, "fields": fields,
                                  "unknownSegments": unknown.iter().map(|one| &one.id).collect::<Vec<_>>(),
                                  "batches": batches}),
        )?;
        return Ok((rows, rejected));
    }
    let empty = lines.iter().filter(|line| line.profiles == 0).count();
    let mut text = format!(
        "{}merge policy: {}{}, version {}: {}\nfields: {}\n",
        written(&lines),
        shown(&policy.id),
        match policy.name.is_empty() || policy.name == policy.id {
            true => String::new(),
            false => format!(" ({})", shown(&policy.name)),
        },
        policy.version,
        shown(&why),
        fields.join(", "),
    );
    if empty > 0 {
        text.push_str(&format!(
            "{empty} of {} batches have no profile\n",
            lines.len()
        ));
    }
    for line in left_out(lacking, duplicates) {
        text.push_str(&format!("{line}\n"));
    }
    if !unknown.is_empty() {
        let wanted = request.filter.and_then(|filter| filter.segments);
        text.push_str(&format!(
            "{} of {} segments: no record names them\n",
            unknown.len(),
            wanted.map_or(0, |segments| segments.len())
        ));
    }
    for segment in &unknown {
        text.push_str(&format!("{}\n", unknown_segment(segment)));
    }
    print(&text)?;
    Ok((rows, rejected))
}

/// Shows the first profiles.
pub fn preview(
    arguments: &Arguments,
    settings: &Settings,
    preview: &PreviewArgs,
) -> Result<(), Failure> {
    let work = Work::to_look(settings, &preview.look)?;
    let request = audience::request(&preview.look.audience)?;
    let (found, _) = work.looked_at(arguments, &request, |prepared| {
        let unknown = prepared.export.unknown_segments()?;
        Ok((prepared.first_rows(preview.limit)?, unknown))
    })?;
    let (rows, unknown) = found;
    for segment in &unknown {
        say(arguments, &unknown_segment(segment));
    }
    if arguments.is_for_machines() {
        return print_result(arguments, &rows);
    }
    print_profiles(&rows)
}

/// Profiles as a table, with a column for each leaf.
pub fn print_profiles(rows: &[Value]) -> Result<(), Failure> {
    if rows.is_empty() {
        return print("no profile");
    }
    let mut columns: Vec<String> = Vec::new();
    let flat: Vec<Map<String, Value>> = rows.iter().map(leaves).collect();
    for row in &flat {
        for name in row.keys() {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
    }
    print_rows(&columns, &flat)
}
