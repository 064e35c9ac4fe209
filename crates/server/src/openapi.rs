//! The description of the API, made from the handlers.

use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Info, OpenApi, OpenApiBuilder};

use crate::schemas;

/// What the handlers can't say: the title, the headers and the shape of problems.
#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(schemas::Problem, schemas::ExportJob, schemas::MergePolicyObject)))]
struct Shared;

/// The description before the handlers are added.
pub(crate) fn start() -> OpenApi {
    let mut info = Info::new("Profile Export", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Export jobs over a local profile store, with the paths and bodies of the platform's own API."
            .to_owned(),
    );
    let mut shared = <Shared as utoipa::OpenApi>::openapi();
    let headers = ["x-api-key", "x-gw-ims-org-id", "x-sandbox-name"];
    let mut requirement = SecurityRequirement::new("bearer", [""; 0]);
    if let Some(components) = &mut shared.components {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        for header in headers {
            let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(header)));
            components.add_security_scheme(header, key);
            requirement = requirement.add(header, [""; 0]);
        }
    }
    OpenApiBuilder::new()
        .info(info)
        .components(shared.components)
        .security(Some([requirement]))
        .build()
}
