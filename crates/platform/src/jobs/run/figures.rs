//! What the job object and the catalog say of the batches of a job.

use std::collections::BTreeMap;
use std::fs;

use catalog::{Batch, BatchFile, BatchMetrics, BatchStatus};
use export::{BatchCounts, GraphReport, UnknownSegment};
use writer::FileInfo;

use super::super::object::{JobSegment, JobTime, LargeProfile, LargeProfiles};
use super::{ExportedBatch, RunningJob};
use crate::memory::peak_memory;

impl RunningJob<'_> {
    /// Puts the figures into the job object.
    pub(super) fn tell_metrics(&mut self) {
        let batches = &self.published;
        let totals = total(batches);
        let files = batches.iter().flat_map(|batch| &batch.files);
        let metrics = &mut self.job.metrics;
        metrics.total_time = JobTime::ended(self.started.elapsed());
        metrics.total_exported_profile_counter = Some(totals.profiles);
        metrics.exported_profile_by_namespace_counter = Some(totals.by_namespace);
        let is_asked = self.job.mandatory_fields.is_some() || self.job.row_per_identity.is_some();
        metrics.incomplete_profile_counter = is_asked.then_some(totals.lacking);
        let is_asked = self.job.deduplication_keys.is_some();
        metrics.duplicate_profile_counter = is_asked.then_some(totals.duplicates);
        metrics.total_exported_event_counter = Some(totals.events);
        metrics.total_written_bytes = Some(files.map(|file| file.length).sum());
        metrics.peak_memory_bytes = peak_memory();
        metrics.exported_profile_by_segment_counter =
            self.job.destination.batches.as_ref().map(|segments| {
                let mut rows: BTreeMap<String, u64> = BTreeMap::new();
                for (segment, batch) in segments.iter().zip(batches) {
                    // Two entries may name one segment, in other namespaces or with other statuses.
                    *rows.entry(segment.segment_id.clone()).or_default() += batch.counts.profiles;
                }
                rows
            });
    }

    /// Puts what stands out in the identity graph into the job object.
    pub(super) fn tell_large_profiles(&mut self, report: Option<&GraphReport>) {
        self.job.metrics.large_profiles = report.and_then(LargeProfiles::of);
    }

    /// Puts the segments that no record names into the job object.
    pub(super) fn tell_unknown_segments(&mut self, unknown: Vec<UnknownSegment>) {
        self.job.metrics.unknown_segments = unknown.into_iter().map(JobSegment::from).collect();
    }

    /// A batch as the catalog keeps it.
    pub(super) fn record(&self, batch: &ExportedBatch) -> Batch {
        let now = self.job.update_time;
        let outside = self.options.out.as_ref().map(|_| {
            // A path that can't be made absolute is still the place where it was written.
            fs::canonicalize(&batch.folder).unwrap_or_else(|_| batch.folder.clone())
        });
        let took = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        Batch {
            id: batch.id.clone(),
            status: BatchStatus::Success,
            ims_org: self.job.ims_org_id.clone(),
            related_objects: Batch::of_dataset(&self.job.destination.dataset_id),
            job_id: Some(self.job.id),
            written: false,
            input_format: None,
            tags: None,
            created: now,
            updated: now,
            version: None,
            metrics: BatchMetrics {
                records_written: Some(batch.counts.profiles),
                events_written: Some(batch.counts.events),
                start_time: Some(now.millis().saturating_sub(took)),
                end_time: Some(now.millis()),
                ..BatchMetrics::default()
            },
            errors: None,
            files: batch.files.iter().map(batch_file).collect(),
            uploads: Vec::new(),
            completed: None,
            sequences: None,
            broken_off: 0,
            folder: outside.clone().filter(|_| batch.has_own_folder),
            among: outside.filter(|_| !batch.has_own_folder),
        }
    }
}

impl LargeProfiles {
    /// What stands out in an identity graph, if anything does.
    pub(crate) fn of(report: &GraphReport) -> Option<Self> {
        let stands_out = report.large > 0 || report.left_out > 0;
        stands_out.then(|| Self {
            profiles: report.large,
            left_out: report.left_out,
            largest: (report.largest.iter())
                .map(|one| LargeProfile {
                    namespace: one.namespace.clone(),
                    id: one.id.clone(),
                    identities: one.identities,
                })
                .collect(),
        })
    }
}

impl From<UnknownSegment> for JobSegment {
    fn from(segment: UnknownSegment) -> Self {
        Self {
            segment_id: segment.id,
            segment_ns: segment.namespace,
            did_you_mean: segment
                .near
                .map(|(namespace, id)| format!("{namespace}:{id}")),
        }
    }
}

pub(crate) fn batch_file(file: &FileInfo) -> BatchFile {
    BatchFile {
        name: file.name.clone(),
        length: file.length,
        rows: Some(file.rows),
        digest: Some(BatchFile::digest_text(file.digest)),
    }
}

/// What all batches hold together.
pub(super) fn total(batches: &[ExportedBatch]) -> BatchCounts {
    let mut totals = BatchCounts::default();
    for batch in batches {
        totals.add(batch.counts.clone());
    }
    totals
}
