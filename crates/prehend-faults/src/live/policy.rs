//! A loaded policy in real time: loaded over and over, and shown clouds that no camera takes.

use std::time::Instant;

use prehend_policy::{OnnxPolicy, RuntimeOptions};
use prehend_types::config::locate;
use prehend_types::{
    GripperState, JointVelocities, Observation, PointCloud, Policy, RobotState, Role, Stamp,
};

use super::machine::resident_memory;
use crate::Lab;
use crate::fault::{Finding, Outcome};

const MODEL: &str = "models/fr3_pick_place";

fn options() -> RuntimeOptions {
    RuntimeOptions {
        warm_up_runs: 1,
        ..RuntimeOptions::default()
    }
}

pub(crate) fn load_unload(lab: &Lab) -> Outcome {
    let dir = locate(MODEL)?;
    let n = lab.of(1000).max(10);
    // The first ones fill what the engine and the allocator keep for good.
    let warm_up = n / 5;
    let mut before = 0;
    let mut provider = String::new();
    for k in 0..warm_up + n {
        if k == warm_up {
            before = resident_memory()?;
        }
        provider = OnnxPolicy::load(&dir, &options())?.provider().to_owned();
    }
    let grown = (resident_memory()? as f64 - before as f64) * 1e-6;
    Ok(Finding::new(
        grown < 5.0,
        format!("after {warm_up} others, {n} loads: {grown:+.2} MB, through {provider}"),
    ))
}

pub(crate) fn odd_clouds(lab: &Lab) -> Outcome {
    let robot = lab.robot("fr3")?;
    let mut policy = OnnxPolicy::load(&locate(MODEL)?, &options())?;
    let many = lab.of(10_000_000) as usize;
    let plain = [0.5, 0.0, 0.1];
    let cases: [(&str, Vec<[f32; 3]>); 9] = [
        ("none", vec![]),
        ("one", vec![plain]),
        ("all at the origin", vec![[0.0; 3]; 512]),
        ("equal points", vec![plain; 5000]),
        ("very many", vec![plain; many]),
        ("NaN", vec![[f32::NAN; 3]; 512]),
        (
            "one NaN",
            [vec![plain; 511], vec![[0.0, f32::NAN, 0.0]]].concat(),
        ),
        ("infinite", vec![[f32::INFINITY; 3]; 512]),
        ("subnormals", vec![[f32::from_bits(1); 3]; 512]),
    ];
    let mut bad = Vec::new();
    let mut slowest = (0.0, "");
    let (mut acted, mut declined) = (0, 0);
    for (name, points) in cases {
        let stamp = Stamp::now();
        let roles = (0..points.len())
            .map(|k| [Role::Target, Role::Receptacle, Role::Other][k % 3])
            .collect();
        let observation = Observation {
            stamp,
            cloud: PointCloud {
                stamp,
                frame: "base".to_owned(),
                points,
                roles,
            },
            state: RobotState {
                stamp,
                q: *robot.home(),
                dq: JointVelocities::zeros(7)?,
                gripper: GripperState {
                    width: 0.08,
                    commanded: 1.0,
                    is_grasping: false,
                },
            },
            base_from_tcp: robot.forward(robot.home()),
            committed: prehend_types::Actions::new(),
        };
        let begun = Instant::now();
        let answer = policy.act(&observation);
        let took = begun.elapsed().as_secs_f64();
        if took > slowest.0 {
            slowest = (took, name);
        }
        match answer {
            Ok(chunk) if chunk.actions().iter().all(|action| action.is_finite()) => acted += 1,
            Ok(_) => bad.push(name),
            Err(_) => declined += 1,
        }
    }
    Ok(Finding::new(
        bad.is_empty() && slowest.0 <= 1.0,
        format!(
            "{acted} finite chunks, {declined} errors, {} not finite {bad:?}; slowest {:.3} s ({}, {many} points at \
             most)",
            bad.len(),
            slowest.0,
            slowest.1
        ),
    ))
}
