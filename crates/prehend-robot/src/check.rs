//! Values in `robot.toml` that parsed but make no sense.

use std::path::Path;

use prehend_types::config::{ConfigError, require};
use prehend_types::{JointPositions, MAX_JOINTS};

use crate::Limits;
use crate::spec::{GripperToml, RobotSpec};

/// Everything that can be said without the URDF.
pub(crate) fn numbers(spec: &RobotSpec, path: &Path) -> Result<(), ConfigError> {
    let positive = |field: &str, value: f64| {
        let message = format!("is {value}, must be finite and greater than 0");
        require(value.is_finite() && value > 0.0, path, field, message)
    };
    let not_negative = |field: &str, value: f64| {
        let message = format!("is {value}, must be finite and at least 0");
        require(value.is_finite() && value >= 0.0, path, field, message)
    };
    let has_name = !spec.name.trim().is_empty();
    require(
        has_name,
        path,
        "name",
        "is empty; logs and policy bundles refer to the robot by name",
    )?;
    positive("tcp.run_speed_m_per_s", spec.tcp.run_speed_m_per_s)?;
    positive("tcp.teach_speed_m_per_s", spec.tcp.teach_speed_m_per_s)?;
    let n_joints = spec.joint.len();
    require(
        (1..=MAX_JOINTS).contains(&n_joints),
        path,
        "joint",
        format!("{n_joints} joints are listed; an arm has 1 to {MAX_JOINTS}"),
    )?;
    for (idx, joint) in spec.joint.iter().enumerate() {
        let field = |key: &str| format!("joint[{idx}] (\"{}\").{key}", joint.name);
        positive(
            &field("max_acceleration_rad_per_s2"),
            joint.max_acceleration_rad_per_s2,
        )?;
        positive(&field("max_jerk_rad_per_s3"), joint.max_jerk_rad_per_s3)?;
        not_negative(&field("armature_kg_m2"), joint.armature_kg_m2)?;
        if let Some(envelope) = &joint.envelope {
            not_negative(
                &field("envelope.offset_rad_per_s"),
                envelope.offset_rad_per_s,
            )?;
            positive(
                &field("envelope.deceleration_rad_per_s2"),
                envelope.deceleration_rad_per_s2,
            )?;
        }
        let is_new = spec.joint[..idx]
            .iter()
            .all(|other| other.name != joint.name);
        require(is_new, path, &field("name"), "is listed twice; remove one")?;
    }
    spec.gripper
        .as_ref()
        .map_or(Ok(()), |gripper| self::gripper(gripper, path, &positive))
}

fn gripper(
    spec: &GripperToml,
    path: &Path,
    positive: &dyn Fn(&str, f64) -> Result<(), ConfigError>,
) -> Result<(), ConfigError> {
    positive("gripper.max_width_m", spec.max_width_m)?;
    positive("gripper.speed_m_per_s", spec.speed_m_per_s)?;
    positive("gripper.max_speed_m_per_s", spec.max_speed_m_per_s)?;
    positive("gripper.force_n", spec.force_n)?;
    positive("gripper.max_turns_per_s", spec.max_turns_per_s)?;
    require(
        spec.speed_m_per_s <= spec.max_speed_m_per_s,
        path,
        "gripper.speed_m_per_s",
        format!("is above max_speed_m_per_s {}", spec.max_speed_m_per_s),
    )?;
    for (name, finger) in [("left", &spec.left), ("right", &spec.right)] {
        for size in finger.pad_size_m {
            positive(&format!("gripper.{name}.pad_size_m"), size)?;
        }
        let is_finite = finger.pad_center_m.iter().all(|v| v.is_finite());
        require(
            is_finite,
            path,
            &format!("gripper.{name}.pad_center_m"),
            "must be finite",
        )?;
    }
    for capsule in &spec.self_collision_capsule {
        positive("gripper.self_collision_capsule.radius_m", capsule.radius_m)?;
        positive("gripper.self_collision_capsule.length_m", capsule.length_m)?;
        let is_finite = capsule.center_m.iter().all(|v| v.is_finite());
        require(
            is_finite,
            path,
            "gripper.self_collision_capsule.center_m",
            "must be finite",
        )?;
    }
    Ok(())
}

/// Home lies inside the limits of the URDF; also what catches degrees in a radian field.
pub(crate) fn home(
    spec: &RobotSpec,
    limits: &Limits,
    home: &JointPositions,
    path: &Path,
) -> Result<(), ConfigError> {
    for (idx, (joint, q)) in spec.joint.iter().zip(home.iter()).enumerate() {
        let (min, max) = (limits.q_min[idx], limits.q_max[idx]);
        require(
            *q >= min && *q <= max,
            path,
            &format!("joint[{idx}] (\"{}\").home_rad", joint.name),
            format!("is {q}, outside the limits [{min}, {max}] of robot.urdf"),
        )?;
    }
    Ok(())
}

/// An envelope leaves some speed where it leaves most, in the middle of the range.
pub(crate) fn envelopes(spec: &RobotSpec, limits: &Limits, path: &Path) -> Result<(), ConfigError> {
    for (idx, joint) in spec.joint.iter().enumerate() {
        let Some(envelope) = &joint.envelope else {
            continue;
        };
        let (min, max) = (limits.q_min[idx], limits.q_max[idx]);
        let (_, speed) = limits.velocity_range(idx, 0.5 * (min + max));
        require(
            speed > 0.0,
            path,
            &format!(
                "joint[{idx}] (\"{}\").envelope.offset_rad_per_s",
                joint.name
            ),
            format!(
                "is {}, which leaves no speed even in the middle between the stops {min} and {max}; lower it",
                envelope.offset_rad_per_s
            ),
        )?;
    }
    Ok(())
}
