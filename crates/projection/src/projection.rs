use xdm::{FieldPath, FieldType, Fields, nearest, quote_part};

use crate::ProjectionError;
use crate::shape::{check_case, solid, solid_fields};

/// The fields of an export.
#[derive(Clone, Debug)]
pub struct Projection {
    pub(crate) keep: Keep,
    needed: Fields,
    output: Fields,
}

/// What is kept of a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Keep {
    /// All of it.
    All,
    /// These fields of an object, or of the objects in a list.
    Fields(Vec<(String, Keep)>),
    /// These keys of a map, and of their values that.
    Keys {
        keys: Vec<String>,
        /// Namespaces: ASCII case does not count.
        fold: bool,
        value: Box<Keep>,
    },
}

/// Fields that are merged as a whole, since parts that an export does not show decide the rest.
const UNITED: [&str; 3] = ["identityMap", "identities", "segmentMembership"];

impl Projection {
    /// The fields at these paths, or all where there are none.
    ///
    /// # Errors
    /// A path that the union schema does not have; names that differ only in case; nothing to export.
    pub fn new(paths: &[FieldPath], union: &Fields) -> Result<Self, ProjectionError> {
        let mut keep = Keep::All;
        if !paths.is_empty() {
            keep = Keep::Fields(Vec::new());
            let root = FieldType::Object(union.clone());
            for path in paths {
                let at = Place {
                    path,
                    depth: 0,
                    top: None,
                };
                at.add(&mut keep, &root)?;
            }
        }
        let kept = keep.kept_fields(union);
        let output = solid_fields(&kept).ok_or(ProjectionError::NoFields)?;
        check_case(&output, &mut Vec::new())?;
        let needed = output
            .iter()
            .map(|(name, ty)| {
                let ty = match union.get(name) {
                    Some(whole) if UNITED.contains(&name) => whole,
                    _ => ty,
                };
                (name.to_owned(), ty.clone())
            })
            .collect();
        Ok(Self {
            keep,
            needed,
            output,
        })
    }

    /// The fields that must be read and merged, in the union schema's order.
    #[must_use]
    pub fn needed(&self) -> &Fields {
        &self.needed
    }

    /// The fields that come out, in the union schema's order.
    #[must_use]
    pub fn output(&self) -> &Fields {
        &self.output
    }
}

impl Keep {
    /// What is left of some fields.
    fn kept_fields(&self, fields: &Fields) -> Fields {
        match self {
            Self::Fields(kept) => fields
                .iter()
                .filter_map(|(name, ty)| {
                    let (_, keep) = kept.iter().find(|(kept, _)| kept == name)?;
                    Some((name.to_owned(), keep.kept_type(ty)))
                })
                .collect(),
            _ => fields.clone(),
        }
    }

    fn kept_type(&self, ty: &FieldType) -> FieldType {
        match (self, ty) {
            (Self::All, _) => ty.clone(),
            (_, FieldType::List(item)) => FieldType::List(Box::new(self.kept_type(item))),
            (Self::Keys { value, .. }, FieldType::Map(ty)) => {
                FieldType::Map(Box::new(value.kept_type(ty)))
            }
            (_, FieldType::Object(fields)) => FieldType::Object(self.kept_fields(fields)),
            _ => ty.clone(),
        }
    }
}

/// Where in a path we are.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a FieldPath,
    depth: usize,
    /// The top-level field that the path begins with.
    top: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// Adds what the rest of the path asks for to what is kept of a value of type `ty`.
    fn add(self, keep: &mut Keep, ty: &FieldType) -> Result<(), ProjectionError> {
        let Some(part) = self.path.parts().get(self.depth) else {
            if solid(ty).is_none() {
                return Err(ProjectionError::EmptyObject {
                    path: self.path.to_string(),
                });
            }
            *keep = Keep::All;
            return Ok(());
        };
        // What is kept as a whole already needs no more, but the path must exist all the same.
        let mut ignored;
        let keep = if *keep == Keep::All {
            ignored = match ty {
                FieldType::Map(_) => self.no_keys(),
                _ => Keep::Fields(Vec::new()),
            };
            &mut ignored
        } else {
            keep
        };
        let next = Place {
            depth: self.depth + 1,
            top: self.top.or(Some(part)),
            ..self
        };
        match ty {
            FieldType::List(item) => self.add(keep, item),
            FieldType::Object(fields) => {
                let ty = fields.get(part).ok_or_else(|| self.missing(part, fields))?;
                if let Keep::Fields(kept) = keep {
                    let at = match kept.iter().position(|(name, _)| name == part) {
                        Some(at) => at,
                        None => {
                            kept.push((part.clone(), next.nothing(ty)));
                            kept.len() - 1
                        }
                    };
                    if let Some((_, keep)) = kept.get_mut(at) {
                        next.add(keep, ty)?;
                    }
                }
                Ok(())
            }
            FieldType::Map(value) => {
                if let Keep::Keys {
                    keys, value: keep, ..
                } = keep
                {
                    if !keys.contains(part) {
                        keys.push(part.clone());
                    }
                    if keys.len() == 1 && **keep == Keep::Fields(Vec::new()) {
                        **keep = next.nothing(value);
                    }
                    next.add(keep, value)?;
                }
                Ok(())
            }
            _ => Err(self.missing(part, &Fields::default())),
        }
    }

    /// Nothing kept of a value of this type yet.
    fn nothing(self, ty: &FieldType) -> Keep {
        match ty {
            FieldType::List(item) => self.nothing(item),
            FieldType::Map(_) => self.no_keys(),
            _ => Keep::Fields(Vec::new()),
        }
    }

    fn no_keys(self) -> Keep {
        let of_namespaces = ["identityMap", "segmentMembership"];
        Keep::Keys {
            keys: Vec::new(),
            fold: self.depth == 1 && self.top.is_some_and(|top| of_namespaces.contains(&top)),
            value: Box::new(Keep::Fields(Vec::new())),
        }
    }

    fn missing(self, part: &str, siblings: &Fields) -> ProjectionError {
        let parents = &self.path.parts()[..self.depth];
        let at = FieldPath::from_parts(parents.iter().cloned()).to_string();
        let near: Vec<String> = nearest(part, siblings.iter().map(|(name, _)| name))
            .into_iter()
            .map(|name| {
                let prefix = if at.is_empty() {
                    String::new()
                } else {
                    format!("{at}.")
                };
                format!("{prefix}{}", quote_part(name))
            })
            .collect();
        let hint = if part == "timeSeriesEvents" && self.depth == 0 {
            "; ask for events with additionalFields.eventList".to_owned()
        } else if !near.is_empty() {
            format!("; did you mean {}?", near.join(", "))
        } else if siblings.is_empty() {
            "; it is no object".to_owned()
        } else {
            let names: Vec<String> = siblings
                .iter()
                .take(12)
                .map(|(name, _)| quote_part(name))
                .collect();
            format!("; it has {}", names.join(", "))
        };
        ProjectionError::NoSuchField {
            path: self.path.to_string(),
            part: part.to_owned(),
            at,
            hint,
        }
    }
}

#[cfg(test)]
mod tests;
