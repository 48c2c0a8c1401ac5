//! Which addresses files may be fetched from: public ones, and those that the operator names.
//!
//! The names of hosts are resolved here, and a connection gets the addresses that passed alone. So a name whose address
//! changes between check and connection (DNS rebinding) leads nowhere.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Resolves names to addresses that may be reached.
#[derive(Debug)]
pub(super) struct PublicResolver {
    pub(super) allow_private: Arc<[IpNet]>,
}

/// A name leads to addresses that are not public alone.
#[derive(Debug, thiserror::Error)]
#[error("it has no public address")]
pub(super) struct NotPublic;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private.clone();
        Box::pin(async move {
            // The port is that of the URL.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|found| is_allowed(found.ip(), &allow_private)).collect();
            if allowed.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Whether a file may be fetched from the address.
pub(super) fn is_allowed(address: IpAddr, allow_private: &[IpNet]) -> bool {
    let address = address.to_canonical();
    let is_public = match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    };
    is_public || allow_private.iter().any(|net| net.contains(&address))
}

/// The ranges that are not public are those of the IANA's registry of special addresses.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        // Shared by providers (RFC 6598), protocols (RFC 6890), 6to4 relays, benchmarks (RFC 2544), and the reserved rest.
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || (a == 198 && (18..20).contains(&b))
        || a >= 240;
    !is_special
}

/// Public are global unicast addresses, without documentation, protocols and those that wrap another address; and those by
/// which a network without IPv4 reaches public IPv4 addresses (RFC 6052).
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x2002, ..] => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_may_be_reached() {
        for address in ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822", "::ffff:93.184.216.34"] {
            assert!(is_allowed(address.parse().unwrap(), &[]), "{address}");
        }
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "198.18.0.1",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
        ] {
            assert!(!is_allowed(address.parse().unwrap(), &[]), "{address}");
        }
    }

    #[test]
    fn a_private_address_that_is_named_may_be_reached_in_each_of_its_forms() {
        let named: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        for (address, is) in [("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("192.168.1.1", false)] {
            assert_eq!(is_allowed(address.parse().unwrap(), &named), is, "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_has_no_address() {
        let resolver = PublicResolver { allow_private: Arc::new([]) };
        let refused = resolver.resolve("localhost".parse().unwrap()).await.err().unwrap();
        assert!(refused.is::<NotPublic>(), "{refused}");
        let resolver =
            PublicResolver { allow_private: ["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()].into() };
        assert!(resolver.resolve("localhost".parse().unwrap()).await.is_ok());
    }
}
