use serde_json::Value;

use super::{Fallible, Members, Reader, node};
use crate::syntax::{Comparison, Kind, Moment, Node, Side, Unit, Window};

const MOMENTS: &str = "now, yesterday, today, tomorrow, last, this, next or time";

impl Reader {
    pub(super) fn occurs(&mut self, members: &Members) -> Fallible<Node> {
        let time = self.boxed(members, "time")?;
        let window = self.member(members, "window", Self::window)?;
        Ok(node(Kind::Occurs(time, Box::new(window))))
    }

    /// As with nodes, each way deeper has a frame of its own.
    pub(super) fn window(&mut self, value: &Value) -> Fallible<Window> {
        let members = self.object(value)?;
        match members.get("windowType").and_then(Value::as_str) {
            Some("within") => self.within(members),
            Some("between") => self.between(members),
            Some("on") => self.one_moment(members).map(Window::On),
            Some("before") => self
                .one_moment(members)
                .map(|m| Window::Beyond(Side::Before, m)),
            Some("after") => self
                .one_moment(members)
                .map(|m| Window::Beyond(Side::After, m)),
            _ => Err(self.found("another windowType", "within, before, after, on or between")),
        }
    }

    pub(super) fn one_moment(&mut self, members: &Members) -> Fallible<Moment> {
        self.member(members, "moment", Self::moment)
    }

    pub(super) fn between(&mut self, members: &Members) -> Fallible<Window> {
        let from = self.member(members, "from", Self::moment)?;
        let to = self.member(members, "to", Self::moment)?;
        Ok(Window::Between(from, to))
    }

    pub(super) fn within(&mut self, members: &Members) -> Fallible<Window> {
        let count = self.boxed(members, "count")?;
        let moment = self.one_moment(members)?;
        self.within_of(members, count, moment)
    }

    pub(super) fn within_of(
        &mut self,
        members: &Members,
        count: Box<Node>,
        moment: Moment,
    ) -> Fallible<Window> {
        let symbol = self.text(members, "comparison")?;
        let Some(comparison) = Comparison::of_symbol(&symbol) else {
            return Err(self.found(
                format!("the comparison {symbol:?}"),
                "=, !=, <, <=, > or >=",
            ));
        };
        let side = match self.text(members, "side")?.as_str() {
            "before" => Side::Before,
            "after" => Side::After,
            side => return Err(self.found(format!("the side {side:?}"), "before or after")),
        };
        Ok(Window::Within {
            comparison,
            count,
            unit: self.unit(members)?,
            side,
            moment,
        })
    }

    pub(super) fn unit(&mut self, members: &Members) -> Fallible<Unit> {
        let word = self.text(members, "unit")?;
        match Unit::of_word(&word) {
            Some(unit) => Ok(unit),
            None => Err(self.found(format!("the unit {word:?}"), "a unit of time, such as day,")),
        }
    }

    pub(super) fn moment(&mut self, value: &Value) -> Fallible<Moment> {
        let members = self.object(value)?;
        match members.get("momentType").and_then(Value::as_str) {
            Some("time") => self.boxed(members, "time").map(Moment::Time),
            Some(word) => self.worded_moment(members, word),
            None => Err(self.found("a moment without a momentType", MOMENTS)),
        }
    }

    pub(super) fn worded_moment(&mut self, members: &Members, word: &str) -> Fallible<Moment> {
        Ok(match word {
            "now" => Moment::Now,
            "yesterday" => Moment::Day(-1),
            "today" => Moment::Day(0),
            "tomorrow" => Moment::Day(1),
            "last" => Moment::Calendar(-1, self.unit(members)?),
            "this" => Moment::Calendar(0, self.unit(members)?),
            "next" => Moment::Calendar(1, self.unit(members)?),
            other => return Err(self.found(format!("the momentType {other:?}"), MOMENTS)),
        })
    }
}
