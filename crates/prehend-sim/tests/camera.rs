//! What the depth cameras promise, seen from outside.

use std::sync::Arc;

use nalgebra::Vector3;
use prehend_cloud::{Intrinsics, Quotas, deproject, sample_by_role};
use prehend_robot::{Robot, Shape};
use prehend_sim::camera::{
    Hit, Label, MeshError, Solid, SolidShape, TriangleMesh, cast, expose, image, images,
};
use prehend_sim::{NoiseConfig, SceneConfig};
use prehend_types::config::locate;
use prehend_types::{Pose, Role};

fn label(index: usize, role: Role) -> Label {
    Label::Body { index, role }
}

fn tabletop() -> SceneConfig {
    SceneConfig::load(&locate("scenes/tabletop.toml").expect("scene file")).expect("valid scene")
}

fn upright(shape: Shape, at: [f64; 3], yaw: f64, label: Label) -> Solid {
    Solid {
        shape: shape.into(),
        base_from_shape: Pose::new(Vector3::from(at), Vector3::new(0.0, 0.0, yaw)),
        label,
    }
}

fn block(size: [f64; 3]) -> Shape {
    Shape::Cuboid {
        half_extents: Vector3::from(size) * 0.5,
    }
}

/// The arm at home, a tray, and a can, a box and a ball as target and others.
fn table(target_radius: f64) -> Vec<Solid> {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let mut poses = vec![Pose::identity(); robot.links().len()];
    robot.link_poses(robot.home(), 0.08, &mut poses);
    let links = robot.links().iter().zip(poses);
    let mut solids: Vec<Solid> = links
        .flat_map(|(link, base_from_link)| {
            link.shapes.iter().map(move |shape| Solid {
                shape: shape.shape.clone().into(),
                base_from_shape: base_from_link * shape.link_from_shape,
                label: Label::Robot,
            })
        })
        .collect();
    let can = Shape::Cylinder {
        radius: target_radius,
        half_length: 0.05,
    };
    let tray = [0.22, 0.18, 0.005];
    solids.extend([
        upright(
            block(tray),
            [0.5, 0.2, 0.0025],
            0.4,
            label(9, Role::Receptacle),
        ),
        upright(can, [0.55, -0.1, 0.05], 0.0, label(0, Role::Target)),
        upright(
            block([0.05, 0.08, 0.1]),
            [0.42, -0.02, 0.05],
            0.9,
            label(1, Role::Other),
        ),
        upright(
            Shape::Sphere { radius: 0.035 },
            [0.6, -0.2, 0.035],
            0.0,
            label(2, Role::Other),
        ),
    ]);
    solids
}

/// All that can be switched on.
fn all_noise() -> NoiseConfig {
    NoiseConfig {
        lateral_sigma_px: 0.4,
        baseline_m: 0.05,
        disparity_step_px: 0.03,
        stereo_shadow: true,
        ..tabletop().noise
    }
}

type Cloud = (Vec<[f32; 3]>, Vec<Role>);

/// Complete images, back-projected and cropped: what points are picked from.
fn everything(solids: &[Solid], config: &SceneConfig, seed: u64, frame: u64) -> Cloud {
    let (mut points, mut roles) = (Vec::new(), Vec::new());
    for (image, believed) in images(solids, config, seed, frame) {
        deproject(&image, &believed, &mut points, &mut roles);
    }
    config.cloud.crop.apply(&mut points, &mut roles);
    (points, roles)
}

#[test]
fn without_quotas_the_cloud_is_the_whole_image_bit_for_bit() {
    let solids = table(0.03);
    for (noise, seed) in [tabletop().noise, NoiseConfig::default(), all_noise()]
        .into_iter()
        .zip(1..)
    {
        let mut config = tabletop();
        config.noise = noise;
        // An odd size, which leaves blocks of pixels half outside.
        (config.cameras[1].width_px, config.cameras[1].height_px) = (107, 83);
        config.cloud.quotas = Quotas {
            target: 50_000,
            receptacle: 50_000,
            other: 50_000,
        };
        for frame in 0..4 {
            let cloud = expose(&solids, &config, seed, frame);
            let (points, roles) = everything(&solids, &config, seed, frame);
            assert!(points.len() > 800, "{}", points.len());
            assert_eq!(cloud.points, points);
            assert_eq!(cloud.roles, roles);
            assert_eq!(cloud, expose(&solids, &config, seed, frame));
        }
    }
}

/// How often each point is kept, and sums and sums of squares over clouds of: points of each role, and
/// neighbouring points that are both kept.
#[derive(Default)]
struct Tally {
    kept: Vec<f64>,
    sums: [f64; 4],
    squares: [f64; 4],
}

impl Tally {
    fn count(&mut self, all: &[[f32; 3]], points: &[[f32; 3]], roles: &[Role]) {
        self.kept.resize(all.len(), 0.0);
        let mut values = [0.0; 4];
        // Both are in image order.
        let (mut index, mut before) = (0, None);
        for (point, role) in points.iter().zip(roles) {
            while all[index] != *point {
                index += 1;
            }
            self.kept[index] += 1.0;
            values[*role as usize] += 1.0;
            if index > 0 && before == Some(index - 1) {
                values[3] += 1.0;
            }
            before = Some(index);
        }
        for (i, value) in values.into_iter().enumerate() {
            self.sums[i] += value;
            self.squares[i] += value * value;
        }
    }
}

#[test]
fn picked_points_are_distributed_like_a_sample_of_the_whole_image() {
    const CLOUDS: u64 = 3000;
    // A target with fewer points than its quota, whose rest goes to the others, and one with more.
    for (target_radius, quotas) in [(0.012, [192, 128, 30]), (0.04, [60, 40, 30])] {
        let solids = table(target_radius);
        let mut config = tabletop();
        // Without noise, every frame has the same points to choose from.
        config.noise = NoiseConfig::default();
        let [target, receptacle, other] = quotas;
        config.cloud.quotas = Quotas {
            target,
            receptacle,
            other,
        };
        let (all, all_roles) = everything(&solids, &config, 7, 0);
        let [mut picked, mut sampled] = [Tally::default(), Tally::default()];
        for frame in 0..CLOUDS {
            let cloud = expose(&solids, &config, 7, frame);
            assert_eq!(cloud.points.len(), config.cloud.quotas.total());
            picked.count(&all, &cloud.points, &cloud.roles);
            let (mut points, mut roles) = (all.clone(), all_roles.clone());
            sample_by_role(
                &mut points,
                &mut roles,
                &config.cloud.quotas,
                90_000 + frame,
            );
            sampled.count(&all, &points, &roles);
        }
        // Two-sample chi-square over all points that are kept now and then.
        let n = CLOUDS as f64;
        let (mut sum, mut freedom) = (0.0, 0.0);
        for (a, b) in picked.kept.iter().zip(&sampled.kept) {
            let share = (a + b) / (2.0 * n);
            if share < 1.0 {
                assert!(share > 0.0, "a point that is never kept");
                sum += (a - b).powi(2) / ((a + b) * (1.0 - share));
                freedom += 1.0;
            } else {
                assert_eq!(a, b);
            }
        }
        let deviation = (sum - freedom) / (2.0 * freedom).sqrt();
        assert!(
            freedom > 500.0 && deviation.abs() < 5.0,
            "{deviation} of {freedom}"
        );
        // Points per role and neighbouring pairs: equal means and spreads.
        for i in 0..4 {
            let moments = |tally: &Tally| {
                let mean = tally.sums[i] / n;
                (mean, tally.squares[i] / n - mean * mean)
            };
            let ((a, va), (b, vb)) = (moments(&picked), moments(&sampled));
            let error = ((va + vb) / n).sqrt();
            assert!(
                (a - b).abs() <= 5.0 * error + 1e-9,
                "{i}: {a} and {b} +- {error}"
            );
            let spread = (va + vb).max(1e-12);
            assert!(
                (va - vb).abs() / spread < 0.1,
                "{i}: variances {va} and {vb}"
            );
        }
    }
}

/// A camera at z = 2 that looks up at solids at these distances.
fn looking_up(solids: &[Solid], noise: &NoiseConfig, seed: u64) -> Vec<Vec<f32>> {
    let intrinsics = Intrinsics::from_field_of_view(120, 40, 0.9);
    let camera = Pose::translation(0.0, 0.0, 2.0);
    let image = image(&intrinsics, &camera, solids, noise, seed);
    image.depth.chunks(120).map(<[f32]>::to_vec).collect()
}

/// A wall 1 m away and a post 0.5 m away in front of its middle.
fn post_and_wall() -> Vec<Solid> {
    vec![
        upright(
            block([4.0, 4.0, 0.1]),
            [0.0, 0.0, 3.05],
            0.0,
            label(9, Role::Receptacle),
        ),
        upright(
            block([0.1, 4.0, 0.02]),
            [0.0, 0.0, 2.51],
            0.0,
            label(0, Role::Target),
        ),
    ]
}

#[test]
fn the_second_eye_casts_a_shadow_to_the_left() {
    let noise = NoiseConfig {
        baseline_m: 0.05,
        stereo_shadow: true,
        ..NoiseConfig::default()
    };
    let row = &looking_up(&post_and_wall(), &noise, 1)[20];
    let focal = Intrinsics::from_field_of_view(120, 40, 0.9).focal;
    let first_of_post = row
        .iter()
        .position(|z| *z > 0.0 && *z < 0.6)
        .expect("a post");
    let post: Vec<usize> = (0..120)
        .filter(|x| row[*x] > 0.0 && row[*x] < 0.6)
        .collect();
    let shadow = (0..first_of_post)
        .rev()
        .take_while(|x| row[*x] == 0.0)
        .count();
    // f b (1 / near - 1 / far), and f b / far at the border that the second eye does not see.
    let expected = focal * 0.05 * (1.0 / 0.5 - 1.0);
    assert!(
        (shadow as f32 - expected).abs() <= 1.0,
        "{shadow}, not {expected}"
    );
    let border = row.iter().take_while(|z| **z == 0.0).count();
    assert!((border as f32 - focal * 0.05).abs() <= 1.0, "{border}");
    // To the right of the post, both eyes see the wall.
    assert!(row[post[post.len() - 1] + 1] > 0.9);
    let off = looking_up(&post_and_wall(), &NoiseConfig::default(), 1);
    assert!(off.iter().flatten().all(|z| *z > 0.0));
}

#[test]
fn lateral_noise_breaks_outlines_and_leaves_walls_alone() {
    let noise = NoiseConfig {
        lateral_sigma_px: 0.7,
        ..NoiseConfig::default()
    };
    let rows = looking_up(&post_and_wall(), &noise, 1);
    let starts = rows
        .iter()
        .map(|row| row.iter().position(|z| *z < 0.6).expect("a post"));
    let starts: std::collections::BTreeSet<usize> = starts.collect();
    assert!(starts.len() >= 2, "{starts:?}");
    let depths = rows.iter().flatten();
    assert!(
        depths
            .clone()
            .all(|z| (z - 0.5).abs() < 1e-5 || (z - 1.0).abs() < 1e-5)
    );
    assert_ne!(rows, looking_up(&post_and_wall(), &noise, 2));
    assert_eq!(rows, looking_up(&post_and_wall(), &noise, 1));
}

#[test]
fn axial_noise_grows_with_the_distance_squared() {
    let noise = NoiseConfig {
        sigma_m: 0.001,
        sigma_per_m2: 0.004,
        ..NoiseConfig::default()
    };
    for (distance, expected) in [(0.5, 0.002), (1.0, 0.005)] {
        let wall = block([4.0, 4.0, 0.1]);
        let wall = upright(wall, [0.0, 0.0, 2.05 + distance], 0.0, Label::Table);
        let rows = looking_up(&[wall], &noise, 3);
        let errors = rows.iter().flatten().map(|z| f64::from(*z) - distance);
        let variance = errors.map(|e| e * e).sum::<f64>() / 4800.0;
        assert!(
            (variance.sqrt() / expected - 1.0).abs() < 0.05,
            "{variance}"
        );
    }
}

/// The corners and triangles of a box.
fn box_mesh(half: [f32; 3]) -> TriangleMesh {
    let corner = |i: usize| -> [f32; 3] {
        std::array::from_fn(|axis| {
            if i >> axis & 1 == 0 {
                -half[axis]
            } else {
                half[axis]
            }
        })
    };
    let corners: Vec<[f32; 3]> = (0..8).map(corner).collect();
    let faces = [
        [0, 1, 3, 2],
        [4, 5, 7, 6],
        [0, 1, 5, 4],
        [2, 3, 7, 6],
        [0, 2, 6, 4],
        [1, 3, 7, 5],
    ];
    let triangles: Vec<[u32; 3]> = faces
        .iter()
        .flat_map(|[a, b, c, d]| [[*a, *b, *c], [*a, *c, *d]])
        .collect();
    TriangleMesh::new(&corners, &triangles).expect("a box")
}

#[test]
fn a_box_of_triangles_looks_like_a_box() {
    let mesh = Arc::new(box_mesh([0.05, 0.03, 0.08]));
    let intrinsics = Intrinsics::from_field_of_view(121, 91, 0.5);
    let camera = Pose::translation(0.0, 0.0, 2.0);
    let (mut differing, mut hit) = (0, 0);
    for k in 0..20 {
        let k = f64::from(k);
        let pose = Pose::new(
            Vector3::new(0.05 * libm::sin(k), 0.05 * libm::cos(k), 2.5),
            Vector3::new(k, 0.7 * k, 2.1 * k),
        );
        let see = |shape: SolidShape| {
            let solid = Solid {
                shape,
                base_from_shape: pose,
                label: label(0, Role::Target),
            };
            let mut hits: Vec<Hit> = Vec::new();
            cast(&intrinsics, &camera, &[solid], &mut hits);
            hits
        };
        let meshed = see(SolidShape::Mesh(Arc::clone(&mesh)));
        let solid = see(block([0.1, 0.06, 0.16]).into());
        for (a, b) in meshed.iter().zip(&solid) {
            hit += usize::from(b.depth.is_finite());
            let same = a.depth == b.depth || (a.depth - b.depth).abs() < 1e-5;
            differing += usize::from(!same);
        }
    }
    // Rounding decides about single rays that graze an outline.
    assert!(hit > 20_000 && differing <= 10, "{differing} of {hit}");
}

#[test]
fn unusable_meshes_are_refused() {
    let corners = [[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
    assert!(TriangleMesh::new(&corners, &[[0, 1, 2]]).is_ok());
    let refused = |corners: &[[f32; 3]], triangles: &[[u32; 3]]| {
        TriangleMesh::new(corners, triangles).expect_err("unusable")
    };
    assert_eq!(
        refused(&corners, &[[0, 1, 1]]),
        MeshError::Empty { n_triangles: 1 }
    );
    assert!(matches!(
        refused(&corners, &[[0, 1, 3]]),
        MeshError::Index { vertex: 3, .. }
    ));
    let infinite = [[f32::NAN; 3], corners[1], corners[2]];
    assert_eq!(
        refused(&infinite, &[[0, 1, 2]]),
        MeshError::Vertex { vertex: 0 }
    );
}

#[test]
fn every_point_knows_its_body() {
    let cloud = expose(&table(0.03), &tabletop(), 3, 0);
    let mut seen = std::collections::BTreeMap::new();
    for (role, instance) in cloud.roles.iter().zip(&cloud.instances) {
        let expected = match instance {
            9 => Role::Receptacle,
            0 => Role::Target,
            _ => Role::Other,
        };
        assert_eq!(*role, expected);
        *seen.entry(*instance).or_insert(0) += 1;
    }
    assert!(seen.len() == 4 && seen.values().all(|n| *n > 5), "{seen:?}");
}

#[test]
fn noise_keys_are_optional_and_checked() {
    let path = locate("scenes/tabletop.toml").expect("scene file");
    let good = std::fs::read_to_string(path).expect("readable");
    let folder = tempfile::tempdir().expect("a folder");
    let load = |more: &str| {
        let path = folder.path().join("scene.toml");
        let text = good.replacen("dropout = 0.01", &format!("dropout = 0.01\n{more}"), 1);
        std::fs::write(&path, text).expect("written");
        SceneConfig::load(&path)
    };
    let off = load("").expect("as shipped").noise;
    assert_eq!((off.lateral_sigma_px, off.baseline_m), (0.0, 0.0));
    assert!(off.disparity_step_px == 0.0 && !off.stereo_shadow);
    let on =
        "lateral_sigma_px = 0.2\nbaseline_m = 0.05\ndisparity_step_px = 0.03\nstereo_shadow = true";
    let expected = NoiseConfig {
        lateral_sigma_px: 0.2,
        ..all_noise()
    };
    assert_eq!(load(on).expect("valid").noise, expected);
    for (bad, field) in [
        ("lateral_sigma_px = -0.1", "noise.lateral_sigma_px"),
        ("baseline_m = nan", "noise.baseline_m"),
        ("disparity_step_px = 0.1", "noise.disparity_step_px"),
        ("stereo_shadow = true", "noise.baseline_m"),
        ("latteral_sigma_px = 0.1", "did you mean `lateral_sigma_px`"),
    ] {
        let message = load(bad).expect_err(bad).to_string();
        assert!(message.contains(field), "{message}");
    }
}
