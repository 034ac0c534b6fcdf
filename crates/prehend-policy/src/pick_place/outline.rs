//! The ground that something covers.

/// The least convex outline around points seen from above, m.
#[derive(Debug, Clone, Default)]
pub(super) struct Outline {
    /// Counter-clockwise.
    corners: Vec<[f32; 2]>,
}

impl Outline {
    /// Andrew's monotone chain.
    pub fn of(points: &[[f32; 3]]) -> Self {
        let mut all: Vec<[f32; 2]> = points.iter().map(|[x, y, _]| [*x, *y]).collect();
        all.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
        all.dedup();
        let half = |points: &mut dyn Iterator<Item = &[f32; 2]>| {
            let mut chain: Vec<[f32; 2]> = Vec::new();
            for point in points {
                while let [.., a, b] = chain[..]
                    && left_of(&a, &b, point) <= 0.0
                {
                    chain.pop();
                }
                chain.push(*point);
            }
            // Its end is the other half's beginning.
            chain.pop();
            chain
        };
        let mut corners = half(&mut all.iter());
        corners.extend(half(&mut all.iter().rev()));
        Self { corners }
    }

    /// What it covers, m².
    pub fn area(&self) -> f32 {
        let Some(first) = self.corners.first() else {
            return 0.0;
        };
        let sides = self.corners.windows(2);
        0.5 * sides
            .map(|side| left_of(first, &side[0], &side[1]))
            .sum::<f32>()
    }

    /// Whether a point lies over it, at whatever height. Nothing lies over a line.
    pub fn contains(&self, [x, y, _]: &[f32; 3]) -> bool {
        let ends = self.corners.iter().cycle().skip(1);
        let mut sides = self.corners.iter().zip(ends);
        self.corners.len() > 2 && sides.all(|(a, b)| left_of(a, b, &[*x, *y]) >= 0.0)
    }
}

/// Positive if the point lies to the left of the way from `a` to `b`: twice the area between them.
fn left_of(a: &[f32; 2], b: &[f32; 2], point: &[f32; 2]) -> f32 {
    (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_of_the_corners_is_over_it() {
        let points: Vec<[f32; 3]> = (0..35_u8)
            .map(|i| [0.01 * f32::from(i % 7), 0.01 * f32::from(i / 7), 0.02])
            .collect();
        let outline = Outline::of(&points);
        assert_eq!(outline.corners.len(), 4);
        assert!(outline.contains(&[0.03, 0.015, 0.5]));
        assert!((outline.area() - 0.06 * 0.04).abs() < 1e-6);
        for out in [[-0.001, 0.02], [0.061, 0.02], [0.03, -0.001], [0.03, 0.041]] {
            assert!(!outline.contains(&[out[0], out[1], 0.0]), "{out:?}");
        }
    }

    #[test]
    fn points_in_a_row_and_none_at_all_cover_nothing() {
        let row: Vec<[f32; 3]> = (0..5_u8).map(|i| [f32::from(i), 0.0, 0.0]).collect();
        for points in [&row[..], &row[..1], &[]] {
            let outline = Outline::of(points);
            assert!(!outline.contains(&[1.0, 0.0, 0.0]));
            assert_eq!(outline.area(), 0.0);
        }
    }
}
