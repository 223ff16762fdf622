//! Mails as people and machines write them, in each language: a vacation notice with a date, a
//! receipt, and a person's reply that looks like one. No header says what they are.

use super::*;
use crate::mime;
use crate::time::UtcMs;

/// Tuesday, 29 April 2025.
const RECEIVED: UtcMs = UtcMs(1_745_920_800_000);

fn judged(subject: &str, text: &str) -> (mime::Mail, Judged) {
    let raw = format!(
        "From: Lead <lead@x.example>\nTo: us@us.example\nSubject: {subject}\n\
         In-Reply-To: <sent@us.example>\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\n\n{text}\n"
    );
    let mail = mime::parse(raw.as_bytes());
    let judged = judge(&mail, &Ours::default(), &Keys::for_test(1));
    (mail, judged)
}

/// Vacation notices: subject as a person's answer has it, text, day of return.
const VACATIONS: &[(&str, &str, &str)] = &[
    (
        "Re: Offer",
        "Thank you for your email.\n\nI am out of the office until Friday, 9 May with limited access to email. For urgent matters please contact my colleague Jane Doe at jane@x.example.\n\nBest regards\nAnn Lee\nHead of Sales",
        "2025-05-10",
    ),
    (
        "Re: Offer",
        "Hello,\n\nI am on annual leave and will be back on Monday, 12 May. Your message will not be forwarded. In urgent cases please call our office.\n\nKind regards,\nAnn",
        "2025-05-12",
    ),
    (
        "Offer",
        "Hi there, thanks for your message. I'm currently away from my desk until May 9th. If your request is urgent, please contact support@x.example. I will respond as soon as possible upon my return.",
        "2025-05-10",
    ),
    (
        "AW: Angebot",
        "Guten Tag,\n\nvielen Dank für Ihre Nachricht. Ich bin bis einschließlich 9. Mai nicht im Büro. Ihre E-Mail wird nicht weitergeleitet. In dringenden Fällen wenden Sie sich bitte an Frau Müller (mueller@x.example).\n\nMit freundlichen Grüßen\nMax Muster",
        "2025-05-10",
    ),
    (
        "Re: Angebot",
        "Sehr geehrte Damen und Herren,\n\nich befinde mich derzeit im Urlaub und bin ab dem 12.05.2025 wieder erreichbar. Meine Vertretung übernimmt Herr Klein, klein@x.example.\n\nViele Grüße",
        "2025-05-12",
    ),
    (
        "RE: Offre",
        "Bonjour,\n\nJe suis actuellement en congés jusqu'au 9 mai inclus. En cas d'urgence, merci de contacter Marie Dupont (marie@x.example).\n\nCordialement,\nPaul",
        "2025-05-10",
    ),
    (
        "Re: Offre",
        "Merci pour votre message.\nJe suis absente du bureau du 28 avril au 9 mai et je traiterai votre demande à mon retour. Pour toute urgence, vous pouvez contacter le secrétariat.\n\nBien cordialement",
        "2025-05-10",
    ),
    (
        "RE: Oferta",
        "Hola:\n\nGracias por su mensaje. Estaré fuera de la oficina hasta el 9 de mayo. En caso de urgencia, por favor póngase en contacto con juan@x.example.\n\nUn saludo,\nAna",
        "2025-05-10",
    ),
    (
        "Re: Oferta",
        "Estimado/a,\n\nMe encuentro de vacaciones y regreso el 12 de mayo. Responderé a su correo a mi regreso. Para asuntos urgentes contacte con mi compañera Eva (eva@x.example).\n\nSaludos",
        "2025-05-12",
    ),
    (
        "Re: Proposta",
        "Olá,\n\nAgradeço o seu email. Estou de férias até 9 de maio. Em caso de urgência, contacte por favor o meu colega João (joao@x.example).\n\nCumprimentos",
        "2025-05-10",
    ),
    (
        "RES: Proposta",
        "Prezados,\n\nEstarei ausente no período de 28 de abril a 9 de maio. Em caso de urgência, favor entrar em contato com maria@x.example.\n\nAtenciosamente,\nPedro",
        "2025-05-10",
    ),
    (
        "R: Offerta",
        "Gentile cliente,\n\nsono in ferie fino al 9 maggio. Per urgenze potete contattare Mario Rossi (mario@x.example).\n\nCordiali saluti",
        "2025-05-10",
    ),
    (
        "Re: Offerta",
        "Grazie per la Sua email. Sarò assente dall'ufficio dal 28 aprile al 9 maggio e risponderò al mio rientro. Per comunicazioni urgenti si prega di contattare segreteria@x.example.",
        "2025-05-10",
    ),
    (
        "Antw: Aanbod",
        "Beste,\n\nBedankt voor uw bericht. Ik ben met vakantie tot en met 9 mei. Voor dringende zaken kunt u contact opnemen met Jan (jan@x.example).\n\nMet vriendelijke groet,\nPiet",
        "2025-05-10",
    ),
    (
        "Re: Aanbod",
        "Geachte heer/mevrouw,\n\nIk ben momenteel afwezig. Vanaf 12 mei ben ik weer bereikbaar. Bij spoed kunt u bellen met ons kantoor.\n\nGroeten",
        "2025-05-12",
    ),
    (
        "SV: Erbjudande",
        "Hej!\n\nTack för ditt mail. Jag är på semester till och med den 9 maj. Vid brådskande ärenden, kontakta Anna på anna@x.example.\n\nMed vänlig hälsning\nErik",
        "2025-05-10",
    ),
    (
        "Sv: Erbjudande",
        "Hej,\njag är inte på kontoret och är tillbaka måndag 12 maj. Är det brådskande kan du ringa min kollega Lars.\n\nMvh",
        "2025-05-12",
    ),
    (
        "SV: Tilbud",
        "Hej,\n\nTak for din mail. Jeg har ferie til og med den 9. maj. Ved presserende henvendelser kontakt venligst Mette på mette@x.example.\n\nVenlig hilsen",
        "2025-05-10",
    ),
    (
        "SV: Tilbud",
        "Hei,\n\nTakk for din epost. Jeg er på ferie til og med 9. mai. Ved hastende saker, kontakt Ola på ola@x.example.\n\nMvh",
        "2025-05-10",
    ),
    (
        "VS: Tarjous",
        "Hei,\n\nkiitos viestistäsi. Olen lomalla 9.5. asti. Kiireellisissä asioissa ota yhteyttä Mattiin (matti@x.example).\n\nYstävällisin terveisin",
        "2025-05-10",
    ),
    (
        "Odp: Oferta",
        "Dzień dobry,\n\ndziękuję za wiadomość. Jestem na urlopie do 9 maja. W sprawach pilnych proszę o kontakt z Anną (anna@x.example).\n\nPozdrawiam",
        "2025-05-10",
    ),
    (
        "Re: Nabidka",
        "Dobrý den,\n\nděkuji za váš email. Jsem na dovolené do 9. května. V naléhavých případech kontaktujte kolegu (petr@x.example).\n\nS pozdravem",
        "2025-05-10",
    ),
    (
        "Re: Предложение",
        "Здравствуйте!\n\nСпасибо за ваше письмо. Я нахожусь в отпуске до 9 мая. По срочным вопросам обращайтесь к Ивану (ivan@x.example).\n\nС уважением",
        "2025-05-10",
    ),
    (
        "Ynt: Teklif",
        "Merhaba,\n\nE-postanız için teşekkür ederim. 9 Mayıs'a kadar izinde olacağım. Acil durumlarda ali@x.example ile iletişime geçebilirsiniz.\n\nSaygılarımla",
        "2025-05-10",
    ),
    (
        "Re: ご提案",
        "お世話になっております。\n\n5月9日まで休暇をいただいております。お急ぎの場合は tanaka@x.example までご連絡ください。\n\nよろしくお願いいたします。",
        "2025-05-10",
    ),
    (
        "回复: 报价",
        "您好，\n\n感谢您的来信。我正在休假，至2025年5月9日为止。如有紧急事务，请联系王先生 wang@x.example。\n\n此致",
        "2025-05-10",
    ),
];

#[test]
fn vacation_notices_without_any_mark_are_known_by_their_text() {
    let mut wrong = Vec::new();
    for (subject, text, day) in VACATIONS {
        let (mail, judged) = judged(subject, text);
        let back = absence(&mail.subject, &mail.text, RECEIVED, "").return_date;
        let back = back.map_or_else(String::new, |d| d.to_string());
        if judged.automatic != Some(Automatic::Vacation) || back != *day {
            wrong.push(format!(
                "{:?} {:?} {back}: {text}",
                judged.nature, judged.automatic
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Receipts: subject and text.
const RECEIPTS: &[(&str, &str)] = &[
    (
        "Your request has been received",
        "Dear customer,\n\nthank you for contacting us. We have received your request and will respond within 24 hours. Your ticket number is 4711.\n\nBest regards\nSupport",
    ),
    (
        "Re: Offer",
        "This is an automated message. We have received your email and one of our team will get back to you as soon as possible.",
    ),
    (
        "Eingangsbestätigung Ihrer Anfrage",
        "Guten Tag,\n\nvielen Dank für Ihre Nachricht. Ihre Anfrage ist bei uns eingegangen und wird schnellstmöglich bearbeitet.\n\nMit freundlichen Grüßen",
    ),
    (
        "Re: Angebot",
        "Dies ist eine automatisch generierte Antwort. Wir haben Ihre E-Mail erhalten und werden uns umgehend bei Ihnen melden.",
    ),
    (
        "Accusé de réception",
        "Bonjour,\n\nNous avons bien reçu votre message et vous répondrons dans les meilleurs délais.\n\nCordialement",
    ),
    (
        "Re: Offre",
        "Ceci est un message automatique. Votre demande a bien été enregistrée. Merci de ne pas répondre à ce message.",
    ),
    (
        "Gracias por contactarnos",
        "Estimado cliente:\n\nHemos recibido su mensaje y le responderemos a la mayor brevedad posible. Número de caso: 4711.\n\nSaludos",
    ),
    (
        "Obrigado pelo seu contacto",
        "Recebemos a sua mensagem e responderemos o mais breve possível.\n\nCumprimentos",
    ),
    (
        "Grazie per averci contattato",
        "Abbiamo ricevuto la sua richiesta. Le risponderemo il prima possibile.\n\nCordiali saluti",
    ),
    (
        "Ontvangstbevestiging",
        "Wij hebben uw bericht in goede orde ontvangen en nemen zo spoedig mogelijk contact met u op.\n\nMet vriendelijke groet",
    ),
    (
        "Tack för ditt mail",
        "Hej!\n\nVi har mottagit ditt meddelande och återkommer så snart som möjligt. Ditt ärendenummer är 4711.\n\nMed vänlig hälsning",
    ),
    (
        "Tak for din henvendelse",
        "Vi har modtaget din henvendelse og vender tilbage hurtigst muligt.\n\nVenlig hilsen",
    ),
    (
        "Potwierdzenie zgłoszenia",
        "Otrzymaliśmy Twoje zgłoszenie. Numer zgłoszenia: 4711. Odpowiemy jak najszybciej.\n\nPozdrawiamy",
    ),
    (
        "Ваше обращение зарегистрировано",
        "Здравствуйте! Мы получили ваше обращение и ответим вам в ближайшее время. Номер обращения: 4711.",
    ),
    (
        "お問い合わせありがとうございます",
        "このメールは自動返信です。お問い合わせを受け付けました。担当者より折り返しご連絡いたします。",
    ),
];

#[test]
fn receipts_are_known_by_subject_and_text() {
    let mut wrong = Vec::new();
    for (subject, text) in RECEIPTS {
        let (_, judged) = judged(subject, text);
        if judged.automatic != Some(Automatic::Acknowledgement) {
            wrong.push(format!(
                "{:?} {:?}: {subject}: {text}",
                judged.nature, judged.automatic
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// People who write of absences, of automatic answers and of receipts.
const PEOPLE: &[(&str, &str)] = &[
    (
        "Re: Offer",
        "I was out of office last week, now I want the viewing.",
    ),
    (
        "Re: Offer",
        "Sorry for the late reply, I was on vacation. Please send me the brochure.",
    ),
    (
        "Re: Offer",
        "I am out of the office until Monday, but yes, please call me then.",
    ),
    (
        "Re: Offer",
        "I'm away from Friday for two weeks. Could we do the viewing before?",
    ),
    (
        "Re: Offer",
        "We are on holiday in Spain until 9 May and would love to see the flat while we are here.",
    ),
    (
        "Re: Offer",
        "Thank you for your email. I will be travelling until 9 May. Please contact my wife at eve@x.example to arrange a viewing.",
    ),
    (
        "Re: Offer",
        "I got your automatic reply. When are you back?",
    ),
    (
        "Re: Out of office: Offer",
        "Thanks, I saw that you are away. Is the flat still available?",
    ),
    (
        "Re: Automatic reply: Offer",
        "Ok, then I will call you on Monday.",
    ),
    (
        "Re: Offer",
        "We have received your offer and will discuss it. How much is the deposit?",
    ),
    (
        "Re: Offer",
        "Is your office closed on Saturdays? I would like to visit.",
    ),
    (
        "Re: Offer",
        "I no longer work at Acme, please use this address. I am still interested.",
    ),
    (
        "Re: Offer",
        "Not interested, please remove me from your list. I am on vacation!",
    ),
    (
        "AW: Angebot",
        "Ich war letzte Woche im Urlaub und habe Ihr Angebot erst heute gesehen. Ich hätte gerne eine Besichtigung.",
    ),
    (
        "AW: Angebot",
        "Ich bin bis Freitag im Urlaub, danach können wir gerne einen Termin vereinbaren.",
    ),
    (
        "AW: Angebot",
        "Wir haben Ihre E-Mail erhalten, danke. Was kostet die Wohnung mit Stellplatz?",
    ),
    (
        "AW: Abwesenheitsnotiz: Angebot",
        "Danke für die Info, dann melde ich mich nächste Woche nochmal.",
    ),
    (
        "RE: Offre",
        "J'étais en vacances la semaine dernière. Je souhaite visiter l'appartement samedi.",
    ),
    (
        "RE: Offre",
        "Je suis en congés jusqu'au 9 mai, pouvez-vous me rappeler ensuite ?",
    ),
    (
        "RE: Oferta",
        "Estuve de vacaciones, perdón por la demora. Me interesa el piso, ¿cuándo puedo visitarlo?",
    ),
    (
        "RE: Oferta",
        "Estoy de viaje hasta el viernes, pero me gustaría recibir más información.",
    ),
    (
        "RES: Proposta",
        "Estive de férias. Gostaria de marcar uma visita ao apartamento.",
    ),
    (
        "RES: Proposta",
        "Estou fora até sexta, mas podem ligar-me depois? Tenho interesse.",
    ),
    (
        "R: Offerta",
        "Ero in ferie la settimana scorsa. Vorrei visitare l'appartamento.",
    ),
    (
        "R: Offerta",
        "Sono fuori ufficio fino a venerdì, ma mi interessa: può mandarmi la brochure?",
    ),
    (
        "Antw: Aanbod",
        "Ik was vorige week met vakantie. Ik wil graag een bezichtiging plannen.",
    ),
    (
        "Antw: Aanbod",
        "Ik ben afwezig tot vrijdag, kunt u mij daarna bellen?",
    ),
    (
        "SV: Erbjudande",
        "Jag var på semester förra veckan. Jag vill gärna boka en visning.",
    ),
    (
        "SV: Erbjudande",
        "Jag är borta till fredag, kan vi höras efter det?",
    ),
    (
        "SV: Tilbud",
        "Jeg var på ferie i sidste uge. Jeg vil gerne se lejligheden.",
    ),
    (
        "SV: Tilbud",
        "Jeg har ferie denne uken, kan vi ta en visning neste uke?",
    ),
    (
        "VS: Tarjous",
        "Olin lomalla viime viikolla. Haluaisin nähdä asunnon.",
    ),
    (
        "Odp: Oferta",
        "Byłem na urlopie w zeszłym tygodniu. Chciałbym obejrzeć mieszkanie.",
    ),
    (
        "Re: Nabidka",
        "Byl jsem na dovolené. Mám zájem o prohlídku bytu.",
    ),
    (
        "Re: Предложение",
        "Я был в отпуске на прошлой неделе. Хочу посмотреть квартиру.",
    ),
    (
        "Ynt: Teklif",
        "Geçen hafta tatildeydim. Daireyi görmek istiyorum.",
    ),
    ("Re: ご提案", "先週は休暇中でした。内覧を希望します。"),
    (
        "回复: 报价",
        "我上周休假了。我对这个公寓感兴趣，可以看房吗？",
    ),
    // With the notice or the report below.
    (
        "Re: Automatic reply: Offer",
        "Fine, I'll wait.\n\nOn Mon, 28 Apr 2025 at 10:00, Ann <ann@y.example> wrote:\n> Thank you for your email. I am out of the office until 9 May.\n> For urgent matters please contact jane@x.example.\n",
    ),
    (
        "Fwd: Automatic reply: Offer",
        "---------- Forwarded message ---------\nFrom: Ann <ann@y.example>\nSubject: Automatic reply: Offer\n\nI am out of the office until 9 May. For urgent matters please contact jane@x.example.\n",
    ),
    (
        "Re: Undelivered Mail Returned to Sender",
        "This came back. Do you have another address?\n\n> could not be delivered\n> 550 5.1.1 user unknown\n",
    ),
    (
        "Mail delivery problem",
        "Hello, my last mail to you came back with 550 5.1.1 user unknown, could not be delivered. Did you get my offer?",
    ),
    (
        "Delivery failed",
        "The parcel could not be delivered, the driver did not find the address. Please call me.",
    ),
    // Away, and still to be reached: what a person writes.
    (
        "Re: Offer",
        "I'm on holiday until May 15, but you can reach me by phone.",
    ),
    (
        "Re: Offer",
        "I am away until Monday. You can reach me on my mobile 0123 456789.",
    ),
    (
        "Re: Offer",
        "Vielen Dank für Ihre Nachricht. Ich bin bis Freitag unterwegs, Sie erreichen mich mobil.",
    ),
    (
        "Re: Offer",
        "Merci pour votre message. Je suis en déplacement jusqu'à vendredi, mon numéro : 06 12 34 56 78.",
    ),
    (
        "Re: Offer",
        "Gracias por su mensaje. Estoy de viaje hasta el viernes, pero me puede llamar al móvil.",
    ),
    (
        "Re: Offer",
        "Grazie per il messaggio. Sono in ferie fino al 15 maggio ma sono raggiungibile al telefono.",
    ),
    (
        "Re: Offer",
        "Obrigado pela mensagem. Estou de férias até dia 15 de maio, mas pode contactar-me por telefone.",
    ),
    (
        "Re: Offer",
        "Bedankt voor uw bericht. Ik ben op vakantie tot 15 mei, maar telefonisch bereikbaar.",
    ),
    (
        "Re: Offer",
        "Tack för ditt mail. Jag är på semester till den 15 maj men nås på mobilen.",
    ),
    (
        "Re: Offer",
        "Jestem na urlopie do 15 maja, ale proszę o kontakt telefoniczny.",
    ),
    (
        "Re: Offer",
        "Я в отпуске до 15 мая, но звоните мне на мобильный.",
    ),
    (
        "Re: Offer",
        "15 Mayıs'a kadar tatildeyim ama telefonla ulaşabilirsiniz.",
    ),
    (
        "Re: Offer",
        "This is an automated reply? Please have a person write to me.",
    ),
];

#[test]
fn no_person_is_taken_for_a_machine() {
    let mut wrong = Vec::new();
    for (subject, text) in PEOPLE {
        let (_, judged) = judged(subject, text);
        if judged.nature != Nature::Human {
            wrong.push(format!(
                "{:?} {:?}: {subject}: {text}",
                judged.nature, judged.evidence
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
