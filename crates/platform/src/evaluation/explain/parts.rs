//! The parts of an expression, each of which is evaluated as a segment of its own.

use pql::syntax::{Kind, Literal, Node, Quantifier, Range, Step};
use pql::{Checked, Expression, Function, Schema};
use segment::{Evaluation, Segment};
use serde_json::Value;

use super::filters::{
    filter_of, is_about_items, is_by_time, is_over_events, own_of, reads_events_once,
};
use super::{ExplainedPart, MOST_EVENTS, Seen, checked, holds};
use crate::error::{Error, Result};
use crate::evaluation::pass::{Audience, refused};

/// Puts a node into the binders around it.
type Close<'a> = &'a dyn Fn(Node) -> Node;

/// Steps of a CHAIN that are told: each is the chain up to it, evaluated.
const MOST_STEPS: usize = 100;

/// What parts are made with.
pub(super) struct Parts<'a> {
    pub(super) schema: &'a Schema,
    /// What is evaluated: a segment for each part.
    pub(super) segments: &'a mut Vec<Audience>,
}

/// A part, by the number of its segment among those that are evaluated.
pub(super) struct Part {
    text: String,
    number: usize,
    parts: Vec<Part>,
    /// The paths of the profile's fields that it reads.
    fields: Vec<Vec<String>>,
    /// Which events fit, each as a condition on a profile of one event.
    filters: Vec<Checked>,
    /// How many events it takes, where it is a step.
    count: usize,
    /// Whether its parts are steps in the order of the events.
    is_walk: bool,
}

impl Parts<'_> {
    /// The part of a node, with those within it.
    pub(super) fn part(&mut self, node: &Node, close: Close<'_>) -> Result<Part> {
        let text = tree(node.clone()).map(|tree| tree.to_text());
        let (mut part, checked) = self.alone(text.ok(), close(node.clone()))?;
        match node.kind() {
            Kind::Apply(Function::And | Function::Or | Function::Not, parts) => {
                for inner in parts {
                    part.parts.push(self.part(inner, close)?);
                }
            }
            Kind::Let(name, value, body) => {
                let within = |inner: Node| {
                    let kind = Kind::Let(name.clone(), value.clone(), Box::new(inner));
                    close(Node::new(kind, node.span()))
                };
                part.parts.push(self.part(body, &within)?);
            }
            _ => {
                let columns = checked.columns();
                let paths = columns.profile.into_iter().map(|column| column.path);
                part.fields = paths.filter(|path| !path.is_empty()).collect();
                match node.kind() {
                    Kind::Chain(source, order, steps) => {
                        self.steps((source, order, steps), close, &mut part)?;
                    }
                    _ => self.look(node, close, &mut part)?,
                }
            }
        }
        Ok(part)
    }

    /// A part without others in it.
    fn alone(&mut self, text: Option<String>, node: Node) -> Result<(Part, Checked)> {
        let own = tree(node)?;
        let checked = checked(&own, self.schema)?;
        let number = self.segments.len();
        let segment = Segment::new(format!(" part {number}"), checked.clone());
        self.segments.push(Audience::of_anybody(segment));
        let part = Part {
            text: text.unwrap_or_else(|| own.to_text()),
            number,
            parts: Vec::new(),
            fields: Vec::new(),
            filters: Vec::new(),
            count: 1,
            is_walk: false,
        };
        Ok((part, checked))
    }

    /// Finds what a node asks of events: steps, variables, filters.
    fn look(&mut self, node: &Node, close: Close<'_>, part: &mut Part) -> Result<()> {
        match node.kind() {
            Kind::Chain(source, order, steps) => {
                // Beside others its steps would be walked behind theirs.
                let text = tree(node.clone()).map(|tree| tree.to_text());
                let (mut own, _) = self.alone(text.ok(), close(node.clone()))?;
                self.steps((source, order, steps), close, &mut own)?;
                part.parts.push(own);
                return Ok(());
            }
            Kind::Quantified(quantifier, ranges) if ranges.len() > 1 => {
                return self.variables(*quantifier, ranges, close, part);
            }
            Kind::Over(_, _, ranges) if ranges.len() > 1 => {
                return self.variables(Quantifier::Exists, ranges, close, part);
            }
            _ => {}
        }
        let filter = filter_of(node).and_then(|filter| self.filter(close(filter)));
        if let Some(filter) = filter {
            part.filters.push(filter);
            return Ok(());
        }
        within_scope(node)
            .into_iter()
            .try_for_each(|child| self.look(child, close, part))
    }

    /// A condition on a profile of one event, unless it looks at a variable that is not around it, or asks for another
    /// segment: that is not followed.
    fn filter(&self, node: Node) -> Option<Checked> {
        let checked = Expression::from_tree(&node).ok()?.check(self.schema).ok()?;
        checked.segments().is_empty().then_some(checked)
    }

    /// The steps of a CHAIN, each of which is reached where the chain up to it holds.
    fn steps(
        &mut self,
        (source, order, steps): (&Node, &Node, &[Step]),
        close: Close<'_>,
        part: &mut Part,
    ) -> Result<()> {
        let chain = |steps: Vec<Step>| {
            let kind = Kind::Chain(Box::new(source.clone()), Box::new(order.clone()), steps);
            Node::new(kind, source.span())
        };
        for (place, step) in steps.iter().enumerate().take(MOST_STEPS) {
            let up_to = steps.iter().take(place + 1).cloned().collect();
            let (mut own, _) = self.alone(Some(step.to_text()), close(chain(up_to)))?;
            let one = Step {
                count: None,
                ..step.clone()
            };
            // A step that compares its event with others says nothing of an event alone.
            if let Some(one) = reads_events_once(&chain(vec![one])) {
                own.filters.extend(self.filter(close(one)));
            }
            own.count = match step.count.as_ref().map(Node::kind) {
                Some(Kind::Literal(Literal::Integer(count))) => {
                    usize::try_from(*count).unwrap_or(usize::MAX)
                }
                _ => 1,
            };
            part.parts.push(own);
        }
        // Where it isn't known which events fit a step, nothing is known of those that the next ones take.
        part.is_walk =
            is_by_time(source, order) && part.parts.iter().all(|step| !step.filters.is_empty());
        Ok(())
    }

    /// What each of several variables is asked alone.
    fn variables(
        &mut self,
        quantifier: Quantifier,
        ranges: &[Range],
        close: Close<'_>,
        part: &mut Part,
    ) -> Result<()> {
        let quantifier = match quantifier {
            Quantifier::Select => Quantifier::Exists,
            other => other,
        };
        for place in 0..ranges.len() {
            let own = own_of(ranges, place);
            let Some(first) = own.first() else { continue };
            let (span, is_of_events) = (first.source.span(), is_over_events(&first.source));
            let of = |quantifier| Node::new(Kind::Quantified(quantifier, own.clone()), span);
            let text = tree(of(quantifier)).map(|tree| tree.to_text());
            let (mut one, _) = self.alone(text.ok(), close(of(quantifier)))?;
            if is_of_events {
                let exists = close(of(Quantifier::Exists));
                one.filters.extend(self.filter(exists));
            }
            part.parts.push(one);
        }
        Ok(())
    }
}

impl Part {
    /// What the part saw, and those within it.
    pub(super) fn explained(&self, seen: &Seen<'_>) -> Result<ExplainedPart> {
        self.told(seen, &self.fits(seen)?, None)
    }

    /// The same, with the events that fit, and those of them that a step takes.
    fn told(
        &self,
        seen: &Seen<'_>,
        fits: &[usize],
        taken: Option<&[usize]>,
    ) -> Result<ExplainedPart> {
        let parts = match self.is_walk {
            true => self.walked(seen)?,
            false => {
                let parts = self.parts.iter().map(|part| part.explained(seen));
                parts.collect::<Result<_>>()?
            }
        };
        let values = self.fields.iter().map(|path| {
            // What is in a list or a map is shown with all of it.
            let mut found = Some(seen.row);
            let mut shown: Vec<&str> = Vec::new();
            for name in path {
                let Some(Value::Object(object)) = found else {
                    break;
                };
                found = object.get(name);
                shown.push(name);
            }
            (shown.join("."), found.cloned().unwrap_or(Value::Null))
        });
        let events = taken.filter(|taken| !taken.is_empty()).unwrap_or(fits);
        let event = |at: &usize| seen.events?.1.get(*at).cloned();
        Ok(ExplainedPart {
            text: self.text.clone(),
            holds: holds(seen.chunk, self.number),
            parts,
            values: values.collect(),
            events: events.iter().take(MOST_EVENTS).filter_map(event).collect(),
            event_count: (!self.filters.is_empty()).then_some(fits.len() as u64),
            taken_count: taken.map(|taken| taken.len() as u64),
        })
    }

    /// The steps of a walk: each takes the earliest events that fit, behind those of the step before.
    fn walked(&self, seen: &Seen<'_>) -> Result<Vec<ExplainedPart>> {
        let mut told = Vec::new();
        // Where the next step begins, if it is reached.
        let mut from = Some(0);
        for step in &self.parts {
            let fits = step.fits(seen)?;
            let behind = |from: usize| fits.iter().copied().filter(move |at| *at >= from);
            let taken: Vec<usize> = (from.into_iter())
                .flat_map(behind)
                .take(step.count)
                .collect();
            let last = taken.last().filter(|_| taken.len() == step.count);
            from = last.map(|at| at + 1);
            told.push(step.told(seen, &fits, Some(&taken))?);
        }
        Ok(told)
    }

    /// The numbers of the events that fit.
    fn fits(&self, seen: &Seen<'_>) -> Result<Vec<usize>> {
        let (Some((rows, _)), false) = (seen.events, self.filters.is_empty()) else {
            return Ok(Vec::new());
        };
        let filters = self.filters.iter().enumerate();
        let filters = filters.map(|(i, checked)| Segment::new(i.to_string(), checked.clone()));
        let mut fits: Vec<usize> = Vec::new();
        let evaluation = Evaluation::new(filters.collect(), seen.now).map_err(refused)?;
        for members in evaluation.members(rows).map_err(refused)? {
            fits.extend(members.set_indices());
        }
        fits.sort_unstable();
        fits.dedup();
        Ok(fits)
    }
}

/// The nodes in a node that see the same items and variables as it does, and are about one event at a time.
fn within_scope(node: &Node) -> Vec<&Node> {
    match node.kind() {
        Kind::Quantified(_, ranges) | Kind::Over(_, _, ranges) => ranges
            .first()
            .map(|range| &range.source)
            .into_iter()
            .collect(),
        Kind::Let(_, value, _) => vec![value],
        Kind::Lambda(..) => Vec::new(),
        // Its list is looked at as a whole.
        Kind::Apply(Function::NotIn, parts) => parts.first().into_iter().collect(),
        Kind::Apply(function, parts)
            if *function == Function::Filter || is_about_items(*function) =>
        {
            parts.first().into_iter().collect()
        }
        kind => {
            let mut children = Vec::new();
            kind.for_each_child(&mut |child| children.push(child));
            children
        }
    }
}

fn tree(node: Node) -> Result<Expression> {
    let read = Expression::from_tree(&node);
    read.map_err(|error| Error::Panic(format!("a part of an expression is none: {error}")))
}
