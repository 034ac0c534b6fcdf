//! Every message survives the wire, and no bytes make a decoder panic or accept what breaks the rules.

mod samples;

use std::collections::BTreeSet;
use std::time::Duration;

use prehend_link::messages::{
    ActionChunk, ArmRefusal, CommandMode, ControlStatistics, EpisodeEvent, EpisodeRequest,
    EventKind, FingerState, Inquiry, InquiryKind, JointCommand, JointState, PointCloud2, Report,
    RobotStatus, StopReason, StopRequest, SwapAnswer, SwapRequest, SwapState,
};
use prehend_link::{DecodeError, Message, decode, encode};
use prehend_types as types;
use proptest::prelude::*;
use samples::{arm_id, statistics};

fn state() -> types::RobotState {
    types::RobotState {
        stamp: types::Stamp::from_nanos(12_345_678_901),
        q: types::JointPositions::from_slice(&[0.1, -0.2, 0.3, -1.4, 0.5, 1.6, -0.7])
            .expect("fits"),
        dq: types::JointVelocities::from_slice(&[0.01; 7]).expect("fits"),
        gripper: types::GripperState {
            width: 0.04,
            commanded: 0.5,
            is_grasping: true,
        },
    }
}

fn setpoint() -> types::JointCommand {
    types::JointCommand {
        q_d: state().q,
        dq_d: state().dq,
        gripper: types::GripperCommand { opening: 0.25 },
    }
}

fn chunk() -> types::ActionChunk {
    let mut action = types::Action::hold(1.0);
    action.translation.x = 0.01;
    action.rotation.z = -0.3;
    let start = types::Stamp::from_nanos(99);
    types::ActionChunk::new(start, Duration::from_millis(50), 4, &[action; 8]).expect("fits")
}

fn cloud(n: usize) -> types::PointCloud {
    types::PointCloud {
        stamp: types::Stamp::from_nanos(5_000_000_007),
        frame: "base".to_owned(),
        points: (0..n).map(|i| [0.1 * i as f32, -1.5, 0.25]).collect(),
        roles: (0..n)
            .map(|i| {
                [
                    types::Role::Target,
                    types::Role::Receptacle,
                    types::Role::Other,
                ][i % 3]
            })
            .collect(),
    }
}

fn joint_state() -> JointState {
    let names: Vec<String> = (1..=7).map(|i| format!("fr3_joint{i}")).collect();
    let finger = FingerState {
        name: "fr3_finger_joint1",
        position: 0.02,
        velocity: 0.0,
    };
    JointState::new(&state(), &names, Some(finger))
}

fn event() -> EpisodeEvent {
    EpisodeEvent {
        epoch: 3,
        episode: 2,
        seed: 900_001,
        stamp_nanos: 17,
        kind: EventKind::Failed,
        target: "mug".to_owned(),
        held_out: true,
        detail: "time is up".to_owned(),
    }
}

fn status() -> RobotStatus {
    let command = Some((41, Duration::from_micros(900)));
    RobotStatus::new(&arm_id(), 7, 12, &state(), command, StopReason::None)
}

fn command() -> JointCommand {
    JointCommand::track(
        "fr3",
        7,
        42,
        types::Stamp::ZERO,
        Duration::from_millis(50),
        &setpoint(),
    )
}

fn survives<M: Message + PartialEq + std::fmt::Debug>(message: &M) {
    let bytes = encode(message).expect("a valid message");
    assert_eq!(bytes[..4], [0, 1, M::VERSION, 0]);
    assert!(bytes.len() <= M::MAX_BYTES);
    assert_eq!(&decode::<M>(&bytes).expect("our own bytes"), message);
    for length in 0..bytes.len() {
        assert!(
            decode::<M>(&bytes[..length]).is_err(),
            "cut to {length} bytes"
        );
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(matches!(
        decode::<M>(&longer),
        Err(DecodeError::Trailing { bytes: 1, .. })
    ));
    let flood = vec![0; M::MAX_BYTES + 1];
    assert!(matches!(
        decode::<M>(&flood),
        Err(DecodeError::TooLarge { .. })
    ));
}

#[test]
fn every_message_survives_and_no_cut_or_longer_one_does() {
    survives(&command());
    survives(&JointCommand::stop(
        "fr3",
        7,
        43,
        Duration::from_millis(50),
        &setpoint(),
    ));
    survives(&ActionChunk::new(
        "fr3",
        7,
        &chunk(),
        Duration::from_millis(1),
    ));
    survives(&status());
    survives(&RobotStatus::new(
        &arm_id(),
        7,
        0,
        &state(),
        None,
        StopReason::NotArmed,
    ));
    survives(&event());
    survives(&EpisodeRequest::reset("fr3", u64::MAX));
    survives(&EpisodeRequest::rearm("fr3"));
    survives(&StopRequest { epoch: u64::MAX });
    survives(&Inquiry {
        kind: InquiryKind::Repeat,
    });
    survives(&joint_state());
    survives(&PointCloud2::new(&cloud(0)));
    survives(&PointCloud2::new(&cloud(1)));
    survives(&PointCloud2::new(&cloud(13)));
    survives(&Report {
        data: "{\"commands\":7}".to_owned(),
    });
    survives(&swap_request("fr3_pick_place"));
    survives(&swap_answer());
    survives(&statistics());
    let mut refused = status();
    refused.refusal.push(ArmRefusal {
        joint_idx: 2,
        distance_rad: 0.3,
        limit_rad: 0.1,
    });
    survives(&refused);
    survives(&EpisodeRequest::reset("fr3", 1).acknowledging());
}

fn swap_request(model: &str) -> SwapRequest {
    SwapRequest {
        model: model.to_owned(),
        shadow_looks: 10,
        agree_within: 0.5,
        force: false,
    }
}

fn swap_answer() -> SwapAnswer {
    SwapAnswer {
        model: "fr3_pick_place".to_owned(),
        state: SwapState::Accepted,
        detail: "after 10 looks".to_owned(),
    }
}

#[test]
fn a_policy_is_asked_for_by_name_and_never_by_path() {
    encode(&swap_request("fr3_pick_place_teacher")).expect("a name");
    let long = "a".repeat(65);
    for model in ["", "..", "../x", "/etc", "a/b", "a\\b", "a.b", "a b", &long] {
        encode(&swap_request(model)).expect_err(model);
    }
    let mut request = swap_request("x");
    for agree_within in [f64::NAN, f64::INFINITY, -1.0] {
        request.agree_within = agree_within;
        encode(&request).expect_err("no tolerance");
    }
    request = swap_request("x");
    request.shadow_looks = u32::MAX;
    encode(&request).expect_err("forever");
}

#[test]
fn types_come_back_from_messages() {
    assert_eq!(command().setpoint(), Some(setpoint()));
    assert_eq!(status().state(), Some(state()));
    assert_eq!(status().command_age(), Some(Duration::from_micros(900)));
    assert_eq!(
        ActionChunk::new("fr3", 7, &chunk(), Duration::ZERO).to_chunk(),
        Ok(chunk())
    );
    assert_eq!(
        PointCloud2::new(&cloud(13)).to_cloud().expect("valid"),
        cloud(13)
    );
    assert_eq!(
        JointCommand::stop("fr3", 1, 1, Duration::ZERO, &setpoint()).mode,
        CommandMode::Stop
    );
}

/// Bytes of a ROS 2 JointState by hand: strings end in NUL and count it, doubles are aligned to eight
/// from behind the header, an empty sequence is only its length.
#[test]
fn joint_state_is_laid_out_as_ros_2_does() {
    let message = JointState {
        header: prehend_link::messages::Header {
            stamp: prehend_link::messages::Time { sec: 1, nanosec: 2 },
            frame_id: String::new(),
        },
        name: vec!["j1".to_owned()],
        position: vec![1.0],
        velocity: vec![],
        effort: vec![],
    };
    let mut expected = vec![0, 1, 0, 0];
    expected.extend([1, 0, 0, 0, 2, 0, 0, 0]); // stamp
    expected.extend([1, 0, 0, 0, 0, 0, 0, 0]); // frame_id "" and padding to 4
    expected.extend([1, 0, 0, 0, 3, 0, 0, 0, b'j', b'1', 0, 0]); // name, padding to 4
    expected.extend([1, 0, 0, 0]); // one position; 32 bytes so far, aligned
    expected.extend(1.0_f64.to_le_bytes());
    expected.extend([0, 0, 0, 0, 0, 0, 0, 0]); // no velocity, no effort
    assert_eq!(encode(&message).expect("valid"), expected);
}

#[test]
fn big_endian_senders_are_understood() {
    let mut bytes = vec![0, 0, 0, 0, 0, 0, 0, 4, b'f', b'r', b'3', 0];
    bytes.extend([0; 8]); // the kind, and padding before the seed
    bytes.extend(9_u64.to_be_bytes());
    bytes.push(0); // nothing is acknowledged
    assert_eq!(
        decode::<EpisodeRequest>(&bytes).expect("valid"),
        EpisodeRequest::reset("fr3", 9)
    );
}

#[test]
fn another_version_is_named_beside_ours() {
    let mut bytes = encode(&command()).expect("valid");
    let ours = JointCommand::VERSION;
    bytes[2] = ours + 1;
    let error = decode::<JointCommand>(&bytes).expect_err("another version");
    let both = format!(
        "sent in version {} of the message, read here in version {ours}",
        ours + 1
    );
    assert!(error.to_string().contains(&both), "{error}");
    // ROS 2 says no version: its bytes are taken for what the definition says.
    bytes[2] = 0;
    assert_eq!(
        decode::<JointCommand>(&bytes).expect("the same layout").seq,
        42
    );
    // Types of ROS 2 have none.
    let mut bytes = encode(&joint_state()).expect("valid");
    assert_eq!(bytes[2], 0);
    bytes[2] = 1;
    let error = decode::<JointState>(&bytes).expect_err("no plain CDR");
    assert!(matches!(error, DecodeError::Header { .. }), "{error}");
}

#[test]
fn clouds_that_lie_are_refused() {
    let good = PointCloud2::new(&cloud(13));
    let refused = |change: fn(&mut PointCloud2)| {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(encode(&bad).is_err() || bad.to_cloud().is_err(), "{bad:?}");
    };
    refused(|c| c.width += 1);
    refused(|c| c.height = 0);
    refused(|c| c.point_step = 0);
    refused(|c| c.row_step = 0);
    refused(|c| c.is_bigendian = true);
    refused(|c| c.fields.clear());
    refused(|c| c.fields[0].offset = u32::MAX);
    refused(|c| c.fields[3].datatype = 7);
    refused(|c| c.data[12] = 3);
    refused(|c| c.data[..4].copy_from_slice(&f32::NAN.to_le_bytes()));
    refused(|c| {
        c.width = u32::MAX;
        c.height = u32::MAX;
    });
    let error = encode(&PointCloud2::new(&cloud(1_000_000))).expect_err("too many");
    assert!(error.to_string().contains("1000000 points"), "{error}");
}

#[test]
fn placeholders_of_a_cloud_that_is_not_dense_are_left_out() {
    let mut holes = cloud(13);
    holes.points[5] = [f32::NAN; 3];
    let message = PointCloud2::new(&holes);
    assert!(!message.is_dense);
    let again = message.to_cloud().expect("valid");
    assert_eq!((again.points.len(), again.roles.len()), (12, 12));
}

#[test]
fn non_finite_numbers_are_refused_where_nobody_counts_them() {
    let mut bad = status();
    bad.q[3] = f64::NAN;
    assert!(encode(&bad).is_err());
    let mut bad = joint_state();
    bad.velocity[0] = f64::NAN;
    assert!(encode(&bad).is_err());
    let mut counted = command();
    counted.q_d[0] = f64::NAN;
    assert!(encode(&counted).is_ok(), "the gate counts these");
    let mut counted = ActionChunk::new("fr3", 7, &chunk(), Duration::ZERO);
    counted.actions[7].rotation[1] = f64::INFINITY;
    assert!(encode(&counted).is_ok(), "the controller counts these");
}

/// Reads whatever the bytes say, and if something comes out, it must be something that we would send.
fn never_panics<M: Message>(bytes: &[u8]) {
    if let Ok(message) = decode::<M>(bytes) {
        message.check().expect("decoded means checked");
        encode(&message).expect("decoded means encodable");
    }
}

fn never_panics_as_anything(bytes: &[u8]) {
    never_panics::<JointCommand>(bytes);
    never_panics::<ActionChunk>(bytes);
    never_panics::<RobotStatus>(bytes);
    never_panics::<EpisodeEvent>(bytes);
    never_panics::<EpisodeRequest>(bytes);
    never_panics::<StopRequest>(bytes);
    never_panics::<Inquiry>(bytes);
    never_panics::<JointState>(bytes);
    never_panics::<Report>(bytes);
    never_panics::<SwapRequest>(bytes);
    never_panics::<SwapAnswer>(bytes);
    never_panics::<ControlStatistics>(bytes);
    never_panics::<PointCloud2>(bytes);
    if let Ok(cloud) = decode::<PointCloud2>(bytes) {
        let _ = cloud.to_cloud();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        never_panics_as_anything(&body);
        never_panics_as_anything(&[&[0, 1, 0, 0], &body[..]].concat());
    }

    #[test]
    fn mutated_messages_never_panic(
        which in 0..8_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = match which {
            0 => encode(&command()),
            1 => encode(&ActionChunk::new("fr3", 7, &chunk(), Duration::ZERO)),
            2 => encode(&status()),
            3 => encode(&event()),
            4 => encode(&EpisodeRequest::reset("fr3", 1)),
            5 => encode(&joint_state()),
            6 => encode(&statistics()),
            _ => encode(&PointCloud2::new(&cloud(7))),
        }.expect("valid");
        for (index, value) in changes {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        never_panics_as_anything(&bytes);
        never_panics_as_anything(&bytes[..cut.index(bytes.len())]);
    }
}

/// A peer that is let in may still write whatever it likes where people will read it.
#[test]
fn texts_that_fool_a_terminal_are_refused() {
    fn check<M: Message>(message: &M, text: &str) {
        let bytes = encode(message).expect("valid");
        let at = bytes
            .windows(text.len())
            .position(|part| part == text.as_bytes());
        let at = at.expect("the text is on the wire");
        assert!(decode::<M>(&bytes).is_ok());
        for hostile in [
            "\u{1b}[", "\n", "\r", "\u{7f}", "\u{9b}", "\u{202e}", "\u{2028}",
        ] {
            let mut changed = bytes.clone();
            changed[at..at + hostile.len()].copy_from_slice(hostile.as_bytes());
            let shown = decode::<M>(&changed)
                .map(drop)
                .expect_err(hostile)
                .to_string();
            assert!(shown.contains("control character"), "{shown}");
            assert!(!shown.contains(hostile), "{shown:?}");
        }
    }
    check(&event(), "mug");
    check(&event(), "time is up");
    check(&joint_state(), &joint_state().name[0]);
    check(&PointCloud2::new(&cloud(1)), "base");
    check(&PointCloud2::new(&cloud(1)), "role");
    let data = "{\"commands\":7}".to_owned();
    check(&Report { data: data.clone() }, &data);
}

/// Top-level field names of a message in order, as serde writes them.
fn field_names<M: Message>(message: &M) -> Vec<String> {
    struct Names(Vec<String>);
    impl<'de> serde::Deserialize<'de> for Names {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Keys;
            impl<'de> serde::de::Visitor<'de> for Keys {
                type Value = Names;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Names, A::Error> {
                    let mut names = Vec::new();
                    while let Some((name, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                        names.push(name);
                    }
                    Ok(Names(names))
                }
            }
            deserializer.deserialize_map(Keys)
        }
    }
    let text = serde_json::to_string(message).expect("plain data");
    serde_json::from_str::<Names>(&text).expect("an object").0
}

fn defined_names(definition: &str) -> Vec<String> {
    definition
        .lines()
        .filter_map(|line| line.split('#').next().map(str::trim))
        .filter(|line| !line.is_empty() && !line.contains('='))
        .filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned))
        .collect()
}

#[test]
fn definitions_name_the_fields_in_the_order_of_the_wire() {
    assert_eq!(
        field_names(&command()),
        defined_names(include_str!("../msg/JointCommand.msg"))
    );
    let message = ActionChunk::new("fr3", 7, &chunk(), Duration::ZERO);
    assert_eq!(
        field_names(&message),
        defined_names(include_str!("../msg/ActionChunk.msg"))
    );
    assert_eq!(
        field_names(&status()),
        defined_names(include_str!("../msg/RobotStatus.msg"))
    );
    assert_eq!(
        field_names(&event()),
        defined_names(include_str!("../msg/EpisodeEvent.msg"))
    );
    let message = EpisodeRequest::reset("fr3", 1);
    assert_eq!(
        field_names(&message),
        defined_names(include_str!("../msg/EpisodeRequest.msg"))
    );
    assert_eq!(
        field_names(&StopRequest { epoch: 1 }),
        defined_names(include_str!("../msg/StopRequest.msg"))
    );
    let kind = InquiryKind::Report;
    assert_eq!(
        field_names(&Inquiry { kind }),
        defined_names(include_str!("../msg/Inquiry.msg"))
    );
    assert_eq!(
        field_names(&swap_request("x")),
        defined_names(include_str!("../msg/SwapRequest.msg"))
    );
    assert_eq!(
        field_names(&swap_answer()),
        defined_names(include_str!("../msg/SwapAnswer.msg"))
    );
    assert_eq!(
        field_names(&statistics()),
        defined_names(include_str!("../msg/ControlStatistics.msg"))
    );
}

#[test]
fn every_message_has_a_key_of_its_own() {
    let keys = [
        JointCommand::TOPIC,
        ActionChunk::TOPIC,
        RobotStatus::TOPIC,
        EpisodeEvent::TOPIC,
        EpisodeRequest::TOPIC,
        StopRequest::TOPIC,
        Inquiry::TOPIC,
        JointState::TOPIC,
        PointCloud2::TOPIC,
        Report::TOPIC,
        SwapRequest::TOPIC,
        SwapAnswer::TOPIC,
        ControlStatistics::TOPIC,
    ]
    .map(|topic| topic.key("fr3"));
    assert_eq!(keys[0], "prehend/fr3/command");
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
}
