//! Meshes become convex pieces that hold what the mesh holds.

use nalgebra::{Point3, Vector3};
use prehend_robot::import::{ImportOptions, load};
use prehend_robot::{ConvexHull, LinkShape, Shape};

use crate::{corpus, good, import_text};

fn hull(shape: &LinkShape) -> &ConvexHull {
    match &shape.shape {
        Shape::Convex(hull) => hull,
        other => panic!("{other:?} is no piece of a mesh"),
    }
}

/// Whether a point of the link lies in a piece, within 1 µm.
fn holds(shape: &LinkShape, point: &Vector3<f64>) -> bool {
    let local = shape
        .link_from_shape
        .inverse_transform_point(&Point3::from(*point));
    let sides = hull(shape).planes().iter();
    sides
        .map(|p| p.normal.dot(&local.coords) - p.offset)
        .all(|d| d < 1e-6)
}

#[test]
fn a_box_of_triangles_is_one_piece_of_its_size() {
    let robot = good("meshes.urdf").robot;
    let shapes = &robot.links()[0].shapes;
    assert_eq!(shapes.len(), 1);
    assert_eq!(hull(&shapes[0]).points().len(), 8);
    assert!((hull(&shapes[0]).volume() - 0.1 * 0.04 * 0.1).abs() < 1e-9);
    let middle = shapes[0].link_from_shape.translation.vector;
    assert!((middle - Vector3::new(0.0, 0.0, 0.05)).norm() < 1e-7);
}

#[test]
fn an_angle_is_split_and_its_hollow_stays_free() {
    let path = corpus("good/meshes.urdf");
    // As the model says: xyz 0.1 0 0, rpy 0.1 0.2 0.3, z doubled.
    let link_from_mesh = prehend_types::Pose::from_parts(
        nalgebra::Translation3::new(0.1, 0.0, 0.0),
        nalgebra::UnitQuaternion::from_euler_angles(0.1, 0.2, 0.3),
    );
    let pieces_at = |max_pieces: u32| {
        let options = ImportOptions {
            max_pieces,
            ..ImportOptions::default()
        };
        load(&path, &options).expect("meshes").robot
    };
    let (split, whole) = (pieces_at(8), pieces_at(1));
    let arm = |robot: &prehend_robot::Robot| robot.links()[1].shapes.clone();
    // The last shape is the little tetrahedron.
    let (many, one) = (arm(&split), arm(&whole));
    assert_eq!(one.len(), 2);
    assert!(many.len() >= 3, "{} pieces", many.len());
    let at = |x, y, z| (link_from_mesh * Point3::new(x, y, z)).coords;
    let (hollow, solid) = (
        at(0.12, 0.12, 0.05),
        [at(0.19, 0.02, 0.05), at(0.02, 0.19, 0.05)],
    );
    let is_held = |shapes: &[LinkShape], point| shapes.iter().any(|shape| holds(shape, point));
    assert!(
        !is_held(&many[..many.len() - 1], &hollow),
        "a piece fills the hollow"
    );
    assert!(is_held(&one[..1], &hollow), "the hull does fill it");
    for point in &solid {
        assert!(is_held(&many, point) && is_held(&one, point));
    }
    let volume: f64 = many[..many.len() - 1]
        .iter()
        .map(|s| hull(s).volume())
        .sum();
    let exact = (0.2 * 0.05 + 0.05 * 0.15) * 0.1;
    println!(
        "{} pieces, {:.1} % of the volume",
        many.len() - 1,
        100.0 * volume / exact
    );
    assert!((volume / exact - 1.0).abs() < 0.05, "{volume} {exact}");
    assert_eq!(
        split.content_hash(),
        pieces_at(8).content_hash(),
        "split the same way twice"
    );
}

#[test]
fn a_mirroring_scale_mirrors_and_an_open_mesh_is_said_to_be_filled() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let open = "v 0 0 0\nv 0.1 0 0\nv 0 0.1 0\nv 0 0 0.1\nf 1 3 2\nf 1 2 4\nf 1 4 3\n";
    std::fs::write(folder.path().join("open.obj"), open).expect("a mesh");
    let model = |scale: &str| {
        format!(
            r#"<robot name="r"><link name="a"><collision><geometry><mesh filename="open.obj" scale="{scale}"/>
            </geometry></collision></link><link name="b"/><joint name="j" type="revolute"><parent link="a"/>
            <child link="b"/><axis xyz="0 0 1"/><limit lower="-1" upper="1" velocity="1" effort="1"/>
            </joint></robot>"#
        )
    };
    let path = folder.path().join("r.urdf");
    std::fs::write(&path, model("-2 1 1")).expect("a model");
    let imported = load(&path, &ImportOptions::default()).expect("a hull");
    let shape = &imported.robot.links()[0].shapes[0];
    assert!(holds(shape, &Vector3::new(-0.15, 0.01, 0.01)));
    assert!(!holds(shape, &Vector3::new(0.01, 0.01, 0.01)));
    assert!((hull(shape).volume() - 2.0 * 1e-3 / 6.0).abs() < 1e-12);
    assert!(
        imported
            .dropped
            .iter()
            .any(|d| d.why.contains("not closed")),
        "{:?}",
        imported.dropped
    );
    let strict = ImportOptions {
        strict: true,
        ..ImportOptions::default()
    };
    let shown = load(&path, &strict).expect_err("an open mesh").to_string();
    assert!(
        shown.contains("r.urdf:1:") && shown.contains("not closed"),
        "{shown}"
    );
}

#[test]
fn mesh_assets_weigh_what_they_enclose() {
    let robot = good("parts.xml").robot;
    let arm = &robot.links()[robot.link_idx("arm").expect("arm")];
    let wedge = 500.0 * 1e-3 / 6.0;
    let ellipsoid = 1000.0 * 4.0 / 3.0 * std::f64::consts::PI * 0.05 * 0.03 * 0.02;
    assert!((arm.inertial.mass - wedge - ellipsoid).abs() < 1e-12);
    // Turned by euler="90 0 0" in degrees, limits from an included default class.
    assert!((robot.limits().q_min[0] + std::f64::consts::FRAC_PI_2).abs() < 1e-12);
    assert_eq!(robot.joint_dynamics()[0].damping, 0.2);
}

#[test]
fn an_ellipsoid_is_told_as_an_approximation() {
    let text = r#"<mujoco><worldbody><body name="base"><body name="arm"><joint name="j" range="-1 1"/>
        <geom type="ellipsoid" size="0.05 0.03 0.02"/></body></body></worldbody></mujoco>"#;
    let imported = import_text("e.xml", text, &ImportOptions::default()).expect("one joint");
    let told = imported
        .dropped
        .iter()
        .find(|d| d.why.contains("ellipsoid"))
        .expect("told");
    assert_eq!(told.line, 2);
    assert!(told.element.contains("body \"arm\" <geom>"), "{told:?}");
    let strict = ImportOptions {
        strict: true,
        ..ImportOptions::default()
    };
    assert!(import_text("e.xml", text, &strict).is_err());
}
