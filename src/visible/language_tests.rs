//! What mail programs write above the mail that is answered, language by language, with the old
//! mail below it marked by `>` and unmarked: only the new words are left, and the old mail's
//! wishes and its "STOP" never count as the person's.

use super::*;

const OLD: &str = "Dear Ann,\n\nWould you like to schedule a viewing of the flat this week?\n\
    Reply STOP to get no more mail.\n\nKind regards\nSales Team";
const NEW: &str = "Yes, Tuesday at ten works for me.\nHow large is the garden?";

#[track_caller]
fn check(headings: &[&str]) {
    let marked = format!("> {}", OLD.replace('\n', "\n> "));
    for heading in headings {
        for old in [marked.as_str(), OLD] {
            let text = format!("{NEW}\n\n{heading}\n{old}\n");
            let v = split(&text);
            assert_eq!(v.new_text, NEW, "{text}");
            assert!(v.quoted.contains("STOP"), "{text}");
            // Nothing but the old mail: then none of it is the person's.
            let alone = split(&format!("{heading}\n{old}\n"));
            assert!(!alone.sure, "{heading}: {alone:?}");
            assert_eq!(
                own_words(&alone.new_text, alone.nothing_new),
                "",
                "{heading}"
            );
        }
    }
}

#[test]
fn headings_in_english() {
    check(&[
        "On Fri, May 3, 2024 at 9:00 AM Sales Team <sales@me.example> wrote:",
        "On Fri, May 3, 2024 at 9:00 AM Sales Team of the Long Company Name\n<sales@me.example> wrote:",
        "On May 3, 2024, at 9:00 AM, Sales Team <sales@me.example> wrote:",
        "On 3 May 2024, at 09:00, Sales Team <sales@me.example> wrote:",
        "On 5/3/24 9:00 AM, Sales Team wrote:",
        "On Friday, May 3rd, 2024 at 9:00 AM, Sales Team <sales@me.example> wrote:",
        "\u{2010}\u{2010}\u{2010}\u{2010}\u{2010}\u{2010}\u{2010} Original Message \u{2010}\u{2010}\u{2010}\u{2010}\u{2010}\u{2010}\u{2010}\nOn Friday, May 3rd, 2024 at 9:00 AM, Sales Team <sales@me.example> wrote:",
        "    On Friday, May 3, 2024 at 09:00:00 AM GMT+2, Sales Team <sales@me.example> wrote:  ",
        "On May 3, 2024 9:00:00 AM GMT+02:00, Sales Team <sales@me.example> wrote:",
        "-------- Original message --------\nFrom: Sales Team <sales@me.example>\nDate: 03/05/2024 09:00 (GMT+01:00)\nTo: ann@lead.example\nSubject: Your new home",
        "________________________________\nFrom: Sales Team <sales@me.example>\nSent: Friday, May 3, 2024 9:00 AM\nTo: Ann Lee <ann@lead.example>\nSubject: Your new home",
        "From: Sales Team <sales@me.example> \nSent: Friday, May 3, 2024 9:00 AM\nTo: Ann Lee <ann@lead.example>\nCc: Bob <b@lead.example>\nSubject: Your new home\nImportance: High",
        "-----Original Message-----\nFrom: Sales Team [mailto:sales@me.example]\nSent: Friday, May 03, 2024 9:00 AM\nTo: Ann Lee\nSubject: Your new home",
        "---- On Fri, 03 May 2024 09:00:00 +0200 Sales Team <sales@me.example> wrote ----",
        "On 3 May 2024 at 9:00 AM +0200, Sales Team <sales@me.example>, wrote:",
        "On May 3, 2024, Sales Team <sales@me.example> wrote:",
        "On Fri, 3 May 2024, at 9:00 AM, Sales Team wrote:",
        "On Fri, May 03, 2024 at 09:00:00AM +0200, Sales Team wrote:",
        "On 2024-05-03 09:00, Sales Team wrote:",
        "From: Sales Team <sales@me.example>\nSent: Friday, May 3, 2024 9:00 AM\nTo: ann@lead.example\nReply To: sales@me.example\nSubject: Your new home",
        "-----Original Message-----\nFrom: Sales Team <sales@me.example>\nTo: ann@lead.example\nSent: Fri, 3 May 2024 9:00 am\nSubject: Your new home",
        "From:        Sales Team <sales@me.example>\nTo:        ann@lead.example\nDate:        03.05.2024 09:00\nSubject:        Your new home",
        "Sent from my iPhone\n\nOn May 3, 2024, at 9:00 AM, Sales Team <sales@me.example> wrote:",
    ]);
}

#[test]
fn headings_in_german() {
    check(&[
        "Am Fr., 3. Mai 2024 um 09:00 Uhr schrieb Sales Team <sales@me.example>:",
        "Am 03.05.2024 um 09:00 schrieb Sales Team <sales@me.example>:",
        "Am 03.05.24 um 09:00 schrieb Sales Team:",
        "Sales Team <sales@me.example> schrieb am Freitag, 3. Mai 2024 um 09:00:",
        "    Am Freitag, 3. Mai 2024 um 09:00:00 MESZ hat Sales Team <sales@me.example> Folgendes geschrieben:  ",
        "-------- Ursprüngliche Nachricht --------\nVon: Sales Team <sales@me.example>\nDatum: 03.05.24 09:00 (GMT+01:00)\nAn: ann@lead.example\nBetreff: Ihre Wohnung",
        "Von: Sales Team <sales@me.example>\nGesendet: Freitag, 3. Mai 2024 09:00\nAn: Ann Lee <ann@lead.example>\nBetreff: Ihre Wohnung",
        "-----Ursprüngliche Nachricht-----\nVon: Sales Team [mailto:sales@me.example]\nGesendet: Freitag, 3. Mai 2024 09:00\nAn: Ann Lee\nBetreff: Ihre Wohnung",
        "Gesendet: Freitag, 03. Mai 2024 um 09:00 Uhr\nVon: \"Sales Team\" <sales@me.example>\nAn: ann@lead.example\nBetreff: Ihre Wohnung",
        "--- Ursprüngliche Nachricht ---\nVon: \"Sales Team\" <sales@me.example>\nDatum: 03.05.2024 09:00:00\nAn: ann@lead.example\nBetreff: Ihre Wohnung",
        "\"Sales Team\" <sales@me.example> schrieb am 03.05.2024 09:00:00:",
        "Am 2024-05-03 09:00, schrieb Sales Team:",
    ]);
}

#[test]
fn headings_in_french() {
    check(&[
        "Le ven. 3 mai 2024 à 09:00, Sales Team <sales@me.example> a écrit :",
        "Le 3 mai 2024 à 09:00, Sales Team <sales@me.example> a écrit :",
        "Le 03/05/2024 à 09:00, Sales Team a écrit :",
        "    Le vendredi 3 mai 2024 à 09:00:00 UTC+2, Sales Team <sales@me.example> a écrit :  ",
        "-------- Message d'origine --------\nDe : Sales Team <sales@me.example>\nDate : 03/05/2024 09:00 (GMT+01:00)\nÀ : ann@lead.example\nObjet : Votre appartement",
        "De : Sales Team <sales@me.example>\nEnvoyé : vendredi 3 mai 2024 09:00\nÀ : Ann Lee <ann@lead.example>\nObjet : Votre appartement",
        "Le 2024-05-03 09:00, Sales Team a écrit :",
    ]);
}

#[test]
fn headings_in_spanish() {
    check(&[
        "El vie, 3 may 2024 a las 9:00, Sales Team (<sales@me.example>) escribió:",
        "El 3 may 2024, a las 9:00, Sales Team <sales@me.example> escribió:",
        "El 3/5/24 a las 9:00, Sales Team escribió:",
        "    El viernes, 3 de mayo de 2024, 09:00:00 CEST, Sales Team <sales@me.example> escribió:  ",
        "-------- Mensaje original --------\nDe: Sales Team <sales@me.example>\nFecha: 3/5/24 9:00 (GMT+01:00)\nPara: ann@lead.example\nAsunto: Su vivienda",
        "De: Sales Team <sales@me.example>\nEnviado el: viernes, 3 de mayo de 2024 9:00\nPara: Ann Lee <ann@lead.example>\nAsunto: Su vivienda",
        "-----Mensaje original-----\nDe: Sales Team [mailto:sales@me.example]\nEnviado el: viernes, 3 de mayo de 2024 9:00\nPara: Ann Lee\nAsunto: Su vivienda",
    ]);
}

#[test]
fn headings_in_portuguese() {
    check(&[
        "Em sex., 3 de mai. de 2024 às 09:00, Sales Team <sales@me.example> escreveu:",
        "Sales Team <sales@me.example> escreveu (sexta, 3/05/2024 à(s) 09:00):",
        "Em 03/05/2024 09:00, Sales Team escreveu:",
        "    Em sexta-feira, 3 de maio de 2024 às 09:00:00 BRT, Sales Team <sales@me.example> escreveu:  ",
        "De: Sales Team <sales@me.example>\nEnviada em: sexta-feira, 3 de maio de 2024 09:00\nPara: Ann Lee <ann@lead.example>\nAssunto: Sua casa",
    ]);
}

#[test]
fn headings_in_italian() {
    check(&[
        "Il giorno ven 3 mag 2024 alle ore 09:00 Sales Team <sales@me.example> ha scritto:",
        "Il giorno 3 mag 2024, alle ore 09:00, Sales Team <sales@me.example> ha scritto:",
        "Il 03/05/24 09:00, Sales Team ha scritto:",
        "    Il venerdì 3 maggio 2024 alle ore 09:00:00 CEST, Sales Team <sales@me.example> ha scritto:  ",
        "-------- Messaggio originale --------\nDa: Sales Team <sales@me.example>\nData: 03/05/24 09:00 (GMT+01:00)\nA: ann@lead.example\nOggetto: La sua casa",
        "Da: Sales Team <sales@me.example>\nInviato: venerdì 3 maggio 2024 09:00\nA: Ann Lee <ann@lead.example>\nOggetto: La sua casa",
        "Il 3 maggio 2024 alle 9.00 Sales Team <sales@me.example> ha scritto:",
    ]);
}

#[test]
fn headings_in_dutch() {
    check(&[
        "Op vr 3 mei 2024 om 09:00 schreef Sales Team <sales@me.example>:",
        "Op 3 mei 2024 om 09:00 heeft Sales Team <sales@me.example> het volgende geschreven:",
        "Op 03-05-2024 om 09:00 schreef Sales Team:",
        "-------- Oorspronkelijk bericht --------\nVan: Sales Team <sales@me.example>\nDatum: 03-05-24 09:00 (GMT+01:00)\nAan: ann@lead.example\nOnderwerp: Uw woning",
        "Van: Sales Team <sales@me.example>\nVerzonden: vrijdag 3 mei 2024 09:00\nAan: Ann Lee <ann@lead.example>\nOnderwerp: Uw woning",
    ]);
}

#[test]
fn headings_in_swedish() {
    check(&[
        "Den fre 3 maj 2024 kl 09:00 skrev Sales Team <sales@me.example>:",
        "3 maj 2024 kl. 09:00 skrev Sales Team <sales@me.example>:",
        "Den 2024-05-03 kl. 09:00, skrev Sales Team:",
        "-------- Originalmeddelande --------\nFrån: Sales Team <sales@me.example>\nDatum: 2024-05-03 09:00 (GMT+01:00)\nTill: ann@lead.example\nÄmne: Din bostad",
        "Från: Sales Team <sales@me.example>\nSkickat: den 3 maj 2024 09:00\nTill: Ann Lee <ann@lead.example>\nÄmne: Din bostad",
    ]);
}

#[test]
fn headings_in_danish_norwegian_finnish() {
    check(&[
        "fre. 3. maj 2024 kl. 09.00 skrev Sales Team <sales@me.example>:",
        "fre. 3. mai 2024 kl. 09:00 skrev Sales Team <sales@me.example>:",
        "pe 3. toukok. 2024 klo 9.00 Sales Team (sales@me.example) kirjoitti:",
        "Den 3. maj 2024 kl. 09.00 skrev Sales Team <sales@me.example>:",
        "Fra: Sales Team <sales@me.example>\nSendt: 3. maj 2024 09:00\nTil: Ann Lee <ann@lead.example>\nEmne: Din bolig",
        "Fra: Sales Team <sales@me.example>\nSendt: fredag 3. mai 2024 09:00\nTil: Ann Lee <ann@lead.example>\nEmne: Din bolig",
        "Lähettäjä: Sales Team <sales@me.example>\nLähetetty: perjantai 3. toukokuuta 2024 9.00\nVastaanottaja: Ann Lee <ann@lead.example>\nAihe: Koti",
    ]);
}

#[test]
fn headings_in_languages_of_eastern_europe() {
    check(&[
        "pt., 3 maj 2024 o 09:00 Sales Team <sales@me.example> napisał(a):",
        "pá 3. 5. 2024 v 9:00 odesílatel Sales Team <sales@me.example> napsal:",
        "pi 3. 5. 2024 o 9:00 Sales Team <sales@me.example> napísal(a):",
        "Sales Team <sales@me.example> ezt írta (időpont: 2024. máj. 3., P, 9:00):",
        "În vin., 3 mai 2024 la 09:00, Sales Team <sales@me.example> a scris:",
        "pet, 3. svi 2024. u 09:00 Sales Team <sales@me.example> napisao je:",
        "Wiadomość napisana przez Sales Team <sales@me.example> w dniu 3 maj 2024, o godz. 09:00:",
        "W dniu 3.05.2024 o 09:00, Sales Team pisze:",
        "-------- Oryginalna wiadomość --------\nOd: Sales Team <sales@me.example>\nData: 03.05.2024 09:00 (GMT+01:00)\nDo: ann@lead.example\nTemat: Oferta",
        "Od: Sales Team <sales@me.example>\nWysłano: piątek, 3 maja 2024 09:00\nDo: Ann Lee <ann@lead.example>\nTemat: Oferta",
        "Od: Sales Team <sales@me.example>\nOdesláno: pátek 3. května 2024 9:00\nKomu: Ann Lee <ann@lead.example>\nPředmět: Nabídka",
        "Feladó: Sales Team <sales@me.example>\nKüldve: 2024. május 3., péntek 9:00\nCímzett: Ann Lee <ann@lead.example>\nTárgy: Ajánlat",
    ]);
}

#[test]
fn headings_in_russian_ukrainian_bulgarian_greek_turkish() {
    check(&[
        "пт, 3 мая 2024 г. в 09:00, Sales Team <sales@me.example>:",
        "пт, 3 трав. 2024 р. о 09:00 Sales Team <sales@me.example> пише:",
        "На пт, 3.05.2024 г. в 9:00 Sales Team <sales@me.example> написа:",
        "Στις Παρ 3 Μαΐ 2024 στις 9:00 π.μ., ο/η Sales Team <sales@me.example> έγραψε:",
        "Sales Team <sales@me.example>, 3 May 2024 Cum, 09:00 tarihinde şunu yazdı:",
        "3 мая 2024 г., в 9:00, Sales Team <sales@me.example> написал(а):",
        "От: Sales Team <sales@me.example>\nОтправлено: 3 мая 2024 г. 9:00\nКому: Ann Lee <ann@lead.example>\nТема: Предложение",
        "Kimden: Sales Team <sales@me.example>\nGönderildi: 3 Mayıs 2024 Cuma 09:00\nKime: Ann Lee <ann@lead.example>\nKonu: Teklif",
        "Пятница, 3 мая 2024, 9:00 +03:00 от Sales Team <sales@me.example>:",
        "03.05.2024, 09:00, \"Sales Team\" <sales@me.example>:",
    ]);
}

#[test]
fn headings_in_japanese_chinese_korean() {
    check(&[
        "2024年5月3日(金) 9:00 Sales Team <sales@me.example>:",
        "Sales Team <sales@me.example> 于2024年5月3日周五 09:00写道：",
        "Sales Team <sales@me.example> 於 2024年5月3日 週五 上午9:00寫道：",
        "2024년 5월 3일 (금) 오전 9:00, Sales Team <sales@me.example>님이 작성:",
        "2024/05/03 9:00、Sales Team <sales@me.example>のメール:",
        "2024年5月3日 09:00，Sales Team <sales@me.example> 写道：",
        "发件人: Sales Team <sales@me.example>\n发送时间: 2024年5月3日 9:00\n收件人: Ann Lee <ann@lead.example>\n主题: 您的新家",
        "差出人: Sales Team <sales@me.example>\n送信日時: 2024年5月3日 9:00\n宛先: Ann Lee <ann@lead.example>\n件名: ご提案",
        "보낸 사람: Sales Team <sales@me.example>\n보낸 날짜: 2024년 5월 3일 금요일 오전 9:00\n받는 사람: Ann Lee <ann@lead.example>\n제목: 제안",
        "------------------ 原始邮件 ------------------\n发件人: \"Sales\" <sales@me.example>;\n发送时间: 2024年5月3日(星期五) 上午9:00\n收件人: \"ann\"<ann@lead.example>;\n主题: 您的新家",
        "在 2024-05-03 09:00:00，\"Sales Team\" <sales@me.example> 写道：",
    ]);
}

#[test]
fn headings_in_further_languages() {
    check(&[
        "Missatge de Sales Team <sales@me.example> del dia dv., 3 de maig 2024 a les 9:00:",
        "בתאריך יום ו׳, 3 במאי 2024 ב-9:00 מאת \u{202a}Sales Team\u{202c}\u{200f} <\u{202a}sales@me.example\u{202c}\u{200f}>:\u{202c}",
        "في الجمعة، 3 مايو 2024 في 9:00 ص تمت كتابة ما يلي بواسطة Sales Team <sales@me.example>:",
        "Vào Th 6, 3 thg 5, 2024 vào lúc 09:00 Sales Team <sales@me.example> đã viết:",
        "Pada tanggal Jum, 3 Mei 2024 pukul 09.00 Sales Team <sales@me.example> menulis:",
        "ในวันที่ ศ. 3 พ.ค. 2024 เวลา 9:00 Sales Team <sales@me.example> เขียนว่า:",
    ]);
}
