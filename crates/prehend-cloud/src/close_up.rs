//! What a proposed grasp looks like from the gripper: the points around it, in the tool's frame.
//!
//! Who judges a grasp by this alone cannot know which family an object is of, only what is between the
//! fingers and what hangs beside them.

use nalgebra::{Point3, Vector3};
use prehend_types::TableGrasp;

/// Points between and beside the fingers, and as many of what is around.
pub const CLOSE_UP_POINTS: usize = 96;
/// Numbers of each, in units of 5 cm. Of a grasp: position in the tool's frame (3), height above the table, distance
/// outwards from where the nearer finger touches. Of a placement: see [`crate::PlaceSight`].
pub const CLOSE_UP_DIM: usize = 5;
/// The points of one grasp, those that are close, then those around; or of one placement.
pub type CloseUp = Vec<[f32; CLOSE_UP_DIM]>;

/// How far from the tool anything is looked at, m.
const RADIUS: f64 = 0.14;
/// How far across the fingers, outwards from where they touch, and along them points are close, m.
const CLOSE: [f64; 3] = [0.025, 0.012, 0.04];
/// The unit of the numbers, m.
pub(crate) const UNIT: f64 = 0.05;

/// The points of a cloud (base frame, m) around a grasp, evenly through the cloud's order, which should not
/// depend on height or side; where there are none, a point as far away as any.
#[must_use]
pub fn close_up(cloud: &[[f32; 3]], grasp: &TableGrasp) -> CloseUp {
    let tool = grasp.base_from_tool();
    let middle = tool.translation.vector.cast::<f32>();
    let reach = (RADIUS * RADIUS) as f32;
    let (mut close, mut around) = (Vec::new(), Vec::new());
    let is_near = |point: &&[f32; 3]| (Vector3::from(**point) - middle).norm_squared() < reach;
    for point in cloud.iter().filter(is_near) {
        let wide = Point3::from(Vector3::from(*point).cast::<f64>());
        let at = tool.inverse_transform_point(&wide);
        let outwards = at.y.abs() - 0.5 * grasp.width;
        let off = [at.x.abs(), outwards, at.z.abs()];
        let is_close = off.iter().zip(CLOSE).all(|(off, most)| *off < most);
        let list = if is_close { &mut close } else { &mut around };
        let row = [at.x, at.y, at.z, wide.z, outwards];
        list.push(row.map(|value| (value / UNIT) as f32));
    }
    let nowhere = [0.0, 0.0, (RADIUS / UNIT) as f32, 0.0, 0.0];
    let mut all = spread(&close, nowhere);
    all.extend(spread(&around, nowhere));
    all
}

/// The same in a mirror along the first number, the second, or both, wherever `sides` is -1: as good a grasp, or
/// placement.
#[must_use]
pub fn mirrored(close_up: &CloseUp, sides: [f32; 2]) -> CloseUp {
    let rows = close_up.iter();
    rows.map(|[x, y, rest @ ..]| {
        let [z, a, b] = *rest;
        [x * sides[0], y * sides[1], z, a, b]
    })
    .collect()
}

/// As many as a close-up has, evenly through the list, repeated if there are fewer; `nothing` if there are none.
pub(crate) fn spread(all: &[[f32; CLOSE_UP_DIM]], nothing: [f32; CLOSE_UP_DIM]) -> CloseUp {
    let nothing = [nothing];
    let all = if all.is_empty() { &nothing } else { all };
    let n = all.len().max(CLOSE_UP_POINTS);
    let chosen = (0..CLOSE_UP_POINTS).map(|i| all[i * n / CLOSE_UP_POINTS % all.len()]);
    chosen.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn across_y() -> TableGrasp {
        TableGrasp {
            contact: Point3::new(0.4, 0.08, 0.05),
            closing: Vector3::y(),
            approach: -Vector3::z(),
            width: 0.04,
            retreat: 0.0,
        }
    }

    #[test]
    fn points_stand_in_the_tools_frame_with_their_height_and_how_far_out_they_are() {
        // Between the fingers, on the table far away from them, and out of sight.
        let cloud = [[0.41, 0.11, 0.06], [0.4, 0.0, 0.0], [0.4, 0.6, 0.0]];
        let seen = close_up(&cloud, &across_y());
        assert_eq!(seen.len(), 2 * CLOSE_UP_POINTS);
        let near = |a: [f32; CLOSE_UP_DIM], b: [f64; CLOSE_UP_DIM]| {
            a.iter()
                .zip(b)
                .all(|(a, b)| (f64::from(*a) * UNIT - b).abs() < 1e-6)
        };
        let (close, around) = seen.split_at(CLOSE_UP_POINTS);
        assert!(
            close
                .iter()
                .all(|row| near(*row, [-0.01, 0.01, -0.01, 0.06, -0.01])),
            "{:?}",
            close[0]
        );
        assert!(
            around
                .iter()
                .all(|row| near(*row, [0.0, -0.1, 0.05, 0.0, 0.08])),
            "{:?}",
            around[0]
        );
    }

    #[test]
    fn a_grasp_that_looks_from_the_other_side_is_its_own_mirror_image() {
        let cloud = [[0.41, 0.11, 0.06], [0.39, 0.09, 0.04], [0.4, 0.0, 0.0]];
        let grasp = across_y();
        // Half a turn about the approach: the other finger touches.
        let turned = TableGrasp {
            contact: grasp.contact + grasp.closing * grasp.width,
            closing: -grasp.closing,
            ..grasp
        };
        let (seen, image) = (close_up(&cloud, &turned), close_up(&cloud, &grasp));
        let image = mirrored(&image, [-1.0, -1.0]);
        for (a, b) in seen.iter().flatten().zip(image.iter().flatten()) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        assert_eq!(mirrored(&image, [1.0, -1.0])[0][0], image[0][0]);
    }

    #[test]
    fn every_part_of_a_large_cloud_has_its_share_and_none_is_a_number_still() {
        let cloud: Vec<[f32; 3]> = (0..960)
            .map(|i| [0.4, 0.085 + i as f32 * 3e-5, 0.05])
            .collect();
        let seen = close_up(&cloud, &across_y());
        let y = |i: usize| seen[i][1];
        assert!((1..CLOSE_UP_POINTS).all(|i| y(i) > y(i - 1)));
        let nothing = close_up(&[], &across_y());
        assert!(nothing.iter().flatten().all(|value| value.is_finite()));
        assert_eq!(nothing.len(), 2 * CLOSE_UP_POINTS);
    }
}
