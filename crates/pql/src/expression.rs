use std::collections::BTreeSet;
use std::fmt;

use crate::error::Problem;
use crate::parse::parse;
use crate::print::print;
use crate::syntax::{Kind, Literal, Node};
use crate::{Error, Function, MAX_DEPTH, MAX_NODES, Span};

/// An expression: its tree, and the text that the tree's spans are about.
///
/// Two expressions are equal if their trees are, whatever their texts look like.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    root: Node,
}

impl Expression {
    /// Reads an expression's text, `pql/text`.
    ///
    /// # Errors
    /// A text that is no expression, with its line and column; one beyond the limits.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let root = parse(text).map_err(|error| *error)?;
        Ok(Self {
            text: text.to_owned(),
            root,
        })
    }

    /// An expression of a tree. Its text is the canonical one, and so are the spans.
    ///
    /// # Errors
    /// A tree beyond the limits; one that no text gives, such as a variable that nothing binds.
    pub fn from_tree(root: &Node) -> Result<Self, Error> {
        let refuse = |problem| Err(Error::in_text("", Span::default(), problem));
        if root.height() > MAX_DEPTH {
            return refuse(Problem::too_deep());
        }
        if count(root) > MAX_NODES {
            return refuse(Problem::too_large());
        }
        Self::parse(&print(root))
    }

    /// The tree.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The IDs of the segments it asks for by `inSegment`, in order, each once.
    #[must_use]
    pub fn segments(&self) -> Vec<String> {
        let mut asked = BTreeSet::new();
        collect_segments(&self.root, &mut asked);
        asked.into_iter().collect()
    }

    /// The text it was read from; of one that came as JSON or as a tree, the canonical text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The canonical text: the same for equal expressions, and read back as an equal one (unless blanks and brackets
    /// make it longer than a text may be).
    #[must_use]
    pub fn to_text(&self) -> String {
        print(&self.root)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Eq for Expression {}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl std::str::FromStr for Expression {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

fn collect_segments(node: &Node, asked: &mut BTreeSet<String>) {
    if let Kind::Apply(Function::InSegment, nodes) = node.kind()
        && let [id] = &nodes[..]
        && let Kind::Literal(Literal::String(id)) = id.kind()
    {
        asked.insert(id.clone());
    }
    node.kind()
        .for_each_child(&mut |child| collect_segments(child, asked));
}

/// How many nodes a tree has; roots and names of paths count, too.
fn count(node: &Node) -> usize {
    let mut nodes = match node.kind() {
        Kind::Fields(_, names) => 1 + names.len(),
        _ => 1,
    };
    node.kind()
        .for_each_child(&mut |child| nodes += count(child));
    nodes
}
