//! The operator before a driver that refuses a scene, and one that falls silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use prehend_link::messages::{
    ActionChunk, ArmId, EpisodeEvent, EpisodeRequest, EventKind, RequestKind, RobotStatus,
    StopReason,
};
use prehend_link::{Link, LinkConfig, free_loopback_endpoint};
use prehend_runtime::{LaunchFile, Operator, OperatorReport, Outcome, RuntimeError, Stop};
use prehend_types::{
    Action, ActionChunk as Chunk, GripperState, JointPositions, JointVelocities, RobotState, Stamp,
    config::locate,
};

const FIRST: u64 = 100;
/// A scene that the driver cannot build.
const REFUSED: u64 = 101;
const N_JOINTS: usize = 7;
const DT: Duration = Duration::from_millis(20);

/// Stands in for driver, policy and control: everything works at once, and every task is done.
struct Cell {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Cell {
    /// A cell that answers no request for `silent_from` or a later scene.
    fn spawn(link: &Link, silent_from: u64) -> Self {
        let requests = link.queue::<EpisodeRequest>(16).expect("declares");
        let events = link.publisher::<EpisodeEvent>().expect("declares");
        let statuses = link.publisher::<RobotStatus>().expect("declares");
        let chunks = link.publisher::<ActionChunk>().expect("declares");
        let stop = Arc::<AtomicBool>::default();
        let ends = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut epoch, mut seq) = (1, 0);
            let id = ArmId {
                robot: "fr3".to_owned(),
                model: "fr3".to_owned(),
                model_hash: String::new(),
            };
            let state = RobotState {
                stamp: Stamp::now(),
                q: JointPositions::zeros(N_JOINTS).expect("fits"),
                dq: JointVelocities::zeros(N_JOINTS).expect("fits"),
                gripper: GripperState {
                    width: 0.08,
                    commanded: 1.0,
                    is_grasping: false,
                },
            };
            while !ends.load(Ordering::Relaxed) {
                let status = RobotStatus::new(&id, epoch, seq, &state, None, StopReason::None);
                seq += 1;
                statuses.send(&status).expect("open");
                let chunk = Chunk::new(Stamp::now(), DT, 1, &[Action::hold(1.0)]).expect("fits");
                let chunk = ActionChunk::new("fr3", epoch, &chunk, Duration::ZERO);
                chunks.send(&chunk).expect("open");
                let Some(received) = requests.wait(DT) else {
                    continue;
                };
                let EpisodeRequest { kind, seed, .. } = received.message;
                if kind != RequestKind::Reset || seed >= silent_from {
                    continue;
                }
                let say = |kind, epoch| {
                    let event = EpisodeEvent {
                        epoch,
                        episode: 1,
                        seed,
                        stamp_nanos: Stamp::now().as_nanos(),
                        kind,
                        target: "box".to_owned(),
                        held_out: false,
                        detail: String::new(),
                    };
                    events.send(&event).expect("open");
                };
                if seed == REFUSED {
                    say(EventKind::Refused, epoch);
                } else {
                    epoch += 1;
                    say(EventKind::Started, epoch);
                    say(EventKind::Succeeded, epoch);
                }
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it panicked with is on stderr already.
            let _ = thread.join();
        }
    }
}

/// Three episodes before a cell that falls silent at a scene.
fn outcome(silent_from: u64) -> Outcome<OperatorReport> {
    let file = locate("launch/demo.toml").expect("exists");
    let mut section = LaunchFile::load(&file).expect("valid").operator;
    section.seed = FIRST;
    section.episodes = 3;
    section.ready_timeout_s = 10.0;
    let endpoint = free_loopback_endpoint().expect("a free port");
    let link = Link::open(&LinkConfig::for_robot("fr3").listening(&endpoint)).expect("listens");
    let own = Link::open(&LinkConfig::for_robot("fr3").connecting(&endpoint)).expect("connects");
    let operator = Operator::new(&section, &own).expect("declares");
    let _cell = Cell::spawn(&link, silent_from);
    operator.run(&Stop::default(), &mut |_| {})
}

#[test]
fn an_episode_without_a_scene_is_a_failure_of_its_own_class() {
    let report = outcome(u64::MAX).whole().expect("goes on");
    assert!(!report.interrupted);
    let found: Vec<_> = report
        .episodes
        .iter()
        .map(|episode| (episode.seed, episode.success, episode.failure.as_deref()))
        .collect();
    assert_eq!(
        found,
        [
            (100, true, None),
            (101, false, Some("no_scene")),
            (102, true, None)
        ]
    );
    assert_eq!(report.episodes[1].target, None);
}

#[test]
fn a_driver_that_falls_silent_leaves_the_finished_episodes() {
    let outcome = outcome(102);
    assert!(
        matches!(outcome.error, Some(RuntimeError::NotReady { .. })),
        "{:?}",
        outcome.error
    );
    assert_eq!(outcome.report.episodes.len(), 2);
    assert!(!outcome.report.interrupted, "nobody asked it to stop");
}
