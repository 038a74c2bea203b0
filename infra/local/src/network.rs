//! A range of addresses, such as `10.0.0.0/8`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Network {
    /// Of IPv4.
    V4(Ipv4Addr, u32),
    /// Of IPv6.
    V6(Ipv6Addr, u32),
}

impl Network {
    /// Whether the address is one of them. An IPv4 address is never in a network of IPv6.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (*self, address) {
            (Self::V4(first, bits), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                (first.to_bits() ^ address.to_bits()) & mask == 0
            }
            (Self::V6(first, bits), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                (first.to_bits() ^ address.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = text.split_once('/').ok_or(())?;
        let bits: u32 = bits.parse().map_err(drop)?;
        match address.parse().map_err(drop)? {
            IpAddr::V4(first) if bits <= 32 => Ok(Self::V4(first, bits)),
            IpAddr::V6(first) if bits <= 128 => Ok(Self::V6(first, bits)),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_shares_its_first_bits() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.9.9.9/8", "10.1.1.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("0.0.0.0/0", "255.1.1.1", true),
            ("0.0.0.0/0", "::1", false),
            ("1.1.1.1/32", "1.1.1.1", true),
            ("1.1.1.1/32", "1.1.1.0", false),
            ("fc00::/7", "fd12::1", true),
            ("fc00::/7", "fe00::1", false),
            ("::/0", "1234::", true),
            ("::1/128", "::1", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{network:?} {address}");
        }
    }

    #[test]
    fn what_is_not_a_network_is_refused() {
        for text in ["", "10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "a/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
