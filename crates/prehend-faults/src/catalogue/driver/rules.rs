//! Rules of vendors, and faults that a driver itself reports.

use std::time::Duration;

use prehend_control::{LimitReason, Mode};
use prehend_drivers::tick;
use prehend_link::messages::StopReason as DriverStop;
use prehend_types::{JointCommand, Plant, RobotState, Stamp};
use rand::Rng;

use crate::Lab;
use crate::catalogue::moving;
use crate::fault::{Finding, Outcome};
use crate::sim::{MS, Offer, Setup, World, idle};

pub(super) fn blocked_bus(lab: &Lab) -> Outcome {
    let mut parts = Vec::new();
    let mut pass = true;
    for millis in [50, 200, 500, 1000] {
        let mut world = moving(lab)?;
        let stale = |world: &World| world.pc.controller.counters().get(LimitReason::StaleState);
        let (sent, before) = (world.pc.seq, stale(&world));
        world
            .arm_stalls
            .push(world.now + 1..world.now + millis * MS);
        world.run(millis);
        let (ticks, braked) = (world.pc.seq - sent, stale(&world) > before);
        world.run(3000);
        let account = world.account();
        let expected = millis / 2;
        pass &= account.is_clean() && braked && ticks >= expected.min(150);
        parts.push(format!(
            "{millis} ms: {}, {ticks} ticks meanwhile, {} violations",
            if braked { "stops" } else { "not noticed" },
            account.violations()
        ));
    }
    Ok(Finding::new(pass, parts.join("; ")))
}

pub(super) fn ur_rule(lab: &Lab) -> Outcome {
    let robot = lab.robot("ur5e")?;
    let setup = Setup {
        driver_dt: Duration::from_millis(2),
        ..Setup::new(robot.clone(), lab.seed)
    };
    let mut rng = lab.rng("ur");
    let n_joints = robot.n_joints();
    let pilot = Box::new(move |at: Stamp| {
        let values: [f64; prehend_types::MAX_JOINTS] =
            std::array::from_fn(|_| rng.random_range(-6.0..6.0));
        let dt = Duration::from_millis(50);
        crate::sim::joint_plan(at, dt, |_| values, n_joints, 2).map(Offer::Joints)
    });
    let mut world = World::new(&setup, pilot)?;
    let (mut fastest, mut over, mut q) = (0.0f64, 0u64, world.arm.state.q);
    for _ in 0..lab.of(600_000) / 2 {
        world.run(2);
        for (now, before) in world.arm.state.q.iter().zip(q.iter()) {
            let speed = (now - before).abs() / 0.002;
            fastest = fastest.max(speed);
            over += u64::from(speed > 20.0);
        }
        q = world.arm.state.q;
    }
    let account = world.account();
    Ok(Finding::new(
        over == 0 && account.is_clean(),
        format!("{over} setpoints, the fastest {fastest:.3} rad/s; {account}"),
    ))
}

pub(super) fn collision(lab: &Lab) -> Outcome {
    let mut world = moving(lab)?;
    world.arm.shell.stop(DriverStop::Fault);
    world.run(2000);
    let (q, rest) = (world.arm.state.q, world.arm.shell.is_at_rest());
    world.run(10_000);
    let account = world.account();
    let stands = q == world.arm.state.q && world.arm.shell.is_latched();
    let controller = world.pc.controller.mode();
    Ok(Finding::new(
        rest && stands && controller == Mode::Fault && account.is_clean(),
        format!("at rest {rest}, stands for 10 s {stands}, controller {controller:?}; {account}"),
    ))
}

pub(super) fn emergency_stop(lab: &Lab) -> Outcome {
    let mut world = moving(lab)?;
    // One long plan is under way, then nothing more is asked for.
    let now = Stamp::from_nanos(world.now);
    let home = world.arm.state.q;
    let place = |k: usize| {
        std::array::from_fn(|j| match j < home.len() {
            true => home[j] + 0.02 * (k + 1) as f64,
            false => 0.0,
        })
    };
    let plan = crate::sim::joint_plan(now, Duration::from_millis(500), place, home.len(), 8);
    world.pc.take(&Offer::Joints(plan.ok_or("no plan")?), now);
    world.pc.pilot = idle();
    world.run(100);
    world.arm.shell.stop(DriverStop::Requested);
    world.run(1000);
    let q = world.arm.state.q;
    let released = world.rearm();
    world.run(3000);
    let moved = (world.arm.state.q.iter().zip(q.iter()))
        .fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()));
    let account = world.account();
    Ok(Finding::new(
        released && moved == 0.0 && account.is_clean(),
        format!("moved {moved} rad in the 3 s after the release; {account}"),
    ))
}

/// An arm whose cable can be pulled.
struct Cable {
    state: RobotState,
    is_pulled: bool,
}

impl Plant for Cable {
    type Error = std::io::Error;

    fn read(&mut self) -> Result<RobotState, Self::Error> {
        match self.is_pulled {
            true => Err(std::io::ErrorKind::TimedOut.into()),
            false => Ok(self.state),
        }
    }

    fn write(&mut self, command: &JointCommand) -> Result<(), Self::Error> {
        if self.is_pulled {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        self.state.q = command.q_d;
        Ok(())
    }
}

pub(super) fn pulled_cable(lab: &Lab) -> Outcome {
    let setup = Setup::new(lab.robot("fr3")?, lab.seed);
    let mut world = World::new(&setup, idle())?;
    let shell = &mut world.arm.shell;
    let mut cable = Cable {
        state: world.arm.state,
        is_pulled: false,
    };
    let whole = tick(shell, &mut cable).is_ok() && !shell.is_latched();
    cable.is_pulled = true;
    let told = tick(shell, &mut cable).is_err() && shell.stop_reason() == DriverStop::Fault;
    cable.is_pulled = false;
    let mut stays = true;
    for _ in 0..1000 {
        stays &= tick(shell, &mut cable).is_ok() && shell.stop_reason() == DriverStop::Fault;
    }
    let next = shell.epoch() + 1;
    let unacknowledged = shell.arm(next, &cable.state).is_ok();
    let again = shell.arm_acknowledging(next, &cable.state).is_ok() && !shell.is_latched();
    Ok(Finding::new(
        whole && told && stays && !unacknowledged && again,
        format!(
            "a failed write latches a fault: {told}; it stays for 1,000 good ticks: {stays}; a new session ends it: \
             {unacknowledged} as it is, {again} if it acknowledges the fault"
        ),
    ))
}
