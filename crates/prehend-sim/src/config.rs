//! Scene files: what stands on the table, who looks at it, how long an episode lasts.

use std::path::Path;

use prehend_cloud::{Crop, Quotas};
use prehend_types::config::{self, ConfigError};
use serde::{Deserialize, Serialize};

use crate::SimError;
use crate::objects::ObjectRanges;
use crate::randomise::RandomiseConfig;
use crate::tasks::{
    ClearConfig, CubeConfig, DrawerConfig, GridConfig, PegConfig, PickPlace, PushTConfig,
    StackConfig, TaskKind,
};

/// A scene file, `scenes/*.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SceneConfig {
    /// Name for reports and episode files.
    pub name: String,
    /// The part of the table that is used.
    pub table: TableConfig,
    /// What is drawn for the objects; `pick_place` needs it.
    #[serde(default)]
    pub objects: Option<ObjectRanges>,
    /// How many, and how far apart; `pick_place` needs it.
    #[serde(default)]
    pub clutter: Option<ClutterConfig>,
    /// What is drawn for the cube; `lift` needs it.
    #[serde(default)]
    pub cube: Option<CubeConfig>,
    /// What is drawn for the cubes; `stack` needs it.
    #[serde(default)]
    pub stack: Option<StackConfig>,
    /// The cabinet; `drawer` needs it.
    #[serde(default)]
    pub drawer: Option<DrawerConfig>,
    /// The T and where it goes; `push_t` needs it.
    #[serde(default)]
    pub push_t: Option<PushTConfig>,
    /// What is drawn for the peg and its hole; `peg` needs it.
    #[serde(default)]
    pub peg: Option<PegConfig>,
    /// The part of the benchmark of 4,352 combinations; `grid` needs it.
    #[serde(default)]
    pub grid: Option<GridConfig>,
    /// What lies on the table, and where it goes; `clear` needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear: Option<ClearConfig>,
    /// What is drawn anew for every episode beside the scene; nothing by default.
    #[serde(default)]
    pub randomise: Option<RandomiseConfig>,
    /// Depth cameras on stands; their clouds are joined.
    pub cameras: Vec<CameraConfig>,
    /// Image noise, the same for all cameras.
    pub noise: NoiseConfig,
    /// What is kept of the clouds.
    pub cloud: CloudConfig,
    /// The task.
    pub task: TaskConfig,
}

/// The part of the table that is used. The table's top is the plane z = 0 of the base frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// Where object and receptacle centres may be, base frame, m: lowest and highest x.
    pub x_m: [f64; 2],
    /// Lowest and highest y.
    pub y_m: [f64; 2],
    /// Friction coefficient of the table.
    pub friction: f64,
}

/// How many objects, and how far apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClutterConfig {
    /// Fewest and most objects beside the target.
    pub distractors: [usize; 2],
    /// Free space between any two footprints, m.
    pub gap_m: f64,
    /// Free radius around the target's centre, so that open fingers fit, m.
    pub target_clear_radius_m: f64,
    /// Fewest points of the target that the cameras must see at the start.
    pub min_target_points: usize,
}

/// A pinhole depth camera on a stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    /// Columns.
    pub width_px: usize,
    /// Rows.
    pub height_px: usize,
    /// Horizontal field of view.
    pub fov_deg: f64,
    /// Where it stands, base frame, m.
    pub position_m: [f64; 3],
    /// What it looks at, base frame, m.
    pub look_at_m: [f64; 3],
    /// Standard deviation of the stand's placement from one episode to the next, known to the
    /// robot, m.
    pub placement_sigma_m: f64,
    /// Standard deviation of what calibration got wrong, unknown to the robot, m.
    pub extrinsic_sigma_m: f64,
    /// The same for rotation, about each axis.
    pub extrinsic_sigma_deg: f64,
}

/// Depth noise. All zero is a perfect camera; each part is off while its key is zero or absent.
///
/// Axial noise that grows with the distance squared: Khoshelham and Elberink 2012, "Accuracy and
/// resolution of Kinect depth data", eq. 9; lateral noise: Nguyen, Izadi and Lovell 2012, "Modeling Kinect
/// sensor noise", who find 0.8 px of a 640 px image. Pixels are those of the simulated image: a key in
/// pixels of a sensor with four times the columns is divided by four.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseConfig {
    /// Standard deviation at any distance, m.
    pub sigma_m: f64,
    /// Standard deviation that grows with the distance squared, m per m².
    pub sigma_per_m2: f64,
    /// Standard deviation of where a pixel looks, along each image axis, pixels; no ray strays by more
    /// than three of them. Breaks up outlines.
    #[serde(default, skip_serializing_if = "is_off")]
    pub lateral_sigma_px: f64,
    /// Distance from the first eye of a stereo camera to the second, along camera x, m.
    #[serde(default, skip_serializing_if = "is_off")]
    pub baseline_m: f64,
    /// Disparities come in steps of this size, pixels; depths z then in steps of
    /// z² step / (focal baseline). Needs `baseline_m`.
    #[serde(default, skip_serializing_if = "is_off")]
    pub disparity_step_px: f64,
    /// Whether points that the second eye does not see measure nothing. Needs `baseline_m`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stereo_shadow: bool,
    /// Share of all pixels that measure nothing.
    pub dropout: f64,
    /// Depth step between neighbours that counts as an edge, m.
    pub edge_step_m: f64,
    /// Share of edge pixels that measure nothing.
    pub edge_holes: f64,
}

fn is_off(value: &f64) -> bool {
    *value == 0.0
}

/// What is kept of the clouds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudConfig {
    /// The workspace, base frame.
    pub crop: Crop,
    /// Points kept per role when there are too many; their sum is the size of the cloud.
    pub quotas: Quotas,
    /// Whether the cloud is what a camera gives, with the table in it and every point as `other`: nothing says
    /// what is the target, what the receptacle. False by default.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unmarked: bool,
}

/// What is to be done, and when an episode ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// Which task.
    #[serde(default)]
    pub kind: TaskKind,
    /// Longest episode.
    pub time_limit_s: f64,
    /// How long the target must lie still, released, in the receptacle.
    pub rest_s: f64,
    /// Fastest that counts as lying still.
    pub rest_speed_m_per_s: f64,
}

/// Farthest that a kept point may be from the base along each axis, m: training keeps 16 bits of it.
const REACH: f32 = 1.6;

impl SceneConfig {
    /// Reads and checks a scene file.
    ///
    /// # Errors
    /// [`SimError::Config`], naming file, line or field.
    pub fn load(path: &Path) -> Result<Self, SimError> {
        let scene: Self = config::load(path)?;
        scene.check(path)?;
        Ok(scene)
    }

    /// A section that the task does not read is a mistake, and nobody would check it.
    fn check_sections(&self, path: &Path) -> Result<(), ConfigError> {
        let kind = self.task.kind;
        let sections = [
            ("objects", self.objects.is_some(), TaskKind::PickPlace),
            ("clutter", self.clutter.is_some(), TaskKind::PickPlace),
            ("cube", self.cube.is_some(), TaskKind::Lift),
            ("stack", self.stack.is_some(), TaskKind::Stack),
            ("drawer", self.drawer.is_some(), TaskKind::Drawer),
            ("push_t", self.push_t.is_some(), TaskKind::PushT),
            ("peg", self.peg.is_some(), TaskKind::Peg),
            ("grid", self.grid.is_some(), TaskKind::Grid),
            ("clear", self.clear.is_some(), TaskKind::Clear),
        ];
        for (name, is_there, owner) in sections {
            let message = "is not read by this file's task; take it out";
            config::require(!is_there || owner == kind, path, name, message)?;
        }
        Ok(())
    }

    fn check(&self, path: &Path) -> Result<(), SimError> {
        range(path, "table.x_m", self.table.x_m, 0.2, 0.8)?;
        range(path, "table.y_m", self.table.y_m, -0.6, 0.6)?;
        within(path, "table.friction", self.table.friction, 0.0, 2.0)?;
        match self.task.kind {
            TaskKind::Lift => CubeConfig::check(self.cube.as_ref(), path)?,
            TaskKind::PickPlace => PickPlace::check(self, path)?,
            TaskKind::Stack => StackConfig::check(self.stack.as_ref(), path)?,
            TaskKind::Drawer => DrawerConfig::check(self.drawer.as_ref(), path)?,
            TaskKind::Grid => GridConfig::check(self.grid.as_ref(), path)?,
            TaskKind::Peg => PegConfig::check(self.peg.as_ref(), path)?,
            TaskKind::PushT => PushTConfig::check(self.push_t.as_ref(), path)?,
            TaskKind::Clear => ClearConfig::check(self.clear.as_ref(), path)?,
        }
        self.check_sections(path)?;
        if let Some(randomise) = &self.randomise {
            randomise.check(path)?;
        }
        let within = |field: &str, value: f64, least: f64, most: f64| {
            within(path, field, value, least, most)
        };
        config::require(
            (1..=4).contains(&self.cameras.len()),
            path,
            "cameras",
            "needs one to four `[[cameras]]`",
        )?;
        for (index, camera) in self.cameras.iter().enumerate() {
            let field = |name: &str| format!("cameras[{index}].{name}");
            for (name, pixels, most) in [
                ("width_px", camera.width_px, 1280),
                ("height_px", camera.height_px, 1024),
            ] {
                let message =
                    format!("is {pixels}; an image has 8 to 1280 columns and 8 to 1024 rows");
                config::require((8..=most).contains(&pixels), path, &field(name), message)?;
            }
            within(&field("fov_deg"), camera.fov_deg, 10.0, 120.0)?;
            for (name, value, most) in [
                ("placement_sigma_m", camera.placement_sigma_m, 0.2),
                ("extrinsic_sigma_m", camera.extrinsic_sigma_m, 0.05),
                ("extrinsic_sigma_deg", camera.extrinsic_sigma_deg, 5.0),
            ] {
                within(&field(name), value, 0.0, most)?;
            }
            let apart = (0..3)
                .map(|axis| camera.position_m[axis] - camera.look_at_m[axis])
                .fold(0.0, |sum, d| sum + d * d);
            config::require(
                camera
                    .position_m
                    .iter()
                    .chain(&camera.look_at_m)
                    .all(|v| v.abs() < 5.0)
                    && apart > 1e-4,
                path,
                &field("position_m"),
                "needs finite coordinates under 5 m, and another place than look_at_m",
            )?;
        }
        within("noise.sigma_m", self.noise.sigma_m, 0.0, 0.05)?;
        within("noise.sigma_per_m2", self.noise.sigma_per_m2, 0.0, 0.05)?;
        within(
            "noise.lateral_sigma_px",
            self.noise.lateral_sigma_px,
            0.0,
            3.0,
        )?;
        within("noise.baseline_m", self.noise.baseline_m, 0.0, 0.5)?;
        within(
            "noise.disparity_step_px",
            self.noise.disparity_step_px,
            0.0,
            2.0,
        )?;
        for (field, is_on) in [
            (
                "noise.disparity_step_px",
                self.noise.disparity_step_px > 0.0,
            ),
            ("noise.stereo_shadow", self.noise.stereo_shadow),
        ] {
            config::require(
                !is_on || self.noise.baseline_m >= 0.001,
                path,
                field,
                "needs `noise.baseline_m`, at least 0.001",
            )?;
        }
        within("noise.dropout", self.noise.dropout, 0.0, 1.0)?;
        within("noise.edge_step_m", self.noise.edge_step_m, 0.0, 1.0)?;
        within("noise.edge_holes", self.noise.edge_holes, 0.0, 1.0)?;
        config::require(
            (1..=32_768).contains(&self.cloud.quotas.total()),
            path,
            "cloud.quotas",
            "needs 1 to 32768 points in all",
        )?;
        let crop = &self.cloud.crop;
        let bounds = || crop.min_m.iter().zip(&crop.max_m);
        config::require(
            bounds().all(|(low, high)| low < high && low.abs() <= REACH && high.abs() <= REACH),
            path,
            "cloud.crop",
            "needs min_m < max_m in every coordinate, all within 1.6 m of the base",
        )?;
        within("task.time_limit_s", self.task.time_limit_s, 1.0, 120.0)?;
        within("task.rest_s", self.task.rest_s, 0.05, 5.0)?;
        within(
            "task.rest_speed_m_per_s",
            self.task.rest_speed_m_per_s,
            1e-4,
            0.1,
        )?;
        Ok(())
    }

    /// Fewest points of the target that the cameras must see at the start.
    pub(crate) fn min_target_points(&self) -> usize {
        let clutter = self.clutter.as_ref();
        clutter.map_or(0, |clutter| clutter.min_target_points)
    }
}

/// A section that a task cannot do without.
pub(crate) fn needed<'a, T>(
    section: Option<&'a T>,
    path: &Path,
    name: &str,
    kind: TaskKind,
) -> Result<&'a T, ConfigError> {
    section.ok_or_else(|| ConfigError::Value {
        path: path.to_owned(),
        field: name.to_owned(),
        message: format!("the task {kind:?} needs a section [{name}]"),
    })
}

/// Refuses a range that is not ordered or leaves `least` to `most`.
pub(crate) fn range(
    path: &Path,
    field: &str,
    [low, high]: [f64; 2],
    least: f64,
    most: f64,
) -> Result<(), ConfigError> {
    config::require(
        low >= least && low <= high && high <= most,
        path,
        field,
        format!("needs {least} <= low <= high <= {most}, got [{low}, {high}]"),
    )
}

/// Refuses a number outside `least` to `most`.
pub(crate) fn within(
    path: &Path,
    field: &str,
    value: f64,
    least: f64,
    most: f64,
) -> Result<(), ConfigError> {
    config::require(
        value >= least && value <= most,
        path,
        field,
        format!("needs {least} to {most}, got {value}"),
    )
}
