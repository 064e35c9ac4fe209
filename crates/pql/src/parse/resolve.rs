//! Which root each bare name has: a variable, the item that a filter is about, or the profile.
//!
//! It comes after the parsing, since `sum X.a over X from …` names a variable before it is there.

use crate::Span;
use crate::error::Problem;
use crate::syntax::{Kind, Moment, Name, Node, Range, Root, Window};

/// The level of an item's root that stands for a bare name until it is resolved.
pub(crate) const BARE: u32 = u32::MAX;

/// What names mean at a place.
#[derive(Default)]
pub(crate) struct Scope {
    /// The name of the profile in `(Profile) => …`.
    profile: Option<String>,
    variables: Vec<String>,
    /// How many filters there are around the place.
    items: u32,
}

type Problematic = Result<(), (Span, Problem)>;

impl Scope {
    pub(crate) fn of(profile: Option<String>) -> Self {
        Self {
            profile,
            ..Self::default()
        }
    }

    fn root_of(&self, name: &str) -> Option<Root> {
        if self.variables.iter().any(|v| v == name) {
            Some(Root::Variable(name.to_owned()))
        } else if self.profile.as_deref() == Some(name) {
            Some(Root::Profile)
        } else {
            None
        }
    }

    fn implicit(&self) -> Root {
        match self.items {
            0 => Root::Profile,
            _ => Root::Item(0),
        }
    }
}

/// Resolves a tree's bare names and levels.
pub(crate) fn resolve(node: &mut Node, scope: &mut Scope) -> Problematic {
    let span = node.span();
    let mut kind = node.take_kind();
    let outcome = resolve_kind(&mut kind, span, scope);
    *node = Node::new(kind, span);
    outcome
}

fn resolve_kind(kind: &mut Kind, span: Span, scope: &mut Scope) -> Problematic {
    match kind {
        Kind::Literal(_) => Ok(()),
        Kind::Root(root) => resolve_root(root, span, scope),
        Kind::Fields(object, names) => match object.kind() {
            Kind::Root(Root::Item(BARE)) => {
                if let Some(kind_now) = bare(names, scope) {
                    *kind = kind_now;
                }
                Ok(())
            }
            _ => resolve(object, scope),
        },
        Kind::List(nodes) => each(nodes, scope),
        Kind::Object(members) => members
            .iter_mut()
            .try_for_each(|(_, node)| resolve(node, scope)),
        Kind::Apply(function, nodes) => {
            if !function.signature().about_items {
                return each(nodes, scope);
            }
            for (at, node) in nodes.iter_mut().enumerate() {
                if at == 1 {
                    in_item(scope, |scope| resolve(node, scope))?;
                } else {
                    resolve(node, scope)?;
                }
            }
            Ok(())
        }
        Kind::Quantified(_, ranges) => {
            let before = scope.variables.len();
            resolve_ranges(ranges, scope)?;
            scope.variables.truncate(before);
            Ok(())
        }
        Kind::Over(_, value, ranges) => {
            let before = scope.variables.len();
            resolve_ranges(ranges, scope)?;
            resolve(value, scope)?;
            scope.variables.truncate(before);
            Ok(())
        }
        Kind::Let(name, value, body) => {
            resolve(value, scope)?;
            scope.variables.push(name.text.clone());
            resolve(body, scope)?;
            scope.variables.pop();
            Ok(())
        }
        Kind::Occurs(time, window) => {
            resolve(time, scope)?;
            resolve_window(window, scope)
        }
        Kind::Chain(source, order, steps) => {
            resolve(source, scope)?;
            in_item(scope, |scope| {
                resolve(order, scope)?;
                for step in steps {
                    resolve(&mut step.what, scope)?;
                    step.condition
                        .iter_mut()
                        .try_for_each(|node| resolve(node, scope))?;
                    step.window
                        .iter_mut()
                        .try_for_each(|window| resolve_window(window, scope))?;
                    step.count
                        .iter_mut()
                        .try_for_each(|node| resolve(node, scope))?;
                }
                Ok(())
            })
        }
        Kind::Lambda(names, body) => {
            let before = scope.variables.len();
            scope.variables.extend(names.iter().map(|n| n.text.clone()));
            resolve(body, scope)?;
            scope.variables.truncate(before);
            Ok(())
        }
    }
}

fn each(nodes: &mut [Node], scope: &mut Scope) -> Problematic {
    nodes.iter_mut().try_for_each(|node| resolve(node, scope))
}

fn in_item(scope: &mut Scope, inner: impl FnOnce(&mut Scope) -> Problematic) -> Problematic {
    scope.items += 1;
    inner(scope)?;
    scope.items -= 1;
    Ok(())
}

fn resolve_ranges(ranges: &mut [Range], scope: &mut Scope) -> Problematic {
    for range in ranges {
        resolve(&mut range.source, scope)?;
        scope.variables.push(range.variable.text.clone());
        range
            .condition
            .iter_mut()
            .try_for_each(|node| resolve(node, scope))?;
    }
    Ok(())
}

fn resolve_window(window: &mut Window, scope: &mut Scope) -> Problematic {
    match window {
        Window::Within { count, moment, .. } => {
            resolve(count, scope)?;
            resolve_moment(moment, scope)
        }
        Window::Beyond(_, moment) | Window::On(moment) => resolve_moment(moment, scope),
        Window::Between(from, to) => {
            resolve_moment(from, scope)?;
            resolve_moment(to, scope)
        }
    }
}

fn resolve_moment(moment: &mut Moment, scope: &mut Scope) -> Problematic {
    match moment {
        Moment::Time(node) => resolve(node, scope),
        Moment::Now | Moment::Day(_) | Moment::Calendar(..) => Ok(()),
    }
}

/// A path whose first name may be a variable.
fn bare(names: &mut Vec<Name>, scope: &Scope) -> Option<Kind> {
    let mut names = std::mem::take(names);
    let first = names.first()?;
    let root_span = first.span;
    let root = match scope.root_of(&first.text) {
        Some(root) => {
            names.remove(0);
            root
        }
        None => scope.implicit(),
    };
    if names.is_empty() {
        return Some(Kind::Root(root));
    }
    let root = Node::new(Kind::Root(root), root_span);
    Some(Kind::Fields(Box::new(root), names))
}

fn resolve_root(root: &mut Root, span: Span, scope: &Scope) -> Problematic {
    match root {
        Root::Profile => Ok(()),
        Root::Variable(name) => match scope.root_of(name) {
            Some(Root::Variable(_)) => Ok(()),
            // The older JSON has it for the profile, outside of any variable.
            _ if name == "_" => {
                *root = Root::Profile;
                Ok(())
            }
            _ => {
                let problem = Problem::found(
                    format!("the variable {name:?}, which nothing binds here"),
                    "a variable of a binder around it",
                );
                Err((span, problem))
            }
        },
        Root::Item(level) if *level < scope.items => Ok(()),
        Root::Item(level) if *level == scope.items => {
            *root = Root::Profile;
            Ok(())
        }
        Root::Item(level) => {
            let problem = Problem::found(
                format!("{level} levels up"),
                format!("at most {}, which is the profile,", scope.items),
            );
            Err((span, problem))
        }
    }
}
