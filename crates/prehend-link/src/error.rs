//! What can go wrong on the link.

use crate::cdr::DecodeError;
use crate::certs::CertsError;

/// Why the link could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// A value of [`LinkConfig`](crate::LinkConfig) makes no sense or is not allowed.
    #[error("link configuration: field `{field}`: {message}")]
    Config {
        /// Name of the field.
        field: &'static str,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A certificate or a key is missing, or is not what it should be.
    #[error(transparent)]
    Certificates(#[from] CertsError),
    /// Another process already listens on an endpoint.
    #[error(
        "cannot listen on {endpoint}: the port is taken; stop the process that listens there \
         (`ss -ltnp` shows it) or give `listen` another port"
    )]
    PortTaken {
        /// The endpoint as configured.
        endpoint: String,
    },
    /// An endpoint cannot be listened on for another reason.
    #[error("cannot listen on {endpoint}: {source}; check the address and the port's number")]
    Listen {
        /// The endpoint as configured.
        endpoint: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// No session came up: usually nobody answered on a `connect` endpoint in time.
    #[error(
        "cannot open the link (listen {listen:?}, connect {connect:?}): {reason}; \
         is the process behind `connect` running?"
    )]
    Open {
        /// Endpoints listened on.
        listen: Vec<String>,
        /// Endpoints connected to.
        connect: Vec<String>,
        /// What zenoh said.
        reason: String,
    },
    /// zenoh refused to declare, send on or close a topic.
    #[error("topic {key}: {reason}")]
    Topic {
        /// The key expression.
        key: String,
        /// What zenoh said.
        reason: String,
    },
    /// A visitor on this topic could hold up those that work.
    #[error(
        "topic {key}: its senders wait until every receiver has the message, so a visitor who does not \
         keep up would hold them up; what became of it is told on `event`"
    )]
    Visitor {
        /// The key expression.
        key: String,
    },
    /// A message could not be written as CDR.
    #[error("cannot encode {type_name}: {source}")]
    Encode {
        /// ROS name of the type.
        type_name: &'static str,
        /// What the encoder said.
        source: cdr_encoding::Error,
    },
    /// A message that is about to be sent would be refused by every receiver.
    #[error("will not send: {0}")]
    Refused(#[from] DecodeError),
}
