//! Conditions that fix an identity.

use datafusion::logical_expr::expr::HigherOrderFunction;
use datafusion::logical_expr::{BinaryExpr, Case, Expr, Operator};
use profile_export::xdm::Identity;

use crate::pushed::text;

/// Identities of which the `identityMap` of each row names one that a condition takes; `None` where the condition says something
/// else. Rows that it does not take may name one, too.
///
/// `identityMap['Email'][0].id = 'a@b.org'` or `IN (…)` at any place of the list, `array_contains(identityMap['Email'].id, …)`,
/// `exists(identityMap['Email'], one -> one.id = …)`, and several of these with `OR` or `AND`.
pub(crate) fn identities_of(condition: &Expr) -> Option<Vec<Identity>> {
    Known::default().identities(condition)
}

/// What is known where an expression stands: the parameters of lambdas around it that are identities.
#[derive(Clone, Default)]
struct Known<'a>(Vec<(&'a str, Namespaces)>);

type Namespaces = Vec<String>;

/// What part of an identity map an expression is, of which namespaces.
enum Part {
    Map,
    /// A list of identities.
    Identities(Namespaces),
    Identity(Namespaces),
    /// A list of ids.
    Ids(Namespaces),
    Id(Namespaces),
}

impl<'a> Known<'a> {
    fn identities(&self, condition: &'a Expr) -> Option<Vec<Identity>> {
        match condition {
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::Or,
                right,
            }) => {
                let mut identities = self.identities(left)?;
                identities.extend(self.identities(right)?);
                Some(identities)
            }
            // One of both has the rows of both.
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::And,
                right,
            }) => fewer(self.identities(left), self.identities(right)),
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::Eq,
                right,
            }) => {
                let equal = |part, id| self.with_ids(part, &[text(id)?]);
                equal(left, right).or_else(|| equal(right, left))
            }
            Expr::InList(list) if !list.negated => {
                let ids = list.list.iter().map(text).collect::<Option<Vec<_>>>()?;
                self.with_ids(&list.expr, &ids)
            }
            Expr::ScalarFunction(call)
                if ["array_has", "spark_array_contains"].contains(&call.name()) =>
            {
                let [list, id] = &call.args[..] else {
                    return None;
                };
                match self.part(list)? {
                    Part::Ids(namespaces) => Some(all(&namespaces, &[text(id)?])),
                    _ => None,
                }
            }
            Expr::HigherOrderFunction(call) if call.name() == "spark_exists" => {
                let [list, Expr::Lambda(lambda)] = &call.args[..] else {
                    return None;
                };
                let (Part::Identities(namespaces), [name]) = (self.part(list)?, &lambda.params[..])
                else {
                    return None;
                };
                let mut within = self.clone();
                within.0.push((name, namespaces));
                within.identities(&lambda.body)
            }
            _ => None,
        }
    }

    fn with_ids(&self, part: &'a Expr, ids: &[String]) -> Option<Vec<Identity>> {
        match self.part(part)? {
            Part::Id(namespaces) => Some(all(&namespaces, ids)),
            _ => None,
        }
    }

    /// By DataFusion's own functions, or those of the crate `sql`.
    fn part(&self, expression: &'a Expr) -> Option<Part> {
        match expression {
            Expr::Column(column) if column.name == "identityMap" => Some(Part::Map),
            Expr::LambdaVariable(variable) => {
                let mut known = self.0.iter().rev();
                let (_, namespaces) = known.find(|(name, _)| *name == variable.name)?;
                Some(Part::Identity(namespaces.clone()))
            }
            Expr::ScalarFunction(call) => match call.name() {
                "get_field" | "spark_get" | "spark_element_at" | "spark_array_get"
                | "array_element" => {
                    let (of, keys) = call.args.split_first()?;
                    keys.iter().try_fold(self.part(of)?, step)
                }
                "spark_coalesce" | "coalesce" => self.one_of(call.args.iter()),
                "spark_same" => self.part(call.args.first()?),
                _ => None,
            },
            // One of the values, whichever it is.
            Expr::Case(Case {
                when_then_expr,
                else_expr,
                ..
            }) => {
                let values = when_then_expr.iter().map(|(_, value)| &**value);
                self.one_of(values.chain(else_expr.as_deref()))
            }
            // Some of the list's own.
            Expr::HigherOrderFunction(HigherOrderFunction { func, args })
                if func.name() == "spark_filter" =>
            {
                match self.part(args.first()?)? {
                    Part::Identities(namespaces) => Some(Part::Identities(namespaces)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The lists of identities of all of them; nulls are none.
    fn one_of(&self, values: impl Iterator<Item = &'a Expr>) -> Option<Part> {
        let mut all = Namespaces::new();
        for value in values.filter(|value| !is_null(value)) {
            match self.part(value)? {
                Part::Identities(namespaces) => all.extend(namespaces),
                _ => return None,
            }
        }
        (!all.is_empty()).then_some(Part::Identities(all))
    }
}

/// A step of a path. Where in a list somebody stands does not matter.
fn step(part: Part, key: &Expr) -> Option<Part> {
    let is_id = || text(key).is_some_and(|name| name.eq_ignore_ascii_case("id"));
    match part {
        Part::Map => Some(Part::Identities(vec![text(key)?])),
        Part::Identities(namespaces) if text(key).is_none() => Some(Part::Identity(namespaces)),
        Part::Identities(namespaces) if is_id() => Some(Part::Ids(namespaces)),
        Part::Identity(namespaces) if is_id() => Some(Part::Id(namespaces)),
        Part::Ids(namespaces) if text(key).is_none() => Some(Part::Id(namespaces)),
        _ => None,
    }
}

fn is_null(expression: &Expr) -> bool {
    matches!(expression, Expr::Literal(value, _) if value.is_null())
        || matches!(expression, Expr::Cast(cast) if is_null(&cast.expr))
}

fn all(namespaces: &[String], ids: &[String]) -> Vec<Identity> {
    let pairs = namespaces
        .iter()
        .flat_map(|namespace| ids.iter().map(move |id| (namespace, id)));
    let identities = pairs.map(|(namespace, id)| Identity {
        namespace: namespace.clone(),
        id: id.clone(),
    });
    identities.collect()
}

/// Those that are fewer, where there are two.
pub(crate) fn fewer(
    one: Option<Vec<Identity>>,
    other: Option<Vec<Identity>>,
) -> Option<Vec<Identity>> {
    match (one, other) {
        (Some(one), Some(other)) if other.len() < one.len() => Some(other),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::common::ScalarValue;
    use datafusion::functions::core::expr_ext::FieldAccessor as _;
    use datafusion::functions_nested::expr_fn::{array_element, array_has};
    use datafusion::logical_expr::{ident, lit, when};

    use super::*;

    fn told(condition: &Expr) -> Option<Vec<String>> {
        let identities = identities_of(condition)?;
        Some(identities.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_fixes_an_identity_is_told_from_what_does_not() {
        let list = |namespace: &str| ident("identityMap").field(namespace);
        let id = |namespace: &str| array_element(list(namespace), lit(1)).field("id");
        let both = when(list("ECID").is_not_null(), list("ECID"))
            .otherwise(list("ecid"))
            .expect("a value");
        let both = array_element(both, lit(2)).field("ID");
        let first = list("Email").field("id");
        let known = [
            (id("Email").eq(lit("a")), vec!["Email:a"]),
            (lit("a").eq(id("Email")), vec!["Email:a"]),
            (
                id("Email").in_list(vec![lit("a"), lit("b")], false),
                vec!["Email:a", "Email:b"],
            ),
            (
                id("Email").eq(lit("a")).or(id("Phone").eq(lit("1"))),
                vec!["Email:a", "Phone:1"],
            ),
            (
                id("Email").eq(lit("a")).and(ident("x").is_null()),
                vec!["Email:a"],
            ),
            (
                (id("Email").in_list(vec![lit("a"), lit("b")], false)).and(id("X").eq(lit("1"))),
                vec!["X:1"],
            ),
            (both.eq(lit("1")), vec!["ECID:1", "ecid:1"]),
            (array_has(first.clone(), lit("a")), vec!["Email:a"]),
            (array_element(first, lit(1)).eq(lit("a")), vec!["Email:a"]),
        ];
        for (condition, identities) in known {
            let identities = identities.into_iter().map(str::to_owned).collect();
            assert_eq!(told(&condition), Some(identities), "{condition}");
        }
        let others = [
            id("Email").not_eq(lit("a")),
            id("Email").is_not_null(),
            id("Email").eq(ident("x")),
            id("Email").eq(lit(ScalarValue::Utf8(None))),
            id("Email").in_list(vec![lit("a"), ident("x")], false),
            id("Email").in_list(vec![lit("a")], true),
            id("Email").eq(lit("a")).or(ident("x").is_null()),
            array_element(list("Email"), lit(1))
                .field("authenticatedState")
                .eq(lit("a")),
            array_element(ident("other").field("Email"), lit(1))
                .field("id")
                .eq(lit("a")),
            when(ident("x").is_null(), list("ECID"))
                .otherwise(ident("y"))
                .map(|list| array_element(list, lit(1)).field("id").eq(lit("a")))
                .expect("a value"),
        ];
        for condition in others {
            assert_eq!(told(&condition), None, "{condition}");
        }
    }
}
