//! Put a square peg into a square hole from the side, after ManiSkill's PegInsertionSide.

mod draw;
mod expert;
mod judge;

use std::path::Path;
use std::sync::Arc;

use nalgebra::{Point3, Vector3};
use prehend_types::config::{self, ConfigError};
use prehend_types::{Action, Pose, Role};
use serde::{Deserialize, Serialize};

use super::shared::near;
use super::{Episode, Facts, Memory, Task, TaskKind, TaskStatus, Variant};
use crate::SceneConfig;
use crate::config::{needed, range, within};
use crate::objects::FamilySet;
use crate::objects::build::block;
use crate::scene::{Body, BodyMotion, Scene};

/// Index of the peg among the bodies.
const PEG: usize = 0;
/// Thickness of the box that has the hole, m: the peg comes out at its back.
const WALL: f64 = 0.05;
/// Half the width and height of the box, m: the hole's middle is this high over the table.
const HALF_BOX: f64 = 0.075;
/// The peg lies on the table at the start: its centre is no higher than half its width and this, m.
const LYING: f64 = 0.004;

/// Ranges that every peg is drawn from. The scene file's `table` says where its middle may lie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PegConfig {
    /// Length, m: lowest and highest.
    pub length_m: [f64; 2],
    /// Width of its square section, m: lowest and highest.
    pub width_m: [f64; 2],
    /// Free space between peg and hole on each of the four sides, m.
    pub clearance_m: f64,
    /// How far the peg's head must be inside, m.
    pub depth_m: f64,
    /// Most that the peg is turned away from the base's y axis, to either side.
    pub max_yaw_deg: f64,
    /// Where the hole's mouth may be along the base's x axis, m: lowest and highest.
    pub hole_x_m: [f64; 2],
    /// The same along y.
    pub hole_y_m: [f64; 2],
    /// Most that the hole is turned away from the base's y axis, to either side.
    pub hole_max_yaw_deg: f64,
    /// Mass, kg: lowest and highest.
    pub mass_kg: [f64; 2],
    /// Friction coefficient: lowest and highest.
    pub friction: [f64; 2],
}

impl PegConfig {
    /// Refuses values that make no peg, or one that cannot be put in.
    pub(crate) fn check(section: Option<&Self>, path: &Path) -> Result<(), ConfigError> {
        let peg = needed(section, path, "peg", TaskKind::Peg)?;
        let range = |name: &str, value: [f64; 2], least: f64, most: f64| {
            range(path, &format!("peg.{name}"), value, least, most)
        };
        let within = |name: &str, value: f64, least: f64, most: f64| {
            within(path, &format!("peg.{name}"), value, least, most)
        };
        range("length_m", peg.length_m, 0.14, 0.28)?;
        range("width_m", peg.width_m, 0.02, 0.06)?;
        within("clearance_m", peg.clearance_m, 0.000_5, 0.02)?;
        within("depth_m", peg.depth_m, 0.005, WALL)?;
        within("max_yaw_deg", peg.max_yaw_deg, 0.0, 80.0)?;
        range("hole_x_m", peg.hole_x_m, 0.3, 0.65)?;
        range("hole_y_m", peg.hole_y_m, -0.1, 0.35)?;
        within("hole_max_yaw_deg", peg.hole_max_yaw_deg, 0.0, 40.0)?;
        range("mass_kg", peg.mass_kg, 0.01, 1.0)?;
        range("friction", peg.friction, 0.0, 2.0)?;
        config::require(
            0.5 * peg.width_m[1] + peg.clearance_m < 0.8 * HALF_BOX,
            path,
            "peg.clearance_m",
            format!(
                "leaves no wall around the hole: half a width and it need < {}",
                0.8 * HALF_BOX
            ),
        )
    }
}

/// The task `peg`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Peg;

impl Task for Peg {
    fn draw(
        &self,
        config: &SceneConfig,
        _families: FamilySet,
        seed: u64,
        attempt: u64,
    ) -> Option<Arc<dyn Episode>> {
        Some(Arc::new(PegEpisode::draw(config, seed, attempt)?))
    }
}

/// One drawn peg and its hole.
///
/// The peg's frame is at its middle, x along it to its head. The hole's frame is at the middle of its
/// mouth, x inwards, z up.
#[derive(Debug, Clone, PartialEq)]
pub struct PegEpisode {
    scene: Scene,
    base_from_hole: Pose,
    half_length: f64,
    half_width: f64,
    clearance: f64,
    depth: f64,
}

/// Where a peg is, seen from the hole.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fit {
    /// How far the head is inside, m; negative in front of the hole.
    depth: f64,
    /// How far the head's middle is beside the hole's axis, along its worse side, m.
    aside: f64,
    /// Angle between peg and hole, the four quarter turns of a square being equal, rad.
    askew: f64,
}

impl PegEpisode {
    fn head(&self) -> Point3<f64> {
        Point3::new(self.half_length, 0.0, 0.0)
    }

    fn fit(&self, base_from_peg: &Pose) -> Fit {
        let hole_from_peg = self.base_from_hole.inv_mul(base_from_peg);
        let head = hole_from_peg * self.head();
        let goal = self.base_from_hole * self.inserted(base_from_peg, 0.0);
        Fit {
            depth: head.x,
            aside: head.y.abs().max(head.z.abs()),
            askew: goal.rotation.angle_to(&base_from_peg.rotation),
        }
    }

    /// The peg in the hole's frame with its head `depth` inside, rolled about its axis to the quarter
    /// turn nearest to how it is.
    fn inserted(&self, base_from_peg: &Pose, depth: f64) -> Pose {
        let up = (self.base_from_hole.inv_mul(base_from_peg)).rotation * Vector3::z();
        let quarter = std::f64::consts::FRAC_PI_2;
        let roll = quarter * (libm::atan2(-up.y, up.z) / quarter).round();
        Pose::from_parts(
            nalgebra::Translation3::new(depth - self.half_length, 0.0, 0.0),
            nalgebra::UnitQuaternion::from_axis_angle(&Vector3::x_axis(), roll),
        )
    }
}

fn parts_of_peg(half_length: f64, half_width: f64) -> Vec<crate::objects::Part> {
    let [length, width] = [2.0 * half_length, 2.0 * half_width];
    vec![block([length, width, width], [0.0, 0.0, -half_width])]
}

/// Four boards around a square hole; their frame is the hole's.
fn parts_of_box(half_hole: f64) -> Vec<crate::objects::Part> {
    let (middle, whole, hole) = (0.5 * WALL, 2.0 * HALF_BOX, 2.0 * half_hole);
    let rim = HALF_BOX - half_hole;
    let beside = half_hole + 0.5 * rim;
    vec![
        block([WALL, rim, whole], [middle, beside, -HALF_BOX]),
        block([WALL, rim, whole], [middle, -beside, -HALF_BOX]),
        block([WALL, hole, rim], [middle, 0.0, -HALF_BOX]),
        block([WALL, hole, rim], [middle, 0.0, half_hole]),
    ]
}

impl Episode for PegEpisode {
    fn scene(&self) -> &Scene {
        &self.scene
    }

    fn instruction(&self) -> String {
        "put the peg into the hole".to_owned()
    }

    fn variant(&self) -> Variant {
        Variant {
            name: "peg",
            is_held_out: false,
        }
    }

    fn accepts(&self, facts: &Facts<'_>) -> bool {
        let peg = facts.bodies.get(PEG);
        peg.is_some_and(|peg| {
            let height = peg.base_from_body.translation.z;
            (height - self.half_width).abs() < LYING && self.fit(&peg.base_from_body).depth < 0.0
        })
    }

    fn judge(&self, facts: &Facts<'_>, memory: &mut Memory) -> TaskStatus {
        let Some(peg) = facts.bodies.get(PEG) else {
            return TaskStatus::default();
        };
        judge::step(self, &facts.config.task, peg, facts.steps, memory)
    }

    /// A quarter each for reaching the peg, holding it, lining it up, and putting it in.
    fn progress(&self, facts: &Facts<'_>, status: &TaskStatus) -> f64 {
        let Some(peg) = facts.bodies.get(PEG).filter(|_| !status.success) else {
            return f64::from(u8::from(status.success));
        };
        let at = peg.base_from_body.translation.vector;
        let reach = near((facts.base_from_tcp().translation.vector - at).norm());
        let fit = self.fit(&peg.base_from_body);
        let is_in = judge::is_in(self, &fit);
        let held = f64::from(u8::from(facts.touches(PEG) == [true; 2] || is_in));
        let lined_up = near(judge::way(&fit) + 0.1 * fit.askew);
        let inside = if is_in {
            (fit.depth / self.depth).min(1.0)
        } else {
            0.0
        };
        0.24 * (reach + held + held * lined_up + held * inside)
    }

    fn expert(&self, facts: &Facts<'_>, base_from_tcp_d: &Pose) -> Action {
        expert::next_action(self, facts, base_from_tcp_d)
    }
}

fn fixed_box(base_from_hole: Pose, half_hole: f64, friction: f64) -> Body {
    Body {
        parts: parts_of_box(half_hole),
        role: Role::Receptacle,
        motion: BodyMotion::Fixed,
        mass: 0.0,
        friction,
        base_from_body: base_from_hole,
    }
}
