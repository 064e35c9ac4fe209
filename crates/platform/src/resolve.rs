use catalog::{Catalog, DocumentKind};
use export::{ExportRequest, Plan, RequestError, UnionSchemas};
use merge::MergePolicy;
use xdm::Class;

use crate::error::Result;
use crate::policies::{merge_policies, named_policy};
use crate::segments::policy_of;

/// What a request asks for, by the merge policies and union schemas as they stand now.
///
/// # Errors
/// It can't be done as asked.
pub(crate) fn plan_of(catalog: &Catalog, request: &ExportRequest) -> Result<Plan> {
    let unions = UnionSchemas {
        profile: catalog.union(Class::Profile, None)?,
        event: catalog.union(Class::Event, None)?,
        namespaces: catalog.namespaces()?,
    };
    Ok(Plan::new(
        &request.evaluated(),
        resolve_policy(catalog, request)?,
        &unions,
    )?)
}

/// The merge policy that a request uses: the one that it names; else the one that its segments'
/// definitions name; else the default.
///
/// # Errors
/// A policy that there isn't; segments whose definitions name different ones.
pub(crate) fn resolve_policy(catalog: &Catalog, request: &ExportRequest) -> Result<MergePolicy> {
    Ok(choose_policy(catalog, request)?.0)
}

/// Why a request uses its merge policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyChoice {
    /// The request names it.
    Asked,
    /// The request does not, and the definition of its segment with this ID does.
    OfSegment(String),
    /// Neither does: it is the default.
    Default,
}

/// The same with why it is that one.
///
/// # Errors
/// As for [`resolve_policy`].
pub(crate) fn choose_policy(
    catalog: &Catalog,
    request: &ExportRequest,
) -> Result<(MergePolicy, PolicyChoice)> {
    if let Some(named) = &request.merge_policy {
        let policy = named_policy(catalog, &named.id, named.version, "mergePolicy")?;
        return Ok((policy, PolicyChoice::Asked));
    }
    let wanted = request.filter.as_ref().and_then(|f| f.segments.as_deref());
    let mut found: Option<(String, String)> = None;
    for segment in wanted.unwrap_or_default() {
        let id = &segment.segment_id;
        let Some(definition) = catalog.document(DocumentKind::Segment, id, None)? else {
            continue;
        };
        let Some(policy) = policy_of(definition.value()).map(str::to_owned) else {
            continue;
        };
        match &found {
            None => found = Some((id.clone(), policy)),
            Some((_, known)) if *known == policy => {}
            Some((first, known)) => {
                return Err(RequestError::new(
                    "mergePolicy",
                    format!(
                        "missing, and the segments name different merge policies: {first} names \
                         {known:?}, {id} names {policy:?}; say which one"
                    ),
                )
                .into());
            }
        }
    }
    match found {
        Some((segment, policy)) => {
            let policy = named_policy(catalog, &policy, None, "mergePolicy")?;
            Ok((policy, PolicyChoice::OfSegment(segment)))
        }
        None => {
            let policies = merge_policies(catalog)?;
            let default = policies.into_iter().find(|policy| policy.default);
            let default = default.ok_or_else(|| {
                RequestError::new("mergePolicy", "missing, and there is no default")
            })?;
            Ok((default, PolicyChoice::Default))
        }
    }
}
