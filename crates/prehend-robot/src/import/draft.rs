//! A draft of `robot.toml`: the values that are used, and which of them are guesses.

use std::fmt::Write as _;

use super::arm::{ArmJoint, Plan};
use super::gripper::{FingerPlan, GripperPlan};
use super::model::Model;
use super::{Assumed, ImportOptions};

/// Speeds of the tool for a robot that nobody has tried yet, m/s.
const RUN_SPEED: f64 = 0.5;
const TEACH_SPEED: f64 = 0.25;
/// Usual speed of a gripper's width unless its limit is lower, m/s.
const GRIPPER_SPEED: f64 = 0.1;

/// Text that [`Robot::load`](crate::Robot::load) reads.
pub(super) fn robot_toml(model: &Model, plan: &Plan, options: &ImportOptions) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, model, plan, options);
    out
}

fn write(
    out: &mut String,
    model: &Model,
    plan: &Plan,
    options: &ImportOptions,
) -> std::fmt::Result {
    let name = &model.name;
    writeln!(
        out,
        "# A draft, made by importing a model. Position, speed and torque limits stand in robot.urdf."
    )?;
    writeln!(
        out,
        "# Compare every value with the maker's data before a real arm is run with it."
    )?;
    writeln!(out)?;
    writeln!(out, "name = {}", quoted(name))?;
    writeln!(out, "base_link = {}", quoted(&plan.base))?;
    about(out, model, "")?;
    writeln!(out, "tcp_link = {}", quoted(&plan.tcp))?;
    writeln!(out)?;
    writeln!(out, "# Guesses: cautious speeds of the tool centre point.")?;
    writeln!(out, "[tcp]")?;
    writeln!(out, "run_speed_m_per_s = {RUN_SPEED:?}")?;
    writeln!(out, "teach_speed_m_per_s = {TEACH_SPEED:?}")?;
    writeln!(out)?;
    writeln!(
        out,
        "# Joints of the arm, base to tip; m instead of rad on prismatic joints."
    )?;
    writeln!(
        out,
        "# Guesses: acceleration and jerk limits, which no model file has."
    )?;
    for arm_joint in &plan.arm {
        joint(out, model, arm_joint, options)?;
    }
    if let Some(plan) = &plan.gripper {
        gripper(out, model, plan)?;
    }
    Ok(())
}

fn joint(
    out: &mut String,
    model: &Model,
    joint: &ArmJoint,
    options: &ImportOptions,
) -> std::fmt::Result {
    let defaults = &options.defaults;
    let (acceleration, jerk) = if joint.is_prismatic {
        (defaults.acceleration_m_per_s2, defaults.jerk_m_per_s3)
    } else {
        (defaults.acceleration_rad_per_s2, defaults.jerk_rad_per_s3)
    };
    writeln!(out, "[[joint]]")?;
    writeln!(out, "name = {}", quoted(&joint.name))?;
    about(out, model, &joint.name)?;
    writeln!(out, "home_rad = {:?}", joint.home)?;
    writeln!(out, "max_acceleration_rad_per_s2 = {acceleration:?}")?;
    writeln!(out, "max_jerk_rad_per_s3 = {jerk:?}")?;
    writeln!(out, "armature_kg_m2 = {:?}", joint.armature)?;
    writeln!(out)
}

fn gripper(out: &mut String, model: &Model, plan: &GripperPlan) -> std::fmt::Result {
    let GripperPlan {
        max_width,
        max_speed,
        force,
        ..
    } = plan;
    about(out, model, &plan.left.joint)?;
    writeln!(out, "[gripper]")?;
    writeln!(out, "hand_link = {}", quoted(&plan.hand))?;
    writeln!(out, "max_width_m = {max_width:?}")?;
    writeln!(out, "speed_m_per_s = {:?}", max_speed.min(GRIPPER_SPEED))?;
    writeln!(out, "max_speed_m_per_s = {max_speed:?}")?;
    writeln!(out, "force_n = {force:?}")?;
    writeln!(out)?;
    finger(out, "left", &plan.left)?;
    about(out, model, &plan.right.joint)?;
    finger(out, "right", &plan.right)
}

fn finger(out: &mut String, side: &str, finger: &FingerPlan) -> std::fmt::Result {
    let [center, size] = [finger.pad_center, finger.pad_size].map(|v| [v.x, v.y, v.z]);
    writeln!(out, "[gripper.{side}]")?;
    writeln!(out, "joint = {}", quoted(&finger.joint))?;
    writeln!(out, "pad_center_m = {center:?}")?;
    writeln!(out, "pad_size_m = {size:?}")?;
    writeln!(out)
}

/// What was assumed about a joint, as comments.
fn about(out: &mut String, model: &Model, of: &str) -> std::fmt::Result {
    for Assumed { what, why, .. } in model.assumed.iter().filter(|assumed| assumed.of == of) {
        let line = format!("{what}: {why}");
        let line: String = line
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        writeln!(out, "# Guess: {line}.")?;
    }
    Ok(())
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
