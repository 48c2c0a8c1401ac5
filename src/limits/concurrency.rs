//! Concurrency limits: how many connections are open, or requests under way, in all and from one address.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use dashmap::DashMap;

/// Counts connections or requests, in all and by address.
#[derive(Debug, Default)]
pub struct ConcurrencyLimit {
    all: AtomicUsize,
    by_address: DashMap<IpAddr, usize>,
}

/// The limits: how many in all, and how many from one address.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    pub all: usize,
    pub each: usize,
}

/// Counts as one until it is dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<ConcurrencyLimit>,
    /// The address that it is counted for.
    address: Option<IpAddr>,
}

/// Which limit is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// The limit for all addresses together.
    All,
    /// The limit for this address.
    PerAddress,
}

impl ConcurrencyLimit {
    /// Counts one more. Without an address it counts in all only: many callers share the address of a proxy.
    ///
    /// # Errors
    /// A limit is reached.
    pub fn admit(self: &Arc<Self>, address: Option<IpAddr>, most: Most) -> Result<Permit, Exceeded> {
        let mut admitted = Permit { admission: self.clone(), address: None };
        // Counted before it is compared: what is too much is given back by the drop.
        if self.all.fetch_add(1, Relaxed) >= most.all {
            return Err(Exceeded::All);
        }
        if let Some(address) = address.map(network) {
            let mut open = self.by_address.entry(address).or_insert(0);
            if *open >= most.each {
                return Err(Exceeded::PerAddress);
            }
            *open += 1;
            drop(open);
            admitted.address = Some(address);
        }
        Ok(admitted)
    }

    pub fn open(&self) -> usize {
        self.all.load(Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.all.fetch_sub(1, Relaxed);
        let Some(address) = self.address else { return };
        if let Some(mut open) = self.admission.by_address.get_mut(&address) {
            *open -= 1;
        }
        self.admission.by_address.remove_if(&address, |_, open| *open == 0);
    }
}

/// The address by which a caller is counted: a caller with an IPv6 address has a whole network of them (RFC 4291, section
/// 2.5.4: 64 bits).
pub fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(
        admission: &Arc<ConcurrencyLimit>,
        address: Option<&str>,
        (all, each): (usize, usize),
    ) -> Result<Permit, Exceeded> {
        admission.admit(address.map(|address| address.parse().unwrap()), Most { all, each })
    }

    #[test]
    fn an_address_has_its_share_and_gives_it_back() {
        let (admission, limits) = (Arc::default(), (4, 2));
        let first = admit(&admission, Some("192.0.2.1"), limits).unwrap();
        let _second = admit(&admission, Some("192.0.2.1"), limits).unwrap();
        assert_eq!(admit(&admission, Some("192.0.2.1"), limits).unwrap_err(), Exceeded::PerAddress);
        let _other = admit(&admission, Some("192.0.2.2"), limits).unwrap();
        drop(first);
        let _again = admit(&admission, Some("192.0.2.1"), limits).unwrap();
        assert_eq!(admission.open(), 3);
    }

    #[test]
    fn all_together_have_their_share_proxies_too() {
        let (admission, limits) = (Arc::default(), (3, 1));
        let proxied = [(); 3].map(|()| admit(&admission, None, limits).unwrap());
        assert_eq!(admit(&admission, Some("192.0.2.1"), limits).unwrap_err(), Exceeded::All);
        drop(proxied);
        assert_eq!((admission.open(), admission.by_address.len()), (0, 0));
    }

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let (admission, limits) = (Arc::default(), (9, 1));
        let _first = admit(&admission, Some("2001:db8::1"), limits).unwrap();
        assert_eq!(admit(&admission, Some("2001:db8::2"), limits).unwrap_err(), Exceeded::PerAddress);
        assert!(admit(&admission, Some("2001:db8:0:1::1"), limits).is_ok());
    }
}
