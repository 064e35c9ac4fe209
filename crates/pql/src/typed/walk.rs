use super::{Condition, Moment, Term, Test, Value, Window};

/// A part right below another one.
pub(super) enum Below<V, C> {
    Value(V),
    Condition(C),
}

/// The walks over shared and over mutable parts are one text: each part right below, with how many scopes it adds.
macro_rules! walks {
    ($module:ident, $iter:ident, $($mutable:tt)?) => {
        mod $module {
            use super::*;

            type Visit<'v, 'a> = &'v mut dyn FnMut(Below<&'a $($mutable)? Value, &'a $($mutable)? Condition>, u32);

            pub(in crate::typed) fn value<'a>(value: &'a $($mutable)? Value, visit: Visit<'_, 'a>) {
                match &$($mutable)? *value.term {
                    Term::Constant(_)
                    | Term::Timestamp(_)
                    | Term::Day(_)
                    | Term::Now
                    | Term::Profile
                    | Term::Events
                    | Term::Scope(_) => {}
                    Term::List(items) => items.$iter().for_each(|v| visit(Below::Value(v), 0)),
                    Term::Record(members) => {
                        members.$iter().for_each(|(_, v)| visit(Below::Value(v), 0));
                    }
                    Term::Field(v, _)
                    | Term::Head(v)
                    | Term::Distinct(v)
                    | Term::Aggregate(_, v)
                    | Term::Keys(v)
                    | Term::Values(v)
                    | Term::Negate(v)
                    | Term::RegexGroup(v, ..)
                    | Term::Part(_, v)
                    | Term::Cast(v) => visit(Below::Value(v), 0),
                    Term::Intersection(a, b) | Term::Get(a, b) | Term::Arithmetic(_, a, b) => {
                        visit(Below::Value(a), 0);
                        visit(Below::Value(b), 0);
                    }
                    Term::Filter(source, condition) => {
                        visit(Below::Value(source), 0);
                        visit(Below::Condition(condition), 1);
                    }
                    Term::Each(source, body) => {
                        visit(Below::Value(source), 0);
                        visit(Below::Value(body), 1);
                    }
                    Term::Top { source, key, .. } => {
                        visit(Below::Value(source), 0);
                        visit(Below::Value(key), 1);
                    }
                    Term::If(condition, a, b) => {
                        visit(Below::Condition(condition), 0);
                        visit(Below::Value(a), 0);
                        visit(Below::Value(b), 0);
                    }
                    Term::Test(condition) => visit(Below::Condition(condition), 0),
                    Term::Date(a, b, c) => {
                        visit(Below::Value(a), 0);
                        visit(Below::Value(b), 0);
                        visit(Below::Value(c), 0);
                    }
                }
            }

            pub(in crate::typed) fn condition<'a>(
                condition: &'a $($mutable)? Condition,
                visit: Visit<'_, 'a>,
            ) {
                match &$($mutable)? *condition.test {
                    Test::Constant(_) | Test::InSegment(_) => {}
                    Test::And(all) | Test::Or(all) => {
                        all.$iter().for_each(|c| visit(Below::Condition(c), 0));
                    }
                    Test::Not(c) => visit(Below::Condition(c), 0),
                    Test::Holds(v) | Test::Defined(v) | Test::NotEmpty(v) | Test::Matches(v, _) => {
                        visit(Below::Value(v), 0);
                    }
                    Test::Compare(_, a, b)
                    | Test::Like(a, b)
                    | Test::Sets(_, a, b)
                    | Test::In { value: a, list: b, .. }
                    | Test::Text { value: a, with: b, .. } => {
                        visit(Below::Value(a), 0);
                        visit(Below::Value(b), 0);
                    }
                    Test::Occurs(time, window) => {
                        visit(Below::Value(time), 0);
                        self::window(window, visit);
                    }
                    Test::Any(source, condition) | Test::All(source, condition) => {
                        visit(Below::Value(source), 0);
                        visit(Below::Condition(condition), 1);
                    }
                    Test::Chain { source, order, steps } => {
                        visit(Below::Value(source), 0);
                        if let Some(order) = order {
                            visit(Below::Value(order), 1);
                        }
                        for step in steps {
                            visit(Below::Condition(&$($mutable)? step.condition), 1);
                        }
                    }
                }
            }

            pub(in crate::typed) fn window<'a>(window: &'a $($mutable)? Window, visit: Visit<'_, 'a>) {
                match window {
                    Window::Within { count, moment, .. } => {
                        visit(Below::Value(count), 0);
                        self::moment(moment, visit);
                    }
                    Window::Beyond(_, moment) | Window::On(moment) => self::moment(moment, visit),
                    Window::Between(from, to) => {
                        self::moment(from, visit);
                        self::moment(to, visit);
                    }
                }
            }

            fn moment<'a>(moment: &'a $($mutable)? Moment, visit: Visit<'_, 'a>) {
                match moment {
                    Moment::Now | Moment::Day(_) | Moment::Calendar(..) => {}
                    Moment::Time(time) => visit(Below::Value(time), 0),
                }
            }
        }
    };
}

walks!(shared, iter,);
walks!(mutable, iter_mut, mut);

pub(super) use shared::{condition as below_condition, value as below_value};

/// A value that is put so many scopes further inside.
pub(crate) fn shift(mut value: Value, by: u32) -> Value {
    if by > 0 {
        shift_value(&mut value, by, 0);
    }
    value
}

/// Scopes of the value's own, which are below `from`, stay.
fn shift_value(value: &mut Value, by: u32, from: u32) {
    if let Term::Scope(level) = &mut *value.term
        && *level >= from
    {
        *level += by;
    }
    mutable::value(value, &mut |below, scopes| {
        shift_below(below, by, from + scopes)
    });
}

fn shift_below(below: Below<&mut Value, &mut Condition>, by: u32, from: u32) {
    match below {
        Below::Value(value) => shift_value(value, by, from),
        Below::Condition(condition) => {
            mutable::condition(condition, &mut |below, scopes| {
                shift_below(below, by, from + scopes);
            });
        }
    }
}

/// Calls `see` with the level of each scope around a part that it looks at: 0 is the innermost of those around it.
pub(super) fn scopes_of(below: &Below<&Value, &Condition>, own: u32, see: &mut dyn FnMut(u32)) {
    let mut each = |below: Below<&Value, &Condition>, scopes| scopes_of(&below, own + scopes, see);
    match below {
        Below::Value(value) => match *value.term {
            Term::Scope(level) => {
                if let Some(around) = level.checked_sub(own) {
                    see(around);
                }
            }
            _ => shared::value(value, &mut each),
        },
        Below::Condition(condition) => shared::condition(condition, &mut each),
    }
}

/// The same of a window.
pub(super) fn scopes_of_window(window: &Window, see: &mut dyn FnMut(u32)) {
    shared::window(window, &mut |below, scopes| scopes_of(&below, scopes, see));
}

/// How many parts a value has, and how many levels.
pub(crate) fn weigh(value: &Value) -> (usize, u32) {
    weigh_below(&Below::Value(value))
}

fn weigh_below(below: &Below<&Value, &Condition>) -> (usize, u32) {
    let (mut parts, mut levels) = (1, 0);
    let mut each = |below: Below<&Value, &Condition>, _| {
        let (more, deep) = weigh_below(&below);
        parts += more;
        levels = levels.max(deep);
    };
    match below {
        Below::Value(value) => shared::value(value, &mut each),
        Below::Condition(condition) => shared::condition(condition, &mut each),
    }
    (parts, levels + 1)
}
