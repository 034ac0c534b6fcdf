//! Guesses which joints form the arm and which frame is the tool; holds all other joints still.

use nalgebra::{Translation3, Unit, UnitQuaternion};
use prehend_types::{MAX_JOINTS, Pose};

use super::gripper::{self, GripperPlan};
use super::model::Model;
use super::{ImportOptions, tool};
use crate::RobotError;
use crate::intake::{Intake, Weight};
use crate::urdf::{JointKind, UrdfJoint};

/// Words in joints' names that only hands have.
const HAND_WORDS: [&str; 4] = ["finger", "jaw", "knuckle", "thumb"];

/// What the robot will consist of.
pub(super) struct Plan {
    pub base: String,
    pub tcp: String,
    pub arm: Vec<ArmJoint>,
    pub gripper: Option<GripperPlan>,
}

pub(super) struct ArmJoint {
    pub name: String,
    pub home: f64,
    pub is_prismatic: bool,
    pub armature: f64,
}

impl Plan {
    /// Names of the joints that move.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let fingers = self
            .gripper
            .iter()
            .flat_map(|g| [&g.left.joint, &g.right.joint]);
        let arm = self.arm.iter().map(|joint| &joint.name);
        arm.chain(fingers).map(String::as_str)
    }
}

/// Decides, and changes the model accordingly: joints beside the arm become fixed.
pub(super) fn plan(
    model: &mut Model,
    options: &ImportOptions,
    intake: &mut Intake,
) -> Result<Plan, RobotError> {
    let pairs = gripper::pairs(model);
    let tip = match &options.tcp_link {
        Some(name) => tool::named(model, name)?,
        None => deepest(model, &pairs)?,
    };
    let tcp = match &options.tcp_link {
        Some(_) => tip,
        None => tool::behind(model, tip, &pairs),
    };
    let path = path_to(model, tcp);
    let base = base(model, options, &path)?;
    let arm: Vec<usize> = joints_on(model, &path, base);
    if arm.is_empty() {
        let message = format!(
            "no joint moves \"{}\"; name the tool with the option tcp_link",
            model.urdf.links[tcp].name
        );
        return Err(model.place.error("joints", message));
    }
    if arm.len() > MAX_JOINTS {
        let message = format!(
            "{} joints move \"{}\", an arm has at most {MAX_JOINTS}; name another tool or base with the \
             options tcp_link and base_link",
            arm.len(),
            model.urdf.links[tcp].name
        );
        return Err(model.place.error("joints", message));
    }
    let pair = (pairs.into_iter()).find(|pair| is_fixed_behind(model, pair.hand, &arm));
    let mut plan = Plan {
        base: model.urdf.links[base].name.clone(),
        tcp: model.urdf.links[tcp].name.clone(),
        arm: arm.iter().map(|idx| arm_joint(model, *idx)).collect(),
        gripper: None,
    };
    if let Some(pair) = pair {
        plan.gripper = Some(gripper::plan(model, &pair));
        if tcp == pair.hand && options.tcp_link.is_none() {
            plan.tcp = tool::between_pads(model, &plan);
        }
    }
    hold_others(model, &plan, intake)?;
    Ok(plan)
}

/// The first link with most moving joints before it.
///
/// Joints of hands do not count: pairs of fingers, those that follow or lead others, and those whose
/// names say so. The last two count after all if nothing else moves.
fn deepest(model: &Model, pairs: &[gripper::Pair]) -> Result<usize, RobotError> {
    let joints = &model.urdf.joints;
    let leads = |joint: &UrdfJoint| {
        let mut mimics = joints.iter().filter_map(|other| other.mimic.as_ref());
        mimics.any(|mimic| mimic.joint == joint.name)
    };
    let is_named = |joint: &UrdfJoint| {
        let name = joint.name.to_ascii_lowercase();
        // `to_gripper` may be a wrist, `gripper` is what opens.
        name.starts_with("gripper") || HAND_WORDS.iter().any(|word| name.contains(word))
    };
    let find = |counts_all: bool| {
        let mut counts = vec![0_usize; model.urdf.links.len()];
        let mut best = (0, 0);
        for (joint_idx, joint) in joints.iter().enumerate() {
            let is_finger = pairs.iter().any(|pair| pair.joints.contains(&joint_idx));
            let counts_here = joint.kind != JointKind::Fixed
                && joint.mimic.is_none()
                && !is_finger
                && (counts_all || !leads(joint) && !is_named(joint));
            // Parents come before children.
            let parent = model.urdf.link_idx(&joint.parent).unwrap_or(0);
            let count = counts[parent] + usize::from(counts_here);
            counts[joint_idx + 1] = count;
            if count > best.1 {
                best = (joint_idx + 1, count);
            }
        }
        (best.1 > 0).then_some(best.0)
    };
    find(false).or_else(|| find(true)).ok_or_else(|| {
        model.place.error(
            "joints",
            "no joint moves on its own; an arm needs 1 to 8 revolute or prismatic joints",
        )
    })
}

/// Links from the root to one of them.
fn path_to(model: &Model, link_idx: usize) -> Vec<usize> {
    let mut path = vec![link_idx];
    let mut at = link_idx;
    while let Some(joint_idx) = model.joint_to(at) {
        at = model
            .urdf
            .link_idx(&model.urdf.joints[joint_idx].parent)
            .unwrap_or(0);
        path.push(at);
    }
    path.reverse();
    path
}

fn base(model: &Model, options: &ImportOptions, path: &[usize]) -> Result<usize, RobotError> {
    if let Some(name) = &options.base_link {
        let found = path
            .iter()
            .copied()
            .find(|idx| model.urdf.links[*idx].name == *name);
        return found.ok_or_else(|| {
            let names: Vec<_> = path
                .iter()
                .map(|idx| &model.urdf.links[*idx].name)
                .collect();
            let message =
                format!("\"{name}\" is not on the way to the tool; links there are {names:?}");
            model.place.error("base_link", message)
        });
    }
    // The world is where robots stand, not part of one.
    let is_world = |idx: usize| model.urdf.links[idx].name == "world";
    match path {
        [root, next, ..]
            if is_world(*root) && model.urdf.joints[next - 1].kind == JointKind::Fixed =>
        {
            Ok(*next)
        }
        [root, ..] => Ok(*root),
        [] => Ok(0),
    }
}

/// Moving joints on the path behind the base.
fn joints_on(model: &Model, path: &[usize], base: usize) -> Vec<usize> {
    path.iter()
        .skip_while(|idx| **idx != base)
        .skip(1)
        .map(|link_idx| link_idx - 1)
        .filter(|joint_idx| model.urdf.joints[*joint_idx].kind != JointKind::Fixed)
        .collect()
}

/// Whether nothing moves between the arm's last joint and this link.
fn is_fixed_behind(model: &Model, link_idx: usize, arm: &[usize]) -> bool {
    let moving = path_to(model, link_idx)
        .into_iter()
        .filter_map(|idx| model.joint_to(idx))
        .rev()
        .find(|idx| model.urdf.joints[*idx].kind != JointKind::Fixed);
    moving.is_some() && moving == arm.last().copied()
}

fn arm_joint(model: &mut Model, joint_idx: usize) -> ArmJoint {
    let joint = &model.urdf.joints[joint_idx];
    let name = joint.name.clone();
    let (lower, upper) = joint.limit.map_or((0.0, 0.0), |l| (l.lower, l.upper));
    let (is_prismatic, armature) = (joint.kind == JointKind::Prismatic, joint.dynamics.armature);
    let home = match model.home.get(&name) {
        Some(home) if (lower..=upper).contains(home) => *home,
        Some(home) => {
            let inside = home.clamp(lower, upper);
            let why = format!("the key `home` has {home}, beyond its limits");
            model.assume(&name, format!("home {inside}"), why);
            inside
        }
        None => {
            let middle = f64::midpoint(lower, upper);
            let why = "the middle of its range; write a pose that is clear of table and robot";
            model.assume(&name, format!("home {middle}"), why);
            middle
        }
    };
    ArmJoint {
        name,
        home,
        is_prismatic,
        armature,
    }
}

/// Makes every moving joint that is neither of the arm nor a finger fixed, where it stands at home.
fn hold_others(model: &mut Model, plan: &Plan, intake: &mut Intake) -> Result<(), RobotError> {
    let value_of = |name: &str, joints: &[UrdfJoint]| -> f64 {
        if let Some(joint) = plan.arm.iter().find(|joint| joint.name == name) {
            return joint.home;
        }
        let limit = joints.iter().find(|j| j.name == name).and_then(|j| j.limit);
        let home = model.home.get(name).copied().unwrap_or(0.0);
        limit.map_or(home, |limit| home.clamp(limit.lower, limit.upper))
    };
    for idx in 0..model.urdf.joints.len() {
        let joint = &model.urdf.joints[idx];
        let is_kept = plan.names().any(|name| name == joint.name);
        if joint.kind == JointKind::Fixed || is_kept {
            continue;
        }
        let value = match &joint.mimic {
            Some(mimic) => {
                mimic.multiplier * value_of(&mimic.joint, &model.urdf.joints) + mimic.offset
            }
            None => value_of(&joint.name, &model.urdf.joints),
        };
        let what = match &joint.mimic {
            Some(mimic) => format!("follows \"{}\"", mimic.joint),
            None => "moves".to_owned(),
        };
        let why = format!(
            "{what}, but is neither on the way to the tool nor one of two prismatic fingers; held at {value}"
        );
        intake.drop(joint.place.dropped(Weight::Loss, why))?;
        let joint = &mut model.urdf.joints[idx];
        joint.parent_from_joint *= motion(joint, value);
        joint.kind = JointKind::Fixed;
        joint.limit = None;
        joint.mimic = None;
    }
    Ok(())
}

/// What a joint does at a position.
pub(super) fn motion(joint: &UrdfJoint, value: f64) -> Pose {
    match joint.kind {
        JointKind::Fixed => Pose::identity(),
        JointKind::Prismatic => Translation3::from(joint.axis * value).into(),
        JointKind::Revolute => Pose::from_parts(
            Translation3::identity(),
            UnitQuaternion::from_axis_angle(&Unit::new_normalize(joint.axis), value),
        ),
    }
}
