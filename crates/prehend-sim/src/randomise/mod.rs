//! What is drawn for one episode beside its scene: masses, gains, delays, cameras.
//!
//! Draws are a pure function of the scene file's ranges and the seed, each from a stream of its own, so
//! that a new range changes no other draw.

mod config;
mod report;

use prehend_robot::{JointActuator, Robot};
use prehend_types::{JointPositions, Stream, derive_seed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use config::{
    ArmRanges, BodyRanges, CameraRanges, Factor, GripperRanges, Offset, RandomiseConfig,
    TableRanges,
};
pub use report::Draw;

use crate::SceneConfig;
use crate::config::{CameraConfig, NoiseConfig};
use crate::scene::Scene;

/// Kept between a drawn start and a joint's limits, rad or m.
const START_MARGIN: f64 = 0.02;

/// Random streams; the order is part of every episode.
mod stream {
    pub const TABLE: u64 = 0;
    pub const GRIPPER: u64 = 1;
    pub const ARM: u64 = 2;
    pub const CAMERAS: u64 = 1 << 16;
    pub const BODIES: u64 = 1 << 32;
}

/// Everything that is drawn for one episode's physics.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draws {
    /// One for each body of the scene.
    pub bodies: Vec<BodyDraws>,
    /// Table, gripper and arm.
    pub cell: CellDraws,
}

impl Draws {
    pub fn draw(config: &SceneConfig, scene: &Scene, robot: &Robot) -> Self {
        let ranges = config.randomise.as_ref();
        let bodies = 0..scene.bodies.len();
        Self {
            bodies: bodies
                .map(|idx| BodyDraws::draw(ranges, scene.seed, idx))
                .collect(),
            cell: CellDraws::draw(ranges, scene.seed, robot),
        }
    }

    /// Everything as robot and scene say.
    pub fn neutral(n_bodies: usize, robot: &Robot) -> Self {
        Self {
            bodies: vec![BodyDraws::NEUTRAL; n_bodies],
            cell: CellDraws::draw(None, 0, robot),
        }
    }
}

/// One body's draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BodyDraws {
    pub mass_factor: f64,
    pub inertia_factor: f64,
    pub center_of_mass_share: [f64; 3],
    pub friction_factor: f64,
}

impl BodyDraws {
    /// Everything as the scene says.
    pub const NEUTRAL: Self = Self {
        mass_factor: 1.0,
        inertia_factor: 1.0,
        center_of_mass_share: [0.0; 3],
        friction_factor: 1.0,
    };

    /// Whether the mass is spread as in a uniform body.
    pub fn is_uniform(&self) -> bool {
        self.inertia_factor == 1.0 && self.center_of_mass_share == [0.0; 3]
    }

    pub fn draw(config: Option<&RandomiseConfig>, seed: u64, body_idx: usize) -> Self {
        let Some(config) = config else {
            return Self::NEUTRAL;
        };
        let mut rng = rng(seed, stream::BODIES + body_idx as u64);
        let ranges = &config.bodies;
        Self {
            mass_factor: uniform(&mut rng, ranges.mass_factor.0),
            inertia_factor: uniform(&mut rng, ranges.inertia_factor.0),
            center_of_mass_share: [(); 3]
                .map(|()| uniform(&mut rng, ranges.center_of_mass_share.0)),
            friction_factor: uniform(&mut rng, ranges.friction_factor.0),
        }
    }
}

/// What is drawn for table, gripper and arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CellDraws {
    pub table_friction_factor: f64,
    pub force_factor: f64,
    pub speed_factor: f64,
    pub delay_s: f64,
    pub bandwidth_factor: f64,
    pub stiffness_factor: f64,
    pub damping_factor: f64,
    pub start: JointPositions,
}

impl CellDraws {
    pub fn draw(config: Option<&RandomiseConfig>, seed: u64, robot: &Robot) -> Self {
        let still = RandomiseConfig::default();
        let config = config.unwrap_or(&still);
        let mut table = rng(seed, stream::TABLE);
        let mut gripper = rng(seed, stream::GRIPPER);
        let mut arm = rng(seed, stream::ARM);
        let limits = robot.limits();
        let mut own = Self {
            table_friction_factor: uniform(&mut table, config.table.friction_factor.0),
            force_factor: uniform(&mut gripper, config.gripper.force_factor.0),
            speed_factor: uniform(&mut gripper, config.gripper.speed_factor.0),
            delay_s: uniform(&mut arm, config.arm.delay_s.0),
            bandwidth_factor: uniform(&mut arm, config.arm.bandwidth_factor.0),
            stiffness_factor: uniform(&mut arm, config.arm.stiffness_factor.0),
            damping_factor: uniform(&mut arm, config.arm.damping_factor.0),
            start: *robot.home(),
        };
        for (idx, q) in own.start.iter_mut().enumerate() {
            let moved = *q + uniform(&mut arm, config.arm.start_rad.0);
            let (low, high) = (
                limits.q_min[idx] + START_MARGIN,
                limits.q_max[idx] - START_MARGIN,
            );
            // A home outside the margin stays where it is unless it is moved.
            if moved != *q {
                *q = moved.max(low).min(high);
            }
        }
        own
    }

    /// The drives with their drawn gains. A servo's friction and limits stay.
    pub fn drives(&self, robot: &Robot) -> Vec<JointActuator> {
        let drives = robot.actuators().joints().iter();
        let drawn = drives.map(|drive| JointActuator {
            bandwidth_hz: drive.bandwidth_hz * self.bandwidth_factor,
            stiffness: drive.stiffness * self.stiffness_factor,
            damping: drive.damping * self.damping_factor,
            ..*drive
        });
        drawn.collect()
    }
}

/// What is drawn for one camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CameraDraws {
    pub fov_factor: f64,
    pub noise_factor: f64,
}

impl CameraDraws {
    pub fn draw(config: Option<&RandomiseConfig>, seed: u64, camera_idx: usize) -> Self {
        let still = CameraRanges::default();
        let ranges = config.map_or(&still, |config| &config.cameras);
        let mut rng = rng(seed, stream::CAMERAS + camera_idx as u64);
        Self {
            fov_factor: uniform(&mut rng, ranges.fov_factor.0),
            noise_factor: uniform(&mut rng, ranges.noise_factor.0),
        }
    }

    pub fn fov_deg(&self, camera: &CameraConfig) -> f64 {
        camera.fov_deg * self.fov_factor
    }

    pub fn noise(&self, noise: &NoiseConfig) -> NoiseConfig {
        let share = |value: f64| (value * self.noise_factor).min(1.0);
        NoiseConfig {
            sigma_m: noise.sigma_m * self.noise_factor,
            sigma_per_m2: noise.sigma_per_m2 * self.noise_factor,
            lateral_sigma_px: noise.lateral_sigma_px * self.noise_factor,
            dropout: share(noise.dropout),
            edge_holes: share(noise.edge_holes),
            ..noise.clone()
        }
    }
}

fn rng(seed: u64, index: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Dynamics, index))
}

/// Exactly `low` if the range is a point.
fn uniform(rng: &mut ChaCha8Rng, [low, high]: [f64; 2]) -> f64 {
    let share: f64 = rng.random();
    low + (high - low) * share
}
