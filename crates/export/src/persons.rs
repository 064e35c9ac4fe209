//! The persons that profiles are, with the memberships of each: what an evaluation of segments starts from.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use membership::MembershipIndex;
use xdm::{Namespaces, SEGMENT_MEMBERSHIP, list_of, segment_membership};

use crate::error::Result;
use crate::map_keys::spelled;
use crate::pipeline::{Gathered, merge_unless_stopped, to_struct};

/// The columns behind the fields of rows. No field of XDM is called so.
const PERSONS: &str = " persons";
const BROUGHT: &str = " brought";

/// What rows tell of the persons that each profile is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToldPersons {
    /// Nothing.
    #[default]
    None,
    /// Their primary identities.
    Identities,
    /// Their memberships, too: those of evaluations, and those that data brought along.
    Memberships,
}

/// The persons of the profiles in a record batch: what the last columns say of a plan with
/// [`Plan::persons`](crate::Plan::persons).
pub struct PersonRows {
    /// For each profile the persons that it is, in the order of their keys: numbers of persons.
    ends: OffsetBuffer<i32>,
    /// The namespace of each person's primary identity, and the id.
    pub namespaces: StringArray,
    /// The id of each person's primary identity.
    pub ids: StringArray,
    /// The memberships that earlier evaluations gave each person: rows are persons. None where identities alone are told.
    pub evaluated: MembershipIndex,
    /// The memberships that data brought along, merged by the policy: rows are profiles. None where identities alone are told.
    pub brought: MembershipIndex,
}

impl PersonRows {
    /// Takes the columns of persons off a record batch.
    ///
    /// # Errors
    /// A record batch of a plan without them.
    pub fn split(rows: &RecordBatch) -> Result<(RecordBatch, Self)> {
        let wrong = || ArrowError::SchemaError("rows without their persons".to_owned());
        let brought = (rows.columns().last()).filter(|_| {
            let schema = rows.schema_ref();
            schema
                .fields()
                .last()
                .is_some_and(|field| field.name() == BROUGHT)
        });
        let of_persons = 1 + usize::from(brought.is_some());
        let fields = rows.num_columns().checked_sub(of_persons);
        let fields = fields.ok_or_else(wrong)?;
        let list = rows.column(fields).as_list_opt::<i32>();
        let list = list.ok_or_else(wrong)?;
        let persons = list.values().as_struct_opt().ok_or_else(wrong)?;
        let [namespaces, ids, evaluated @ ..] = persons.columns() else {
            return Err(wrong().into());
        };
        let text = |array: &ArrayRef| array.as_string_opt::<i32>().cloned().ok_or_else(wrong);
        let persons = Self {
            ends: list.offsets().clone(),
            namespaces: text(namespaces)?,
            ids: text(ids)?,
            evaluated: MembershipIndex::from_columns(evaluated)?,
            brought: MembershipIndex::from_columns(brought.map_or(&[][..], std::slice::from_ref))?,
        };
        let kept: Vec<usize> = (0..fields).collect();
        Ok((rows.project(&kept)?, persons))
    }

    /// The persons of each profile.
    pub fn of_profiles(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let ends = self.ends.windows(2);
        ends.map(|bounds| bounds[0] as usize..bounds[1] as usize)
    }
}

/// The persons of profiles, by their primary identities.
#[derive(Default)]
pub(crate) struct Persons {
    ends: Vec<i32>,
    namespaces: Vec<String>,
    ids: Vec<String>,
}

impl Persons {
    /// Adds a person to the profile at hand.
    pub(crate) fn push(&mut self, (namespace, id): (&str, &str)) {
        self.namespaces.push(namespace.to_owned());
        self.ids.push(id.to_owned());
    }

    /// Ends the profile at hand.
    pub(crate) fn end_profile(&mut self) {
        self.ends.push(self.ids.len() as i32);
    }
}

/// What the columns of persons are made of.
pub(crate) struct PersonParts {
    pub(crate) persons: Persons,
    /// Where these are told.
    pub(crate) memberships: Option<MembershipParts>,
}

/// What the memberships of persons are made of.
pub(crate) struct MembershipParts {
    /// A group for each person.
    pub(crate) evaluated: Gathered,
    /// A group for each profile.
    pub(crate) brought: Gathered,
}

impl PersonParts {
    pub(crate) fn columns(&self, is_to_stop: &dyn Fn() -> bool) -> Result<Vec<(String, ArrayRef)>> {
        let text =
            |texts: &[String]| -> ArrayRef { Arc::new(StringArray::from_iter_values(texts)) };
        let mut of_person = vec![
            ("namespace".to_owned(), text(&self.persons.namespaces)),
            ("id".to_owned(), text(&self.persons.ids)),
        ];
        // The platform's own namespaces alone are looked for by who reads these.
        let merged = |gathered| {
            let merged = merge_unless_stopped(gathered, is_to_stop)?;
            spelled(merged, &Namespaces::default())
        };
        if let Some(memberships) = &self.memberships {
            of_person.extend(merged(&memberships.evaluated)?);
        }
        let persons = to_struct(of_person, self.persons.ids.len())?;
        let ends = [0].into_iter().chain(self.persons.ends.iter().copied());
        let item = Arc::new(Field::new_list_field(persons.data_type().clone(), true));
        let ends = OffsetBuffer::new(ends.collect());
        let list = ListArray::try_new(item, ends, persons, None)?;
        let list: ArrayRef = Arc::new(list);
        let mut columns = vec![(PERSONS.to_owned(), list)];
        if let Some(memberships) = &self.memberships {
            let brought = merged(&memberships.brought)?.into_iter();
            columns.extend(brought.map(|(_, array)| (BROUGHT.to_owned(), array)));
        }
        Ok(columns)
    }
}

/// The columns of persons, where text is in no dictionaries.
pub(crate) fn person_fields(told: ToldPersons) -> Vec<Field> {
    let of_memberships = |name: &str| {
        let memberships = segment_membership().data_type();
        (told == ToldPersons::Memberships).then(|| Field::new(name, memberships, true))
    };
    let mut person = vec![
        Field::new("namespace", DataType::Utf8, true),
        Field::new("id", DataType::Utf8, true),
    ];
    person.extend(of_memberships(SEGMENT_MEMBERSHIP));
    let persons = Field::new(PERSONS, list_of(DataType::Struct(person.into())), true);
    match told {
        ToldPersons::None => Vec::new(),
        _ => [persons]
            .into_iter()
            .chain(of_memberships(BROUGHT))
            .collect(),
    }
}
