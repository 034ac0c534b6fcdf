//! Ends zenoh sessions in bounded time, whoever lets go of them last.
//!
//! zenoh takes up to 10 s to say goodbye on a connection that does not move, and waits for it when the last
//! handle of a session is dropped. Nobody here has that time: the goodbye is left to a thread of its own, and
//! is not waited for beyond a moment. What stays behind ends by itself, or with the process.

use std::ops::Deref;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use zenoh::Wait;

/// Longest wait for a goodbye. A peer that hears none learns it from the silence, after the link's lease.
const PATIENCE: Duration = Duration::from_millis(500);

/// A session that is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct OpenSession(zenoh::Session);

impl OpenSession {
    pub fn new(session: zenoh::Session) -> Self {
        Self(session)
    }

    /// Says goodbye; a second time there is nobody left to say it to. Waits for [`PATIENCE`] at most.
    pub fn close(&self) -> Result<(), String> {
        if self.0.is_closed() {
            return Ok(());
        }
        let session = self.0.clone();
        let (tell, told) = channel();
        let goodbye = move || {
            let closed = session.close().wait();
            // Whoever waited may have given up.
            let _ = tell.send(closed.map_err(|error| error.to_string()));
        };
        thread::Builder::new()
            .name("close-session".to_owned())
            .spawn(goodbye)
            .map_err(|error| format!("no thread to close it on: {error}"))?;
        match told.recv_timeout(PATIENCE) {
            Ok(closed) => closed,
            Err(RecvTimeoutError::Timeout) => Err(format!(
                "no goodbye within {PATIENCE:?}: a connection does not move; it is given up behind our back"
            )),
            Err(RecvTimeoutError::Disconnected) => Err("closing it panicked".to_owned()),
        }
    }
}

impl Deref for OpenSession {
    type Target = zenoh::Session;

    fn deref(&self) -> &zenoh::Session {
        &self.0
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        if let Err(reason) = self.close() {
            tracing::debug!(reason, "link: a session was left");
        }
    }
}
