//! Grounded answers: a campaign's documents, what of them answers a mail, and whether that may
//! be sent without a person. Nothing is generated: an answer is quoted, with its source.
//!
//! | file | duty |
//! | --- | --- |
//! | `folder`, `document` | which files count; from a file to its pieces |
//! | `words`, `stop`, `grammar`, `lexicon` | words without inflection, words that say nothing, phrases of questions, synonyms |
//! | `split`, `kind`, `given` | the questions of a mail, what each asks for, and what a sentence gives |
//! | `terms` | how well a term of a question is met by a text |
//! | `cover` | what a quoted text has of a question |
//! | `rank` | the retriever beside the full-text search of the store |
//! | `shelf` | the pieces of campaigns, prepared, kept between questions |
//! | `gate` | the quoted words, and the gate for sending them |
//! | `library` | keeps the index in step with the folders; the way in for everybody |
//!
//! docs/DECISIONS.md has the reasons under "Answers", docs/BENCHMARKS.md the figures.

pub mod asking;
pub mod cover;
pub mod document;
pub mod evaluate;
pub mod folder;
pub mod gate;
pub mod given;
pub mod grammar;
pub mod kind;
pub mod lexicon;
pub mod library;
pub mod rank;
pub mod shelf;
pub mod split;
pub mod stop;
mod strict;
pub mod terms;
pub mod words;

pub use gate::{Answered, PartAnswer};
pub use library::{Found, Library, LibraryError, Refreshed};
