use super::Node;

/// When something `occurs`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// `<= 3 days before now`.
    Within {
        /// `<=`.
        comparison: Comparison,
        /// `3`.
        count: Box<Node>,
        /// `days`.
        unit: Unit,
        /// `before`; `from` is `after`.
        side: Side,
        /// `now`.
        moment: Moment,
    },
    /// `before now`, `after now`.
    Beyond(Side, Moment),
    /// `last month`, `on date(2020, 3, 14)`.
    On(Moment),
    /// `between yesterday and tomorrow`.
    Between(Moment, Moment),
}

/// A point or a stretch of time in a [`Window`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// `now`.
    Now,
    /// `yesterday` is -1, `today` 0, `tomorrow` 1.
    Day(i8),
    /// `last month` is -1, `this month` 0, `next month` 1.
    Calendar(i8, Unit),
    /// A date, a timestamp, a field that holds one.
    Time(Box<Node>),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
}

/// Which way a [`Window`] looks from its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// `before`.
    Before,
    /// `after`, `from`.
    After,
}

/// A unit of time; from days on, calendar units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the units' names say it")]
pub enum Unit {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Decade,
    Century,
    Millennium,
}

impl Window {
    pub(super) fn for_each_child<'a>(&'a self, each: &mut dyn FnMut(&'a Node)) {
        let (count, moments) = match self {
            Self::Within { count, moment, .. } => (Some(count), [Some(moment), None]),
            Self::Beyond(_, moment) | Self::On(moment) => (None, [Some(moment), None]),
            Self::Between(from, to) => (None, [Some(from), Some(to)]),
        };
        if let Some(count) = count {
            each(count);
        }
        for moment in moments.into_iter().flatten() {
            if let Moment::Time(node) = moment {
                each(node);
            }
        }
    }
}

impl Comparison {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Equal, "="),
        (Self::NotEqual, "!="),
        (Self::Less, "<"),
        (Self::LessOrEqual, "<="),
        (Self::Greater, ">"),
        (Self::GreaterOrEqual, ">="),
    ];

    pub(crate) fn of_symbol(symbol: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(_, s)| *s == symbol)
            .map(|(comparison, _)| comparison)
    }

    /// As it is written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Unit {
    const ALL: [(Self, &'static str, &'static str); 11] = [
        (Self::Millisecond, "millisecond", "milliseconds"),
        (Self::Second, "second", "seconds"),
        (Self::Minute, "minute", "minutes"),
        (Self::Hour, "hour", "hours"),
        (Self::Day, "day", "days"),
        (Self::Week, "week", "weeks"),
        (Self::Month, "month", "months"),
        (Self::Year, "year", "years"),
        (Self::Decade, "decade", "decades"),
        (Self::Century, "century", "centuries"),
        (Self::Millennium, "millennium", "millennia"),
    ];

    /// The unit of a word, in the singular or the plural, without regard to case.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        // The regular plural is understood, too.
        if is("millenniums") {
            return Some(Self::Millennium);
        }
        Self::ALL
            .iter()
            .find(|(_, one, many)| is(one) || is(many))
            .map(|(unit, ..)| *unit)
    }

    /// The word for one of it.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.words().0
    }

    pub(crate) fn words(self) -> (&'static str, &'static str) {
        Self::ALL
            .iter()
            .find(|(unit, ..)| *unit == self)
            .map_or(("", ""), |(_, one, many)| (one, many))
    }

    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(_, one, _)| *one)
    }
}
