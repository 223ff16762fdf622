//! Ports that no other test takes.

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, TcpListener};

/// Below the range that Linux gives to outgoing connections (32768 and up), so that none of
/// them can take a port between this reservation and the server's bind.
const RANGE: std::ops::Range<u16> = 20_000..30_000;

/// A loopback port that belongs to this test until it is dropped, also while nothing listens.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    /// The lock on this file is the reservation; the system ends it with the process.
    _lock: File,
}

impl Port {
    /// Reserves a free port.
    #[track_caller]
    pub(crate) fn reserve() -> Self {
        let folder = std::env::temp_dir().join(format!(
            "replyd-test-ports-{}",
            rustix::process::geteuid().as_raw()
        ));
        super::make_dir(&folder);
        for _ in 0..1000 {
            let number = fastrand::u16(RANGE);
            let path = folder.join(number.to_string());
            let lock =
                File::create(&path).unwrap_or_else(|e| panic!("Create {}: {e}", path.display()));
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(e)) => panic!("Lock {}: {e}", path.display()),
            }
            // Some other program may listen there.
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Self {
                    number,
                    _lock: lock,
                };
            }
        }
        panic!(
            "No free loopback port between {} and {}",
            RANGE.start, RANGE.end
        );
    }

    /// Its number.
    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}
