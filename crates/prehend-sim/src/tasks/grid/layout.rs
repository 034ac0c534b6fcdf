//! Where things stand: the cells of the benchmark's square, and which of them go together.
//!
//! Distances are compared as whole squares of the pitch, so that no rounding decides: farther than 7 cm
//! is more than 5 squares of 3 cm, farther than 15 cm more than 25.

/// Distance between neighbouring cells, m.
pub(super) const PITCH: f64 = 0.03;
/// Squared distance, in pitches, that object and receptacle must exceed, and two of a kind.
const APART: i32 = 5;
const FAR_APART: i32 = 25;

/// A cell, in half pitches from the square's middle: always odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    x: i32,
    y: i32,
}

impl Cell {
    /// Where it is from the square's middle, m.
    pub fn offset(self) -> [f64; 2] {
        [self.x, self.y].map(|half| 0.5 * PITCH * f64::from(half))
    }

    /// Squared distance in pitches.
    fn away(self, other: Self) -> i32 {
        ((self.x - other.x).pow(2) + (self.y - other.y).pow(2)) / 4
    }

    fn is_apart(self, other: Self) -> bool {
        self.away(other) > APART
    }

    /// Whether this is far enough from `other` for a second thing of the same kind.
    pub fn is_far_from(self, other: Self) -> bool {
        self.away(other) > FAR_APART
    }

    /// Whether this is far enough from `other` for a receptacle.
    pub fn is_clear_of(self, other: Self) -> bool {
        self.is_apart(other)
    }
}

/// The 6 x 6 cells of training, x first.
pub(super) fn square() -> Vec<Cell> {
    cells(6)
}

/// The 28 cells around them.
pub(super) fn ring() -> Vec<Cell> {
    let outer = cells(8).into_iter();
    outer
        .filter(|cell| cell.x.abs().max(cell.y.abs()) == 7)
        .collect()
}

fn cells(n: i32) -> Vec<Cell> {
    let at = |i: i32| 2 * i + 1 - n;
    (0..n)
        .flat_map(|i| (0..n).map(move |j| Cell { x: at(i), y: at(j) }))
        .collect()
}

/// Ordered pairs (object, receptacle) that are far enough apart.
pub(super) fn pairs(cells: &[Cell]) -> Vec<[Cell; 2]> {
    let pairs = cells
        .iter()
        .flat_map(|a| cells.iter().map(move |b| [*a, *b]));
    pairs.filter(|[a, b]| a.is_apart(*b)).collect()
}

/// (object, receptacle, second object), or (receptacle, object, second receptacle): the two of a kind
/// far apart, the other far enough from both. The benchmark's own rule is not published: it reports 1,976
/// of the square, this one gives 1,896.
pub(super) fn triples(cells: &[Cell]) -> Vec<[Cell; 3]> {
    let triples = pairs(cells)
        .into_iter()
        .flat_map(|[a, b]| cells.iter().map(move |c| [a, b, *c]));
    triples
        .filter(|[a, b, c]| a.is_far_from(*c) && b.is_apart(*c))
        .collect()
}

/// The digits of a number in mixed radix, most significant first; `None` if it is too large.
pub(super) fn digits<const N: usize>(number: u64, radices: [u64; N]) -> Option<[u64; N]> {
    let mut rest = number;
    let mut digits = [0; N];
    for (digit, radix) in digits.iter_mut().zip(radices).rev() {
        *digit = rest % radix;
        rest /= radix;
    }
    (rest == 0).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_benchmark_has_as_many_places_as_it_says() {
        assert_eq!(square().len(), 36);
        assert_eq!(pairs(&square()).len(), 784);
        assert_eq!(ring().len(), 28);
        assert_eq!(pairs(&ring()).len(), 628);
        // 1,976 are reported for a rule that is not published; ours gives 80 fewer:
        assert_eq!(triples(&square()).len(), 1_896);
        let corner = square()[0].offset();
        assert!((corner[0] + 0.075).abs() < 1e-12 && (corner[1] + 0.075).abs() < 1e-12);
    }

    #[test]
    fn digits_count_every_number_once() {
        let radices = [3, 2, 4];
        let mut seen: Vec<[u64; 3]> = (0..24).filter_map(|i| digits(i, radices)).collect();
        assert_eq!(seen[0], [0, 0, 0]);
        assert_eq!(seen[1], [0, 0, 1]);
        assert_eq!(seen[23], [2, 1, 3]);
        seen.dedup();
        assert_eq!(seen.len(), 24);
        assert_eq!(digits(24, radices), None);
    }
}
