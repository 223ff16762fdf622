//! Words that say nothing of what is asked for.

use super::words::Tongue;

/// Words that are left out of a question.
const ENGLISH: &str = "a an the this that these those there here it its they them their he she his her \
    i me my mine we us our ours you your yours who whom whose which what when where why how whether if \
    is are was were be been being am do does did done doing have has had having will would shall should can could \
    might must may and or but so because than then too also as at by for from in into of off on onto over to up with \
    within without about between during after before until per each every all any some such no not none only just \
    even still already yet ever never very really quite please thank thanks hello hi dear hey regards best kind cheers \
    tell know say let see want wanted like love need wish wonder wondering ask asking question questions explain give \
    send get got getting go going come coming make made take taken put keep kept use used using work works look looking \
    think mean happen happens involve provide offer offered supply able possible possibly available exact exactly precise precisely \
    kind type sort thing things way somewhere anywhere something anything one ones other more most much many lot lots \
    bit little information info detail details regarding concerning interested hear share learn find out currently now today \
    soon actually maybe perhaps sure certain quick quickly short briefly two-fold wondered curious both same own \
    new old first current usual usually normal normally general generally work roughly approximately approx about around \
    place site project development complex building scheme there's what's how's it's i'm we're i'd we'd im id \
    full total whole complete entire overall thinking think considering planning idea would've ve ll re don doesn isn aren won \
    dealing case regard respect next exist long far fast high big large often high";

const GERMAN: &str = "der die das den dem des ein eine einen einem einer eines kein keine keinen und oder aber \
    ich mich mir wir uns unser unsere unserer sie ihr ihre ihren ihrem ihnen er es man mein meine meinen meiner \
    wer wen wem was welche welcher welches welchen wann wo woher wohin wie warum wieso ob wenn dass daß als \
    ist sind war waren sein wird werden wurde worden bin habe haben hat hatte hatten kann konnen konnte konnten \
    muss mussen soll sollen will wollen wurde wurden mochte mochten durfte darf durfen gibt geben gab machen macht \
    gern gerne bitte danke vielen dank hallo guten tag liebe sehr geehrte damen herren grusse grussen freundlichen viele \
    mit ohne fur von vom zu zum zur auf aus an am im in bei beim nach vor uber unter bis um durch je pro seit \
    nicht nur auch noch schon mal denn doch eigentlich etwa ungefahr genau genaue genauen da dort hier davon dazu dafur daran \
    viel viele mehr hoch hohe grosse lange weit teuer oft ich's sagen wissen fragen frage fragen bekommen stellen lassen \
    projekt gebaude haus objekt anlage spater bereits aktuell derzeit moglich verfugbar geplant vorhanden sieht fallt an";

/// Words that count half: they narrow a question down, but are often said otherwise.
const ENGLISH_LIGHT: &str = "allow permit include cheap expensiv near nearbi close open home apart flat unit resid \
    hous properti room buyer resident owner custom client peopl live mother famili parent wife husband friend guest \
    yearli annual month monthli year day week hour minut time date number size cost price much charg pay buy purchas \
    own lad somebodi anybodi everybodi nobodi back run good bad better normal necessari necess requir normalli extra \
    separ addit start end turn becom mind chang work problem issu mean";

const GERMAN_LIGHT: &str = "wohnung wohnungen erlaubt preis koste koste kosten monat monatlich jahr tag uhr zeit \
    kaufen kauf kaufer eigentumswohnung mitbring abstell stell einheit liegt platz";

/// Whether a word is left out.
#[must_use]
pub fn is_stop(form: &str, tongue: Tongue) -> bool {
    let list = match tongue {
        Tongue::English => ENGLISH,
        Tongue::German => GERMAN,
        Tongue::Other => return form.chars().count() < 4,
    };
    list.split_whitespace().any(|w| w == form) || form.chars().count() < 2
}

/// Whether a stem counts half.
#[must_use]
pub fn is_light(stem: &str, tongue: Tongue) -> bool {
    let list = match tongue {
        Tongue::English => ENGLISH_LIGHT,
        Tongue::German => GERMAN_LIGHT,
        Tongue::Other => return false,
    };
    list.split_whitespace().any(|w| w == stem)
}
