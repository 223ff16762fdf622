//! Dovecot's settings for sign-in by OAuth2 tokens.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{make_dir, write};

/// Checks tokens by itself (docs of Dovecot 2.3, "Open Authentication v2.0 database").
pub(super) fn tokens(dir: &Path, key: &[u8]) -> String {
    let d = dir.display();
    let keys = dir.join("keys/default/HS256");
    make_dir(&keys);
    write(&keys.join("default"), STANDARD.encode(key));
    write(
        &dir.join("oauth2.conf"),
        format!(
            "introspection_mode = local
local_validation_key_dict = fs:posix:prefix={d}/keys/
"
        ),
    );
    format!(
        "auth_mechanisms = plain login xoauth2 oauthbearer
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {d}/oauth2.conf
}}
"
    )
}
