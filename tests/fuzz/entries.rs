//! Everything that reads bytes from outside, as functions of bytes: for cargo-fuzz, and for the bounded run over
//! seeds and their mutations in `cargo test`. Each says whether the bytes were accepted, and panics if a promise
//! is broken. What a robot importer reads has a target of its own, in `crates/prehend-robot/fuzz`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use prehend_control::Controller;
use prehend_control::rt::{LoopReplay, TickRecord};
use prehend_data::{EpisodeRecord, RecordingReader, RecordingWriter};
use prehend_link::messages::{
    ActionChunk, ControlStatistics, EpisodeEvent, EpisodeRequest, Inquiry, JointCommand,
    JointState, PointCloud2, Report, RobotStatus, StopRequest, SwapAnswer, SwapRequest,
};
use prehend_link::{CertificateInfo, Message, Topic, decode, encode};
use prehend_policy::{GraphSpec, TensorSpec, check_graph};
use prehend_robot::Robot;
use prehend_runtime::LaunchFile;
use prehend_types::config::locate;
use serde::ser::SerializeTuple as _;
use serde::{Serialize, Serializer};

/// Ticks of a hostile recording that are run.
const MAX_TICKS: usize = 64;

/// A payload from the link, read as every message.
pub fn messages(bytes: &[u8]) -> bool {
    fn read<M: Message>(bytes: &[u8]) -> bool {
        let Ok(message) = decode::<M>(bytes) else {
            return false;
        };
        message.check().expect("decoded means checked");
        encode(&message).expect("decoded means encodable");
        true
    }
    let mut is_any = false;
    for is_one in [
        read::<JointCommand>(bytes),
        read::<RobotStatus>(bytes),
        read::<ActionChunk>(bytes),
        read::<EpisodeEvent>(bytes),
        read::<EpisodeRequest>(bytes),
        read::<StopRequest>(bytes),
        read::<Inquiry>(bytes),
        read::<Report>(bytes),
        read::<JointState>(bytes),
        read::<PointCloud2>(bytes),
        read::<SwapRequest>(bytes),
        read::<SwapAnswer>(bytes),
        read::<ControlStatistics>(bytes),
    ] {
        is_any |= is_one;
    }
    for topic in Topic::ALL {
        // What people look at is made of the same bytes.
        let _ = topic.to_json(bytes);
    }
    is_any
}

/// A certificate's file.
pub fn certificates(bytes: &[u8]) -> bool {
    let Ok(info) = CertificateInfo::read(&file("a.pem", bytes)) else {
        return false;
    };
    assert!(!info.subject.contains(char::is_control), "it is printed");
    let _ = info.fault();
    true
}

/// The graph of a policy bundle, with its hash as it should be.
pub fn graph(bytes: &[u8]) -> bool {
    let spec = GraphSpec {
        file: "policy.onnx".to_owned(),
        inputs: vec![TensorSpec::float("x", &[1, 3])],
        outputs: vec![TensorSpec::float("y", &[1, 3])],
    };
    match check_graph(bytes, &spec) {
        Ok(()) => true,
        Err(reason) => {
            assert!(
                !reason.contains('\n'),
                "it is one line of a log: {reason:?}"
            );
            false
        }
    }
}

/// A recording's file.
pub fn recording(bytes: &[u8]) -> bool {
    ticks(&file("a.rec", bytes)).is_some_and(|(_, is_whole)| is_whole)
}

/// The records of a recording whose frames and checksums are as they should be, run through the loop.
pub fn replay(bytes: &[u8]) -> bool {
    /// Bytes as they are.
    struct Raw<'a>(&'a [u8]);
    impl Serialize for Raw<'_> {
        fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
            let mut tuple = out.serialize_tuple(self.0.len())?;
            for byte in self.0 {
                tuple.serialize_element(byte)?;
            }
            tuple.end()
        }
    }
    let path = folder().join("b.rec");
    // There is none in the first round.
    let _ = fs::remove_file(&path);
    let mut writer = RecordingWriter::create(&path, "").expect("a file");
    writer.push(&Raw(bytes)).expect("plain");
    writer.finish(None).expect("a file");
    let Some((records, is_whole)) = ticks(&path) else {
        return false;
    };
    let controller = Controller::new(Arc::clone(robot()), Default::default()).expect("valid");
    let mut again = LoopReplay::new(controller);
    for record in records.iter().take(MAX_TICKS) {
        let outcome = again.step(record);
        if let Some(sent) = outcome.command {
            assert!(sent.command.q_d.is_finite() && sent.command.dq_d.is_finite());
        }
    }
    is_whole && !records.is_empty()
}

/// The body of an episode's file, with its length and checksum as they should be.
pub fn episode(bytes: &[u8]) -> bool {
    let like = prehend_data::encode(&plain_episode(), Path::new("a")).expect("plain");
    let mut whole = like[..12].to_vec();
    whole.extend((bytes.len() as u64).to_le_bytes());
    let sum = crc32(&[&whole[8..], bytes]);
    whole.extend(sum.to_le_bytes());
    whole.extend(bytes);
    let Ok(episode) = prehend_data::decode(&whole, Path::new("a")) else {
        return false;
    };
    prehend_data::encode(&episode, Path::new("a")).expect("decoded means encodable");
    true
}

/// A launch file.
pub fn launch(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    LaunchFile::parse(text, Path::new("a.toml")).is_ok()
}

/// An episode without a step.
pub fn plain_episode() -> EpisodeRecord {
    EpisodeRecord {
        seed: 1,
        scene: "tabletop".to_owned(),
        scene_hash: 2,
        robot: "fr3".to_owned(),
        arm: "exact".to_owned(),
        instruction: "put the mug on the plate".to_owned(),
        target_family: "mug".to_owned(),
        held_out: false,
        success: true,
        failure: None,
        draws: vec![("mass_kg".to_owned(), 0.3)],
        steps: Vec::new(),
    }
}

/// The records of a file, and whether none is missing.
fn ticks(path: &Path) -> Option<(Vec<TickRecord>, bool)> {
    let mut reader = RecordingReader::<TickRecord>::open(path).ok()?;
    let records: Vec<TickRecord> = reader.by_ref().collect();
    Some((records, reader.loss().is_none()))
}

fn robot() -> &'static Arc<Robot> {
    static ROBOT: OnceLock<Arc<Robot>> = OnceLock::new();
    ROBOT.get_or_init(|| {
        let folder = locate("robots/fr3").expect("shipped");
        Arc::new(Robot::load(&folder).expect("valid"))
    })
}

/// A folder of this process.
fn folder() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder").keep());
    // Tests run beside each other.
    let own = folder.join(format!("{:?}", std::thread::current().id()));
    fs::create_dir_all(&own).expect("a folder");
    own
}

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    fs::write(&path, bytes).expect("a file");
    path
}

/// As in zip and PNG, bit by bit.
fn crc32(parts: &[&[u8]]) -> u32 {
    let mut crc = u32::MAX;
    for byte in parts.concat() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}
