//! Turns an episode into the bytes of its file, and back.
//!
//! Layout, little-endian: magic (8 bytes), version (u32), length of the body (u64), CRC-32 (u32) over
//! version, length and body, then the body in postcard's format. The same episode always gives the
//! same bytes.

use std::path::Path;

use crc::{CRC_32_ISO_HDLC, CRC_64_XZ, Crc};
use serde::Serialize;

use crate::{DataError, EpisodeRecord};

const MAGIC: &[u8; 8] = b"prhn-epi";
const VERSION: u32 = 3;
/// Bytes before the body; they hold its checksum.
pub(crate) const HEADER_BYTES: usize = 24;
/// Longest body that is written or read, so that a hostile length never becomes an allocation.
pub(crate) const MAX_BODY_BYTES: u64 = 1 << 30;

/// The bytes of an episode's file.
///
/// # Errors
/// [`DataError::Value`] if the episode could not be read back; `path` is only named in errors.
pub fn encode(episode: &EpisodeRecord, path: &Path) -> Result<Vec<u8>, DataError> {
    check_values(episode, path)?;
    let body = postcard::to_stdvec(episode).map_err(|error| DataError::encode(path, error))?;
    let n_body = body.len() as u64;
    if n_body > MAX_BODY_BYTES {
        return Err(DataError::Value {
            path: path.to_owned(),
            field: "steps".to_owned(),
            message: format!("{n_body} bytes, at most {MAX_BODY_BYTES} are stored"),
        });
    }
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&n_body.to_le_bytes());
    bytes.extend_from_slice(&checksum(VERSION, n_body, &body).to_le_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// The episode in a file's bytes.
///
/// # Errors
/// [`DataError::NotAnEpisode`], [`DataError::Damaged`] or [`DataError::Value`], naming `path`.
pub fn decode(bytes: &[u8], path: &Path) -> Result<EpisodeRecord, DataError> {
    let damaged = |reason: String| DataError::Damaged {
        path: path.to_owned(),
        reason,
    };
    let foreign = |reason: String| DataError::NotAnEpisode {
        path: path.to_owned(),
        reason,
    };
    let mut rest = bytes;
    if take::<8>(&mut rest).as_ref() != Some(MAGIC) {
        return Err(foreign("it does not start with the mark of one".to_owned()));
    }
    let header = || damaged(format!("{} bytes end inside the header", bytes.len()));
    let version = u32::from_le_bytes(take(&mut rest).ok_or_else(header)?);
    let n_body = u64::from_le_bytes(take(&mut rest).ok_or_else(header)?);
    let expected = u32::from_le_bytes(take(&mut rest).ok_or_else(header)?);
    if n_body != rest.len() as u64 {
        let n_rest = rest.len();
        return Err(damaged(format!(
            "{n_rest} bytes after the header, which announces {n_body}"
        )));
    }
    let found = checksum(version, n_body, rest);
    if found != expected {
        return Err(damaged(format!(
            "checksum {found:08x}, the header says {expected:08x}"
        )));
    }
    if version != VERSION {
        return Err(foreign(format!(
            "version {version}, this program reads version {VERSION}"
        )));
    }
    let (episode, unread) = postcard::take_from_bytes::<EpisodeRecord>(rest)
        .map_err(|error| damaged(format!("its body cannot be parsed: {error}")))?;
    if !unread.is_empty() {
        return Err(damaged(format!(
            "{} bytes are left over after its body",
            unread.len()
        )));
    }
    check_values(&episode, path)?;
    Ok(episode)
}

/// A number that stands for a value's content: equal for equal values on every machine, and almost
/// surely different for different ones (CRC-64 over postcard's bytes; no defence against malice).
///
/// # Errors
/// [`DataError::Fingerprint`] for types that postcard cannot write.
pub fn fingerprint(value: &impl Serialize) -> Result<u64, DataError> {
    const CRC: Crc<u64> = Crc::<u64>::new(&CRC_64_XZ);
    let bytes = postcard::to_stdvec(value).map_err(|error| DataError::Fingerprint {
        reason: error.to_string(),
    })?;
    Ok(CRC.checksum(&bytes))
}

fn check_values(episode: &EpisodeRecord, path: &Path) -> Result<(), DataError> {
    match episode.find_fault() {
        None => Ok(()),
        Some((field, message)) => Err(DataError::Value {
            path: path.to_owned(),
            field,
            message,
        }),
    }
}

fn checksum(version: u32, n_body: u64, body: &[u8]) -> u32 {
    const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let mut digest = CRC.digest();
    digest.update(&version.to_le_bytes());
    digest.update(&n_body.to_le_bytes());
    digest.update(body);
    digest.finalize()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StepRecord;
    use prehend_types::Action;
    use proptest::prelude::*;

    fn episode(seed: u64, n_steps: usize) -> EpisodeRecord {
        let step = |index: usize| StepRecord {
            world: vec![index as f32, 0.5, -1.0],
            action: Action::hold(index as f64 * 0.1),
            is_expert: index.is_multiple_of(2),
            decision: None,
            hash: seed ^ index as u64,
        };
        EpisodeRecord {
            seed,
            scene: "tabletop".to_owned(),
            scene_hash: u64::MAX - 3,
            robot: "fr3".to_owned(),
            arm: "exact".to_owned(),
            instruction: "put the cube into the bin".to_owned(),
            target_family: "mug".to_owned(),
            held_out: false,
            success: false,
            failure: Some("dropped".to_owned()),
            draws: vec![("table.friction".to_owned(), 0.6)],
            steps: (0..n_steps).map(step).collect(),
        }
    }

    const NAME: &str = "episodes/00000042.episode";

    proptest! {
        #[test]
        fn decode_undoes_encode(seed: u64, n_steps in 0_usize..13) {
            let episode = episode(seed, n_steps);
            let bytes = encode(&episode, Path::new(NAME)).expect("encodes");
            prop_assert_eq!(decode(&bytes, Path::new(NAME)).expect("decodes"), episode);
        }

        #[test]
        fn any_changed_bit_is_found(position in 0_usize..10_000, bit in 0_u8..8) {
            let mut bytes = encode(&episode(42, 7), Path::new(NAME)).expect("encodes");
            let position = position % bytes.len();
            bytes[position] ^= 1 << bit;
            let error = decode(&bytes, Path::new(NAME)).expect_err("must be refused");
            prop_assert!(error.to_string().contains(NAME), "{}", error);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            prop_assert!(decode(&bytes, Path::new(NAME)).is_err());
        }

        #[test]
        fn arbitrary_bodies_with_a_right_checksum_never_panic(body: Vec<u8>) {
            let mut bytes = MAGIC.to_vec();
            bytes.extend_from_slice(&VERSION.to_le_bytes());
            bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
            bytes.extend_from_slice(&checksum(VERSION, body.len() as u64, &body).to_le_bytes());
            bytes.extend_from_slice(&body);
            // Almost always refused; what matters is that it returns, without a huge allocation.
            let _ = decode(&bytes, Path::new(NAME));
        }
    }

    #[test]
    fn every_truncation_is_found() {
        let bytes = encode(&episode(42, 7), Path::new(NAME)).expect("encodes");
        for length in 0..bytes.len() {
            assert!(
                decode(&bytes[..length], Path::new(NAME)).is_err(),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn a_non_finite_number_is_named() {
        let mut episode = episode(42, 7);
        episode.steps[3].world[1] = f32::NAN;
        let error = encode(&episode, Path::new(NAME)).expect_err("must be refused");
        assert!(error.to_string().contains("steps[3].world"), "{error}");
    }

    #[test]
    fn fingerprints_tell_values_apart() {
        let fingerprint_of = |value: f64| fingerprint(&("scene", value)).expect("plain values");
        assert_eq!(fingerprint_of(0.25), fingerprint_of(0.25));
        assert_ne!(fingerprint_of(0.25), fingerprint_of(0.250_000_1));
    }

    #[test]
    fn a_newer_version_is_not_called_damaged() {
        let newer = VERSION + 1;
        let mut bytes = encode(&episode(42, 1), Path::new(NAME)).expect("encodes");
        let body = bytes[HEADER_BYTES..].to_vec();
        bytes[8..12].copy_from_slice(&newer.to_le_bytes());
        let crc = checksum(newer, body.len() as u64, &body);
        bytes[20..24].copy_from_slice(&crc.to_le_bytes());
        let error = decode(&bytes, Path::new(NAME)).expect_err("must be refused");
        assert!(
            error.to_string().contains(&format!("version {newer}")),
            "{error}"
        );
    }
}
