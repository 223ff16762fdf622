//! An IP address or a network. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// `10.0.0.0/8`, `::1`: the addresses whose first bits are these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Whether an address is in it. An IPv4 address that came over an IPv6 socket is one.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.address, ip.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let mask = u32::MAX
                    .checked_shl(32_u32.saturating_sub(self.bits))
                    .unwrap_or(0);
                Ipv4Addr::to_bits(a) & mask == Ipv4Addr::to_bits(b) & mask
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let mask = u128::MAX
                    .checked_shl(128_u32.saturating_sub(self.bits))
                    .unwrap_or(0);
                Ipv6Addr::to_bits(a) & mask == Ipv6Addr::to_bits(b) & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| ())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits.trim().parse().map_err(|_| ())?,
        };
        if bits > most {
            return Err(());
        }
        Ok(Self { address, bits })
    }
}

/// What can be written instead of a wrong one.
pub(super) const REMEDY: &str =
    "Write addresses such as 127.0.0.1, networks such as 10.0.0.0/8, or none";

/// Checks a list as it was written; the word `none` alone is an empty one. An error is what is
/// wrong.
pub(super) fn list(written: Vec<String>) -> Result<Vec<String>, String> {
    if let [word] = written.as_slice()
        && word.eq_ignore_ascii_case("none")
    {
        return Ok(Vec::new());
    }
    match written.iter().find(|n| n.parse::<Network>().is_err()) {
        Some(bad) => Err(format!("{bad:?} is no IP address and no network")),
        None => Ok(written),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_the_addresses_that_begin_alike() {
        for (network, ip, is_in) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.1", "::ffff:127.0.0.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "::1", true),
        ] {
            let found = network
                .parse::<Network>()
                .unwrap()
                .contains(ip.parse().unwrap());
            assert_eq!(found, is_in, "{ip} in {network}");
        }
        for bad in [
            "",
            "10.0.0.0/33",
            "::1/129",
            "10.0.0",
            "host",
            "1.2.3.4/-1",
            "1.2.3.4/",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
