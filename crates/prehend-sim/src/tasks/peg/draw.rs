//! Draws a peg and its hole: a pure function of the scene file, a seed and an attempt.

use std::f64::consts::FRAC_PI_2;

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_types::{Pose, Role, Stream, derive_seed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{HALF_BOX, PegEpisode, fixed_box, parts_of_peg};
use crate::SceneConfig;
use crate::scene::{Body, BodyMotion, Scene};

/// Free space between the peg's head and the hole's mouth at the start, m.
const APART: f64 = 0.03;

impl PegEpisode {
    /// Draws an episode. `None` if the peg would lie at the box.
    pub(super) fn draw(config: &SceneConfig, seed: u64, attempt: u64) -> Option<Self> {
        let ranges = config.peg.as_ref()?;
        let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Scene, attempt));
        let mut draw = |[low, high]: [f64; 2]| rng.random_range(low..=high);
        let half_length = 0.5 * draw(ranges.length_m);
        let half_width = 0.5 * draw(ranges.width_m);
        let mut around_y = |most_deg: f64| {
            let most = most_deg.to_radians();
            let yaw = FRAC_PI_2 + draw([-most, most]);
            UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw)
        };
        let (turn, hole_turn) = (
            around_y(ranges.max_yaw_deg),
            around_y(ranges.hole_max_yaw_deg),
        );
        let at = Translation3::new(draw(config.table.x_m), draw(config.table.y_m), half_width);
        let mouth = Translation3::new(draw(ranges.hole_x_m), draw(ranges.hole_y_m), HALF_BOX);
        let friction = draw(ranges.friction);
        let peg = Body {
            parts: parts_of_peg(half_length, half_width),
            role: Role::Target,
            motion: BodyMotion::Free,
            mass: draw(ranges.mass_kg),
            friction,
            base_from_body: Pose::from_parts(at, turn),
        };
        let base_from_hole = Pose::from_parts(mouth, hole_turn);
        let fixed = fixed_box(base_from_hole, half_width + ranges.clearance_m, friction);
        let own = Self {
            scene: Scene::of_bodies(seed, attempt, vec![peg, fixed]),
            base_from_hole,
            half_length,
            half_width,
            clearance: ranges.clearance_m,
            depth: ranges.depth_m,
        };
        let start = own.fit(&own.scene.bodies[0].base_from_body);
        (start.depth < -APART).then_some(own)
    }
}
