//! The files of an installed replyd beside its settings. The Debian package lays down the same
//! ones at the same places (`[package.metadata.deb]` in Cargo.toml; tests/install compares).

use std::path::Path;

/// A file that ships with the program.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// Where it goes.
    pub path: &'static str,
    /// From where in the sources it comes.
    pub source: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! shipped {
    ($($source:literal => $path:literal),+ $(,)?) => {
        [$(Shipped {
            path: $path,
            source: $source,
            text: include_str!(concat!("../../", $source)),
        }),+]
    };
}

/// Where the program goes.
pub const PROGRAM: &str = "/usr/bin/replyd";

/// The service's user.
pub const USER: &str = "replyd";

/// The folder of settings: 0750 root:replyd.
pub const SETTINGS: &str = "/etc/replyd";

/// The folder of the service's data: 0700 replyd:replyd.
pub const STATE: &str = "/var/lib/replyd";

/// Declares the user for systemd-sysusers.
pub(super) const SYSUSERS: &str = "/usr/lib/sysusers.d/replyd.conf";

/// Units, user, folders and the pages that messages point to; all 0644 root:root.
pub static SHIPPED: [Shipped; 8] = shipped![
    "systemd/replyd.service" => "/usr/lib/systemd/system/replyd.service",
    "systemd/replyd-once.service" => "/usr/lib/systemd/system/replyd-once.service",
    "systemd/replyd-once.timer" => "/usr/lib/systemd/system/replyd-once.timer",
    "systemd/replyd.sysusers" => "/usr/lib/sysusers.d/replyd.conf",
    "systemd/replyd.tmpfiles" => "/usr/lib/tmpfiles.d/replyd.conf",
    "docs/PROVIDERS.md" => "/usr/share/doc/replyd/PROVIDERS.md",
    "docs/OPERATIONS.md" => "/usr/share/doc/replyd/OPERATIONS.md",
    "replyd.sample.toml" => "/usr/share/doc/replyd/replyd.sample.toml",
];

/// Whether the system below `root` got replyd from a Debian package: then its files are the
/// package manager's.
#[must_use]
pub(super) fn is_packaged(root: &Path) -> bool {
    let list = Path::new("/var/lib/dpkg/info/replyd.list");
    std::fs::read_to_string(crate::service::below(root, list))
        .is_ok_and(|files| files.lines().any(|f| f == PROGRAM))
}
