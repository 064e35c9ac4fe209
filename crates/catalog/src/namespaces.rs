use rusqlite::{Connection, params};
use xdm::Namespaces;

use crate::Catalog;
use crate::error::Result;

/// Namespaces are documents: one that was loaded once keeps its spelling for ever, whatever becomes of its records, and
/// whatever generation a job reads.
const KIND: &str = "namespace";

impl Catalog {
    /// How the namespaces are spelled that were ever loaded.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn namespaces(&self) -> Result<Namespaces> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT json_extract(body, '$.code') FROM documents
             WHERE kind = ?1 AND org = ?2 AND sandbox = ?3 ORDER BY version",
        )?;
        let of = params![KIND, self.scope.org, self.scope.sandbox];
        let rows = statement.query_map(of, |row| row.get::<_, String>(0))?;
        rows.collect::<std::result::Result<_, _>>()
            .map_err(Into::into)
    }

    /// Keeps those that are not there yet. Nobody else adds some meanwhile: loads have the store's lock.
    pub(crate) fn add_namespaces(&self, t: &Connection, namespaces: &Namespaces) -> Result<()> {
        let known: i64 = t.query_row(
            "SELECT coalesce(max(version), 0) FROM documents WHERE kind = ?1 AND org = ?2 AND sandbox = ?3",
            params![KIND, self.scope.org, self.scope.sandbox],
            |row| row.get(0),
        )?;
        let mut place = known;
        for code in namespaces.codes().iter().skip(known as usize) {
            place += 1;
            t.execute(
                "INSERT INTO documents (kind, org, sandbox, id, version, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, json_object('code', ?6))",
                params![
                    KIND,
                    self.scope.org,
                    self.scope.sandbox,
                    code.to_ascii_lowercase(),
                    place,
                    code
                ],
            )?;
        }
        Ok(())
    }
}
