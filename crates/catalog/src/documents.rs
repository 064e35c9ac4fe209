use rusqlite::{OptionalExtension, params};

use crate::error::{Kind, Result};
use crate::{Catalog, Document, JobStatus, Scope, scope};

/// The kinds of documents that the store keeps, in versions where they have such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// A merge policy.
    MergePolicy,
    /// A segment definition.
    Segment,
    /// An evaluation of segments.
    SegmentJob,
    /// That an evaluation has not ended: `{status, creationTime}`.
    OpenSegmentJob,
    /// Work that is done at times.
    Schedule,
    /// A namespace of identities that somebody described.
    IdentityNamespace,
    /// Where edge projections would go.
    ProjectionDestination,
    /// Fields of profiles under a name.
    Projection,
    /// A deletion of a dataset's records, or of a batch's.
    SystemJob,
    /// A schema that somebody declared.
    Schema,
    /// What somebody said of a schema's fields.
    Descriptor,
    /// A query that runs by itself.
    Query,
    /// A text that is kept for queries.
    QueryTemplate,
    /// A query that is created at times.
    QuerySchedule,
}

impl From<DocumentKind> for Kind {
    fn from(kind: DocumentKind) -> Self {
        match kind {
            DocumentKind::MergePolicy => Self::MergePolicy,
            DocumentKind::Segment => Self::Segment,
            DocumentKind::SegmentJob | DocumentKind::OpenSegmentJob => Self::SegmentJob,
            DocumentKind::Schedule | DocumentKind::QuerySchedule => Self::Schedule,
            DocumentKind::IdentityNamespace => Self::IdentityNamespace,
            DocumentKind::ProjectionDestination => Self::ProjectionDestination,
            DocumentKind::Projection => Self::Projection,
            DocumentKind::SystemJob => Self::SystemJob,
            DocumentKind::Schema => Self::Schema,
            DocumentKind::Descriptor => Self::Descriptor,
            DocumentKind::Query => Self::Query,
            DocumentKind::QueryTemplate => Self::QueryTemplate,
        }
    }
}

impl DocumentKind {
    fn word(self) -> &'static str {
        match self {
            Self::MergePolicy => "mergePolicy",
            Self::Segment => "segment",
            Self::SegmentJob => "segmentJob",
            Self::OpenSegmentJob => "openSegmentJob",
            Self::Schedule => "schedule",
            Self::IdentityNamespace => "identityNamespace",
            Self::ProjectionDestination => "projectionDestination",
            Self::Projection => "projection",
            Self::SystemJob => "systemJob",
            Self::Schema => "schema",
            Self::Descriptor => "descriptor",
            Self::Query => "query",
            Self::QueryTemplate => "queryTemplate",
            Self::QuerySchedule => "querySchedule",
        }
    }
}

impl Catalog {
    /// Keeps a version of a document; one with the same ID and version is replaced.
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn put_document(
        &self,
        kind: DocumentKind,
        id: &str,
        version: i64,
        document: &Document,
    ) -> Result<()> {
        self.write(|t| {
            t.execute(
                "INSERT OR REPLACE INTO documents (kind, org, sandbox, id, version, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    kind.word(),
                    self.scope.org,
                    self.scope.sandbox,
                    id,
                    version,
                    document
                ],
            )?;
            Ok(())
        })
    }

    /// Deletes a document with all its versions; says whether there was one.
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn delete_document(&self, kind: DocumentKind, id: &str) -> Result<bool> {
        self.write(|t| {
            let deleted = t.execute(
                "DELETE FROM documents WHERE kind = ?1 AND org = ?2 AND sandbox = ?3 AND id = ?4",
                params![kind.word(), self.scope.org, self.scope.sandbox, id],
            )?;
            Ok(deleted > 0)
        })
    }

    /// A document's version, or its newest one.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn document(
        &self,
        kind: DocumentKind,
        id: &str,
        version: Option<i64>,
    ) -> Result<Option<Document>> {
        Ok(self
            .connection()
            .query_row(
                "SELECT body FROM documents
                 WHERE kind = ?1 AND org = ?2 AND sandbox = ?3 AND id = ?4
                   AND version = coalesce(?5, version)
                 ORDER BY version DESC LIMIT 1",
                params![kind.word(), self.scope.org, self.scope.sandbox, id, version],
                |row| row.get(0),
            )
            .optional()?)
    }

    /// The segment jobs of all sandboxes that wait, the oldest first.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn waiting_segment_jobs(&self) -> Result<Vec<(Scope, String)>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT org, sandbox, id FROM documents
             WHERE kind = ?1 AND json_extract(body, '$.status') = ?2
             ORDER BY json_extract(body, '$.creationTime'), id",
        )?;
        let kind = DocumentKind::OpenSegmentJob.word();
        let rows = statement.query_map(params![kind, JobStatus::New], |row| {
            Ok((scope(row)?, row.get(2)?))
        })?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// The system jobs of all sandboxes that have not ended, the oldest first.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn open_system_jobs(&self) -> Result<Vec<(Scope, String)>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT org, sandbox, id FROM documents
             WHERE kind = ?1 AND json_extract(body, '$.status') IN ('NEW', 'PROCESSING')
             ORDER BY json_extract(body, '$.createEpoch'), id",
        )?;
        let kind = DocumentKind::SystemJob.word();
        let rows = statement.query_map([kind], |row| Ok((scope(row)?, row.get(2)?)))?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// The segment jobs of this sandbox that are in a state, of those that have not ended.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn open_segment_jobs(&self, status: JobStatus) -> Result<Vec<String>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT id FROM documents WHERE kind = ?1 AND org = ?2 AND sandbox = ?3
               AND json_extract(body, '$.status') = ?4",
        )?;
        let kind = DocumentKind::OpenSegmentJob.word();
        let of = params![kind, self.scope.org, self.scope.sandbox, status];
        let rows = statement.query_map(of, |row| row.get(0))?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// The schedules of all sandboxes that are active, by ID.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn active_schedules(&self) -> Result<Vec<(Scope, String, Document)>> {
        self.in_state(DocumentKind::Schedule, "active")
    }

    /// The query schedules of all sandboxes that are enabled, by ID.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn enabled_query_schedules(&self) -> Result<Vec<(Scope, String, Document)>> {
        self.in_state(DocumentKind::QuerySchedule, "ENABLED")
    }

    fn in_state(&self, kind: DocumentKind, state: &str) -> Result<Vec<(Scope, String, Document)>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT org, sandbox, id, body FROM documents
             WHERE kind = ?1 AND json_extract(body, '$.state') = ?2 ORDER BY id",
        )?;
        let rows = statement.query_map(params![kind.word(), state], |row| {
            Ok((scope(row)?, row.get(2)?, row.get(3)?))
        })?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// The queries of all sandboxes that are in a state, the oldest first.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn queries_in(&self, state: &str) -> Result<Vec<(Scope, String)>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT org, sandbox, id FROM documents
             WHERE kind = ?1 AND json_extract(body, '$.state') = ?2
             ORDER BY json_extract(body, '$.created'), id",
        )?;
        let kind = DocumentKind::Query.word();
        let rows =
            statement.query_map(params![kind, state], |row| Ok((scope(row)?, row.get(2)?)))?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// How many queries of the sandbox are in a state.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn count_queries_in(&self, state: &str) -> Result<u32> {
        let count = self.connection().query_row(
            "SELECT count(*) FROM documents WHERE kind = ?1 AND org = ?2 AND sandbox = ?3
               AND json_extract(body, '$.state') = ?4",
            params![
                DocumentKind::Query.word(),
                self.scope.org,
                self.scope.sandbox,
                state
            ],
            |row| row.get(0),
        )?;
        Ok(count)
    }

    /// The newest version of each document, by ID.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn documents(&self, kind: DocumentKind) -> Result<Vec<Document>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT body FROM documents d WHERE kind = ?1 AND org = ?2 AND sandbox = ?3
               AND version = (SELECT max(version) FROM documents
                              WHERE kind = d.kind AND org = d.org AND sandbox = d.sandbox AND id = d.id)
             ORDER BY id",
        )?;
        let rows = statement.query_map(
            params![kind.word(), self.scope.org, self.scope.sandbox],
            |row| row.get(0),
        )?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }
}
