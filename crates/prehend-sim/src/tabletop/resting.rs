//! The ways in which an object comes to rest on the table.

use nalgebra::{Quaternion, Unit, UnitQuaternion, Vector3};
use prehend_types::Pose;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::arrange::middle;
use super::bench::Bench;
use super::pieces::Pieces;
use super::tried::TableObject;

/// One stable pose of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Resting {
    /// Where it lies: base frame, over the middle of the scene.
    pub base_from_object: Pose,
    /// Of the drops that came to rest, how many ended like this.
    pub n_drops: usize,
}

/// The first drop is upright, as made; the others are in any orientation.
const N_DROPS: usize = 8;
/// More ways are not kept: a ball has no end of them.
const MOST: usize = 4;
/// Drops whose upward directions differ by less are one pose, rad.
const SAME: f64 = 0.2;
/// Heights of the lowest point from which the first and the others are dropped, m.
const DROP: [f64; 2] = [1e-3, 0.02];
/// Longest that an object may take to come to rest, s.
const PATIENCE: f64 = 4.0;
/// Rolled farther than this from where it was dropped, it has left the scene, m.
const OFF: f64 = 0.33;

/// Drops an object and lists how it came to rest, most frequent first; none if it never did.
pub(super) fn resting_poses(object: &TableObject, rng: &mut ChaCha8Rng) -> Vec<Resting> {
    let mut found: Vec<Resting> = Vec::new();
    for drop in 0..N_DROPS {
        let turn = if drop == 0 {
            UnitQuaternion::identity()
        } else {
            any_rotation(rng)
        };
        let Some(base_from_object) = settle(object, &turn, DROP[drop.min(1)]) else {
            continue;
        };
        let up = |pose: &Pose| pose.rotation.inverse() * Vector3::z();
        let known = found
            .iter_mut()
            .find(|known| up(&known.base_from_object).angle(&up(&base_from_object)) < SAME);
        match known {
            Some(known) => known.n_drops += 1,
            None => found.push(Resting {
                base_from_object,
                n_drops: 1,
            }),
        }
    }
    found.sort_by_key(|resting| std::cmp::Reverse(resting.n_drops));
    found.truncate(MOST);
    found
}

/// Where an object that is dropped turned like this comes to rest.
fn settle(object: &TableObject, turn: &UnitQuaternion<f64>, height: f64) -> Option<Pose> {
    let turned = Pose::from_parts(Default::default(), *turn);
    let mut pieces = Pieces::default();
    pieces.add(0, &object.parts, &turned);
    let [low, _] = pieces.bounds()?;
    let over = middle();
    let lifted = Pose::translation(over.x, over.y, height - low.z);
    let mut bench = Bench::new(&[object.body(&(lifted * turned))]);
    if !bench.settle(PATIENCE) {
        return None;
    }
    let mut rests = bench.pose(0);
    let at = rests.translation.vector;
    let is_off = libm::hypot(at.x - over.x, at.y - over.y) > OFF;
    if is_off || !at.iter().all(|value| value.is_finite()) {
        return None;
    }
    rests.translation.x = over.x;
    rests.translation.y = over.y;
    Some(rests)
}

/// Uniform over all rotations (Shoemake 1992).
fn any_rotation(rng: &mut ChaCha8Rng) -> UnitQuaternion<f64> {
    let [share, a, b]: [f64; 3] = std::array::from_fn(|_| rng.random_range(0.0..1.0));
    let [a, b] = [a, b].map(|angle| std::f64::consts::TAU * angle);
    let (near, far) = ((1.0 - share).sqrt(), share.sqrt());
    Unit::new_normalize(Quaternion::new(
        far * libm::cos(b),
        near * libm::sin(a),
        near * libm::cos(a),
        far * libm::sin(b),
    ))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::objects::build::block;

    #[test]
    fn a_flat_board_lies_on_its_faces_and_stays_where_it_lies() {
        let board = TableObject {
            parts: vec![block([0.08, 0.05, 0.02], [0.0; 3])],
            mass: 0.1,
            friction: 0.6,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let found = resting_poses(&board, &mut rng);
        assert!((2..=MOST).contains(&found.len()), "{found:?}");
        assert!(found[0].n_drops >= found[1].n_drops);
        for resting in &found {
            let up = resting.base_from_object.rotation.inverse() * Vector3::z();
            assert!(up.amax() > 0.999, "{up}");
            let mut bench = Bench::new(&[board.body(&resting.base_from_object)]);
            assert!(bench.settle(1.0));
            let moved =
                bench.pose(0).translation.vector - resting.base_from_object.translation.vector;
            assert!(moved.norm() < 1e-3, "{moved}");
        }
    }
}
