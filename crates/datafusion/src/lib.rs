//! Exports, datasets and batches of a profile store as tables of DataFusion.
//!
//! A [`ProfileTable`] is what an export of everybody would be, by a merge policy: it reads the columns that a
//! statement asks for alone, the events only where `timeSeriesEvents` is one of them, and of the profiles only those in
//! a segment where the statement says one (`segmentMembership['ups']['S']['status'] = 'realized'`), or of an identity
//! (`identityMap['Email'][1]['id'] = 'a@b.org'`). A [`DatasetTable`] has the records of one dataset as they came in, of an
//! identity or of a time where the statement says so, a [`BatchTable`] the rows of batches that jobs wrote into a dataset.
//! Each is read by as many partitions as the session has, but for what is looked up.

mod batches;
mod dataset;
mod error;
mod exec;
mod identities;
mod look_ups;
mod profiles;
mod pushed;
mod times;
mod told;
mod united;

pub use batches::BatchTable;
pub use dataset::DatasetTable;
pub use profiles::ProfileTable;
