//! Two fixed workloads for simulators: an arm that moves at random over a resting cube, and one that
//! reaches, closes, lifts and holds. Both are joint targets at 20 Hz, and the same that the rivals get.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prehend_sim::{FamilySet, PhysicsSettings, SceneConfig, World};
use prehend_types::config::{self, locate};
use prehend_types::{GripperCommand, JointCommand, JointPositions, Pose};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use crate::exit::Failure;
use crate::workcell::Workcell;

/// Control steps per episode.
pub const EPISODE: usize = 50;
/// Physics steps per control step of 50 ms.
const TICKS: usize = 10;
/// Largest distance of a random target from home, rad.
const RANDOM: f64 = 0.1;
/// The cube counts as lifted when its centre is higher than this, m.
const LIFTED: f64 = 0.1;

/// Which motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Random targets around home.
    Random,
    /// The grasp.
    Grasp,
}

impl Workload {
    /// Name in rows and in the rivals' arguments.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Grasp => "grasp",
        }
    }
}

/// The grasp's joint targets, as the rivals' file has them.
#[derive(Debug, Clone, Deserialize)]
struct GraspPath {
    q_start_rad: Vec<f64>,
    q_rad: Vec<Vec<f64>>,
    opening: Vec<f64>,
    lift_step: usize,
}

/// The cell that is measured in, ready to start episodes.
pub struct Rig {
    start: World,
    grasp_start: World,
    q_start: JointPositions,
    targets: Vec<(JointPositions, f64)>,
    lift_step: usize,
}

/// How a held cube behaves.
#[derive(Debug, Clone, Copy)]
pub struct Hold {
    /// Whether it was up in the end.
    pub lifted: bool,
    /// How far it moved in the hand from the start of the lift to the end of the episode, mm.
    pub slip_mm: f64,
    /// The same over a hold of 5 s after it, mm.
    pub hold_slip_mm: f64,
    /// Where the cube is after it, base frame, m.
    pub end: [f64; 3],
}

/// Most that a cube slips in a hold of 5 s under equal accuracy, mm.
const MOST_SLIP: f64 = 0.1;
/// Farthest that it ends from the reference, mm.
const FARTHEST: f64 = 1.0;

impl Hold {
    /// How far from another one's the cube ends, mm.
    #[must_use]
    pub fn mm_from(&self, reference: &Self) -> f64 {
        let off = self.end.iter().zip(reference.end);
        let squares: f64 = off.map(|(own, other)| (own - other).powi(2)).sum();
        squares.sqrt() * 1e3
    }

    /// Whether the grasp is within the bounds of equal accuracy.
    #[must_use]
    pub fn is_accurate(&self, reference: &Self) -> bool {
        self.lifted && self.hold_slip_mm < MOST_SLIP && self.mm_from(reference) < FARTHEST
    }
}

impl Rig {
    /// Reads the scene of one cube and the grasp's path.
    ///
    /// # Errors
    /// A file was refused.
    pub fn open(
        cell: &Workcell,
        rivals: &Path,
        settings: &PhysicsSettings,
    ) -> Result<Self, Failure> {
        let scene = Arc::new(SceneConfig::load(&locate("scenes/lift.toml")?)?);
        let file = rivals.join("grasp_path.json");
        let refuse = |error: &dyn std::fmt::Display| {
            Failure::bad_input(format!("{}: {error}", file.display()))
        };
        let text = config::read(&file)?;
        let path: GraspPath = serde_json::from_str(&text).map_err(|error| refuse(&error))?;
        let joints = |q: &Vec<f64>| JointPositions::from_slice(q).map_err(|error| refuse(&error));
        let q_start = joints(&path.q_start_rad)?;
        let qs = path
            .q_rad
            .iter()
            .map(joints)
            .collect::<Result<Vec<_>, _>>()?;
        if qs.len() != EPISODE || path.opening.len() != EPISODE || path.lift_step >= EPISODE {
            return Err(refuse(&format!("it must hold {EPISODE} control steps")));
        }
        let families = FamilySet::Train;
        let start = World::with_settings(&cell.robot, &scene, 0, families, settings)?;
        let mut grasp_start = start.clone();
        grasp_start.place_arm(&q_start)?;
        Ok(Self {
            start,
            grasp_start,
            q_start,
            targets: qs.into_iter().zip(path.opening).collect(),
            lift_step: path.lift_step,
        })
    }

    /// Runs one episode; returns the time that stepping took.
    #[must_use]
    pub fn episode(&self, workload: Workload, seed: u64) -> Duration {
        let mut world = match workload {
            Workload::Random => self.start.clone(),
            Workload::Grasp => self.grasp_start.clone(),
        };
        let started = Instant::now();
        match workload {
            Workload::Random => self.random(&mut world, seed),
            Workload::Grasp => self.grasp(&mut world, |_, _| {}),
        }
        std::hint::black_box(world.hash());
        started.elapsed()
    }

    fn random(&self, world: &mut World, seed: u64) {
        let home = *self.start.robot().home();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut from = home;
        for _ in 0..EPISODE {
            let mut to = home;
            for q in to.iter_mut() {
                *q += rng.random_range(-RANDOM..=RANDOM);
            }
            control_step(world, &from, &to, 1.0);
            from = to;
        }
    }

    fn grasp(&self, world: &mut World, mut on_step: impl FnMut(usize, &World)) {
        let mut from = self.q_start;
        for (index, (to, opening)) in self.targets.iter().enumerate() {
            on_step(index, world);
            control_step(world, &from, to, *opening);
            from = *to;
        }
    }

    /// Whether the grasp holds, and how well.
    #[must_use]
    pub fn hold(&self) -> Hold {
        let mut world = self.grasp_start.clone();
        let mut at_lift = None;
        self.grasp(&mut world, |index, world| {
            if index == self.lift_step {
                at_lift = cube_in_tool(world);
            }
        });
        let at_end = cube_in_tool(&world);
        let height = world.body_pose(0).map_or(0.0, |pose| pose.translation.z);
        if let Some((q, opening)) = self.targets.last() {
            for _ in 0..100 {
                control_step(&mut world, q, q, *opening);
            }
        }
        let millimetres = |before: Option<Pose>, after: Option<Pose>| {
            let (before, after) = (before?.translation.vector, after?.translation.vector);
            Some((after - before).norm() * 1e3)
        };
        Hold {
            lifted: height > LIFTED,
            slip_mm: millimetres(at_lift, at_end).unwrap_or(f64::NAN),
            hold_slip_mm: millimetres(at_end, cube_in_tool(&world)).unwrap_or(f64::NAN),
            end: world
                .body_pose(0)
                .map_or([f64::NAN; 3], |pose| pose.translation.vector.into()),
        }
    }
}

fn cube_in_tool(world: &World) -> Option<Pose> {
    let base_from_tool = world.robot().forward(&world.robot_state().q);
    Some(base_from_tool.inv_mul(&world.body_pose(0)?))
}

/// 50 ms on a straight line in joint space, as a position interface is fed.
fn control_step(world: &mut World, from: &JointPositions, to: &JointPositions, opening: f64) {
    let mut command = JointCommand {
        q_d: *to,
        dq_d: world.robot_state().dq,
        gripper: GripperCommand { opening },
    };
    let speeds = command.dq_d.iter_mut();
    for ((speed, from), to) in speeds.zip(from.iter()).zip(to.iter()) {
        *speed = (to - from) / (TICKS as f64 * World::DT);
    }
    for tick in 1..=TICKS {
        let share = tick as f64 / TICKS as f64;
        for ((q, from), to) in command.q_d.iter_mut().zip(from.iter()).zip(to.iter()) {
            *q = from + (to - from) * share;
        }
        world.write(&command);
        world.step();
    }
}
