//! Draws where the T starts: a pure function of the scene file, a seed and an attempt.

use std::f64::consts::PI;

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_types::{Pose, Role, Stream, derive_seed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{PushTEpisode, shape};
use crate::SceneConfig;
use crate::scene::{Body, BodyMotion};

impl PushTEpisode {
    /// Draws an episode. `None` if the T would start too near to its goal.
    pub(super) fn draw(config: &SceneConfig, seed: u64, attempt: u64) -> Option<Self> {
        let ranges = config.push_t.as_ref()?;
        let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Scene, attempt));
        let mut draw = |[low, high]: [f64; 2]| rng.random_range(low..=high);
        let at = [draw(config.table.x_m), draw(config.table.y_m)];
        let base_from_tee = on_table(at, draw([-PI, PI]));
        let tee = Body {
            parts: shape::parts(),
            role: Role::Target,
            motion: BodyMotion::Free,
            mass: draw(ranges.mass_kg),
            friction: draw(ranges.friction),
            base_from_body: base_from_tee,
        };
        let base_from_goal = on_table(ranges.goal_m, ranges.goal_yaw_deg.to_radians());
        let episode = Self::new(seed, attempt, tee, base_from_goal, ranges.min_overlap);
        (episode.overlap(&base_from_tee) <= ranges.max_start_overlap).then_some(episode)
    }
}

fn on_table([x, y]: [f64; 2], yaw: f64) -> Pose {
    let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw);
    Pose::from_parts(Translation3::new(x, y, 0.0), turn)
}
