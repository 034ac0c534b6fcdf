//! Running numbers: which of two comes later, though they begin anew after the last.

/// How far a running number is ahead of another: positive if it comes later, 0 if they are equal.
///
/// Serial number arithmetic (RFC 1982, <https://www.rfc-editor.org/rfc/rfc1982>) with 64 bits: after
/// `u64::MAX` comes 0, and of two numbers the later is the one that is reached by counting up fewer than
/// 2^63 steps.
#[must_use]
pub const fn ahead(number: u64, of: u64) -> i64 {
    number.wrapping_sub(of) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_after_the_last_is_the_next() {
        for (number, of, by) in [
            (7, 7, 0),
            (8, 7, 1),
            (7, 8, -1),
            (1 << 32, u64::from(u32::MAX), 1),
            (0, u64::MAX, 1),
            (u64::MAX, 0, -1),
            (4, u64::MAX - 2, 7),
        ] {
            assert_eq!(ahead(number, of), by, "{number} of {of}");
        }
    }
}
