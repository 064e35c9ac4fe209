//! Who may come in: a file of tokens, each kept as a digest.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hex::FromHex;
use profile_export::store::Scope;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use store::FileLock;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::gate::Denied;

/// What a token's holder may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rights {
    /// See.
    Read,
    /// See, create, change and delete.
    Write,
}

/// A token as its file has it. Tokens are 256 random bits, so a plain digest of one tells nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Token {
    /// What people call it.
    pub(crate) name: String,
    /// SHA-256 of the token's text; in the file, 64 hex digits.
    #[serde(serialize_with = "hex::serialize", deserialize_with = "digest")]
    sha256: [u8; 32],
    /// The organisations that it is good for; `*` is all.
    organisations: Vec<String>,
    /// The sandboxes that it is good for; `*` is all.
    sandboxes: Vec<String>,
    /// What its holder may do.
    pub(crate) rights: Rights,
}

impl Token {
    pub(crate) fn is_for_org(&self, org: &str) -> bool {
        self.organisations.iter().any(|o| o == "*" || o == org)
    }

    /// Whether it is good for both.
    pub(crate) fn check(&self, scope: &Scope) -> Result<(), Denied> {
        if !self.is_for_org(&scope.org) {
            return Err(Denied::Organisation(scope.org.clone()));
        }
        if !self.is_for_sandbox(&scope.sandbox) {
            return Err(Denied::Sandbox(scope.sandbox.clone()));
        }
        Ok(())
    }

    pub(crate) fn is_for_sandbox(&self, sandbox: &str) -> bool {
        self.sandboxes.iter().any(|s| s == "*" || s == sandbox)
    }
}

/// Why a file of tokens can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct TokenError {
    path: PathBuf,
    problem: String,
}

impl TokenError {
    pub(crate) fn new(path: &Path, problem: String) -> Self {
        let path = path.to_owned();
        Self { path, problem }
    }
}

/// A file of tokens.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    tokens: Vec<Token>,
}

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What people call it; unique in its file.
    pub name: String,
    /// The organisation that it is good for; `*` is all.
    pub org: String,
    /// The sandbox that it is good for; `*` is all.
    pub sandbox: String,
    /// What its holder may do.
    pub rights: Rights,
}

impl Tokens {
    /// Reads a file: a JSON list of `{name, sha256, organisations, sandboxes, rights}`.
    ///
    /// # Errors
    /// The file can't be read or says something else.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let refuse = |problem: String| TokenError::new(path, problem);
        let text = fs::read(path).map_err(|e| refuse(e.to_string()))?;
        let tokens: Vec<Token> = export::read_json(&text).map_err(|e| refuse(e.to_string()))?;
        Ok(Self { tokens })
    }

    /// Makes a token and adds it to a file, which is made where it is missing; returns its text, which
    /// is kept nowhere. Several may be made at once: each waits for those before it.
    ///
    /// # Errors
    /// The file can't be read or written, the name is taken.
    pub fn create(path: &Path, new: NewToken) -> Result<String, TokenError> {
        let lock_path = path.with_added_extension("lock");
        let lock = FileLock::acquire(&lock_path).map_err(|e| TokenError {
            path: lock_path,
            problem: e.to_string(),
        })?;
        let made = Self::add(path, new);
        // A lock that can't be deleted is the next one's.
        let _ = lock.remove();
        made
    }

    /// Adds a token to a file that nobody else changes meanwhile.
    fn add(path: &Path, new: NewToken) -> Result<String, TokenError> {
        let refuse = |problem: String| TokenError {
            path: path.to_owned(),
            problem,
        };
        let mut tokens = match path.try_exists().map_err(|e| refuse(e.to_string()))? {
            true => Self::read(path)?.tokens,
            false => Vec::new(),
        };
        if tokens.iter().any(|token| token.name == new.name) {
            return Err(refuse(format!("there is a token {:?} already", new.name)));
        }
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|e| refuse(e.to_string()))?;
        let text = format!("pe_{}", hex::encode(random));
        tokens.push(Token {
            name: new.name,
            sha256: Sha256::digest(text.as_bytes()).into(),
            organisations: vec![new.org],
            sandboxes: vec![new.sandbox],
            rights: new.rights,
        });
        write(path, &tokens).map_err(|e| refuse(e.to_string()))?;
        Ok(text)
    }

    /// The token with this text. Takes the same time whichever it is and whether it is there.
    pub(crate) fn find(&self, text: &str) -> Option<&Token> {
        let digest = Sha256::digest(text.as_bytes());
        let mut found = u64::MAX;
        for (i, token) in self.tokens.iter().enumerate() {
            let is_it: Choice = digest.as_slice().ct_eq(&token.sha256);
            found.conditional_assign(&(i as u64), is_it);
        }
        self.tokens.get(usize::try_from(found).ok()?)
    }
}

/// Replaces the file as a whole; only its owner may read it.
fn write(path: &Path, tokens: &[Token]) -> io::Result<()> {
    let aside = path.with_added_extension(catalog::new_id());
    let written = write_aside(&aside, tokens).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        // Where it was made at all.
        let _ = fs::remove_file(&aside);
    }
    written
}

fn write_aside(aside: &Path, tokens: &[Token]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(aside)?;
    serde_json::to_writer_pretty(&mut file, tokens)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// A digest from its hex digits, in either case.
fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(deserializer)?;
    let digest = FromHex::from_hex(&text);
    digest.map_err(|_| D::Error::custom(format!("found {text:?}; expected 64 hex digits")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_token(name: &str, rights: Rights) -> NewToken {
        NewToken {
            name: name.to_owned(),
            org: "acme".to_owned(),
            sandbox: "*".to_owned(),
            rights,
        }
    }

    #[test]
    fn tokens_that_are_made_at_once_all_come_in_or_say_whose_name_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens.json");
        let make = |name: &str| Tokens::create(&path, new_token(name, Rights::Read));
        let made: Vec<_> = std::thread::scope(|scope| {
            let names = (0..16).map(|i| format!("token {}", i / 2));
            let threads: Vec<_> = names.map(|name| scope.spawn(move || make(&name))).collect();
            let made = threads.into_iter().map(|thread| thread.join());
            made.map(|made| made.expect("no panic")).collect()
        });
        let tokens = Tokens::read(&path).expect("the file");
        assert_eq!(tokens.tokens.len(), 8);
        for (i, made) in made.iter().enumerate() {
            match made {
                Ok(text) => assert!(tokens.find(text).is_some()),
                Err(taken) => {
                    let wanted = format!("there is a token \"token {}\" already", i / 2);
                    assert!(taken.to_string().contains(&wanted), "{taken}");
                }
            }
        }
        assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 8);
        let left: Vec<_> = fs::read_dir(folder.path()).expect("the folder").collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn a_file_that_cannot_be_looked_for_is_not_taken_for_a_missing_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens.json");
        std::os::unix::fs::symlink("tokens.json", &path).expect("a link to itself");
        let refused = Tokens::create(&path, new_token("first", Rights::Read));
        let refused = refused.expect_err("a loop").to_string();
        assert!(refused.contains("links"), "{refused}");
        assert!(path.is_symlink());
    }

    #[test]
    fn a_token_is_found_by_its_text_and_by_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens.json");
        let make = |name: &str, rights| Tokens::create(&path, new_token(name, rights));
        let first = make("first", Rights::Read).expect("a token");
        let second = make("second", Rights::Write).expect("a token");
        make("second", Rights::Read).expect_err("the name is taken");
        let tokens = Tokens::read(&path).expect("the file");
        let file = fs::read_to_string(&path).expect("the file");
        assert!(!file.contains(&first) && !file.contains(&second));
        let found = tokens.find(&second).expect("the second");
        assert_eq!(
            (found.name.as_str(), found.rights),
            ("second", Rights::Write)
        );
        assert!(found.is_for_org("acme") && found.is_for_sandbox("prod"));
        assert!(!found.is_for_org("other"));
        assert_eq!(tokens.find(&first).map(|t| t.rights), Some(Rights::Read));
        assert!(tokens.find("pe_guess").is_none() && tokens.find("").is_none());
    }

    #[test]
    fn a_digest_is_written_in_lower_case_and_read_in_either() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens.json");
        let write = |sha256: &str| {
            let token = serde_json::json!([{
                "name": "by hand",
                "sha256": sha256,
                "organisations": ["acme"],
                "sandboxes": ["prod"],
                "rights": "read",
            }]);
            fs::write(&path, token.to_string()).expect("written");
        };
        let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        for digits in [digest.to_owned(), digest.to_uppercase()] {
            write(&digits);
            let tokens = Tokens::read(&path).expect("the file");
            assert!(tokens.find("test").is_some());
            let written = serde_json::to_value(&tokens.tokens).expect("JSON");
            assert_eq!(written[0]["sha256"], digest);
        }
        for wrong in [&digest[1..], &digest.replace('9', "x"), ""] {
            write(wrong);
            let refused = Tokens::read(&path).expect_err("no digest").to_string();
            assert!(refused.contains("sha256"), "{refused}");
            assert!(refused.contains("expected 64 hex digits"), "{refused}");
        }
    }
}
