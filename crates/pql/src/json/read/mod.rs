mod binders;
mod leaves;
mod times;

use serde_json::{Map, Value};

use crate::error::{Problem, nearest};
use crate::parse::{arguments_problem, with_field};
use crate::syntax::{Kind, Name, Node, Root};
use crate::{Error, Function, MAX_DEPTH, Span};

type Members = Map<String, Value>;
type Fallible<T> = Result<T, Box<Error>>;

const NODES: &str = "a nodeType: fnApply, fieldLookup, parameterReference, literal, set, select, quantification, \
    varRef, or one of ours: aggregation, chain, itemReference, let, list, object, occurs,";

/// Reads nodes, and knows where it is.
#[derive(Default)]
pub(super) struct Reader {
    /// The members and places from the root down.
    at: Vec<String>,
    depth: u32,
}

impl Reader {
    pub(super) fn read(mut self, value: &Value) -> Result<Node, Error> {
        self.node(value).map_err(|error| *error)
    }

    fn error(&self, problem: Problem) -> Box<Error> {
        let mut pointer = String::new();
        for part in &self.at {
            pointer.push('/');
            pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
        }
        Box::new(Error::in_json(pointer, problem))
    }

    fn found(&self, found: impl Into<String>, wanted: impl Into<String>) -> Box<Error> {
        self.error(Problem::found(found, wanted))
    }

    /// What a member is, read at its place.
    fn member<T>(
        &mut self,
        members: &Members,
        name: &str,
        read: impl FnOnce(&mut Self, &Value) -> Fallible<T>,
    ) -> Fallible<T> {
        match self.optional(members, name, read)? {
            Some(value) => Ok(value),
            None => Err(self.found(format!("a node without {name:?}"), "one with it")),
        }
    }

    fn optional<T>(
        &mut self,
        members: &Members,
        name: &str,
        read: impl FnOnce(&mut Self, &Value) -> Fallible<T>,
    ) -> Fallible<Option<T>> {
        let Some(value) = members.get(name).filter(|v| !v.is_null()) else {
            return Ok(None);
        };
        self.at.push(name.to_owned());
        let read = read(self, value)?;
        self.at.pop();
        Ok(Some(read))
    }

    fn array<T>(
        &mut self,
        value: &Value,
        mut read: impl FnMut(&mut Self, &Value) -> Fallible<T>,
    ) -> Fallible<Vec<T>> {
        let Value::Array(items) = value else {
            return Err(self.found(describe(value), "an array"));
        };
        let mut all = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            self.at.push(at.to_string());
            all.push(read(self, item)?);
            self.at.pop();
        }
        Ok(all)
    }

    fn object<'v>(&self, value: &'v Value) -> Fallible<&'v Members> {
        match value {
            Value::Object(members) => Ok(members),
            value => Err(self.found(describe(value), "a JSON object")),
        }
    }

    fn string<'v>(&self, value: &'v Value) -> Fallible<&'v str> {
        match value {
            Value::String(text) => Ok(text),
            value => Err(self.found(describe(value), "a string")),
        }
    }

    fn text(&mut self, members: &Members, name: &str) -> Fallible<String> {
        self.member(members, name, |reader, value| {
            reader.string(value).map(str::to_owned)
        })
    }

    fn name(&mut self, members: &Members, member: &str) -> Fallible<Name> {
        let text = self.text(members, member)?;
        if text.is_empty() {
            return Err(self.found(format!("an empty {member:?}"), "a name"));
        }
        Ok(name(text))
    }

    fn boxed(&mut self, members: &Members, name: &str) -> Fallible<Box<Node>> {
        self.member(members, name, Self::node).map(Box::new)
    }

    fn node(&mut self, value: &Value) -> Fallible<Node> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(Problem::too_deep()));
        }
        let node = self.kind(value)?;
        self.depth -= 1;
        Ok(node)
    }

    fn kind(&mut self, value: &Value) -> Fallible<Node> {
        let members = self.object(value)?;
        let node_type = self.text(members, "nodeType")?;
        match node_type.as_str() {
            "fnApply" => self.apply(members),
            "fieldLookup" => self.field(members),
            "parameterReference" => self.parameter(members),
            "literal" => self.literal(members),
            "varRef" => self.variable(members),
            "itemReference" => self.item(members),
            "set" => self.set(members),
            "select" | "quantification" => self.quantified(members, &node_type),
            "aggregation" => self.aggregation(members),
            "let" => self.binding(members),
            "occurs" => self.occurs(members),
            "chain" => self.chain(members),
            "list" => self.list(members),
            "object" => self.object_node(members),
            other => Err(self.found(format!("the nodeType {other:?}"), NODES)),
        }
    }

    fn variable(&mut self, members: &Members) -> Fallible<Node> {
        let name = self.name(members, "varName")?;
        Ok(node(Kind::Root(Root::Variable(name.text))))
    }

    fn list(&mut self, members: &Members) -> Fallible<Node> {
        let items = self.member(members, "items", Self::nodes)?;
        Ok(node(Kind::List(items)))
    }

    fn nodes(&mut self, value: &Value) -> Fallible<Vec<Node>> {
        self.array(value, Self::node)
    }

    fn apply(&mut self, members: &Members) -> Fallible<Node> {
        if members.contains_key("function") {
            return self.filtered(members);
        }
        let name = self.text(members, "fnName")?;
        let Some(function) = Function::of_name(&name) else {
            let nearest = nearest(&name, Function::names(None));
            return Err(self.error(Problem::UnknownFunction { name, nearest }));
        };
        let mut params = self.member(members, "params", |reader, value| match function {
            Function::Map => reader.array(value, Self::node_or_lambda),
            _ => reader.nodes(value),
        })?;
        if matches!(function, Function::And | Function::Or)
            && params.len() == 1
            && let Some(only) = params.pop()
        {
            return Ok(only);
        }
        match arguments_problem(function, params.len()) {
            Some(problem) => Err(self.error(problem)),
            None => Ok(node(Kind::Apply(function, params))),
        }
    }

    fn node_or_lambda(&mut self, value: &Value) -> Fallible<Node> {
        let members = self.object(value)?;
        if members.get("nodeType").and_then(Value::as_str) != Some("fnCreate") {
            return self.node(value);
        }
        let (names, body) = self.created(value)?;
        if names.is_empty() || names.len() > 2 {
            return Err(self.found("a function of other parameters", "one of a key and a group"));
        }
        Ok(node(Kind::Lambda(names, Box::new(body))))
    }

    /// `fnCreate`: its parameters and its body.
    fn created(&mut self, value: &Value) -> Fallible<(Vec<Name>, Node)> {
        let members = self.object(value)?;
        let names = self.member(members, "params", |reader, value| {
            reader.array(value, |reader, value| {
                let members = reader.object(value)?;
                reader.name(members, "varName")
            })
        })?;
        Ok((names, self.member(members, "body", Self::node)?))
    }

    fn field(&mut self, members: &Members) -> Fallible<Node> {
        let mut name = self.name(members, "fieldName")?;
        if let Some(plain) = name.text.strip_prefix("xdm:").filter(|p| !p.is_empty()) {
            name.text = plain.to_owned();
        }
        // Without an object, a field is the profile's, or within a filter the item's.
        let object = self
            .optional(members, "object", Self::node)?
            .unwrap_or_else(|| node(Kind::Root(Root::Item(0))));
        Ok(node(with_field(object, name).0))
    }

    fn object_node(&mut self, members: &Members) -> Fallible<Node> {
        let members = self.member(members, "members", |reader, value| {
            reader.array(value, |reader, value| {
                let members = reader.object(value)?;
                let name = reader.text(members, "name")?;
                Ok((name, reader.member(members, "value", Self::node)?))
            })
        })?;
        Ok(node(Kind::Object(members)))
    }
}

fn node(kind: Kind) -> Node {
    Node::new(kind, Span::default())
}

fn name(text: String) -> Name {
    Name {
        text,
        span: Span::default(),
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a Boolean".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
