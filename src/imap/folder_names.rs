//! The usual names of the Sent and the spam folder, for servers that do not tell special uses
//! (RFC 6154): as servers, mail programs and their translations make them. In lower case, the
//! most usual first: of two that are there the earlier one counts.

/// Names of the Sent folder.
pub(super) const SENT: &[&str] = &[
    "sent",
    "sent items",
    "sent mail",
    "sent messages",
    "sent-mail",
    "sent objects",
    // German
    "gesendet",
    "gesendete objekte",
    "gesendete elemente",
    "gesendete nachrichten",
    // French
    "envoyés",
    "éléments envoyés",
    "messages envoyés",
    "courrier envoyé",
    // Spanish, Portuguese
    "enviados",
    "elementos enviados",
    "mensajes enviados",
    "correo enviado",
    "itens enviados",
    "e-mails enviados",
    "mensagens enviadas",
    // Italian
    "posta inviata",
    "inviati",
    "inviata",
    "elementi inviati",
    "messaggi inviati",
    // Dutch
    "verzonden",
    "verzonden items",
    "verzonden berichten",
    // Polish, Czech, Slovak, Slovene, Croatian
    "wysłane",
    "elementy wysłane",
    "odeslané",
    "odeslaná pošta",
    "odoslané",
    "odoslaná pošta",
    "poslano",
    "poslane stavke",
    // Swedish, Danish, Norwegian, Finnish
    "skickat",
    "skickade objekt",
    "skickade",
    "sendt",
    "sendt post",
    "sendte elementer",
    "lähetetyt",
    "lähetetyt viestit",
    // Hungarian, Romanian, Turkish, Greek
    "elküldött",
    "elküldött elemek",
    "trimise",
    "elemente trimise",
    "gönderilmiş öğeler",
    "gönderilmiş postalar",
    "gönderilenler",
    "απεσταλμένα",
    // Russian, Ukrainian
    "отправленные",
    "отправленные сообщения",
    "надіслані",
    "відправлені",
    // Chinese, Japanese, Korean, Arabic
    "已发送",
    "已发送邮件",
    "已傳送",
    "寄件備份",
    "送信済み",
    "送信済みメール",
    "送信済みアイテム",
    "보낸편지함",
    "보낸 편지함",
    "المرسلة",
    "البريد المرسل",
];

/// Names of the spam folder.
pub(super) const JUNK: &[&str] = &[
    "junk",
    "spam",
    "junk e-mail",
    "junk email",
    "junk mail",
    "bulk",
    "bulk mail",
    "junk-e-mail",
    "suspected spam",
    // German
    "spamverdacht",
    "spam-verdacht",
    "spamordner",
    "unerwünscht",
    // French
    "courrier indésirable",
    "indésirables",
    "indésirable",
    "pourriel",
    // Spanish, Portuguese
    "correo no deseado",
    "correo electrónico no deseado",
    "no deseado",
    "lixo eletrônico",
    "lixo eletrónico",
    // Italian
    "posta indesiderata",
    // Dutch
    "ongewenste e-mail",
    "ongewenst",
    // Polish, Czech, Slovak, Slovene
    "wiadomości-śmieci",
    "niechciane",
    "nevyžádaná pošta",
    "nevyžiadaná pošta",
    "vsiljena pošta",
    // Swedish, Danish, Norwegian, Finnish
    "skräppost",
    "uønsket mail",
    "uønsket post",
    "uønsket e-post",
    "søppelpost",
    "roskaposti",
    // Hungarian, Romanian, Turkish, Greek
    "levélszemét",
    "e-mail nedorit",
    "nedorite",
    "gereksiz",
    "gereksiz e-posta",
    "önemsiz e-posta",
    "ανεπιθύμητη αλληλογραφία",
    "ανεπιθύμητα",
    // Russian, Ukrainian
    "спам",
    "нежелательная почта",
    "небажана пошта",
    // Chinese, Japanese, Korean
    "垃圾邮件",
    "垃圾郵件",
    "迷惑メール",
    "스팸",
    "스팸메일함",
    "정크 메일",
];
