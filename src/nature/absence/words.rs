//! Words of dates, folded (`fold.rs`), in the languages of the lexicon.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a word means next to a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// January is 1.
    Month(u32),
    /// Monday is 0.
    Weekday(u32),
    /// The day after it the person is back: `until`, `bis`.
    Until,
    /// `to`, between two dates.
    To,
    /// `and`, between two dates after `between`.
    And,
    /// `between`.
    Between,
    /// The first day away, or with a word of return the day back: `from`, `ab`.
    From,
    /// `before`, `vor`.
    Before,
    /// A return: `back`, `wieder`.
    Back,
    /// `not`, `erst`.
    Not,
    /// It may stand between a cue and its date.
    Filler,
    /// So many days ahead.
    Tomorrow,
    /// `next`, before `week` or a day.
    Next,
    /// `week`.
    Week,
}

static WORDS: LazyLock<HashMap<&'static str, Word>> = LazyLock::new(|| {
    let mut words = HashMap::new();
    for (number, list) in (1..).zip(MONTHS) {
        words.extend(list.split_whitespace().map(|w| (w, Word::Month(number))));
    }
    for (number, list) in (0..).zip(WEEKDAYS) {
        words.extend(list.split_whitespace().map(|w| (w, Word::Weekday(number))));
    }
    for (word, list) in OTHERS {
        words.extend(list.split_whitespace().map(|w| (w, *word)));
    }
    words
});

/// Words with endings: Finnish, Russian.
const STEMS: &[(&str, Word)] = &[
    ("tammikuu", Word::Month(1)),
    ("helmikuu", Word::Month(2)),
    ("maaliskuu", Word::Month(3)),
    ("huhtikuu", Word::Month(4)),
    ("toukokuu", Word::Month(5)),
    ("kesakuu", Word::Month(6)),
    ("heinakuu", Word::Month(7)),
    ("elokuu", Word::Month(8)),
    ("syyskuu", Word::Month(9)),
    ("lokakuu", Word::Month(10)),
    ("marraskuu", Word::Month(11)),
    ("joulukuu", Word::Month(12)),
    ("maanantai", Word::Weekday(0)),
    ("tiistai", Word::Weekday(1)),
    ("keskiviikko", Word::Weekday(2)),
    ("torstai", Word::Weekday(3)),
    ("perjantai", Word::Weekday(4)),
    ("понедельник", Word::Weekday(0)),
    ("вторник", Word::Weekday(1)),
    ("четверг", Word::Weekday(3)),
    ("пятниц", Word::Weekday(4)),
    ("jusqu", Word::Until),
    ("retourn", Word::Back),
    ("вернусь", Word::Back),
    ("döne", Word::Back),
    ("done", Word::Back),
];

/// The meaning of a folded word.
pub(super) fn of(word: &str) -> Option<Word> {
    if let Some(known) = WORDS.get(word) {
        return Some(*known);
    }
    // `mayis'a`: Turkish sets endings apart.
    if let Some((stem, _)) = word.split_once('\'')
        && let Some(known @ Word::Month(_)) = WORDS.get(stem)
    {
        return Some(*known);
    }
    let mut stems = STEMS.iter();
    stems.find(|(s, _)| word.starts_with(s)).map(|(_, w)| *w)
}

/// `two`: words that count units of time. Not in the table above: they are short, and mean other
/// things elsewhere.
pub(super) fn count(word: &str) -> Option<u32> {
    let is = |list: &str| list.split(' ').any(|w| w == word);
    match word {
        _ if is("a an one einer ein eine une un una uno um uma een ett en et") => Some(1),
        _ if is("two zwei deux dos dois duas due twee tva to dwa dva dve два две") => Some(2),
        _ if is("three drei trois tres tre drie trzy tri три") => Some(3),
        _ if is("four vier quatre cuatro quatro quattro fyra fire cztery четыре") => Some(4),
        _ => None,
    }
}

/// The days of a unit of time.
pub(super) fn days_of(word: &str) -> Option<u32> {
    let is = |list: &str| list.split(' ').any(|w| w == word);
    match word {
        _ if is(DAYS) => Some(1),
        _ if is(WEEKS) => Some(7),
        _ if is(MONTH_UNITS) => Some(30),
        _ => None,
    }
}

const DAYS: &str = "day days tag tage tagen jour jours dia dias giorno giorni dag dagen dagar dage dager den dni день дня дней";
const WEEKS: &str = "week weeks woche wochen semaine semaines semana semanas settimana settimane weken vecka veckor uge uger uke uker tydzien tygodnie tyden tydny неделю недели недель";
const MONTH_UNITS: &str = "month months monat monate monaten mois mes meses mese mesi maand maanden manad manader maned maneder miesiac mesic месяц месяца месяцев";

/// Where a person works, and words around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlaceCue {
    /// `in`, `at`, `au`.
    In,
    /// `office`, `Büro`, `ufficio`.
    Work,
    /// `out`, `fuori`, `absent`.
    Absent,
}

/// What a word says of the place of work.
pub(super) fn place(word: &str) -> Option<PlaceCue> {
    let is = |list: &str| list.split(' ').any(|w| w == word);
    match word {
        _ if is("in im ins at au en no na op pa w v στο") => Some(PlaceCue::In),
        _ if is(
            "office work desk buro buero haus hause dienst arbeitsplatz bureau oficina ufficio sede escritorio kantoor kontoret jobb arbete arbejde biurze biura kancelari praci pracy toimistolla γραφείο",
        ) =>
        {
            Some(PlaceCue::Work)
        }
        _ if is(
            "out away absent absence closed unavailable ausser nicht abwesend urlaub geschlossen hors absente conges fermes ferme fuera ausente cerrada fora ausencia fuori assente ferie chiuso chiusi niet afwezig buiten gesloten inte ej borta stangt ikke ferie poza mimo nejsem εκτός",
        ) =>
        {
            Some(PlaceCue::Absent)
        }
        _ => None,
    }
}

/// `reply`, in the words in which people promise to on a day.
pub(super) fn replies(word: &str) -> bool {
    matches!(
        word,
        "reply"
            | "respond"
            | "answer"
            | "antworten"
            | "beantworten"
            | "repondrai"
            | "respondere"
            | "contestare"
            | "responderei"
            | "rispondero"
            | "antwoorden"
            | "svarar"
            | "svarer"
    )
}

/// A return, in scripts without blanks between words.
pub(super) const BACK_WITHOUT_BLANKS: &[&str] = &[
    "出社",
    "復帰",
    "出勤",
    "営業再開",
    "営業を再開",
    "通常営業",
    "通常通り",
    "業務を再開",
    "返回",
    "回来",
    "回來",
    "返岗",
    "返崗",
    "上班",
    "复工",
    "復工",
    "恢复办公",
    "복귀",
    "출근",
    "돌아",
];

/// What stands before a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpanCue {
    /// `for two weeks`
    Lasts,
    /// `in two weeks`
    Ends,
}

/// The word before a span of time.
pub(super) fn span_cue(word: &str) -> Option<SpanCue> {
    let is = |list: &str| list.split(' ').any(|w| w == word);
    match word {
        _ if is("for fur pour por durante per voor gedurende pendant i under w przez на") => {
            Some(SpanCue::Lasts)
        }
        _ if is("in dans en em tra fra over om za через") => Some(SpanCue::Ends),
        _ => None,
    }
}

const MONTHS: [&str; 12] = [
    "january jan januar janner jaenner janvier janv enero ene janeiro gennaio gen januari stycznia ledna января січня ocak ianuarie ιανουαρίου ιανουάριο",
    "february feb februar feber fevrier fevr fev febrero fevereiro febbraio februari lutego unora февраля лютого subat februarie φεβρουαρίου φεβρουάριο",
    "march mar marz maerz mrz mars marzo marco maart mrt marts marca brezna марта березня mart marcius martie μαρτίου",
    "april apr avril avr abril abr aprile kwietnia dubna апреля квітня nisan aprilis aprilie απριλίου",
    "may mai mayo maio maggio mei maj maja kvetna мая травня mayis majus μαΐου",
    "june jun juni juin junio junho giugno giu czerwca cervna июня червня haziran junius iunie ιουνίου",
    "july jul juli juillet juil julio julho luglio lug lipca cervence июля липня temmuz julius iulie ιουλίου",
    "august aug aout agosto ago augustus augusti sierpnia srpna августа серпня agustos augusztus αυγούστου",
    "september sep sept septembre septiembre setiembre setembro settembre set septembrie wrzesnia zari сентября вересня eylul szeptember σεπτεμβρίου",
    "october oct oktober okt octobre octubre outubro ottobre ott octombrie pazdziernika rijna октября жовтня ekim οκτωβρίου",
    "november nov novembre noviembre novembro noiembrie listopada listopadu ноября листопада kasim νοεμβρίου",
    "december dec dezember dez decembre diciembre dic dezembro dicembre desember decembrie grudnia prosince декабря грудня aralik δεκεμβρίου",
];

const WEEKDAYS: [&str; 7] = [
    "monday montag lundi lunes segunda lunedi maandag mandag poniedzialek poniedzialku pondeli pazartesi luni 月曜 周一 星期一 hetfo hetfon δευτέρα",
    "tuesday dienstag mardi martes terca martedi dinsdag tisdag tirsdag wtorek wtorku utery utera sali marti 火曜 周二 星期二 kedd kedden τρίτη",
    "wednesday mittwoch mercredi miercoles quarta mercoledi woensdag onsdag sroda srody srode streda stredy среда среды среду carsamba miercuri szerda szerdan τετάρτη",
    "thursday donnerstag jeudi jueves quinta giovedi donderdag torsdag czwartek czwartku ctvrtek ctvrtka persembe joi csutortok csutortokon πέμπτη",
    "friday freitag vendredi viernes sexta venerdi vrijdag fredag piatek piatku patek patku cuma vineri pentek penteken παρασκευή",
    "saturday samstag sonnabend samedi sabado sabato zaterdag lordag sobota soboty sobote суббота субботы cumartesi sambata szombat szombaton σάββατο",
    "sunday sonntag dimanche domingo domenica zondag sondag niedziela niedzieli nedele воскресенье воскресенья pazar duminica vasarnap κυριακή",
];

const OTHERS: &[(Word, &str)] = &[
    (
        Word::Until,
        "until till untill through thru 'til bis jusque hasta ate fino sino tot tm tom til asti pana до по t μέχρι έως ως 至 到",
    ),
    (Word::To, "to au al a aux do"),
    (Word::And, "and und et y e en och og i и ve και"),
    (
        Word::Between,
        "between zwischen entre tra fra tussen mellan mellem mellom miedzy mezi между μεταξύ",
    ),
    (
        Word::From,
        "from since starting beginning as ab vom von seit du depuis partir del desde dal da van vanaf fran od с з kezdve από 从 從 自 由",
    ),
    (
        Word::Before,
        "before vor avant antes prima voor fore for przed pred",
    ),
    (
        Word::Back,
        "back regressando retornando regresando volviendo rientrando revenant zuruckkehrend return returning returns returned available again reachable resume reopen reopens reopening zuruck reouverture rouvrons rouvrirons rouvrira rouvre          reapertura reabrimos reabertura riapertura riapriamo riapriremo wiedereroffnung heropening heropenen genoppnar gjenapner genabner          ujra ismet visszajovok elerheto επιστρέψω επιστρέφω επιστροφή επιστρέψουμε ξανά повернусь возвращения powracam zpet disponibles           wieder ruckkehr rueckkehr erreichbar retour reviens reviendrai \
         rentre rentrerai reprendrai reprise nouveau regreso regresare vuelvo volvere vuelta reincorporare reincorporo reincorporacion retorno retornarei \
         volto voltarei regressarei regressar rientro rientrero tornero torno ritorno nuovo nuovamente nuevo nuevamente novamente novo terug weer terugkomst bereikbaar ater tillbaka \
         tilbage tilbake igen igjen palaan takaisin wracam wroce powrot powroce navrat vratim вернется выйду возвращаюсь donus visszaerek revin disponibile disponible disponivel",
    ),
    (
        Word::Not,
        "not nicht erst ne pas no nao non niet inte ikke ej nie pas не won't can't isn't don't n't nur δεν μην",
    ),
    (
        Word::Filler,
        "the of and including inclusive incl inkl inclus einschliesslich einschl inclusief inklusive compris incluido incluso inclusa inbegrepen \
         on am dem den der die das le la les el il lo los o os dia di d de het een og med och t m zum zur zu dagen giorno jour \
         mon tue tues wed thu thur thurs fri sat sun mo mi fr sa so lun mer jeu ven sam dim feira godz \
         this diesen dieser early late end close cob eod business \
         einschliesslichem spatestens voraussichtlich approximately around circa ca about um i na w dniu dnia dne ve число числа г включительно την τη τις στις το της η 于 於",
    ),
    (
        Word::Tomorrow,
        "tomorrow morgen demain manana amanha domani imorgon imorgen jutro zitra завтра yarin huomenna",
    ),
    (
        Word::Next,
        "next nachste nachsten nachster kommende kommenden prochaine prochain proxima proximo prossima prossimo volgende nasta neste naeste przyszlym przyszly pristi следующей ensi",
    ),
    (
        Word::Week,
        "week woche semaine semana settimana vecka uke uge tygodniu tyden неделе viikolla",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_one_meaning_in_its_list() {
        let mut months = 0;
        for word in WORDS.keys() {
            months += usize::from(matches!(of(word), Some(Word::Month(_))));
            let folded = crate::nature::fold::fold_phrase(word);
            assert_eq!(&folded, word, "not folded");
        }
        assert!(months > 120);
        assert_eq!(of("toukokuuta"), Some(Word::Month(5)));
        assert_eq!(of("mayis'a"), Some(Word::Month(5)));
        assert_eq!(of("jusqu'au"), Some(Word::Until));
    }
}
