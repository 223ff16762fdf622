//! Texts of made-up words, some of them far more frequent than others, as in real ones.

use fastrand::Rng;

/// Different words.
const VOCABULARY: usize = 6000;

/// See the file.
#[derive(Debug)]
pub(crate) struct Words(Vec<String>);

impl Words {
    /// The same ones each time.
    pub(crate) fn new() -> Self {
        let onsets = [
            "b", "br", "c", "d", "f", "g", "gr", "h", "k", "l", "m", "n", "p", "pr", "r", "s",
            "st", "t", "v",
        ];
        let nuclei = ["a", "e", "i", "o", "u", "ai", "ea", "ou"];
        let mut rng = Rng::with_seed(1);
        let mut part = || {
            let onset = onsets
                .get(rng.usize(0..onsets.len()))
                .copied()
                .unwrap_or("t");
            let nucleus = nuclei
                .get(rng.usize(0..nuclei.len()))
                .copied()
                .unwrap_or("a");
            format!("{onset}{nucleus}")
        };
        let words = (0..VOCABULARY).map(|n| (0..2 + n % 3).map(|_| part()).collect());
        let mut words: Vec<String> = words.collect();
        // What the measurements search for: in every third text, and in every thousandth.
        for (at, word) in [(0, "the"), (2, "viewing"), (900, "balcony")] {
            if let Some(place) = words.get_mut(at) {
                word.clone_into(place);
            }
        }
        Self(words)
    }

    fn word(&self, rng: &mut Rng) -> &str {
        // The n-th word is about 1/n as frequent as the first.
        let size = f64::from(u32::try_from(self.0.len()).unwrap_or(1));
        let at = size.powf(rng.f64()) - 1.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 6000"
        )]
        let at = at as usize;
        self.0.get(at).map_or("the", String::as_str)
    }

    /// So many words.
    pub(crate) fn text(&self, rng: &mut Rng, words: usize) -> String {
        let mut text = String::with_capacity(words * 7);
        for n in 0..words {
            if n > 0 {
                text.push_str(if n % 11 == 0 { ". " } else { " " });
            }
            text.push_str(self.word(rng));
        }
        text
    }

    /// A rare word with a capital.
    pub(crate) fn name(&self, rng: &mut Rng) -> String {
        let at = rng.usize(100..self.0.len());
        let word = self.0.get(at).map_or("Ann", String::as_str);
        let mut chars = word.chars();
        chars.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(chars).collect()
        })
    }
}
