use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::DataError;

type Record = (u64, Vec<f64>);

fn record(k: u64) -> Record {
    (k, vec![k as f64 * 0.1; (k % 5) as usize])
}

/// A recording of 20 records in frames of four.
fn recording(folder: &Path, cut_short: Option<&str>) -> PathBuf {
    let path = folder.join("a.rec");
    let mut writer = RecordingWriter::create(&path, "robot = 1").expect("creates");
    for k in 0..20 {
        writer.push(&record(k)).expect("plain");
        if k % 4 == 3 {
            writer.flush().expect("writes");
        }
    }
    let bytes = writer.finish(cut_short).expect("writes");
    assert_eq!(bytes, std::fs::metadata(&path).expect("there").len());
    path
}

fn read(path: &Path) -> Result<(Vec<Record>, Option<String>), DataError> {
    let mut reader = RecordingReader::<Record>::open(path)?;
    let records: Vec<_> = reader.by_ref().collect();
    Ok((records, reader.loss().map(str::to_owned)))
}

/// The records are the first of those written.
fn assert_prefix(records: &[Record]) {
    for (k, found) in records.iter().enumerate() {
        assert_eq!(*found, record(k as u64));
    }
}

#[test]
fn what_was_written_is_read_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = recording(folder.path(), None);
    let reader = RecordingReader::<Record>::open(&path).expect("opens");
    assert_eq!(reader.header(), "robot = 1");
    let (records, loss) = read(&path).expect("opens");
    assert_eq!((records.len(), loss), (20, None));
    assert_prefix(&records);
    let error = RecordingWriter::create(&path, "").expect_err("must be refused");
    assert!(error.to_string().contains("a.rec"), "{error}");
}

#[test]
fn a_recording_that_was_given_up_says_why() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = recording(folder.path(), Some("the ring was full at tick 20"));
    let (records, loss) = read(&path).expect("opens");
    assert_eq!(records.len(), 20);
    assert_eq!(loss.as_deref(), Some("the ring was full at tick 20"));
}

#[test]
fn every_truncation_leaves_a_prefix_and_is_named() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let whole = std::fs::read(recording(folder.path(), None)).expect("reads");
    let path = folder.path().join("cut.rec");
    let mut seen = std::collections::BTreeSet::new();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).expect("writes");
        if let Ok((records, loss)) = read(&path) {
            assert!(loss.is_some(), "{length} bytes");
            assert_prefix(&records);
            seen.insert(records.len());
        }
    }
    assert!(seen.into_iter().eq([0, 4, 8, 12, 16, 20]));
}

#[test]
fn every_changed_bit_is_found_and_what_is_before_it_is_kept() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let whole = std::fs::read(recording(folder.path(), None)).expect("reads");
    let path = folder.path().join("bit.rec");
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &bytes).expect("writes");
        match read(&path) {
            Ok((records, loss)) => {
                assert!(loss.is_some(), "bit {bit}");
                assert_prefix(&records);
            }
            Err(error) => assert!(error.to_string().contains("bit.rec"), "{error}"),
        }
    }
}

/// A record that counts how often one was made of bytes.
struct Counted;

static MADE: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

impl<'de> serde::Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        u8::deserialize(from)?;
        MADE.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(Self)
    }
}

#[test]
fn records_of_a_frame_are_made_one_at_a_time() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("dense.rec");
    let mut writer = RecordingWriter::create(&path, "").expect("creates");
    for _ in 0..1 << 20 {
        writer.push(&0_u8).expect("plain");
    }
    let on_disk = writer.finish(None).expect("writes");
    assert!(on_disk < 1 << 16, "{on_disk} bytes");
    let mut reader = RecordingReader::<Counted>::open(&path).expect("opens");
    for n in 1..=3 {
        assert!(reader.next().is_some());
        let made = MADE.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(made, n, "none is made before it is asked for");
    }
    assert_eq!(
        (reader.by_ref().count(), reader.loss()),
        ((1 << 20) - 3, None)
    );
}

proptest! {
    #[test]
    fn arbitrary_frames_with_a_right_checksum_never_panic(body: Vec<u8>) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("hostile.rec");
        let mut bytes = [&frame::MAGIC[..], &frame::VERSION.to_le_bytes()].concat();
        bytes.extend(frame::encode(frame::Kind::Header, 0, b"").expect("short"));
        bytes.extend(frame::encode(frame::Kind::Records, 1, &body).expect("short"));
        std::fs::write(&path, &bytes).expect("writes");
        let (_, loss) = read(&path).expect("the header is whole");
        prop_assert!(loss.is_some());
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes: Vec<u8>) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("hostile.rec");
        std::fs::write(&path, &bytes).expect("writes");
        prop_assert!(read(&path).is_err());
    }
}
