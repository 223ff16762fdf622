//! How often something may be tried, by one address and by all together.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts in windows of a fixed length. Its memory is bounded by what all may try in one.
#[derive(Debug)]
pub(super) struct Attempts {
    each: u32,
    all: u32,
    window: Duration,
    now: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    all: u32,
    each: HashMap<IpAddr, u32>,
}

impl Attempts {
    pub(super) fn new(each: u32, all: u32, window: Duration) -> Self {
        Self {
            each,
            all,
            window,
            now: Mutex::new(Window {
                began: Instant::now(),
                all: 0,
                each: HashMap::new(),
            }),
        }
    }

    /// Counts one. An error is how many seconds to wait.
    pub(super) fn count(&self, ip: IpAddr) -> Result<(), u64> {
        let mut window = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let age = window.began.elapsed();
        if age >= self.window {
            window.began = Instant::now();
            window.all = 0;
            window.each.clear();
        }
        let left = self.window.saturating_sub(age).as_secs().max(1);
        let ip = network(ip);
        let of_ip = window.each.get(&ip).copied().unwrap_or(0);
        if window.all >= self.all || of_ip >= self.each {
            return Err(left);
        }
        window.all = window.all.saturating_add(1);
        window.each.insert(ip, of_ip.saturating_add(1));
        Ok(())
    }
}

/// Of IPv6 the half that one customer has.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(ip) => {
            let high = Ipv6Addr::to_bits(ip) & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(high))
        }
        IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_address_and_all_together_are_bounded_and_come_back() {
        let attempts = Attempts::new(2, 3, Duration::from_secs(60));
        let ip = |n: u8| IpAddr::from([192, 0, 2, n]);
        assert!(attempts.count(ip(1)).is_ok() && attempts.count(ip(1)).is_ok());
        assert_eq!(attempts.count(ip(1)), Err(60));
        assert!(attempts.count(ip(2)).is_ok());
        assert!(attempts.count(ip(3)).is_err(), "all together");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(attempts.count(ip(1)).is_ok());
        let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(attempts.count(v6("2001:db8::1")).is_ok());
        assert!(attempts.count(v6("2001:db8::2")).is_ok());
        assert!(
            attempts.count(v6("2001:db8::3")).is_err(),
            "the same network"
        );
    }
}
