//! Fields, by the schema.

use super::{Checker, Fallible, at, lift};
use crate::error::{Problem, nearest, shown};
use crate::schema::{Fields, Type};
use crate::syntax::{Name, Node};
use crate::typed::{Term, Value};

/// The array of a profile's events.
const EVENTS: &str = "xEvent";

impl Checker<'_> {
    pub(super) fn fields(&mut self, object: &Node, names: &[Name]) -> Fallible<Value> {
        let object = self.value(object)?;
        self.path(object, names)
    }

    fn path(&mut self, object: Value, names: &[Name]) -> Fallible<Value> {
        let Some((name, rest)) = names.split_first() else {
            return Ok(object);
        };
        if let (Term::Profile, EVENTS) = (&*object.term, name.text.as_str()) {
            return self.path(self.events(), rest);
        }
        if let Term::Record(members) = &*object.term {
            let member = members.iter().find(|(own, _)| *own == name.text);
            return match member {
                Some((_, value)) => self.path(value.clone(), rest),
                None => {
                    let own = members.iter().map(|(name, _)| name.as_str());
                    Err(unknown(name, "the select", nearest(&name.text, own)))
                }
            };
        }
        match &object.ty {
            Type::Array(_) => {
                let mut inner = Ok(());
                let mapped = lift::each(object, |item| {
                    self.path(item, names).map_err(|error| {
                        let problem = error.1.clone();
                        inner = Err(error);
                        problem
                    })
                });
                inner?;
                mapped.map_err(|problem| at(name.span, problem))
            }
            Type::Object(fields) => {
                let (found, ty) = self.find(&object, fields, name)?;
                let value = Value::new(extend(object, found), ty);
                self.path(value, rest)
            }
            Type::Map(_) => {
                let problem = Problem::found(
                    format!("the field {:?} of a map", shown(&name.text)),
                    format!(".get({:?}), .keys() or .values()", shown(&name.text)),
                );
                Err(at(name.span, problem))
            }
            ty => {
                let problem = Problem::found(
                    format!("the field {:?} of {ty}", shown(&name.text)),
                    "an object's field, or a function with brackets",
                );
                Err(at(name.span, problem))
            }
        }
    }

    /// A field's name in its object (two names, if a tenant's is left out), and its type.
    fn find(&self, object: &Value, fields: &Fields, name: &Name) -> Fallible<(Vec<String>, Type)> {
        let text = name.text.as_str();
        if let Some(ty) = fields.get(text) {
            return Ok((vec![text.to_owned()], ty.clone()));
        }
        // K-q writes an event's id without the underscore.
        if let ("id", Some(ty)) = (text, fields.get("_id")) {
            return Ok((vec!["_id".to_owned()], ty.clone()));
        }
        let mut of_tenants = tenants(fields).filter_map(|(tenant, own)| {
            let ty = own.get(text)?;
            Some((vec![tenant.to_owned(), text.to_owned()], ty.clone()))
        });
        match (of_tenants.next(), of_tenants.next()) {
            (Some(found), None) => Ok(found),
            (Some(first), Some(second)) => {
                let problem = Problem::found(
                    format!("the field {text:?}, which several tenants have"),
                    format!("{} or {}", first.0.join("."), second.0.join(".")),
                );
                Err(at(name.span, problem))
            }
            _ => Err(self.unknown_field(object, fields, name)),
        }
    }

    fn unknown_field(
        &self,
        object: &Value,
        fields: &Fields,
        name: &Name,
    ) -> Box<(crate::Span, Problem)> {
        let is_profile = matches!(*object.term, Term::Profile);
        let own = fields.iter().map(|(name, _)| name);
        let tenants_own =
            tenants(fields).flat_map(|(_, fields)| fields.iter().map(|(name, _)| name));
        let events = is_profile.then_some(EVENTS);
        let close = nearest(&name.text, own.chain(tenants_own).chain(events));
        let owner = match &*object.term {
            Term::Profile => "the profile".to_owned(),
            Term::Field(_, path) => path.join("."),
            _ if *fields == self.schema.event => "an event".to_owned(),
            _ => "an item".to_owned(),
        };
        if close.is_empty()
            && ["now", "today", "yesterday", "tomorrow"].contains(&name.text.as_str())
        {
            let problem = Problem::found(
                format!("{:?}, which is no field", name.text),
                "it behind \"occurs\", as in \"timestamp occurs before now\",",
            );
            return at(name.span, problem);
        }
        unknown(name, &owner, close)
    }
}

fn unknown(name: &Name, owner: &str, nearest: Vec<String>) -> Box<(crate::Span, Problem)> {
    let problem = Problem::UnknownField {
        name: shown(&name.text),
        owner: owner.to_owned(),
        nearest,
    };
    at(name.span, problem)
}

/// The objects that hold an organisation's own fields.
fn tenants(fields: &Fields) -> impl Iterator<Item = (&str, &Fields)> {
    fields.iter().filter_map(|(name, ty)| match ty {
        Type::Object(own) if name.starts_with('_') && name != "_repo" => Some((name, own)),
        _ => None,
    })
}

/// A field of an object, or of an object's field.
fn extend(object: Value, names: Vec<String>) -> Term {
    match *object.term {
        Term::Field(root, mut path) => {
            path.extend(names);
            Term::Field(root, path)
        }
        term => Term::Field(Value::new(term, object.ty), names),
    }
}
