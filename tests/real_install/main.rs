//! replyd installed on a fresh Debian, against real Dovecot and Postfix: from the package or by
//! `replyd setup`, every command from a root shell, the service as its user, and the removal.
//!
//! systemd does not run in the folder: the tests start the service with the user, folder, umask
//! and credentials of the unit. tests/systemd.rs has systemd itself check the units.
#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "clippy's allowance for tests does not reach helper functions"
)]

#[path = "../common/mod.rs"]
mod common;
mod package;
mod root;
mod scene;
mod setup;
mod ways;
