//! Words that always go to a person, and their false friends.

use super::{classify, read};
use crate::reply::classify::ReplyInput;

#[test]
fn words_for_a_person_are_marked_in_each_language() {
    for text in [
        "My lawyer has a question about the contract.",
        "Our solicitors are looking into this.",
        "I want a refund.",
        "Are you a bot?",
        "Am I talking to a machine?",
        "Is there a real person behind this address?",
        "Under GDPR, which data do you hold?",
        "Where did you get my email address?",
        "Who gave you my number?",
        "I will complain to the police.",
        "This is discrimination.",
        "I am a journalist and write for the newspaper about your project.",
        "Wir haben unseren Rechtsanwalt gefragt.",
        "Ich möchte mich beschweren.",
        "Ich will mein Geld zurück, bitte um Rückerstattung.",
        "Woher haben Sie meine Adresse?",
        "Sind Sie ein Roboter?",
        "Das ist Diskriminierung und ich bin Journalist.",
        "Mon avocat a une question.",
        "Je demande un remboursement, c'est une arnaque.",
        "Comment avez-vous obtenu mon adresse ?",
        "Êtes-vous un robot ?",
        "Je suis journaliste.",
        "Mi abogado tiene una pregunta.",
        "Quiero el reembolso.",
        "¿Eres un robot?",
        "Quiero presentar una queja.",
        "¿De dónde han sacado mis datos?",
        "O meu advogado tem uma pergunta.",
        "Quero o reembolso.",
        "Estou a falar com um robô?",
        "Quero fazer uma reclamação.",
        "Il mio avvocato ha una domanda.",
        "Voglio il rimborso.",
        "Sto parlando con un robot?",
        "Vorrei fare un reclamo.",
        "Mijn advocaat heeft een vraag.",
        "Ik heb een klacht.",
        "Ik wil mijn geld terug.",
        "Bent u een robot?",
        "Hoe komt u aan mijn gegevens?",
    ] {
        let v = read(text);
        assert!(!v.person_words.is_empty(), "{text}: {:?}", v.evidence);
    }
}

#[test]
fn a_threat_or_a_demand_to_erase_data_ends_all_mail() {
    for text in [
        "If you call me one more time I'll go to court.",
        "Stop it or hear from my lawyer.",
        "Next time I will sue you.",
        "One more mail and we take legal action.",
        "I am going to report you to the authorities.",
        "Can you please take me off the list before I report you?",
        "Please delete all my data.",
        "I want my data erased under the GDPR.",
        "I demand that you erase everything you hold on me within 30 days.",
        "Delete everything you have about me.",
        "I invoke my right to be forgotten.",
        "Löschen Sie sofort alle meine Daten gemäß DSGVO.",
        "Bitte meine Daten vollständig löschen.",
        "Hören Sie auf mit den Mails, sonst schalte ich meinen Anwalt ein.",
        "Beim nächsten Mal erstatte ich Anzeige.",
        "Si vous m'écrivez encore, je porte plainte.",
        "Supprimez toutes mes données personnelles.",
        "Si me vuelven a escribir les denuncio.",
        "Borren todos mis datos.",
        "Apaguem todos os meus dados.",
        "Vou processar vos se continuarem.",
        "Cancellate i miei dati.",
        "Se mi scrivete ancora vi denuncio.",
        "Verwijder al mijn gegevens.",
        "Nog één mail en ik doe aangifte.",
    ] {
        let v = read(text);
        assert!(v.ends_all_mail().is_some(), "{text}: {:?}", v.evidence);
    }
}

#[test]
fn what_merely_sounds_like_it_is_none() {
    for text in [
        "Is there a tennis court?",
        "Can we see the unit next to the tennis court on Saturday?",
        "Is the flat in a quiet courtyard?",
        "Does the building have a food court, and how far is it?",
        "Who sent you? Sue told me about the flat.",
        "Le sue domande sono chiare, vorrei visitare la casa.",
        "Un délai court me convient, je voudrais visiter.",
        "Ich habe Ihre Anzeige in der Zeitung gesehen und möchte die Wohnung besichtigen.",
        "I saw your ad in the newspaper, please call me.",
        "Que legal! Quero visitar o apartamento.",
        "I'll shoot you an email tomorrow, please call me.",
        "I'll take the first, or I'll take the other unit.",
        "Can you beat your competitor's price?",
        "Please report back with a time for the call.",
        "Please call me.",
        "Can you press on and book me a viewing?",
        "What is the address of the show flat?",
        "How do I find the address?",
        "Das Gericht im Restaurant war gut. Bitte rufen Sie mich an.",
        "Het appartement aan de rechterkant wil ik graag bezichtigen.",
        "Are you available for a real viewing on Monday?",
        "Could you remove the price from the list and send it again?",
        "La poursuite du projet m'intéresse, je voudrais visiter.",
        "Can I pay by card, and is there a charge?",
    ] {
        let v = read(text);
        assert!(v.person_words.is_empty(), "{text}: {:?}", v.person_words);
    }
}

#[test]
fn they_are_found_beside_a_wish_and_where_the_text_is_unsure() {
    let text = "Please book me a viewing. My lawyer comes along.";
    for sure in [true, false] {
        let input = ReplyInput {
            new_text: text,
            sure,
            subject: "",
            nature: None,
            last_outbound: None,
        };
        let v = classify(&input).unwrap();
        assert_eq!(v.person_words, ["p_legal"]);
        assert_eq!(v.ends_all_mail(), None);
        assert_eq!(v.words_for_a_person(), "words for a person: law");
    }
}
