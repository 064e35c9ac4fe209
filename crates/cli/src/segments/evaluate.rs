//! Definitions evaluated into memberships.

use std::time::Duration;

use profile_export::platform::{
    SegmentJobTarget, evaluate_segments, segment_id, segments as list_segments,
};
use profile_export::store::Store;

use super::wanted::now;
use crate::args::Arguments;
use crate::failure::Failure;
use crate::listing::{Cell, Table, print_list};
use crate::message::say;
use crate::output::{count, print_result};
use crate::progress::Watch;

/// Evaluates definitions and tells how they came out.
pub fn evaluate(
    arguments: &Arguments,
    store: &Store,
    (wanted, all): (&[String], bool),
    at: Option<&str>,
) -> Result<(), Failure> {
    let catalog = store.catalog();
    let target = match all {
        true => SegmentJobTarget::All,
        false => {
            let ids = wanted
                .iter()
                .map(|name| segment_id(catalog, name, "SEGMENT"));
            SegmentJobTarget::Segments(ids.collect::<Result<_, _>>()?)
        }
    };
    let watch = Watch::start(arguments, 0);
    let job = evaluate_segments(store, &target, now(at)?, &watch.progress)?;
    drop(watch);
    let names = list_segments(catalog)?;
    let name_of = |id: &str| {
        let mut own = names.iter().filter(|one| one["id"] == id);
        own.next()
            .and_then(|one| one["name"].as_str())
            .unwrap_or(id)
            .to_owned()
    };
    let metrics = &job.metrics;
    let took = |id: &str| {
        let millis = metrics.condition_time_in_ms.get(id).copied();
        Duration::from_secs_f64(millis.unwrap_or_default() / 1000.0)
    };
    let counters = &metrics.segmented_profile_by_status_counter;
    let lines = metrics
        .segmented_profile_counter
        .iter()
        .map(|(id, members)| {
            let of_status = |status: &str| counters.get(id).and_then(|of| of.get(status));
            let count = |status| of_status(status).copied().unwrap_or_default();
            let left = metrics.exited_profile_counter.get(id).copied();
            (
                id,
                *members,
                [
                    count("realized"),
                    count("existing"),
                    left.unwrap_or_default(),
                ],
                took(id),
            )
        });
    let lines: Vec<_> = lines.collect();
    if arguments.is_for_machines() {
        return print_result(arguments, &job);
    }
    let rows = (lines.iter()).map(|(id, members, [entered, stayed, left], took)| {
        [
            Cell::Text((*id).clone()),
            Cell::Count(*members),
            Cell::Count(*entered),
            Cell::Count(*stayed),
            Cell::Count(*left),
            Cell::Took(*took),
            Cell::Text(name_of(id)),
        ]
    });
    let table = Table {
        head: ["SEGMENT", "IN", "ENTERED", "STAYED", "LEFT", "TIME", "NAME"],
        rows: rows.collect(),
    };
    print_list(arguments, &lines, &lines, || Ok(table))?;
    let opted_out: u64 = metrics.opted_out_profiles_by_merge_policy.values().sum();
    if opted_out > 0 {
        say(
            arguments,
            &format!(
                "{} opted out and are in no segment that heeds it",
                count(opted_out)
            ),
        );
    }
    let took = metrics.total_time.total_time_in_ms.unwrap_or_default();
    let by_policy = metrics.total_profiles_by_merge_policy.iter();
    let by_policy: Vec<String> = by_policy
        .map(|(policy, profiles)| format!("{} by merge policy {policy}", count(*profiles)))
        .collect();
    say(
        arguments,
        &format!(
            "of profiles: {}, at {}, in {:.3} s",
            by_policy.join(", "),
            job.evaluation_time,
            took as f64 / 1000.0
        ),
    );
    Ok(())
}
