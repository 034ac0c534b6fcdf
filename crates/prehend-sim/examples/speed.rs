//! How fast one world steps: `cargo run --release -p prehend-sim --example speed -- PATH.json`.
#![allow(clippy::print_stdout, reason = "a program")]

use std::sync::Arc;
use std::time::Instant;

use prehend_robot::Robot;
use prehend_sim::{FamilySet, SceneConfig, World};
use prehend_types::config::locate;
use prehend_types::{GripperCommand, JointCommand, JointPositions};

fn go(world: &mut World, from: &JointPositions, to: &JointPositions, opening: f64) {
    let mut command = JointCommand {
        q_d: *to,
        dq_d: world.robot_state().dq,
        gripper: GripperCommand { opening },
    };
    for tick in 1..=10 {
        for ((v, from), to) in command.q_d.iter_mut().zip(from.iter()).zip(to.iter()) {
            *v = from + (to - from) * f64::from(tick) / 10.0;
        }
        world.write(&command);
        world.step();
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(
        std::env::args().nth(1).unwrap_or_default(),
    )?)?;
    let row = |v: &serde_json::Value| -> JointPositions {
        let q: Vec<f64> = v
            .as_array()
            .map(|a| a.iter().filter_map(serde_json::Value::as_f64).collect())
            .unwrap_or_default();
        JointPositions::from_slice(&q).expect("few enough")
    };
    let q_start = row(&path["q_start_rad"]);
    let qs: Vec<JointPositions> = path["q_rad"]
        .as_array()
        .map(|a| a.iter().map(row).collect())
        .unwrap_or_default();
    let openings: Vec<f64> = path["opening"]
        .as_array()
        .map(|a| a.iter().filter_map(serde_json::Value::as_f64).collect())
        .unwrap_or_default();
    let robot = Arc::new(Robot::load(&locate("robots/fr3")?)?);
    let scene = Arc::new(SceneConfig::load(&locate("scenes/lift.toml")?)?);
    let world = World::new(&robot, &scene, 1, FamilySet::Train)?;
    for _ in 0..i32::from(std::env::args().nth(2).is_none()) * 3 {
        let home = *robot.home();
        let start = Instant::now();
        let mut steps = 0;
        let mut rng = 1_u32;
        while start.elapsed().as_secs_f64() < 1.0 {
            let mut world = world.clone();
            let mut q = home;
            for _ in 0..50 {
                let mut target = home;
                for v in target.iter_mut() {
                    rng = rng.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *v += 0.2 * (f64::from(rng >> 8) / f64::from(1 << 24) - 0.5);
                }
                go(&mut world, &q, &target, 1.0);
                q = target;
                steps += 1;
            }
        }
        println!(
            "random {:.0} control steps/s",
            f64::from(steps) / start.elapsed().as_secs_f64()
        );
    }
    let mut start_world = world.clone();
    start_world.place_arm(&q_start)?;
    for _ in 0..3 {
        let start = Instant::now();
        let mut steps = 0;
        let mut z = 0.0;
        while start.elapsed().as_secs_f64() < 1.0 {
            let mut world = start_world.clone();
            let mut q = q_start;
            for (target, opening) in qs.iter().zip(&openings) {
                go(&mut world, &q, target, *opening);
                q = *target;
                steps += 1;
            }
            z = world.body_pose(0).map_or(0.0, |p| p.translation.z);
        }
        println!(
            "grasp {:.0} control steps/s, z {z:.4}",
            f64::from(steps) / start.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
