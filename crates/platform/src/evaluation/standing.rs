//! From one evaluation to the next: what a person's membership of a segment becomes.

use membership::Status;
use xdm::Timestamp;

/// What a membership says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) status: Status,
    /// When the person entered the segment, or left it.
    pub(super) qualified: Option<Timestamp>,
}

/// How long somebody who left is still known to have done so: 30 days, in microseconds.
const GONE_AFTER: i64 = 30 * 24 * 60 * 60 * 1_000_000;

impl Standing {
    /// Whether it is one of somebody who is in.
    pub(super) fn is_in(self) -> bool {
        matches!(self.status, Status::Realized | Status::Existing)
    }

    /// Whether it is of somebody who left so long before `now` that nobody needs to know.
    fn is_gone(self, now: Timestamp) -> bool {
        let left = self.qualified.filter(|_| self.status == Status::Exited);
        left.is_some_and(|left| now.micros().saturating_sub(left.micros()) > GONE_AFTER)
    }

    /// What earlier evaluations said of several persons who are one profile now: in, if one of them was, by the latest
    /// that says so.
    pub(super) fn of_all(all: impl Iterator<Item = Self>) -> Option<Self> {
        all.max_by_key(|one| (one.is_in(), one.qualified))
    }
}

/// The membership behind an evaluation at `now`: of somebody who is in the segment or not, for whom earlier evaluations
/// said `own` and data `brought`. `None` is no evaluated membership: what data brought stands, if it did.
pub(super) fn after(
    own: Option<Standing>,
    brought: Option<Standing>,
    is_in: bool,
    now: Timestamp,
) -> Option<Standing> {
    let was_in = own.or(brought).filter(|before| before.is_in());
    let at_now = |status| Standing {
        status,
        qualified: Some(now),
    };
    match (is_in, was_in) {
        (true, Some(before)) => Some(Standing {
            status: Status::Existing,
            qualified: before.qualified,
        }),
        (true, None) => Some(at_now(Status::Realized)),
        (false, Some(_)) => Some(at_now(Status::Exited)),
        // What somebody left long ago goes, unless data would say again that they are in.
        (false, None) => own.filter(|own| brought.is_some() || !own.is_gone(now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_micros(day * 24 * 60 * 60 * 1_000_000)
    }

    fn standing(status: Status, day: i64) -> Option<Standing> {
        Some(Standing {
            status,
            qualified: Some(at(day)),
        })
    }

    #[test]
    fn who_enters_is_realized_who_stays_existing_and_who_leaves_exited() {
        use Status::{Existing, Exited, Other, Realized};
        let day = |before, is_in| after(before, None, is_in, at(9));
        assert_eq!(day(None, true), standing(Realized, 9));
        assert_eq!(day(standing(Exited, 1), true), standing(Realized, 9));
        assert_eq!(day(standing(Realized, 1), true), standing(Existing, 1));
        assert_eq!(day(standing(Existing, 1), true), standing(Existing, 1));
        assert_eq!(day(standing(Realized, 1), false), standing(Exited, 9));
        assert_eq!(day(standing(Existing, 1), false), standing(Exited, 9));
        assert_eq!(day(standing(Exited, 1), false), standing(Exited, 1));
        assert_eq!(day(None, false), None);
        assert_eq!(day(standing(Other, 1), true), standing(Realized, 9));
    }

    #[test]
    fn an_exit_is_known_for_thirty_days() {
        let exited = standing(Status::Exited, 1);
        assert_eq!(after(exited, None, false, at(31)), exited);
        let later = Timestamp::from_micros(at(31).micros() + 1);
        assert_eq!(after(exited, None, false, later), None);
        // Else the person would be in again, by what data says.
        let brought = standing(Status::Realized, 0);
        assert_eq!(after(exited, brought, false, later), exited);
    }

    #[test]
    fn what_data_brought_counts_until_something_is_evaluated() {
        let (realized, exited) = (standing(Status::Realized, 1), standing(Status::Exited, 2));
        assert_eq!(
            after(None, realized, true, at(9)),
            standing(Status::Existing, 1)
        );
        assert_eq!(
            after(None, realized, false, at(9)),
            standing(Status::Exited, 9)
        );
        assert_eq!(after(None, exited, false, at(9)), None);
        assert_eq!(
            after(exited, realized, true, at(9)),
            standing(Status::Realized, 9)
        );
    }

    #[test]
    fn of_persons_who_become_one_profile_one_who_is_in_counts() {
        let (was_in, left) = (standing(Status::Existing, 1), standing(Status::Exited, 5));
        let of = |all: [Option<Standing>; 2]| Standing::of_all(all.into_iter().flatten());
        assert_eq!(of([was_in, left]), was_in);
        assert_eq!(
            of([left, standing(Status::Exited, 7)]),
            standing(Status::Exited, 7)
        );
        assert_eq!(of([None, None]), None);
    }
}
