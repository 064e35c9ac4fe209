//! From tree to canonical text: one text for equal trees, which is read back as an equal tree.

mod binders;

use crate::Function;
use crate::function::{Form, level};
use crate::lexer::{is_name_part, is_name_start};
use crate::syntax::{Kind, Literal, Name, Node, Quantifier, Root};

/// Binders are looser than any operator.
const BINDER: u8 = 0;

/// Words that mean something where a path may begin; a field of that name is quoted there.
const WORDS: [&str; 33] = [
    "true",
    "false",
    "not",
    "null",
    "this",
    "select",
    "exists",
    "forall",
    "let",
    "sum",
    "average",
    "min",
    "max",
    "and",
    "or",
    "in",
    "notIn",
    "like",
    "matches",
    "occurs",
    "now",
    "today",
    "yesterday",
    "tomorrow",
    "last",
    "next",
    "before",
    "after",
    "between",
    "on",
    "where",
    "over",
    "from",
];

/// The canonical text.
pub(crate) fn print(root: &Node) -> String {
    let mut printer = Printer::default();
    printer.node(root, BINDER);
    printer.text
}

#[derive(Default)]
struct Printer {
    text: String,
    variables: Vec<String>,
    items: u32,
}

impl Printer {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn node(&mut self, node: &Node, at_least: u8) {
        if level_of(node) >= at_least {
            self.kind(node.kind());
        } else {
            self.push("(");
            self.kind(node.kind());
            self.push(")");
        }
    }

    fn kind(&mut self, kind: &Kind) {
        match kind {
            Kind::Literal(literal) => self.literal(literal),
            Kind::List(items) => {
                self.push("[");
                self.list(items);
                self.push("]");
            }
            Kind::Object(members) => self.object(members),
            Kind::Root(root) => self.root(root),
            Kind::Fields(object, names) => self.fields(object, names),
            Kind::Apply(function, arguments) => self.apply(*function, arguments),
            Kind::Quantified(quantifier, ranges) => {
                self.push(match quantifier {
                    Quantifier::Select => "select ",
                    Quantifier::Exists => "exists ",
                    Quantifier::Forall => "forall ",
                });
                let before = self.variables.len();
                self.ranges(ranges);
                self.variables.truncate(before);
            }
            Kind::Over(function, value, ranges) => self.over(*function, value, ranges),
            Kind::Let(variable, value, body) => {
                self.push("let ");
                self.head(&variable.text);
                self.push(" = (");
                self.node(value, BINDER);
                self.push(") in (");
                self.variables.push(variable.text.clone());
                self.node(body, BINDER);
                self.variables.pop();
                self.push(")");
            }
            Kind::Occurs(time, window) => {
                self.node(time, level::COMPARISON + 1);
                self.push(" occurs ");
                self.window(window);
            }
            Kind::Chain(source, order, steps) => self.chain(source, order, steps),
            Kind::Lambda(names, body) => {
                self.push("(");
                let before = self.variables.len();
                for (at, name) in names.iter().enumerate() {
                    self.push(if at > 0 { ", " } else { "" });
                    self.head(&name.text);
                    self.variables.push(name.text.clone());
                }
                self.push(") => ");
                self.node(body, level::OR);
                self.variables.truncate(before);
            }
        }
    }

    fn list(&mut self, items: &[Node]) {
        for (at, item) in items.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" });
            self.node(item, BINDER);
        }
    }

    fn object(&mut self, members: &[(String, Node)]) {
        self.push("{");
        for (at, (key, value)) in members.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" });
            self.string(key);
            self.push(": ");
            self.node(value, BINDER);
        }
        self.push("}");
    }

    fn literal(&mut self, literal: &Literal) {
        match literal {
            Literal::String(text) => self.string(text),
            Literal::Boolean(value) => self.push(if *value { "true" } else { "false" }),
            Literal::Integer(value) => self.push(&value.to_string()),
            // Always with a point or an exponent, and the shortest that reads back as the same.
            Literal::Double(value) => self.push(&format!("{value:?}")),
        }
    }

    fn string(&mut self, text: &str) {
        self.push("\"");
        for c in text.chars() {
            match c {
                '"' => self.push("\\\""),
                '\\' => self.push("\\\\"),
                '\n' => self.push("\\n"),
                '\t' => self.push("\\t"),
                '\r' => self.push("\\r"),
                c if c.is_control() => self.push(&format!("\\u{:04x}", u32::from(c))),
                c => self.text.push(c),
            }
        }
        self.push("\"");
    }

    fn is_variable(&self, name: &str) -> bool {
        self.variables.iter().any(|v| v == name)
    }

    fn root(&mut self, root: &Root) {
        match root {
            Root::Profile => self.push("$1"),
            Root::Item(0) => self.push("this"),
            Root::Item(levels) => (0..*levels).for_each(|_| self.push("^")),
            Root::Variable(name) => self.head(name),
        }
    }

    fn fields(&mut self, object: &Node, names: &[Name]) {
        let shadowed = names.first().is_some_and(|n| self.is_variable(&n.text));
        let implicit = match object.kind() {
            Kind::Root(Root::Profile) => self.items == 0 && !shadowed,
            Kind::Root(Root::Item(0)) => !shadowed,
            _ => false,
        };
        let mut names = names.iter();
        if implicit {
            if let Some(first) = names.next() {
                self.head(&first.text);
            }
        } else {
            self.node(object, level::POSTFIX);
        }
        for name in names {
            self.push(".");
            self.name(&name.text);
        }
    }

    /// A name where a path begins.
    fn head(&mut self, name: &str) {
        if WORDS.iter().any(|word| word.eq_ignore_ascii_case(name)) {
            self.quoted(name);
        } else {
            self.name(name);
        }
    }

    fn name(&mut self, name: &str) {
        let plain = name.starts_with(is_name_start) && name.chars().all(is_name_part);
        // The one word that the lexer doesn't take for a name before a colon.
        if plain && name != "xdm" {
            self.push(name);
        } else {
            self.quoted(name);
        }
    }

    fn quoted(&mut self, name: &str) {
        self.push("`");
        self.push(&name.replace('`', "``"));
        self.push("`");
    }

    fn apply(&mut self, function: Function, arguments: &[Node]) {
        let signature = function.signature();
        match (signature.form, arguments) {
            (Form::Infix(level), _) => {
                let flat = matches!(function, Function::And | Function::Or);
                let left_alike = matches!(level, level::SUM | level::PRODUCT) && !flat;
                for (at, argument) in arguments.iter().enumerate() {
                    if at > 0 {
                        self.push(" ");
                        self.push(signature.name);
                        self.push(" ");
                    }
                    self.node(argument, level + u8::from(!(left_alike && at == 0)));
                }
            }
            (Form::Prefix(level), [argument]) if function == Function::Negate => {
                self.push("-");
                // `-5` is a literal, `-(5)` the negation of one.
                let number = matches!(
                    argument.kind(),
                    Kind::Literal(Literal::Integer(_) | Literal::Double(_))
                );
                self.node(argument, level + 2 * u8::from(number));
            }
            (Form::Prefix(level), arguments) => {
                self.push(signature.name);
                self.push(" ");
                arguments.iter().for_each(|a| self.node(a, level));
            }
            (Form::Method, [on, condition])
                if function == Function::Filter && !is_key(condition) =>
            {
                self.node(on, level::POSTFIX);
                self.push("[");
                self.in_item(|printer| printer.node(condition, BINDER));
                self.push("]");
            }
            (Form::Method, [on, rest @ ..]) => {
                self.node(on, level::POSTFIX);
                self.push(".");
                self.push(signature.name);
                self.push("(");
                match rest {
                    [first, rest @ ..] if signature.about_items => {
                        self.in_item(|printer| printer.node(first, BINDER));
                        self.push(if rest.is_empty() { "" } else { ", " });
                        self.list(rest);
                    }
                    rest => self.list(rest),
                }
                self.push(")");
            }
            (Form::Free | Form::Method, arguments) => {
                self.push(signature.name);
                self.push("(");
                self.list(arguments);
                self.push(")");
            }
        }
    }

    fn in_item(&mut self, inner: impl FnOnce(&mut Self)) {
        self.items += 1;
        inner(self);
        self.items -= 1;
    }
}

/// What `[…]` would be refused for.
fn is_key(condition: &Node) -> bool {
    matches!(
        condition.kind(),
        Kind::Literal(Literal::String(_) | Literal::Integer(_))
    )
}

fn level_of(node: &Node) -> u8 {
    match node.kind() {
        Kind::Quantified(..) | Kind::Over(..) | Kind::Let(..) | Kind::Lambda(..) => BINDER,
        Kind::Occurs(..) => level::COMPARISON,
        // A method on a number is called on brackets; a sign binds as a sign does.
        Kind::Literal(Literal::Integer(_) | Literal::Double(_)) => level::UNARY,
        Kind::Apply(function, _) => match function.signature().form {
            Form::Infix(level) | Form::Prefix(level) => level,
            Form::Free | Form::Method => level::POSTFIX,
        },
        Kind::Literal(_)
        | Kind::List(_)
        | Kind::Object(_)
        | Kind::Root(_)
        | Kind::Fields(..)
        | Kind::Chain(..) => level::POSTFIX,
    }
}
