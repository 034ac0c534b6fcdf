//! What a policy in a process of its own needs beside a driver: an episode, and clouds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use prehend_link::messages::{EpisodeEvent, EventKind, PointCloud2};
use prehend_link::{Link, LinkError};
use prehend_types::{PointCloud, Role, Stamp};

/// Points along an edge of what is to be grasped, and of where it is to be put.
const EDGE: u16 = 8;

/// Tells of an episode and shows a still scene ten times per second, until it is dropped.
pub(super) struct Feed {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    /// On the driver's session, in session `epoch` of its arm.
    pub fn spawn(link: &Link, epoch: u64) -> Result<Self, LinkError> {
        let clouds = link.publisher::<PointCloud2>()?;
        let events = link.publisher::<EpisodeEvent>()?;
        let ends = Arc::<AtomicBool>::default();
        let own = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            while !own.load(Relaxed) {
                // Told over and over: who starts late has missed the first. A session that is being closed
                // has nobody to tell.
                let _ = events.send(&started(epoch));
                let _ = clouds.send(&PointCloud2::new(&scene(Stamp::now())));
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Ok(Self {
            ends,
            thread: Some(thread),
        })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.ends.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // It ends at its next round.
            let _ = thread.join();
        }
    }
}

/// An episode begins in this session.
pub(super) fn started(epoch: u64) -> EpisodeEvent {
    EpisodeEvent {
        epoch,
        episode: 1,
        seed: 1,
        stamp_nanos: Stamp::now().as_nanos(),
        kind: EventKind::Started,
        target: "box".to_owned(),
        held_out: false,
        detail: String::new(),
    }
}

/// Two patches on a table: a cube's upper side, and a place for it.
pub(super) fn scene(stamp: Stamp) -> PointCloud {
    let patch = |centre: [f32; 3]| {
        (0..EDGE * EDGE).map(move |k| {
            let step = |k: u16| (f32::from(k) / f32::from(EDGE) - 0.5) * 0.05;
            [
                centre[0] + step(k % EDGE),
                centre[1] + step(k / EDGE),
                centre[2],
            ]
        })
    };
    let n = usize::from(EDGE * EDGE);
    PointCloud {
        stamp,
        frame: "base".to_owned(),
        points: patch([0.5, 0.1, 0.05])
            .chain(patch([0.5, -0.15, 0.01]))
            .collect(),
        roles: [vec![Role::Target; n], vec![Role::Receptacle; n]].concat(),
    }
}
