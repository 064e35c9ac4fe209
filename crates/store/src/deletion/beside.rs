//! The identities that records bear beside those that are asked for.

use decode::Progress;
use run::Run;
use xdm::Identity;

use crate::Store;
use crate::error::Result;

impl Store {
    /// The identities in the `identityMap` of the records that bear one of some identities, those among them, each once; no
    /// placeholders.
    ///
    /// # Errors
    /// A damaged run; `progress` was cancelled.
    pub fn identities_beside(
        &self,
        identities: &[Identity],
        progress: &Progress,
    ) -> Result<Vec<Identity>> {
        let mut found: Vec<Identity> = Vec::new();
        for record in self.catalog().runs(self.catalog().generation()?)? {
            progress.check()?;
            let dataset = &record.dataset;
            let folder = self.layout().run(&record.folder);
            let run = Run::open(&folder, &dataset.id, dataset.class, &record.files)?;
            let beside = run.identities_beside(identities, &dataset.placeholder_identities)?;
            run.check_whole()?;
            for identity in beside {
                let is_it = |it: &Identity| {
                    it.id == identity.id && it.namespace.eq_ignore_ascii_case(&identity.namespace)
                };
                if !found.iter().any(is_it) {
                    found.push(identity);
                }
            }
        }
        Ok(found)
    }
}
