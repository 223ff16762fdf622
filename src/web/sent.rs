//! `POST /api/sent`: another program has sent a mail to a lead.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Viewer;
use super::error::{ApiError, ErrorBody};
use super::state::Shared;
use crate::campaign::{ReportRefused, SentReport, report_sent};
use crate::model::Scope;
use crate::store::Change;

/// Mails of one request.
const MAX_MAILS: usize = 500;

/// Its route.
pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(sent))
        .routes(routes!(super::pending::pending))
}

/// Several mails.
#[derive(Clone, Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SentReports {
    /// At most 500.
    #[schema(max_items = 500)]
    mails: Vec<SentReport>,
}

/// One mail, or several.
#[derive(Clone, Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "the description of the body, which is read by hand for better errors"
)]
pub(crate) enum SentBody {
    /// One.
    One(Box<SentReport>),
    /// Several.
    Several(SentReports),
}

/// What became of a mail.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct SentResult {
    /// As it was told.
    message_id: String,
    /// As it was told.
    campaign_lead_id: i64,
    /// `new`, `updated`, `unchanged` or `refused`.
    result: &'static str,
    /// Its row; none where it was refused.
    sent_id: Option<i64>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What became of all of them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct SentResults {
    /// In the order of the request.
    items: Vec<SentResult>,
    /// Stored messages that these mails made matchable: fetched again at the next look.
    refetch: usize,
}

/// Tells of one mail, or of at most 500, that another program sent. The same again changes nothing. Of
/// several, each is taken or refused by itself.
#[utoipa::path(
    post, path = "/api/sent", tag = "sent",
    request_body(content = SentBody, content_type = "application/json"),
    responses(
        (status = 200, description = "What became of each mail", body = SentResults),
        (status = 400, description = "The body is wrong, or the campaign lead of a single mail is unknown", body = ErrorBody),
        (status = 401, description = "No token, or no good one", body = ErrorBody),
        (status = 403, description = "The token may only read", body = ErrorBody),
        (status = 413, description = "More than 500 mails, or too long", body = ErrorBody),
        (status = 422, description = "A single mail that cannot be taken", body = ErrorBody),
    )
)]
async fn sent(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    body: Bytes,
) -> Result<Json<SentResults>, ApiError> {
    viewer.needs(Scope::Write)?;
    let value: serde_json::Value =
        serde_json::from_slice(&body).map_err(|_| ApiError::bad_request("The body is no JSON"))?;
    let is_single = value.get("mails").is_none() && !value.is_array();
    let mails: Vec<SentReport> = match value {
        value if is_single => vec![read(value)?],
        value if value.is_array() => read(value)?,
        value => read::<SentReports>(value)?.mails,
    };
    if mails.len() > MAX_MAILS {
        return Err(ApiError::too_large(format!(
            "At most {MAX_MAILS} mails a request"
        )));
    }
    let named: Vec<(String, i64)> = mails
        .iter()
        .map(|m| (m.message_id.clone(), m.campaign_lead_id))
        .collect();
    let done = report_sent(&shared.store, &shared.keys, &viewer.access, mails).await?;
    let mut results = SentResults {
        items: Vec::new(),
        refetch: 0,
    };
    for ((message_id, campaign_lead_id), done) in named.into_iter().zip(done) {
        let (result, sent_id, error) = match done {
            Ok(upsert) => {
                results.refetch += upsert.refetch;
                let word = match upsert.change {
                    Change::New => "new",
                    Change::Updated => "updated",
                    Change::Unchanged => "unchanged",
                };
                (word, Some(upsert.id.0), None)
            }
            Err(ReportRefused::Unknown) if is_single => {
                return Err(ApiError::bad_request("Campaign lead not found"));
            }
            Err(ReportRefused::Wrong(why)) if is_single => {
                return Err(ApiError::unprocessable(why));
            }
            Err(ReportRefused::Unknown) => {
                ("refused", None, Some("Campaign lead not found".to_owned()))
            }
            Err(ReportRefused::Wrong(why)) => ("refused", None, Some(why)),
        };
        results.items.push(SentResult {
            message_id,
            campaign_lead_id,
            result,
            sent_id,
            error,
        });
    }
    Ok(Json(results))
}

fn read<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, ApiError> {
    serde_json::from_value(value)
        .map_err(|e| ApiError::bad_request(format!("The body is not as described: {e}")))
}
