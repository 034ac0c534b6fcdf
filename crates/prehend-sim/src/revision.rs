//! Which simulator made an episode.

use crc::{CRC_64_XZ, Crc};

/// The bits that are tested: `scene arm ...`, a line each.
const GOLDEN: &str = include_str!("golden.txt");
/// Stands for scenes that are not among them.
const USUAL: &str = "tabletop";

/// What the simulator's bits in a scene are known by, of 16 hexadecimal digits. Where another one stands, the same seed
/// and actions need not lead to the same bits. It is made from those that are tested: nobody has to remember to
/// count a version up.
#[must_use]
pub fn revision(scene: &str) -> String {
    let of = |scene: &str| {
        let lines = GOLDEN.lines();
        let own = lines.filter(|line| line.split(' ').next() == Some(scene));
        own.collect::<Vec<_>>().join("\n")
    };
    let own = of(scene);
    let tested = if own.is_empty() { of(USUAL) } else { own };
    const CRC: Crc<u64> = Crc::<u64>::new(&CRC_64_XZ);
    format!("{:016x}", CRC.checksum(tested.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_are_told_apart_and_an_unknown_one_has_the_usual_revision() {
        assert_ne!(revision("tabletop"), revision("clutter"));
        assert_eq!(revision("tabletop"), revision("mine"));
        assert_eq!(revision("tabletop").len(), 16);
    }
}
