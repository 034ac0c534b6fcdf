//! Every decoder of outside bytes over its seeds and thousands of their mutations: a bounded run of what
//! cargo-fuzz runs without bounds, see `tests/fuzz`.

use std::fs;
use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[path = "../fuzz/entries.rs"]
mod entries;

type Entry = fn(&[u8]) -> bool;

/// A number below `n`, or 0 if there is none.
fn below(random: &mut ChaCha8Rng, n: usize) -> usize {
    random.random_range(0..n.max(1))
}

fn mutate(random: &mut ChaCha8Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[below(random, seeds.len())].clone();
    for _ in 0..=below(random, 4) {
        let at = below(random, bytes.len());
        match below(random, 6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), random.random()),
            2 => {
                let other = &seeds[below(random, seeds.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[below(random, other.len())..]);
            }
            3 => {
                // What hurts where a length or a number stands.
                let value = [0, u64::MAX, i64::MAX as u64, 1 << 31, 0x7ff8_0000_0000_0000];
                let value = value[below(random, value.len())].to_le_bytes();
                for (byte, value) in bytes[at..].iter_mut().zip(value) {
                    *byte = value;
                }
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << below(random, 8);
                }
            }
        }
    }
    bytes
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds")
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let read = |entry: std::io::Result<fs::DirEntry>| fs::read(entry.expect("listed").path());
    let entries = fs::read_dir(folder).expect("a folder of seeds");
    let mut seeds: Vec<Vec<u8>> = entries.filter_map(|entry| read(entry).ok()).collect();
    seeds.sort();
    seeds
}

/// Every seed is accepted, so that its mutations lie beside what is, and no mutation breaks a promise.
fn survives(name: &str, entry: Entry, folder: &Path, n: usize) {
    let seeds = files(folder);
    assert!(!seeds.is_empty(), "{name}: no seeds");
    for (index, seed) in seeds.iter().enumerate() {
        assert!(
            entry(seed),
            "{name}: seed {index} is refused; see `write_seeds`"
        );
    }
    assert!(!entry(b""), "{name}: nothing is accepted");
    let mut random = ChaCha8Rng::seed_from_u64(900_000);
    let accepted = (0..n)
        .filter(|_| entry(&mutate(&mut random, &seeds)))
        .count();
    assert!(accepted < n, "{name}: it accepts anything");
}

#[test]
fn messages() {
    survives(
        "messages",
        entries::messages,
        &root().join("messages"),
        20_000,
    );
}

#[test]
fn certificates() {
    let seeds = root().join("certificates");
    survives("certificates", entries::certificates, &seeds, 2000);
}

#[test]
fn graph() {
    survives("graph", entries::graph, &root().join("graph"), 20_000);
}

#[test]
fn recording() {
    survives(
        "recording",
        entries::recording,
        &root().join("recording"),
        3000,
    );
}

#[test]
fn replay() {
    survives("replay", entries::replay, &root().join("replay"), 300);
}

#[test]
fn episode() {
    survives("episode", entries::episode, &root().join("episode"), 10_000);
}

#[test]
fn launch() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../launch");
    survives("launch", entries::launch, &shipped, 3000);
}

mod seeds {
    //! Makes the seeds anew, after a change of a format: `cargo test -p prehend-tests --test fuzz -- --ignored`.

    use std::time::Duration;

    use prehend_control::Mode;
    use prehend_control::rt::{LoopMessage, Moment, SentCommand, TickOutcome, TickRecord};
    use prehend_data::{RecordingWriter, StepRecord};
    use prehend_link::messages::{
        ActionChunk, ArmId, ArmRefusal, ControlStatistics, Count, EpisodeEvent, EpisodeRequest,
        EventKind, Inquiry, InquiryKind, JointCommand, JointState, PointCloud2, Report,
        RobotStatus, StopReason, StopRequest, SwapAnswer, SwapRequest, SwapState, Timing,
    };
    use prehend_link::{NewCertificates, encode, new_certificates};
    use prehend_types::{self as types, Stamp};

    use super::{entries, root};

    fn write(target: &str, name: &str, bytes: &[u8]) {
        let folder = root().join(target);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(name), bytes).expect("a file");
    }

    fn state() -> types::RobotState {
        types::RobotState {
            stamp: Stamp::from_nanos(1_000_000_000),
            q: types::JointPositions::from_slice(&[0.0, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785])
                .expect("fits"),
            dq: types::JointVelocities::zeros(7).expect("fits"),
            gripper: types::GripperState {
                width: 0.08,
                commanded: 1.0,
                is_grasping: false,
            },
        }
    }

    fn command() -> types::JointCommand {
        types::JointCommand {
            q_d: state().q,
            dq_d: state().dq,
            gripper: types::GripperCommand { opening: 1.0 },
        }
    }

    fn chunk() -> types::ActionChunk {
        let dt = Duration::from_millis(50);
        let mut action = types::Action::hold(1.0);
        action.translation.z = -0.004;
        types::ActionChunk::new(state().stamp, dt, 4, &[action; 8]).expect("fits")
    }

    fn messages() {
        let ttl = Duration::from_millis(100);
        let id = ArmId {
            robot: "fr3".to_owned(),
            model: "fr3".to_owned(),
            model_hash: "0123456789abcdef".repeat(4),
        };
        let mut status = RobotStatus::new(&id, 7, 12, &state(), Some((41, ttl)), StopReason::None);
        status.refusal.push(ArmRefusal {
            joint_idx: 2,
            distance_rad: 0.3,
            limit_rad: 0.1,
        });
        let cloud = types::PointCloud {
            stamp: state().stamp,
            frame: "base".to_owned(),
            points: vec![[0.5, 0.0, 0.1]; 5],
            roles: vec![types::Role::Target; 5],
        };
        let timing = Timing {
            n: 3,
            bins: vec![1, 2],
            ..Timing::default()
        };
        let statistics = ControlStatistics {
            robot: "fr3".to_owned(),
            seq: 1,
            stamp_nanos: 2,
            epoch: 7,
            mode: "tracking".to_owned(),
            rate_hz: 500.0,
            ticks: 9,
            deadline_misses: 1,
            period: timing.clone(),
            compute: timing.clone(),
            command_age: timing,
            commands: 8,
            commands_lost: 0,
            interventions: vec![Count {
                name: "jerk".to_owned(),
                count: 2,
            }],
            late: vec![],
            stops: vec![],
            armed: 1,
            arm_refused: 0,
            arm_error: String::new(),
        };
        let event = EpisodeEvent {
            epoch: 7,
            episode: 2,
            seed: 900_001,
            stamp_nanos: 3,
            kind: EventKind::AtFault,
            target: "mug".to_owned(),
            held_out: true,
            detail: "at fault".to_owned(),
        };
        let names: Vec<String> = (1..=7).map(|k| format!("fr3_joint{k}")).collect();
        for (name, bytes) in [
            (
                "command",
                encode(&JointCommand::track(
                    "fr3",
                    7,
                    42,
                    state().stamp,
                    ttl,
                    &command(),
                )),
            ),
            ("status", encode(&status)),
            ("chunk", encode(&ActionChunk::new("fr3", 7, &chunk(), ttl))),
            ("event", encode(&event)),
            (
                "request",
                encode(&EpisodeRequest::reset("fr3", 3).acknowledging()),
            ),
            ("stop", encode(&StopRequest { epoch: 7 })),
            (
                "inquiry",
                encode(&Inquiry {
                    kind: InquiryKind::Repeat,
                }),
            ),
            (
                "report",
                encode(&Report {
                    data: "{}".to_owned(),
                }),
            ),
            (
                "joint_states",
                encode(&JointState::new(&state(), &names, None)),
            ),
            ("points", encode(&PointCloud2::new(&cloud))),
            (
                "swap",
                encode(&SwapRequest {
                    model: "fr3_pick_place".to_owned(),
                    shadow_looks: 10,
                    agree_within: 0.5,
                    force: true,
                }),
            ),
            (
                "swap_answer",
                encode(&SwapAnswer {
                    model: "fr3_pick_place".to_owned(),
                    state: SwapState::Refused,
                    detail: "it disagrees".to_owned(),
                }),
            ),
            ("statistics", encode(&statistics)),
        ] {
            write("messages", name, &bytes.expect("valid"));
        }
    }

    fn certificates() {
        let folder = tempfile::tempdir().expect("a folder");
        new_certificates(folder.path(), &NewCertificates::default()).expect("makes them");
        for name in ["ca.pem", "driver.pem", "viewer.pem"] {
            let bytes = std::fs::read(folder.path().join(name)).expect("made");
            write("certificates", name, &bytes);
        }
    }

    /// A graph of one node by hand: `y = Relu(x)`, a tensor of [1, 3].
    fn graph() {
        fn field(number: u8, body: &[u8]) -> Vec<u8> {
            [&[number << 3 | 2, body.len() as u8], body].concat()
        }
        fn number(field: u8, value: u8) -> Vec<u8> {
            vec![field << 3, value]
        }
        let dims = [number(1, 1), number(1, 3)]
            .map(|dim| field(1, &dim))
            .concat();
        let tensor = [number(1, 1), field(2, &dims)].concat();
        let value = |name: &[u8]| [field(1, name), field(2, &field(1, &tensor))].concat();
        let node = [field(1, b"x"), field(2, b"y"), field(4, b"Relu")].concat();
        let graph = [
            field(1, &node),
            field(2, b"g"),
            field(11, &value(b"x")),
            field(12, &value(b"y")),
        ];
        let opset = field(8, &[field(1, b""), number(2, 18)].concat());
        let model = [number(1, 8), field(7, &graph.concat()), opset].concat();
        write("graph", "relu.onnx", &model);
    }

    fn ticks() -> Vec<TickRecord> {
        (0..4_u64)
            .map(|tick| {
                let now = Stamp::from_nanos(1_000_000_000 + tick * 2_000_000);
                let sent = SentCommand {
                    seq: tick,
                    epoch: 7,
                    stamp: now,
                    command: command(),
                    mode: Mode::Tracking,
                };
                TickRecord {
                    moment: Moment {
                        tick,
                        now,
                        late_nanos: 50_000,
                        worked_nanos: 4000,
                        is_ending: false,
                    },
                    state: Some(types::RobotState {
                        stamp: now,
                        ..state()
                    }),
                    messages: if tick == 0 {
                        vec![LoopMessage::Arm { epoch: 7 }]
                    } else {
                        Vec::new()
                    },
                    chunks: if tick == 2 { vec![chunk()] } else { Vec::new() },
                    outcome: TickOutcome {
                        mode: Mode::Tracking,
                        command: (tick > 1).then_some(sent),
                    },
                }
            })
            .collect()
    }

    fn recordings() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.rec");
        let mut writer = RecordingWriter::create(&path, "node = \"control\"").expect("a file");
        let mut bare = Vec::new();
        for tick in ticks() {
            writer.push(&tick).expect("plain");
            writer.flush().expect("a file");
            bare.extend(postcard::to_stdvec(&tick).expect("plain"));
        }
        writer.finish(None).expect("a file");
        write(
            "recording",
            "four_ticks.rec",
            &std::fs::read(&path).expect("made"),
        );
        write("replay", "four_ticks", &bare);
    }

    fn episodes() {
        let mut episode = entries::plain_episode();
        for name in ["none", "two"] {
            let whole = prehend_data::encode(&episode, "a".as_ref()).expect("plain");
            write("episode", name, &whole[24..]);
            let step = StepRecord {
                world: vec![0.5; 3],
                action: types::Action::hold(1.0),
                is_expert: true,
                decision: None,
                hash: 11,
            };
            episode.steps = vec![step.clone(), step];
        }
    }

    #[test]
    #[ignore = "writes into the repository: after a change of a format"]
    fn write_seeds() {
        messages();
        certificates();
        graph();
        recordings();
        episodes();
    }
}
