//! Which events an expression's node is about: as a condition on a profile that has one event alone.

use std::collections::BTreeSet;

use pql::Function;
use pql::syntax::{Kind, Node, Quantifier, Range, Root};

/// What an event must meet to be among those that a node takes or looks at, if the node itself says that.
pub(super) fn filter_of(node: &Node) -> Option<Node> {
    match node.kind() {
        Kind::Quantified(_, ranges) | Kind::Over(_, _, ranges) => match &ranges[..] {
            [range] if is_over_events(&range.source) => {
                let kind = Kind::Quantified(Quantifier::Exists, vec![range.clone()]);
                Some(Node::new(kind, node.span()))
            }
            _ => None,
        },
        Kind::Occurs(time, _) if is_over_events(time) => reads_events_once(node),
        // Items without what is asked of them take no part.
        Kind::Apply(function, parts) if is_about_items(*function) => match &parts[..] {
            [source, of_item, ..] if is_over_events(source) => {
                let parts = vec![source.clone(), of_item.clone()];
                Some(Node::new(Kind::Apply(Function::Filter, parts), node.span()))
            }
            _ => None,
        },
        // It asks about all that stands on its right together.
        Kind::Apply(Function::NotIn, parts) => match &parts[..] {
            [item, _] if is_over_events(item) => reads_events_once(node),
            _ => None,
        },
        Kind::Apply(function, parts) if is_test(*function) && parts.iter().any(is_over_events) => {
            reads_events_once(node)
        }
        _ if is_over_events(node) => Some(node.clone()),
        _ => None,
    }
}

/// Whether a node is the profile's events, some of them, or a field of theirs.
pub(super) fn is_over_events(node: &Node) -> bool {
    match node.kind() {
        Kind::Fields(object, _) => starts_at_events(node) || is_over_events(object),
        Kind::Apply(Function::Filter, parts) => parts.first().is_some_and(is_over_events),
        _ => false,
    }
}

/// Whether a path begins with the profile's events.
fn starts_at_events(node: &Node) -> bool {
    let Kind::Fields(object, names) = node.kind() else {
        return false;
    };
    let is_profile = matches!(object.kind(), Kind::Root(Root::Profile));
    is_profile && names.first().is_some_and(|name| name.text == "xEvent")
}

/// Whether a CHAIN's order is that of the events it is about.
pub(super) fn is_by_time(source: &Node, order: &Node) -> bool {
    let mut events = source;
    while let Kind::Apply(Function::Filter, parts) = events.kind()
        && let Some(inner) = parts.first()
    {
        events = inner;
    }
    let is_timestamp = matches!(order.kind(), Kind::Fields(item, names)
        if matches!(item.kind(), Kind::Root(Root::Item(0)))
            && names.iter().map(|name| name.text.as_str()).eq(["timestamp"]));
    is_timestamp
        && matches!(events.kind(), Kind::Fields(_, names) if names.len() == 1 && starts_at_events(events))
}

/// What one variable of several is asked alone: its range, behind those that its list is of, with that of its condition
/// which looks at no other.
pub(super) fn own_of(ranges: &[Range], place: usize) -> Vec<Range> {
    let Some((range, before)) = ranges.get(..=place).and_then(<[Range]>::split_last) else {
        return Vec::new();
    };
    let mut needed = BTreeSet::new();
    collect_variables(&range.source, &mut needed);
    let mut own: Vec<Range> = Vec::new();
    for range in before.iter().rev() {
        if needed.contains(&range.variable.text) {
            collect_variables(&range.source, &mut needed);
            own.insert(
                0,
                Range {
                    condition: None,
                    ..range.clone()
                },
            );
        }
    }
    let looks_at_another = |part: &Node| {
        let mut named = BTreeSet::new();
        collect_variables(part, &mut named);
        let others = before.iter().map(|range| &range.variable.text);
        let mut others = others.filter(|name| **name != range.variable.text);
        others.any(|name| named.contains(name) && !needed.contains(name))
    };
    let parts = match range.condition.as_ref().map(|one| (one, one.kind())) {
        None => Vec::new(),
        Some((_, Kind::Apply(Function::And, parts))) => parts.clone(),
        Some((one, _)) => vec![one.clone()],
    };
    let mut parts: Vec<Node> = (parts.into_iter())
        .filter(|part| !looks_at_another(part))
        .collect();
    let condition = match (parts.len(), &range.condition) {
        (2.., Some(whole)) => {
            let kind = Kind::Apply(Function::And, parts);
            Some(Node::new(kind, whole.span()))
        }
        _ => parts.pop(),
    };
    own.push(Range {
        condition,
        ..range.clone()
    });
    own
}

/// The names of the variables that a node looks at, or binds and looks at.
fn collect_variables(node: &Node, names: &mut BTreeSet<String>) {
    if let Kind::Root(Root::Variable(name)) = node.kind() {
        names.insert(name.clone());
    }
    node.kind()
        .for_each_child(&mut |child| collect_variables(child, names));
}

/// The node, unless it compares events with each other.
pub(super) fn reads_events_once(node: &Node) -> Option<Node> {
    (count_events(node) == 1).then(|| node.clone())
}

fn count_events(node: &Node) -> usize {
    let mut count = usize::from(starts_at_events(node));
    node.kind()
        .for_each_child(&mut |child| count += count_events(child));
    count
}

/// Whether a function works out something of each item.
pub(super) fn is_about_items(function: Function) -> bool {
    use Function as F;
    matches!(
        function,
        F::Exists | F::Sum | F::Average | F::Min | F::Max | F::TopN | F::BottomN
    )
}

/// Whether a function is true or false of a value, and of an array where it is of any item.
fn is_test(function: Function) -> bool {
    use Function as F;
    matches!(
        function,
        F::Equal
            | F::NotEqual
            | F::Less
            | F::LessOrEqual
            | F::Greater
            | F::GreaterOrEqual
            | F::In
            | F::Like
            | F::StartsWith
            | F::DoesNotStartWith
            | F::EndsWith
            | F::DoesNotEndWith
            | F::Contains
            | F::DoesNotContain
            | F::Equals
            | F::NotEqualTo
            | F::Matches
            | F::Intersects
            | F::Includes
            | F::IsNotNull
    )
}
