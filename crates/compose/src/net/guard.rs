//! The look-up of hosts: what it answers is connected to, and only if all of it is public.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ureq::config::Config;
use ureq::http;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::net::{Names, Net, Network, address};

/// Addresses of a host, none of which may be private.
#[derive(Debug)]
pub(super) struct Guarded {
    names: Names,
    exempt: Vec<SocketAddr>,
    refused: Vec<Network>,
    system: DefaultResolver,
}

/// A host that is not on the public network.
#[derive(Debug)]
pub(super) struct NotPublic(IpAddr);

impl Guarded {
    pub(super) fn of(net: &Net) -> Self {
        let Net { names, exempt, refused, .. } = net.clone();
        Self { names, exempt, refused, system: DefaultResolver::default() }
    }
}

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its host is at {}, which is not on the public network", self.0)
    }
}

impl std::error::Error for NotPublic {}

impl Resolver for Guarded {
    fn resolve(
        &self,
        uri: &http::Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = match &self.names {
            Names::System => self.system.resolve(uri, config, timeout)?,
            Names::Table(table) => {
                let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
                let literal = host.parse().ok().map(|address: IpAddr| vec![address]);
                let addresses = literal.as_ref().or_else(|| table.get(host));
                let port = uri.port_u16().unwrap_or(443);
                let mut found = self.empty();
                for address in addresses.ok_or(ureq::Error::HostNotFound)?.iter().take(8) {
                    found.push(SocketAddr::new(*address, port));
                }
                found
            }
        };
        // One private address among public ones is enough: which of them is connected to is not up to us.
        for socket in &*found {
            let is_refused = self.refused.iter().any(|network| network.holds(socket.ip()));
            let is_reachable = address::is_public(socket.ip()) && !is_refused;
            if !self.exempt.contains(socket) && !is_reachable {
                return Err(ureq::Error::Other(Box::new(NotPublic(socket.ip()))));
            }
        }
        Ok(found)
    }
}
