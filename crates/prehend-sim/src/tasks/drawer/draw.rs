//! Draws a cabinet: a pure function of the scene file, a seed and an attempt.

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_types::{Pose, Stream, derive_seed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::DrawerEpisode;
use super::cabinet::Cabinet;
use crate::SceneConfig;

/// Length of the handle's bar, m: the fingers, 50 mm wide, fit between its posts.
const BAR_LENGTH: [f64; 2] = [0.10, 0.14];
/// How far the bar's middle is below the cabinet's top, m. The hand's body starts 37 mm above the tool
/// centre point, which goes a little below the bar: it must pass over the top.
const BAR_BELOW_TOP: [f64; 2] = [0.010, 0.020];

impl DrawerEpisode {
    /// Draws an episode. `None` if the scene file has no section for it.
    pub(super) fn draw(config: &SceneConfig, seed: u64, attempt: u64) -> Option<Self> {
        let ranges = config.drawer.as_ref()?;
        let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Scene, attempt));
        let mut draw = |[low, high]: [f64; 2]| rng.random_range(low..=high);
        let at = Vector3::new(draw(config.table.x_m), draw(config.table.y_m), 0.0);
        let turned = ranges.max_yaw_deg.to_radians();
        // Straight away from the robot's base, and turned from there.
        let yaw = libm::atan2(at.y, at.x) + draw([-turned, turned]);
        let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw);
        let cabinet = Cabinet {
            base_from_cabinet: Pose::from_parts(Translation3::from(at), turn),
            width: draw(ranges.width_m),
            height: draw(ranges.height_m),
            gap: draw(ranges.handle_gap_m),
            bar_length: draw(BAR_LENGTH),
            bar_below_top: draw(BAR_BELOW_TOP),
            travel: draw(ranges.travel_m),
            mass: draw(ranges.mass_kg),
            friction: draw(ranges.friction_n),
        };
        Some(Self::new(seed, attempt, ranges.open_m, cabinet))
    }
}
