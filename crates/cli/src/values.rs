//! The values of arguments, from their words.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use profile_export::platform::{check_local, is_bucket};
use profile_export::request::SinceJob;
use profile_export::store::BadRecordLimit;
use profile_export::xdm::Identity;

/// A folder of this machine, not an address that only looks like one.
pub fn local_folder() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| check_local(&path).map(|()| path))
}

/// What `export --out` takes: a file of any name, a folder, an address in a bucket, `-`.
pub fn output() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path.as_os_str() == "-" || is_bucket(&path) {
        true => Ok(path),
        false => check_local(&path).map(|()| path),
    })
}

/// An address and a port; of a name with several addresses an IPv4 one, as clients try it.
pub fn socket_address(text: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs().map_err(|e| e.to_string())?;
    let found: Vec<SocketAddr> = found.collect();
    let first = found
        .iter()
        .find(|address| address.is_ipv4())
        .or(found.first());
    first
        .copied()
        .ok_or_else(|| "no address of that name".to_owned())
}

/// A character of one byte, or the word for one that shells don't pass on easily.
pub fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [one] if one.is_ascii() && !b"\"\r\n".contains(one) => Ok(*one),
        _ => Err(
            "expected one ASCII character that is no quote and no end of a line, or tab".to_owned(),
        ),
    }
}

/// A namespace and an id, which may have colons.
pub fn identity(text: &str) -> Result<Identity, String> {
    match text.split_once(':') {
        Some((namespace, id)) if !namespace.is_empty() && !id.is_empty() => Ok(Identity {
            namespace: namespace.to_owned(),
            id: id.to_owned(),
        }),
        _ => Err("expected NAMESPACE:ID, such as Email:ann@example.com".to_owned()),
    }
}

/// Two words with = between.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((path, name)) if !path.is_empty() && !name.is_empty() => {
            Ok((path.to_owned(), name.to_owned()))
        }
        _ => Err("expected PATH=NAME".to_owned()),
    }
}

/// A number of records, or a percentage.
pub fn bad_record_limit(text: &str) -> Result<BadRecordLimit, String> {
    let wrong = || "expected a number of records, or a percentage such as 5%".to_owned();
    match text.strip_suffix('%') {
        Some(percent) => match percent.parse() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(BadRecordLimit::Percent(percent)),
            _ => Err(wrong()),
        },
        None => text
            .parse()
            .map(BadRecordLimit::Records)
            .map_err(|_| wrong()),
    }
}

/// Rights that others than the owner do not get, in octal digits.
pub fn umask(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        // Without rights of their own, owners could not read what they wrote.
        Ok(mode) if mode <= 0o077 && !text.starts_with('+') => Ok(mode),
        _ => Err("expected three octal digits of which the first is 0, such as 027".to_owned()),
    }
}
/// `last`, or the ID of a job.
pub fn since_job(text: &str) -> Result<SinceJob, String> {
    let expected = || format!("found {text:?}; allowed is last, or the ID of a job");
    SinceJob::parse(text).ok_or_else(expected)
}
