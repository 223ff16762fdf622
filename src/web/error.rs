//! What a caller is told when something is not done: a status, a word for programs, a sentence for
//! people. Details of a failure of ours stand in the log, under the request's id.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::error;

use crate::desk::DeskError;
use crate::store::StoreError;

/// An answer that is an error: `{"error": …, "message": …}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// For programs: the predecessor's word where it had one.
    pub(crate) error: String,
    /// For people.
    pub(crate) message: String,
    /// For `Retry-After`, in seconds.
    pub(crate) retry_after_s: Option<u64>,
}

/// The body of an error.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ErrorBody {
    /// A word for programs, such as `Not Found`.
    pub(crate) error: String,
    /// A sentence for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, error: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            error: error.to_owned(),
            message: message.into(),
            retry_after_s: None,
        }
    }

    /// 400: the request is wrong, and how.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Bad Request", message)
    }

    /// 401: nobody we know.
    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
    }

    /// 403: known, and may not do this.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message)
    }

    /// 404: not there, or somebody else's.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found", message)
    }

    /// 409: the row is not in the state that this needs, or changed meanwhile.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "Conflict", message)
    }

    /// 413: more than is taken.
    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large", message)
    }

    /// 422: well formed, and makes no sense here.
    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Unprocessable Entity",
            message,
        )
    }

    /// 429: too often.
    pub(crate) fn too_many(message: impl Into<String>, retry_after_s: u64) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests", message)
        }
    }

    /// 503: not now.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self {
            retry_after_s: Some(5),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "Service Unavailable",
                message,
            )
        }
    }

    /// 500: a failure of ours. `why` goes to the log, under the request's id, and to nobody else.
    pub(crate) fn internal(why: &anyhow::Error) -> Self {
        error!(request = %super::headers::request_id(), "a request failed: {why:#}");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Internal Server Error",
            "Something failed here; the log says what, under the id in the header X-Request-Id",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: self.error,
            message: self.message,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"replyd\""),
            );
        }
        if let Some(after) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::NotFound(what) => Self::not_found(format!("{what} not found")),
            StoreError::Stale(what) => Self::conflict(format!("{what} changed meanwhile")),
            e if e.is_transient() => {
                error!(request = %super::headers::request_id(), "the store is not available: {e}");
                Self::unavailable("The database is not available just now")
            }
            e => Self::internal(&anyhow::Error::new(e)),
        }
    }
}

impl From<DeskError> for ApiError {
    fn from(e: DeskError) -> Self {
        match e {
            DeskError::NotFound(_) => Self::not_found("Draft not found"),
            DeskError::Decided(_) | DeskError::Changed(_) | DeskError::Unseen { .. } => {
                Self::conflict(e.to_string())
            }
            DeskError::WantsText(_)
            | DeskError::Text(_)
            | DeskError::WhichRecipient
            | DeskError::Against(_)
            | DeskError::NoAccount(_)
            | DeskError::Label(_) => Self::unprocessable(e.to_string()),
            DeskError::Store(e) => e.into(),
            e => Self::internal(&anyhow::Error::new(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_ours_tells_the_caller_nothing_of_it() {
        let e = ApiError::internal(&anyhow::anyhow!("table secrets is gone"));
        assert_eq!(e.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!e.message.contains("secrets"), "{e:?}");
        let e = ApiError::from(StoreError::Disk("/var/lib/x".into()));
        assert_eq!(e.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!e.message.contains("/var"), "{e:?}");
        let e = ApiError::from(StoreError::NotFound("Draft 3".into()));
        assert_eq!(
            (e.status.as_u16(), e.message.as_str()),
            (404, "Draft 3 not found")
        );
    }
}
