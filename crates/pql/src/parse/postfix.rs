use super::Parser;
use crate::error::{Problem, nearest, shown};
use crate::function::{Form, level};
use crate::lexer::Token;
use crate::syntax::{Kind, Literal, Name, Node};
use crate::{Error, Function, Span};

impl Parser<'_> {
    pub(super) fn apply(
        &mut self,
        function: Function,
        arguments: Vec<Node>,
        name: Span,
        span: Span,
    ) -> Result<Node, Box<Error>> {
        match arguments_problem(function, arguments.len()) {
            Some(problem) => Err(self.error(name, problem)),
            None => self.node(Kind::Apply(function, arguments), span),
        }
    }

    /// What follows an operand without a blank: fields, methods, filters.
    pub(super) fn postfix(&mut self, mut node: Node) -> Result<Node, Box<Error>> {
        loop {
            if self.take_mark(".")?.is_some() {
                node = self.member(node)?;
            } else if self.take_mark("[")?.is_some() {
                node = self.filter(node)?;
            } else {
                return Ok(node);
            }
        }
    }

    pub(super) fn refuse_filter_of_chain(&self, node: &Node, span: Span) -> Result<(), Box<Error>> {
        if !matches!(node.kind(), Kind::Chain(..)) {
            return Ok(());
        }
        let problem = Problem::refused(
            "found a filter of CHAIN",
            "CHAIN is a condition, not an array; put what a step must meet into its WHAT(…)",
        );
        Err(self.error(span, problem))
    }

    pub(super) fn filter(&mut self, node: Node) -> Result<Node, Box<Error>> {
        self.refuse_filter_of_chain(&node, node.span())?;
        let condition = self.expression(level::OR)?;
        if let Kind::Literal(Literal::String(_) | Literal::Integer(_)) = condition.kind() {
            let problem = Problem::found(
                "a key in square brackets",
                "a condition, .get(\"key\") of a map, or .head() of an array",
            );
            return Err(self.error(condition.span(), problem));
        }
        let end = self.expect_mark("]", "an operator or \"]\"")?;
        let span = node.span().to(end);
        self.node(Kind::Apply(Function::Filter, vec![node, condition]), span)
    }

    pub(super) fn member(&mut self, node: Node) -> Result<Node, Box<Error>> {
        let name = self.expect_name("a field or a function after the \".\"")?;
        if self.lexer.peek(0)?.0 == Token::Mark("(") {
            return self.method(node, &name);
        }
        let (kind, span) = with_field(node, name);
        self.node(kind, span)
    }

    pub(super) fn method(&mut self, node: Node, name: &Name) -> Result<Node, Box<Error>> {
        let function = self.method_named(&node, name)?;
        self.lexer.next()?;
        let start = node.span();
        let (more, end) = match function {
            Function::Map => self.lambda_or_list()?,
            _ => self.list(")")?,
        };
        let mut arguments = vec![node];
        arguments.extend(more);
        self.apply(function, arguments, name.span, start.to(end))
    }

    pub(super) fn method_named(&self, node: &Node, name: &Name) -> Result<Function, Box<Error>> {
        let Some(function) = Function::called(&name.text, Form::Method) else {
            let problem = Problem::UnknownFunction {
                name: shown(&name.text),
                nearest: nearest(&name.text, Function::names(Some(Form::Method))),
            };
            return Err(self.error(name.span, problem));
        };
        if function == Function::Filter {
            self.refuse_filter_of_chain(node, name.span)?;
        }
        Ok(function)
    }

    /// What stands in brackets that are open, and the closing one.
    pub(super) fn list(&mut self, close: &'static str) -> Result<(Vec<Node>, Span), Box<Error>> {
        let mut items = Vec::new();
        if let Some(end) = self.take_mark(close)? {
            return Ok((items, end));
        }
        loop {
            items.push(self.expression(level::OR)?);
            if self.take_mark(",")?.is_none() {
                let wanted = format!("an operator, \",\" or {close:?}");
                return Ok((items, self.expect_mark(close, &wanted)?));
            }
        }
    }
}

/// Whether a function has the wrong number of arguments, what a method is called on among them.
pub(crate) fn arguments_problem(function: Function, found: usize) -> Option<Problem> {
    let signature = function.signature();
    let (least, most) = signature.arguments;
    if (least..=most).contains(&found) {
        return None;
    }
    let own = usize::from(signature.form == Form::Method);
    let count = |n: usize| match n.saturating_sub(own) {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        n => format!("{n} arguments"),
    };
    let wanted = match most {
        usize::MAX => format!("at least {}", count(least)),
        _ if least == most => count(most),
        _ => format!("{} or {}", least.saturating_sub(own), count(most)),
    };
    Some(Problem::Arguments {
        function: function.name().to_owned(),
        found: count(found),
        wanted,
    })
}

/// A field of something, or one more field of a path.
pub(crate) fn with_field(node: Node, name: Name) -> (Kind, Span) {
    let span = node.span().to(name.span);
    let kind = match node.kind() {
        Kind::Fields(..) => match node.into_kind() {
            Kind::Fields(object, mut names) => {
                names.push(name);
                Kind::Fields(object, names)
            }
            kind => kind,
        },
        _ => Kind::Fields(Box::new(node), vec![name]),
    };
    (kind, span)
}
