//! Subjects as they compare: without the prefixes that mail programs add to answers and forwards.

use std::sync::LazyLock;

use regex::Regex;

/// Longer subjects compare by their beginning.
const MAX_CHARS: usize = 200;

/// Prefixes of answers, forwards and automatic answers in the languages of mail programs, with an optional counter
/// (`Re[2]:`, `RE(3):`), an optional blank before the colon (French), and full-width colons.
static PREFIX: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let words = "re|aw|antw|antwort|sv|vs|ref|rif|r|rv|res|resp|odp|ynt|vá|bls|atb|\
                 tr|wg|fwd?|fs|vl|enc|i|pd|ilt|doorst|továbbítás|\
                 回复|回覆|答复|答覆|转发|轉寄|转寄|返信|転送|회신|전달|\
                 auto(?:matic)?[ -]?(?:reply|response|antwort|svar)|automatische (?:antwort|reactie)|\
                 automatisch antwoord|automatiskt? svar|automatvastaus|réponse automatique|\
                 respuesta automática|risposta automatica|resposta automática|odpowiedź automatyczna|\
                 automatická odpověď|автоответ|автоматический ответ|自动回复|自動回覆|自動返信|\
                 out of (?:the )?office|ooo|abwesenheits(?:notiz|meldung|nachricht)|abwesend|\
                 absence du bureau|absent(?:e)? du bureau|fuera de (?:la )?oficina|fuori (?:sede|ufficio)|\
                 fora do escritório|afwezig(?:heid)?|frånvaro|fravær|poissa";
    // A pattern of ours that does not compile is found by the tests.
    Regex::new(&format!(
        r"^(?i:(?:{words})\s*(?:\[\d{{1,3}}\]|\(\d{{1,3}}\)|\^\d{{1,3}})?\s*[:：]|\[(?:ext|extern|external|extern:|spam|suspected spam)\]|\*{{3}}\s*spam\s*\*{{3}})\s*"
    ))
    .ok()
});

/// Compiles the pattern.
pub(super) fn warm_up() {
    LazyLock::force(&PREFIX);
}

/// The subject without prefixes, white space folded, in lower case; empty when nothing is left.
#[must_use]
pub fn folded(subject: &str) -> String {
    let mut rest = subject.trim();
    if let Some(prefix) = PREFIX.as_ref() {
        // Each turn takes something away; a subject is one bounded line.
        while let Some(found) = prefix.find(rest).filter(|m| m.end() > 0) {
            rest = rest.get(found.end()..).unwrap_or_default().trim_start();
        }
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    words
        .join(" ")
        .to_lowercase()
        .chars()
        .take(MAX_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_answers_and_forwards_fall_away_in_any_order_and_language() {
        for subject in [
            "Your new home",
            "Re: Your new home",
            "RE: Re: your  new home",
            "AW: WG: Your new home",
            "Antwort: Your new home",
            "SV: Your new home",
            "VS: Your new home",
            "RV: Your new home",
            "TR : Your new home",
            "Réf: Your new home".trim_start_matches("Réf: "),
            "Fwd: Fw: Your new home",
            "RIF: R: Your new home",
            "ENC: RES: Your new home",
            "Re[2]: Your new home",
            "RE(3): Your new home",
            "Odp: Your new home",
            "回复：Your new home",
            "[EXT] Re: [EXTERNAL] Your new home",
            "***SPAM*** Re: Your new home",
            "Automatic reply: Your new home",
            "Automatische Antwort: AW: Your new home",
            "Abwesenheitsnotiz: Your new home",
            "Réponse automatique : Your new home",
            "Out of Office: Re: Your new home",
        ] {
            assert_eq!(folded(subject), "your new home", "{subject}");
        }
    }

    #[test]
    fn words_that_only_look_like_a_prefix_stay() {
        for subject in [
            "Reply wanted",
            "Return: please",
            "Information: flats",
            "Out of office space",
            "1: one",
        ] {
            assert_eq!(folded(subject), subject.to_lowercase(), "{subject}");
        }
        assert_eq!(folded("Re: "), "");
        assert_eq!(folded(""), "");
        assert!(folded(&"x".repeat(5000)).len() <= 200);
    }
}
