//! Other hosts: how far this worker reaches, and files fetched from there under guard.

mod address;
pub(crate) mod fetch;
mod guard;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

pub use address::Network;

/// The service that gives out the fonts which no project and no worker brings along.
const FONT_SERVICE: &str = "https://fonts.googleapis.com/css2";

/// How a plan reaches other hosts. A chunk never does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Net {
    pub reach: Reach,
    pub names: Names,
    pub authorities: Authorities,
    /// Addresses that may be connected to although they are private.
    pub exempt: Vec<SocketAddr>,
    /// Networks that must not be connected to although they are public.
    pub refused: Vec<Network>,
    /// Where stylesheets of font families are asked for, by the css2 protocol.
    pub font_service: String,
    /// For what a page refers to.
    pub assets: Limits,
    /// For what the font service offers.
    pub fonts: Limits,
    /// When nothing is fetched any more, whatever the limits say.
    pub until: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses, and those that are exempt.
    Public,
    /// Nothing: a project has to bring all its files.
    Nothing,
}

/// Who turns a host's name into addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// The operating system.
    System,
    /// This table and nobody else.
    Table(BTreeMap<String, Vec<IpAddr>>),
}

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorities {
    /// The authorities that Mozilla believes.
    Public,
    /// These certificates in DER and no others.
    Only(Vec<Vec<u8>>),
}

/// How much is waited for and taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file.
    pub bytes: u64,
    /// For one request, from the look-up of its host to its last byte.
    pub request: Duration,
    /// For all of a plan's requests together.
    pub whole: Duration,
    /// How often one file is asked for before it counts as unavailable.
    pub tries: u32,
    /// Before the second try; twice as long before each further one.
    pub pause: Duration,
}

impl Net {
    /// The public network.
    pub fn public() -> Self {
        Self {
            reach: Reach::Public,
            names: Names::System,
            authorities: Authorities::Public,
            exempt: Vec::new(),
            refused: Vec::new(),
            font_service: FONT_SERVICE.to_owned(),
            assets: Limits {
                bytes: 1 << 30,
                request: Duration::from_mins(2),
                whole: Duration::from_mins(5),
                tries: 3,
                pause: Duration::from_millis(500),
            },
            fonts: Limits {
                bytes: 32 << 20,
                request: Duration::from_secs(8),
                whole: Duration::from_secs(20),
                tries: 3,
                pause: Duration::from_millis(250),
            },
            until: None,
        }
    }

    /// No network at all.
    pub fn offline() -> Self {
        Self { reach: Reach::Nothing, ..Self::public() }
    }
}
