//! Which calls go wrong, and how.

use crate::faults::is_deep;
use crate::shim::{Call, Class, Errno, Fault, What, count};

/// All that a call can meet. To be interrupted again and again is not among them: that is waited out,
/// as it must be.
const DEEDS: [(What, bool); 9] = [
    (What::Fails(Errno::Eio), false),
    (What::KilledAfter, false),
    ALL_FAIL,
    (What::Fails(Errno::Emfile), false),
    (What::KilledBefore, false),
    (What::Fails(Errno::Eacces), false),
    (What::Fails(Errno::Enospc), true),
    (What::Fails(Errno::Enospc), false),
    (What::Fails(Errno::Eintr), false),
];
const ALL_FAIL: (What, bool) = (What::Fails(Errno::Eio), true);

/// No write does all that it is asked for, and the rest is asked for again.
const EACH_WRITE_SHORT: Fault = Fault {
    class: Class::Write,
    number: 1,
    what: What::Short,
    and_all_later: true,
};

/// How many calls of a class an ordinary test run breaks.
const SOME: u64 = 8;
/// The same for what takes long.
const FEW: u64 = 2;

/// The faults of an operation that made these calls: each call with each deed where deep tests are asked
/// for, else some of each class that are always the same.
pub fn faults(calls: &[Call]) -> Vec<Fault> {
    let mut faults = vec![EACH_WRITE_SHORT];
    if !is_deep() {
        faults.extend(picked(calls, SOME));
        return faults;
    }
    for class in Class::ALL {
        for number in 1..=count(calls, class) {
            let deeds = DEEDS.into_iter().chain([(What::Short, false)]);
            faults.extend(deeds.filter_map(|deed| fault(class, number, deed)));
        }
    }
    faults
}

/// The same for what takes long: each call with one deed where deep tests are asked for.
pub fn some_faults(calls: &[Call]) -> Vec<Fault> {
    picked(calls, if is_deep() { u64::MAX } else { FEW })
}

/// At the most so many calls of each class, each with another deed.
fn picked(calls: &[Call], most: u64) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (at, class) in Class::ALL.into_iter().enumerate() {
        let n = count(calls, class);
        let most = most.min(n);
        // Classes do not begin with the same deed.
        let mut deeds = DEEDS.into_iter().cycle().skip(at * 2);
        for k in 0..most {
            // The middle of each part: the first and the last calls are those of opening and closing.
            let number = (2 * k + 1) * n / (2 * most) + 1;
            faults.extend(deeds.find_map(|deed| fault(class, number.min(n), deed)));
        }
        if matches!(class, Class::Sync | Class::Write | Class::Unlink) {
            // The end of a commit, after which nothing can be written or removed any more.
            let last = (0..most.min(SOME)).map(|k| n - k);
            faults.extend(last.filter_map(|number| fault(class, number, ALL_FAIL)));
        }
    }
    faults
}

/// A kill beside a call that only looks is the one beside the call before.
fn fault(class: Class, number: u64, (what, and_all_later): (What, bool)) -> Option<Fault> {
    let is_other = match what {
        What::Fails(_) => true,
        What::KilledBefore | What::KilledAfter => class.changes_the_disk(),
        What::Short => class == Class::Write,
        What::Stopped => false,
    };
    is_other.then_some(Fault {
        class,
        number,
        what,
        and_all_later,
    })
}
