//! The service as it is installed on this machine: its unit with drop-ins, its user, and the
//! credentials that systemd gives it. A command in a root shell reads them the same way, so that
//! it works with what the service works with (docs/OPERATIONS.md, "Commands in a root shell").
//!
//! Everything is looked for below a root folder, `/` on the running system.

mod credentials;
mod unit;
mod users;

use std::path::{Path, PathBuf};

pub use credentials::{Credential, Found, read_credentials};
pub use unit::{Source, Unit};
pub use users::{User, group_named, groups_of, hidden_below, may_read, user_named, user_with_id};

/// The unit whose settings count; the other one shares them.
pub const UNIT: &str = "replyd.service";
/// The unit of the timer, for machines that have only that one.
pub const ONCE_UNIT: &str = "replyd-once.service";

/// A path of the installed system as seen from here: `/etc/x` below `root`.
#[must_use]
pub fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The unit of the installed service; none: it is not installed on this machine.
///
/// # Errors
/// A unit file is there and cannot be read.
pub fn installed_unit(root: &Path) -> std::io::Result<Option<Unit>> {
    match Unit::read(root, UNIT)? {
        Some(unit) => Ok(Some(unit)),
        None => Unit::read(root, ONCE_UNIT),
    }
}
