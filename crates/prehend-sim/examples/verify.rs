//! Prints the table of contact truth, measured against required, under the shipped settings.
//!
//! `cargo run --release -p prehend-sim --example verify -- [--only NAME]... [--threads N] [--seeds N]
//! [--scenes N] [--first N] [--time-scale X] [--set KEY=VALUE]...`
//!
//! `--set` compares other settings: `steps_per_tick`, `iterations`, `contact_hz`, `static_contact_hz`,
//! `damping_ratio`, `prediction_m`, `contact_recycling` (0 or 1), `friction_in_bias_pass` (0 or 1),
//! `sweeps`, `hand_iterations`, `hand_sweeps`.
#![allow(clippy::print_stdout, reason = "a program")]

use std::sync::Arc;
use std::time::Instant;

use prehend_robot::Robot;
use prehend_sim::verify::{VerifyOptions, verify};
use prehend_sim::{PhysicsSettings, SceneConfig};
use prehend_types::config::locate;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = options()?;
    let robot = Arc::new(Robot::load(&locate("robots/fr3")?)?);
    let scene = Arc::new(SceneConfig::load(&locate("scenes/tabletop.toml")?)?);
    let started = Instant::now();
    let rows = verify(&robot, &scene, &options, &mut |row| {
        println!("{:7.1} s  {row}", started.elapsed().as_secs_f64());
    })?;
    let count = |pass| rows.iter().filter(|row| row.pass == Some(pass)).count();
    println!("{} pass, {} fail", count(true), count(false));
    Ok(())
}

fn options() -> Result<VerifyOptions, Box<dyn std::error::Error>> {
    let mut options = VerifyOptions::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
        match arg.as_str() {
            "--only" => options.only.push(value),
            "--threads" => options.threads = value.parse()?,
            "--seeds" => options.shake_seeds = value.parse()?,
            "--scenes" => options.task_seeds = value.parse()?,
            "--first" => options.first_seed = value.parse()?,
            "--time-scale" => options.time_scale = value.parse()?,
            "--set" => set(&mut options.settings, &value)?,
            _ => return Err(format!("unknown argument {arg}").into()),
        }
    }
    Ok(options)
}

fn set(settings: &mut PhysicsSettings, assignment: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (key, value) = assignment
        .split_once('=')
        .ok_or_else(|| format!("{assignment} is not KEY=VALUE"))?;
    match key {
        "steps_per_tick" => settings.steps_per_tick = value.parse()?,
        "iterations" => settings.iterations = value.parse()?,
        "contact_hz" => settings.contact_hz = value.parse()?,
        "static_contact_hz" => settings.static_contact_hz = value.parse()?,
        "damping_ratio" => settings.damping_ratio = value.parse()?,
        "prediction_m" => settings.prediction_m = value.parse()?,
        "contact_recycling" => settings.contact_recycling = value == "1",
        "friction_in_bias_pass" => settings.friction_in_bias_pass = value == "1",
        "sweeps" => settings.sweeps = value.parse()?,
        "hand_iterations" => settings.hand_iterations = value.parse()?,
        "hand_sweeps" => settings.hand_sweeps = value.parse()?,
        _ => return Err(format!("unknown setting {key}").into()),
    }
    Ok(())
}
