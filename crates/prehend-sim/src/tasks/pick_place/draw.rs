//! Draws an object among others and a receptacle: a pure function of the scene file, a seed and an
//! attempt.

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_types::{Pose, Stream, derive_seed};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::PickPlaceEpisode;
use crate::SceneConfig;
use crate::objects::{Family, FamilySet, ObjectModel, Receptacle};

/// Draws for one object's place before it is left out.
const PLACE_TRIES: usize = 60;

impl PickPlaceEpisode {
    /// Draws an episode. `None` if target and receptacle found no place.
    #[must_use]
    pub(crate) fn draw(
        config: &SceneConfig,
        families: FamilySet,
        seed: u64,
        attempt: u64,
    ) -> Option<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Scene, attempt));
        let held_out = match families {
            FamilySet::Train => false,
            FamilySet::HeldOut => true,
            FamilySet::All => seed % 2 == 1,
        };
        let targets: &[Family] = if held_out {
            &Family::HELD_OUT
        } else {
            &Family::TRAIN
        };
        let (ranges, clutter) = (config.objects.as_ref()?, config.clutter.as_ref()?);
        let [fewest, most] = clutter.distractors;
        let n_distractors = rng.random_range(fewest..=most);

        let mut receptacle = Receptacle::generate(&mut rng);
        let mut objects = vec![targets.choose(&mut rng)?.generate(ranges, &mut rng)];
        for _ in 0..n_distractors {
            let family = Family::TRAIN.choose(&mut rng)?;
            objects.push(family.generate(ranges, &mut rng));
        }

        let place = draw_place(config, &mut rng, |_| true)?;
        receptacle.base_from_body = place;
        let mut taken = vec![Taken {
            center: place.translation.vector,
            radius: receptacle.footprint_radius,
            height: receptacle.wall_top,
        }];
        let room = FingerRoom::around(&objects[0], clutter.target_clear_radius_m);
        let mut base_from_objects = Vec::new();
        let mut placed = Vec::new();
        for (index, object) in objects.into_iter().enumerate() {
            let is_target = index == 0;
            let free = |at: &Vector3<f64>| {
                // The target is placed second, right after the receptacle.
                taken.iter().enumerate().all(|(other_idx, other)| {
                    let distance = (at - other.center).xy().norm();
                    let clear = if is_target {
                        room.radius(other.height) + other.radius
                    } else if other_idx == 1 {
                        room.radius(object.height) + object.footprint_radius
                    } else {
                        0.0
                    };
                    let gap = clutter.gap_m;
                    distance > clear.max(other.radius + object.footprint_radius + gap)
                })
            };
            let place = draw_place(config, &mut rng, free);
            match place {
                Some(place) => {
                    taken.push(Taken {
                        center: place.translation.vector,
                        radius: object.footprint_radius,
                        height: object.height,
                    });
                    base_from_objects.push(place);
                    placed.push(object);
                }
                None if is_target => return None,
                None => {}
            }
        }
        Some(Self::new(
            seed,
            attempt,
            placed,
            &base_from_objects,
            receptacle,
        ))
    }
}

struct Taken {
    center: Vector3<f64>,
    radius: f64,
    height: f64,
}

/// Half the width of a hand with room to spare, m: how far it reaches to both sides of the tool.
const HAND_REACH: f64 = 0.115;
/// The hand's body starts this far above the tool centre point, m.
const PALM_HEIGHT: f64 = 0.040;

/// The room that a hand needs around the target to grasp it from above.
struct FingerRoom {
    fingers: f64,
    palm_above_table: f64,
}

impl FingerRoom {
    fn around(target: &ObjectModel, clear_radius: f64) -> Self {
        let lowest = target.grasps.iter().map(|grasp| grasp.point.z);
        Self {
            fingers: clear_radius,
            palm_above_table: lowest.fold(f64::INFINITY, f64::min) + PALM_HEIGHT,
        }
    }

    /// How near to the target's centre something of this height may stand: low things need only leave
    /// room for the fingers, high ones for the palm.
    fn radius(&self, height: f64) -> f64 {
        if height > self.palm_above_table {
            self.fingers.max(HAND_REACH)
        } else {
            self.fingers
        }
    }
}

fn draw_place(
    config: &SceneConfig,
    rng: &mut ChaCha8Rng,
    free: impl Fn(&Vector3<f64>) -> bool,
) -> Option<Pose> {
    let [x, y] = [config.table.x_m, config.table.y_m];
    for _ in 0..PLACE_TRIES {
        let at = Vector3::new(
            rng.random_range(x[0]..=x[1]),
            rng.random_range(y[0]..=y[1]),
            0.0,
        );
        let yaw = rng.random_range(-std::f64::consts::PI..std::f64::consts::PI);
        if free(&at) {
            let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw);
            return Some(Pose::from_parts(Translation3::from(at), turn));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prehend_types::config::locate;

    use super::*;

    #[test]
    fn held_out_families_never_appear_in_training_scenes() {
        let path = locate("scenes/tabletop.toml").expect("is there");
        let config = SceneConfig::load(&path).expect("valid");
        let draw = |seed| PickPlaceEpisode::draw(&config, FamilySet::Train, seed, 0);
        let episodes = (700..800).filter_map(draw);
        let seen: BTreeSet<Family> = episodes
            .flat_map(|episode| episode.objects)
            .map(|object| object.family)
            .collect();
        assert_eq!(seen, BTreeSet::from(Family::TRAIN));
    }
}
