use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use prehend_control::rt::{Clock, ControlLoop, LoopMessage, LoopPorts, Tape, TickRecord};
use prehend_control::{Controller, Mode};
use prehend_data::{RecordingReader, RecordingWriter};
use prehend_robot::Robot;
use prehend_types::config::locate;
use prehend_types::{
    Action, ActionChunk, GripperState, JointVelocities, PointCloud, RobotState, Role, Stamp,
};

use super::header::Header;
use super::policy::Seen;
use super::*;
use crate::LaunchFile;

const TICKS: u64 = 1200;

/// Simulated time, and an arm that is where it was told to be. It ends the loop by saying so.
struct Cell {
    now: Stamp,
    ports: Option<LoopPorts>,
    incoming: std::sync::mpsc::Receiver<LoopPorts>,
    state: RobotState,
    ticks: u64,
    done: std::sync::mpsc::Sender<()>,
}

impl Clock for Cell {
    fn now(&mut self) -> Stamp {
        self.now
    }

    fn sleep_until(&mut self, moment: Stamp) {
        self.now = self.now.max(moment);
        // As fast as it can it would run away from its recorder.
        std::thread::sleep(Duration::from_micros(50));
        if self.ports.is_none() {
            self.ports = self.incoming.try_recv().ok();
        }
        let Some(ports) = &mut self.ports else {
            return;
        };
        while let Ok(timed) = ports.commands.pop() {
            (self.state.q, self.state.dq) = (timed.command.q_d, timed.command.dq_d);
        }
        self.state.stamp = self.now;
        ports.states.push(self.state).expect("room");
        if self.ticks == 0 {
            let arm = LoopMessage::Arm { epoch: 1 };
            ports.messages.push(arm).expect("room");
        }
        if self.ticks % 200 == 10 {
            let mut action = Action::hold(0.5);
            action.translation.x = 0.005;
            let dt = Duration::from_millis(50);
            let chunk = ActionChunk::new(self.now, dt, 4, &[action; 8]).expect("eight fit");
            ports.chunks.push(chunk).expect("room");
        }
        self.ticks += 1;
        if self.ticks == TICKS {
            let _ = self.done.send(());
        }
    }
}

fn launch(folder: &Path) -> (LaunchFile, Arc<Robot>) {
    let file = locate("launch/demo.toml").expect("exists");
    let mut launch = LaunchFile::load(&file).expect("valid");
    launch.record = Some(folder.to_owned());
    launch.control.realtime.fifo_priority = 0;
    launch.control.realtime.lock_memory = false;
    let robot = launch.load_robot().expect("valid");
    (launch, robot)
}

/// Records a short run of the control thread.
fn record_control(folder: &Path) -> PathBuf {
    let (launch, robot) = launch(folder);
    let recording = launch.recording(NodeKind::Control, &robot, "");
    let recording = recording.expect("can be made").expect("is asked for");
    let (tape, reader) = Tape::new();
    let recorder = ControlRecorder::spawn(&recording, reader).expect("starts");
    let settings = launch.control_settings();
    let (give, incoming) = std::sync::mpsc::channel();
    let (done, is_done) = std::sync::mpsc::channel();
    let cell = Cell {
        now: Stamp::from_nanos(100_000_000_000),
        ports: None,
        incoming,
        state: RobotState {
            stamp: Stamp::ZERO,
            q: *robot.home(),
            dq: JointVelocities::zeros(robot.n_joints()).expect("fits"),
            gripper: GripperState {
                width: 0.08,
                commanded: 1.0,
                is_grasping: false,
            },
        },
        ticks: 0,
        done,
    };
    let controller = Controller::new(robot, settings.controller).expect("valid");
    let (control, ports) =
        ControlLoop::start_on(cell, controller, &settings.realtime, Some(tape)).expect("starts");
    give.send(ports)
        .unwrap_or_else(|_| panic!("the clock is there"));
    is_done.recv().expect("it runs");
    control.finish().expect("no panic");
    let report = recorder.join();
    assert_eq!(report.lost, None);
    assert!(report.records >= TICKS, "{report:?}");
    recording.path
}

/// Writes a recording again with another header and other records.
fn rewrite<T: Serialize + serde::de::DeserializeOwned>(
    path: &Path,
    header: impl FnOnce(&str) -> String,
    mut change: impl FnMut(&mut T),
) {
    let mut reader = RecordingReader::<T>::open(path).expect("opens");
    let header = header(reader.header());
    let mut records: Vec<T> = reader.by_ref().collect();
    std::fs::remove_file(path).expect("ours");
    let mut writer = RecordingWriter::create(path, &header).expect("creates");
    for record in &mut records {
        change(record);
        writer.push(record).expect("plain");
    }
    writer.finish(None).expect("writes");
}

#[test]
fn a_recorded_run_replays_and_what_was_changed_is_found() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let folder = folder.path();
    let path = record_control(folder);
    let same = replay_run(folder).expect("replays");
    assert!(same.ticks >= TICKS && same.lost.is_empty(), "{same:?}");
    assert_eq!(same.not_there, ["policy.rec"]);
    assert_eq!(same.recorded_by["control.rec"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (same.identical, &same.first_difference),
        (same.ticks, &None)
    );

    let mut moving = None;
    let keep = |header: &str| header.to_owned();
    rewrite::<TickRecord>(&path, keep, |record| {
        let is_it = record.outcome.mode == Mode::Tracking && record.moment.tick > 300;
        if is_it && moving.is_none() {
            moving = Some(record.moment.tick);
            let command = record.outcome.command.as_mut().expect("it moves");
            let q = &mut command.command.q_d[2];
            *q = f64::from_bits(q.to_bits() ^ 1);
        }
    });
    let report = replay_run(folder).expect("replays");
    let difference = report.first_difference.expect("one bit");
    assert_eq!(difference.tick, moving);
    assert_eq!(difference.field, "command.q_d[2]");
    assert_eq!(report.identical, report.ticks - 1, "no other tick");

    let gain = |header: &str| {
        let changed = header.replace("pose_gain_per_s = 15.0", "pose_gain_per_s = 16.0");
        assert_ne!(changed, header);
        changed
    };
    rewrite::<TickRecord>(&path, gain, |_| {});
    let report = replay_run(folder).expect("replays");
    let difference = report.first_difference.expect("another gain");
    assert!(difference.field.starts_with("command."), "{difference:?}");
    assert!(difference.tick < moving, "from the first plan on");

    let library = |header: &str| {
        let changed = header.replacen("[policy]\n", "[policy]\nlibrary = \"theirs.so\"\n", 1);
        assert_ne!(changed, header);
        changed
    };
    rewrite::<TickRecord>(&path, library, |_| {});
    let header = RecordingReader::<TickRecord>::open(&path).expect("opens");
    let opened = Header::open(header.header(), &path, NodeKind::Control).expect("valid");
    assert_eq!(
        opened.1.policy.library, None,
        "not whoever recorded says what is run"
    );

    let other = |header: &str| header.replacen("robot_sha256 = \"", "robot_sha256 = \"0", 1);
    rewrite::<TickRecord>(&path, other, |_| {});
    let error = replay_run(folder).expect_err("another robot");
    assert!(error.to_string().contains("content hash"), "{error}");
}

#[test]
fn a_killed_recorder_leaves_a_prefix_that_replays_and_the_loss_is_named() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = record_control(folder.path());
    // In frames as they are while a run goes on; then cut inside one of them.
    let mut reader = RecordingReader::<TickRecord>::open(&path).expect("opens");
    let header = reader.header().to_owned();
    let records: Vec<TickRecord> = reader.by_ref().collect();
    std::fs::remove_file(&path).expect("ours");
    let mut writer = RecordingWriter::create(&path, &header).expect("creates");
    for frame in records.chunks(100) {
        for record in frame {
            writer.push(record).expect("plain");
        }
        writer.flush().expect("writes");
    }
    let n_bytes = writer.bytes();
    drop(writer);
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_len(n_bytes - 10))
        .expect("cuts");
    let report = replay_run(folder.path()).expect("replays what is there");
    assert!(
        report.ticks >= TICKS - 100 && report.ticks.is_multiple_of(100),
        "{report:?}"
    );
    assert_eq!(
        (report.identical, report.first_difference),
        (report.ticks, None)
    );
    assert!(
        report.lost[0].contains("control.rec: after"),
        "{:?}",
        report.lost
    );
}

#[test]
fn a_policy_is_asked_again_and_answers_the_same() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (mut launch, robot) = launch(folder.path());
    // The engine that every machine has.
    launch.policy.engine = prehend_policy::EngineChoice::Embedded;
    launch.policy.warm_up_runs = 0;
    let mut named = launch.load_policy(&robot).expect("the shipped one");
    let recording = launch.recording(NodeKind::Policy, &robot, &named.provider);
    let recording = recording.expect("can be made").expect("is asked for");
    let mut recorder = PolicyRecorder::spawn(&recording).expect("starts");
    named.policy.reset(5);
    recorder.reset(5);
    for k in 0..3_u64 {
        let seen = Seen {
            stamp: Stamp::from_nanos(k * 300_000_000),
            cloud: PointCloud {
                stamp: Stamp::from_nanos(k * 300_000_000),
                frame: "base".to_owned(),
                points: (0..600)
                    .map(|i| [0.4 + 1e-4 * i as f32, 0.01 * (i % 7) as f32, 0.03])
                    .collect(),
                roles: (0..600)
                    .map(|i| [Role::Target, Role::Receptacle, Role::Other][i % 3])
                    .collect(),
            },
            state: RobotState {
                stamp: Stamp::from_nanos(k * 300_000_000),
                q: *robot.home(),
                dq: JointVelocities::zeros(robot.n_joints()).expect("fits"),
                gripper: GripperState {
                    width: 0.08,
                    commanded: 1.0,
                    is_grasping: false,
                },
            },
            committed: prehend_types::Actions::new(),
        };
        let observation = seen.observation(&robot);
        let outcome = named.policy.act(&observation);
        assert!(outcome.is_ok(), "{outcome:?}");
        recorder.act(observation, &outcome);
    }
    let report = recorder.join();
    assert_eq!((report.records, report.lost), (4, None));
    let same = replay_run(folder.path()).expect("replays");
    assert_eq!((same.chunks, same.identical), (3, 3), "{same:?}");
    assert_eq!(same.not_there, ["control.rec"]);
    let engines = same.engine.expect("a policy");
    assert_eq!(engines.recorded, engines.replayed);

    let keep = |header: &str| header.to_owned();
    let mut n = 0;
    rewrite::<policy::PolicyRecord>(&recording.path, keep, |record| {
        if let policy::PolicyRecord::Act { seen, .. } = record {
            n += 1;
            if n == 2 {
                seen.cloud.points[0][2] += 0.01;
            }
        }
    });
    let report = replay_run(folder.path()).expect("replays");
    let difference = report.first_difference.expect("another point");
    assert_eq!((difference.tick, difference.chunk), (None, Some(1)));
    assert!(
        difference.field.starts_with("chunk.actions["),
        "{difference:?}"
    );

    let none_named = |header: &str| {
        let (before, _) = header.split_once("[bundles]").expect("the last table");
        format!("{before}[bundles]\n")
    };
    rewrite::<policy::PolicyRecord>(&recording.path, none_named, |_| {});
    let error = replay_run(folder.path()).expect_err("which bundle it was is not said");
    assert!(error.to_string().contains("not named"), "{error}");
}

#[test]
fn a_policy_that_outruns_its_recorder_leaves_a_recording_that_says_so() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (launch, robot) = launch(folder.path());
    let recording = launch.recording(NodeKind::Policy, &robot, "none");
    let recording = recording.expect("can be made").expect("is asked for");
    let mut recorder = PolicyRecorder::spawn(&recording).expect("starts");
    // Every seed is a frame of its own: the queue fills.
    for seed in 0.. {
        recorder.reset(seed);
        if recorder.has_given_up() {
            break;
        }
    }
    let report = recorder.join();
    let reason = report.lost.expect("it gave up");
    let mut reader = RecordingReader::<policy::PolicyRecord>::open(&recording.path).expect("opens");
    assert_eq!(reader.by_ref().count() as u64, report.records);
    assert_eq!(reader.loss(), Some(reason.as_str()));
}

#[test]
fn a_tick_with_more_than_the_rings_hold_is_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let folder = folder.path();
    let path = record_control(folder);
    let keep = |header: &str| header.to_owned();
    let dt = Duration::from_millis(50);
    let chunk = ActionChunk::new(Stamp::ZERO, dt, 0, &[]).expect("fits");
    for (messages, chunks) in [(513, 0), (0, 65), (0, 1 << 20)] {
        let whole = std::fs::read(&path).expect("reads");
        rewrite::<TickRecord>(&path, keep, |record| {
            if record.moment.tick == 700 {
                record.messages = vec![LoopMessage::Stop; messages];
                record.chunks = vec![chunk.clone(); chunks];
            }
        });
        let report = replay_run(folder).expect("replays what is before");
        assert_eq!(report.ticks, 700, "{messages} messages, {chunks} plans");
        assert!(report.lost[0].contains("control.rec"), "{:?}", report.lost);
        std::fs::write(&path, whole).expect("ours");
    }
}
