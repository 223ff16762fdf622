use super::*;

#[test]
fn a_second_start_finds_the_keys_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("deep/state");
    let a = Keys::load_or_create(&state, None).unwrap();
    let b = Keys::load_or_create(&state, None).unwrap();
    assert_eq!(a.hash("x"), b.hash("x"));
    assert_eq!(a.current_key_id(), b.current_key_id());
    assert_ne!(a.hash("x"), a.hash("y"));
    assert_eq!(a.hash("x").len(), 32);
    let mode = fs::metadata(state.join(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_dir(&state).unwrap().count(), 1, "no leftovers");
}

#[test]
fn starts_at_the_same_time_end_with_the_same_keys() {
    let dir = tempfile::tempdir().unwrap();
    let barrier = std::sync::Barrier::new(8);
    let hashes: std::collections::HashSet<String> = std::thread::scope(|s| {
        let starts: Vec<_> = (0..8)
            .map(|_| {
                s.spawn(|| {
                    barrier.wait();
                    Keys::load_or_create(dir.path(), None).unwrap().hash("x")
                })
            })
            .collect();
        starts.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(hashes.len(), 1);
}

#[test]
fn a_file_that_others_may_read_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    Keys::load_or_create(dir.path(), None).unwrap();
    let path = dir.path().join(FILE);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let e = Keys::load_or_create(dir.path(), None).unwrap_err();
    assert!(matches!(e, KeysError::TooOpen { mode: 0o640, .. }), "{e}");
    assert!(e.to_string().contains("chmod 600"), "{e}");
}

#[test]
fn a_damaged_file_is_refused_and_never_replaced_or_shown() {
    let good = r#"{"version":1,"id_keys":[],"hash_key":"5ec7e7"}"#;
    for content in [
        &b""[..],
        b"{",
        b"\xff\xfe",
        good.as_bytes(),
        &[b'x'; 70_000],
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let e = Keys::load_or_create(dir.path(), None).unwrap_err();
        assert!(matches!(e, KeysError::Damaged { .. }), "{e}");
        assert!(!format!("{e} {e:?}").contains("5ec7e7"));
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[test]
fn an_unreadable_name_is_an_error_not_a_new_key() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(FILE)).unwrap();
    assert!(Keys::load_or_create(dir.path(), None).is_err());
}

#[test]
fn a_credential_is_taken_as_it_is_and_never_created() {
    let dir = tempfile::tempdir().unwrap();
    let credential = dir.path().join("credential");
    let e = Keys::load_or_create(dir.path(), Some(&credential)).unwrap_err();
    assert!(e.to_string().contains("credential"), "{e}");
    let other = tempfile::tempdir().unwrap();
    let keys = Keys::load_or_create(other.path(), None).unwrap();
    fs::copy(other.path().join(FILE), &credential).unwrap();
    let same = Keys::load_or_create(dir.path(), Some(&credential)).unwrap();
    assert_eq!(keys.hash("x"), same.hash("x"));
    assert!(!dir.path().join(FILE).exists());
}

#[test]
fn old_keys_verify_and_debug_shows_no_key() {
    let stored: Stored = serde_json::from_value(serde_json::json!({
        "version": 1,
        "id_keys": [
            {"id": "new1", "key": "ab".repeat(32)},
            {"id": "old1", "key": "cd".repeat(32)},
        ],
        "hash_key": "ef".repeat(32),
    }))
    .unwrap();
    let keys = Keys::from_stored(stored).ok().unwrap();
    assert_eq!(keys.current_key_id(), "new1");
    assert!(keys.sign("old1", &[b"x"]).is_some());
    assert!(keys.sign("none", &[b"x"]).is_none());
    assert_ne!(keys.sign("old1", &[b"x"]), keys.sign("new1", &[b"x"]));
    let shown = format!("{keys:?}");
    assert!(shown.contains("old1"));
    for secret in ["abab", "cdcd", "efef", "171, 171"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn subkeys_differ_by_purpose_and_installation_and_share_nothing_with_hashes() {
    let keys = Keys::for_test(1);
    let key = |keys: &Keys, purpose: &str| hex(keys.subkey(purpose).expose_secret());
    let one = key(&keys, "tokens");
    assert_eq!(one, key(&keys, "tokens"));
    assert_eq!(one.len(), 64);
    assert_ne!(one, key(&keys, "other"));
    assert_ne!(one, key(&Keys::for_test(2), "tokens"));
    assert!(!one.starts_with(&keys.hash("tokens")));
}
