//! Another door than HTTP to the same store: the same organisations and sandboxes, the same tokens, the same rights.

use std::path::Path;
use std::sync::Arc;

use profile_export::store::{Scope, Store, StoreError};

use crate::server::ServerError;
use crate::stores::Stores;
use crate::token_file::{LOOK, TokenFile};
use crate::tokens::Rights;

/// Who may come in, and to what.
#[derive(Clone)]
pub struct Gate {
    stores: Arc<Stores>,
    tokens: Option<Arc<TokenFile>>,
}

/// Somebody who may come in.
pub struct Admitted {
    /// The part of the store that is theirs.
    pub store: Arc<Store>,
    /// What they may do with it.
    pub rights: Rights,
}

/// Why somebody may not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// No token of the file is this one.
    #[error("unknown token")]
    UnknownToken,
    /// The organisation isn't one of the token's.
    #[error("this token is not for organisation {0:?}")]
    Organisation(String),
    /// The sandbox isn't one of the token's.
    #[error("this token is not for sandbox {0:?}")]
    Sandbox(String),
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Gate {
    /// A door of its own to a store, beside which no server need run.
    ///
    /// # Errors
    /// The store can't be opened, the token file can't be used.
    pub fn open(store: &Path, token_file: Option<&Path>) -> Result<Self, ServerError> {
        let stores = Arc::new(Stores::new(store.to_owned()));
        stores.any()?;
        let tokens = token_file.map(TokenFile::open).transpose()?.map(Arc::new);
        Ok(Self { stores, tokens })
    }

    pub(crate) fn of(stores: Arc<Stores>, tokens: Option<Arc<TokenFile>>) -> Self {
        Self { stores, tokens }
    }

    /// Whether everybody on this machine may come in.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.tokens.is_none()
    }

    /// Lets in who has a token for an organisation and a sandbox; where there is no token file, everybody. The file is
    /// as it was when it was last read: ask again for each piece of work.
    ///
    /// # Errors
    /// The token isn't known, or not for these; the store can't be opened.
    pub fn admit(&self, scope: &Scope, token: &str) -> Result<Admitted, Denied> {
        let rights = match &self.tokens {
            None => Rights::Write,
            Some(file) => {
                let tokens = file.tokens();
                let token = tokens.find(token).ok_or(Denied::UnknownToken)?;
                token.check(scope)?;
                token.rights
            }
        };
        let store = self.stores.get(scope)?;
        Ok(Admitted { store, rights })
    }

    /// Looks for changes of the token file for good. A door that a server made needs it not: the server looks.
    pub async fn watch<T>(&self) -> T {
        let Some(file) = &self.tokens else {
            return std::future::pending().await;
        };
        let mut is_told = false;
        loop {
            tokio::time::sleep(LOOK).await;
            let file = Arc::clone(file);
            let looked = tokio::task::spawn_blocking(move || file.refresh()).await;
            match looked {
                Ok(Ok(changed)) => {
                    is_told = false;
                    if changed {
                        tracing::info!("the token file was changed and is read anew");
                    }
                }
                Ok(Err(error)) if !is_told => {
                    tracing::warn!(%error, "the token file can't be read; who could come in still can");
                    is_told = true;
                }
                Ok(Err(_)) => {}
                Err(panic) => tracing::error!(%panic, "reading the token file broke off"),
            }
        }
    }
}

/// How long a name of an organisation or a sandbox may be, in bytes.
pub const LONGEST_NAME: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::{NewToken, Tokens};

    fn scope(org: &str, sandbox: &str) -> Scope {
        Scope {
            org: org.to_owned(),
            sandbox: sandbox.to_owned(),
        }
    }

    #[test]
    fn a_token_lets_into_its_organisations_and_sandboxes_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("tokens.json");
        let new = NewToken {
            name: "one".to_owned(),
            org: "acme".to_owned(),
            sandbox: "prod".to_owned(),
            rights: Rights::Read,
        };
        let token = Tokens::create(&file, new).expect("a token");
        let store = folder.path().join("store");
        let gate = Gate::open(&store, Some(&file)).expect("a gate");
        assert!(!gate.is_open());
        let admitted = gate.admit(&scope("acme", "prod"), &token).expect("let in");
        assert_eq!(admitted.rights, Rights::Read);
        let denied = |org, sandbox, token: &str| {
            let admitted = gate.admit(&scope(org, sandbox), token);
            admitted.err().map(|denied| denied.to_string())
        };
        assert_eq!(
            denied("acme", "prod", "pe_guess").as_deref(),
            Some("unknown token")
        );
        let told = denied("other", "prod", &token).expect("denied");
        assert!(told.contains("organisation \"other\""), "{told}");
        let told = denied("acme", "dev", &token).expect("denied");
        assert!(told.contains("sandbox \"dev\""), "{told}");
    }

    #[test]
    fn without_a_file_everybody_comes_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let gate = Gate::open(folder.path(), None).expect("a gate");
        assert!(gate.is_open());
        let admitted = gate.admit(&scope("any", "any"), "").expect("let in");
        assert_eq!(admitted.rights, Rights::Write);
    }
}
