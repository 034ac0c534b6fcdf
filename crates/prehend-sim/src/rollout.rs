//! One episode: a pilot, the controller that drives the real arm, and a world, in lock step.

use std::time::Duration;

use nalgebra::Vector3;
use prehend_control::ControlConfig;
use prehend_types::{
    Action, ActionChunk, Commitment, Decision, Policy, Stamp, Stream, derive_seed,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::arm_loop::{ACTION_DT, ArmLoop};
use crate::guard::guard;
use crate::pilots::Expert;
use crate::{ArmMode, Failure, SimError, TaskStatus, World};

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
    /// Fastest turn about the tool's axis, rad/s.
    pub max_turn_rad_per_s: f64,
    /// Fastest tilt of the tool's axis, rad/s.
    pub max_tilt_rad_per_s: f64,
}

impl Default for Disturbance {
    fn default() -> Self {
        Self {
            chance: 0.04,
            actions: [4, 10],
            max_speed_m_per_s: 0.12,
            max_turn_rad_per_s: 0.8,
            max_tilt_rad_per_s: 0.2,
        }
    }
}

/// How often and how long a policy has the arm in [`Pilot::Mixed`] episodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Handover {
    /// Chance that the expert hands over at any of its actions.
    pub chance: f64,
    /// Actions that the policy keeps the arm: fewest and most. Long enough to get lost in, for those
    /// are the states that the expert must show the way out of.
    pub actions: [usize; 2],
}

impl Default for Handover {
    fn default() -> Self {
        Self {
            chance: 0.02,
            actions: [6, 90],
        }
    }
}

/// Actions of 50 ms between an observation and the plan made from it: fewest and most, drawn anew for each
/// look. The arm meanwhile follows the plan before, or stands where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delay {
    /// Fewest.
    pub least: u8,
    /// Most; at least `least`.
    pub most: u8,
}

impl Delay {
    fn draw(self, rng: &mut ChaCha8Rng) -> usize {
        usize::from(rng.random_range(self.least..=self.most.max(self.least)))
    }
}

/// How an episode is run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RolloutConfig {
    /// Disturbances; only the expert's demonstrations use them.
    pub disturbance: Option<Disturbance>,
    /// Turns of the policy in mixed episodes.
    pub handover: Handover,
    /// How long a policy takes to answer.
    pub delay: Delay,
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
    /// What was decided here beyond the action; `None` while an earlier decision is carried out.
    pub decision: Option<Decision>,
    /// Hash of the world after the action.
    pub hash: u64,
}

/// How far apart the plan before and the next one were, where one took over from the other in mid-motion. The
/// controller fades such a step out.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Seams {
    /// How many there were.
    pub n: u64,
    /// All of them together, m.
    pub sum_m: f64,
    /// The widest, m.
    pub widest_m: f64,
}

impl Seams {
    fn add(&mut self, width_m: f64) {
        self.merge(Self {
            n: 1,
            sum_m: width_m,
            widest_m: width_m,
        });
    }

    /// These and others.
    pub fn merge(&mut self, other: Self) {
        self.n += other.n;
        self.sum_m += other.sum_m;
        self.widest_m = self.widest_m.max(other.widest_m);
    }
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
    /// How the arm was simulated.
    pub arm: ArmMode,
    /// How well its plans fitted together.
    pub seams: Seams,
}

impl EpisodeResult {
    fn diverged(world: &World, n_actions: usize, seams: Seams) -> Self {
        Self {
            success: false,
            failure: Some(Failure::Diverged),
            duration_s: world.now().seconds_since(Stamp::ZERO),
            n_actions,
            arm: world.arm_mode(),
            seams,
        }
    }
}

/// Runs one episode to success, failure or the time limit.
///
/// `on_step` sees every action after it was carried out. Without a delay the steps replay.
///
/// A world that panics ends its episode as [`Failure::Diverged`].
///
/// # Errors
/// [`SimError::Policy`] if the policy gives up, [`SimError::Control`] if the arm cannot be commanded,
/// [`SimError::NoExpert`] if the pilot is an expert and the task has none.
pub fn rollout(
    world: &mut World,
    mut pilot: Pilot<'_>,
    config: &RolloutConfig,
    on_step: &mut dyn FnMut(&RolloutStep),
) -> Result<EpisodeResult, SimError> {
    let mut arm = ArmLoop::new(world, &config.control)?;
    if !matches!(pilot, Pilot::Policy(_)) && !world.episode().has_expert() {
        return Err(SimError::NoExpert {
            scene: world.config().name.clone(),
        });
    }
    let seed = world.scene().seed;
    if let Pilot::Policy(policy) | Pilot::Mixed(policy) = &mut pilot {
        policy.reset(derive_seed(seed, Stream::Policy, 0));
    }
    let mut pushes = Pushes::new(seed, config.disturbance);
    let mut turns = Bursts::new(seed, config.handover.chance, config.handover.actions);
    let mut delays = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Delay, 0));
    let mut commitment = Commitment::default();
    let mut seams = Seams::default();
    let mut n_actions = 0;
    loop {
        let tcp = arm.base_from_tcp_d();
        let is_policy = match &pilot {
            Pilot::Expert => false,
            Pilot::Policy(_) => true,
            Pilot::Mixed(_) => turns.is_on(),
        };
        let (chunk, is_expert, delay) = match &mut pilot {
            Pilot::Policy(policy) | Pilot::Mixed(policy) if is_policy => {
                let Some(mut seen) = guard(|| world.observe()) else {
                    return Ok(EpisodeResult::diverged(world, n_actions, seams));
                };
                seen.committed = commitment.actions(seen.stamp);
                (policy.act(&seen)?, false, config.delay.draw(&mut delays))
            }
            _ => {
                let wanted = Expert.next_action(world, &tcp);
                let push = match &pilot {
                    Pilot::Expert => pushes.next(wanted.gripper),
                    _ => None,
                };
                let action = push.unwrap_or(wanted);
                (bridge(world, action)?, push.is_none(), 0)
            }
        };
        let mut decision = Some(Decision::of(&chunk));
        let mut chunk = Some(chunk);
        for waited in 0.. {
            if waited >= delay {
                if let Some(chunk) = chunk.take() {
                    let report = arm.accept(&chunk, world)?;
                    if commitment.has_plan() {
                        seams.add(report.seam_m);
                    }
                    commitment.follow(chunk);
                    commitment.took(ACTION_DT * delay as u32);
                }
                if waited > 0 && world.now() >= commitment.next_look(Duration::ZERO) {
                    break;
                }
            }
            let before = world.state_vector();
            let action = commitment.action_at(world.now());
            let status = guard(|| {
                arm.advance(world);
                arm.status(world)
            });
            n_actions += 1;
            turns.advance();
            let Some(TaskStatus { success, failure }) = status else {
                return Ok(EpisodeResult::diverged(world, n_actions, seams));
            };
            on_step(&RolloutStep {
                world: before,
                action,
                is_expert,
                decision: decision.take_if(|_| chunk.is_none()),
                hash: world.hash(),
            });
            if success || failure.is_some() {
                return Ok(EpisodeResult {
                    success,
                    failure,
                    duration_s: world.now().seconds_since(Stamp::ZERO),
                    n_actions,
                    arm: world.arm_mode(),
                    seams,
                });
            }
        }
    }
}

/// The expert decides anew for every action; the repetitions only keep the controller from slowing
/// down towards the end of a chunk that is about to be replaced.
fn bridge(world: &World, action: Action) -> Result<ActionChunk, SimError> {
    Ok(ActionChunk::new(world.now(), ACTION_DT, 1, &[action; 4])?)
}

/// Something that is off, comes on by chance, and stays on for a random number of actions.
struct Bursts {
    chance: f64,
    actions: [usize; 2],
    rng: ChaCha8Rng,
    left: usize,
}

impl Bursts {
    fn new(seed: u64, chance: f64, actions: [usize; 2]) -> Self {
        let stream = derive_seed(seed, Stream::Disturbance, 0);
        Self {
            chance,
            actions,
            rng: ChaCha8Rng::seed_from_u64(stream),
            left: 0,
        }
    }

    fn is_on(&self) -> bool {
        self.left > 0
    }

    /// Counts one action; returns whether a burst begins after it.
    fn advance(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        let begins = self.rng.random_bool(self.chance);
        if begins {
            let [fewest, most] = self.actions;
            self.left = self.rng.random_range(fewest..=most.max(fewest));
        }
        begins
    }
}

/// Bursts of disturbance.
struct Pushes {
    settings: Disturbance,
    bursts: Bursts,
    push: Action,
}

impl Pushes {
    fn new(seed: u64, settings: Option<Disturbance>) -> Self {
        let chance = settings.map_or(0.0, |settings| settings.chance);
        let settings = settings.unwrap_or_default();
        Self {
            settings,
            bursts: Bursts::new(seed, chance, settings.actions),
            push: Action::hold(1.0),
        }
    }

    /// The push for this action, if a burst is under way. The gripper does what the expert wants.
    fn next(&mut self, gripper: f64) -> Option<Action> {
        if self.bursts.advance() {
            self.push = self.draw();
        }
        self.bursts.is_on().then_some(Action {
            gripper,
            ..self.push
        })
    }

    /// Sideways and up (against the tool's z), about the tool's axis, and a little askew.
    fn draw(&mut self) -> Action {
        let dt = ACTION_DT.as_secs_f64();
        let Disturbance {
            max_speed_m_per_s: speed,
            max_turn_rad_per_s: turn,
            max_tilt_rad_per_s: tilt,
            ..
        } = self.settings;
        let rng = &mut self.bursts.rng;
        let mut draw = |most: f64| rng.random_range(-1.0..=1.0) * most * dt;
        Action {
            translation: Vector3::new(draw(speed), draw(speed), -draw(speed).abs()),
            rotation: Vector3::new(draw(tilt), draw(tilt), draw(turn)),
            gripper: 1.0,
        }
    }
}
