//! XIDs: identities as one word.

use xdm::Identity;

/// The XID of an identity: the hexadecimal digits of its namespace, in lower case, a zero byte and its id. The platform's own
/// are opaque, too, and come from its identity service.
#[must_use]
pub fn xid_of(identity: &Identity) -> String {
    let namespace = identity.namespace.to_ascii_lowercase();
    hex::encode([namespace.as_bytes(), &[0], identity.id.as_bytes()].concat())
}

/// The identity of an XID; `None` where it is none that [`xid_of`] made.
#[must_use]
pub fn identity_of_xid(xid: &str) -> Option<Identity> {
    let text = String::from_utf8(hex::decode(xid).ok()?).ok()?;
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
