//! One process's end of the link.

use std::sync::{Arc, atomic::AtomicU32};

use zenoh::Wait;

use crate::closing::OpenSession;
use crate::session::{self, Carries};
use crate::{LinkConfig, LinkError, Message, Publisher, Topic, endpoint, publisher::PublisherId};

/// One or two zenoh sessions that carry one robot's topics. Cheap to clone; closes when the last clone and
/// everything declared on it are gone.
#[derive(Debug, Clone)]
pub struct Link {
    /// Carries all but commands.
    pub(crate) session: Arc<OpenSession>,
    /// Carries commands: a session of its own, or the same.
    commands: Arc<OpenSession>,
    robot: Arc<str>,
    pub(crate) node: Arc<str>,
    /// Counts the publishers and subscriptions.
    ends: Arc<AtomicU32>,
}

impl Link {
    /// Listens and connects as configured; returns when every `connect` endpoint has answered.
    ///
    /// # Errors
    /// [`LinkError::Config`], [`LinkError::Certificates`], [`LinkError::PortTaken`], [`LinkError::Listen`], [`LinkError::Open`].
    pub fn open(config: &LinkConfig) -> Result<Self, LinkError> {
        config.check()?;
        if let Some(tls) = &config.tls {
            tls.check()?;
        }
        endpoint::probe(config.listen.iter().chain(&config.listen_commands))?;
        let session = Arc::new(session::open(config, Carries::Rest)?);
        let commands = if config.separates_commands() {
            Arc::new(session::open(config, Carries::Commands)?)
        } else {
            Arc::clone(&session)
        };
        Ok(Self {
            session,
            commands,
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

    /// The session that carries a topic.
    pub(crate) fn session(&self, topic: Topic) -> &Arc<OpenSession> {
        match topic {
            Topic::Command => &self.commands,
            _ => &self.session,
        }
    }

    /// How many other processes the session for everything but commands is connected to.
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

    /// Closes the sessions. Takes a second at most, also on connections that do not move, but up to that: never
    /// call it, or drop the last clone, on a thread that moves an arm.
    ///
    /// # Errors
    /// [`LinkError::Topic`] if zenoh cannot say goodbye, or not in time; the sessions are gone all the same.
    pub fn close(self) -> Result<(), LinkError> {
        let commands = self.commands.close();
        let rest = self.session.close();
        commands.and(rest).map_err(|reason| LinkError::Topic {
            key: format!("prehend/{}", self.robot),
            reason,
        })
    }

    pub(crate) fn next_id(&self) -> PublisherId {
        PublisherId::new(self.session.zid(), &self.ends)
    }

    pub(crate) fn key<M: Message>(&self) -> String {
        M::TOPIC.key(&self.robot)
    }
}
