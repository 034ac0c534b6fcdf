//! How long one cloud takes: the time of short batches on one core, least, median and most.
//!
//! `cargo run --release -p prehend-sim --example clouds -- [WIDTH] [HEIGHT] [CAMERAS] [POINTS] [SECONDS]`
#![allow(clippy::print_stdout, reason = "a program")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use prehend_cloud::Quotas;
use prehend_robot::Robot;
use prehend_sim::{FamilySet, SceneConfig, World};
use prehend_types::config::locate;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let number = |i: usize, default: usize| args.get(i).map_or(Ok(default), |a| a.parse());
    let (width, height) = (number(1, 160)?, number(2, 120)?);
    let (n_cameras, n_points) = (number(3, 2)?, number(4, 512)?);
    let seconds = number(5, 5)?;
    let robot = Arc::new(Robot::load(&locate("robots/fr3")?)?);
    let mut config = SceneConfig::load(&locate("scenes/tabletop.toml")?)?;
    config.cameras.truncate(n_cameras);
    for camera in &mut config.cameras {
        (camera.width_px, camera.height_px) = (width, height);
    }
    if let Some(clutter) = &mut config.clutter {
        clutter.min_target_points = 5;
    }
    config.cloud.quotas = Quotas {
        target: n_points * 3 / 8,
        receptacle: n_points / 4,
        other: n_points * 3 / 8,
    };
    let config = Arc::new(config);
    let worlds = (0..16).map(|seed| World::new(&robot, &config, seed, FamilySet::Train));
    let worlds: Vec<World> = worlds.collect::<Result<_, _>>()?;
    let (mut times, mut points) = (Vec::new(), 0);
    let end = Instant::now() + Duration::from_secs(seconds as u64);
    while Instant::now() < end {
        let start = Instant::now();
        points = worlds.iter().map(|world| world.observe().cloud.len()).sum();
        times.push(start.elapsed().as_secs_f64() * 1e6 / worlds.len() as f64);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{n_cameras} x {width}x{height}, at most {n_points} points, {:.0} on average: \
         least {:.1}, tenth {:.1}, median {:.1}, most {:.1} us over {} batches of {}",
        points as f64 / worlds.len() as f64,
        times[0],
        times[times.len() / 10],
        times[times.len() / 2],
        times[times.len() - 1],
        times.len(),
        worlds.len(),
    );
    Ok(())
}
