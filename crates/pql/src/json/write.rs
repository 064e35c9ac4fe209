use serde_json::{Map, Value, json};

use crate::Function;
use crate::syntax::{
    Kind, Literal, Moment, Name, Node, Quantifier, Range, Root, Side, Step, Window,
};

/// A node. Each kind has a function of its own, so that a deep tree costs little stack.
pub(super) fn node(node: &Node) -> Value {
    match node.kind() {
        Kind::Literal(literal) => self::literal(literal),
        Kind::List(items) => list(items),
        Kind::Object(members) => object(members),
        Kind::Root(root) => self::root(root),
        Kind::Fields(object, names) => fields(object, names),
        Kind::Apply(function, arguments) => apply(*function, arguments),
        Kind::Quantified(quantifier, ranges) => quantified(*quantifier, ranges),
        Kind::Over(function, value, ranges) => over(*function, value, ranges),
        Kind::Let(name, value, body) => binding(name, value, body),
        Kind::Occurs(time, window) => occurs(time, window),
        Kind::Chain(source, order, steps) => chain(source, order, steps),
        Kind::Lambda(names, body) => lambda(names, body),
    }
}

fn literal(literal: &Literal) -> Value {
    let literal_type = match literal {
        Literal::String(_) => "String",
        Literal::Boolean(_) => "Boolean",
        Literal::Integer(_) => "Integer",
        Literal::Double(_) => "Double",
    };
    json!({"nodeType": "literal", "literalType": literal_type, "value": value(literal)})
}

fn object(members: &[(String, Node)]) -> Value {
    let members: Vec<Value> = members
        .iter()
        .map(|(name, value)| json!({"name": name, "value": node(value)}))
        .collect();
    json!({"nodeType": "object", "members": members})
}

fn root(root: &Root) -> Value {
    match root {
        Root::Profile => json!({"nodeType": "parameterReference", "position": 1}),
        Root::Item(level) => json!({"nodeType": "itemReference", "level": level}),
        Root::Variable(name) => json!({"nodeType": "varRef", "varName": name}),
    }
}

fn fields(object: &Node, names: &[Name]) -> Value {
    names.iter().fold(
        node(object),
        |object, name| json!({"nodeType": "fieldLookup", "fieldName": name.text, "object": object}),
    )
}

fn apply(function: Function, arguments: &[Node]) -> Value {
    let params = nodes(arguments);
    json!({"nodeType": "fnApply", "fnName": function.name(), "params": params})
}

fn quantified(quantifier: Quantifier, ranges: &[Range]) -> Value {
    let variables = variables(ranges);
    let quantifier = match quantifier {
        Quantifier::Select => return json!({"nodeType": "select", "variables": variables}),
        Quantifier::Exists => "some",
        Quantifier::Forall => "all",
    };
    json!({"nodeType": "quantification", "quantifier": quantifier, "variables": variables})
}

fn over(function: Function, value: &Node, ranges: &[Range]) -> Value {
    let (value, variables) = (node(value), variables(ranges));
    json!({"nodeType": "aggregation", "fnName": function.name(), "value": value, "variables": variables})
}

fn binding(name: &Name, value: &Node, body: &Node) -> Value {
    let (value, body) = (node(value), node(body));
    json!({"nodeType": "let", "varName": name.text, "value": value, "body": body})
}

fn occurs(time: &Node, window: &Window) -> Value {
    occurring(node(time), self::window(window))
}

fn occurring(time: Value, window: Value) -> Value {
    json!({"nodeType": "occurs", "time": time, "window": window})
}

fn chain(source: &Node, order: &Node, steps: &[Step]) -> Value {
    let steps: Vec<Value> = steps.iter().map(step).collect();
    let (source, order) = (node(source), node(order));
    json!({"nodeType": "chain", "source": source, "order": order, "steps": steps})
}

fn lambda(names: &[Name], body: &Node) -> Value {
    let params: Vec<Value> = names.iter().map(|n| json!({"varName": n.text})).collect();
    let body = node(body);
    json!({"nodeType": "fnCreate", "params": params, "body": body})
}

fn nodes(nodes: &[Node]) -> Vec<Value> {
    nodes.iter().map(node).collect()
}

fn value(literal: &Literal) -> Value {
    match literal {
        Literal::String(text) => json!(text),
        Literal::Boolean(value) => json!(value),
        Literal::Integer(value) => json!(value),
        Literal::Double(value) => json!(value),
    }
}

/// A list of values is a literal, as the platform writes it; another one is a node of ours.
fn list(items: &[Node]) -> Value {
    let values: Option<Vec<Value>> = items
        .iter()
        .map(|item| match item.kind() {
            Kind::Literal(literal) => Some(value(literal)),
            _ => None,
        })
        .collect();
    match values {
        Some(values) => json!({"nodeType": "literal", "literalType": "List", "value": values}),
        None => json!({"nodeType": "list", "items": nodes(items)}),
    }
}

fn variables(ranges: &[Range]) -> Vec<Value> {
    ranges
        .iter()
        .map(|range| {
            let mut variable = Map::new();
            variable.insert("nodeType".to_owned(), json!("varDecl"));
            variable.insert("varName".to_owned(), json!(range.variable.text));
            variable.insert("from".to_owned(), node(&range.source));
            if let Some(condition) = &range.condition {
                variable.insert("where".to_owned(), node(condition));
            }
            Value::Object(variable)
        })
        .collect()
}

fn step(step: &Step) -> Value {
    let mut members = Map::new();
    members.insert("label".to_owned(), json!(step.label.text));
    members.insert("what".to_owned(), node(&step.what));
    if let Some(condition) = &step.condition {
        members.insert("where".to_owned(), node(condition));
    }
    if let Some(window) = &step.window {
        members.insert("when".to_owned(), self::window(window));
    }
    if let Some(count) = &step.count {
        members.insert("count".to_owned(), node(count));
    }
    Value::Object(members)
}

fn window(window: &Window) -> Value {
    match window {
        Window::Within { count, moment, .. } => {
            let (count, moment) = (node(count), self::moment(moment));
            within(window, count, moment)
        }
        Window::Beyond(side, moment) => about_moment(self::side(*side), self::moment(moment)),
        Window::On(moment) => about_moment("on", self::moment(moment)),
        Window::Between(from, to) => between(self::moment(from), self::moment(to)),
    }
}

/// What is below is written before: the macros' frames are large.
fn within(window: &Window, count: Value, moment: Value) -> Value {
    let Window::Within {
        comparison,
        unit,
        side,
        ..
    } = window
    else {
        return moment;
    };
    json!({
        "windowType": "within",
        "comparison": comparison.symbol(),
        "count": count,
        "unit": unit.word(),
        "side": self::side(*side),
        "moment": moment,
    })
}

fn about_moment(window_type: &str, moment: Value) -> Value {
    json!({"windowType": window_type, "moment": moment})
}

fn between(from: Value, to: Value) -> Value {
    json!({"windowType": "between", "from": from, "to": to})
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Before => "before",
        Side::After => "after",
    }
}

fn moment(moment: &Moment) -> Value {
    match moment {
        Moment::Time(time) => timed(node(time)),
        moment => worded(moment),
    }
}

fn timed(time: Value) -> Value {
    json!({"momentType": "time", "time": time})
}

fn worded(moment: &Moment) -> Value {
    let pick = |offset: i8, words: [&'static str; 3]| match offset.signum() {
        -1 => words[0],
        0 => words[1],
        _ => words[2],
    };
    match moment {
        Moment::Day(offset) => {
            json!({"momentType": pick(*offset, ["yesterday", "today", "tomorrow"])})
        }
        Moment::Calendar(offset, unit) => {
            json!({"momentType": pick(*offset, ["last", "this", "next"]), "unit": unit.word()})
        }
        Moment::Now | Moment::Time(_) => json!({"momentType": "now"}),
    }
}
