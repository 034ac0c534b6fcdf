//! What one control tick and one planning query cost: `cargo bench -p prehend-robot`.

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{Criterion, criterion_group, criterion_main};
use prehend_robot::{IkOptions, Robot};
use prehend_types::{JointPositions, JointTorques, JointVelocities, Pose, Stream, derive_seed};

const N_SAMPLES: u64 = 64;

fn random_q(robot: &Robot, idx: u64) -> JointPositions {
    let limits = robot.limits();
    let mut q = *robot.home();
    for (joint_idx, q) in q.iter_mut().enumerate() {
        let bits = derive_seed(idx, Stream::Scene, joint_idx as u64);
        let unit = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        *q = limits.q_min[joint_idx] + unit * (limits.q_max[joint_idx] - limits.q_min[joint_idx]);
    }
    q
}

fn kinematics(c: &mut Criterion) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../robots/fr3");
    let robot = Robot::load(&folder).expect("robots/fr3 is valid");
    let samples: Vec<_> = (0..N_SAMPLES).map(|idx| random_q(&robot, idx)).collect();
    let mut samples = samples.iter().cycle();
    let mut next = move || samples.next().copied().expect("a cycle has no end");

    c.bench_function("kinematics/forward/fr3", |b| {
        b.iter(|| robot.forward(black_box(&next())))
    });
    c.bench_function("kinematics/forward_and_jacobian/fr3", |b| {
        b.iter(|| robot.forward_and_jacobian(black_box(&next())));
    });
    let mut poses = vec![Pose::identity(); robot.links().len()];
    c.bench_function("kinematics/link_poses/fr3", |b| {
        b.iter(|| robot.link_poses(black_box(&next()), 0.04, &mut poses));
    });
    c.bench_function("kinematics/inverse_from_home/fr3", |b| {
        b.iter(|| {
            let target = robot.forward(&next());
            robot.inverse(black_box(&target), robot.home(), &IkOptions::default())
        });
    });
    c.bench_function("dynamics/gravity/fr3", |b| {
        b.iter(|| robot.gravity_torques(black_box(&next())))
    });
    c.bench_function("dynamics/mass_matrix/fr3", |b| {
        b.iter(|| robot.mass_matrix(black_box(&next())))
    });
    c.bench_function("dynamics/composite_mass_matrix/fr3", |b| {
        b.iter(|| robot.articulation(black_box(&next())).mass_matrix())
    });
    let dq = JointVelocities::from_slice(&[0.3, -0.5, 0.7, 0.2, -0.9, 1.1, 0.4]).expect("seven");
    let tau = JointTorques::from_slice(&[1.0; 7]).expect("seven");
    c.bench_function("dynamics/forward/fr3", |b| {
        b.iter(|| robot.forward_dynamics(black_box(&next()), black_box(&dq), &tau, &[]))
    });
    c.bench_function("collision/self_distance/fr3", |b| {
        b.iter(|| robot.self_distance(black_box(&next())));
    });
}

criterion_group!(benches, kinematics);
criterion_main!(benches);
