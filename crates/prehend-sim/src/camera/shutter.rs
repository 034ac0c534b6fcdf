//! One exposure of all cameras, joined into one observation.

use nalgebra::{Matrix3, Rotation3, Translation3, UnitQuaternion, Vector3};
use prehend_cloud::{DepthImage, Intrinsics};
use prehend_robot::Robot;
use prehend_types::{Observation, PointCloud, Pose, Role, Stream, derive_seed};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::eye::{Cast, Field};
use super::film::Film;
use super::noise::Noise;
use super::pick::{Picked, Shot, pick};
use super::{Label, Solid, solids, table};
use crate::SceneConfig;
use crate::config::{CameraConfig, NoiseConfig};
use crate::randomise::CameraDraws;
use crate::scene::Scene;
use crate::state::WorldState;

/// What the robot sees of a state: a pure function of scene, state and the scene's seed.
pub(crate) fn observe(
    robot: &Robot,
    config: &SceneConfig,
    scene: &Scene,
    state: &WorldState,
) -> Observation {
    let mut picked = look(robot, config, scene, state);
    if config.cloud.unmarked {
        picked.roles.fill(Role::Other);
    }
    Observation {
        stamp: state.stamp(),
        cloud: PointCloud {
            stamp: state.stamp(),
            frame: "base".to_owned(),
            points: picked.points,
            roles: picked.roles,
        },
        state: state.robot_state(),
        base_from_tcp: robot.forward(&state.arm.q),
        committed: prehend_types::Actions::new(),
    }
}

/// What the cameras see of a state, with labels whether or not the robot is told them.
pub(crate) fn look(
    robot: &Robot,
    config: &SceneConfig,
    scene: &Scene,
    state: &WorldState,
) -> LabelledCloud {
    let mut solids = solids(robot, scene, state);
    if config.cloud.unmarked {
        let n_things = scene.bodies.len() + scene.cloths.len();
        solids.push(table(&config.cloud.crop, n_things));
    }
    expose(&solids, config, scene.seed, state.steps)
}

/// A labelled cloud in the base frame, cropped and sampled.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LabelledCloud {
    /// Positions, m, camera by camera, row by row.
    pub points: Vec<[f32; 3]>,
    /// What each point belongs to, seen from the task.
    pub roles: Vec<Role>,
    /// Which rigid body each point lies on; see [`super::Label::instance`].
    pub instances: Vec<u16>,
}

/// One exposure of all cameras: only the pixels that the cloud keeps, and those that were looked at to
/// find them, are cast. A pure function of its arguments.
///
/// `seed` is the episode's, `frame` the number of the exposure in it.
#[must_use]
pub fn expose(solids: &[Solid], config: &SceneConfig, seed: u64, frame: u64) -> LabelledCloud {
    let cast = Cast::new(solids);
    let mut shots = shots(&cast, config, seed, frame, Field::Roles);
    let sampling_seed = derive_seed(seed, Stream::Sampling, frame);
    let cloud = &config.cloud;
    let picked = pick(&mut shots, &cloud.crop, &cloud.quotas, sampling_seed);
    let instance = |picked: &Picked| cast.label(picked.number).instance().unwrap_or(u16::MAX);
    LabelledCloud {
        points: picked.iter().map(|picked| picked.point).collect(),
        roles: picked.iter().map(|picked| picked.role).collect(),
        instances: picked.iter().map(instance).collect(),
    }
}

/// The complete images of one exposure, with where the robot believes each camera to stand: what
/// [`expose`] takes its points from, pixel for pixel, at the price of casting every pixel.
#[must_use]
pub fn images(
    solids: &[Solid],
    config: &SceneConfig,
    seed: u64,
    frame: u64,
) -> Vec<(DepthImage, Pose)> {
    let cast = Cast::new(solids);
    let mut shots = shots(&cast, config, seed, frame, Field::Whole);
    let believed = (0..).map(|camera_idx| {
        let camera: &CameraConfig = &config.cameras[camera_idx];
        Placement::draw(camera, seed, camera_idx).believed
    });
    shots
        .iter_mut()
        .zip(believed)
        .map(|(shot, believed)| (develop(&mut shot.film).0, believed))
        .collect()
}

/// The whole image of one film, with what each pixel shows.
fn develop(film: &mut Film<'_>) -> (DepthImage, Vec<Label>) {
    let intrinsics = film.intrinsics;
    let n_pixels = intrinsics.width * intrinsics.height;
    let (mut depth, mut labels) = (Vec::with_capacity(n_pixels), Vec::with_capacity(n_pixels));
    for row in 0..intrinsics.height {
        for column in 0..intrinsics.width {
            let (measured, number) = film.measure(column, row);
            depth.push(measured);
            labels.push(film.cast.label(number));
        }
    }
    let image = DepthImage {
        intrinsics,
        depth,
        roles: labels.iter().map(|label| label.role()).collect(),
    };
    (image, labels)
}

/// A depth image of solids without a scene: for calibration targets and tests.
#[must_use]
pub fn image(
    intrinsics: &Intrinsics,
    base_from_camera: &Pose,
    solids: &[Solid],
    noise: &NoiseConfig,
    seed: u64,
) -> DepthImage {
    labelled_image(intrinsics, base_from_camera, solids, noise, seed).0
}

/// The same, with what each pixel shows.
#[must_use]
pub fn labelled_image(
    intrinsics: &Intrinsics,
    base_from_camera: &Pose,
    solids: &[Solid],
    noise: &NoiseConfig,
    seed: u64,
) -> (DepthImage, Vec<Label>) {
    let cast = Cast::new(solids);
    let baseline = second_eye(noise);
    let noise = Noise::new(noise, intrinsics.focal, seed);
    let field = Field::Whole;
    let mut film = Film::new(intrinsics, base_from_camera, &cast, noise, baseline, field);
    develop(&mut film)
}

fn shots<'a>(
    cast: &'a Cast<'a>,
    config: &SceneConfig,
    seed: u64,
    frame: u64,
    field: Field,
) -> Vec<Shot<'a>> {
    let frame_seed = derive_seed(seed, Stream::Camera, frame);
    let shot = |(camera_idx, camera): (usize, &CameraConfig)| {
        let draws = CameraDraws::draw(config.randomise.as_ref(), seed, camera_idx);
        let intrinsics = intrinsics(camera, draws.fov_deg(camera));
        let placement = Placement::draw(camera, seed, camera_idx);
        let image_seed = derive_seed(frame_seed, Stream::Camera, camera_idx as u64);
        let noise = Noise::new(&draws.noise(&config.noise), intrinsics.focal, image_seed);
        Shot {
            film: Film::new(
                &intrinsics,
                &placement.base_from_camera,
                cast,
                noise,
                second_eye(&config.noise),
                field,
            ),
            believed: placement.believed.cast(),
        }
    };
    config.cameras.iter().enumerate().map(shot).collect()
}

/// Distance to the eye that casts stereo shadows, m; 0 if none does.
fn second_eye(noise: &NoiseConfig) -> f32 {
    if noise.stereo_shadow {
        noise.baseline_m as f32
    } else {
        0.0
    }
}

fn intrinsics(camera: &CameraConfig, fov_deg: f64) -> Intrinsics {
    Intrinsics::from_field_of_view(
        camera.width_px,
        camera.height_px,
        fov_deg.to_radians() as f32,
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

/// A camera at `position` that looks at `target`, its x axis level: z forward, y down. Looking straight up or
/// down, base x is up in its image.
pub(crate) fn looking_at(position: &Vector3<f64>, target: &Vector3<f64>) -> Pose {
    let forward = (target - position).normalize();
    let level = forward.cross(&Vector3::z());
    let right = level
        .try_normalize(1e-6)
        .unwrap_or_else(|| forward.cross(&Vector3::x()));
    let down = forward.cross(&right);
    let rotation = Rotation3::from_matrix_unchecked(Matrix3::from_columns(&[right, down, forward]));
    Pose::from_parts(
        Translation3::from(*position),
        UnitQuaternion::from_rotation_matrix(&rotation),
    )
}
