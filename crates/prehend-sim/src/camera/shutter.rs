//! One exposure of all cameras, joined into one observation.

use nalgebra::{Matrix3, Rotation3, Translation3, UnitQuaternion, Vector3};
use prehend_cloud::{DepthImage, Intrinsics, deproject, sample_by_role};
use prehend_robot::Robot;
use prehend_types::{Observation, PointCloud, Pose, Stream, derive_seed};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{cast, noise, solids};
use crate::SceneConfig;
use crate::config::CameraConfig;
use crate::scene::Scene;
use crate::state::WorldState;

/// What the robot sees of a state: a pure function of scene, state and the scene's seed.
pub(crate) fn observe(
    robot: &Robot,
    config: &SceneConfig,
    scene: &Scene,
    state: &WorldState,
) -> Observation {
    let solids = solids(robot, scene, state);
    let frame_seed = derive_seed(scene.seed, Stream::Camera, state.steps);
    let mut rng = ChaCha8Rng::seed_from_u64(frame_seed);
    let (mut points, mut roles) = (Vec::new(), Vec::new());
    let (mut hits, mut depth) = (Vec::new(), Vec::new());
    for (camera_idx, camera) in config.cameras.iter().enumerate() {
        let intrinsics = intrinsics(camera);
        let placement = Placement::draw(camera, scene.seed, camera_idx);
        cast(&intrinsics, &placement.base_from_camera, &solids, &mut hits);
        noise::measure(&intrinsics, &hits, &config.noise, &mut rng, &mut depth);
        let image = DepthImage {
            intrinsics,
            depth: std::mem::take(&mut depth),
            roles: hits.iter().map(|hit| hit.label.role()).collect(),
        };
        deproject(&image, &placement.believed, &mut points, &mut roles);
        depth = image.depth;
    }
    config.cloud.crop.apply(&mut points, &mut roles);
    let sampling_seed = derive_seed(scene.seed, Stream::Sampling, state.steps);
    sample_by_role(&mut points, &mut roles, &config.cloud.quotas, sampling_seed);
    Observation {
        stamp: state.stamp(),
        cloud: PointCloud {
            stamp: state.stamp(),
            frame: "base".to_owned(),
            points,
            roles,
        },
        state: state.robot_state(),
        base_from_tcp: robot.forward(&state.q),
    }
}

pub(crate) fn intrinsics(camera: &CameraConfig) -> Intrinsics {
    Intrinsics::from_field_of_view(
        camera.width_px,
        camera.height_px,
        camera.fov_deg.to_radians() as f32,
    )
}

/// Where a camera stands in one episode, and where the robot believes it to stand.
struct Placement {
    base_from_camera: Pose,
    believed: Pose,
}

impl Placement {
    fn draw(camera: &CameraConfig, seed: u64, camera_idx: usize) -> Self {
        let stream = derive_seed(seed, Stream::Camera, u64::MAX - camera_idx as u64);
        let mut rng = ChaCha8Rng::seed_from_u64(stream);
        let mut normal = |sigma: f64| {
            Vector3::from_fn(|_, _| {
                let z: f64 = StandardNormal.sample(&mut rng);
                sigma * z
            })
        };
        let position = Vector3::from(camera.position_m) + normal(camera.placement_sigma_m);
        let base_from_camera = looking_at(&position, &Vector3::from(camera.look_at_m));
        let turn = normal(camera.extrinsic_sigma_deg.to_radians());
        let error = Pose::from_parts(
            Translation3::from(normal(camera.extrinsic_sigma_m)),
            UnitQuaternion::from_scaled_axis(turn),
        );
        Self {
            base_from_camera,
            believed: base_from_camera * error,
        }
    }
}

/// A camera at `position` that looks at `target`, its x axis level: z forward, y down.
pub(crate) fn looking_at(position: &Vector3<f64>, target: &Vector3<f64>) -> Pose {
    let forward = (target - position).normalize();
    let right = forward.cross(&Vector3::z()).normalize();
    let down = forward.cross(&right);
    let rotation = Rotation3::from_matrix_unchecked(Matrix3::from_columns(&[right, down, forward]));
    Pose::from_parts(
        Translation3::from(*position),
        UnitQuaternion::from_rotation_matrix(&rotation),
    )
}
