//! `cargo bench -p prehend-sim`: one world's physics step, one cloud, one reset; one core.

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use prehend_robot::Robot;
use prehend_sim::{ArmMode, FamilySet, SceneConfig, World};
use prehend_types::config::locate;

fn world(criterion: &mut Criterion) {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let robot = Arc::new(robot);
    let scene = SceneConfig::load(&locate("scenes/tabletop.toml").expect("scene file"));
    let scene = Arc::new(scene.expect("valid scene"));
    let make = |seed| World::new(&robot, &scene, seed, FamilySet::Train).expect("a scene");
    for mode in ArmMode::ALL {
        let world = World::with_arm(&robot, &scene, 1, FamilySet::Train, mode);
        let mut world = world.expect("a scene");
        let name = format!("world/step/still/{}", mode.name());
        criterion.bench_function(&name, |b| b.iter(|| world.step()));
    }
    let still = make(1);
    criterion.bench_function("world/observe/two_cameras", |b| b.iter(|| still.observe()));
    let mut seed = 0;
    criterion.bench_function("world/new/settled", |b| {
        b.iter(|| {
            seed += 1;
            make(seed)
        });
    });
}

criterion_group!(benches, world);
criterion_main!(benches);
