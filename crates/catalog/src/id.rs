use xdm::Timestamp;

/// A new ID of 24 lower-case hex digits: the time in milliseconds, then randomness.
///
/// # Panics
/// The system has no randomness to give.
#[must_use]
pub fn new_id() -> String {
    let millis = Timestamp::now().millis() & 0xfff_ffff_ffff;
    let random = getrandom::u64().expect("randomness of the system");
    format!("{millis:011x}{:013x}", random >> 12)
}

/// A new random UUID (version 4), in its usual form.
///
/// # Panics
/// The system has no randomness to give.
#[must_use]
pub fn new_uuid() -> String {
    let random = || u128::from(getrandom::u64().expect("randomness of the system"));
    let mut bits = random() << 64 | random();
    bits = bits & !(0xf << 76) | 4 << 76;
    bits = bits & !(0b11 << 62) | 0b10 << 62;
    let hex = format!("{bits:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &hex[part]);
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_datasets_ids_and_differ() {
        let (a, b) = (new_id(), new_id());
        assert!(xdm::Dataset::is_id(&a) && xdm::Dataset::is_id(&b));
        assert_ne!(a, b);
    }

    #[test]
    fn uuids_are_of_version_4_and_differ() {
        let (a, b) = (new_uuid(), new_uuid());
        assert_ne!(a, b);
        for id in [a, b] {
            let lengths: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(&id[14..15], "4", "{id}");
            assert!(["8", "9", "a", "b"].contains(&&id[19..20]), "{id}");
        }
    }
}
