//! Runs the scripted expert (or the depth heuristic) on many scenes and counts.
//!
//! `cargo run --release -p prehend-sim --example expert -- [expert|heuristic] [FIRST_SEED] [N] [train|held_out] [exact|actuated|dynamic] [SCENE] [GIF]`
#![allow(clippy::print_stdout, reason = "a program")]

use std::collections::BTreeMap;
use std::sync::Arc;

use prehend_robot::Robot;
use prehend_sim::{
    ArmMode, DepthHeuristic, FamilySet, Pilot, RolloutConfig, SceneConfig, View, World, render,
    rollout,
};
use prehend_types::config::locate;
use prehend_types::stats::SuccessRate;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let arg = |i: usize, default: &str| args.get(i).cloned().unwrap_or_else(|| default.to_owned());
    let who = arg(1, "expert");
    let first: u64 = arg(2, "1000").parse()?;
    let n: u64 = arg(3, "20").parse()?;
    let families = if arg(4, "train") == "held_out" {
        FamilySet::HeldOut
    } else {
        FamilySet::Train
    };
    let arm = ArmMode::from_name(&arg(5, "exact")).ok_or("no such arm mode")?;
    let robot = Arc::new(Robot::load(&locate("robots/fr3")?)?);
    let scene = Arc::new(SceneConfig::load(&locate(std::path::Path::new(&arg(
        6,
        "scenes/tabletop.toml",
    )))?)?);
    let mut failures: BTreeMap<String, u64> = BTreeMap::new();
    let (mut successes, mut actions) = (0, 0);
    let started = std::time::Instant::now();
    for seed in first..first + n {
        let mut world = World::with_arm(&robot, &scene, seed, families, arm)?;
        let start = world.state_vector();
        let mut heuristic = DepthHeuristic::default();
        let pilot = match who.as_str() {
            "heuristic" => Pilot::Policy(&mut heuristic),
            _ => Pilot::Expert,
        };
        let mut states = Vec::new();
        let result = rollout(&mut world, pilot, &RolloutConfig::default(), &mut |step| {
            states.push(step.world.clone());
        })?;
        successes += u64::from(result.success);
        actions += result.n_actions;
        if let Some(failure) = result.failure {
            let family = world.episode().variant().name;
            *failures
                .entry(format!("{} {family}", failure.name()))
                .or_default() += 1;
            println!(
                "seed {seed}: {family} {} at {:.1} s",
                failure.name(),
                result.duration_s
            );
        }
        if let Some(path) = args.get(7) {
            let view = View::new(&robot, &scene, seed, families, &start)?;
            let pictures: Result<Vec<_>, _> = states
                .iter()
                .step_by(4)
                .map(|s| view.picture(s, render::Viewpoint::Cell, 320))
                .collect();
            std::fs::write(path, render::gif(&pictures?, 0.2)?)?;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{who}, arm {}: {}",
        arm.name(),
        SuccessRate::new(successes, n)
    );
    println!("{failures:?}");
    println!(
        "{:.1} actions per episode, {:.0} actions/s, {:.1} episodes/s",
        actions as f64 / n as f64,
        actions as f64 / seconds,
        n as f64 / seconds
    );
    Ok(())
}
