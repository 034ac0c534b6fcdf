//! The real control thread on a clock that never waits: the world moves on inside its sleep.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use prehend_control::rt::{
    Clock, ControlLoop, LoopMessage, LoopPorts, LoopReport, RealtimeConfig, Tape, TapeReader,
    TimedCommand,
};
use prehend_control::{ControlConfig, Controller, WireChecker, joint_bounds};
use prehend_types::{RobotState, Stamp};

use crate::rig::{action, chunk, fr3, state_at};

/// Ticks between two plans, 16 actions of 50 ms each.
const PLAN_TICKS: u64 = 300;

/// What a test does with the world at the end of each sleep.
pub struct World {
    pub ports: LoopPorts,
    /// What the loop remembers of itself.
    pub tape: TapeReader,
    pub wire: WireChecker,
    pub state: RobotState,
    /// Sleeps since the world began.
    pub ticks: u64,
    /// The command that came out of the tick before.
    pub command: Option<TimedCommand>,
    pub commands: u64,
    /// Whether plans go on coming.
    pub plans: bool,
    /// Whether states go on coming.
    pub states: bool,
}

/// Looks at the world after a tick; how late the sleep that follows ends.
pub type Script = Box<dyn FnMut(&mut World, Stamp) -> Duration + Send>;

/// Simulated time. Until the world is there, the loop ticks without one.
struct Lockstep {
    now: Stamp,
    incoming: Receiver<(World, Script)>,
    world: Option<(World, Script)>,
}

impl Clock for Lockstep {
    fn now(&mut self) -> Stamp {
        self.now
    }

    fn sleep_until(&mut self, moment: Stamp) {
        self.now = self.now.max(moment);
        if self.world.is_none() {
            self.world = self.incoming.try_recv().ok();
            // Few ticks pass without a world.
            std::thread::sleep(Duration::from_micros(100));
        }
        if let Some((world, script)) = &mut self.world {
            let late = world.turn(self.now, script);
            self.now = self.now.after(late);
        }
    }
}

impl World {
    fn turn(&mut self, now: Stamp, script: &mut Script) -> Duration {
        self.command = None;
        while let Ok(timed) = self.ports.commands.pop() {
            assert!(self.command.is_none(), "one command per tick");
            self.wire.check(timed.epoch, timed.seq, &timed.command);
            self.state.q = timed.command.q_d;
            self.state.dq = timed.command.dq_d;
            self.command = Some(timed);
            self.commands += 1;
        }
        while self.ports.events.pop().is_ok() {}
        if self.states {
            self.state.stamp = now;
            self.ports.states.push(self.state).expect("room");
        }
        if self.ticks == 0 {
            let arm = LoopMessage::Arm { epoch: 1 };
            self.ports.messages.push(arm).expect("room");
        }
        if self.plans && self.ticks % PLAN_TICKS == 10 {
            let turn = if self.ticks % (2 * PLAN_TICKS) < PLAN_TICKS {
                0.01
            } else {
                -0.01
            };
            let plan = chunk(now, &[action(turn, 0.5 * turn, -0.2 * turn); 16]);
            self.ports.chunks.push(plan).expect("room");
        }
        self.ticks += 1;
        script(self, now)
    }

    pub fn speed(&self) -> f64 {
        self.state
            .dq
            .iter()
            .fold(0.0, |most, dq| most.max(dq.abs()))
    }
}

/// Runs `script` in lock step with a control thread until it sends; what it sent, and what the loop counted.
pub fn run<R: Send + 'static>(
    config: ControlConfig,
    script: impl FnOnce(Sender<R>) -> Script,
) -> (R, LoopReport) {
    let robot = fr3();
    let bounds = joint_bounds(&robot).expect("valid limits");
    let wire = WireChecker::new(&bounds[..robot.n_joints()], config.dt_s());
    let state = state_at(*robot.home(), Stamp::ZERO);
    let controller = Controller::new(robot, config).expect("valid");
    let (give, incoming) = channel();
    let clock = Lockstep {
        now: Stamp::from_nanos(100_000_000_000),
        incoming,
        world: None,
    };
    let normal = RealtimeConfig {
        fifo_priority: 0,
        lock_memory: false,
        pin_core: None,
    };
    let (tape, reader) = Tape::new();
    let (control, ports) =
        ControlLoop::start_on(clock, controller, &normal, Some(tape)).expect("starts");
    let world = World {
        ports,
        tape: reader,
        wire,
        state,
        ticks: 0,
        command: None,
        commands: 0,
        plans: true,
        states: true,
    };
    let (done, result) = channel();
    give.send((world, script(done)))
        .unwrap_or_else(|_| panic!("the clock is there"));
    let result = result.recv().expect("the script ends");
    let (_, report) = control.finish().expect("no panic");
    (result, report)
}
