//! The description of the API, made from the handlers.

use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ComponentsBuilder, Info, OpenApi, OpenApiBuilder};

use crate::identity_schemas::{ClusterObject, NamespaceObject};
use crate::schemas;

/// The description before the handlers are added: what they can't say, the title, the headers and the
/// shape of problems.
pub(crate) fn start() -> OpenApi {
    let mut info = Info::new("Profile Export", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Export jobs over a local profile store, with the paths and bodies of the platform's own API."
            .to_owned(),
    );
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let mut components = ComponentsBuilder::new()
        .schema_from::<schemas::Problem>()
        .schema_from::<schemas::TokenRefusal>()
        .schema_from::<schemas::ExportJob>()
        .schema_from::<schemas::MergePolicyObject>()
        .schema_from::<schemas::AudienceObject>()
        .schema_from::<NamespaceObject>()
        .schema_from::<ClusterObject>()
        .security_scheme("bearer", SecurityScheme::Http(bearer));
    let mut requirement = SecurityRequirement::new("bearer", [""; 0]);
    for header in ["x-api-key", "x-gw-ims-org-id", "x-sandbox-name"] {
        let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(header)));
        components = components.security_scheme(header, key);
        requirement = requirement.add(header, [""; 0]);
    }
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components.build()))
        .security(Some([requirement]))
        .build()
}
