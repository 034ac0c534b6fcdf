//! `cargo bench -p prehend-sim --bench camera`: rays and clouds on one core.

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nalgebra::Vector3;
use prehend_cloud::{Intrinsics, Quotas};
use prehend_robot::{Robot, Shape};
use prehend_sim::camera::{Hit, Label, Solid, SolidShape, TriangleMesh, cast, expose};
use prehend_sim::{CameraConfig, FamilySet, NoiseConfig, SceneConfig, World};
use prehend_types::config::locate;
use prehend_types::{Pose, Role};

fn label(index: usize, role: Role) -> Label {
    Label::Body { index, role }
}

fn robot() -> Arc<Robot> {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3"));
    Arc::new(robot.expect("valid robot"))
}

fn tabletop() -> SceneConfig {
    let path = locate("scenes/tabletop.toml").expect("scene file");
    SceneConfig::load(&path).expect("valid scene")
}

/// The robot at home, as solids.
fn arm(robot: &Robot) -> Vec<Solid> {
    let mut poses = vec![Pose::identity(); robot.links().len()];
    robot.link_poses(robot.home(), 0.08, &mut poses);
    let links = robot.links().iter().zip(poses);
    links
        .flat_map(|(link, base_from_link)| {
            link.shapes.iter().map(move |shape| Solid {
                shape: shape.shape.clone().into(),
                base_from_shape: base_from_link * shape.link_from_shape,
                label: Label::Robot,
            })
        })
        .collect()
}

/// A ball of triangles with `n` rings.
fn ball(radius: f32, n: u32) -> TriangleMesh {
    let around = 2 * n;
    let mut vertices = Vec::new();
    for ring in 0..=n {
        let (sine, cosine) = libm::sincosf(std::f32::consts::PI * ring as f32 / n as f32);
        for k in 0..around {
            let (y, x) = libm::sincosf(std::f32::consts::TAU * k as f32 / around as f32);
            vertices.push([sine * x, sine * y, cosine].map(|v| v * radius));
        }
    }
    let at = |ring: u32, k: u32| ring * around + k % around;
    let cells = (0..n).flat_map(|ring| (0..around).map(move |k| (ring, k)));
    let triangles: Vec<[u32; 3]> = cells
        .flat_map(|(ring, k)| {
            let corners = [
                at(ring, k),
                at(ring, k + 1),
                at(ring + 1, k),
                at(ring + 1, k + 1),
            ];
            let [a, b, c, d] = corners;
            [[a, c, b], [b, c, d]]
        })
        .collect();
    TriangleMesh::new(&vertices, &triangles).expect("a ball")
}

/// Five things on the table: box, can, ball, post and box.
fn objects(mesh: Option<&Arc<TriangleMesh>>) -> Vec<Solid> {
    let shapes = [
        Shape::Cuboid {
            half_extents: Vector3::new(0.03, 0.02, 0.05),
        },
        Shape::Cylinder {
            radius: 0.03,
            half_length: 0.05,
        },
        Shape::Sphere { radius: 0.04 },
        Shape::Capsule {
            radius: 0.02,
            half_length: 0.04,
        },
        Shape::Cuboid {
            half_extents: Vector3::new(0.06, 0.06, 0.03),
        },
    ];
    let places = [
        [0.45, 0.2],
        [0.5, -0.2],
        [0.6, 0.0],
        [0.4, 0.0],
        [0.6, 0.25],
    ];
    shapes
        .iter()
        .zip(places)
        .enumerate()
        .map(|(index, (shape, [x, y]))| Solid {
            shape: mesh.map_or_else(
                || shape.clone().into(),
                |mesh| SolidShape::Mesh(Arc::clone(mesh)),
            ),
            base_from_shape: Pose::new(Vector3::new(x, y, 0.05), Vector3::new(0.1, 0.0, x + y)),
            label: label(index, Role::Other),
        })
        .collect()
}

/// Every pixel of one image from where the first camera of the tabletop scene stands.
fn rays(criterion: &mut Criterion) {
    let robot = robot();
    let eye = nalgebra::Point3::new(0.95, 0.50, 0.60);
    let target = nalgebra::Point3::new(0.48, 0.0, 0.02);
    // Camera frame: x right, y down, z forward.
    let base_from_camera = Pose::face_towards(&eye, &target, &-Vector3::z());
    let mesh = Arc::new(ball(0.06, 40));
    let mut group = criterion.benchmark_group("camera/cast");
    for size in [128, 512] {
        let intrinsics = Intrinsics::from_field_of_view(size, size, 0.94);
        group.throughput(Throughput::Elements((size * size) as u64));
        for (name, objects) in [
            ("primitives", objects(None)),
            ("meshes_5x6400", objects(Some(&mesh))),
        ] {
            let solids: Vec<Solid> = arm(&robot).into_iter().chain(objects).collect();
            let mut hits: Vec<Hit> = Vec::new();
            group.bench_function(format!("{name}/{size}x{size}"), |b| {
                b.iter(|| cast(&intrinsics, &base_from_camera, &solids, &mut hits));
            });
        }
        // Nothing but the mesh, near enough to fill the image.
        let near = [Solid {
            shape: SolidShape::Mesh(Arc::clone(&mesh)),
            base_from_shape: Pose::translation(0.0, 0.0, 0.5 + 0.085),
            label: label(0, Role::Target),
        }];
        let above = Pose::translation(0.0, 0.0, 0.5);
        let mut hits: Vec<Hit> = Vec::new();
        group.bench_function(format!("one_mesh_6400/{size}x{size}"), |b| {
            b.iter(|| cast(&intrinsics, &above, &near, &mut hits));
        });
    }
    group.finish();
}

/// All that stereo cameras get wrong.
fn all_noise(noise: &NoiseConfig) -> NoiseConfig {
    NoiseConfig {
        lateral_sigma_px: 0.3,
        baseline_m: 0.05,
        disparity_step_px: 0.03,
        stereo_shadow: true,
        ..noise.clone()
    }
}

fn clouds(criterion: &mut Criterion) {
    let robot = robot();
    let shipped = tabletop();
    let large = Quotas {
        target: 384,
        receptacle: 256,
        other: 384,
    };
    let square = CameraConfig {
        width_px: 128,
        height_px: 128,
        ..shipped.cameras[0].clone()
    };
    let one = vec![square];
    let two = shipped.cameras.clone();
    let fine: Vec<CameraConfig> = two
        .iter()
        .map(|camera| CameraConfig {
            width_px: 640,
            height_px: 480,
            ..camera.clone()
        })
        .collect();
    let full = all_noise(&shipped.noise);
    let cases = [
        (
            "two_160x120/512",
            &two,
            shipped.cloud.quotas,
            &shipped.noise,
        ),
        ("two_160x120/1024", &two, large, &shipped.noise),
        ("one_128x128/1024", &one, large, &shipped.noise),
        ("two_640x480/1024", &fine, large, &shipped.noise),
        (
            "two_160x120/512_all_noise",
            &two,
            shipped.cloud.quotas,
            &full,
        ),
        ("one_128x128/1024_all_noise", &one, large, &full),
    ];
    for (name, cameras, quotas, noise) in cases {
        let mut config = shipped.clone();
        config.cameras.clone_from(cameras);
        config.cloud.quotas = quotas;
        config.noise = noise.clone();
        if let Some(clutter) = &mut config.clutter {
            clutter.min_target_points = 5;
        }
        let config = Arc::new(config);
        // Scenes with few and with many objects, in turn.
        let worlds: Vec<World> = (0..8)
            .map(|seed| World::new(&robot, &config, seed, FamilySet::Train).expect("a scene"))
            .collect();
        let mut turn = 0;
        criterion.bench_function(&format!("camera/observe/{name}"), |b| {
            b.iter(|| {
                turn += 1;
                worlds[turn % worlds.len()].observe()
            });
        });
    }
    let solids: Vec<Solid> = arm(&robot).into_iter().chain(objects(None)).collect();
    let mut frame = 0;
    criterion.bench_function("camera/expose/five_objects/two_160x120/512", |b| {
        b.iter(|| {
            frame += 1;
            expose(&solids, &shipped, 1, frame)
        });
    });
}

criterion_group!(benches, rays, clouds);
criterion_main!(benches);
