//! What each arm mode holds, feels and costs: slip of a grasp, a press on the table, sag, memory, time.
//!
//! `cargo run --release -p prehend-sim --example arm -- [grasp|press|sag|fall|memory|speed] [FIRST_SEED] [N]`
#![allow(clippy::print_stdout, reason = "a program")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_control::{ControlConfig, Controller};
use prehend_robot::{IkOptions, Robot};
use prehend_sim::{ArmMode, Expert, FamilySet, Payload, SceneConfig, World};
use prehend_types::config::locate;
use prehend_types::{
    ActionChunk, GripperCommand, JointCommand, JointPositions, JointVelocities, Pose,
};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

struct Cell {
    robot: Arc<Robot>,
    scene: Arc<SceneConfig>,
}

impl Cell {
    fn world(&self, seed: u64, mode: ArmMode) -> Fallible<World> {
        let (robot, scene) = (&self.robot, &self.scene);
        Ok(World::with_arm(robot, scene, seed, FamilySet::Train, mode)?)
    }

    /// The expert until it has the target in the hand, `height` above where it lay.
    fn grasped(&self, seed: u64, mode: ArmMode, height: f64) -> Fallible<Option<World>> {
        let mut world = self.world(seed, mode)?;
        let rate_hz = 1.0 / World::DT;
        let config = ControlConfig {
            rate_hz,
            ..ControlConfig::default()
        };
        let mut controller = Controller::new(Arc::clone(&self.robot), config)?;
        controller.arm(&world.robot_state())?;
        let rest = world.body_pose(0).ok_or("no target")?.translation.z;
        for _ in 0..200 {
            let action = Expert.next_action(&world, controller.base_from_tcp_d());
            let chunk = ActionChunk::new(world.now(), Duration::from_millis(50), 1, &[action; 4])?;
            controller.accept(&chunk, world.now())?;
            for _ in 0..10 {
                let tick = controller.tick(&world.robot_state(), world.now());
                world.write(&tick.command);
                world.step();
            }
            let lifted = world.body_pose(0).ok_or("no target")?.translation.z - rest;
            if world.facts().touches(0).contains(&true) && lifted > height {
                return Ok(Some(world));
            }
        }
        Ok(None)
    }
}

/// Commands tool poses through inverse kinematics, one per physics step.
struct Hand<'a> {
    world: &'a mut World,
    q: JointPositions,
    opening: f64,
}

impl Hand<'_> {
    fn go(&mut self, base_from_tcp: &Pose) -> Fallible<()> {
        let robot = Arc::clone(self.world.robot());
        let q = robot.inverse(base_from_tcp, &self.q, &IkOptions::default())?;
        let mut dq = JointVelocities::zeros(q.len())?;
        for idx in 0..q.len() {
            dq[idx] = (q[idx] - self.q[idx]) / World::DT;
        }
        self.q = q;
        let gripper = GripperCommand {
            opening: self.opening,
        };
        self.world.write(&JointCommand {
            q_d: q,
            dq_d: dq,
            gripper,
        });
        self.world.step();
        Ok(())
    }
}

/// Smooth from 0 to 1 over `duration`, s.
fn ease(t: f64, duration: f64) -> f64 {
    let s = (t / duration).clamp(0.0, 1.0);
    s * s * s * (10.0 - 15.0 * s + 6.0 * s * s)
}

fn steps(duration: f64) -> impl Iterator<Item = f64> {
    let n = (duration / World::DT).round() as usize;
    (1..=n).map(|step| step as f64 * World::DT)
}

fn object_in_hand(world: &World) -> Pose {
    let tcp = world.robot().forward(&world.robot_state().q);
    tcp.inv_mul(&world.body_pose(0).unwrap_or_else(Pose::identity))
}

/// Lift, shake 10 s (3 cm at 1.6, 2.0 and 2.4 Hz, 0.3 rad about two axes), hold 60 s.
fn grasp(cell: &Cell, seed: u64, mode: ArmMode) -> Fallible<()> {
    let Some(mut world) = cell.grasped(seed, mode, 0.03)? else {
        println!("{seed} {}: no grasp", mode.name());
        return Ok(());
    };
    let (family, mass, friction) = {
        let target = &world.scene().bodies[0];
        (world.episode().variant().name, target.mass, target.friction)
    };
    let start = cell.robot.forward(&world.robot_state().q);
    let high = Pose::from_parts(Translation3::new(0.5, 0.0, 0.35), start.rotation);
    let q = world.robot_state().q;
    let mut hand = Hand {
        world: &mut world,
        q,
        opening: 0.0,
    };
    let between = |s: f64| {
        let at = start.translation.vector.lerp(&high.translation.vector, s);
        Pose::from_parts(Translation3::from(at), start.rotation)
    };
    for _ in steps(0.5) {
        hand.go(&start)?;
    }
    let before = object_in_hand(hand.world);
    for t in steps(2.0) {
        hand.go(&between(ease(t, 2.0)))?;
    }
    let slip = |world: &World| {
        let way = before.inv_mul(&object_in_hand(world));
        (
            1e3 * way.translation.vector.norm(),
            1e3 * way.rotation.angle(),
        )
    };
    let lift = slip(hand.world);
    let mut most = 0.0_f64;
    let mut is_overloaded = false;
    for t in steps(10.0) {
        let envelope = ease(t, 0.5) * ease(10.0 - t, 0.5);
        let wave = |hz: f64| envelope * libm::sin(std::f64::consts::TAU * hz * t);
        let shift = Vector3::new(wave(1.6), wave(2.0), wave(2.4)) * 0.03;
        let turn =
            UnitQuaternion::from_scaled_axis(Vector3::new(0.3 * wave(0.7), 0.3 * wave(0.9), 0.0));
        let base_from_tcp = Pose::from_parts(
            Translation3::from(high.translation.vector + shift),
            turn * high.rotation,
        );
        hand.go(&base_from_tcp)?;
        most = most.max(slip(hand.world).0);
        is_overloaded |= hand.world.arm_report().is_overloaded();
    }
    for _ in steps(1.0) {
        hand.go(&high)?;
    }
    let shaken = slip(hand.world);
    for _ in steps(60.0) {
        hand.go(&high)?;
    }
    let held = slip(hand.world);
    println!(
        "{seed} {:8} {family:10} {:3.0} g mu {friction:.2}: slip after lift {:.3} mm, shake {:.3} mm {:.1} mrad \
         (most during {:.2} mm), hold {:.3} mm {:.1} mrad, creep {:.4} um/s, overload {is_overloaded}, held {}",
        mode.name(),
        1e3 * mass,
        lift.0,
        shaken.0,
        shaken.1,
        most,
        held.0,
        held.1,
        1e3 * (held.0 - shaken.0) / 60.0,
        hand.world.facts().touches(0).contains(&true),
    );
    Ok(())
}

/// Shut fingers go down so far into the table over 2 s, stay 8 s, come back.
fn press(cell: &Cell, seed: u64, mode: ArmMode, depth: f64) -> Fallible<()> {
    let mut world = cell.world(seed, mode)?;
    let rotation = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI);
    let q = world.robot_state().q;
    let mut hand = Hand {
        world: &mut world,
        q,
        opening: 0.0,
    };
    let home = cell.robot.forward(&q).translation.vector;
    let place = Vector3::new(0.45, -0.42, 0.10);
    let at = |v: Vector3<f64>| Pose::from_parts(Translation3::from(v), rotation);
    for t in steps(3.0) {
        hand.go(&at(home.lerp(&place, ease(t, 3.0))))?;
    }
    let deep = Vector3::new(place.x, place.y, 0.0095 - depth);
    let n = cell.robot.n_joints();
    let (mut most, mut torque_share, mut speed) = (0.0_f64, 0.0_f64, 0.0_f64);
    let (mut forces, mut overloads) = (Vec::new(), 0);
    for t in steps(10.0) {
        hand.go(&at(place.lerp(&deep, ease(t, 2.0))))?;
        let report = hand.world.arm_report();
        most = most.max(report.load.force.z);
        overloads += usize::from(report.is_overloaded());
        for idx in 0..n {
            let limit = cell.robot.actuators().joints()[idx].max_torque;
            torque_share = torque_share.max(report.tau[idx].abs() / limit);
        }
        if t > 6.0 {
            forces.push(report.load.force.z);
            let dq = hand.world.robot_state().dq;
            speed = dq.iter().fold(speed, |most, dq| most.max(dq.abs()));
        }
    }
    let tcp = cell
        .robot
        .forward(&hand.world.robot_state().q)
        .translation
        .z;
    for t in steps(2.0) {
        hand.go(&at(deep.lerp(&place, ease(t, 2.0))))?;
    }
    for _ in steps(0.5) {
        hand.go(&at(place))?;
    }
    let back = cell
        .robot
        .forward(&hand.world.robot_state().q)
        .translation
        .vector
        - place;
    let mean = forces.iter().sum::<f64>() / forces.len() as f64;
    let spread =
        (forces.iter().map(|f| (f - mean).powi(2)).sum::<f64>() / forces.len() as f64).sqrt();
    println!(
        "{seed} {:8} press {:.0} mm deep: mean force {mean:.1} N sd {spread:.3} N, peak {most:.1} N, tool at z {:.2} mm, fastest joint {speed:.1e} rad/s, \
         torque at most {:.2} of its limit, overloaded steps {overloads}, afterwards {:.2} mm off",
        mode.name(),
        1e3 * depth,
        1e3 * tcp,
        torque_share,
        1e3 * back.norm(),
    );
    Ok(())
}

/// How far the tool sinks below its command with the target in the hand, and with it declared.
fn sag(cell: &Cell, seed: u64, mode: ArmMode) -> Fallible<()> {
    let Some(mut world) = cell.grasped(seed, mode, 0.05)? else {
        println!("{seed} {}: no grasp", mode.name());
        return Ok(());
    };
    let mass = world.scene().bodies[0].mass;
    let q = world.robot_state().q;
    let command = cell.robot.forward(&q);
    let high = Pose::from_parts(Translation3::new(0.5, 0.0, 0.3), command.rotation);
    let mut hand = Hand {
        world: &mut world,
        q,
        opening: 0.0,
    };
    for t in steps(4.0) {
        let at = command
            .translation
            .vector
            .lerp(&high.translation.vector, ease(t, 2.0));
        hand.go(&Pose::from_parts(Translation3::from(at), command.rotation))?;
    }
    let below = |hand: &Hand<'_>| {
        let (q, q_d) = (hand.world.robot_state().q, hand.q);
        1e3 * (cell.robot.forward(&q_d).translation.z - cell.robot.forward(&q).translation.z)
    };
    let report = hand.world.arm_report();
    let bare = cell.robot.gravity_torques(&hand.world.robot_state().q);
    let sagged = below(&hand);
    let in_hand = object_in_hand(hand.world).translation.vector;
    let center = nalgebra::Point3::from(in_hand + Vector3::new(0.0, 0.0, 0.1034));
    hand.world.set_payload(Some(Payload {
        mass,
        center_in_hand: center,
    }));
    for _ in steps(2.0) {
        hand.go(&high)?;
    }
    println!(
        "{seed} {:8} {:.3} kg: weight felt {:.4} N of {:.4} N, sag {sagged:.3} mm, declared {:.3} mm, tau2 {:.2} (bare {:.2}) N m",
        mode.name(),
        mass,
        -report.load.force.z,
        9.81 * mass,
        below(&hand),
        report.tau[1],
        bare[1],
    );
    Ok(())
}

/// Servos off: energy over 10 s in which nothing is touched, if the swing stays clear.
fn fall(cell: &Cell, seed: u64) -> Fallible<()> {
    let mut world = cell.world(seed, ArmMode::Dynamic)?;
    let energy = |world: &World| {
        let s = world.robot_state();
        cell.robot.kinetic_energy(&s.q, &s.dq) + cell.robot.potential_energy(&s.q)
    };
    let start = energy(&world);
    world.set_servo(false);
    for t in steps(10.0) {
        world.step();
        if (t * 2.0).fract() < 1e-9 {
            let s = world.robot_state();
            println!(
                "{t:.1} s: {:.2} J of {start:.2}, load {:.1} N, tool z {:.3}, links touch {:?}",
                energy(&world),
                world.arm_report().load.force.norm(),
                cell.robot.forward(&s.q).translation.z,
                s.q
            );
        }
    }
    Ok(())
}

fn speed(cell: &Cell, seed: u64, rounds: u64) -> Fallible<()> {
    const STEPS: u32 = 2000;
    let mut worlds = Vec::new();
    for mode in ArmMode::ALL {
        worlds.push((mode, "still", cell.world(seed, mode)?, Vec::new()));
        if let Some(world) = cell.grasped(seed, mode, 0.05)? {
            worlds.push((mode, "holding", world, Vec::new()));
        }
    }
    for _ in 0..rounds {
        for (_, _, world, times) in &mut worlds {
            let start = Instant::now();
            for _ in 0..STEPS {
                world.step();
            }
            times.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(STEPS));
        }
    }
    for (mode, what, _, mut times) in worlds {
        times.sort_by(f64::total_cmp);
        println!(
            "{:8} {what:8}: {:.2} us per step, from {:.2} to {:.2}",
            mode.name(),
            times[times.len() / 2],
            times[0],
            times[times.len() - 1]
        );
    }
    Ok(())
}

/// Resident memory of one world at its start and with the target in the hand, a step after it was copied.
fn memory(cell: &Cell, seed: u64, mode: ArmMode) -> Fallible<()> {
    const N_WORLDS: usize = 256;
    let resident_kb = || -> Fallible<f64> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(number.ok_or("no VmRSS")?.parse()?)
    };
    let mut cases = vec![("at the start", cell.world(seed, mode)?)];
    cases.extend(
        cell.grasped(seed, mode, 0.05)?
            .map(|world| ("holding", world)),
    );
    for (what, world) in cases {
        let bodies = world.scene().bodies.len();
        let before = resident_kb()?;
        let mut worlds = vec![world; N_WORLDS];
        for world in &mut worlds {
            world.step();
            world.rest();
        }
        let each = (resident_kb()? - before) / N_WORLDS as f64;
        println!(
            "{seed} {:8} {bodies} bodies {what}: {each:.1} kB",
            mode.name()
        );
        // What is given back would be used again by the next case.
        std::mem::forget(worlds);
    }
    Ok(())
}

fn main() -> Fallible<()> {
    let args: Vec<String> = std::env::args().collect();
    let arg = |i: usize, default: &str| args.get(i).cloned().unwrap_or_else(|| default.to_owned());
    let first: u64 = arg(2, "21000").parse()?;
    let n: u64 = arg(3, "3").parse()?;
    let scene = arg(4, "scenes/tabletop.toml");
    let cell = Cell {
        robot: Arc::new(Robot::load(&locate("robots/fr3")?)?),
        scene: Arc::new(SceneConfig::load(&locate(scene)?)?),
    };
    let what = arg(1, "grasp");
    if what == "speed" {
        return speed(&cell, first, n);
    }
    for seed in first..first + n {
        for mode in ArmMode::ALL {
            match what.as_str() {
                "grasp" => grasp(&cell, seed, mode)?,
                "press" => {
                    for depth in [0.002, 0.01, 0.04] {
                        press(&cell, seed, mode, depth)?;
                    }
                }
                "sag" => sag(&cell, seed, mode)?,
                "memory" => memory(&cell, seed, mode)?,
                "fall" if mode == ArmMode::Dynamic => fall(&cell, seed)?,
                "fall" => {}
                other => return Err(format!("nothing is called {other:?}").into()),
            }
        }
    }
    Ok(())
}
