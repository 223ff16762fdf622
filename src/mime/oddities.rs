//! The words for what is odd about a message.

/// The words of [`super::Mail::malformed`] and what they mean (docs/PARSE.md has the table).
pub const ODDITIES: &[(&str, &str)] = &[
    (
        "attachments_cut",
        "more than 100 attachments; the first are listed",
    ),
    ("bare_cr", "lines that end with a lone CR"),
    (
        "body_panicked",
        "a part of replyd failed on the body; please report it",
    ),
    (
        "boundary_guessed",
        "the boundary that the header names never comes; the one in use was taken",
    ),
    (
        "boundary_missing",
        "a multipart without its boundary; its body was taken as text",
    ),
    (
        "boundary_not_closed",
        "a multipart without its last boundary: cut, or badly written",
    ),
    ("charset_guessed", "characters above 127 without a charset"),
    (
        "charset_mislabelled",
        "the text is not in the charset that it names",
    ),
    ("charset_unknown", "a charset that nobody knows"),
    (
        "date_ahead",
        "dated more than 10 minutes after the server received it",
    ),
    ("date_unreadable", "Date is no date"),
    ("from_without_address", "From holds no address"),
    (
        "header_cut",
        "more than 300 fields or 128 KiB of header; the first are kept",
    ),
    ("header_junk", "lines in the header that are no fields"),
    ("header_not_ended", "the message ends inside a header"),
    (
        "header_panicked",
        "a part of replyd failed on the header; please report it",
    ),
    ("header_too_long", "more than 1,000 fields in a header"),
    (
        "html_cut",
        "more than 2 MiB, 200,000 elements or 256 levels of HTML; the words of the first 2 MiB are kept",
    ),
    (
        "message_id_doubled",
        "several Message-ID fields; the first counts",
    ),
    (
        "multipart_without_boundary",
        "a multipart that names no boundary and has none",
    ),
    (
        "nested_too_deep",
        "more than 120 levels of parts; what lies deeper is text",
    ),
    ("no_date", "no Date field"),
    ("no_from", "no From field"),
    ("no_message_id", "no Message-ID"),
    ("nul_bytes", "NUL bytes; they were dropped"),
    (
        "replyd_failed",
        "replyd itself failed on the message; please report it",
    ),
    (
        "several_from",
        "several senders; the first counts, none is verified",
    ),
    (
        "structure_panicked",
        "a part of replyd failed on the structure; please report it",
    ),
    (
        "subject_doubled",
        "several Subject fields; the first counts",
    ),
    ("text_cut", "more than 1 MiB of text; the first is kept"),
    ("too_large", "more than 64 MiB; the rest was not read"),
    (
        "too_many_parts",
        "more than 2,000 parts; the first were read",
    ),
];
