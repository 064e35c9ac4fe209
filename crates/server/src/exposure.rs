//! Which addresses a door may have, whatever is spoken at it.

use std::net::SocketAddr;

/// Why an address that other machines reach is not listened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exposed {
    /// Nobody would have to sign in.
    #[error(
        "{0} can be reached from other machines: give a token file (profile-export tokens create), or \
         listen on 127.0.0.1"
    )]
    Open(SocketAddr),
    /// Tokens and data would cross the network for everybody to read.
    #[error(
        "{0} can be reached from other machines, and tokens and data would cross the network in the clear: listen \
         on 127.0.0.1, speak TLS with --sql-tls-cert and --sql-tls-key, or say --sql-allow-clear-text"
    )]
    Clear(SocketAddr),
}

/// How a door is kept.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    /// Whether everybody may come in.
    pub is_open: bool,
    /// Whether TLS is spoken.
    pub has_tls: bool,
    /// Whether other machines may come in without, as somebody wished.
    pub allow_clear_text: bool,
}

impl Door {
    /// Whether an address may be listened on.
    ///
    /// # Errors
    /// Other machines reach it, and it is not kept well enough for that.
    pub fn check(self, address: SocketAddr) -> Result<(), Exposed> {
        if address.ip().is_loopback() {
            return Ok(());
        }
        match self {
            Self { is_open: true, .. } => Err(Exposed::Open(address)),
            Self { has_tls: true, .. } => Ok(()),
            Self {
                allow_clear_text: true,
                ..
            } => {
                tracing::warn!(
                    %address,
                    "other machines reach this address without TLS: tokens and data cross the network in the clear \
                     (docs/tls.md)"
                );
                Ok(())
            }
            _ => Err(Exposed::Clear(address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_a_door_asks_for_tokens_and_for_tls_or_a_wish() {
        let door = |is_open, has_tls, allow_clear_text| Door {
            is_open,
            has_tls,
            allow_clear_text,
        };
        let here = SocketAddr::from(([127, 0, 0, 1], 1));
        let there = SocketAddr::from(([0, 0, 0, 0], 1));
        for tls in [false, true] {
            for wish in [false, true] {
                assert_eq!(door(true, tls, wish).check(here), Ok(()));
                assert_eq!(
                    door(true, tls, wish).check(there),
                    Err(Exposed::Open(there))
                );
                let wanted = match tls || wish {
                    true => Ok(()),
                    false => Err(Exposed::Clear(there)),
                };
                assert_eq!(door(false, tls, wish).check(there), wanted);
            }
        }
    }
}
