//! One process's end of the link.

use std::sync::{Arc, atomic::AtomicU32};

use zenoh::Wait;

use crate::{LinkConfig, LinkError, Message, Publisher, publisher::PublisherId};

/// A zenoh session that carries one robot's topics. Cheap to clone; closes when the last clone and
/// everything declared on it are gone.
#[derive(Debug, Clone)]
pub struct Link {
    pub(crate) session: zenoh::Session,
    robot: Arc<str>,
    pub(crate) node: Arc<str>,
    /// Counts the publishers and subscriptions.
    ends: Arc<AtomicU32>,
}

impl Link {
    /// Listens and connects as configured; returns when every `connect` endpoint has answered.
    ///
    /// # Errors
    /// [`LinkError::Config`], [`LinkError::PortTaken`], [`LinkError::Listen`], [`LinkError::Open`].
    pub fn open(config: &LinkConfig) -> Result<Self, LinkError> {
        config.check()?;
        config.probe_listen()?;
        if config.allow_remote {
            tracing::warn!("link: endpoints beyond this machine are allowed, unencrypted");
        }
        let session = zenoh::open(config.to_zenoh()?)
            .wait()
            .map_err(|error| LinkError::Open {
                listen: config.listen.clone(),
                connect: config.connect.clone(),
                reason: error.to_string(),
            })?;
        Ok(Self {
            session,
            robot: config.robot.as_str().into(),
            node: config.node.as_str().into(),
            ends: Arc::default(),
        })
    }

    /// Name of the robot.
    #[must_use]
    pub fn robot(&self) -> &str {
        &self.robot
    }

    /// How many other sessions this one is connected to.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.session.info().peers_zid().wait().count()
    }

    /// A publisher on the topic of `M`.
    ///
    /// # Errors
    /// [`LinkError::Topic`].
    pub fn publisher<M: Message>(&self) -> Result<Publisher<M>, LinkError> {
        Publisher::declare(self)
    }

    /// Closes the session. Under heavy loss zenoh may take seconds: never call it on a thread that
    /// moves an arm.
    ///
    /// # Errors
    /// [`LinkError::Topic`] if zenoh cannot say goodbye; the session is gone all the same.
    pub fn close(self) -> Result<(), LinkError> {
        self.session
            .close()
            .wait()
            .map_err(|error| LinkError::Topic {
                key: format!("prehend/{}", self.robot),
                reason: error.to_string(),
            })
    }

    pub(crate) fn next_id(&self) -> PublisherId {
        PublisherId::new(self.session.zid(), &self.ends)
    }

    pub(crate) fn key<M: Message>(&self) -> String {
        M::TOPIC.key(&self.robot)
    }
}
