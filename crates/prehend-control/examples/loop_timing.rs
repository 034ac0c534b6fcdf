//! `cargo run --release -p prehend-control --example loop_timing -- [rate_hz] [seconds]`
//!
//! Runs the control loop on an arm that follows perfectly, beside another that is recorded and a bare
//! timer loop of the same rate and scheduling class, and prints all three. Defaults: 500 Hz, 5 s.

#![allow(clippy::print_stdout)] // A program for a terminal.

use std::sync::Arc;
use std::time::Duration;

use nalgebra::Vector3;
use prehend_control::rt::{
    ControlLoop, LoopMessage, LoopPorts, LoopReport, Monotonic, Quantiles, Realtime,
    RealtimeConfig, Tape, measure_floor,
};
use prehend_control::{ControlConfig, Controller};
use prehend_robot::Robot;
use prehend_types::{Action, ActionChunk, GripperState, JointVelocities, RobotState, Stamp};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let rate_hz: f64 = arguments.next().map_or(Ok(500.0), |text| text.parse())?;
    let seconds: f64 = arguments.next().map_or(Ok(5.0), |text| text.parse())?;
    let duration = Duration::try_from_secs_f64(seconds)?;

    let robot = Arc::new(Robot::load(&prehend_types::config::locate("robots/fr3")?)?);
    let config = ControlConfig {
        rate_hz,
        ..ControlConfig::default()
    };
    let wishes = RealtimeConfig::default();
    let floor = std::thread::spawn(move || measure_floor(rate_hz, duration, &wishes));
    let (tape, mut reader) = Tape::new();
    let (plain, taped) = std::thread::scope(|scope| {
        let run = |tape| {
            let ran = Arm::run(&robot, config, &wishes, tape, duration);
            ran.map_err(|error| error.to_string())
        };
        let taped = scope.spawn(move || run(Some(tape)));
        let reader = scope.spawn(move || {
            while !reader.is_abandoned() {
                while reader.pop().is_some() {}
                std::thread::sleep(Duration::from_millis(20));
            }
            reader.full_at()
        });
        let plain = run(None);
        let taped = taped.join().map_err(|_| "the recorded loop panicked");
        (plain, taped.map(|taped| (taped, reader.join())))
    });
    let (report, realtime) = plain?;
    let (taped, full_at) = taped?;
    let (taped, _) = taped?;
    let full_at = full_at.map_err(|_| "the reader panicked")?;
    let floor = floor.join().map_err(|_| "the floor thread panicked")??;

    println!("{rate_hz} Hz, {seconds} s, {realtime:?}");
    print("period", &report.period_us);
    print("  floor", &floor.period_us);
    print("wake-up", &report.latency_us);
    print("  floor", &floor.latency_us);
    print("compute", &report.compute_us);
    print("  taped", &taped.compute_us);
    println!(
        "ticks {}, commands {}, deadline misses {}",
        report.ticks, report.commands, report.deadline_misses
    );
    println!("taped ticks {}, tape full at {full_at:?}", taped.ticks);
    for (reason, count) in report.limiter.iter().filter(|(_, count)| *count > 0) {
        println!("limiter {reason}: {count}");
    }
    Ok(())
}

/// An arm that is where it was told to be.
struct Arm {
    ports: LoopPorts,
    state: RobotState,
    begin: Stamp,
    next_chunk: Stamp,
}

impl Arm {
    /// Lets a loop command it for a while.
    fn run(
        robot: &Arc<Robot>,
        config: ControlConfig,
        wishes: &RealtimeConfig,
        tape: Option<Tape>,
        duration: Duration,
    ) -> Result<(LoopReport, Realtime), Failure> {
        let controller = Controller::new(Arc::clone(robot), config)?;
        let (control, mut ports) = ControlLoop::start_on(Monotonic, controller, wishes, tape)?;
        let state = RobotState {
            stamp: Stamp::now(),
            q: *robot.home(),
            dq: JointVelocities::zeros(robot.n_joints())?,
            gripper: GripperState {
                width: 0.08,
                commanded: 1.0,
                is_grasping: false,
            },
        };
        ports.states.push(state)?;
        ports.messages.push(LoopMessage::Arm { epoch: 1 })?;
        let begin = Stamp::now();
        let mut arm = Self {
            ports,
            state,
            begin,
            next_chunk: begin.after(Duration::from_millis(100)),
        };
        while Stamp::now().saturating_since(begin) < duration {
            arm.turn()?;
            std::thread::sleep(Duration::from_millis(1));
        }
        let realtime = control.realtime().clone();
        let (_, report) = control.finish()?;
        Ok((report, realtime))
    }

    /// Obeys, and asks for more: up and down at 0.1 m/s.
    fn turn(&mut self) -> Result<(), Failure> {
        while let Ok(timed) = self.ports.commands.pop() {
            self.state.q = timed.command.q_d;
            self.state.dq = timed.command.dq_d;
        }
        while self.ports.events.pop().is_ok() {}
        self.state.stamp = Stamp::now();
        let _ = self.ports.states.push(self.state);
        if self.state.stamp >= self.next_chunk {
            let since = self.next_chunk.saturating_since(self.begin);
            let up = since.as_secs().is_multiple_of(2);
            let action = Action {
                translation: Vector3::new(0.0, 0.0, if up { -0.005 } else { 0.005 }),
                rotation: Vector3::zeros(),
                gripper: 1.0,
            };
            let dt = Duration::from_millis(50);
            let chunk = ActionChunk::new(self.next_chunk, dt, 4, &[action; 8])?;
            let _ = self.ports.chunks.push(chunk);
            self.next_chunk = self.next_chunk.after(Duration::from_millis(200));
        }
        Ok(())
    }
}

fn print(name: &str, quantiles: &Quantiles) {
    let show = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
    println!(
        "{name:>8} us: p50 {}, p99 {}, p99.9 {}, max {}",
        show(quantiles.p50),
        show(quantiles.p99),
        show(quantiles.p999),
        show(quantiles.max)
    );
}
