use serde_json::Value;

use super::{Fallible, Members, Reader, node};
use crate::Function;
use crate::syntax::{Kind, Node, Quantifier, Range, Step};

impl Reader {
    /// Conditions, and variables that run over arrays: they all hold, for some items.
    pub(super) fn set(&mut self, members: &Members) -> Fallible<Node> {
        let mut conditions = Vec::new();
        let mut ranges: Vec<Range> = Vec::new();
        self.member(members, "variables", |reader, value| {
            reader.array(value, |reader, value| {
                let members = reader.object(value)?;
                if members.get("nodeType").and_then(Value::as_str) == Some("varDecl") {
                    ranges.push(reader.range(value)?);
                    return Ok(());
                }
                let condition = reader.node(value)?;
                // It may be about the variables before it.
                match ranges.last_mut() {
                    None => conditions.push(condition),
                    Some(range) => {
                        let mut all = Vec::from_iter(range.condition.take());
                        all.push(condition);
                        range.condition = conjunction(all);
                    }
                }
                Ok(())
            })
        })?;
        if !ranges.is_empty() {
            conditions.push(node(Kind::Quantified(Quantifier::Select, ranges)));
        }
        conjunction(conditions)
            .ok_or_else(|| self.found("an empty set", "a condition or a varDecl"))
    }

    /// `varDecl`, with `range` or with `from` and `where`.
    pub(super) fn range(&mut self, value: &Value) -> Fallible<Range> {
        let members = self.object(value)?;
        let source = match members.contains_key("range") {
            true => "range",
            false => "from",
        };
        Ok(Range {
            variable: self.name(members, "varName")?,
            source: self.member(members, source, Self::node)?,
            condition: self.optional(members, "where", Self::node)?,
        })
    }

    pub(super) fn ranges(&mut self, members: &Members) -> Fallible<Vec<Range>> {
        let ranges = self.member(members, "variables", |reader, value| {
            reader.array(value, Self::range)
        })?;
        if ranges.is_empty() {
            return Err(self.found("no variables", "at least one varDecl"));
        }
        Ok(ranges)
    }

    pub(super) fn quantified(&mut self, members: &Members, node_type: &str) -> Fallible<Node> {
        let quantifier = if node_type == "select" {
            Quantifier::Select
        } else {
            match self.text(members, "quantifier")?.as_str() {
                "some" | "exists" => Quantifier::Exists,
                "all" | "every" | "forall" => Quantifier::Forall,
                other => {
                    return Err(
                        self.found(format!("the quantifier {other:?}"), "\"some\" or \"all\"")
                    );
                }
            }
        };
        let ranges = self.ranges(members)?;
        Ok(node(Kind::Quantified(quantifier, ranges)))
    }

    pub(super) fn aggregation(&mut self, members: &Members) -> Fallible<Node> {
        let name = self.text(members, "fnName")?;
        let Some(function) = Function::of_name(&name).filter(|f| f.is_aggregate()) else {
            return Err(self.found(format!("the fnName {name:?}"), "sum, average, min or max"));
        };
        let value = self.boxed(members, "value")?;
        let ranges = self.ranges(members)?;
        Ok(node(Kind::Over(function, value, ranges)))
    }

    pub(super) fn chain(&mut self, members: &Members) -> Fallible<Node> {
        let source = self.boxed(members, "source")?;
        let order = self.boxed(members, "order")?;
        let steps = self.member(members, "steps", |reader, value| {
            reader.array(value, Self::step)
        })?;
        if steps.is_empty() {
            return Err(self.found("no steps", "at least one"));
        }
        Ok(node(Kind::Chain(source, order, steps)))
    }

    pub(super) fn step(&mut self, value: &Value) -> Fallible<Step> {
        let members = self.object(value)?;
        Ok(Step {
            label: self.name(members, "label")?,
            what: self.member(members, "what", Self::node)?,
            condition: self.optional(members, "where", Self::node)?,
            window: self.optional(members, "when", Self::window)?,
            count: self.optional(members, "count", Self::node)?,
        })
    }

    pub(super) fn binding(&mut self, members: &Members) -> Fallible<Node> {
        let name = self.name(members, "varName")?;
        let value = self.boxed(members, "value")?;
        let body = self.boxed(members, "body")?;
        Ok(node(Kind::Let(name, value, body)))
    }

    /// A function that is applied to an array keeps the items that it takes.
    pub(super) fn filtered(&mut self, members: &Members) -> Fallible<Node> {
        let (mut names, body) = self.member(members, "function", Self::created)?;
        let mut sources = self.member(members, "params", Self::nodes)?;
        match (names.pop(), sources.pop()) {
            (Some(variable), Some(source)) if names.is_empty() && sources.is_empty() => {
                let range = Range {
                    variable,
                    source,
                    condition: Some(body),
                };
                Ok(node(Kind::Quantified(Quantifier::Select, vec![range])))
            }
            _ => Err(self.found(
                "a function of several parameters",
                "one of one item, applied to one array,",
            )),
        }
    }
}

fn conjunction(mut conditions: Vec<Node>) -> Option<Node> {
    match conditions.len() {
        0 | 1 => conditions.pop(),
        _ => Some(node(Kind::Apply(Function::And, conditions))),
    }
}
