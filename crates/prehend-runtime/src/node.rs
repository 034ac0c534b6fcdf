//! What all nodes share: their names, how they are stopped, and how their reports are collected.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use prehend_link::Role;
use serde::{Deserialize, Serialize};

use crate::RuntimeError;

/// The nodes of a launch file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// Owns the arm and the cameras.
    Driver,
    /// Turns clouds into action chunks.
    Policy,
    /// Turns action chunks into joint commands.
    Control,
    /// Asks for episodes and counts how they end.
    Operator,
}

impl NodeKind {
    /// Every node, in the order in which they are started.
    pub const ALL: [Self; 4] = [Self::Driver, Self::Policy, Self::Control, Self::Operator];

    /// Name in launch files and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Policy => "policy",
            Self::Control => "control",
            Self::Operator => "operator",
        }
    }

    /// Role that its certificate names on an encrypted link.
    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Self::Driver => Role::Driver,
            Self::Policy => Role::Policy,
            Self::Control => Role::Controller,
            Self::Operator => Role::Operator,
        }
    }
}

impl std::fmt::Display for NodeKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for NodeKind {
    type Err = RuntimeError;

    fn from_str(text: &str) -> Result<Self, RuntimeError> {
        Self::ALL
            .into_iter()
            .find(|node| node.name() == text)
            .ok_or_else(|| RuntimeError::UnknownNode {
                name: text.to_owned(),
            })
    }
}

/// Asks for an orderly end. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// A stop that a flag of the caller sets, for example from a signal handler.
    #[must_use]
    pub fn from_flag(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }

    /// Asks.
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was asked.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A running node; dropping it stops the node and waits for it.
#[derive(Debug)]
pub struct NodeHandle<R> {
    node: NodeKind,
    stop: Stop,
    thread: Option<JoinHandle<Result<R, RuntimeError>>>,
}

impl<R: Send + 'static> NodeHandle<R> {
    /// Starts a node's thread. `work` returns soon after its [`Stop`] is set.
    pub(crate) fn spawn(
        node: NodeKind,
        work: impl FnOnce(Stop) -> Result<R, RuntimeError> + Send + 'static,
    ) -> Result<Self, RuntimeError> {
        let stop = Stop::default();
        let seen = stop.clone();
        let thread = std::thread::Builder::new()
            .name(node.name().to_owned())
            .spawn(move || work(seen))
            .map_err(|source| RuntimeError::Thread {
                name: node.name(),
                source,
            })?;
        Ok(Self {
            node,
            stop,
            thread: Some(thread),
        })
    }

    /// Which node it is.
    #[must_use]
    pub fn node(&self) -> NodeKind {
        self.node
    }

    /// Asks the node to end; does not wait.
    pub fn stop(&self) {
        self.stop.set();
    }

    /// Whether the node still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    /// Stops the node and returns its report.
    ///
    /// # Errors
    /// What ended the node before, or [`RuntimeError::Panicked`].
    pub fn join(mut self) -> Result<R, RuntimeError> {
        self.stop.set();
        let panicked = RuntimeError::Panicked { node: self.node };
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) | None => Err(panicked),
        }
    }
}

impl<R> Drop for NodeHandle<R> {
    fn drop(&mut self) {
        self.stop.set();
        if let Some(thread) = self.thread.take() {
            // Whoever drops a handle does not want its report.
            let _ = thread.join();
        }
    }
}
