//! The address of a place in a bucket, and the store that it is in.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{BackoffConfig, Error, ObjectStore, ObjectStoreScheme, RetryConfig};
use url::Url;

use crate::profile;

/// After this long a request that meets a store which does not answer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The store that an address is in, and what the keys below the address begin with. Credentials and endpoints come
/// from where the SDKs of these clouds have them: variables of the environment (`AWS_…`, `GOOGLE_…`, `AZURE_…`), AWS's
/// files with profiles, Google's application default credentials, the metadata of the machine.
///
/// # Errors
/// In words, without the address.
pub fn connect(address: &str) -> Result<(Arc<dyn ObjectStore>, Path), String> {
    let url = Url::parse(address).map_err(|error| error.to_string())?;
    let (scheme, prefix) = ObjectStoreScheme::parse(&url).map_err(|error| error.to_string())?;
    let variables = |prefix: &'static str| {
        let all = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        all.filter(move |(name, _)| name.starts_with(prefix))
    };
    // TLS of object_store is rustls's, whose cryptography the program chooses. Another one that was chosen serves too.
    let _ = rustls::crypto::ring::default_provider().install_default();
    macro_rules! build {
        ($builder:ty, $settings:expr) => {{
            let mut builder = <$builder>::new().with_url(address).with_retry(retry());
            for (name, value) in $settings {
                // Variables of the same beginning that are not about this are no concern of ours.
                if let Ok(key) = name.to_ascii_lowercase().parse() {
                    builder = builder.with_config(key, value);
                }
            }
            Arc::new(builder.build().map_err(said)?)
        }};
    }
    let store: Arc<dyn ObjectStore> = match scheme {
        ObjectStoreScheme::AmazonS3 => {
            let settings = profile::settings(variables("AWS_").collect())?;
            build!(AmazonS3Builder, settings)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            build!(GoogleCloudStorageBuilder, variables("GOOGLE_"))
        }
        ObjectStoreScheme::MicrosoftAzure => build!(MicrosoftAzureBuilder, variables("AZURE_")),
        other => {
            return Err(format!(
                "{other:?} is no object store; s3://, gs://, az:// and abfss:// are"
            ));
        }
    };
    Ok((store, prefix))
}

fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 5,
        retry_timeout: PATIENCE,
    }
}

/// Where machines of the clouds find the keys of their role; elsewhere nobody answers.
const METADATA: &str = "169.254.169.254";

/// What an error says, with what is behind it: the outer ones alone are no help.
pub fn said(error: Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    if text.contains(METADATA) {
        text = format!(
            "no keys: neither the environment nor a profile has any, nor has this machine a role ({text})"
        );
    }
    text
}
