//! Policies that are replaced while the arm moves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nalgebra::Vector3;
use prehend_control::Mode;
use prehend_policy::{PolicySlot, SwapEvent, SwapTerms};
use prehend_robot::Robot;
use prehend_types::{
    Action, ActionChunk, GripperState, JointVelocities, Observation, PointCloud, Policy,
    PolicyError, RobotState, Stamp,
};

use crate::Lab;
use crate::fault::{Finding, Outcome};
use crate::sim::{MS, Offer, Pilot, START, Setup, World};

type Failure = Box<dyn std::error::Error>;

/// When the candidate is offered: the arm has moved for a second.
const OFFERED: u64 = START + 1000 * MS;
/// Looks of the candidate beside the running policy, and with the other one standing by.
const LOOKS: u32 = 5;

/// Carries the tool to and fro along one axis, and fails from its `fails_at`th look on.
struct Carries {
    name: &'static str,
    along: Vector3<f64>,
    looks: u32,
    fails_at: u32,
}

impl Carries {
    fn boxed(name: &'static str, along: Vector3<f64>, fails_at: u32) -> Box<Self> {
        Box::new(Self {
            name,
            along,
            looks: 0,
            fails_at,
        })
    }
}

impl Policy for Carries {
    fn name(&self) -> &str {
        self.name
    }

    fn reset(&mut self, _: u64) {}

    fn act(&mut self, seen: &Observation) -> Result<ActionChunk, PolicyError> {
        self.looks += 1;
        let side = if self.looks % 8 < 4 { 1.0 } else { -1.0 };
        let way = if self.looks < self.fails_at {
            side * 0.01
        } else {
            f64::NAN
        };
        let action = Action {
            translation: self.along * way,
            ..Action::hold(1.0)
        };
        let dt = Duration::from_millis(50);
        ActionChunk::new(seen.stamp, dt, 4, &[action; 8]).map_err(|error| PolicyError::Inference {
            reason: error.to_string(),
        })
    }
}

/// What came of a swap, for whoever looks at the world meanwhile.
#[derive(Debug, Default)]
struct Log {
    events: Vec<(u64, SwapEvent)>,
    /// Who made each chunk.
    makers: Vec<String>,
}

/// What the policies are shown: they do not look.
fn observation(robot: &Robot, stamp: Stamp) -> Option<Observation> {
    Some(Observation {
        stamp,
        cloud: PointCloud {
            stamp,
            frame: "base".to_owned(),
            points: Vec::new(),
            roles: Vec::new(),
        },
        state: RobotState {
            stamp,
            q: *robot.home(),
            dq: JointVelocities::zeros(robot.n_joints()).ok()?,
            gripper: GripperState {
                width: 0.08,
                commanded: 1.0,
                is_grasping: false,
            },
        },
        base_from_tcp: robot.forward(robot.home()),
        committed: prehend_types::Actions::new(),
    })
}

/// A slot as the policy node steps it: a chunk every 200 ms, and a candidate between two of them.
fn swapping(robot: Arc<Robot>, candidate: Box<dyn Policy>, log: Arc<Mutex<Log>>) -> Pilot {
    let mut slot = PolicySlot::new(Carries::boxed("along y", Vector3::y(), u32::MAX));
    let mut candidate = Some(candidate);
    let mut next = 0;
    Box::new(move |at: Stamp| {
        let now = at.as_nanos();
        if now < next {
            return None;
        }
        next = now + 200 * MS;
        if now >= OFFERED
            && let Some(candidate) = candidate.take()
        {
            let terms = SwapTerms {
                shadow_looks: LOOKS,
                probation_looks: LOOKS,
                ..SwapTerms::default()
            };
            // Nothing else is being changed.
            let _ = slot.offer(candidate, terms);
        }
        // The candidate looks on in a thread of its own; the arm's clock stands meanwhile.
        let begun = Instant::now();
        while slot.is_candidate_looking() && begun.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        let events = slot.take_events();
        log.events
            .extend(events.into_iter().map(|event| (now, event)));
        let seen = observation(&robot, at)?;
        let chunk = slot.act(&seen).ok()?;
        slot.shadow(&seen, &chunk);
        log.makers.push(slot.name().to_owned());
        Some(Offer::Tool(chunk))
    })
}

/// What one swap came to.
struct Swap {
    events: Vec<&'static str>,
    makers: Vec<String>,
    /// Speed of the fastest joint when the candidate took over, rad/s; none if it did not.
    speed: Option<f64>,
    /// How far the tool went along the candidate's axis after everything was decided, m.
    way: f64,
    mode: Mode,
    world: World,
}

fn run(lab: &Lab, fails_at: u32) -> Result<Swap, Failure> {
    let setup = Setup::new(lab.robot("fr3")?, lab.seed);
    let robot = Arc::clone(&setup.robot);
    let log = Arc::<Mutex<Log>>::default();
    let candidate = Carries::boxed("along z", Vector3::z(), fails_at);
    let pilot = swapping(Arc::clone(&robot), candidate, Arc::clone(&log));
    let mut world = World::new(&setup, pilot)?;
    let (mut speed, mut heights) = (None, [f64::INFINITY, f64::NEG_INFINITY]);
    for ms in 0..8000u64 {
        world.step();
        let log = log.lock().unwrap_or_else(PoisonError::into_inner);
        let accepted = |(_, event): &(u64, SwapEvent)| matches!(event, SwapEvent::Accepted { .. });
        if speed.is_none() && log.events.iter().any(accepted) {
            speed = Some(world.speed());
        }
        if ms >= 6000 {
            let height = robot.forward(&world.arm.state.q).translation.z;
            heights = [heights[0].min(height), heights[1].max(height)];
        }
    }
    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
    let name = |(_, event): &(u64, SwapEvent)| match event {
        SwapEvent::Accepted { .. } => "accepted",
        SwapEvent::Refused { .. } => "refused",
        SwapEvent::RolledBack { .. } => "rolled back",
        SwapEvent::Settled { .. } => "settled",
    };
    Ok(Swap {
        events: log.events.iter().map(name).collect(),
        makers: log.makers.clone(),
        speed,
        way: heights[1] - heights[0],
        mode: world.pc.controller.mode(),
        world,
    })
}

/// How often the chunk's maker changed from one to the next.
fn changes(makers: &[String]) -> usize {
    makers.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// P12.
pub(super) fn while_moving(lab: &Lab) -> Outcome {
    let swap = run(lab, u32::MAX)?;
    // A candidate that looks well, takes over, and fails two looks later.
    let short_lived = run(lab, LOOKS + 3)?;
    let mut pass = true;
    for (swap, events, n_changes, goes_up) in [
        (&swap, ["accepted", "settled"], 1, true),
        (&short_lived, ["accepted", "rolled back"], 2, false),
    ] {
        let account = swap.world.account();
        pass &= swap.events == events
            && changes(&swap.makers) == n_changes
            && swap.speed.is_some_and(|speed| speed > 0.01)
            && (swap.way > 0.02) == goes_up
            && swap.mode == Mode::Tracking
            && swap.world.pc.refused == 0
            && account.is_clean()
            && account.stops == 0;
    }
    let shown = |swap: &Swap| {
        format!(
            "{} at {:.2} rad/s, {} chunks refused, then {:.0} mm up and down; {}",
            swap.events.join(", "),
            swap.speed.unwrap_or(f64::NAN),
            swap.world.pc.refused,
            swap.way * 1e3,
            swap.world.account()
        )
    };
    Ok(Finding::new(
        pass,
        format!(
            "to a policy that moves up and down: {}; to one that then fails: {}",
            shown(&swap),
            shown(&short_lived)
        ),
    ))
}

/// P13.
pub(super) fn refused(lab: &Lab) -> Outcome {
    let swap = run(lab, 1)?;
    let account = swap.world.account();
    let keeps = changes(&swap.makers) == 0 && swap.way < 0.02;
    Ok(Finding::new(
        swap.events == ["refused"]
            && keeps
            && swap.mode == Mode::Tracking
            && swap.world.pc.refused == 0
            && account.is_clean()
            && account.stops == 0,
        format!(
            "one whose chunks are not finite is {} while it looks on; all {} chunks are the old one's; {account}",
            swap.events.join(", "),
            swap.makers.len()
        ),
    ))
}
