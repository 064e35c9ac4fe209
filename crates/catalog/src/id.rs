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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_datasets_ids_and_differ() {
        let (a, b) = (new_id(), new_id());
        assert!(xdm::Dataset::is_id(&a) && xdm::Dataset::is_id(&b));
        assert_ne!(a, b);
    }
}
