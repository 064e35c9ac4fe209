//! Under which name a client thinks that it speaks to the server.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, header};
use headers::{HeaderMapExt, Host};

use crate::problem::{Answer, Problem};

/// Whether a request is for localhost or a loopback address.
///
/// # Errors
/// It names two hosts: what stands in front may have looked at the other one.
pub(crate) fn is_local(headers: &HeaderMap) -> Answer<bool> {
    if headers.get_all(header::HOST).iter().nth(1).is_some() {
        return Err(Problem::bad_request(
            "Host: found more than one; a request names one",
        ));
    }
    Ok(headers
        .typed_get::<Host>()
        .is_some_and(|host| has_only_a_port_besides(&host) && is_loopback(host.hostname())))
}

/// Whether a host is its name and perhaps a port. The parser takes what it knows and lets the rest be:
/// `[::1]elsewhere.example` has the name `[::1]`, and so has `user@[::1]`.
fn has_only_a_port_besides(host: &Host) -> bool {
    let whole = host.to_string();
    match whole.strip_prefix(host.hostname()) {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit())),
        None => false,
    }
}

fn is_loopback(name: &str) -> bool {
    let bracketed = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    match bracketed {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback()),
        None => {
            name.eq_ignore_ascii_case("localhost")
                || name.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn is_local_host(host: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        is_local(&headers).expect("one host")
    }

    #[test]
    fn loopback_names_are_local_with_and_without_a_port() {
        for host in [
            "localhost",
            "LocalHost:8080",
            "127.0.0.1",
            "127.1.2.3:80",
            "[::1]",
            "[::1]:8080",
            "localhost:",
        ] {
            assert!(is_local_host(host), "{host}");
        }
    }

    #[test]
    fn names_that_only_begin_or_end_like_local_ones_are_not_local() {
        for host in [
            "",
            "elsewhere.example",
            "[::1]elsewhere.example",
            "[::1]elsewhere.example:80",
            "localhost.elsewhere.example",
            "localhost:elsewhere.example",
            "127.0.0.1.elsewhere.example",
            "elsewhere.example@localhost",
            "localhost@elsewhere.example",
            "[127.0.0.1]",
            "[localhost]",
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
        ] {
            assert!(!is_local_host(host), "{host}");
        }
    }

    #[test]
    fn two_hosts_are_refused_and_none_is_not_local() {
        let mut headers = HeaderMap::new();
        assert!(!is_local(&headers).expect("no host"));
        let local = HeaderValue::from_static("localhost");
        headers.append(header::HOST, local.clone());
        headers.append(header::HOST, local);
        is_local(&headers).expect_err("two hosts");
    }
}
