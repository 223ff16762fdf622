//! SASL responses, as IMAP and SMTP have them.

/// What a refused XOAUTH2 token is told, before base64.
pub(crate) const XOAUTH2_ERROR: &str =
    r#"{"status":"400","schemes":"Bearer","scope":"https://mail.example/"}"#;

/// PLAIN (RFC 4616): `authzid NUL user NUL password`. Acting for somebody else is not possible.
pub(crate) fn plain(response: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(response).ok()?;
    let mut parts = text.split('\0');
    let (acting_for, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    let own = acting_for.is_empty() || acting_for == user;
    (own && parts.next().is_none()).then(|| (user.to_owned(), password.to_owned()))
}

/// XOAUTH2: `user=… ^A auth=Bearer … ^A ^A`; gives the user and the token.
pub(crate) fn xoauth2(response: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(response).ok()?;
    let text = text.strip_suffix("\u{1}\u{1}")?;
    let (user, auth) = text.split_once('\u{1}')?;
    let user = user.strip_prefix("user=")?;
    let token = auth.strip_prefix("auth=Bearer ")?;
    Some((user.to_owned(), token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_taken_apart_and_junk_is_refused() {
        assert_eq!(plain(b"\0a@b\0pw"), Some(("a@b".into(), "pw".into())));
        assert_eq!(plain(b"c@d\0a@b\0pw"), None);
        assert_eq!(plain(b"a@b\0pw"), None);
        assert_eq!(plain(b"\0a\0b\0c"), None);
        assert_eq!(
            xoauth2(b"user=a@b\x01auth=Bearer tok\x01\x01"),
            Some(("a@b".into(), "tok".into()))
        );
        assert_eq!(xoauth2(b"user=a@b\x01auth=tok\x01\x01"), None);
        assert_eq!(xoauth2(b"\xff"), None);
    }
}
