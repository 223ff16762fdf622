use super::*;
use crate::store::fixture::{Fixture, NOW};

const CAMPAIGN: CampaignId = CampaignId(1);
const ENGLISH: Language = Language::Known("en");

async fn shelf(f: &Fixture) -> (Library, std::path::PathBuf) {
    let folder = f.dir.path().join("documents");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.to_string_lossy().into_owned();
    f.store
        .write(move |tx| tx.set_documents_folder(CAMPAIGN, Some(&path), UtcMs(NOW)))
        .await
        .map_err(|e: StoreError| e)
        .unwrap();
    (Library::new(f.store.clone()), folder)
}

async fn says(library: &Library, question: &str) -> Answered {
    let found = library.answer(CAMPAIGN, question.into(), ENGLISH).await;
    found.unwrap().unwrap().answered
}

#[tokio::test]
async fn the_index_follows_the_folder_and_a_broken_file_keeps_its_passages() {
    let f = Fixture::new();
    let (library, folder) = shelf(&f).await;
    let faq = folder.join("faq.md");
    std::fs::write(
        &faq,
        "Q: Are pets allowed?\nA: One dog is welcome in the house.",
    )
    .unwrap();
    assert!(says(&library, "Are pets allowed?").await.passes());
    let again = library.refresh(CAMPAIGN).await.unwrap().unwrap();
    assert_eq!(again, Refreshed::default());

    std::fs::write(
        &faq,
        "Q: Are pets allowed?\nA: Pets are not allowed in the house.",
    )
    .unwrap();
    assert!(
        says(&library, "Are pets allowed?")
            .await
            .text
            .contains("not allowed")
    );

    std::fs::write(&faq, b"\xff\xfe").unwrap();
    let broken = library.refresh(CAMPAIGN).await.unwrap().unwrap();
    assert!(broken.troubles[0].1.contains("UTF-8"), "{broken:?}");
    assert!(
        says(&library, "Are pets allowed?")
            .await
            .text
            .contains("not allowed")
    );

    std::fs::rename(&folder, folder.with_extension("away")).unwrap();
    let gone = library.refresh(CAMPAIGN).await.unwrap().unwrap();
    assert!(gone.troubles[0].1.contains("folder"), "{gone:?}");
    assert!(
        says(&library, "Are pets allowed?")
            .await
            .text
            .contains("not allowed")
    );

    std::fs::create_dir(&folder).unwrap();
    let removed = library.refresh(CAMPAIGN).await.unwrap().unwrap();
    assert_eq!((removed.removed, removed.troubles.len()), (1, 0));
    assert_eq!(f.number("SELECT count(*) FROM doc_chunks"), 0);
    assert_eq!(f.number("SELECT count(*) FROM doc_fts"), 0);
}

#[tokio::test]
async fn a_write_that_fails_leaves_the_old_index() {
    let f = Fixture::new();
    let (library, folder) = shelf(&f).await;
    std::fs::write(
        folder.join("faq.md"),
        "Q: Are pets allowed?\nA: One dog is welcome.",
    )
    .unwrap();
    library.refresh(CAMPAIGN).await.unwrap();
    let before = f.list("SELECT body FROM doc_chunks");
    let seen = Seen {
        file: "faq.md".into(),
        mtime_ns: 1,
        size: 1,
    };
    let new = indexed(&seen, "Q: Is it new?\nA: It is new.");
    let failed: Result<(), StoreError> = f
        .store
        .write(move |tx| {
            tx.put_document(CAMPAIGN, &new, UtcMs(NOW))?;
            Err(StoreError::Invalid("killed here".into()))
        })
        .await;
    assert!(failed.is_err());
    assert_eq!(f.list("SELECT body FROM doc_chunks"), before);
    assert!(says(&library, "Are pets allowed?").await.passes());
}

#[tokio::test]
async fn an_operators_synonyms_are_used_and_read_anew() {
    let f = Fixture::new();
    let (library, folder) = shelf(&f).await;
    std::fs::write(
        folder.join("a.md"),
        "# Landing\n\nThere is a helipad on the roof of the house.",
    )
    .unwrap();
    assert!(!says(&library, "Is there a whirlybird deck?").await.passes());
    std::fs::write(folder.join("synonyms.txt"), "helipad, whirlybird deck").unwrap();
    let found = says(&library, "Is there a whirlybird deck?").await;
    assert!(found.passes(), "{:?}", found.against);
}

#[tokio::test]
async fn a_mail_in_another_language_than_the_documents_goes_to_a_person() {
    let f = Fixture::new();
    let (library, folder) = shelf(&f).await;
    std::fs::write(
        folder.join("a.md"),
        "# Pets\n\nTwo cats or one dog are welcome in the house.",
    )
    .unwrap();
    let found = library
        .answer(
            CAMPAIGN,
            "Sind Hunde erlaubt?".into(),
            Language::Known("de"),
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.answered.against, ["no document is in its language"]);
    let of_nobody = library
        .answer(CampaignId(9), "Pets?".into(), ENGLISH)
        .await
        .unwrap();
    assert!(of_nobody.is_none());
}

#[tokio::test]
async fn campaigns_do_not_answer_from_each_others_documents() {
    let f = Fixture::new();
    f.sql("INSERT INTO campaigns (id, name, created_at, updated_at) VALUES (2, 'Autumn', 0, 0)");
    let (library, folder) = shelf(&f).await;
    std::fs::write(
        folder.join("a.md"),
        "# Pets\n\nTwo cats or one dog are welcome in the house.",
    )
    .unwrap();
    library.refresh(CAMPAIGN).await.unwrap();
    let other = f.dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(
        other.join("a.md"),
        "# Boats\n\nThe boats lie in the harbour of the town.",
    )
    .unwrap();
    let path = other.to_string_lossy().into_owned();
    f.store
        .write(move |tx| tx.set_documents_folder(CampaignId(2), Some(&path), UtcMs(NOW)))
        .await
        .map_err(|e: StoreError| e)
        .unwrap();
    let found = library
        .answer(CampaignId(2), "Are pets allowed?".into(), ENGLISH)
        .await
        .unwrap()
        .unwrap();
    assert!(!found.answered.passes());
    assert!(
        found
            .answered
            .citations()
            .iter()
            .all(|c| c.heading == "Boats")
    );
}

#[tokio::test]
async fn a_folder_with_a_single_entry_answers_its_question_and_no_other() {
    let f = Fixture::new();
    let (library, folder) = shelf(&f).await;
    std::fs::write(
        folder.join("faq.md"),
        "Q: Can foreigners buy?\nA: Yes, foreigners may buy with a passport and a tax number.",
    )
    .unwrap();
    let found = says(&library, "Can foreigners buy?").await;
    assert!(found.passes(), "{:?}", found.against);
    for other in ["Do foreigners pay more?", "Why can foreigners buy?"] {
        let found = says(&library, other).await;
        assert!(!found.passes(), "{other}: {}", found.text);
    }
}
