use serde::{Deserialize, Serialize};

use crate::{FieldType, Fields};

/// The class of a dataset's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// XDM Individual Profile: record data, one fragment per dataset and identity.
    Profile,
    /// XDM ExperienceEvent: time series data, many per identity.
    Event,
}

impl Class {
    /// Both classes, profiles first.
    pub const ALL: [Self; 2] = [Self::Profile, Self::Event];

    /// The platform's name of the class, as in `schema.name` of a request.
    #[must_use]
    pub fn schema_name(self) -> &'static str {
        match self {
            Self::Profile => "_xdm.context.profile",
            Self::Event => "_xdm.context.experienceevent",
        }
    }

    /// The `$id` of the class.
    #[must_use]
    pub fn class_id(self) -> &'static str {
        match self {
            Self::Profile => "https://ns.adobe.com/xdm/context/profile",
            Self::Event => "https://ns.adobe.com/xdm/context/experienceevent",
        }
    }

    /// The `$id` of the class's union schema.
    #[must_use]
    pub fn union_id(self) -> &'static str {
        match self {
            Self::Profile => "https://ns.adobe.com/xdm/context/profile__union",
            Self::Event => "https://ns.adobe.com/xdm/context/experienceevent__union",
        }
    }

    /// The word that `dataset.json` and the command line use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Event => "event",
        }
    }

    /// The class whose union schema has this `$id`.
    #[must_use]
    pub fn from_union_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.union_id() == id)
    }

    /// The fields that the union schema of the class has before any dataset adds its own.
    #[must_use]
    pub fn standard_fields(self) -> Fields {
        let mut fields = Fields::default();
        if self == Self::Event {
            fields.insert("_id", FieldType::String);
            fields.insert("timestamp", FieldType::DateTime);
        }
        fields.insert("identityMap", identity_map());
        if self == Self::Profile {
            fields.insert("segmentMembership", segment_membership());
        }
        fields
    }

    /// The type that XDM itself gives to a top-level field which no schema declares, used when data
    /// first brings the field. Source: XDM's External Source System Audit Attributes.
    #[must_use]
    pub fn standard_type(self, field: &str) -> Option<FieldType> {
        match field {
            "extSourceSystemAudit" => {
                let mut audit = Fields::default();
                audit.insert("lastUpdatedDate", FieldType::DateTime);
                Some(FieldType::Object(audit))
            }
            "segmentMembership" => Some(segment_membership()),
            _ => None,
        }
    }
}

/// The type that XDM gives to a child of a top-level field which no schema declares, where its keys are
/// data. Source: XDM's Consents and Preferences, whose `idSpecific` has namespaces and identities as keys.
#[must_use]
pub fn standard_child(field: &str, child: &str) -> Option<FieldType> {
    let map = |value| FieldType::Map(Box::new(value));
    match (field, child) {
        ("consents", "idSpecific") => Some(map(map(FieldType::Unknown))),
        _ => None,
    }
}

/// The type of `identityMap`: `map<namespace, list<identity>>`.
#[must_use]
pub fn identity_map() -> FieldType {
    let mut item = Fields::default();
    item.insert("id", FieldType::String);
    item.insert("authenticatedState", FieldType::String);
    item.insert("primary", FieldType::Boolean);
    FieldType::Map(Box::new(FieldType::List(Box::new(FieldType::Object(item)))))
}

/// The union schema's name for a person's identities.
pub const IDENTITY_MAP: &str = "identityMap";

/// The platform's name for the events of a profile, in its exports.
pub const TIME_SERIES_EVENTS: &str = "timeSeriesEvents";

/// The union schema's name for who is in which segment.
pub const SEGMENT_MEMBERSHIP: &str = "segmentMembership";

/// The namespace of the platform's own segments, as the platform spells it.
pub const SEGMENT_NAMESPACE: &str = "ups";

/// The type of `segmentMembership`: `map<namespace, map<segment, membership>>`.
#[must_use]
pub fn segment_membership() -> FieldType {
    let mut membership = Fields::default();
    membership.insert("status", FieldType::String);
    membership.insert("lastQualificationTime", FieldType::DateTime);
    membership.insert("validUntil", FieldType::DateTime);
    FieldType::Map(Box::new(FieldType::Map(Box::new(FieldType::Object(
        membership,
    )))))
}
