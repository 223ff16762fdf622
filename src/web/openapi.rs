//! The OpenAPI document, made from the handlers, and its viewer, whose files are part of the program.

use std::sync::Arc;

use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::{Json, Router, extract::Request, routing::get};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::state::Shared;

/// Where the document is.
const DOCUMENT: &str = "/api/openapi.json";
/// The viewer styles its elements one by one and has pictures in its style sheet; scripts are its
/// files alone, and nothing comes from elsewhere.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

/// The document of what is served here, and the viewer.
pub(super) fn routes(document: OpenApi) -> Router<Arc<Shared>> {
    let document = Arc::new(complete(document));
    let viewer = Router::from(SwaggerUi::new("/api/docs").config(Config::from(DOCUMENT)))
        .layer(middleware::from_fn(policy));
    Router::new()
        .route(
            DOCUMENT,
            get(move || {
                let document = Arc::clone(&document);
                async move { Json((*document).clone()) }
            }),
        )
        .merge(viewer)
}

async fn policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CSP),
    );
    response
}

/// With what no handler says: the name of it all, and how one is let in.
fn complete(mut document: OpenApi) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("replyd")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Conversations with leads, the answers that wait for people, and what is behind them. \
             Errors are `{error, message}`. Lists of the newer endpoints are `{items, next, \
             mailbox}`: `next` is the cursor of the next page, `mailbox` says how fresh they are.",
        ))
        .license(Some(
            LicenseBuilder::new()
                .name("MIT OR Apache-2.0")
                .identifier(Some("MIT OR Apache-2.0"))
                .build(),
        ))
        .build();
    let components = document
        .components
        .take()
        .unwrap_or_else(|| ComponentsBuilder::new().build());
    document.components = Some(
        ComponentsBuilder::from(components)
            .security_scheme(
                "token",
                SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
            )
            .build(),
    );
    document.security = Some(vec![SecurityRequirement::new(
        "token",
        Vec::<String>::new(),
    )]);
    document
}
