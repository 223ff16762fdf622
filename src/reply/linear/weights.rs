//! The weights file: a header, the names of the signs, 8-bit weights, and a digest over all of it.
//!
//! ```text
//! "replydIW"  format:u32  buckets:u32  classes:u32  signs:u32
//! scale of n-grams:f32  scale of signs:f32  bias:f32 x classes
//! signs x (length:u8, name)
//! signs x classes i8   buckets x classes i8
//! SHA-256 of everything before (32 bytes)
//! ```
//! Numbers are little-endian. Signs are known by name: a rule that the file does not know
//! weighs nothing, one that this version does not know any more is skipped, so that weights of
//! one's own outlive an update of the rules.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::features::{BUCKETS, Features};
use super::numeric;
use crate::model::Intent;

/// Number of classes, in the order of [`Intent::ALL`].
pub const CLASSES: usize = 9;
/// What the features mean and how the file is laid out.
pub const FORMAT: u32 = 1;
const MAGIC: &[u8; 8] = b"replydIW";
const DIGEST: usize = 32;
/// More named signs than this are no weights file of ours.
const MAX_SIGNS: usize = 4_096;

/// Weight of the block of word n-grams against that of the signs.
pub(super) const WORDS_VALUE: f32 = 2.0;
/// The same of character n-grams.
pub(super) const CHARS_VALUE: f32 = 2.0;

/// Why a weights file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// Not a weights file at all.
    #[error("it is no weights file of `replyd train`")]
    Foreign,
    /// Made by another version of replyd, whose features mean something else.
    #[error("it has format {found}, this replyd reads format {FORMAT}: run `replyd train` again")]
    Format {
        /// The file's format.
        found: u32,
    },
    /// Cut off, or changed after it was written.
    #[error("it is damaged ({0}): run `replyd train` again")]
    Damaged(&'static str),
}

/// One row of weights, a number for each class.
pub type Row = [i8; CLASSES];

/// A trained model.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    pub(super) ngram_scale: f32,
    pub(super) sign_scale: f32,
    pub(super) bias: [f32; CLASSES],
    pub(super) signs: HashMap<String, Row>,
    pub(super) ngrams: Vec<Row>,
    version: String,
}

impl Weights {
    /// Puts a model together; its version is the digest of its file.
    pub(super) fn new(
        ngram_scale: f32,
        sign_scale: f32,
        bias: [f32; CLASSES],
        signs: HashMap<String, Row>,
        ngrams: Vec<Row>,
    ) -> Self {
        let mut made = Self {
            ngram_scale,
            sign_scale,
            bias,
            signs,
            ngrams,
            version: String::new(),
        };
        made.version = version(&made.body());
        made
    }

    /// Which weights these are: the format and the start of the file's digest.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Number of named signs.
    #[must_use]
    pub fn signs(&self) -> usize {
        self.signs.len()
    }

    /// Names of the signs that `other` does not know.
    pub(in crate::reply) fn signs_beside<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = &'a str> {
        let names = self.signs.keys();
        names
            .filter(|name| !other.signs.contains_key(*name))
            .map(String::as_str)
    }

    /// The shares of the classes, in the order of [`Intent::ALL`]; they add up to 1.
    #[must_use]
    pub fn shares(&self, features: &Features) -> [f64; CLASSES] {
        let mut scores = self.bias.map(f64::from);
        for (buckets, value) in [
            (&features.words, WORDS_VALUE),
            (&features.chars, CHARS_VALUE),
        ] {
            let mut sums = [0_i32; CLASSES];
            for row in buckets.iter().filter_map(|b| self.ngrams.get(*b as usize)) {
                add(&mut sums, row);
            }
            let unit = f64::from(value) / norm(buckets.len()) * f64::from(self.ngram_scale);
            for (score, sum) in scores.iter_mut().zip(sums) {
                *score += f64::from(sum) * unit;
            }
        }
        let mut sums = [0_i32; CLASSES];
        for row in features.signs.iter().filter_map(|s| self.signs.get(s)) {
            add(&mut sums, row);
        }
        for (score, sum) in scores.iter_mut().zip(sums) {
            *score += f64::from(sum) * f64::from(self.sign_scale);
        }
        numeric::softmax(&mut scores);
        scores
    }

    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.body();
        let digest = Sha256::digest(&out);
        out.extend_from_slice(&digest);
        out
    }

    fn body(&self) -> Vec<u8> {
        let mut names: Vec<&String> = self.signs.keys().collect();
        names.sort();
        let mut out = MAGIC.to_vec();
        for n in [FORMAT as usize, BUCKETS, CLASSES, names.len()] {
            out.extend_from_slice(&u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes());
        }
        for x in [self.ngram_scale, self.sign_scale].iter().chain(&self.bias) {
            out.extend_from_slice(&x.to_le_bytes());
        }
        for name in &names {
            let bytes = name.as_bytes();
            out.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
            out.extend(bytes.iter().take(usize::from(u8::MAX)));
        }
        let of_signs = names.iter().filter_map(|n| self.signs.get(*n));
        for row in of_signs.chain(&self.ngrams) {
            out.extend(row.iter().map(|w| w.to_le_bytes()[0]));
        }
        out
    }

    /// Reads and checks a weights file.
    ///
    /// # Errors
    /// When it is none, or of another format, or damaged.
    pub fn from_bytes(file: &[u8]) -> Result<Self, WeightsError> {
        let damaged = WeightsError::Damaged;
        let mut r = Reader(file);
        if r.take(MAGIC.len()) != Some(MAGIC.as_slice()) {
            return Err(WeightsError::Foreign);
        }
        let found = r.u32().ok_or(damaged("no header"))?;
        if found != FORMAT {
            return Err(WeightsError::Format { found });
        }
        let body_len = file.len().checked_sub(DIGEST).ok_or(damaged("cut off"))?;
        let (body, digest) = file.split_at_checked(body_len).ok_or(damaged("cut off"))?;
        if Sha256::digest(body).as_slice() != digest {
            return Err(damaged("its digest does not fit"));
        }
        let sizes = [r.u32(), r.u32(), r.u32()].map(|n| n.map_or(usize::MAX, |n| n as usize));
        let [buckets, classes, signs] = sizes;
        if buckets != BUCKETS || classes != CLASSES || signs > MAX_SIGNS {
            return Err(damaged("its sizes do not fit"));
        }
        let scales = [r.f32(), r.f32()].map(|x| x.filter(|x| x.is_finite() && *x >= 0.0));
        let [Some(ngram_scale), Some(sign_scale)] = scales else {
            return Err(damaged("a scale is no number"));
        };
        let mut bias = [0.0; CLASSES];
        for b in &mut bias {
            let x = r.f32().filter(|x| x.is_finite());
            *b = x.ok_or(damaged("a bias is no number"))?;
        }
        let mut names = Vec::with_capacity(signs);
        for _ in 0..signs {
            let name = r
                .take(1)
                .and_then(<[u8]>::first)
                .copied()
                .and_then(|n| r.take(usize::from(n)))
                .and_then(|n| std::str::from_utf8(n).ok())
                .ok_or(damaged("a name is cut off"))?;
            names.push(name.to_owned());
        }
        let mut row = || r.row().ok_or(damaged("weights are cut off"));
        let mut by_name = HashMap::with_capacity(signs);
        for name in names {
            by_name.insert(name, row()?);
        }
        let ngrams = (0..BUCKETS).map(|_| row()).collect::<Result<_, _>>()?;
        if r.0.len() != DIGEST {
            return Err(damaged("it is too long"));
        }
        Ok(Self {
            ngram_scale,
            sign_scale,
            bias,
            signs: by_name,
            ngrams,
            version: version(body),
        })
    }
}

fn version(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    let start: String = digest.iter().take(4).map(|b| format!("{b:02x}")).collect();
    format!("{FORMAT}-{start}")
}

fn add(sums: &mut [i32; CLASSES], row: &Row) {
    for (sum, w) in sums.iter_mut().zip(row) {
        *sum += i32::from(*w);
    }
}

/// The length of a vector of `n` ones.
pub(super) fn norm(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
        .sqrt()
        .max(1.0)
}

/// The place of a class in a row.
#[must_use]
pub fn place(intent: Intent) -> usize {
    let all = Intent::ALL.iter();
    all.take_while(|i| **i != intent).count()
}

/// Takes bytes from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn f32(&mut self) -> Option<f32> {
        Some(f32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn row(&mut self) -> Option<Row> {
        let bytes: [u8; CLASSES] = self.take(CLASSES)?.try_into().ok()?;
        Some(bytes.map(|b| i8::from_le_bytes([b])))
    }
}
