//! The control node between a mocked driver and a mocked policy, over loopback.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nalgebra::Vector3;
use prehend_control::ControlConfig;
use prehend_control::rt::RealtimeConfig;
use prehend_drivers::arm_id;
use prehend_link::messages::{
    ActionChunk, ControlStatistics, EpisodeEvent, EventKind, Inquiry, InquiryKind, PointCloud2,
    RobotStatus, StopReason,
};
use prehend_link::{Link, LinkConfig, Publisher, Queue, free_loopback_endpoint};
use prehend_robot::Robot;
use prehend_runtime::{
    ControlNode, ControlReport, ControlSettings, NamedPolicy, NodeHandle, PolicyNode,
};
use prehend_types::{
    Action, ActionChunk as Chunk, Observation, PointCloud, Policy, PolicyError, Role, Stamp,
    config::locate,
};

use crate::mock_driver::MockDriver;

const SOON: Duration = Duration::from_secs(10);
const DT: Duration = Duration::from_millis(50);

struct Cell {
    robot: Arc<Robot>,
    driver: MockDriver,
    control: NodeHandle<ControlReport>,
    /// The control node's session.
    control_link: Link,
    /// The driver's session, on which a test stands in for policy and operator.
    driver_link: Link,
    statuses: Queue<RobotStatus>,
    chunks: Publisher<ActionChunk>,
}

fn cell() -> Cell {
    let robot = Robot::load(&locate("robots/fr3").expect("exists")).expect("valid");
    let robot = Arc::new(robot);
    let endpoint = free_loopback_endpoint().expect("a free port");
    let link = Link::open(&LinkConfig::for_robot("fr3").listening(&endpoint)).expect("listens");
    let other = Link::open(&LinkConfig::for_robot("fr3").connecting(&endpoint)).expect("connects");
    let settings = ControlSettings {
        controller: ControlConfig::default(),
        // Tests take no priority over others.
        realtime: RealtimeConfig {
            fifo_priority: 0,
            lock_memory: false,
            pin_core: None,
        },
        valid_for: Duration::from_millis(200),
    };
    let control = ControlNode::spawn(&settings, &robot, &other).expect("starts");
    Cell {
        driver: MockDriver::spawn(&robot, &link),
        statuses: link.queue(1 << 14).expect("declares"),
        chunks: link.publisher().expect("declares"),
        control,
        robot,
        control_link: other,
        driver_link: link,
    }
}

impl Cell {
    fn wait_for(&self, what: &str, wanted: impl Fn(&RobotStatus) -> bool) -> RobotStatus {
        let deadline = Instant::now() + SOON;
        while Instant::now() < deadline {
            if let Some(received) = self.statuses.wait(Duration::from_millis(50))
                && wanted(&received.message)
            {
                return received.message;
            }
        }
        panic!("never: {what}");
    }

    /// A slow way down, 8 steps of 50 ms.
    fn send_chunk(&self, epoch: u64) {
        let down = Action {
            translation: Vector3::new(0.0, 0.0, 0.004),
            ..Action::hold(1.0)
        };
        let chunk = Chunk::new(Stamp::now(), DT, 4, &[down; 8]).expect("fits");
        self.chunks
            .send(&ActionChunk::new("fr3", epoch, &chunk, Duration::ZERO))
            .expect("open");
    }

    fn tcp_height(&self, status: &RobotStatus) -> f64 {
        self.robot
            .forward(&status.state().expect("received").q)
            .translation
            .z
    }

    /// A redundant arm that holds its tool still may drift towards its home posture.
    fn is_slow(status: &RobotStatus) -> bool {
        status.dq.iter().all(|dq| dq.abs() < 0.02)
    }

    fn is_at_rest(status: &RobotStatus) -> bool {
        status.dq.iter().all(|dq| *dq == 0.0)
    }

    /// Starts to move and returns the first status that says so.
    fn set_moving(&self) -> RobotStatus {
        let first = self.wait_for("following", RobotStatus::is_following);
        let height = self.tcp_height(&first);
        self.send_chunk(first.epoch);
        self.wait_for("moving", |status| self.tcp_height(status) < height - 0.005)
    }
}

#[test]
fn chunks_move_the_arm_within_limits_and_silence_of_the_policy_holds_it() {
    let cell = cell();
    let moving = cell.set_moving();
    assert!(moving.is_following());
    // The policy is there and says nothing from here on: the plan ends, the arm comes to rest and is held.
    let held = cell.wait_for("held", Cell::is_at_rest);
    assert!(
        held.is_following(),
        "held by commands, not stopped: {:?}",
        held.stop_reason
    );
    let later = cell.wait_for("still held", |status| status.seq > held.seq + 60);
    assert!(later.is_following());
    assert!((cell.tcp_height(&later) - cell.tcp_height(&held)).abs() < 1e-3);

    let report = cell.control.join().expect("ends in order");
    assert_eq!((report.armed, report.chunks_accepted), (1, 1));
    assert!(report.stops.is_empty(), "{:?}", report.stops);
    assert_eq!(report.sending.failed, 0);
    let wire = cell.driver.finish();
    assert!(wire.commands > 100 && wire.applied > 0);
    assert_eq!(
        (
            wire.limit_violations,
            wire.non_finite,
            wire.expired_executed
        ),
        (0, 0, 0)
    );
}

#[test]
fn what_the_loop_does_is_told_once_per_second() {
    let cell = cell();
    let statistics = cell.driver_link.queue::<ControlStatistics>(16);
    let statistics = statistics.expect("declares");
    cell.set_moving();
    let mut told = Vec::new();
    while told.len() < 3 {
        told.push(statistics.wait(SOON).expect("told").message);
    }
    let last = &told[2];
    let seqs: Vec<u64> = told
        .iter()
        .map(|message| message.seq - told[0].seq)
        .collect();
    assert_eq!(seqs, [0, 1, 2]);
    assert!(last.ticks > told[0].ticks && last.commands > told[0].commands);
    assert!(
        ["tracking", "holding"].contains(&last.mode.as_str()),
        "{last:?}"
    );
    assert_eq!((last.armed, last.arm_error.as_str()), (1, ""));
    for timing in [&last.period, &last.compute, &last.command_age] {
        assert!(timing.n > 0 && timing.p50_us <= timing.max_us, "{last:?}");
        // Read one after the other while the loop goes on.
        assert!(timing.bins.iter().sum::<u64>() >= timing.n, "{last:?}");
    }
    assert!(last.interventions.iter().any(|count| count.name == "jerk"));
    cell.control.join().expect("ends in order");
    cell.driver.finish();
}

#[test]
fn a_policy_that_goes_stops_the_arm_until_a_new_session() {
    let mut cell = cell();
    let moving = cell.set_moving();
    let another = cell.driver_link.publisher().expect("declares");
    drop(std::mem::replace(&mut cell.chunks, another));
    let stopped = cell.wait_for("stopped", |status| !status.is_following());
    assert_eq!(stopped.stop_reason, StopReason::Requested);
    cell.wait_for("at rest", Cell::is_at_rest);
    // Whoever comes after it was not there when the operator let the arm move.
    cell.send_chunk(moving.epoch);
    let later = cell.wait_for("later", |status| status.seq > stopped.seq + 100);
    assert!(Cell::is_at_rest(&later) && !later.is_following());

    cell.driver.reset();
    let first = cell.wait_for("a new session", |status| {
        status.epoch > moving.epoch && status.is_following()
    });
    let height = cell.tcp_height(&first);
    cell.send_chunk(first.epoch);
    cell.wait_for("moving", |status| cell.tcp_height(status) < height - 0.005);

    let report = cell.control.join().expect("ends in order");
    assert_eq!(report.stops.get("policy_gone"), Some(&1), "{report:?}");
    assert_eq!((report.stops.len(), report.armed), (1, 2));
    let wire = cell.driver.finish();
    assert_eq!((wire.limit_violations, wire.expiry_stops), (0, 0));
}

#[test]
fn a_control_node_that_ends_leaves_the_arm_stopped() {
    let Cell {
        driver,
        control,
        statuses,
        ..
    } = {
        let cell = cell();
        cell.set_moving();
        cell
    };
    let report = control.join().expect("ends in order");
    assert!(report.control_loop.commands > 0);
    let deadline = Instant::now() + SOON;
    let stopped = loop {
        let status = statuses.wait(SOON).expect("the driver goes on").message;
        if !status.is_following() {
            break status;
        }
        assert!(
            Instant::now() < deadline,
            "the driver still follows somebody"
        );
    };
    // Brought to rest by the node itself, and told so; or, if that got lost, by the driver.
    assert!(matches!(
        stopped.stop_reason,
        StopReason::Requested | StopReason::Expired
    ));
    let wire = driver.finish();
    assert_eq!((wire.limit_violations, wire.expired_executed), (0, 0));
}

#[test]
fn a_control_node_that_is_cut_off_makes_the_driver_stop_by_itself() {
    let cell = cell();
    cell.set_moving();
    cell.control_link.clone().close().expect("open until now");
    let stopped = cell.wait_for("stopped", |status| !status.is_following());
    assert_eq!(stopped.stop_reason, StopReason::Expired);
    cell.wait_for("at rest", Cell::is_at_rest);
    // It may not have been able to send its stop; the arm stands all the same.
    let report = cell.control.join().expect("ends in order");
    assert!(report.sending.failed > 0);
    let wire = cell.driver.finish();
    assert_eq!((wire.expiry_stops, wire.expired_executed), (1, 0));
}

#[test]
fn lost_states_stop_the_arm_until_a_new_session() {
    let cell = cell();
    cell.set_moving();
    cell.driver.mute();
    // Longer than the controller trusts an old state, and waits for another.
    std::thread::sleep(Duration::from_millis(1000));
    let report = cell.control.join().expect("ends in order");
    assert_eq!(
        report.stops.get("stale_state"),
        Some(&1),
        "{:?}",
        report.stops
    );
    let wire = cell.driver.finish();
    assert_eq!((wire.limit_violations, wire.expired_executed), (0, 0));
}

#[test]
fn a_new_session_is_taken_over_where_the_arm_is_then() {
    let cell = cell();
    let moving = cell.set_moving();
    cell.driver.reset();
    let home = cell.wait_for("new session", |status| status.epoch == moving.epoch + 1);
    let followed = cell.wait_for("followed", |status| {
        status.epoch == home.epoch && status.is_following()
    });
    for (q, home) in followed.q.iter().zip(cell.robot.home().iter()) {
        assert!(
            (q - home).abs() < 1e-3,
            "held at home, not where the old session was"
        );
    }
    // A chunk of the old session does nothing.
    cell.send_chunk(moving.epoch);
    let later = cell.wait_for("still there", |status| status.seq > followed.seq + 40);
    assert!(Cell::is_slow(&later));
    let report = cell.control.join().expect("ends in order");
    assert_eq!((report.armed, report.chunks_unwelcome), (2, 1));
    assert!(report.stops.is_empty(), "{:?}", report.stops);
    let wire = cell.driver.finish();
    assert_eq!((wire.limit_violations, wire.jumps_refused), (0, 0));
}

/// Points of a cloud that [`Counting`] answers with a chunk that is not finite.
const CONFUSING: usize = 13;

/// Opens its gripper with its count of calls, moves by a millimetre for each action that it is told it cannot
/// change, and cannot decide about empty clouds.
struct Counting(f64);

impl Policy for Counting {
    fn name(&self) -> &str {
        "counting"
    }

    fn reset(&mut self, _seed: u64) {
        self.0 = 0.0;
    }

    fn act(&mut self, observation: &Observation) -> Result<Chunk, PolicyError> {
        if observation.cloud.is_empty() {
            return Err(PolicyError::BadObservation {
                reason: "empty".to_owned(),
            });
        }
        self.0 += 0.125;
        if observation.cloud.points.len() == CONFUSING {
            self.0 = f64::NAN;
        }
        let reason = |error: prehend_types::ChunkTooLong| PolicyError::Inference {
            reason: error.to_string(),
        };
        let action = Action {
            translation: Vector3::x() * 1e-3 * observation.committed.len() as f64,
            ..Action::hold(self.0)
        };
        Chunk::new(observation.stamp, DT, 4, &[action; 8]).map_err(reason)
    }
}

#[test]
fn the_policy_is_asked_once_per_executed_chunk_and_only_within_episodes() {
    let robot = Robot::load(&locate("robots/fr3").expect("exists")).expect("valid");
    let robot = Arc::new(robot);
    let endpoint = free_loopback_endpoint().expect("a free port");
    let driver = Link::open(&LinkConfig::for_robot("fr3").listening(&endpoint)).expect("listens");
    let own = Link::open(&LinkConfig::for_robot("fr3").connecting(&endpoint)).expect("connects");
    let named = NamedPolicy {
        policy: Box::new(Counting(0.0)),
        provider: "test".to_owned(),
    };
    let node = PolicyNode::spawn(named, &robot, Duration::from_millis(25), &own).expect("starts");
    let statuses = driver.publisher::<RobotStatus>().expect("declares");
    let clouds = driver.publisher::<PointCloud2>().expect("declares");
    let events = driver.publisher::<EpisodeEvent>().expect("declares");
    let chunks = driver.queue::<ActionChunk>(64).expect("declares");
    let inquiries = driver.queue::<Inquiry>(64).expect("declares");
    let deadline = Instant::now() + SOON;
    while !(statuses.has_subscriber() && clouds.has_subscriber() && events.has_subscriber()) {
        assert!(Instant::now() < deadline, "the node does not listen");
        std::thread::sleep(Duration::from_millis(2));
    }
    let start = Stamp::now();
    let event = |kind, epoch| EpisodeEvent {
        epoch,
        episode: 1,
        seed: 11,
        stamp_nanos: start.as_nanos(),
        kind,
        target: "box".to_owned(),
        held_out: false,
        detail: String::new(),
    };
    // A cloud with its state, so many milliseconds after the start; whether a chunk came of it.
    let id = arm_id("fr3", &robot);
    let show = |millis: u64, n_points: usize, epoch: u64| {
        let stamp = start.after(Duration::from_millis(millis));
        let state = prehend_types::RobotState {
            stamp,
            q: *robot.home(),
            dq: prehend_types::JointVelocities::zeros(robot.n_joints()).expect("fits"),
            gripper: prehend_types::GripperState {
                width: 0.08,
                commanded: 1.0,
                is_grasping: false,
            },
        };
        let status = RobotStatus::new(&id, epoch, millis, &state, None, StopReason::NotArmed);
        statuses.send(&status).expect("open");
        // Only so that the state is there first; both topics have their own way.
        std::thread::sleep(Duration::from_millis(30));
        let cloud = PointCloud {
            stamp,
            frame: "base".to_owned(),
            points: vec![[0.5, 0.0, 0.1]; n_points],
            roles: vec![Role::Target; n_points],
        };
        clouds.send(&PointCloud2::new(&cloud)).expect("open");
        chunks
            .wait(Duration::from_millis(300))
            .map(|received| received.message)
    };
    assert_eq!(show(0, 7, 5), None, "no episode yet");
    events.send(&event(EventKind::Started, 5)).expect("open");
    std::thread::sleep(Duration::from_millis(30));
    let first = show(100, 7, 5).expect("due at once");
    assert_eq!(
        (first.epoch, first.actions[0].gripper),
        (5, 0.125),
        "reset by the episode"
    );
    assert_eq!(first.actions[0].translation[0], 0.0, "nothing was decided");
    assert_eq!(
        first.start_nanos,
        start.after(Duration::from_millis(100)).as_nanos()
    );
    assert_eq!(show(200, 7, 5), None, "the first is still being executed");
    assert_eq!(show(290, 0, 5), None, "an empty cloud");
    assert!(
        show(295, 7, 5).is_some(),
        "due 25 ms before the executed part ends"
    );
    let confused = show(590, CONFUSING, 5).expect("sent: the controller refuses and counts it");
    assert!(confused.actions[0].gripper.is_nan());
    // The look before took much longer than its chunk; two actions of that are left, and a bit.
    let told = confused.actions[0].translation[0];
    assert!((told - 2e-3).abs() < 1e-9, "{told}");
    while inquiries.take().is_some() {}
    assert_eq!(show(800, 7, 6), None, "a state of another session");
    let asked = inquiries.wait(SOON).expect("whose start it has missed");
    assert_eq!(asked.message.kind, InquiryKind::Repeat);
    events.send(&event(EventKind::Started, 6)).expect("open");
    std::thread::sleep(Duration::from_millis(30));
    let again = show(1200, 7, 6).expect("it goes on");
    assert_eq!(again.epoch, 6);
    events.send(&event(EventKind::Failed, 6)).expect("open");
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(show(1600, 7, 6), None, "the episode is over");
    let report = node.join().expect("ends in order");
    assert_eq!((report.chunks, report.errors, report.not_due), (4, 1, 1));
    assert_eq!(report.act_ms.n, 4);
}
