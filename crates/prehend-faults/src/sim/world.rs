//! One logical clock over controller, link and driver.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use prehend_control::{
    ControlConfig, ControlError, Controller, JointBounds, gripper_turns, joint_bounds,
};
use prehend_drivers::{ShellConfig, arm_id};
use prehend_link::Received;
use prehend_link::messages::{JointCommand, RobotStatus};
use prehend_robot::Robot;
use prehend_types::{GripperState, JointPositions, JointVelocities, RobotState, Stamp};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Account, Arm, Channel, Judge, Pc, Pilot, Rules, Weather};

/// One millisecond, the step of the clock, ns.
pub(crate) const MS: u64 = 1_000_000;
/// When the clock starts: not at zero, as no real one does.
pub(crate) const START: u64 = 100_000 * MS;
/// Who sends the controller's commands.
const SENDER: [u8; 16] = [1; 16];
/// An arm whose joints are slower than this stands, rad/s: a plan's end is approached for ever.
const STANDING: f64 = 0.01;
const FIRST_EPOCH: u64 = 7;
/// Longest time to live that a driver may grant.
const MAX_VALID_FOR: Duration = Duration::from_millis(200);

/// What a world is made of.
#[derive(Clone)]
pub(crate) struct Setup {
    /// What the cell's robot is called on the link.
    pub name: String,
    pub robot: Arc<Robot>,
    pub control: ControlConfig,
    /// Time between two ticks of the driver, whole milliseconds.
    pub driver_dt: Duration,
    pub valid_for: Duration,
    /// Longest time to live that the driver grants; the judge holds it to 200 ms.
    pub grants: Duration,
    /// Where the arm stands; home if `None`.
    pub q: Option<JointPositions>,
    pub seed: u64,
}

impl Setup {
    /// As launch files have it: 500 Hz, a driver of 200 Hz, commands that live for 100 ms.
    pub fn new(robot: Arc<Robot>, seed: u64) -> Self {
        Self {
            name: "cell".to_owned(),
            robot,
            control: ControlConfig::default(),
            driver_dt: Duration::from_millis(5),
            valid_for: Duration::from_millis(100),
            grants: MAX_VALID_FOR,
            q: None,
            seed,
        }
    }

    /// A fast arm: controller and driver at 1 kHz, commands that live for 20 ms.
    pub fn fast(robot: Arc<Robot>, seed: u64) -> Self {
        Self {
            control: ControlConfig {
                rate_hz: 1000.0,
                state_rate_hz: 1000.0,
                ..ControlConfig::default()
            },
            driver_dt: Duration::from_millis(1),
            valid_for: Duration::from_millis(20),
            ..Self::new(robot, seed)
        }
    }

    pub fn bounds(&self) -> Result<Vec<JointBounds>, Box<dyn std::error::Error>> {
        Ok(joint_bounds(&self.robot)?[..self.robot.n_joints()].to_vec())
    }
}

/// Controller, link, driver, judge.
pub(crate) struct World {
    /// Logical time, ns.
    pub now: u64,
    pub pc: Pc,
    pub arm: Arm,
    pub to_arm: Channel<JointCommand>,
    pub to_pc: Channel<RobotStatus>,
    /// Spans in which the controller's, and the driver's, process does not run.
    pub pc_stalls: Vec<Range<u64>>,
    pub arm_stalls: Vec<Range<u64>>,
    judge: Judge,
    shell: ShellConfig,
    bounds: Vec<JointBounds>,
    command_period: u64,
    driver_period: u64,
}

impl World {
    pub fn new(setup: &Setup, pilot: Pilot) -> Result<Self, Box<dyn std::error::Error>> {
        let bounds = setup.bounds()?;
        let q = setup.q.unwrap_or(*setup.robot.home());
        let state = RobotState {
            stamp: Stamp::from_nanos(START),
            q,
            dq: JointVelocities::zeros(q.len())?,
            gripper: GripperState {
                width: 0.08,
                commanded: 1.0,
                is_grasping: false,
            },
        };
        let shell = ShellConfig {
            dt_s: setup.driver_dt.as_secs_f64(),
            command_dt_s: setup.control.dt_s(),
            max_valid_for: setup.grants,
            max_jump_rad: 0.1,
            max_gripper_turns_per_s: gripper_turns(&setup.robot),
        };
        let controller = Controller::new(Arc::clone(&setup.robot), setup.control)?;
        let mut judge = Judge::new(&Rules {
            robot: &setup.name,
            bounds: &bounds,
            command_dt_s: setup.control.dt_s(),
            driver_dt_s: setup.driver_dt.as_secs_f64(),
            max_valid_for: MAX_VALID_FOR.as_nanos() as u64,
        });
        judge.session(FIRST_EPOCH);
        let rng = |way: u64| ChaCha8Rng::seed_from_u64(setup.seed.wrapping_mul(2) + way);
        Ok(Self {
            now: START,
            pc: Pc::new(
                &setup.name,
                &setup.robot,
                controller,
                pilot,
                setup.valid_for,
            ),
            arm: Arm::new(
                shell,
                arm_id(&setup.name, &setup.robot),
                &bounds,
                state,
                FIRST_EPOCH,
            )?,
            to_arm: Channel::new(Weather::default(), rng(0)),
            to_pc: Channel::new(Weather::default(), rng(1)),
            pc_stalls: Vec::new(),
            arm_stalls: Vec::new(),
            judge,
            shell,
            bounds,
            command_period: Duration::from_secs_f64(setup.control.dt_s()).as_nanos() as u64,
            driver_period: setup.driver_dt.as_nanos() as u64,
        })
    }

    /// One millisecond: what has arrived is heard, then whoever is due and not stalled works.
    pub fn step(&mut self) {
        self.now += MS;
        let now = self.now;
        while let Some((at, message)) = self.to_arm.arrived(now) {
            self.hand_to_arm(at, message, SENDER);
        }
        let runs = |stalls: &[Range<u64>]| !stalls.iter().any(|stall| stall.contains(&now));
        if (now - START).is_multiple_of(self.driver_period) && runs(&self.arm_stalls) {
            let (told, status) = self.arm.tick(now);
            self.judge.told(now, &told, &status);
            self.to_pc.send(now, status);
        }
        if !runs(&self.pc_stalls) {
            return;
        }
        while let Some((_, status)) = self.to_pc.arrived(now) {
            self.pc.hear(&status);
        }
        if (now - START).is_multiple_of(self.command_period)
            && let Some(command) = self.pc.tick(Stamp::from_nanos(now))
        {
            self.judge.sent(&command);
            self.to_arm.send(now, command);
        }
    }

    /// Runs for so many milliseconds.
    pub fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.step();
        }
    }

    /// Runs until `done` or for at most so many milliseconds; how many it took.
    pub fn run_until(&mut self, most: u64, mut done: impl FnMut(&Self) -> bool) -> Option<u64> {
        (0..most).find(|_| {
            self.step();
            done(self)
        })
    }

    /// A command of somebody arrives at the driver.
    pub fn hand_to_arm(&mut self, at: u64, message: JointCommand, sender: [u8; 16]) {
        self.judge.arrives(at, Some(sender), &message);
        self.arm.inbox.push(Received {
            message,
            at: Stamp::from_nanos(at),
            sender: Some(sender),
        });
    }

    /// The operator starts a new session, if the arm stands still, and has seen to what broke before.
    pub fn rearm(&mut self) -> bool {
        if !self.arm.shell.is_at_rest() {
            return false;
        }
        let epoch = self.arm.shell.epoch() + 1;
        let begins = (self.arm.shell)
            .arm_acknowledging(epoch, &self.arm.state)
            .is_ok();
        if begins {
            self.judge.session(epoch);
        }
        begins
    }

    /// Another driver's process in the place of the last, before any operator's session.
    pub fn restart_driver(&mut self) -> Result<(), ControlError> {
        let mut state = self.arm.state;
        state.dq.iter_mut().for_each(|dq| *dq = 0.0);
        let epoch = self.arm.shell.epoch() + 1;
        let id = self.arm.id.clone();
        self.arm = Arm::standing(self.shell, id, &self.bounds, state, epoch)?;
        self.judge.session(epoch);
        Ok(())
    }

    /// Highest speed that the arm is told, rad/s.
    pub fn speed(&self) -> f64 {
        let dq = self.arm.state.dq.iter();
        dq.fold(0.0, |most: f64, dq| most.max(dq.abs()))
    }

    /// Whether the arm stands, as drivers see it.
    pub fn stands(&self) -> bool {
        self.speed() < STANDING
    }

    /// What the judge found so far.
    pub fn account(&self) -> Account {
        self.judge.account()
    }

    /// Time since the start, ms.
    pub fn millis(&self) -> u64 {
        (self.now - START) / MS
    }
}

/// Drivers that do what the judge has to see.
#[cfg(test)]
mod tests {
    use std::path::Path;

    use prehend_types::config::locate;

    use super::*;
    use crate::sim::sway;

    fn setup() -> Setup {
        let folder = locate(Path::new("robots/fr3")).expect("shipped");
        Setup::new(Arc::new(Robot::load(&folder).expect("loads")), 1)
    }

    fn moving(setup: &Setup) -> World {
        let bounds = setup.bounds().expect("limits");
        let pilot = sway(&bounds, setup.robot.home(), 0.5);
        let mut world = World::new(setup, pilot).expect("starts");
        world.run(500);
        assert!(world.speed() > 0.01 && world.account().is_clean());
        world
    }

    /// Steps the world; before every tick of the driver what waits for it is changed.
    fn tampered(world: &mut World, millis: u64, change: impl Fn(&mut JointCommand, u64, u64)) {
        for _ in 0..millis {
            world.step();
            let epoch = world.arm.shell.epoch();
            for received in &mut world.arm.inbox {
                change(&mut received.message, received.at.as_nanos(), epoch);
            }
        }
    }

    #[test]
    fn a_driver_that_grants_longer_than_it_may_is_seen() {
        for (grants, is_clean) in [(200, true), (400, false)] {
            let mut world = moving(&Setup {
                valid_for: Duration::from_secs(1),
                grants: Duration::from_millis(grants),
                ..setup()
            });
            world.to_arm.weather.cuts.push(world.now..u64::MAX);
            world.run(2000);
            let account = world.account();
            assert_eq!(account.is_clean(), is_clean, "{grants} ms: {account}");
            assert_eq!(account.ticks_past_expiry > 0, !is_clean, "{account}");
        }
    }

    #[test]
    fn a_driver_that_takes_arriving_for_sending_is_seen() {
        let mut world = moving(&setup());
        // Every command is older than its time to live when it comes.
        world.to_arm.weather.delay = 150 * MS..150 * MS + 1;
        world.run(1000);
        assert!(world.rearm());
        tampered(&mut world, 1000, |message, at, _| message.sent_nanos = at);
        let account = world.account();
        assert!(account.unwarranted > 0, "{account}");
    }

    #[test]
    fn a_driver_that_follows_commands_of_another_session_is_seen() {
        let mut world = moving(&setup());
        world.pc.controller.soft_stop();
        world.run(1000);
        // Those of the old session go on coming.
        let mut old = Vec::new();
        for k in 0..200 {
            let q = world.arm.state.q;
            old.push(JointCommand {
                robot: world.arm.id.robot.clone(),
                epoch: world.arm.shell.epoch(),
                seq: world.pc.seq + k,
                stamp_nanos: 0,
                sent_nanos: 0,
                valid_for_nanos: 100 * MS,
                q_d: q.iter().map(|q| q + 0.01).collect(),
                dq_d: vec![0.0; q.len()],
                gripper_opening: 1.0,
                mode: prehend_link::messages::CommandMode::Track,
            });
        }
        world.to_pc.weather.cuts.push(0..u64::MAX);
        assert!(world.rearm());
        for message in old {
            let message = JointCommand {
                stamp_nanos: world.now,
                sent_nanos: world.now,
                ..message
            };
            world.hand_to_arm(world.now, message, SENDER);
            tampered(&mut world, 1, |message, _, epoch| message.epoch = epoch);
        }
        let account = world.account();
        assert!(account.unwarranted > 0, "{account}");
        assert!(account.ticks_past_expiry > 0, "{account}");
    }
}
