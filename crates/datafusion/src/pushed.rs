//! Which conditions of a statement the store answers by itself.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use profile_export::request::SegmentRequest;

/// The statuses that a filter may name.
const STATUSES: [&str; 3] = ["realized", "existing", "exited"];

/// The segments in one of which everybody is whom a condition takes; `None` where the condition says something else.
///
/// `segmentMembership['ups']['S']['status'] = 'realized'` or `IN (…)`, and several of these with `OR` or `AND`. That there is
/// a membership of whatever status (`IS NOT NULL`) is not for the store: a status that XDM does not know matches no filter.
pub(crate) fn segments_of(condition: &Expr) -> Option<Vec<SegmentRequest>> {
    match condition {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => {
            let mut segments = segments_of(left)?;
            segments.extend(segments_of(right)?);
            Some(segments)
        }
        // One of both has the rows of both.
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::And,
            right,
        }) => segments_of(left).or_else(|| segments_of(right)),
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => with_status(left, right).or_else(|| with_status(right, left)),
        Expr::InList(list) if !list.negated => {
            let statuses = list.list.iter().map(text).collect::<Option<Vec<_>>>()?;
            of_statuses(&list.expr, &statuses)
        }
        _ => None,
    }
}

fn with_status(path: &Expr, status: &Expr) -> Option<Vec<SegmentRequest>> {
    of_statuses(path, &[text(status)?])
}

fn of_statuses(path: &Expr, statuses: &[String]) -> Option<Vec<SegmentRequest>> {
    let path = path_of(path)?;
    let [namespace, id, last] = &path[..] else {
        return None;
    };
    if id.is_empty() || namespace.is_empty() {
        return None;
    }
    // No membership has another status: such a condition takes nobody, which the store has no filter for.
    let known = |status: &String| STATUSES.contains(&status.as_str());
    if last != "status" || statuses.is_empty() || !statuses.iter().all(known) {
        return None;
    }
    let statuses = statuses.iter().map(String::as_str);
    Some(vec![segment(namespace, id, statuses)])
}

fn segment<'a>(
    namespace: &str,
    id: &str,
    statuses: impl Iterator<Item = &'a str>,
) -> SegmentRequest {
    SegmentRequest {
        segment_id: id.to_owned(),
        segment_ns: Some(namespace.to_owned()),
        status: Some(statuses.map(str::to_owned).collect()),
    }
}

/// The keys behind `segmentMembership`, outermost first: by DataFusion's own function, or the one of the crate `sql`.
fn path_of(expression: &Expr) -> Option<Vec<String>> {
    match expression {
        Expr::Column(column) if column.name == "segmentMembership" => Some(Vec::new()),
        Expr::ScalarFunction(call) if ["get_field", "spark_get"].contains(&call.name()) => {
            let (inner, keys) = call.args.split_first()?;
            let mut path = path_of(inner)?;
            for key in keys {
                path.push(text(key)?);
            }
            Some(path)
        }
        _ => None,
    }
}

pub(crate) fn text(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Literal(
            ScalarValue::Utf8(Some(text))
            | ScalarValue::LargeUtf8(Some(text))
            | ScalarValue::Utf8View(Some(text)),
            _,
        ) => Some(text.clone()),
        _ => None,
    }
}
