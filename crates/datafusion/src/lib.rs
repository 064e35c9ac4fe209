//! Exports, datasets and batches of a profile store as tables of DataFusion.
