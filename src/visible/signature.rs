//! Signatures and disclaimers: what stands below the words of a mail and is none of them.

use super::block;
use super::fold::{self, has_address};

/// Longer "signatures" are text.
const MAX_LINES: usize = 25;
/// Lines of a name block without a mark.
const MAX_NAME_LINES: usize = 14;
/// Lines of a disclaimer.
const MAX_DISCLAIMER_LINES: usize = 60;

/// The signature mark of RFC 3676 §4.3; its blank is often lost.
fn is_mark(line: &str) -> bool {
    matches!(
        line.trim_end(),
        "--" | "—" | "- --" | "__" | "\u{2013}" | "-- --"
    ) && line.len() <= 6
}

/// Starts of the lines that programs of telephones and webmails add.
#[rustfmt::skip]
const PROGRAM_STARTS: &[&str] = &[
    "sent from my ", "sent from mobile", "sent from a ", "sent from the ", "sent from outlook", "sent from yahoo", "sent from gmail",
    "sent from mail for windows", "sent from proton", "sent from samsung", "sent from windows mail", "sent from aol",
    "sent from iphone", "sent from ipad", "sent from android", "sent from blackberry", "sent from nokia", "sent from galaxy",
    "sent from huawei", "sent from xiaomi", "sent from email for windows", "sent from surface", "sent from spark", "sent from mailbird",
    "sent from tutanota", "sent from fairemail", "sent from mutt", "sent via ", "sent with ", "sent using ", "sent on the go", "sent on the run", "sent by ", "sent securely ",
    "get outlook for ", "get bluemail for ", "get typeapp for ", "download outlook for ", "typed on ", "excuse my brevity", "please excuse my brevity", "please excuse brevity", "sorry for brevity",
    "von meinem ", "von meiner ", "von unterwegs", "gesendet von ", "gesendet mit ", "gesendet über ", "gesendet aus ", "diese nachricht wurde von mein",
    "diese nachricht wurde mit ", "versendet mit ", "verschickt von ", "holen sie sich outlook", "outlook für ", "gesendet unterwegs", "vom handy gesendet",
    "envoyé de mon", "envoyé depuis", "envoyé à partir", "envoyé avec", "envoyé par", "envoyé du ", "télécharger outlook", "obtenez outlook", "obtenir outlook", "provenance : courrier",
    "enviado desde mi", "enviado desde ", "enviado de mi", "enviado con ", "obtener outlook", "descargar outlook", "enviado a partir", "enviado do meu", "enviado pelo", "enviado via ", "enviado de meu",
    "obter outlook", "obter o outlook", "baixar o outlook", "inviato da ", "inviato dal ", "inviato con ", "inviato tramite", "scarica outlook", "ottieni outlook",
    "verzonden vanaf", "verzonden met", "verzonden via", "verzonden vanuit", "verstuurd vanaf", "verstuurd met", "verstuurd via", "outlook voor ", "download outlook voor",
    "skickat från", "skickat från min", "skickades från", "hämta outlook", "sendt fra ", "sendt min ", "hent outlook", "få outlook", "skaff deg outlook", "skickat med ", "sendt med ",
    "wysłane z ", "wysłano z ", "wysłane za pomocą", "pobierz outlook", "pobierz program outlook", "lähetetty ", "hanki outlook", "отправлено с ", "отправлено из ", "послано с ", "скачать outlook", "надіслано з ",
    "odesláno z ", "odesláno přes", "získejte outlook", "odoslané z ", "elküldve ", "küldve ", "trimis de pe ", "trimis din ", "iphone'umdan gönderildi", "android'den", "outlook for ios",
    "στάλθηκε από ", "poslano s ", "poslano z ", "dikirim dari ", "được gửi từ ", "gửi từ ", "发自我的", "从我的", "来自我的", "從我的", "傳送自我的", "寄自我的", "iphoneから送信", "androidから送信", "私の", "나의 ", "내 iphone", "iphone에서", "ส่งจาก",
    "נשלח מ", "أرسلت من ", "مرسل من ",
];
/// Their ends, in languages that put the verb last.
#[rustfmt::skip]
const PROGRAM_ENDS: &[&str] = &[
    "gesendet", "gesendet.", "gönderildi", "から送信", "에서 보냄", "发送", "發送", "发送的", "傳送",
];

/// `Sent from my iPhone` and its kin.
pub(super) fn is_program_line(line: &str) -> bool {
    if line.len() > 220 || line.len() < 6 {
        return false;
    }
    let folded = fold::fold(line);
    let text = folded.trim_start_matches(['-', '—', '(', '[', '~', ' ']);
    // A link behind it does not make it longer.
    let words = text
        .split(' ')
        .filter(|w| !fold::is_link(w) && !w.starts_with('<'))
        .count();
    if words > 14 {
        return false;
    }
    let Some(start) = PROGRAM_STARTS.iter().find(|s| text.starts_with(**s)) else {
        return false;
    };
    let behind = text.get(start.len()..).unwrap_or_default();
    // People write "Sent by post on Monday?" and "Sent with love" too.
    let vague = matches!(
        *start,
        "sent by "
            | "sent with "
            | "sent via "
            | "sent using "
            | "sent from the "
            | "sent from a "
            | "von meinem "
            | "von meiner "
            | "lähetetty "
            | "elküldve "
            | "küldve "
            | "私の"
            | "나의 "
            | "从我的"
            | "從我的"
            | "versendet mit "
            | "gửi từ "
            | "inviato con "
    );
    let asks = folded.ends_with('?') || folded.ends_with('!') || behind.contains(", ");
    if vague {
        let program = [
            "phone",
            "pad",
            "android",
            "mobile",
            "mobil",
            "handy",
            "outlook",
            "mail",
            "blackberry",
            "samsung",
            "galaxy",
            "smartphone",
            "tablet",
            "app",
            "proton",
            "windows",
            "superhuman",
            "spark",
            "telekom",
            "vodafone",
            "telefon",
            "puhelim",
            "설치",
            "手机",
            "手機",
            "デバイス",
        ];
        let named = program.iter().any(|p| behind.contains(p))
            || PROGRAM_ENDS.iter().any(|e| folded.ends_with(e));
        return named && !asks;
    }
    !asks
}

/// Where the signature of a block of new lines starts. `words_above`: there are new words above
/// the block, so that all of it may be signature.
pub(super) fn start(lines: &[&str], words_above: bool) -> Option<usize> {
    // How many filled lines stand from each line on; as far as it matters.
    let mut filled = vec![0_usize; lines.len() + 1];
    for (i, line) in lines.iter().enumerate().rev() {
        let behind = filled.get(i + 1).copied().unwrap_or(0);
        if let Some(count) = filled.get_mut(i) {
            *count = behind + usize::from(!line.trim().is_empty());
        }
    }
    let from = |i: usize| filled.get(i).copied().unwrap_or(0);
    let all = from(0) + usize::from(words_above);
    let marked = (0..lines.len()).find(|i| {
        let Some(line) = lines.get(*i) else {
            return false;
        };
        if line.is_empty() || line.len() > 300 {
            return false;
        }
        let below = lines.get(i + 1..).unwrap_or_default();
        from(*i) <= MAX_LINES && is_mark(line) && !asks_much(below)
            || from(i + 1) <= 3 && is_program_line(line)
            || is_underlines(line)
                && from(*i) < all
                && (1..=MAX_LINES).contains(&from(i + 1))
                && (below.iter().all(|l| l.chars().count() <= 90) || says_notice(below))
            || is_dashes(line)
                && from(*i) < all
                && (1..=8).contains(&from(i + 1))
                && lines
                    .get(i + 1..)
                    .unwrap_or_default()
                    .iter()
                    .all(|l| is_name_line(l))
    });
    let upto = marked.unwrap_or(lines.len());
    name_block(lines.get(..upto).unwrap_or_default()).or(marked)
}

/// The armour of a clear-signed text (RFC 9580 §7): its head up to the first blank line, and the
/// signature below it.
pub(super) fn armour(lines: &[&str]) -> Vec<(usize, usize)> {
    const MAX_HEAD: usize = 6;
    let mut found = Vec::new();
    let at = |mark: &str, from: usize| {
        let rest = lines.get(from..).unwrap_or_default();
        let at = rest.iter().position(|l| l.trim() == mark)?;
        Some(from + at)
    };
    let Some(head) = at("-----BEGIN PGP SIGNED MESSAGE-----", 0) else {
        return found;
    };
    let rest = lines.get(head..).unwrap_or_default().iter().take(MAX_HEAD);
    let blank = rest.clone().position(|l| l.trim().is_empty());
    found.push((head, head + blank.unwrap_or(1)));
    if let Some(from) = at("-----BEGIN PGP SIGNATURE-----", head) {
        let to = at("-----END PGP SIGNATURE-----", from).map_or(lines.len(), |to| to + 1);
        found.push((from, to));
    }
    found
}

/// Prose with a question is no signature, though it stands below its mark.
fn asks_much(lines: &[&str]) -> bool {
    let words: usize = lines.iter().map(|l| l.split_whitespace().count()).sum();
    let asks = lines
        .iter()
        .any(|l| l.contains("? ") || l.trim_end().ends_with('?'));
    asks && words > 25 && !lines.iter().any(|l| is_contact(l))
}

/// `_____` of mailing lists and webmails.
fn is_underlines(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 5 && line.chars().all(|c| c == '_')
}

fn is_dashes(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 3
        && line
            .chars()
            .all(|c| matches!(c, '-' | '=' | '*' | '~' | '–' | '—'))
        || line.chars().count() >= 3 && block::is_rule(line)
}

/// A short line without the end of a sentence: a name, a title, a number.
fn is_name_line(line: &str) -> bool {
    let line = line.trim();
    let lower = line.chars().next().is_some_and(char::is_lowercase);
    !lower
        && line.chars().count() <= 70
        && !line.ends_with(['.', '!', '?', ',', ':'])
        && line.split_whitespace().count() <= 7
}

/// Closings, as they stand alone on a line.
#[rustfmt::skip]
const CLOSINGS: &[&str] = &[
    "best", "best regards", "best wishes", "kind regards", "kindest regards", "warm regards", "warmest regards", "regards",
    "many thanks", "thanks", "thanks and regards", "thanks & regards", "thank you", "thanks again", "thank you and best regards", "with kind regards", "with best regards",
    "sincerely", "yours sincerely", "sincerely yours", "yours faithfully", "yours truly", "respectfully", "cheers", "all the best", "take care", "br", "rgds", "kr", "cordially", "warmly",
    "mit freundlichen grüßen", "mit freundlichen gruessen", "mit freundlichem gruß", "freundliche grüße", "freundliche grüsse", "viele grüße", "viele grüsse", "viele liebe grüße", "liebe grüße", "beste grüße", "beste grüsse",
    "schöne grüße", "herzliche grüße", "mit besten grüßen", "mit herzlichen grüßen", "hochachtungsvoll", "mfg", "lg", "vg", "gruß", "grüße", "danke und viele grüße", "vielen dank", "besten dank",
    "cordialement", "bien cordialement", "très cordialement", "bien à vous", "sincères salutations", "salutations", "salutations distinguées", "meilleures salutations", "respectueusement", "cdlt", "bonne journée", "merci", "merci d'avance", "amicalement",
    "saludos", "un saludo", "saludos cordiales", "un cordial saludo", "cordiales saludos", "atentamente", "muy atentamente", "gracias", "muchas gracias", "cordialmente", "un abrazo",
    "atenciosamente", "cumprimentos", "com os melhores cumprimentos", "melhores cumprimentos", "att", "abraços", "abraço", "obrigado", "obrigada", "grato", "cordiais saudações",
    "cordiali saluti", "distinti saluti", "saluti", "un saluto", "un cordiale saluto", "grazie", "grazie mille", "cari saluti",
    "met vriendelijke groet", "met vriendelijke groeten", "vriendelijke groet", "vriendelijke groeten", "groeten", "groet", "hartelijke groet", "mvg", "met groet", "bedankt", "dank u",
    "med vänliga hälsningar", "med vänlig hälsning", "vänliga hälsningar", "vänligen", "hälsningar", "mvh", "bästa hälsningar", "tack", "med venlig hilsen", "venlig hilsen", "mange hilsner", "hilsen",
    "med vennlig hilsen", "vennlig hilsen", "beste hilsen", "ystävällisin terveisin", "terveisin", "parhain terveisin", "yst terv", "pozdrawiam", "z poważaniem", "z wyrazami szacunku", "serdecznie pozdrawiam",
    "s pozdravem", "s pozdravom", "hezký den", "üdvözlettel", "tisztelettel", "cu stimă", "cu respect", "с уважением", "с наилучшими пожеланиями", "з повагою", "saygılarımla", "iyi çalışmalar", "με εκτίμηση", "lijep pozdrav", "lep pozdrav", "s poštovanjem",
    "此致", "敬礼", "祝好", "よろしくお願いいたします", "以上", "敬具", "감사합니다",
];

/// Whether a line is nothing but a closing.
fn is_closing(line: &str) -> bool {
    if line.len() > 60 {
        return false;
    }
    let folded = fold::fold(line);
    let words = folded.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'');
    CLOSINGS.contains(&words)
}

/// A name with its title, telephone and address below a closing. A name alone stays with the
/// text, as it is a person's word.
fn name_block(lines: &[&str]) -> Option<usize> {
    let first = lines.len().saturating_sub(MAX_NAME_LINES * 2);
    let closing = (first..lines.len()).find(|i| lines.get(*i).is_some_and(|l| is_closing(l)))?;
    let block: Vec<(usize, &str)> = (closing + 1..lines.len())
        .filter_map(|i| Some((i, lines.get(i)?.trim())))
        .filter(|(_, l)| !l.is_empty())
        .collect();
    let evidence = block.iter().filter(|(_, l)| is_contact(l)).count();
    let prose = block
        .iter()
        .any(|(_, l)| l.chars().count() > 90 && !is_contact(l) || l.ends_with('?'));
    let fits = (3..=MAX_NAME_LINES).contains(&block.len()) && evidence >= 1 && !prose;
    let (at, name) = block.first()?;
    (fits && is_name_line(name)).then_some(*at)
}

/// A telephone number, an address, a link, or the name of a firm.
fn is_contact(line: &str) -> bool {
    let digits = line.chars().filter(char::is_ascii_digit).count();
    let letters = line.chars().filter(|c| c.is_alphabetic()).count();
    let lower = line.to_lowercase();
    digits >= 7 && letters <= 30
        || has_address(line)
        || lower.contains("www.")
        || lower.contains("://")
        || [
            "gmbh", " ltd", " inc.", " llc", "s.r.l", "s.p.a", " b.v.", " s.a.",
        ]
        .iter()
        .any(|w| lower.contains(w))
}

/// Phrases of notices on confidentiality and liability, and what scanners for viruses add.
#[rustfmt::skip]
const DISCLAIMERS: &[&str] = &[
    "intended recipient", "intended only for", "intended solely for", "solely for the use of", "confidential and may", "confidentiality notice", "confidentiality:", "legally privileged", "privileged information",
    "received this email in error", "received this e-mail in error", "received this message in error", "received this communication in error", "received this transmission in error", "not the addressee", "notify the sender immediately", "please consider the environment", "before printing this",
    "disclaimer:", "registered in england", "this email has been scanned", "this email has been checked for viruses", "virus-free", "this message contains confidential", "unauthorized use", "unauthorised use",
    "vertrauliche information", "nicht der richtige adressat", "irrtümlich erhalten", "versehentlich erhalten", "unbefugte weitergabe", "unerlaubte kopieren", "bestimmungsgemäße empfänger", "informieren sie bitte sofort den absender", "diese e-mail enthält", "diese e-mail wurde von avast", "bitte denken sie an die umwelt",
    "message est confidentiel", "strictement confidentiel", "confidentiels et", "destinataire de ce message", "établis à l'intention exclusive", "reçu ce message par erreur", "recu ce message par erreur", "ce courriel est confidentiel", "pensez à l'environnement", "avant d'imprimer",
    "este mensaje es confidencial", "este correo electrónico y", "información confidencial", "informacion confidencial", "destinatario de este", "ha recibido este mensaje por error", "ha recibido este correo por error", "antes de imprimir",
    "mensagem é confidencial", "informação confidencial", "informações confidenciais", "recebeu esta mensagem por engano", "destinatário desta mensagem",
    "informazioni contenute", "messaggio è riservato", "riservate e per uso esclusivo", "ricevuto questo messaggio per errore", "ricevete questo messaggio per errore", "tutela della privacy", "d.lgs. 196", "gdpr 2016/679",
    "dit bericht is vertrouwelijk", "uitsluitend bestemd voor", "vertrouwelijke informatie", "ten onrechte ontvangen", "niet de geadresseerde", "denk aan het milieu",
    "detta meddelande är", "konfidentiell information", "avsedd mottagare", "denne e-mail er fortrolig", "fortrolige oplysninger", "tiltenkte mottaker", "tiltænkte modtager", "tämä viesti on luottamuksellinen",
    "informacje poufne", "wiadomość jest poufna", "treść tej wiadomości", "jeśli nie są państwo adresatem", "tato zpráva je důvěrná", "конфиденциальн", "не являетесь адресатом", "bu e-posta", "gizlidir", "bizalmas információ",
    "本邮件及其附件", "保密信息", "本メール", "機密情報", "본 메일은", "기밀",
];

/// Words of notices that people use as well.
#[rustfmt::skip]
const CONFIDENTIAL: &[&str] = &[
    "is confidential", "are confidential", "privileged", "recipient", "delete", "unauthorized", "disclosure", "attachments", "in error", "vertraulich", "empfänger", "adressat", "löschen", "unbefugt", "confidentiel", "destinataire",
    "confidencial", "destinatario", "destinatário", "riservat", "destinatari", "vertrouwelijk", "geadresseerde", "konfidentiel", "mottagare", "poufn", "adresat", "liability", "virus",
];

/// Phrases of the banner that a mail system puts above what comes from outside.
#[rustfmt::skip]
const BANNERS: &[&str] = &[
    "originated from outside", "originated outside", "sent from outside", "came from outside", "from an external source", "from an external sender", "external email", "external sender", "external message", "[external]", "outside of the organization", "outside your organization", "do not click links",
    "you don't often get email from", "some people who received this message don't often get email",
    "externe e-mail", "externer absender", "von außerhalb", "sie erhalten nicht oft e-mails von", "expéditeur externe", "message externe", "provient de l'extérieur", "provenant de l'extérieur", "vous n'obtenez pas souvent d'e-mail", "vous ne recevez pas souvent",
    "remitente externo", "correo externo", "fuera de la organización", "no suele recibir correo", "mittente esterno", "esterna all'organizzazione", "non si ricevono spesso messaggi", "remetente externo", "fora da organização", "externe afzender", "van buiten de organisatie", "u ontvangt niet vaak e-mail", "extern avsändare", "ekstern afsender",
];

/// One plain phrase of a notice, or two that people use too.
fn says_notice(paragraph: &[&str]) -> bool {
    let folded = fold::fold(&paragraph.join(" "));
    let count = |phrases: &[&str]| phrases.iter().filter(|p| folded.contains(**p)).count();
    count(DISCLAIMERS) >= 1 || folded.len() >= 100 && count(CONFIDENTIAL) >= 2
}

fn says(paragraph: &str, phrases: &[&str]) -> bool {
    let folded = fold::fold(paragraph);
    phrases.iter().any(|p| folded.contains(p))
}

/// The paragraphs of lines, as ranges.
fn paragraphs(lines: &[&str]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = None;
    for (i, line) in lines.iter().enumerate() {
        match (line.trim().is_empty(), from) {
            (true, Some(start)) => {
                found.push((start, i));
                from = None;
            }
            (false, None) => from = Some(i),
            _ => {}
        }
    }
    found.extend(from.map(|start| (start, lines.len())));
    found
}

/// Where the disclaimer at the end of a block of new lines starts.
pub(super) fn disclaimer(lines: &[&str]) -> Option<usize> {
    let paragraphs = paragraphs(lines);
    let mut start = None;
    for (n, (from, to)) in paragraphs.iter().enumerate().rev() {
        let text = lines.get(*from..*to)?;
        let length: usize = text.iter().map(|l| l.len()).sum();
        let behind = lines.len() - from;
        if behind > MAX_DISCLAIMER_LINES || length > 8000 {
            break;
        }
        let notice = length >= 40 && says_notice(text);
        if notice && n > 0 {
            start = Some(*from);
        } else if start.is_none() && paragraphs.len() - n > 4 {
            break;
        }
    }
    // A rule or a headline directly above it.
    let mut at = start?;
    while at > 0 {
        let above = lines.get(at - 1).map(|l| l.trim()).unwrap_or_default();
        let headline = block::is_rule(above) || is_underlines(above) || is_mark(above);
        if above.is_empty() || headline {
            at -= 1;
        } else {
            break;
        }
    }
    Some(at)
}

/// How many lines the banner at the top of a text has.
pub(super) fn banner(lines: &[&str]) -> usize {
    let Some((from, to)) = paragraphs(lines.get(..20.min(lines.len())).unwrap_or_default())
        .first()
        .copied()
    else {
        return 0;
    };
    let text = lines.get(from..to).unwrap_or_default().join(" ");
    let rest = lines.get(to..).unwrap_or_default();
    let more = rest.iter().any(|l| !l.trim().is_empty());
    let is = text.len() <= 800 && more && says(&text, BANNERS);
    if is { to } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_programs_are_known() {
        for line in [
            "Sent from my iPhone",
            "Sent from Yahoo Mail for iPhone",
            "Sent via BlackBerry from T-Mobile",
            "Sent with Proton Mail secure email.",
            "Sent by Superhuman app",
            "Get Outlook for iOS<https://aka.ms/o0ukef>",
            "Get Outlook for Android",
            "Von meinem iPhone gesendet",
            "Von meinem Samsung Galaxy Smartphone gesendet.",
            "Gesendet von Mail für Windows",
            "Diese Nachricht wurde von meinem Android-Mobiltelefon mit K-9 Mail gesendet.",
            "Envoyé de mon iPhone",
            "Enviado desde mi iPhone",
            "Enviado do meu iPhone",
            "Inviato da iPhone",
            "Verzonden vanaf mijn iPhone",
            "Skickat från min iPhone",
            "Sendt fra min iPhone",
            "Wysłane z iPhone'a",
            "Отправлено с iPhone",
            "发自我的iPhone",
            "iPhoneから送信",
        ] {
            assert!(is_program_line(line), "{line}");
        }
        for line in [
            "Please get outlook right",
            "Sent with love and best wishes",
            "Sent by post on Monday?",
            "Von meinem Vater habe ich gehört, dass es teuer ist",
            "Sent from my desk, is much easier.",
        ] {
            assert!(!is_program_line(line), "{line}");
        }
    }

    #[test]
    fn signatures_start_at_their_mark() {
        for (lines, at) in [
            (&["Yes.", "", "--", "Ann"][..], Some(2)),
            (&["Yes.", "", "-- ", "Ann", "Sales"], Some(2)),
            (&["Yes.", "", "Sent from my iPhone"], Some(2)),
            (&["Yes.", "________", "Ann", "List info"], Some(1)),
            (&["Yes.", "-----", "Ann Lee", "Director"], Some(1)),
            (
                &["Two offers:", "---", "The second is cheaper, I take it."],
                None,
            ),
            (&["Yes.", "", "Best regards,", "Ann"], None),
            (
                &[
                    "Yes.",
                    "",
                    "Best regards,",
                    "Ann Lee",
                    "Director",
                    "Tel. +49 30 1234567",
                ],
                Some(3),
            ),
            (
                &[
                    "Thanks,",
                    "could you send the plan to ann@x.example?",
                    "And call me.",
                    "Ann",
                ],
                None,
            ),
        ] {
            assert_eq!(start(lines, false), at, "{lines:?}");
        }
    }

    #[test]
    fn disclaimers_and_banners_are_set_apart() {
        let notice =
            "This e-mail is confidential. If you are not the intended recipient, delete it.";
        assert_eq!(disclaimer(&["Yes.", "", notice]), Some(1));
        assert_eq!(
            disclaimer(&["Yes.", "", "________", notice, "", "Ltd."]),
            Some(1)
        );
        let german = "Diese E-Mail enthält vertrauliche Informationen. Wenn Sie nicht der richtige Adressat sind";
        assert_eq!(disclaimer(&["Ja.", "", german]), Some(1));
        // The only words are a person's words.
        assert_eq!(disclaimer(&[notice]), None);
        assert_eq!(disclaimer(&["Is this confidential?"]), None);
        let caution = "CAUTION: This email originated from outside of the organization.";
        assert_eq!(banner(&[caution, "Do not click links.", "", "Yes."]), 2);
        assert_eq!(banner(&[caution]), 0);
        assert_eq!(banner(&["Yes.", "", caution]), 0);
    }
}
