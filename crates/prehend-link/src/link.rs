//! One process's end of the link.

use std::sync::{Arc, atomic::AtomicU32};

use zenoh::Wait;

use crate::closing::OpenSession;
use crate::session::{self, Carries};
use crate::{LinkConfig, LinkError, Message, Publisher, Topic, endpoint, publisher::PublisherId};

/// One to three zenoh sessions that carry one robot's topics. Cheap to clone; closes when the last clone and
/// everything declared on it are gone.
#[derive(Debug, Clone)]
pub struct Link {
    /// Carries what has no session of its own.
    pub(crate) session: Arc<OpenSession>,
    /// Carries commands: a session of its own, or the same.
    commands: Arc<OpenSession>,
    /// Carries statistics, likewise.
    statistics: Arc<OpenSession>,
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
        let listened = [
            &config.listen,
            &config.listen_commands,
            &config.listen_statistics,
        ];
        endpoint::probe(listened.into_iter().flatten())?;
        let session = Arc::new(session::open(config, Carries::Rest)?);
        let own_or_shared = |carries: Carries| match config.separates(carries) {
            true => session::open(config, carries).map(Arc::new),
            false => Ok(Arc::clone(&session)),
        };
        let commands = own_or_shared(Carries::Commands)?;
        let statistics = own_or_shared(Carries::Statistics)?;
        Ok(Self {
            session,
            commands,
            statistics,
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
            Topic::Statistics => &self.statistics,
            _ => &self.session,
        }
    }

    /// The sessions on which a process shows what it sends and receives: who watches statistics may be
    /// connected to nothing else of it. Those who take commands are seen where the rest is.
    pub(crate) fn shown_on(&self) -> impl Iterator<Item = &Arc<OpenSession>> {
        let own = (!Arc::ptr_eq(&self.session, &self.statistics)).then_some(&self.statistics);
        [&self.session].into_iter().chain(own)
    }

    /// How many other processes the session for what has none of its own is connected to.
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

    /// Closes the sessions. Takes a moment for each at most, 1.5 s together, also on connections that do not move:
    /// never call it, or drop the last clone, on a thread that moves an arm.
    ///
    /// # Errors
    /// [`LinkError::Topic`] if zenoh cannot say goodbye, or not in time; the sessions are gone all the same.
    pub fn close(self) -> Result<(), LinkError> {
        let commands = self.commands.close();
        let statistics = self.statistics.close();
        let rest = self.session.close();
        commands
            .and(statistics)
            .and(rest)
            .map_err(|reason| LinkError::Topic {
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
