//! What the texts of a column are beside texts.

use xdm::{FieldType, Timestamp, parse_date};

use crate::selection::ColumnTerms;

/// A column of text that no schema declares may turn out to be one of dates or date-times.
#[derive(Clone, Copy)]
pub(crate) enum TextForm {
    /// Text for good: [`FieldType::String`].
    Declared,
    /// [`FieldType::Text`].
    Undeclared { date_times: bool, dates: bool },
}

impl TextForm {
    pub(crate) fn field_type(self) -> FieldType {
        match self {
            Self::Declared => FieldType::String,
            Self::Undeclared { date_times, dates } => FieldType::Text { date_times, dates },
        }
    }

    /// Takes note of another value.
    #[inline]
    pub(crate) fn note(&mut self, text: &str, terms: &ColumnTerms) {
        if let Self::Undeclared { date_times, dates } = self
            && (*date_times || *dates)
        {
            Self::look(text, date_times, dates, terms);
        }
    }

    #[inline(never)]
    fn look(text: &str, date_times: &mut bool, dates: &mut bool, terms: &ColumnTerms) {
        let before = (*date_times, *dates);
        *date_times = *date_times && Timestamp::parse(text).is_some();
        *dates = *dates && parse_date(text).is_some();
        if before != (*date_times, *dates) {
            terms.grow();
        }
    }

    pub(crate) fn is_declared(self) -> bool {
        matches!(self, Self::Declared)
    }

    pub(crate) fn are_date_times(self) -> bool {
        matches!(
            self,
            Self::Undeclared {
                date_times: true,
                ..
            }
        )
    }

    pub(crate) fn are_dates(self) -> bool {
        matches!(self, Self::Undeclared { dates: true, .. })
    }
}
