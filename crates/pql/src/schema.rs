use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The type of a field or of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text.
    String,
    /// True or false.
    Boolean,
    /// A whole number of 64 bits.
    Integer,
    /// A number with a fraction.
    Double,
    /// A moment, to the millisecond; in data ISO 8601 or milliseconds since 1970.
    Timestamp,
    /// A day.
    Date,
    /// Items of one type.
    Array(Box<Type>),
    /// Values of one type by names.
    Map(Box<Type>),
    /// Fields of their own types.
    Object(Fields),
}

/// The fields of an object. Copies share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Arc<BTreeMap<String, Type>>);

/// What expressions are checked against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// The fields of a profile. `xEvent` needs none: it always is the array of the profile's events.
    pub profile: Fields,
    /// The fields of an event.
    pub event: Fields,
}

impl Fields {
    /// Fields by their names.
    pub fn new<N: Into<String>>(fields: impl IntoIterator<Item = (N, Type)>) -> Self {
        let fields = fields.into_iter().map(|(name, ty)| (name.into(), ty));
        Self(Arc::new(fields.collect()))
    }

    /// The type of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Type> {
        self.0.get(name)
    }

    /// The fields in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Type)> {
        self.0.iter().map(|(name, ty)| (name.as_str(), ty))
    }
}

impl Type {
    /// An array of items of a type.
    #[must_use]
    pub fn array_of(item: Self) -> Self {
        Self::Array(Box::new(item))
    }

    /// A map to values of a type.
    #[must_use]
    pub fn map_of(value: Self) -> Self {
        Self::Map(Box::new(value))
    }

    /// An object of some fields.
    pub fn object_of<N: Into<String>>(fields: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::Object(Fields::new(fields))
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Integer | Self::Double)
    }

    pub(crate) fn is_time(&self) -> bool {
        matches!(self, Self::Timestamp | Self::Date)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("a String"),
            Self::Boolean => f.write_str("a Boolean"),
            Self::Integer => f.write_str("an Integer"),
            Self::Double => f.write_str("a Double"),
            Self::Timestamp => f.write_str("a Timestamp"),
            Self::Date => f.write_str("a Date"),
            Self::Array(_) => f.write_str("an array"),
            Self::Map(_) => f.write_str("a map"),
            Self::Object(_) => f.write_str("an object"),
        }
    }
}
