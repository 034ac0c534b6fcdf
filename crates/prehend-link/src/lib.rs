//! Turns typed messages into zenoh topics: keys, CDR bytes, sequence numbers, epochs, time to live.
//!
//! The only crate that spells zenoh key expressions. It must not know a robot's mechanics: limits,
//! kinematics and what a joint value means belong to others.
//!
//! Everything blocks in the plain sense ([`Link::open`], [`Publisher::send`]); zenoh keeps its
//! own threads inside. Sending takes locks and may allocate, so it is never called from a
//! real-time thread.
//!
//! ```
//! use prehend_link::{Link, LinkConfig, messages::EpisodeRequest};
//!
//! let link = Link::open(&LinkConfig::for_robot("fr3"))?;
//! let requests = link.queue::<EpisodeRequest>(8)?;
//! link.publisher::<EpisodeRequest>()?.send(&EpisodeRequest::reset("fr3", 900_000))?;
//! let received = requests.wait(std::time::Duration::from_secs(1)).expect("sent just now");
//! assert_eq!(received.message.seed, 900_000);
//! # Ok::<(), prehend_link::LinkError>(())
//! ```

#![forbid(unsafe_code)]

mod access;
mod cdr;
mod certs;
mod closing;
mod config;
mod endpoint;
mod error;
mod gate;
mod link;
mod loopback;
pub mod messages;
mod monitor;
mod presence;
mod publisher;
mod role;
mod sequence;
mod session;
mod spread;
mod status_order;
mod subscriber;
mod tls;
mod topic;

pub use cdr::{DecodeError, Message, decode, encode};
pub use certs::{
    CertificateInfo, CertsError, NewCertificates, new_certificates, read_certificates,
};
pub use config::LinkConfig;
pub use endpoint::free_loopback_endpoint;
pub use error::LinkError;
pub use gate::{Accepted, CommandGate, GateCounts, Rejection};
pub use link::Link;
pub use loopback::{LoopbackTimes, measure_loopback};
pub use monitor::{RawMessage, SenderTraffic, TopicMonitor, Traffic};
pub use presence::{Presence, Senders, Way};
pub use publisher::Publisher;
pub use role::Role;
pub use spread::Spread;
pub use status_order::StatusOrder;
pub use subscriber::{Latest, LinkCounts, Queue, Received, SenderId, Subscription};
pub use tls::TlsConfig;
pub use topic::Topic;
