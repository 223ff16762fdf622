//! The words of mail programs in the languages that they speak. All in lower case; of what is
//! written with and without accents both forms.

/// What the name before a colon says about a line of a quoted header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldKind {
    From,
    Date,
    To,
    Subject,
    /// Cc, Reply-To, Importance, Attachments.
    Other,
}

/// The field of a quoted header that has this name, if any.
#[rustfmt::skip]
pub(super) fn field(name: &str) -> Option<FieldKind> {
    Some(match name {
        "from" | "von" | "absender" | "de" | "expéditeur" | "expediteur" | "remitente" | "remetente"
        | "da" | "mittente" | "van" | "afzender" | "från" | "fran" | "avsändare" | "fra" | "afsender"
        | "avsender" | "od" | "nadawca" | "от" | "от кого" | "отправитель" | "від" | "відправник"
        | "lähettäjä" | "lahettaja" | "lähettänyt" | "gönderen" | "kimden" | "feladó" | "felado"
        | "odesílatel" | "odosielateľ" | "από" | "απο" | "de la" | "de:" | "expeditor" | "šalje"
        | "pošiljatelj" | "saatja" | "no" | "nuo" | "dari" | "daripada" | "từ" | "người gửi" | "จาก"
        | "מאת" | "من" | "от:" | "подател" | "发件人" | "发送人" | "寄件者" | "寄件人" | "差出人"
        | "送信者" | "送信元" | "보낸 사람" | "보낸사람" | "발신" | "발신자" => FieldKind::From,

        "sent" | "date" | "sent at" | "sent on" | "date sent" | "gesendet" | "gesendet am" | "datum"
        | "date d'envoi" | "date d’envoi" | "envoyé" | "envoye" | "envoyé le" | "envoyée" | "enviado"
        | "enviado el" | "enviado em" | "enviada" | "enviada em" | "enviada el" | "fecha"
        | "fecha de envío" | "data" | "data de envio" | "inviato" | "inviata" | "inviato il"
        | "data invio" | "verzonden" | "verstuurd" | "verzonden op" | "skickat" | "skickad" | "sendt"
        | "dato" | "sendt dato" | "wysłano" | "wyslano" | "wysłane" | "data wysłania" | "отправлено"
        | "дата" | "отправлен" | "дата отправки" | "надіслано" | "lähetetty" | "lahetetty"
        | "lähetyspäivä" | "päivämäärä" | "pvm" | "päiväys" | "gönderildi" | "gönderme tarihi"
        | "gönderim" | "tarih" | "elküldve" | "dátum" | "küldve" | "odesláno" | "odoslané" | "dátum:"
        | "trimis" | "data:" | "ημερομηνία" | "στάλθηκε" | "poslano" | "poslane" | "saadetud"
        | "kuupäev" | "nosūtīts" | "datums" | "išsiųsta" | "dikirim" | "terkirim" | "tanggal" | "tarikh"
        | "ngày" | "đã gửi" | "ngày gửi" | "วันที่" | "ส่งเมื่อ" | "תאריך" | "נשלח" | "التاريخ" | "تاريخ"
        | "изпратено" | "发送时间" | "发送日期" | "日期" | "时间" | "寄件日期" | "傳送日期" | "寄送日期"
        | "送信日時" | "日時" | "日付" | "보낸 날짜" | "보낸날짜" | "날짜" | "일시" | "보낸 시간" => FieldKind::Date,

        "to" | "an" | "empfänger" | "à" | "a" | "destinataire" | "destinataires" | "para"
        | "destinatario" | "destinatário" | "aan" | "naar" | "till" | "til" | "do" | "dla" | "adresat"
        | "кому" | "получатель" | "vastaanottaja" | "kime" | "alıcı" | "címzett" | "cimzett" | "komu"
        | "προς" | "către" | "catre" | "za" | "prima" | "kellele" | "kam" | "kam:" | "kepada" | "ke"
        | "đến" | "tới" | "ถึง" | "אל" | "إلى" | "الى" | "до" | "收件人" | "收件者" | "宛先"
        | "送信先" | "받는 사람" | "받는사람" | "수신" | "수신자" => FieldKind::To,

        "subject" | "betreff" | "betr" | "objet" | "sujet" | "asunto" | "assunto" | "oggetto"
        | "onderwerp" | "ämne" | "amne" | "emne" | "temat" | "тема" | "aihe" | "konu" | "tárgy"
        | "targy" | "předmět" | "predmet" | "θέμα" | "subiect" | "naslov" | "zadeva" | "teema" | "tēma"
        | "tema" | "subyek" | "perihal" | "subjek" | "chủ đề" | "tiêu đề" | "เรื่อง" | "נושא"
        | "الموضوع" | "относно" | "主题" | "主旨" | "标题" | "件名" | "題名" | "제목" => FieldKind::Subject,

        "cc" | "bcc" | "reply-to" | "reply to" | "importance" | "attachments" | "attachment"
        | "priority" | "sensitivity" | "kopie" | "cc/kopie" | "antwort an" | "wichtigkeit" | "anlagen"
        | "anlage" | "anhang" | "anhänge" | "priorität" | "copie à" | "copie" | "cc :" | "répondre à"
        | "importance :" | "pièces jointes" | "pièce jointe" | "con copia" | "copia" | "cco"
        | "responder a" | "importancia" | "datos adjuntos" | "com cópia" | "responder para"
        | "importância" | "anexos" | "rispondi a" | "priorità" | "allegati" | "beantwoorden"
        | "urgentie" | "bijlagen" | "bijlage" | "kopia" | "svar till" | "prioritet" | "bilagor" | "kopi"
        | "svar til" | "vedhæftede filer" | "vedlegg" | "dw" | "do wiadomości" | "odpowiedz do"
        | "załączniki" | "копия" | "вложения" | "kopio" | "liitteet" | "bilgi" | "másolat"
        | "mellékletek" | "kopie:" | "přílohy" | "抄送" | "附件" | "副本" | "cc:" | "添付ファイル"
        | "참조" | "첨부" | "mailed-by" | "signed-by" | "organization" | "x-mailer"
        | "message-id" | "in-reply-to" | "references" | "delivered-to" | "newsgroups" => FieldKind::Other,
        _ => return None,
    })
}

/// Verbs of attributions: `… wrote:`.
#[rustfmt::skip]
pub(super) const VERBS: &[&str] = &[
    "wrote", "writes", "said", "sent", "a écrit", "a ecrit", "écrivit", "écrivait", "ecrivait",
    "schrieb", "schrieben", "geschrieben", "schreibt", "escribió", "escribio", "escribe", "ha escrito",
    "ha scritto", "scrive", "scrisse", "ha scritte", "escreveu", "escrita", "schreef", "schreven",
    "geschreven", "skrev", "skreiv", "skriver", "har skrivit", "napisał", "napisała", "napisał(a)",
    "napisal", "napisala", "napisal(a)", "pisze", "kirjoitti", "написал", "написала", "написал(а)",
    "написав", "написала", "написав(ла)", "пишет", "писал", "писала", "писали", "пише", "писал(а)",
    "napísal", "napísala", "napísal(a)", "yazdı", "yazmış", "şunu yazdı", "írta", "ezt írta",
    "a scris", "έγραψε", "je napisao", "je napisala", "je napisao/la", "napisao", "napisao je",
    "napisala je", "је написао", "је написала", "је написао/ла", "написа", "rašė", "rakstīja",
    "kirjutas", "kirjutas:", "menulis", "đã viết", "viết", "เขียนว่า", "כתב", "כתבה", "כתב/ה", "كتب",
    "كتبت", "كتب/ت", "va escriure", "skrifaði",
];

/// The same where words are not set apart by blanks.
#[rustfmt::skip]
pub(super) const VERBS_UNSPACED: &[&str] = &[
    "写道", "寫道", "写到", "寫到", "のメール", "さんは書きました", "が書きました", "のメッセージ",
    "님이 작성", "님이 작성했습니다", "님의 메시지", "작성", "書いた", "は書きました",
];

/// First words of attributions that have no verb, or another order.
#[rustfmt::skip]
pub(super) const LEADS: &[&str] = &[
    "quoting ", "zitat von ", "zitiere ", "citando ", "citando a ", "quotando ", "citeren ", "citat ",
    "in message <", "in article <", "in a message dated ", "also sprach ", "missatge de ", "cytowanie ",
    "wiadomość napisana przez ",
];

/// First words of attributions in front of a date.
#[rustfmt::skip]
pub(super) const BEFORE_DATES: &[&str] = &[
    "on", "am", "le", "el", "il", "il giorno", "em", "op", "den", "på", "pe", "dne", "dňa", "dnia",
    "w dniu", "în", "in data", "στις", "vào", "pada", "pada tanggal", "a", "al", "at", "v", "u", "ob",
    "na", "на", "в", "у", "от", "kuupäev", "fecha", "em", "ngày", "في", "בתאריך", "ב", "dia", "del", "date",
];

/// Days of the week, as mail programs shorten them.
#[rustfmt::skip]
pub(super) const WEEKDAYS: &[&str] = &[
    "mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun", "monday", "tuesday", "wednesday",
    "thursday", "friday", "saturday", "sunday", "mo", "di", "mi", "do", "fr", "sa", "so", "montag", "dienstag",
    "mittwoch", "donnerstag", "freitag", "samstag", "sonnabend", "sonntag", "lun", "mar", "mer", "jeu", "ven",
    "sam", "dim", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche", "mié", "mie", "jue",
    "vie", "sáb", "sab", "dom", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo", "seg",
    "ter", "qua", "qui", "sex", "segunda", "terça", "quarta", "quinta", "sexta", "gio", "lunedì", "martedì",
    "mercoledì", "giovedì", "venerdì", "sabato", "domenica", "ma", "wo", "vr", "za", "zo", "maandag", "dinsdag",
    "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag", "mån", "tis", "ons", "tors", "fre", "lör", "sön",
    "måndag", "tisdag", "onsdag", "torsdag", "fredag", "lördag", "söndag", "man", "tirs", "tir", "lør", "søn",
    "mandag", "tirsdag", "lørdag", "søndag", "ke", "ti", "to", "pe", "la", "su", "pon", "wt", "śr", "sr", "czw",
    "pt", "pt.", "sob", "niedz", "ndz", "nd", "po", "út", "st", "čt", "pá", "ne", "ut", "št", "pi", "пн", "вт",
    "ср", "чт", "пт", "сб", "вс", "нд", "понедельник", "вторник", "среда", "четверг", "пятница", "суббота",
    "воскресенье", "pzt", "sal", "çar", "per", "cum", "cmt", "paz", "sze", "szo",
    "δευ", "τρί", "τετ", "πέμ", "παρ", "σάβ", "κυρ",
];

/// `-----Original Message-----`: what stands between the dashes, at its start.
#[rustfmt::skip]
pub(super) const SEPARATORS: &[&str] = &[
    "original message", "original e-mail", "original email", "original mail", "original appointment",
    "original text", "original posting", "orginal message", "reply message", "forwarded message",
    "forwarded by", "forwarded mail", "forwarded e-mail", "forwarded email", "forward message",
    "begin forwarded message", "start of forwarded message", "message from", "reply above this line",
    "ursprüngliche nachricht", "urspruengliche nachricht", "ursprüngliche mail", "ursprüngliche e-mail",
    "original-nachricht", "originalnachricht", "originale nachricht", "original nachricht",
    "weitergeleitete nachricht", "weitergeleitete mail", "weitergeleitet von", "anfang der weitergeleiteten",
    "anfang der weitergeleiteten nachricht", "antwort nachricht", "originalnachricht gesendet",
    "message d'origine", "message d’origine", "message original", "message originel", "message transféré",
    "message transmis", "message initial", "courriel original", "mail original", "e-mail d'origine",
    "début du message transféré", "début du message réexpédié", "message de",
    "mensaje original", "mensaje reenviado", "correo original", "inicio del mensaje reenviado",
    "mensaje de", "mensagem original", "mensagem encaminhada", "mensagem reencaminhada", "e-mail original",
    "início da mensagem encaminhada", "início da mensagem reencaminhada", "mensagem de",
    "messaggio originale", "messaggio inoltrato", "messaggio originario", "inizio messaggio inoltrato",
    "inizio del messaggio inoltrato", "oorspronkelijk bericht", "oorspronkelijk e-mailbericht",
    "origineel bericht", "doorgestuurd bericht", "begin doorgestuurd bericht", "originele bericht",
    "ursprungligt meddelande", "originalmeddelande", "vidarebefordrat meddelande", "vidarebefordrat brev",
    "ursprungligt mejl", "vidarebefordrat mejl", "vidarebefordrat mail", "börja vidarebefordrat",
    "oprindelig meddelelse", "original besked", "oprindelig besked", "videresendt besked",
    "videresendt meddelelse", "oprindelig mail", "start på videresendt besked", "opprinnelig melding",
    "original melding", "opprinnelig e-post", "videresendt melding", "starten på videresendt melding",
    "alkuperäinen viesti", "välitetty viesti", "edelleenlähetetty viesti", "lähetetty edelleen",
    "wiadomość oryginalna", "oryginalna wiadomość", "wiadomość pierwotna", "wiadomość przekazana",
    "przekazana wiadomość", "treść przekazanej wiadomości", "wiadomość oryg", "původní zpráva", "původní e-mail",
    "přeposlaná zpráva", "pôvodná správa", "preposlaná správa", "eredeti üzenet", "továbbított üzenet",
    "mesajul original", "mesaj original", "mesaj redirecționat", "orijinal mesaj", "özgün ileti",
    "asıl ileti", "iletilen mesaj", "yönlendirilmiş mesaj", "исходное сообщение", "пересылаемое сообщение",
    "пересланное сообщение", "пересылаемое письмо", "начало переадресованного сообщения",
    "конец пересылаемого", "вихідне повідомлення", "переслане повідомлення", "оригинално съобщение",
    "αρχικό μήνυμα", "προωθημένο μήνυμα", "izvorna poruka", "originalna poruka", "izvirno sporočilo",
    "algne kiri", "originalus laiškas", "pesan asli", "pesan terusan", "thư gốc", "tin nhắn gốc",
    "ข้อความต้นฉบับ", "הודעה מקורית", "הודעה שהועברה", "الرسالة الأصلية", "رسالة معاد توجيهها",
    "原始邮件", "原始郵件", "转发邮件", "转发的邮件", "轉寄郵件", "回复的原邮件", "回覆的郵件", "邮件原件",
    "元のメッセージ", "転送メッセージ", "転送されたメッセージ", "オリジナルメッセージ", "原本のメッセージ",
    "원본 메시지", "전달된 메시지", "원본 메일", "전달된 메일", "원본메일",
];

/// What is written above a line below which nothing of a reply is read.
#[rustfmt::skip]
pub(super) const ABOVE_LINE: &[&str] = &[
    "please type your reply above this line", "type your reply above this line",
    "please reply above this line", "reply above this line", "write above this line",
    "please write above this line", "respond above this line", "reply above this",
    "do not write below this line", "enter your reply above", "add your reply above",
    "bitte antworten sie oberhalb dieser linie", "bitte oberhalb dieser zeile antworten",
    "antworten sie oberhalb dieser", "bitte geben sie ihre antwort über dieser zeile",
    "bitte schreiben sie ihre antwort oberhalb", "antwort oberhalb dieser zeile",
    "répondez au-dessus de cette ligne", "répondre au-dessus de cette ligne",
    "veuillez répondre au-dessus", "écrivez votre réponse au-dessus",
    "escriba su respuesta por encima de esta línea", "responda por encima de esta línea",
    "escribe tu respuesta por encima", "por favor, escriba su respuesta encima de esta línea",
    "digite sua resposta acima desta linha", "responda acima desta linha",
    "escreva a sua resposta acima", "scrivi la tua risposta sopra questa riga",
    "rispondi sopra questa riga", "si prega di rispondere sopra", "typ uw antwoord boven deze lijn",
    "typ je antwoord boven deze lijn", "antwoord boven deze lijn", "skriv ditt svar ovanför denna rad",
    "svara ovanför denna rad", "skriv dit svar over denne linje", "svar over denne linje",
    "skriv svaret ditt over denne linjen", "odpowiedz powyżej tej linii",
    "пожалуйста, введите ваш ответ выше этой строки", "напишите ответ выше этой строки",
];
