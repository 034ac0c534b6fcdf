//! Turns a stream of records into a file that grows, and back up to where it is damaged.
//!
//! Layout, little-endian: magic (8 bytes), version (u32), then frames. A frame is kind (u8), length of its
//! body as stored and as it was (u32 each), CRC-32 (u32) over its index (u64), the three before and the
//! stored body, then the body, deflated. The first frame is a header in words, the last says that, and why,
//! the recording ended; between them lie records in postcard's format. Whoever is killed while writing
//! leaves a file whose frames are whole but for the last.

mod frame;
mod reader;
mod writer;

pub use reader::RecordingReader;
pub use writer::RecordingWriter;

#[cfg(test)]
mod tests;
