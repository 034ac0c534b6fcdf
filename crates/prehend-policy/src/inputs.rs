//! Turns observations into the tensors of the graph. Training calls the very same code.

use prehend_types::{Action, Observation, PointCloud, PolicyError, Role};

use crate::manifest::{ActionSpace, N_COMMITTED};

/// Columns of `proprio`.
pub const N_PROPRIO: usize = 12;

/// Columns of `proprio`, in order: units are m, none (rotation matrix), m, 0..1, 0/1.
pub const PROPRIO_NAMES: [&str; N_PROPRIO] = [
    "tcp_x_m",
    "tcp_y_m",
    "tcp_z_m",
    "tcp_rot_xx",
    "tcp_rot_yx",
    "tcp_rot_zx",
    "tcp_rot_xy",
    "tcp_rot_yy",
    "tcp_rot_zy",
    "gripper_width_m",
    "gripper_commanded",
    "is_grasping",
];

/// Columns of `roles`, in order; padding is zero in all of them.
pub const ROLE_NAMES: [&str; 3] = ["target", "receptacle", "other"];

/// Clouds above this are refused: no camera of a cell gives more after cropping.
const MAX_CLOUD: usize = 1_000_000;

/// Points farther from the base than this are errors of the camera or of its calibration, m.
const MAX_DISTANCE_M: f32 = 10.0;

/// What the graph is fed with, apart from the noise.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyInputs {
    /// `[n_points, 3]` row by row, m, base frame.
    pub points: Vec<f32>,
    /// `[n_points, 3]` row by row: one-hot target, receptacle, other; zeros for padding.
    pub roles: Vec<f32>,
    /// `[12]`: see [`PROPRIO_NAMES`].
    pub proprio: [f32; N_PROPRIO],
    /// `[chunk, 8]` row by row: an action that is decided already, m, rad, opening, then 1; zeros for the
    /// others. Empty for a graph without such an input.
    pub committed: Vec<f32>,
}

impl PolicyInputs {
    /// Zeros for `n_points` rows, to be filled.
    #[must_use]
    pub fn zeros(n_points: usize) -> Self {
        Self {
            points: vec![0.0; 3 * n_points],
            roles: vec![0.0; 3 * n_points],
            proprio: [0.0; N_PROPRIO],
            committed: Vec::new(),
        }
    }

    /// Tells a graph for this space what is decided already: as many of `actions` as it takes. Only a
    /// first call, or one for another space, allocates.
    pub fn commit(&mut self, actions: &[Action], space: &ActionSpace) {
        self.committed.clear();
        if space.max_committed == 0 {
            return;
        }
        for action in actions.iter().take(space.max_committed) {
            let (t, r) = (&action.translation, &action.rotation);
            let row = [t.x, t.y, t.z, r.x, r.y, r.z, action.gripper, 1.0];
            self.committed.extend(row.map(|value| value as f32));
        }
        self.committed.resize(N_COMMITTED * space.chunk, 0.0);
    }

    /// What the graph is fed with, in the order of [`Manifest::standard_graph`](crate::Manifest::standard_graph).
    pub(crate) fn in_order<'a>(&'a self, noise: &'a [f32]) -> [&'a [f32]; 5] {
        [
            &self.points,
            &self.roles,
            &self.proprio,
            noise,
            &self.committed,
        ]
    }

    /// Overwrites every value but `committed` from an observation, without allocating. On error the
    /// contents are unspecified.
    ///
    /// # Errors
    /// [`PolicyError::BadObservation`]; see [`observation_to_inputs`].
    pub fn fill(&mut self, observation: &Observation) -> Result<(), PolicyError> {
        check_cloud(observation)?;
        self.proprio = proprio(observation)?;
        let cloud = &observation.cloud;
        let n_rows = self.points.len() / 3;
        let n_used = n_rows.min(cloud.len());
        for row in 0..n_used {
            // Evenly spaced over the cloud's order: camera clouds come row by row, so every object
            // keeps its share of points, and equal clouds always give equal samples.
            let from = row * cloud.len() / n_used;
            self.points[3 * row..3 * row + 3].copy_from_slice(&cloud.points[from]);
            self.roles[3 * row..3 * row + 3].copy_from_slice(&one_hot(cloud.roles[from]));
        }
        // Padding sits where the tool is, so that it never looks like an object elsewhere.
        let tcp = [self.proprio[0], self.proprio[1], self.proprio[2]];
        for row in self.points[3 * n_used..].chunks_exact_mut(3) {
            row.copy_from_slice(&tcp);
        }
        self.roles[3 * n_used..].fill(0.0);
        Ok(())
    }
}

/// The graph's inputs for one observation, with `n_points` rows and nothing committed.
///
/// A cloud of 1 to `n_points` points is padded with rows at the TCP position whose roles are all
/// zero; a larger one, up to a million points, is thinned evenly in its order.
///
/// # Errors
/// [`PolicyError::BadObservation`] naming what is wrong: another frame than `base`, no point, more
/// than a million points, as many roles as points not given, a point (with its index) that is not
/// finite or over 10 m away, a tool pose or gripper value that is not finite.
pub fn observation_to_inputs(
    observation: &Observation,
    n_points: usize,
) -> Result<PolicyInputs, PolicyError> {
    let mut inputs = PolicyInputs::zeros(n_points);
    inputs.fill(observation)?;
    Ok(inputs)
}

fn refused<T>(reason: impl Into<String>) -> Result<T, PolicyError> {
    Err(PolicyError::BadObservation {
        reason: reason.into(),
    })
}

/// Refuses clouds in another frame than the robot's base.
pub(crate) fn check_frame(cloud: &PointCloud) -> Result<(), PolicyError> {
    if cloud.frame == "base" {
        return Ok(());
    }
    refused(format!(
        "the cloud is in frame {:?}, expected \"base\": transform it first",
        cloud.frame
    ))
}

fn check_cloud(observation: &Observation) -> Result<(), PolicyError> {
    let cloud = &observation.cloud;
    check_frame(cloud)?;
    if cloud.roles.len() != cloud.len() {
        return refused(format!(
            "{} points but {} roles",
            cloud.len(),
            cloud.roles.len()
        ));
    }
    if cloud.is_empty() {
        return refused("the cloud has no points: is the camera covered, or the crop empty?");
    }
    if cloud.len() > MAX_CLOUD {
        return refused(format!(
            "the cloud has {} points, at most {MAX_CLOUD} are taken; crop or thin it",
            cloud.len()
        ));
    }
    let is_bad = |p: &[f32; 3]| !p.iter().copied().all(is_near);
    if let Some(index) = cloud.points.iter().position(is_bad) {
        return refused(format!(
            "point {index} of {} is {:?} m: not finite or over {MAX_DISTANCE_M} m away",
            cloud.len(),
            cloud.points[index]
        ));
    }
    Ok(())
}

fn proprio(observation: &Observation) -> Result<[f32; N_PROPRIO], PolicyError> {
    let tcp = &observation.base_from_tcp;
    let rotation = tcp.rotation.to_rotation_matrix();
    let gripper = &observation.state.gripper;
    let values = [
        tcp.translation.x,
        tcp.translation.y,
        tcp.translation.z,
        rotation[(0, 0)],
        rotation[(1, 0)],
        rotation[(2, 0)],
        rotation[(0, 1)],
        rotation[(1, 1)],
        rotation[(2, 1)],
        gripper.width,
        gripper.commanded,
        f64::from(u8::from(gripper.is_grasping)),
    ]
    .map(|value| value as f32);
    if let Some(index) = values.iter().position(|v| !is_near(*v)) {
        return refused(format!(
            "{} is {}: not finite or out of any arm's range",
            PROPRIO_NAMES[index], values[index]
        ));
    }
    Ok(values)
}

/// False for NaN and infinity too.
fn is_near(value: f32) -> bool {
    value.abs() <= MAX_DISTANCE_M
}

fn one_hot(role: Role) -> [f32; 3] {
    match role {
        Role::Target => [1.0, 0.0, 0.0],
        Role::Receptacle => [0.0, 1.0, 0.0],
        Role::Other => [0.0, 0.0, 1.0],
    }
}
