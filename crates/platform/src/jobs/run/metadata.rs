//! What a file says of the job that wrote it.

use catalog::JobRecord;
use serde_json::{Value, json};

use super::super::object::lacking;
use crate::error::Result;

/// What each of a job's files repeats is not longer than this: thousands of them would consist of little else.
pub(crate) const MOST_REPEATED: usize = 64 << 10;
/// Where a request has its segments.
const SEGMENTS: &str = "/filter/segments";

/// The key-value metadata of a job's files.
pub(super) struct FileMetadata {
    job: i64,
    generation: i64,
    policy: String,
    /// Where there is a batch for each segment, without the segments: to copy thousands of them for each of
    /// thousands of batches takes longer than the export.
    request: Value,
    segments: Option<Vec<Value>>,
    /// How long a value may be.
    most: usize,
}

impl FileMetadata {
    /// The metadata of a job that has a batch for each segment or not, and several files a batch or not.
    pub(super) fn new(record: &JobRecord, per_segment: bool, per_rows: bool) -> Result<Self> {
        let mut request = record.request.value().clone();
        let segments = match per_segment {
            true => Some(take_segments(record.id, &mut request)?),
            false => None,
        };
        Ok(Self {
            job: record.id,
            generation: record.generation,
            policy: record.policy.value().to_string(),
            request,
            segments,
            most: match per_segment || per_rows {
                true => MOST_REPEATED,
                false => usize::MAX,
            },
        })
    }

    /// That of the files of the batch with this number.
    pub(super) fn of_batch(&self, number: usize) -> Result<Vec<(String, String)>> {
        let values = [
            ("request", self.request(number)?),
            ("jobId", self.job.to_string()),
            ("mergePolicy", self.policy.clone()),
            ("generation", self.generation.to_string()),
        ];
        Ok(stated(values, self.most))
    }

    /// The request as far as it is about a batch: other segments are nothing that its readers should know.
    fn request(&self, number: usize) -> Result<String> {
        let Some(segments) = &self.segments else {
            return Ok(self.request.to_string());
        };
        let own = segments.get(number);
        let own = own.ok_or_else(|| lacking(self.job, "its request has fewer segments"))?;
        let mut request = self.request.clone();
        if let Some(place) = request.pointer_mut(SEGMENTS) {
            *place = json!([own]);
        }
        Ok(request.to_string())
    }
}

/// What a file says of itself, as far as no value is longer than that; the others are named.
pub(crate) fn stated<const N: usize>(
    values: [(&str, String); N],
    most: usize,
) -> Vec<(String, String)> {
    let fits = |(_, value): &(&str, String)| value.len() <= most;
    let (mut stated, left_out): (Vec<_>, Vec<_>) = values.into_iter().partition(fits);
    if !left_out.is_empty() {
        let names: Vec<&str> = left_out.iter().map(|(name, _)| *name).collect();
        stated.push(("leftOut", names.join(",")));
    }
    let key = |(name, value)| (format!("profile-export.{name}"), value);
    stated.into_iter().map(key).collect()
}

fn take_segments(job: i64, request: &mut Value) -> Result<Vec<Value>> {
    match request.pointer_mut(SEGMENTS).map(Value::take) {
        Some(Value::Array(segments)) => Ok(segments),
        _ => Err(lacking(job, "its request has no list of segments")),
    }
}
