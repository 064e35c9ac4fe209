//! XIDs: identities as one word.

use xdm::Identity;

/// The XID of an identity: the hexadecimal digits of its namespace, in lower case, a zero byte and its id. The platform's own
/// are opaque, too, and come from its identity service.
#[must_use]
pub fn xid_of(identity: &Identity) -> String {
    let namespace = identity.namespace.to_ascii_lowercase();
    let bytes = namespace.bytes().chain([0]).chain(identity.id.bytes());
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// The identity of an XID; `None` where it is none that [`xid_of`] made.
#[must_use]
pub fn identity_of_xid(xid: &str) -> Option<Identity> {
    let digits = xid.as_bytes();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |pair: &[u8]| {
        let [high, low] = pair else { return None };
        u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
    };
    let bytes: Vec<u8> = digits.chunks(2).map(byte).collect::<Option<_>>()?;
    let text = String::from_utf8(bytes).ok()?;
    let (namespace, id) = text.split_once('\0')?;
    let is_whole = !namespace.is_empty() && !id.is_empty();
    is_whole.then(|| Identity {
        namespace: namespace.to_owned(),
        id: id.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_xid_is_its_identity_whatever_the_case_of_the_namespace() {
        let identity = |namespace: &str, id: &str| Identity {
            namespace: namespace.to_owned(),
            id: id.to_owned(),
        };
        let xid = xid_of(&identity("Email", "Änn@x.org"));
        assert!(xid.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(xid, xid_of(&identity("EMAIL", "Änn@x.org")));
        assert_eq!(identity_of_xid(&xid), Some(identity("email", "Änn@x.org")));
        for wrong in ["", "a", "zz", "61", "0061", "6100", "ff0061"] {
            assert_eq!(identity_of_xid(wrong), None, "{wrong}");
        }
    }
}
