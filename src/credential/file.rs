//! Tokens in files, which another program renews.

use std::path::Path;

use secrecy::zeroize::Zeroizing;
use tokio::io::AsyncReadExt as _;

use super::CredentialError;

/// A larger file holds no token, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// The token in a file.
pub(super) async fn token(path: &Path) -> Result<Zeroizing<String>, CredentialError> {
    let text = read_bounded(path).await.map_err(|e| {
        CredentialError::Unusable(format!("token file {}: {}", path.display(), e.kind()))
    })?;
    let token = text.trim();
    if !is_token(token) {
        let why = format!("token file {} holds no token", path.display());
        return Err(CredentialError::Unusable(why));
    }
    Ok(Zeroizing::new(token.to_owned()))
}

/// RFC 6750 §2.1 allows less; what is refused here would break a SASL message.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

async fn read_bounded(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let file = tokio::fs::File::open(path).await?;
    file.take(MAX_BYTES).read_to_string(&mut text).await?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::*;

    #[tokio::test]
    async fn a_token_is_read_from_its_file_each_time_and_its_absence_is_a_credential_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let (vault, credential) = (Vault::detached(), Credential::TokenFile(path.clone()));
        for bad in [None, Some(""), Some(" \n"), Some("two words")] {
            if let Some(text) = bad {
                std::fs::write(&path, text).unwrap();
            }
            let e = vault.sign_in("a", "ann", &credential).await.unwrap_err();
            assert!(e.is_auth() && !e.to_string().contains("words"), "{e}");
        }
        for token in ["first", "second"] {
            std::fs::write(&path, format!("{token}\n")).unwrap();
            let got = vault.sign_in("a", "ann", &credential).await.unwrap();
            assert!(got.secret.is_token());
            assert_eq!((got.user.as_str(), got.secret.expose()), ("ann", token));
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        for sign_in in [
            SignIn::password("ann", "hunter2"),
            SignIn::token("ann", "hunter2"),
        ] {
            assert!(!format!("{sign_in:?}").contains("hunter2"));
        }
    }
}
