use simd_json::{Buffers, Node, StaticNode, Tape};

use super::{Kind, RecordError, Value};

/// How deep a record may nest.
const DEEPEST: usize = 128;

/// Parses JSON documents on a tape that is used again and again.
pub(crate) struct JsonParser {
    buffers: Buffers,
    nodes: Vec<Node<'static>>,
    scratch: Vec<u8>,
}

impl JsonParser {
    pub(crate) fn new() -> Self {
        Self {
            buffers: Buffers::with_max_depth(4096, DEEPEST),
            nodes: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Parses each of the documents, given as ranges of `text`, and hands `f` its number and value.
    ///
    /// The text is copied once, since the parser unescapes strings in place.
    pub(crate) fn parse_all<E>(
        &mut self,
        text: &[u8],
        documents: impl Iterator<Item = (usize, usize)>,
        mut f: impl FnMut(usize, Result<JsonValue<'_>, RecordError>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(text);
        scratch.resize(text.len() + simd_json::INPUT_PADDING, b' ');
        let mut tape = Tape(std::mem::take(&mut self.nodes));
        let mut result = Ok(());
        for (number, (start, end)) in documents.enumerate() {
            let mut used = tape.reset();
            let Some(padded) = scratch.get_mut(start..end + simd_json::INPUT_PADDING) else {
                tape = used.reset();
                continue;
            };
            let parsed =
                simd_json::fill_tape_padded(padded, end - start, &mut self.buffers, &mut used);
            result = match parsed {
                Ok(()) => f(number, Ok(JsonValue { nodes: &used.0 })),
                Err(error) => f(number, Err(json_error(&error))),
            };
            tape = used.reset();
            if result.is_err() {
                break;
            }
        }
        self.nodes = tape.0;
        self.scratch = scratch;
        result
    }
}

fn json_error(error: &simd_json::Error) -> RecordError {
    use simd_json::ErrorType;
    let what = match error.error() {
        ErrorType::InvalidUtf8 => "invalid UTF-8".to_owned(),
        ErrorType::Eof => "broken JSON: it ends too early".to_owned(),
        ErrorType::DepthLimitExceeded => {
            format!("nested deeper than {DEEPEST} levels")
        }
        ErrorType::InvalidNumber | ErrorType::Overflow => {
            "broken JSON: a number that is malformed or does not fit".to_owned()
        }
        other => format!("broken JSON: {other:?}"),
    };
    RecordError::new(format!("{what} (near byte {})", error.index()))
}

/// A value on the tape: its first node and all that follow.
#[derive(Clone, Copy)]
pub(crate) struct JsonValue<'t> {
    nodes: &'t [Node<'t>],
}

impl<'t> JsonValue<'t> {
    fn rest(self, skip: usize) -> &'t [Node<'t>] {
        self.nodes.get(skip..).unwrap_or(&[])
    }
}

/// How many nodes a value takes on the tape.
fn width(nodes: &[Node<'_>]) -> usize {
    match nodes.first() {
        Some(Node::Object { count, .. } | Node::Array { count, .. }) => count + 1,
        _ => 1,
    }
}

impl<'t> Value<'t> for JsonValue<'t> {
    #[inline]
    fn kind(self) -> Kind<'t> {
        match self.nodes.first() {
            Some(Node::String(text)) => Kind::Text(text),
            Some(Node::Object { .. }) => Kind::Object,
            Some(Node::Array { .. }) => Kind::List,
            Some(Node::Static(StaticNode::Bool(b))) => Kind::Boolean(*b),
            Some(Node::Static(StaticNode::I64(i))) => Kind::Integer(*i),
            Some(Node::Static(StaticNode::U64(i))) => match i64::try_from(*i) {
                Ok(i) => Kind::Integer(i),
                Err(_) => Kind::Large(*i),
            },
            Some(Node::Static(StaticNode::F64(x))) => Kind::Float(*x),
            Some(Node::Static(StaticNode::Null)) | None => Kind::Null,
        }
    }

    #[inline]
    fn items(self, f: &mut impl FnMut(Self) -> Result<(), RecordError>) -> Result<(), RecordError> {
        let Some(Node::Array { len, .. }) = self.nodes.first() else {
            return Ok(());
        };
        let mut nodes = self.rest(1);
        for _ in 0..*len {
            f(JsonValue { nodes })?;
            nodes = nodes.get(width(nodes)..).unwrap_or(&[]);
        }
        Ok(())
    }

    #[inline]
    fn entries(
        self,
        f: &mut impl FnMut(&'t str, Self) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        let Some(Node::Object { len, .. }) = self.nodes.first() else {
            return Ok(());
        };
        let mut nodes = self.rest(1);
        for _ in 0..*len {
            let (Some(Node::String(key)), rest) = (nodes.first(), nodes.get(1..).unwrap_or(&[]))
            else {
                return Ok(());
            };
            f(key, JsonValue { nodes: rest })?;
            nodes = rest.get(width(rest)..).unwrap_or(&[]);
        }
        Ok(())
    }
}
