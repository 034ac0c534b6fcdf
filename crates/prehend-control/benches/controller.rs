//! `cargo bench -p prehend-control`: what one tick and one chunk cost.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use nalgebra::Vector3;
use prehend_control::{ControlConfig, Controller};
use prehend_robot::Robot;
use prehend_types::{Action, ActionChunk, GripperState, JointVelocities, RobotState, Stamp};

struct Running {
    controller: Controller,
    state: RobotState,
    dt: Duration,
    ticks: u64,
    speed: f64,
}

impl Running {
    /// `speed` in m/s, back and forth.
    fn new(rate_hz: f64, speed: f64) -> Self {
        let folder = prehend_types::config::locate("robots/fr3").expect("robots/fr3 exists");
        let robot = Arc::new(Robot::load(&folder).expect("robots/fr3 loads"));
        let config = ControlConfig {
            rate_hz,
            ..ControlConfig::default()
        };
        let state = RobotState {
            stamp: Stamp::from_nanos(1_000_000_000),
            q: *robot.home(),
            dq: JointVelocities::zeros(robot.n_joints()).expect("fits"),
            gripper: GripperState {
                width: 0.08,
                commanded: 1.0,
                is_grasping: false,
            },
        };
        let mut controller = Controller::new(robot, config).expect("valid");
        controller.arm(&state).expect("home is inside the limits");
        let dt = Duration::from_secs_f64(config.dt_s());
        Self {
            controller,
            state,
            dt,
            ticks: 0,
            speed,
        }
    }

    fn chunk(&self) -> ActionChunk {
        let forth = if self.ticks % 1000 < 500 { 1.0 } else { -1.0 };
        let action = Action {
            translation: Vector3::new(0.05 * self.speed * forth, 0.0, 0.0),
            rotation: Vector3::new(0.0, 0.0, 0.02 * forth),
            gripper: 1.0,
        };
        ActionChunk::new(self.state.stamp, Duration::from_millis(50), 4, &[action; 8])
            .expect("eight fit")
    }

    fn tick(&mut self) {
        if self.ticks.is_multiple_of(100) {
            let chunk = self.chunk();
            self.controller
                .accept(&chunk, self.state.stamp)
                .expect("accepted");
        }
        self.ticks += 1;
        self.state.stamp = self.state.stamp.after(self.dt);
        let tick = self.controller.tick(&self.state, self.state.stamp);
        self.state.q = tick.command.q_d;
        black_box(tick);
    }
}

fn benches(criterion: &mut Criterion) {
    for rate_hz in [200.0, 500.0, 1000.0] {
        for (mode, speed) in [("tracking", 0.1), ("at_the_limits", 4.0)] {
            let mut running = Running::new(rate_hz, speed);
            criterion.bench_function(&format!("tick/{mode}/{rate_hz}_hz"), |bencher| {
                bencher.iter(|| running.tick());
            });
        }
    }
    let mut running = Running::new(500.0, 0.1);
    let chunk = running.chunk();
    criterion.bench_function("accept/8_actions", |bencher| {
        bencher.iter(|| black_box(running.controller.accept(&chunk, running.state.stamp)));
    });
}

criterion_group!(all, benches);
criterion_main!(all);
