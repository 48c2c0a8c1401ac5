//! How many connections are open, in all and from one address.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use dashmap::DashMap;

use crate::config::Limits;

/// The connections that are open.
#[derive(Debug, Default)]
pub struct Admission {
    all: AtomicUsize,
    by_address: DashMap<IpAddr, usize>,
}

/// Counts one connection for as long as it lives.
#[derive(Debug)]
pub struct Admitted {
    admission: Arc<Admission>,
    /// The address that it is counted for.
    address: Option<IpAddr>,
}

/// Why a connection is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// As many are open as may be.
    All,
    /// As many are open from this address as may be.
    Address,
}

impl Turned {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Address => "address",
        }
    }
}

impl Admission {
    /// Takes a connection, or not. A trusted proxy's count in all only, since many callers share it.
    pub fn admit(self: &Arc<Self>, peer: IpAddr, is_trusted: bool, limits: &Limits) -> Result<Admitted, Turned> {
        let mut admitted = Admitted { admission: self.clone(), address: None };
        // Counted before it is compared: what is too much is given back by the drop.
        if self.all.fetch_add(1, Relaxed) >= limits.connections.get() {
            return Err(Turned::All);
        }
        if !is_trusted {
            let address = network(peer);
            let mut open = self.by_address.entry(address).or_insert(0);
            if *open >= limits.connections_per_address.get() {
                return Err(Turned::Address);
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

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.all.fetch_sub(1, Relaxed);
        let Some(address) = self.address else { return };
        if let Some(mut open) = self.admission.by_address.get_mut(&address) {
            *open -= 1;
        }
        self.admission.by_address.remove_if(&address, |_, open| *open == 0);
    }
}

/// Whoever has an address of IPv6 has a whole network of them (RFC 4291, section 2.5.4: 64 bits).
fn network(peer: IpAddr) -> IpAddr {
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
    use crate::config::Config;

    fn limits(all: usize, each: usize) -> Limits {
        let text = format!(
            "[upstream]\nurl = \"http://o\"\ndatabase = \"d\"\n[limits]\nconnections = {all}\nconnections_per_address = {each}"
        );
        Config::parse(&text, "gateway.toml".as_ref()).unwrap().limits
    }

    fn admit(admission: &Arc<Admission>, peer: &str, is_trusted: bool, limits: &Limits) -> Result<Admitted, Turned> {
        admission.admit(peer.parse().unwrap(), is_trusted, limits)
    }

    #[test]
    fn an_address_has_its_share_and_gives_it_back() {
        let (admission, limits) = (Arc::default(), limits(4, 2));
        let first = admit(&admission, "192.0.2.1", false, &limits).unwrap();
        let _second = admit(&admission, "192.0.2.1", false, &limits).unwrap();
        assert_eq!(admit(&admission, "192.0.2.1", false, &limits).unwrap_err(), Turned::Address);
        let _other = admit(&admission, "192.0.2.2", false, &limits).unwrap();
        drop(first);
        let _again = admit(&admission, "192.0.2.1", false, &limits).unwrap();
        assert_eq!(admission.open(), 3);
    }

    #[test]
    fn all_together_have_their_share_proxies_too() {
        let (admission, limits) = (Arc::default(), limits(3, 1));
        let proxied = [(); 3].map(|()| admit(&admission, "10.0.0.1", true, &limits).unwrap());
        assert_eq!(admit(&admission, "192.0.2.1", false, &limits).unwrap_err(), Turned::All);
        drop(proxied);
        assert_eq!((admission.open(), admission.by_address.len()), (0, 0));
    }

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let (admission, limits) = (Arc::default(), limits(9, 1));
        let _first = admit(&admission, "2001:db8::1", false, &limits).unwrap();
        assert_eq!(admit(&admission, "2001:db8::2", false, &limits).unwrap_err(), Turned::Address);
        assert!(admit(&admission, "2001:db8:0:1::1", false, &limits).is_ok());
    }
}
