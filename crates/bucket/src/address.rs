//! The address of a place in a bucket, and the store that it is in.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientConfigKey, Error, ObjectStore, ObjectStoreScheme, RetryConfig,
};
use url::Url;

use crate::profile;

/// After this long a request that meets a store which does not answer has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same of a copy: it is answered when the store has copied all of an object.
const COPY_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The store that an address is in, and what the keys below the address begin with. Credentials and endpoints come
/// from where the SDKs of these clouds have them: variables of the environment (`AWS_…`, `GOOGLE_…`, `AZURE_…`), AWS's
/// files with profiles, Google's application default credentials, the metadata of the machine.
///
/// # Errors
/// In words, without the address.
pub fn connect(address: &str) -> Result<(Arc<dyn ObjectStore>, Path), String> {
    connect_with(address, PATIENCE, None)
}

/// The same store, for copies within it.
///
/// # Errors
/// In words, without the address.
pub fn connect_for_copies(address: &str) -> Result<Arc<dyn ObjectStore>, String> {
    let timeout = format!("{}s", COPY_PATIENCE.as_secs());
    Ok(connect_with(address, COPY_PATIENCE, Some(timeout))?.0)
}

/// `timeout` is that of a request, if it is another one than the settings'.
fn connect_with(
    address: &str,
    patience: Duration,
    timeout: Option<String>,
) -> Result<(Arc<dyn ObjectStore>, Path), String> {
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
        ($builder:ty, $key:ty, $settings:expr) => {{
            let builder = <$builder>::new().with_url(address);
            let mut builder = builder.with_retry(retry(patience));
            for (name, value) in $settings {
                // Variables of the same beginning that are not about this are no concern of ours.
                if let Ok(key) = name.to_ascii_lowercase().parse() {
                    builder = builder.with_config(key, value);
                }
            }
            if let Some(timeout) = timeout {
                builder = builder.with_config(<$key>::Client(ClientConfigKey::Timeout), timeout);
            }
            Arc::new(builder.build().map_err(said)?)
        }};
    }
    let store: Arc<dyn ObjectStore> = match scheme {
        ObjectStoreScheme::AmazonS3 => {
            let settings = profile::settings(variables("AWS_").collect())?;
            build!(AmazonS3Builder, AmazonS3ConfigKey, settings)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            build!(
                GoogleCloudStorageBuilder,
                GoogleConfigKey,
                variables("GOOGLE_")
            )
        }
        ObjectStoreScheme::MicrosoftAzure => {
            build!(MicrosoftAzureBuilder, AzureConfigKey, variables("AZURE_"))
        }
        other => {
            return Err(format!(
                "{other:?} is no object store; s3://, gs://, az:// and abfss:// are"
            ));
        }
    };
    Ok((store, prefix))
}

fn retry(patience: Duration) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 5,
        retry_timeout: patience,
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
