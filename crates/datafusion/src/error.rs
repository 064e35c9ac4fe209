use datafusion::error::DataFusionError;

/// An error of the engine, as DataFusion takes it.
pub(crate) fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
