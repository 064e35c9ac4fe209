/// PQL's operators, functions and methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they are PQL's own names")]
pub enum Function {
    Or,
    And,
    Not,
    Negate,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Like,
    If,
    Date,
    CurrentMonth,
    CurrentYear,
    CurrentDayOfMonth,
    InSegment,
    MapEntry,
    StartsWith,
    DoesNotStartWith,
    EndsWith,
    DoesNotEndWith,
    Contains,
    DoesNotContain,
    Equals,
    NotEqualTo,
    Matches,
    RegexGroup,
    Intersects,
    Intersection,
    SubsetOf,
    SupersetOf,
    Includes,
    Distinct,
    GroupBy,
    Filter,
    Map,
    TopN,
    BottomN,
    Head,
    Exists,
    Count,
    Sum,
    Average,
    Min,
    Max,
    Get,
    Keys,
    Values,
    IsNull,
    IsNotNull,
    GetMonth,
    GetYear,
    GetDayOfMonth,
}

/// How tightly operators bind, from loose to tight.
pub(crate) mod level {
    pub(crate) const OR: u8 = 1;
    pub(crate) const AND: u8 = 2;
    pub(crate) const NOT: u8 = 3;
    pub(crate) const COMPARISON: u8 = 4;
    pub(crate) const SUM: u8 = 5;
    pub(crate) const PRODUCT: u8 = 6;
    pub(crate) const UNARY: u8 = 7;
    pub(crate) const POSTFIX: u8 = 8;
}

/// How a function is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Between its arguments, at a level.
    Infix(u8),
    /// Before its argument.
    Prefix(u8),
    /// `name(a, b)`.
    Free,
    /// `a.name(b)`.
    Method,
}

pub(crate) struct Signature {
    pub(crate) function: Function,
    /// The word or symbol, which is also the `fnName` in JSON.
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// The fewest and the most arguments, what a method is called on among them.
    pub(crate) arguments: (usize, usize),
    /// Whether the second argument is about the items of the first.
    pub(crate) about_items: bool,
}

const fn row(
    function: Function,
    name: &'static str,
    form: Form,
    least: usize,
    most: usize,
) -> Signature {
    Signature {
        function,
        name,
        form,
        arguments: (least, most),
        about_items: false,
    }
}

const fn items(function: Function, name: &'static str, least: usize, most: usize) -> Signature {
    Signature {
        function,
        name,
        form: Form::Method,
        arguments: (least, most),
        about_items: true,
    }
}

/// In the order of [`Function`].
#[rustfmt::skip]
const TABLE: [Signature; 61] = {
    use Form::{Free, Infix, Method, Prefix};
    use Function as F;
    [
        row(F::Or, "or", Infix(level::OR), 2, usize::MAX),
        row(F::And, "and", Infix(level::AND), 2, usize::MAX),
        row(F::Not, "not", Prefix(level::NOT), 1, 1),
        row(F::Negate, "negate", Prefix(level::UNARY), 1, 1),
        row(F::Add, "+", Infix(level::SUM), 2, 2),
        row(F::Subtract, "-", Infix(level::SUM), 2, 2),
        row(F::Multiply, "*", Infix(level::PRODUCT), 2, 2),
        row(F::Divide, "/", Infix(level::PRODUCT), 2, 2),
        row(F::Remainder, "%", Infix(level::PRODUCT), 2, 2),
        row(F::Equal, "=", Infix(level::COMPARISON), 2, 2),
        row(F::NotEqual, "!=", Infix(level::COMPARISON), 2, 2),
        row(F::Less, "<", Infix(level::COMPARISON), 2, 2),
        row(F::LessOrEqual, "<=", Infix(level::COMPARISON), 2, 2),
        row(F::Greater, ">", Infix(level::COMPARISON), 2, 2),
        row(F::GreaterOrEqual, ">=", Infix(level::COMPARISON), 2, 2),
        row(F::In, "in", Infix(level::COMPARISON), 2, 2),
        row(F::NotIn, "notIn", Infix(level::COMPARISON), 2, 2),
        row(F::Like, "like", Infix(level::COMPARISON), 2, 2),
        row(F::If, "if", Free, 3, 3),
        row(F::Date, "date", Free, 3, 3),
        row(F::CurrentMonth, "currentMonth", Free, 0, 0),
        row(F::CurrentYear, "currentYear", Free, 0, 0),
        row(F::CurrentDayOfMonth, "currentDayOfMonth", Free, 0, 0),
        row(F::InSegment, "inSegment", Free, 1, 1),
        row(F::MapEntry, "mapEntry", Free, 2, 2),
        row(F::StartsWith, "startsWith", Method, 2, 3),
        row(F::DoesNotStartWith, "doesNotStartWith", Method, 2, 3),
        row(F::EndsWith, "endsWith", Method, 2, 3),
        row(F::DoesNotEndWith, "doesNotEndWith", Method, 2, 3),
        row(F::Contains, "contains", Method, 2, 3),
        row(F::DoesNotContain, "doesNotContain", Method, 2, 3),
        row(F::Equals, "equals", Method, 2, 3),
        row(F::NotEqualTo, "notEqualTo", Method, 2, 3),
        row(F::Matches, "matches", Method, 2, 2),
        row(F::RegexGroup, "regexGroup", Method, 3, 3),
        row(F::Intersects, "intersects", Method, 2, 2),
        row(F::Intersection, "intersection", Method, 2, 2),
        row(F::SubsetOf, "subsetOf", Method, 2, 2),
        row(F::SupersetOf, "supersetOf", Method, 2, 2),
        row(F::Includes, "includes", Method, 2, 2),
        row(F::Distinct, "distinct", Method, 1, 1),
        items(F::GroupBy, "groupBy", 2, 2),
        items(F::Filter, "filter", 2, 2),
        items(F::Map, "map", 2, 2),
        items(F::TopN, "topN", 3, 3),
        items(F::BottomN, "bottomN", 3, 3),
        row(F::Head, "head", Method, 1, 1),
        items(F::Exists, "exists", 2, 2),
        row(F::Count, "count", Method, 1, 1),
        items(F::Sum, "sum", 1, 2),
        items(F::Average, "average", 1, 2),
        items(F::Min, "min", 1, 2),
        items(F::Max, "max", 1, 2),
        row(F::Get, "get", Method, 2, 2),
        row(F::Keys, "keys", Method, 1, 1),
        row(F::Values, "values", Method, 1, 1),
        row(F::IsNull, "isNull", Method, 1, 1),
        row(F::IsNotNull, "isNotNull", Method, 1, 1),
        row(F::GetMonth, "getMonth", Method, 1, 1),
        row(F::GetYear, "getYear", Method, 1, 1),
        row(F::GetDayOfMonth, "getDayOfMonth", Method, 1, 1),
    ]
};

/// What the table would say of a function that is missing in it, which the tests rule out.
const NO_SIGNATURE: Signature = row(Function::Not, "", Form::Free, 0, 0);

impl Function {
    pub(crate) fn signature(self) -> &'static Signature {
        TABLE.get(self as usize).unwrap_or(&NO_SIGNATURE)
    }

    /// The word or symbol: what a text has for it (except for `Filter`, `[…]`, and `Negate`, `-`), and a JSON
    /// node as its `fnName`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.signature().name
    }

    /// The function of a name that is called with brackets, without regard to case.
    pub(crate) fn called(name: &str, form: Form) -> Option<Self> {
        TABLE
            .iter()
            .find(|s| s.form == form && s.name.eq_ignore_ascii_case(name))
            .map(|s| s.function)
    }

    /// The function of a `fnName`.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        TABLE
            .iter()
            .find(|s| s.name.eq_ignore_ascii_case(name))
            .map(|s| s.function)
    }

    pub(crate) fn is_aggregate(self) -> bool {
        matches!(self, Self::Sum | Self::Average | Self::Min | Self::Max)
    }

    pub(crate) fn names(form: Option<Form>) -> impl Iterator<Item = &'static str> {
        TABLE
            .iter()
            .filter(move |s| form.is_none_or(|form| s.form == form))
            .map(|s| s.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_functions() {
        for (at, signature) in TABLE.iter().enumerate() {
            assert_eq!(signature.function as usize, at, "{}", signature.name);
        }
        assert_eq!(Function::GetDayOfMonth as usize + 1, TABLE.len());
    }
}
