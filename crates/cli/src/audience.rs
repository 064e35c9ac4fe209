//! The options that say who is exported, and what of them, as a request.

use profile_export::request::{
    AdditionalFields, Destination, EvaluationInfo, EventFilterRequest, EventList, ExportRequest,
    FilterRequest, MapKeys, MergePolicyRef, RequestError, SegmentRequest, TimeWindow,
};

use crate::args::{AudienceArgs, MapKeysArg};
use crate::failure::Failure;
use crate::output::read;

/// The request that is meant: that of the file, or of the options.
pub fn request(audience: &AudienceArgs) -> Result<ExportRequest, Failure> {
    let Some(file) = &audience.request else {
        return of_options(audience);
    };
    if of_options(audience)? != ExportRequest::default() {
        return Err(Failure::usage(format!(
            "give a request ({file}) or options that say what is exported, not both"
        )));
    }
    Ok(ExportRequest::from_json(&read(file)?)?)
}

impl From<MapKeysArg> for MapKeys {
    fn from(argument: MapKeysArg) -> Self {
        match argument {
            MapKeysArg::OneSpelling => Self::OneSpelling,
            MapKeysArg::AsIs => Self::AsIs,
        }
    }
}

fn of_options(audience: &AudienceArgs) -> Result<ExportRequest, Failure> {
    let segments = audience.segment.iter().map(|segment| SegmentRequest {
        segment_id: segment.clone(),
        segment_ns: audience.segment_ns.clone(),
        status: some(audience.status.clone()),
    });
    let window = TimeWindow {
        start_time: start("--qualified-since", audience.qualified_since.as_deref())?,
        end_time: end("--qualified-until", audience.qualified_until.as_deref())?,
    };
    let filter = FilterRequest {
        segments: some(segments.collect()),
        segment_qualification_time: unless_default(window),
        from_ingest_timestamp: start("--ingested-since", audience.ingested_since.as_deref())?,
        empty_profiles: audience.empty_profiles.then_some(true),
    };
    let events = match &audience.events {
        None => None,
        Some(fields) => Some(EventList {
            fields: Some(fields.clone()).filter(|fields| !fields.is_empty()),
            filter: unless_default(EventFilterRequest {
                from_ingest_timestamp: start("--events-since", audience.events_since.as_deref())?,
                to_ingest_timestamp: end("--events-until", audience.events_until.as_deref())?,
            }),
        }),
    };
    Ok(ExportRequest {
        fields: audience.fields.clone(),
        mandatory_fields: some(audience.require.clone()),
        deduplication_keys: some(audience.dedupe.clone()),
        row_per_identity: audience.row_per_identity.clone(),
        since_job: audience.since_job,
        map_keys: audience.map_keys.map(Into::into),
        merge_policy: audience
            .merge_policy
            .clone()
            .map(|id| MergePolicyRef { id, version: None }),
        filter: unless_default(filter),
        additional_fields: events.map(|events| AdditionalFields {
            event_list: Some(events),
        }),
        destination: Destination {
            segment_per_batch: audience.segment_per_batch.then_some(true),
            ..Destination::default()
        },
        evaluation_info: audience
            .evaluate
            .then_some(EvaluationInfo { segmentation: true }),
        ..ExportRequest::default()
    })
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

fn unless_default<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

/// A moment, or the first one of a date in UTC.
pub fn start(option: &str, text: Option<&str>) -> Result<Option<String>, RequestError> {
    moment(option, text, "T00:00:00Z")
}

/// A moment, or the last one of a date in UTC.
fn end(option: &str, text: Option<&str>) -> Result<Option<String>, RequestError> {
    moment(option, text, "T23:59:59.999999Z")
}

fn moment(option: &str, text: Option<&str>, of_date: &str) -> Result<Option<String>, RequestError> {
    let Some(text) = text else {
        return Ok(None);
    };
    let wrong = || {
        let problem = format!(
            "found {text:?}; allowed is a date such as 2026-01-31, or an RFC 3339 timestamp with an offset"
        );
        RequestError::new(option, problem)
    };
    let known = [text.to_owned(), format!("{text}{of_date}")];
    let mut known = known.into_iter();
    let found = known.find(|text| profile_export::xdm::Timestamp::parse(text).is_some());
    found.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_first_or_last_moment_in_utc() {
        let of = |f: fn(&str, Option<&str>) -> Result<Option<String>, RequestError>, text| {
            f("--x", Some(text)).map_err(|e| e.to_string())
        };
        assert_eq!(
            of(start, "2026-01-31"),
            Ok(Some("2026-01-31T00:00:00Z".to_owned()))
        );
        assert_eq!(
            of(end, "2026-01-31"),
            Ok(Some("2026-01-31T23:59:59.999999Z".to_owned()))
        );
        let moment = "2026-01-31T08:00:00+02:00";
        assert_eq!(of(end, moment), Ok(Some(moment.to_owned())));
        for wrong in ["", "2026", "2026-02-30", "tomorrow", "2026-01-31T08:00:00"] {
            assert!(
                of(start, wrong).expect_err(wrong).contains("--x"),
                "{wrong}"
            );
        }
    }
}
