//! One frame as bytes.

use std::io::{Read as _, Write as _};

use crc::{CRC_32_ISO_HDLC, Crc};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

pub(super) const MAGIC: &[u8; 8] = b"prhn-rec";
pub(super) const VERSION: u32 = 2;
/// Bytes of a frame before its body.
pub(super) const HEAD_BYTES: usize = 13;
/// Longest body of a frame, so that a hostile length never becomes an allocation.
pub(super) const MAX_BODY_BYTES: usize = 64 << 20;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Header = 0,
    Records = 1,
    End = 2,
}

/// The bytes of a frame; `None` if `body` is too long.
pub(super) fn encode(kind: Kind, index: u64, body: &[u8]) -> Option<Vec<u8>> {
    if body.len() > MAX_BODY_BYTES {
        return None;
    }
    let mut out = vec![0; HEAD_BYTES];
    let mut deflate = DeflateEncoder::new(&mut out, Compression::fast());
    // Writing to memory does not fail.
    deflate.write_all(body).ok()?;
    deflate.finish().ok()?;
    let n_stored = u32::try_from(out.len() - HEAD_BYTES).ok()?;
    out[0] = kind as u8;
    out[1..5].copy_from_slice(&n_stored.to_le_bytes());
    out[5..9].copy_from_slice(&(body.len() as u32).to_le_bytes());
    let sum = checksum(index, &out[..9], &out[HEAD_BYTES..]);
    out[9..13].copy_from_slice(&sum.to_le_bytes());
    Some(out)
}

/// What a frame's head announces.
pub(super) struct Head {
    bytes: [u8; HEAD_BYTES],
}

impl Head {
    pub fn new(bytes: [u8; HEAD_BYTES]) -> Self {
        Self { bytes }
    }

    fn number(&self, at: usize) -> u32 {
        let bytes = &self.bytes[at..at + 4];
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    /// Length of the body as stored, if it is not beyond the bound; deflate may lengthen it a little.
    pub fn stored(&self) -> Result<usize, String> {
        let n = self.number(1) as usize;
        if n > MAX_BODY_BYTES + (MAX_BODY_BYTES >> 6) {
            return Err(format!("a frame announces {n} bytes"));
        }
        Ok(n)
    }

    /// Kind and body of frame `index`.
    pub fn decode(&self, index: u64, stored: &[u8]) -> Result<(Kind, Vec<u8>), String> {
        let (found, expected) = (checksum(index, &self.bytes[..9], stored), self.number(9));
        if found != expected {
            return Err(format!(
                "checksum {found:08x}, the frame says {expected:08x}"
            ));
        }
        let kinds = [Kind::Header, Kind::Records, Kind::End];
        let kind = (kinds.into_iter().find(|kind| *kind as u8 == self.bytes[0]))
            .ok_or_else(|| format!("a frame of kind {}", self.bytes[0]))?;
        let n_body = self.number(5) as usize;
        if n_body > MAX_BODY_BYTES {
            return Err(format!("a frame of {n_body} bytes"));
        }
        let mut body = Vec::new();
        let read = DeflateDecoder::new(stored)
            .take(n_body as u64 + 1)
            .read_to_end(&mut body);
        match read {
            Ok(n) if n == n_body => Ok((kind, body)),
            Ok(n) => Err(format!("a frame of {n} bytes announces {n_body}")),
            Err(error) => Err(format!("a frame cannot be inflated: {error}")),
        }
    }
}

/// The index is part of it, so that a frame that is missing, doubled or moved is found.
fn checksum(index: u64, head: &[u8], stored: &[u8]) -> u32 {
    const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let mut digest = CRC.digest();
    digest.update(&index.to_le_bytes());
    digest.update(head);
    digest.update(stored);
    digest.finalize()
}
