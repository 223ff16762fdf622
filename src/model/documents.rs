//! Documents of campaigns and what is quoted from them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::UnknownWord;

words! {
    /// What a piece of a document is.
    ChunkKind, "chunk kind" {
        /// A passage under a heading.
        Text => "text",
        /// A question with its answer.
        Faq => "faq",
    }
}

/// A piece of a document: what stands under one heading, or one question with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DocChunk {
    /// What it is.
    pub kind: ChunkKind,
    /// Path inside the folder, with `/`.
    pub file: String,
    /// The nearest heading; of a FAQ entry the question.
    pub heading: String,
    /// Headings above it, and other wordings of a question: found by, never quoted.
    pub aliases: String,
    /// The line on which `body` begins, counted from 1.
    pub line: u32,
    /// The text that may be quoted.
    pub body: String,
    /// ISO 639-1 code of its language; empty: not known.
    pub language: String,
    /// SHA-256 of heading and body, in hexadecimal.
    pub hash: String,
}

/// A passage that an answer quotes, or that came near.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Citation {
    /// Which of the mail's questions it is for, counted from 1.
    pub part: u32,
    /// That question.
    pub question: String,
    /// Whether the answer quotes it; otherwise it is only near.
    pub used: bool,
    /// Path inside the folder.
    pub file: String,
    /// The heading.
    pub heading: String,
    /// The line.
    pub line: u32,
    /// SHA-256 of the piece that it was taken from.
    pub hash: String,
    /// The words.
    pub quote: String,
    /// How well it fits, 0 to 1.
    pub score: f64,
}

impl Citation {
    /// Where it stands, in one line.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{} ({})", self.file, self.line, self.heading)
    }
}
