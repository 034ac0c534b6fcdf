//! `robot.toml` as written: everything that a URDF cannot say.

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_types::Pose;
use serde::Deserialize;

use crate::{GripperSpec, LinkShape, Shape};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RobotSpec {
    pub name: String,
    pub base_link: String,
    pub tcp_link: String,
    pub tcp: TcpSpec,
    pub joint: Vec<JointSpec>,
    pub gripper: Option<GripperToml>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TcpSpec {
    pub run_speed_m_per_s: f64,
    pub teach_speed_m_per_s: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JointSpec {
    pub name: String,
    pub home_rad: f64,
    pub max_acceleration_rad_per_s2: f64,
    pub max_jerk_rad_per_s3: f64,
    #[serde(default)]
    pub armature_kg_m2: f64,
    /// Without it speed near a stop is what the acceleration can still brake.
    pub envelope: Option<EnvelopeSpec>,
}

/// How a joint's speed must fall towards both of its stops, as [`crate::VelocityEnvelope`] says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnvelopeSpec {
    pub offset_rad_per_s: f64,
    pub deceleration_rad_per_s2: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GripperToml {
    pub hand_link: String,
    pub max_width_m: f64,
    pub speed_m_per_s: f64,
    pub max_speed_m_per_s: f64,
    pub force_n: f64,
    #[serde(default = "default_max_turns_per_s")]
    pub max_turns_per_s: f64,
    pub left: FingerToml,
    pub right: FingerToml,
    #[serde(default)]
    pub self_collision_capsule: Vec<CapsuleToml>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FingerToml {
    pub joint: String,
    pub pad_center_m: [f64; 3],
    pub pad_size_m: [f64; 3],
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CapsuleToml {
    pub center_m: [f64; 3],
    pub axis: Axis,
    pub radius_m: f64,
    pub length_m: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Axis {
    X,
    Y,
    Z,
}

const fn default_max_turns_per_s() -> f64 {
    GripperSpec::MAX_TURNS_PER_S
}

impl FingerToml {
    pub fn pad(&self) -> LinkShape {
        LinkShape {
            link_from_shape: Pose::from_parts(
                Translation3::from(Vector3::from(self.pad_center_m)),
                UnitQuaternion::identity(),
            ),
            shape: Shape::Cuboid {
                half_extents: Vector3::from(self.pad_size_m) / 2.0,
            },
        }
    }
}

impl CapsuleToml {
    pub fn shape(&self) -> LinkShape {
        let quarter = std::f64::consts::FRAC_PI_2;
        let rotation = match self.axis {
            Axis::X => UnitQuaternion::from_axis_angle(&Vector3::y_axis(), quarter),
            Axis::Y => UnitQuaternion::from_axis_angle(&Vector3::x_axis(), -quarter),
            Axis::Z => UnitQuaternion::identity(),
        };
        LinkShape {
            link_from_shape: Pose::from_parts(
                Translation3::from(Vector3::from(self.center_m)),
                rotation,
            ),
            shape: Shape::Capsule {
                radius: self.radius_m,
                half_length: self.length_m / 2.0,
            },
        }
    }
}
