//! Everything that was drawn for an episode, by name: what is stored with it.

use super::{BodyDraws, CameraDraws, Draws};
use crate::config::SceneConfig;
use crate::scene::{Body, Scene};

/// One drawn quantity: its name as in `bodies.0.mass_kg`, and its value in the unit that the name ends
/// with.
pub type Draw = (String, f64);

impl Draws {
    /// All draws of one episode: poses, sizes, masses and frictions as they came out, then what
    /// `[randomise]` drew.
    pub fn report(&self, config: &SceneConfig, scene: &Scene) -> Vec<Draw> {
        let mut out = Vec::new();
        for (index, (body, draws)) in scene.bodies.iter().zip(&self.bodies).enumerate() {
            let of_body = of_body(body, draws);
            out.extend(of_body.map(|(name, value)| (format!("bodies.{index}.{name}"), value)));
        }
        let cell = &self.cell;
        let mut keep = |name: String, value: f64| out.push((name, value));
        keep(
            "table.friction".to_owned(),
            config.table.friction * cell.table_friction_factor,
        );
        keep("gripper.force_factor".to_owned(), cell.force_factor);
        keep("gripper.speed_factor".to_owned(), cell.speed_factor);
        keep("arm.delay_s".to_owned(), cell.delay_s);
        keep("arm.bandwidth_factor".to_owned(), cell.bandwidth_factor);
        keep("arm.stiffness_factor".to_owned(), cell.stiffness_factor);
        keep("arm.damping_factor".to_owned(), cell.damping_factor);
        for (index, q) in cell.start.iter().enumerate() {
            keep(format!("arm.start.{index}_rad"), *q);
        }
        for index in 0..config.cameras.len() {
            let camera = CameraDraws::draw(config.randomise.as_ref(), scene.seed, index);
            keep(format!("cameras.{index}.fov_factor"), camera.fov_factor);
            keep(format!("cameras.{index}.noise_factor"), camera.noise_factor);
        }
        out
    }
}

fn of_body(body: &Body, draws: &BodyDraws) -> [(&'static str, f64); 14] {
    let at = body.base_from_body.translation;
    let size = body.size();
    let [com_x, com_y, com_z] = draws.center_of_mass_share;
    [
        ("x_m", at.x),
        ("y_m", at.y),
        ("z_m", at.z),
        ("yaw_rad", body.base_from_body.rotation.euler_angles().2),
        ("size_x_m", size.x),
        ("size_y_m", size.y),
        ("size_z_m", size.z),
        ("mass_kg", body.mass * draws.mass_factor),
        ("friction", body.friction * draws.friction_factor),
        ("mass_factor", draws.mass_factor),
        ("inertia_factor", draws.inertia_factor),
        ("center_of_mass_share_x", com_x),
        ("center_of_mass_share_y", com_y),
        ("center_of_mass_share_z", com_z),
    ]
}
