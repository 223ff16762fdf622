//! The embedded texts to leads in languages other than English.

use super::TemplateKind;

/// Kind, language and text.
pub(super) const TRANSLATED: &[(TemplateKind, &str, &str)] = &[
    (
        TemplateKind::Acknowledgment,
        "de",
        include_str!("more/acknowledgment.de.txt"),
    ),
    (
        TemplateKind::AnswerDraft,
        "de",
        include_str!("more/answer_draft.de.txt"),
    ),
    (
        TemplateKind::Answer,
        "de",
        include_str!("more/answer.de.txt"),
    ),
    (TemplateKind::Nudge, "de", include_str!("more/nudge.de.txt")),
    (
        TemplateKind::OptoutConfirmation,
        "de",
        include_str!("more/optout_confirmation.de.txt"),
    ),
    (
        TemplateKind::Acknowledgment,
        "fr",
        include_str!("more/acknowledgment.fr.txt"),
    ),
    (
        TemplateKind::AnswerDraft,
        "fr",
        include_str!("more/answer_draft.fr.txt"),
    ),
    (TemplateKind::Nudge, "fr", include_str!("more/nudge.fr.txt")),
    (
        TemplateKind::OptoutConfirmation,
        "fr",
        include_str!("more/optout_confirmation.fr.txt"),
    ),
    (
        TemplateKind::Acknowledgment,
        "es",
        include_str!("more/acknowledgment.es.txt"),
    ),
    (
        TemplateKind::AnswerDraft,
        "es",
        include_str!("more/answer_draft.es.txt"),
    ),
    (TemplateKind::Nudge, "es", include_str!("more/nudge.es.txt")),
    (
        TemplateKind::OptoutConfirmation,
        "es",
        include_str!("more/optout_confirmation.es.txt"),
    ),
    (
        TemplateKind::Acknowledgment,
        "pt",
        include_str!("more/acknowledgment.pt.txt"),
    ),
    (
        TemplateKind::AnswerDraft,
        "pt",
        include_str!("more/answer_draft.pt.txt"),
    ),
    (TemplateKind::Nudge, "pt", include_str!("more/nudge.pt.txt")),
    (
        TemplateKind::OptoutConfirmation,
        "pt",
        include_str!("more/optout_confirmation.pt.txt"),
    ),
    (
        TemplateKind::Acknowledgment,
        "it",
        include_str!("more/acknowledgment.it.txt"),
    ),
    (
        TemplateKind::AnswerDraft,
        "it",
        include_str!("more/answer_draft.it.txt"),
    ),
    (TemplateKind::Nudge, "it", include_str!("more/nudge.it.txt")),
    (
        TemplateKind::OptoutConfirmation,
        "it",
        include_str!("more/optout_confirmation.it.txt"),
    ),
    (
        TemplateKind::Acknowledgment,
        "nl",
        include_str!("more/acknowledgment.nl.txt"),
    ),
    (
        TemplateKind::AnswerDraft,
        "nl",
        include_str!("more/answer_draft.nl.txt"),
    ),
    (TemplateKind::Nudge, "nl", include_str!("more/nudge.nl.txt")),
    (
        TemplateKind::OptoutConfirmation,
        "nl",
        include_str!("more/optout_confirmation.nl.txt"),
    ),
    (
        TemplateKind::Acknowledgment,
        "ar",
        include_str!("more/acknowledgment.ar.txt"),
    ),
    (
        TemplateKind::AnswerDraft,
        "ar",
        include_str!("more/answer_draft.ar.txt"),
    ),
    (TemplateKind::Nudge, "ar", include_str!("more/nudge.ar.txt")),
    (
        TemplateKind::OptoutConfirmation,
        "ar",
        include_str!("more/optout_confirmation.ar.txt"),
    ),
];
