//! Text as the rules see it: lowered, accents folded, split into sentences; and its language.

/// Text beyond this many characters is not looked at: an intent stands at the top.
pub(crate) const MAX_CHARS: usize = 4_000;
/// Sentences beyond this many are not looked at.
const MAX_SENTENCES: usize = 80;

/// Lowered, with accents folded to ASCII letters and typographic apostrophes made plain; at
/// most [`MAX_CHARS`] characters. Line breaks stay.
pub(crate) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_CHARS.saturating_mul(4)));
    for c in text.chars().take(MAX_CHARS).flat_map(char::to_lowercase) {
        match c {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => out.push('a'),
            'ç' | 'ć' | 'č' => out.push('c'),
            'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' => out.push('e'),
            'ì' | 'í' | 'î' | 'ï' | 'ī' => out.push('i'),
            'ñ' | 'ń' | 'ň' => out.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ő' => out.push('o'),
            'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' => out.push('u'),
            'ý' | 'ÿ' => out.push('y'),
            'š' | 'ś' => out.push('s'),
            'ž' | 'ź' | 'ż' => out.push('z'),
            'ł' => out.push('l'),
            'đ' => out.push('d'),
            'ř' => out.push('r'),
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            '\u{2018}' | '\u{2019}' | '\u{02bc}' | '`' | '\u{00b4}' => out.push('\''),
            // Combining accents of decomposed text, and characters without width.
            '\u{0300}'..='\u{036f}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => {}
            '\u{00a0}' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Without the lines that are marked as quoted, which are somebody else's words; a text of
/// nothing else stays.
pub(super) fn unquoted(text: &str) -> String {
    let own: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('>'))
        .collect();
    if own.iter().all(|line| line.trim().is_empty()) {
        return text.to_owned();
    }
    own.join("\n")
}

/// How a disclaimer begins, folded; what it says to do is not the lead's wish.
const DISCLAIMERS: &[&str] = &[
    "this e-mail and any",
    "this email and any",
    "this message and any",
    "if you are not the intended recipient",
    "diese e-mail enthalt",
    "diese nachricht enthalt",
    "ce message et ",
    "este mensaje y ",
    "sent from my ",
    "sent from mobile",
    "sent from outlook",
];

/// Without quotation marks around the whole, which are a file's and not the writer's.
pub(super) fn bare(text: &str) -> &str {
    let end = DISCLAIMERS
        .iter()
        .filter_map(|start| text.find(start))
        .filter(|at| *at > 0)
        .min();
    let text = end.and_then(|at| text.get(..at)).unwrap_or(text).trim();
    text.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|inner| !inner.contains('"'))
        .unwrap_or(text)
}

/// One line with single blanks.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The sentences of a folded text, white space made one blank. The closing mark is dropped,
/// except that a question ends in `?`.
pub(crate) fn sentences(folded: &str) -> Vec<String> {
    let mut out = Vec::new();
    for line in folded.lines() {
        let mut sentence = String::new();
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            sentence.push(c);
            let ends = matches!(c, '.' | '!' | '?' | ';' | '؟');
            // "10.30", "e.g." and "a.b@c" go on; "?!" is one end.
            if ends && chars.peek().is_none_or(|next| next.is_whitespace()) {
                push_sentence(&mut out, &sentence);
                sentence.clear();
            }
        }
        push_sentence(&mut out, &sentence);
    }
    out.truncate(MAX_SENTENCES);
    out
}

fn push_sentence(out: &mut Vec<String>, raw: &str) {
    let line = one_line(raw);
    let bare = line.trim_end_matches(['.', '!', ';', '?', '؟', ' ']);
    let closing = line.get(bare.len()..).unwrap_or_default();
    if bare.is_empty() || out.len() >= MAX_SENTENCES {
        return;
    }
    let mark = if closing.contains(['?', '؟']) {
        "?"
    } else {
        ""
    };
    out.push(format!("{bare}{mark}"));
}

/// The language of a text, as far as templates need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// A language whose stop words or script were found, by its ISO 639-1 code.
    Known(&'static str),
    /// Another script than Latin, or words and letters of a language that has no rules here.
    Other,
    /// Too short to tell.
    Unknown,
}

impl Language {
    /// The codes of the languages that are told, beside English.
    pub(super) const CODES: &'static [&'static str] = &["de", "fr", "es", "pt", "it", "nl"];
}

/// Told by its script.
const ARABIC: &str = "ar";

const STOP_WORDS: &[(&str, &[&str])] = &[
    (
        "en",
        &[
            "the", "i", "you", "and", "is", "to", "we", "please", "yes", "it", "for", "can",
            "would", "my", "not", "thanks", "thank", "of", "are", "have", "no", "me", "this",
            "that", "what", "how", "i'd", "i'm", "let's",
        ],
    ),
    (
        "de",
        &[
            "ich", "wir", "sie", "und", "ist", "das", "die", "der", "bitte", "nicht", "ein",
            "eine", "mir", "uns", "ja", "danke", "vielen", "dank", "wie", "wann", "kein", "keine",
            "zu", "auf", "gerne", "nein", "fur",
        ],
    ),
    (
        "fr",
        &[
            "je", "nous", "vous", "et", "est", "le", "la", "les", "un", "une", "merci", "pas",
            "pour", "oui", "non", "bonjour", "des", "du", "ce", "votre", "voudrais", "suis", "moi",
            "plus", "ne",
        ],
    ),
    (
        "es",
        &[
            "yo", "el", "la", "los", "por", "favor", "gracias", "si", "una", "para", "que", "es",
            "no", "mi", "me", "quiero", "estoy", "hola", "su", "con", "claro", "las", "gustaria",
            "del", "quisiera",
        ],
    ),
    (
        "pt",
        &[
            "eu", "o", "os", "uma", "um", "para", "obrigado", "obrigada", "sim", "nao", "por",
            "favor", "que", "e", "ola", "gostaria", "com", "meu", "minha", "estou", "da", "do",
            "queria", "seu",
        ],
    ),
    (
        "it",
        &[
            "io",
            "il",
            "lo",
            "una",
            "un",
            "per",
            "grazie",
            "si",
            "non",
            "che",
            "di",
            "vorrei",
            "sono",
            "mi",
            "ciao",
            "buongiorno",
            "della",
            "del",
            "mio",
            "favore",
            "vostra",
            "abbiamo",
            "le",
            "prego",
        ],
    ),
    (
        "nl",
        &[
            "ik", "wij", "de", "het", "een", "en", "niet", "bedankt", "graag", "ja", "voor", "met",
            "mijn", "van", "dank", "u", "kunt", "wil", "geen", "is", "op", "nee", "heb", "zou",
        ],
    ),
];

/// How many stop words of each language a text has, in the order of [`STOP_WORDS`].
fn stop_words(folded: &str) -> Vec<(&'static str, usize)> {
    STOP_WORDS
        .iter()
        .map(|(code, words)| {
            let n = folded
                .split(|c: char| !(c.is_alphanumeric() || c == '\''))
                .filter(|w| words.contains(w))
                .count();
            (*code, n)
        })
        .collect()
}

/// Tells the language of a folded text by counting stop words; English wins a tie.
pub(crate) fn language(folded: &str) -> Language {
    let letters = folded.chars().filter(|c| c.is_alphabetic()).count();
    let latin = folded.chars().filter(char::is_ascii_alphabetic).count();
    if letters > 3 && latin.saturating_mul(2) < letters {
        return other_script(folded, letters);
    }
    let mut best = Language::Unknown;
    let mut most = 0;
    for (code, n) in stop_words(folded) {
        if n > most {
            most = n;
            best = Language::Known(code);
        }
    }
    best
}

/// Letters of Latin script that none of the known languages writes, but in names.
const FOREIGN_LETTERS: &[char] = &[
    'å', 'ø', 'ł', 'ş', 'ğ', 'ı', 'ě', 'ő', 'ű', 'ă', 'ą', 'ę', 'ř', 'ů', 'ś', 'ź', 'ż', 'ń', 'ć',
    'č', 'š', 'ž', 'ơ', 'ư', 'đ', 'ň', 'ț', 'ș', 'ţ', 'ī', 'ā', 'ē', 'ū', 'į', 'ų', 'ė', 'ļ', 'ķ',
    'þ', 'ð',
];

/// Frequent words, folded, of languages without rules, as far as no known language has them.
const FOREIGN_WORDS: &[&str] = &[
    "jag",
    "och",
    "inte",
    "att",
    "mig",
    "tack",
    "ikke",
    "jeg",
    "og",
    "hej",
    "kiitos",
    "olen",
    "minulle",
    "prosze",
    "mnie",
    "dziekuje",
    "lutfen",
    "bana",
    "bir",
    "istiyorum",
    "icin",
    "prosim",
    "dekuji",
    "nechci",
    "kerem",
    "koszonom",
    "szeretnem",
    "rog",
    "multumesc",
    "vreau",
    "hvala",
    "molim",
    "zelim",
    "xin",
    "vui",
    "tolong",
    "terima",
    "kasih",
    "saya",
    "tidak",
    "mohon",
];

/// As [`language`], with the letters of `raw` that folding takes away: [`Language::Other`] where
/// more words are foreign than there are stop words of the best known language.
pub(super) fn language_of(raw: &str, folded: &str) -> Language {
    let found = language(folded);
    if found == Language::Other || found == Language::Known(ARABIC) {
        return found;
    }
    let by_letter = unquoted(&raw.chars().take(MAX_CHARS).collect::<String>())
        .split_whitespace()
        .filter(|word| {
            let word = word.to_lowercase();
            // The block from U+1EA0 is Vietnamese.
            word.contains(FOREIGN_LETTERS)
                || word.contains(|c| ('\u{1ea0}'..='\u{1ef9}').contains(&c))
        })
        .count();
    let by_word = folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| FOREIGN_WORDS.contains(word))
        .count();
    let most = most_stop_words(folded);
    if by_letter + by_word > most {
        Language::Other
    } else {
        found
    }
}

/// How many stop words of the best known language a text has.
pub(super) fn most_stop_words(folded: &str) -> usize {
    let counts = stop_words(folded).into_iter().map(|(_, n)| n);
    counts.max().unwrap_or_default()
}

/// Arabic by its script, without the letters that Persian and Urdu have beside it.
fn other_script(folded: &str, letters: usize) -> Language {
    let of_block = |c: &char| matches!(c, '\u{0620}'..='\u{064a}');
    let arabic = folded.chars().filter(of_block).count();
    let foreign = folded.contains(['پ', 'چ', 'ژ', 'گ', 'ک', 'ی', 'ٹ', 'ڈ', 'ے', 'ہ']);
    if arabic.saturating_mul(2) > letters && !foreign {
        Language::Known(ARABIC)
    } else {
        Language::Other
    }
}

/// The languages that a text may be in: those with at least half as many stop words as the
/// best, or all when there are too few to tell.
pub(super) fn likely_languages(folded: &str) -> Vec<&'static str> {
    let counts = stop_words(folded);
    let most = counts.iter().map(|(_, n)| *n).max().unwrap_or_default();
    counts
        .into_iter()
        .filter(|(_, n)| most < 2 || n * 2 >= most)
        .map(|(code, _)| code)
        .collect()
}

/// The language with this ISO 639-1 code, if its stop words are known.
pub(crate) fn known(code: &str) -> Option<Language> {
    let mut codes = STOP_WORDS.iter().map(|(known, _)| *known);
    codes
        .find(|known| *known == code)
        .or((code == ARABIC).then_some(ARABIC))
        .map(Language::Known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_quotes_and_case_are_folded() {
        assert_eq!(
            fold("Señor, I\u{2019}D Größe É\u{301}"),
            "senor, i'd grosse e"
        );
        assert_eq!(fold(&"x".repeat(9_000)).len(), MAX_CHARS);
    }

    #[test]
    fn sentences_end_at_marks_and_lines_but_not_inside_numbers() {
        assert_eq!(
            sentences("hi  ann,\nis 10.30 ok?! yes. bye"),
            ["hi ann,", "is 10.30 ok?", "yes", "bye"]
        );
        assert_eq!(sentences("...\n\n").len(), 0);
        assert_eq!(sentences(&"a. ".repeat(1_000)).len(), MAX_SENTENCES);
    }

    #[test]
    fn quoted_lines_are_somebody_elses() {
        assert_eq!(unquoted("> call me\nno\n >> x"), "no");
        assert_eq!(unquoted("> call me\n"), "> call me\n");
        assert_eq!(unquoted("a\n\nb"), "a\n\nb");
    }

    #[test]
    fn languages_without_rules_are_other_ones_by_letters_and_words() {
        let of = |text: &str| language_of(text, &fold(text));
        for other in [
            "Sluta skicka mejl till mig.",
            "Ja tack, jag vill gärna titta på lägenheten på lördag klockan 10.",
            "Jeg vil gerne se lejligheden på lørdag.",
            "Proszę mnie wypisać z listy.",
            "Tak, proszę umówić wizytę w sobotę.",
            "Lütfen bana mail atmayın.",
            "Evet, cumartesi günü daireyi görmek istiyorum, lütfen beni arayın.",
            "Prosím, nepište mi už.",
            "Vă rog să nu îmi mai scrieți.",
        ] {
            assert_eq!(of(other), Language::Other, "{other}");
        }
        for (text, code) in [
            ("Please call me. Łukasz Wiśniewski, Kraków", "en"),
            ("Ich möchte mit Frau Şahin sprechen, bitte.", "de"),
            ("Não me ligue por favor, obrigado.", "pt"),
        ] {
            assert_eq!(of(text), Language::Known(code), "{text}");
        }
    }

    #[test]
    fn languages_are_told_by_stop_words() {
        for (text, code) in [
            ("Yes please, I would like to see it", "en"),
            ("Ich möchte die Wohnung gerne besichtigen", "de"),
            ("Je voudrais visiter la maison", "fr"),
            ("Quiero una cita para ver el piso, por favor", "es"),
            ("Gostaria de agendar uma visita, obrigado", "pt"),
            ("Vorrei prenotare una visita per sabato, grazie", "it"),
            ("Ik wil graag een afspraak maken", "nl"),
        ] {
            assert_eq!(language(&fold(text)), Language::Known(code), "{text}");
        }
        assert_eq!(language("ok"), Language::Unknown);
        assert_eq!(language(&fold("أرجو الاتصال بي")), Language::Known("ar"));
        assert_eq!(known("ar"), Some(Language::Known("ar")));
        for other in [
            "لطفا با من تماس بگیرید",
            "Пожалуйста, позвоните",
            "请给我打电话",
        ] {
            assert_eq!(language(&fold(other)), Language::Other, "{other}");
        }
    }
}
