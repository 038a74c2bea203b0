//! Addresses that no component may connect to, whatever name led there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::network::Network;

/// IPv4 that is not the public internet, by the IANA's registry of special purposes.
const PRIVATE_V4: &[Network] = &[
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// All that is public in IPv6 …
const UNICAST_V6: Network = v6([0x2000, 0, 0], 3);

/// … but for these: protocols (Teredo among them) and documentation.
const PRIVATE_V6: &[Network] =
    &[v6([0x2001, 0, 0], 23), v6([0x2001, 0xdb8, 0], 32), v6([0x3fff, 0, 0], 20)];

const fn v4([a, b, c, d]: [u8; 4], bits: u32) -> Network {
    Network::V4(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6([a, b, c]: [u16; 3], bits: u32) -> Network {
    Network::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), bits)
}

/// What `block_networks` of the runtime configuration lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlockedNetworks {
    /// Blocks all that is not the public internet.
    pub private: bool,
    /// Blocks these as well.
    pub networks: Vec<Network>,
}

impl BlockedNetworks {
    /// Reads the list: networks, and the word `private`.
    pub fn parse(list: &[String]) -> anyhow::Result<Self> {
        let mut blocked = Self::default();
        for entry in list {
            match entry.parse() {
                _ if entry == "private" => blocked.private = true,
                Ok(network) => blocked.networks.push(network),
                Err(()) => {
                    anyhow::bail!("{entry} is neither a network such as 10.0.0.0/8 nor \"private\"")
                }
            }
        }
        Ok(blocked)
    }

    /// Whether nothing may connect to this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let listed = |address| self.networks.iter().any(|network| network.contains(address));
        let inner = match address {
            IpAddr::V6(address) => embedded(address).map(IpAddr::V4),
            IpAddr::V4(_) => None,
        };
        (self.private && is_private(address)) || listed(address) || inner.is_some_and(listed)
    }
}

fn is_private(address: IpAddr) -> bool {
    let one_of = |list: &[Network]| list.iter().any(|network| network.contains(address));
    match address {
        IpAddr::V4(_) => one_of(PRIVATE_V4),
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => is_private(IpAddr::V4(v4)),
            None => !UNICAST_V6.contains(address) || one_of(PRIVATE_V6),
        },
    }
}

/// The IPv4 address that a packet to this IPv6 address may end at: mapped (`::ffff:a.b.c.d`),
/// compatible (`::a.b.c.d`), NAT64 (`64:ff9b::a.b.c.d`) and 6to4 (`2002:ab:cd::`).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_is_all_that_is_not_the_public_internet() {
        let blocked = BlockedNetworks::parse(&["private".to_owned()]).unwrap();
        for (address, is_blocked) in [
            ("0.0.0.0", true),
            ("10.1.2.3", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("127.0.0.1", true),
            ("169.254.169.254", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("198.18.0.1", true),
            ("224.0.0.1", true),
            ("255.255.255.255", true),
            ("1.1.1.1", false),
            ("123.123.123.123", false),
            ("::", true),
            ("::1", true),
            ("fe80::1", true),
            ("fc00::f00d", true),
            ("fd12:3456::1", true),
            ("ff02::1", true),
            ("2001:db8::1", true),
            ("2001::1", true),
            ("2606:4700::1111", false),
            ("::ffff:10.10.10.10", true),
            ("::ffff:127.0.0.1", true),
            ("::ffff:1.1.1.1", false),
            ("::10.0.0.1", true),
            ("64:ff9b::192.168.0.1", true),
            ("64:ff9b::1.1.1.1", false),
            ("64:ff9b:1::1", true),
            ("2002:7f00:1::", true),
            ("2002:101:101::", false),
        ] {
            assert_eq!(blocked.contains(address.parse().unwrap()), is_blocked, "{address}");
        }
    }

    #[test]
    fn listed_networks_are_blocked_in_every_form() {
        let blocked = BlockedNetworks::parse(&["123.123.0.0/16".to_owned()]).unwrap();
        for (address, is_blocked) in [
            ("123.123.1.1", true),
            ("::ffff:123.123.1.1", true),
            ("64:ff9b::123.123.1.1", true),
            ("123.124.1.1", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(blocked.contains(address.parse().unwrap()), is_blocked, "{address}");
        }
    }

    #[test]
    fn nothing_is_blocked_unless_listed() {
        assert!(!BlockedNetworks::default().contains("127.0.0.1".parse().unwrap()));
        assert!(BlockedNetworks::parse(&["public".to_owned()]).is_err());
    }
}
