//! Files of a mail, fetched from its mailbox when a person asks, and stored nowhere: neither here
//! nor by the browser's cache. They are somebody else's files: never shown in a page, always
//! saved.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Viewer;
use super::error::{ApiError, ErrorBody};
use super::extract::{Id, Query};
use super::state::{NotFetched, Shared};
use crate::model::MessageRowId;
use crate::store::{AttachmentItem, StoredMail};

/// Files that are fetched, or are on their way to who asked, at the same time: each is held whole.
pub(super) const AT_ONCE: usize = 3;
/// Waiting for a place among them, the sign-in and the fetch together.
const LIMIT: Duration = Duration::from_secs(60);
/// Bytes that are handed to the socket at a time.
const PIECE: usize = 64 * 1024;
/// A file's name is cut to so many characters.
const NAME_CHARS: usize = 150;
/// Types that are told as the mail has them; all others are bytes. None that a browser would run:
/// HTML, SVG, XML, scripts.
const SAFE_TYPES: &[(&str, &str)] = &[
    ("application/pdf", "pdf"),
    ("application/zip", "zip"),
    ("application/msword", "doc"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.ms-powerpoint", "ppt"),
    ("application/vnd.oasis.opendocument.text", "odt"),
    ("application/vnd.oasis.opendocument.spreadsheet", "ods"),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "docx",
    ),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xlsx",
    ),
    (
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "pptx",
    ),
    ("image/gif", "gif"),
    ("image/heic", "heic"),
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("image/webp", "webp"),
];
/// What a file without a name is called by.
const EXTENSIONS: &[(&str, &str)] = &[
    ("message/rfc822", "eml"),
    ("text/plain", "txt"),
    ("text/csv", "csv"),
    ("text/calendar", "ics"),
    ("text/vcard", "vcf"),
];
/// Were it opened all the same: nothing runs, nothing loads, an origin of its own.
const CSP: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; sandbox";

pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(fetch))
}

/// The files of a mail.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Attachments {
    /// In the order of the mail, at most 100.
    items: Vec<AttachmentItem>,
    /// All of them are known: the mail was read to its end. `?complete=true` reads it.
    complete: bool,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Reading {
    /// Read the mail to its end in its mailbox where that was not done yet.
    #[serde(default)]
    complete: bool,
}

/// The files of a mail, by name, type and size
///
/// Of a mail of more than 256 KiB only the beginning is read when it comes: `complete` is then
/// false, until somebody asks with `?complete=true`.
#[utoipa::path(
    get, path = "/api/messages/{id}/attachments", tag = "messages",
    params(("id" = i64, Path), Reading),
    responses(
        (status = 200, body = Attachments), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 410, body = ErrorBody, description = "The mail is no longer in the mailbox"),
        (status = 413, body = ErrorBody, description = "Larger than `web.attachment_max`"),
        (status = 503, body = ErrorBody, description = "The mailbox does not answer now"),
    ),
)]
async fn list(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    Query(reading): Query<Reading>,
) -> Result<Json<Attachments>, ApiError> {
    let mut mail = mail(&shared, &viewer, id).await?;
    if reading.complete && !mail.is_complete {
        mail.attachments = complete(&shared, &mail).await?;
        mail.is_complete = true;
    }
    Ok(Json(Attachments {
        items: mail.attachments,
        complete: mail.is_complete,
    }))
}

/// A file of a mail, fetched from its mailbox
///
/// `n` is its number in the list, from 0. Nothing of it is stored. Whatever it is, it comes as
/// something to be saved.
#[utoipa::path(
    get, path = "/api/messages/{id}/attachments/{n}", tag = "messages",
    params(("id" = i64, Path), ("n" = i64, Path)),
    responses(
        (status = 200, content_type = "application/octet-stream", description = "Its bytes"),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 410, body = ErrorBody, description = "The mail is no longer in the mailbox"),
        (status = 413, body = ErrorBody, description = "Larger than `web.attachment_max`"),
        (status = 503, body = ErrorBody, description = "The mailbox does not answer now"),
    ),
)]
async fn fetch(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Path(numbers): Path<(String, String)>,
) -> Result<Response, ApiError> {
    deliver(&shared, &viewer, &numbers).await
}

/// A file as an answer. What is no number is the number of nothing.
pub(super) async fn deliver(
    shared: &Shared,
    viewer: &Viewer,
    (id, n): &(String, String),
) -> Result<Response, ApiError> {
    let mail = mail(shared, viewer, id.parse().unwrap_or(0)).await?;
    let item = n
        .parse::<usize>()
        .ok()
        .and_then(|n| mail.attachments.get(n))
        .ok_or_else(|| ApiError::not_found("The mail has no such attachment"))?
        .clone();
    let until = Instant::now() + LIMIT;
    let place = place(shared, until).await?;
    let (name, kind) = (
        file_name(&item.name, item.n, &item.content_type),
        safe_type(&item.content_type),
    );
    let fetched = timeout_at(until, shared.engine.attachment(mail, item)).await;
    let bytes = fetched
        .unwrap_or(Err(NotFetched::Late))
        .map_err(|e| refused(shared, &e))?;
    Ok(answer(bytes, &name, kind, place))
}

/// Reads the mail to its end, and writes down which files it has.
pub(super) async fn complete(
    shared: &Shared,
    mail: &StoredMail,
) -> Result<Vec<AttachmentItem>, ApiError> {
    let until = Instant::now() + LIMIT;
    let place = place(shared, until).await?;
    let read = timeout_at(until, shared.engine.attachments(mail.clone())).await;
    let items = read
        .unwrap_or(Err(NotFetched::Late))
        .map_err(|e| refused(shared, &e))?;
    drop(place);
    let (id, noted) = (mail.message, items.clone());
    shared
        .write(move |tx| tx.note_attachments(id, &noted))
        .await?;
    Ok(items)
}

/// The mail with its files, where the viewer may see it.
pub(super) async fn mail(
    shared: &Shared,
    viewer: &Viewer,
    id: i64,
) -> Result<StoredMail, ApiError> {
    let access = viewer.access.clone();
    shared
        .read(move |r| r.stored_mail(MessageRowId(id), &access))
        .await?
        .ok_or_else(|| ApiError::not_found("Message not found"))
}

async fn place(shared: &Shared, until: Instant) -> Result<OwnedSemaphorePermit, ApiError> {
    let places: Arc<Semaphore> = Arc::clone(&shared.fetches);
    match timeout_at(until, places.acquire_owned()).await {
        Ok(Ok(place)) => Ok(place),
        _ => Err(ApiError::unavailable(
            "Other attachments are being fetched: try again in a moment",
        )),
    }
}

/// Why not, in words.
fn refused(shared: &Shared, e: &NotFetched) -> ApiError {
    match e {
        NotFetched::Gone => ApiError::new(
            StatusCode::GONE,
            "Gone",
            "The mail is no longer in the mailbox: it was deleted, or moved to a folder that \
             replyd does not read",
        ),
        NotFetched::Missing => ApiError::new(
            StatusCode::GONE,
            "Gone",
            "The mail in the mailbox has no such attachment any more",
        ),
        NotFetched::TooLarge(bytes) => {
            let (is, most) = (megabytes(*bytes), shared.settings.web.attachment_max);
            ApiError::too_large(format!(
                "It is too large to be fetched here ({is}; attachments of up to {} are): open the \
                 mail in the mailbox",
                megabytes(u64::try_from(most).unwrap_or(u64::MAX))
            ))
        }
        NotFetched::NotListed => ApiError::unavailable(
            "The mailbox of this mail is not in the settings any more: it cannot be asked",
        ),
        NotFetched::Later(wait) => ApiError {
            retry_after_s: Some(wait.as_secs().max(1)),
            ..ApiError::unavailable(format!(
                "The mailbox is not to be asked again for {} seconds, so that its server does not \
                 shut it: try again then",
                wait.as_secs().max(1)
            ))
        },
        NotFetched::Away => ApiError::unavailable(
            "The mailbox does not answer now, so the attachment cannot be fetched: the page \
             \u{201c}State\u{201d} tells why. Try again later",
        ),
        NotFetched::Late => {
            ApiError::unavailable("The mailbox took too long to give the attachment: try again")
        }
        NotFetched::Failed(why) => ApiError::internal(&anyhow::anyhow!("{why}")),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1024 * 1024))
}

/// What is left to be sent; the place among those that are fetched is given back behind the last.
struct Pieces {
    rest: Bytes,
    _place: OwnedSemaphorePermit,
}

impl Iterator for Pieces {
    type Item = Result<Bytes, Infallible>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        (!piece.is_empty()).then_some(Ok(piece))
    }
}

fn answer(bytes: Vec<u8>, name: &str, kind: &'static str, place: OwnedSemaphorePermit) -> Response {
    let length = bytes.len();
    let pieces = Pieces {
        rest: Bytes::from(bytes),
        _place: place,
    };
    let mut response = Body::from_stream(tokio_stream::iter(pieces)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CSP),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-store"),
    );
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_str(&disposition(name)).unwrap_or(HeaderValue::from_static("attachment")),
    );
    response
}

/// RFC 6266: a name in ASCII for old clients, and the name.
fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| match c {
            // A percent sign would be decoded by some.
            '"' | '\\' | '%' => '_',
            ' '..='~' => c,
            _ => '_',
        })
        .collect();
    // RFC 8187 §3.2.1: attr-char stands as it is.
    let encoded: String = name
        .bytes()
        .map(|b| match b {
            b if b.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&b) => {
                char::from(b).to_string()
            }
            b => format!("%{b:02X}"),
        })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

/// A name under which any system can store it: no path, nothing that cannot be seen or that turns
/// the direction of writing, and no device of Windows.
fn file_name(name: &str, n: usize, content_type: &str) -> String {
    let cleaned: String = name
        .chars()
        .filter(|c| {
            !c.is_control()
                && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                    | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
        })
        .map(|c| match c {
            '/' | '\\' | ':' | '*' | '?' | '<' | '>' | '|' | '"' => '_',
            c if c.is_whitespace() => ' ',
            c => c,
        })
        .collect();
    let cleaned = cleaned
        .trim()
        .trim_start_matches('.')
        .trim_end_matches(['.', ' ']);
    let (stem, extension) = match cleaned.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && extension.len() <= 10 => (stem, extension),
        _ => (cleaned, ""),
    };
    if stem.is_empty() {
        let known = SAFE_TYPES.iter().chain(EXTENSIONS);
        let extension = known
            .into_iter()
            .find(|(kind, _)| *kind == content_type)
            .map_or("bin", |(_, extension)| extension);
        return format!("attachment-{}.{extension}", n.saturating_add(1));
    }
    let mut stem: String = stem.chars().take(NAME_CHARS).collect();
    let upper = stem.to_ascii_uppercase();
    let device = matches!(upper.as_str(), "CON" | "PRN" | "AUX" | "NUL")
        || ["COM", "LPT"].iter().any(|d| {
            upper
                .strip_prefix(d)
                .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
        });
    if device {
        stem.push('_');
    }
    if extension.is_empty() {
        stem
    } else {
        format!("{stem}.{extension}")
    }
}

fn safe_type(content_type: &str) -> &'static str {
    SAFE_TYPES
        .iter()
        .find(|(kind, _)| *kind == content_type)
        .map_or("application/octet-stream", |(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_any_system_can_store() {
        for (given, wanted) in [
            ("offer.pdf", "offer.pdf"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("C:\\temp\\a.txt", "C__temp_a.txt"),
            ("Grün \"é\".pdf", "Grün _é_.pdf"),
            ("evil\u{202e}fdp.exe", "evilfdp.exe"),
            ("a\r\nSet-Cookie: x", "aSet-Cookie_ x"),
            (".bashrc", "bashrc"),
            ("nul.txt", "nul_.txt"),
            ("COM1", "COM1_"),
            (" . ", "attachment-3.pdf"),
            ("", "attachment-3.pdf"),
            ("name. ", "name"),
        ] {
            assert_eq!(file_name(given, 2, "application/pdf"), wanted, "{given:?}");
        }
        assert_eq!(file_name("", 0, "message/rfc822"), "attachment-1.eml");
        assert_eq!(file_name("", 0, "text/html"), "attachment-1.bin");
        let long = format!("{}.pdf", "ä".repeat(1000));
        assert_eq!(
            file_name(&long, 0, "").chars().count(),
            NAME_CHARS + ".pdf".len()
        );
    }

    #[test]
    fn a_name_stands_in_the_header_in_both_forms_and_breaks_out_of_neither() {
        assert_eq!(
            disposition("Grün 100%_\u{201c}.pdf"),
            "attachment; filename=\"Gr_n 100___.pdf\"; \
             filename*=UTF-8''Gr%C3%BCn%20100%25_%E2%80%9C.pdf"
        );
        assert!(HeaderValue::from_str(&disposition("\u{7f}\u{0}'\"()")).is_ok());
    }

    #[test]
    fn nothing_that_a_browser_would_run_keeps_its_type() {
        for kind in [
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "text/xml",
            "text/javascript",
            "text/plain",
            "message/rfc822",
            "",
        ] {
            assert_eq!(safe_type(kind), "application/octet-stream", "{kind}");
        }
        assert_eq!(safe_type("application/pdf"), "application/pdf");
    }
}
