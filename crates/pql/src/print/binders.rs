use std::fmt::Write;

use super::{BINDER, Printer};
use crate::Function;
use crate::function::level;
use crate::syntax::{Kind, Literal, Moment, Node, Range, Side, Step, Window};

impl Step {
    /// Its canonical text, as within a CHAIN: `C0: WHAT(…) COUNT(2)`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut printer = Printer::default();
        printer.in_item(|printer| printer.step(self));
        printer.text
    }
}

impl Printer {
    pub(super) fn ranges(&mut self, ranges: &[Range]) {
        for (at, range) in ranges.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" });
            self.head(&range.variable.text);
            self.push(" from ");
            self.node(&range.source, level::SUM);
            self.variables.push(range.variable.text.clone());
            if let Some(condition) = &range.condition {
                self.push(" where ");
                self.node(condition, level::OR);
            }
        }
    }

    pub(super) fn over(&mut self, function: Function, value: &Node, ranges: &[Range]) {
        let before = self.variables.len();
        let ranges = {
            let outer = std::mem::take(&mut self.text);
            self.ranges(ranges);
            std::mem::replace(&mut self.text, outer)
        };
        self.push(function.name());
        self.push(" ");
        let start = self.text.len();
        self.node(value, level::OR);
        // `sum - x` and `sum [x]` are about a field that is called sum.
        if self
            .text
            .get(start..)
            .is_some_and(|v| v.starts_with(['-', '[', '{']))
        {
            self.text.insert(start, '(');
            self.push(")");
        }
        self.push(" over ");
        self.push(&ranges);
        self.variables.truncate(before);
    }

    pub(super) fn window(&mut self, window: &Window) {
        match window {
            Window::Within {
                comparison,
                count,
                unit,
                side,
                moment,
            } => {
                self.push(comparison.symbol());
                self.push(" ");
                self.node(count, level::SUM);
                let (one, many) = unit.words();
                let is_one = matches!(count.kind(), Kind::Literal(Literal::Integer(1)));
                let _ = write!(self.text, " {} ", if is_one { one } else { many });
                self.side(*side);
                self.moment(moment);
            }
            Window::Beyond(side, moment) => {
                self.side(*side);
                self.moment(moment);
            }
            Window::On(moment) => self.moment(moment),
            Window::Between(from, to) => {
                self.push("between ");
                self.moment(from);
                self.push(" and ");
                self.moment(to);
            }
        }
    }

    pub(super) fn side(&mut self, side: Side) {
        self.push(match side {
            Side::Before => "before ",
            Side::After => "after ",
        });
    }

    pub(super) fn moment(&mut self, moment: &Moment) {
        match moment {
            Moment::Now => self.push("now"),
            Moment::Day(offset) => self.push(match offset.signum() {
                -1 => "yesterday",
                0 => "today",
                _ => "tomorrow",
            }),
            Moment::Calendar(offset, unit) => {
                self.push(match offset.signum() {
                    -1 => "last ",
                    0 => "this ",
                    _ => "next ",
                });
                self.push(unit.words().0);
            }
            Moment::Time(node) => self.node(node, level::SUM),
        }
    }

    pub(super) fn chain(&mut self, source: &Node, order: &Node, steps: &[Step]) {
        self.push("CHAIN(");
        self.node(source, BINDER);
        self.push(", ");
        self.in_item(|printer| {
            printer.node(order, BINDER);
            printer.push(", [");
            for (at, step) in steps.iter().enumerate() {
                printer.push(if at > 0 { ", " } else { "" });
                printer.step(step);
            }
        });
        self.push("])");
    }

    pub(super) fn step(&mut self, step: &Step) {
        self.name(&step.label.text);
        self.push(": WHAT(");
        self.node(&step.what, BINDER);
        self.push(")");
        if let Some(condition) = &step.condition {
            self.push(" WHERE(");
            self.node(condition, BINDER);
            self.push(")");
        }
        if let Some(window) = &step.window {
            self.push(" WHEN(");
            self.window(window);
            self.push(")");
        }
        if let Some(count) = &step.count {
            self.push(" COUNT(");
            self.node(count, BINDER);
            self.push(")");
        }
    }
}
