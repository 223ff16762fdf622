//! The words by which bounces and automatic answers are known where headers are silent. All are
//! matched without regard to case, on a bounded piece of text.

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

/// A pattern that is compiled at its first use. The patterns are constants; a test compiles each,
/// so `None` does not happen.
pub(super) struct Pattern(LazyLock<Option<Regex>>);

impl Pattern {
    pub(super) fn find<'t>(&self, text: &'t str) -> Option<regex::Match<'t>> {
        self.0.as_ref()?.find(text)
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        self.find(text).is_some()
    }

    pub(super) fn captures<'t>(&self, text: &'t str) -> Option<regex::Captures<'t>> {
        self.0.as_ref()?.captures(text)
    }

    pub(super) fn all<'t>(
        &'static self,
        text: &'t str,
    ) -> impl Iterator<Item = regex::Captures<'t>> {
        self.0
            .as_ref()
            .into_iter()
            .flat_map(move |r| r.captures_iter(text))
    }

    /// Compiles it unless it is: that takes milliseconds.
    pub(super) fn warm_up(&self) {
        LazyLock::force(&self.0);
    }

    #[cfg(test)]
    pub(super) fn compiles(&self) -> bool {
        self.0.is_some()
    }
}

fn compile(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern)
        .case_insensitive(true)
        .multi_line(true)
        .dfa_size_limit(8 << 20)
        .size_limit(16 << 20)
        .build()
        .ok()
}

macro_rules! patterns {
    ($($(#[$doc:meta])* $name:ident = $($piece:literal)+;)+) => {
        $($(#[$doc])* pub(super) static $name: Pattern =
            Pattern(LazyLock::new(|| compile(concat!($($piece),+))));)+
        /// Each with its name.
        pub(super) static ALL: &[(&str, &Pattern)] = &[$((stringify!($name), &$name)),+];
    };
}

patterns! {
    /// Subjects that only mail systems write, from the start of the subject on; prefixes that
    /// lists add in brackets are allowed.
    BOUNCE_SUBJECT =
        r"^(?:\[[^\]]{1,40}\] *)?(?:"
        r"undelivered mail returned|undeliverable|undelivered (?:mail|message)|undeliverable (?:mail|message)"
        r"|(?:\S+ )?mail delivery (?:fail|problem|error|warning|status|system|subsystem)"
        r"|(?:\S+ )?mail (?:could )?not (?:be )?delivered|mail failed|mail failure|failed mail|failure notice|failure delivery"
        r"|delivery status notification|delivery (?:has )?fail|delivery status$|delivery notification|delivery error|delivery problem|delivery report"
        r"|returned mail|returned to sender|return(?:ed)? (?:e-?mail|message)|message status|permanent delivery failure|non[- ]?delivery|non[- ]?remis"
        r"|mail system error|message (?:delivery|undeliverable|not delivered|could not be delivered)|message delayed|delayed mail"
        r"|warning: (?:could not send|message|e?mail|.{0,80}user unknown|.{0,80}still)|e?-?mail delivery failure|error sending|there was an error sending your mail|processing error"
        r"|your message (?:to .{1,200} )?could not be delivered|your e?-?mail (?:to .{1,200} )?could not|could not deliver|could not send message|postfix smtp server: errors"
        r"|nondeliverable|notification d'échec|échec de la remise|échec de la remise|unzustellbar|zustellung fehlgeschlagen|fehler bei der zustellung|mail konnte nicht"
        r"|rückläufer|nicht zustellbar|no se puede entregar|no se pudo entregar|devuelto|correo devuelto|error de entrega|entrega fallida|mensaje no entregado"
        r"|non recapitabile|mancato recapito|messaggio non recapitato|impossibile recapitare|não foi possível entregar|não entregue|falha na entrega|erro de entrega"
        r"|niet bezorgd|onbestelbaar|kan niet worden bezorgd|kan inte levereras|kunde inte levereras|olevererbart|det gick inte att leverera"
        r"|kan ikke leveres|nie można dostarczyć|niedostarczalne|non remis|недоставленное|не доставлено|ваше сообщение не доставлено|配信不能|メールを配送できません|エラーメール|退信|邮件传输失败|投递失败|无法投递|无法送达"
        r")";
    /// `: non remis` and the like at the end, as Exchange writes it.
    BOUNCE_SUBJECT_END =
        r"(?:: ?non remis|\(delivery failed\)|: ?unzustellbar|could not be delivered\.?|undeliverable|user unknown!?|delivery failure)\s*$";
    /// Sentences of failure reports.
    FAILURE =
        r"could ?n[o']t be delivered|cannot be delivered|can't be delivered|was not delivered|not been delivered|were not delivered|has failed permanently|failed permanently"
        r"|unable to deliver|not able to deliver|unable to be delivered|could not deliver|couldn't deliver|cannot deliver|failed to deliver|delivery (?:to .{1,100})?(?:has )?failed|delivery to the following|did not reach the following|failed recipient|failed addresses|failed to send"
        r"|undeliverable|undelivered|permanent (?:fatal )?error|fatal errors|transcript of session|permanent delivery failure|delivery attempts? (?:has |have )?failed|returned to sender|returning (?:the )?message|being returned|is returned|was returned|bounced|could not be (?:sent|completed|found)"
        r"|delivery (?:failure|error|problem|incomplete|status)|not be delivered|unable to send|unable to relay|message delivery|non[- ]?delivery|problem(?:s)? (?:occurred )?(?:during|with|in) (?:the )?(?:delivery|sending)|following (?:address|recipient|user)s?"
        r"|mailer[- ]daemon|smtp error|remote host said|remote (?:mail )?server|said: [45]\d\d|<<< [45]\d\d|>>> RCPT|550[ -]|554[ -]|552[ -]|553[ -]|#5\.\d\.\d|\b5\.\d\.\d{1,3}\b"
        r"|konnte nicht (?:zugestellt|ausgeliefert|weitergeleitet)|nicht zustellbar|unzustellbar|nicht zugestellt|n'a pas pu être|non remis|pas été remis|impossible de remettre"
        r"|no (?:se )?(?:ha |pudo |puede )?(?:podido )?(?:ser )?entrega|no ha llegado|non è stato (?:possibile )?(?:recapit|consegn)|impossibile (?:recapitare|consegnare)|não (?:foi|pôde) (?:possível )?(?:ser )?entreg"
        r"|kon niet worden (?:afgeleverd|bezorgd)|niet (?:afgeleverd|bezorgd)|kunde inte levereras|nie (?:mogła|może|można) (?:zostać )?dostarcz|не (?:было )?(?:может быть )?доставлено|配信できません|配送できません|送信できません";
    /// A sentence that names the recipient whom a mail did not reach.
    NAMES_RECIPIENT =
        r"(?:could not be|cannot be|was not|not been|unable to be|pas pu [eê]tre|nicht|no pudo ser|non è stato) (?:delivered|delivr[eé]|zugestellt|entregado|recapitato|consegnato) (?:to |a |à |an |al )?[^@]{0,120}[a-z0-9._+=-]{1,64}@[a-z0-9-]";
    /// The address does not exist any more, or never did.
    ADDRESS_GONE =
        r"user (?:is )?(?:unknown|not found|doesn'?t exist|does not exist|not known|invalid)|unknown (?:user|recipient|address|account|local)|no such (?:user|recipient|mailbox|address|person|account)|(?:user|mailbox|account|address|recipient|email)\S* (?:<?\S{1,100}>? )?(?:does ?n[o']t|doesn.t|not) exist"
        r"|(?:mailbox|address|recipient|account|user)\S* (?:is |was )?(?:unavailable or does not|not found|unknown|invalid)|invalid (?:recipient|mailbox|user|address)|no mailbox|not a (?:known|valid) (?:user|mailbox|recipient)|isn't a valid|no longer (?:exists?|valid|here|employed|available|with|an? )|(?:recipient|address) (?:address )?rejected: (?:user|undeliverable|unknown|no such|address)|bad destination (?:mailbox|address)"
        r"|unrouteable address|unroutable|host (?:or domain name )?(?:not found|unknown)|unknown host|domain (?:name )?(?:not found|does not exist|not exist)|name service error .{0,80}host not found|nxdomain|no mx|does not accept (?:mail|e-?mail|smtp)|domain .{0,80}does not accept|bad host|couldn't find any host|cannot find your|no user by|name not found|not in (?:our )?(?:directory|user database)|address (?:couldn't be|wasn't|could not be|was not) found|account (?:has been )?(?:deleted|closed|terminated)|unbekannte?r? (?:empf|benutzer)|user not local|does not have (?:an|a yahoo)|this user doesn't have|we do not relay|recipient not (?:found|known)|not listed in (?:domino|public|the)|not our customer|宛先.{0,10}不明";
    /// The address may well exist.
    ADDRESS_STAYS =
        r"mailbox (?:is )?(?:full|exceeded|over|size)|over ?-?quota|quota (?:exceeded|is)|exceed\w* .{0,40}quota|insufficient (?:system )?(?:storage|space)|storage .{0,30}exceeded|spam|blocked|black-?list|blocklist|denied|policy|reputation|greylist|too (?:large|many|big)|try again|temporar|timed? ?out|timeout|connection refused|deferred|suspend|inactive|disabled|virus|spf|dmarc|dkim|not permitted|refused|rejected for|authentication|size limit|loop|hop count|rate limit|unsolicited|content|voll\b";
    /// Not failed yet.
    DELAYED =
        r"delivery status notification ?[(:] ?(?:delay|warning)|delayed mail|message delayed|message .{0,40}delayed|has not yet been delivered|not yet been delivered|not been delivered yet|still being retried|(?:attempts|tries) will continue|will (?:continue|keep) (?:to )?(?:try|be tried|trying|attempting)|(?:attempts to|tries to) deliver .{0,40}will continue|do(?:es)? not need to (?:resend|re-send|take)|no action is required|warning message only|warning only|this is a warning|(?:delivery|message) (?:is|has been) delayed|delivery incomplete|temporary problem delivering|will be retried|retried for|could not send message for past \d+ hours?|mail delivery warning|will retry|delivery delayed|wird weiter versucht|verzögert";
    /// It did fail in the end, though it was delayed before.
    GAVE_UP =
        r"giving up|given up|gave up|returning (?:the )?(?:message|mail)|returned to sender|failed permanently|has failed|permanent (?:fatal )?error|permanently|fatal errors|retry time(?:out)? exceeded|could not be delivered to one|failure\)|undeliverable|undelivered mail returned|too long|expired|cannot send message for \d+ days|delivery (?:attempts )?(?:has |have )?failed|notification: failed|retry timeout";
    /// An enhanced status code (RFC 3463), not part of an address or version.
    STATUS_CODE = r"(?:^|[^\d.\w\[/-])([245]\.\d{1,3}\.\d{1,3})(?:$|[^\d.\w/-]|\.(?:$|\s))";
    /// A reply code (RFC 5321 §4.2) where reports put it.
    REPLY_CODE =
        r"(?:^|said: ?|error:? |<<< |host said:? |response:? |status:? |code:? |\(|smtp; ?|failed: |: )([45]\d\d)(?:[ -]#?[\w<\['(]|\)|$)";
    /// Where reports name the failed address.
    FAILED_ADDRESS =
        r#"(?:^|[\s<("':;,])([a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?)(?:$|[\s>)"':;,.])"#;
    /// Where the returned mail begins in a plain-text report.
    RETURNED =
        r"^[ \t>*=-]*(?:(?:this|below) .{0,40}(?:copy|header)|original message|the (?:original|text|header|first|body|following).{0,60}(?:message|header|mail|copy)|unsent message|message header|returned (?:message|text|mail)|copy of .{0,30}message|begin (?:message|header)|included is a copy|message text follows|your (?:original )?message (?:reads|follows|is)|undelivered message|text of (?:your|the))|^(?:received: (?:from|by|\()|return-path: )";
    /// Words of a subject that only automatic answers have, wherever they stand. Not words like
    /// "de vacaciones": they may stand in the subject of the campaign that is answered.
    AUTO_SUBJECT =
        r"\bauto(?:matic|mated|matische?|matisk|matisch)?[ -]?(?:reply|response|respons|responder|antwort|svar|antwoord)\b|\bauto[- ]?repl(?:y|ied)\b|\bautorespon|automatically generated|\bis (?:currently )?out of (?:the )?office|\bvacation (?:reply|response|notice)\b|abwesenheits(?:notiz|nachricht|meldung|assistent|benachrichtigung)|urlaubsabwesenheit"
        r"|réponse automatique|message d'absence|respuesta autom[áa]tica|risposta automatica|resposta autom[áa]tica|automatiskt svar|automatisk svar|fraværsmelding|automatyczna odpowied|autoodpowied|automaattinen vastaus|автоматический ответ|автоответ|自動返信|自动回复|自動回覆";
    /// Subjects that start with an absence.
    AWAY_SUBJECT =
        r"^(?:\[[^\]]{0,40}\] *)?(?:out[- ]of[- ](?:the )?office|oof\b|ooo\b|out of town|away from (?:the |my )?(?:office|desk|mail|e-?mail)|(?:i am |i'm |currently |i will be )*(?:away (?:until|till|from|on)|away$|out of (?:the )?office|on (?:vacation|holidays?|leave|annual leave|parental leave|maternity leave)\b)"
        r"|abwesenheit|abwesend\b|nicht im (?:büro|hause)|(?:ich )?(?:bin )?(?:derzeit )?im urlaub\b|absence (?:du bureau|temporaire|jusqu)|absence$|absente? (?:du bureau|jusqu)|en congés?\b|fuera de (?:la )?oficina|ausente\b|ausencia\b|de vacaciones|fuori (?:sede|ufficio)|assente\b|assenza\b|in ferie\b|fora do escritório|ausência\b|de férias\b|em férias\b"
        r"|afwezig(?:heid)?\b|niet op kantoor|op vakantie\b|met vakantie\b|frånvaro|fravær\b|på semester\b|ikke på kontoret|ej på kontoret|inte på kontoret|nieobecno|poza biurem|poissa toimistosta)";
    /// Subjects of acknowledgements: strong only with a second sign.
    ACK_SUBJECT =
        r"^(?:thank(?:s| you) for (?:your (?:e-?mail|message|mail|inquiry|enquiry|request)|contacting|getting in touch|reaching out)|we(?:'ve| have)? received your|your (?:message|e-?mail|request|inquiry|enquiry|ticket) (?:has been |was )?received|ticket (?:received|created)|\[(?:ticket|case|request)? ?#|case #|danke für ihre|vielen dank für ihre|ihre (?:nachricht|anfrage)|merci (?:pour|de) votre|gracias por (?:su|tu|contactar)|grazie per|obrigad[oa] (?:por|pelo)|bedankt voor|tack för (?:ditt|din))";
    /// What vacation notices say in their first lines.
    AWAY_TEXT =
        r"(?:i am|i'm|i will be|i'll be|currently|am) (?:currently |now |also |travell?ing and )?(?:out of (?:the |my )?(?:office|town)|away (?:from|until|on|till|through)|on (?:vacation|holiday|holidays|leave|annual leave|parental leave|maternity leave|paternity leave|sick leave|a business trip)|travell?ing)|will be out of (?:the )?office|limited access to (?:my )?(?:e-?mail|mail)|(?:return|back) (?:to|in) (?:the )?office|no longer (?:works?|employed|with|at) |this (?:is an )?automat(?:ed|ic)(?:ally)? (?:generated )?(?:reply|response|message|e-?mail)|automatically generated|do not reply to this (?:e-?mail|message)"
        r"|(?:bin|befinde mich|sind) .{0,40}(?:im urlaub|nicht im (?:büro|haus)|abwesend|ausser haus|außer haus|in elternzeit|auf dienstreise)|nicht im büro|wieder (?:im büro|erreichbar|für sie da|da)|meine e-?mails? werden nicht|werde? ich .{0,60}beantworten|automatisch (?:generierte|erstellte)"
        r"|je suis (?:actuellement )?(?:absente?|en (?:congé|vacances|déplacement|arrêt|formation))|absente? (?:du bureau|jusqu|du \d)|de retour le|serai de retour|estoy (?:actualmente )?(?:fuera de|ausente|de vacaciones)|estaré (?:fuera|ausente|de vacaciones|de vuelta)|fuera de la oficina|me encuentro (?:fuera|de vacaciones|ausente)"
        r"|sono (?:attualmente )?(?:fuori|assente|in ferie|in vacanza)|sarò (?:assente|fuori|in ferie|di ritorno|nuovamente)|rientrerò|estou (?:atualmente |de |em )?(?:ausente|fora|férias)|estarei (?:ausente|fora|de férias|de volta|em férias)|ik ben (?:momenteel |op dit moment |tot .{1,30} )?(?:afwezig|niet (?:op kantoor|aanwezig|bereikbaar)|met vakantie|op vakantie|met verlof)|weer aanwezig|weer op kantoor"
        r"|jag är (?:för närvarande |just nu )?(?:på semester|inte på kontoret|borta|tjänstledig|föräldraledig|ledig)|är på semester|åter på kontoret|tillbaka (?:på kontoret|den|igen)|jestem (?:obecnie )?(?:nieobecn|na urlopie|poza biurem)|будет отсутств|в отпуске";
}
