//! One episode: a pilot, the controller that drives the real arm, and a world, in lock step.

use std::time::Duration;

use prehend_control::{ControlConfig, Controller, Mode};
use prehend_types::{Action, ActionChunk, Policy, Stamp, Stream, derive_seed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::pilots::Expert;
use crate::{Failure, SimError, World};

/// Length of one action, s.
const ACTION_DT: Duration = Duration::from_millis(50);
/// Physics steps, which are also control ticks, in one action.
const TICKS: usize = 10;

/// Who decides.
pub enum Pilot<'a> {
    /// The scripted expert, from the simulator's state.
    Expert,
    /// A policy, from observations.
    Policy(&'a mut dyn Policy),
    /// The expert, but every now and then the policy has the arm for a while: shows the expert the
    /// states that this policy gets into (DAgger, Ross et al. 2011, with whole segments).
    Mixed(&'a mut dyn Policy),
}

/// Pushes that make an expert show how to recover (DART, Laskey et al. 2017, in bursts).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disturbance {
    /// Chance that a burst starts at any action.
    pub chance: f64,
    /// Actions that a burst lasts: fewest and most.
    pub actions: [usize; 2],
    /// Fastest push, m/s.
    pub max_speed_m_per_s: f64,
    /// Fastest turn, rad/s.
    pub max_turn_rad_per_s: f64,
}

impl Default for Disturbance {
    fn default() -> Self {
        Self {
            chance: 0.04,
            actions: [4, 10],
            max_speed_m_per_s: 0.12,
            max_turn_rad_per_s: 0.8,
        }
    }
}

/// How an episode is run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RolloutConfig {
    /// Disturbances; only the expert's demonstrations use them.
    pub disturbance: Option<Disturbance>,
    /// Settings of the controller. Its rate is that of the physics here.
    pub control: ControlConfig,
}

/// One action of 50 ms, as it is stored.
#[derive(Debug, Clone)]
pub struct RolloutStep {
    /// The world before the action.
    pub world: Vec<f32>,
    /// What was done.
    pub action: Action,
    /// Whether the expert decided it: only those are imitated.
    pub is_expert: bool,
    /// Hash of the world after the action.
    pub hash: u64,
}

/// How an episode ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpisodeResult {
    /// The target lay in the receptacle, released and at rest.
    pub success: bool,
    /// Why not.
    pub failure: Option<Failure>,
    /// Simulated time, s.
    pub duration_s: f64,
    /// Actions of 50 ms.
    pub n_actions: usize,
}

/// Runs one episode to success, failure or the time limit.
///
/// `on_step` sees every action after it was carried out.
///
/// # Errors
/// [`SimError::Policy`] if the policy gives up, [`SimError::Control`] if the arm cannot be commanded.
pub fn rollout(
    world: &mut World,
    mut pilot: Pilot<'_>,
    config: &RolloutConfig,
    on_step: &mut dyn FnMut(&RolloutStep),
) -> Result<EpisodeResult, SimError> {
    let control = ControlConfig {
        rate_hz: 1.0 / World::DT,
        ..config.control
    };
    let refuse = |reason: String| SimError::Control { reason };
    let mut controller = Controller::new(world.robot().clone(), control)
        .map_err(|error| refuse(error.to_string()))?;
    controller
        .arm(&world.robot_state())
        .map_err(|error| refuse(error.to_string()))?;
    let seed = world.scene().seed;
    if let Pilot::Policy(policy) | Pilot::Mixed(policy) = &mut pilot {
        policy.reset(derive_seed(seed, Stream::Policy, 0));
    }
    let mut pushes = Pushes::new(seed, config.disturbance);
    let mut n_actions = 0;
    loop {
        let tcp = *controller.base_from_tcp_d();
        let (chunk, is_expert) = match &mut pilot {
            Pilot::Policy(policy) => (policy.act(&world.observe())?, false),
            Pilot::Mixed(policy) if pushes.is_pushing() => {
                pushes.skip();
                (policy.act(&world.observe())?, false)
            }
            Pilot::Expert | Pilot::Mixed(_) => {
                let wanted = Expert.next_action(world, &tcp);
                let push = if matches!(pilot, Pilot::Mixed(_)) {
                    pushes.skip();
                    None
                } else {
                    pushes.next(wanted.gripper)
                };
                let action = push.unwrap_or(wanted);
                (
                    bridge(world, action).map_err(|e| refuse(e.to_string()))?,
                    push.is_none(),
                )
            }
        };
        if let Err(error) = controller.accept(&chunk, world.now()) {
            return Err(refuse(error.to_string()));
        }
        let n_execute = chunk.n_action_steps.clamp(1, chunk.actions().len().max(1));
        for action in &chunk.actions()[..n_execute.min(chunk.actions().len())] {
            let before = world.state_vector();
            for _ in 0..TICKS {
                let tick = controller.tick(&world.robot_state(), world.now());
                world.write(&tick.command);
                world.step();
            }
            n_actions += 1;
            on_step(&RolloutStep {
                world: before,
                action: *action,
                is_expert,
                hash: world.hash(),
            });
            let task = world.task();
            let stopped = (controller.mode() == Mode::Stopped).then_some(Failure::ArmStopped);
            let failure = task.failure.or(stopped);
            if task.success || failure.is_some() {
                return Ok(EpisodeResult {
                    success: task.success,
                    failure: if task.success { None } else { failure },
                    duration_s: world.now().seconds_since(Stamp::ZERO),
                    n_actions,
                });
            }
        }
    }
}

/// The expert decides anew for every action; the repetitions only keep the controller from slowing
/// down towards the end of a chunk that is about to be replaced.
fn bridge(world: &World, action: Action) -> Result<ActionChunk, prehend_types::ChunkTooLong> {
    ActionChunk::new(world.now(), ACTION_DT, 1, &[action; 4])
}

/// Bursts of disturbance, or segments that a policy has the arm.
struct Pushes {
    settings: Disturbance,
    enabled: bool,
    rng: ChaCha8Rng,
    left: usize,
    push: Action,
}

impl Pushes {
    fn new(seed: u64, settings: Option<Disturbance>) -> Self {
        let stream = derive_seed(seed, Stream::Disturbance, 0);
        Self {
            settings: settings.unwrap_or_default(),
            enabled: settings.is_some(),
            rng: ChaCha8Rng::seed_from_u64(stream),
            left: 0,
            push: Action::hold(1.0),
        }
    }

    fn is_pushing(&self) -> bool {
        self.left > 0
    }

    /// Counts one action, and perhaps starts a burst.
    fn skip(&mut self) {
        if self.left > 0 {
            self.left -= 1;
        } else if self.enabled && self.rng.random_bool(self.settings.chance) {
            let [fewest, most] = self.settings.actions;
            self.left = self.rng.random_range(fewest..=most.max(fewest));
            let dt = ACTION_DT.as_secs_f64();
            let (speed, turn) = (
                self.settings.max_speed_m_per_s,
                self.settings.max_turn_rad_per_s,
            );
            let rng = &mut self.rng;
            let mut draw = |most: f64| rng.random_range(-1.0..=1.0) * most * dt;
            // Sideways, up (against the tool's z), and about the tool's axis.
            self.push = Action {
                translation: nalgebra::Vector3::new(draw(speed), draw(speed), -draw(speed).abs()),
                rotation: nalgebra::Vector3::new(0.0, 0.0, draw(turn)),
                gripper: 1.0,
            };
        }
    }

    /// The push for this action, if a burst is under way. The gripper does what the expert wants.
    fn next(&mut self, gripper: f64) -> Option<Action> {
        self.skip();
        self.is_pushing().then_some(Action {
            gripper,
            ..self.push
        })
    }
}
