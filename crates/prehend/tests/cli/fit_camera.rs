//! From images of walls and a step to the noise of a scene file.

use std::path::Path;

use image::{ImageBuffer, Luma};
use nalgebra::Vector3;
use prehend_cloud::Intrinsics;
use prehend_robot::Shape;
use prehend_sim::NoiseConfig;
use prehend_sim::camera::{Label, Solid, image as shoot};
use prehend_types::Pose;

use crate::common::{check_refused, code_and_stderr, prehend};

const WIDTH: usize = 96;
const HEIGHT: usize = 72;
const N_FRAMES: u64 = 24;
/// m.
const UNIT: f64 = 1e-4;
const RECORDING: &str = "
fov_deg = 52.0
baseline_m = 0.05
depth_unit_m = 0.0001
edge_step_m = 0.02
[[walls]]
distance_m = 0.5
frames = \"wall_050\"
[[walls]]
distance_m = 1.0
frames = \"wall_100\"
[[walls]]
distance_m = 0.64
frames = \"wall_064\"
[step]
near_m = 0.6
far_m = 0.9
frames = \"step\"
";

fn noise() -> NoiseConfig {
    NoiseConfig {
        sigma_m: 0.0008,
        sigma_per_m2: 0.0020,
        lateral_sigma_px: 0.6,
        dropout: 0.03,
        edge_step_m: 0.02,
        edge_holes: 0.4,
        ..NoiseConfig::default()
    }
}

/// A face square to the axis of a camera that looks along z from the origin.
fn face(distance: f64, to_x: f64) -> Solid {
    let half = Vector3::new(0.5 * (to_x + 20.0), 20.0, 0.05);
    Solid {
        shape: Shape::Cuboid { half_extents: half }.into(),
        base_from_shape: Pose::translation(0.5 * (to_x - 20.0), 0.0, distance + half.z),
        label: Label::Robot,
    }
}

/// Writes images as a depth camera's recorder does.
fn record(folder: &Path, solids: &[Solid], first_seed: u64) {
    std::fs::create_dir_all(folder).expect("a folder");
    let intrinsics = Intrinsics::from_field_of_view(WIDTH, HEIGHT, 52_f32.to_radians());
    for frame in 0..N_FRAMES {
        let seen = shoot(
            &intrinsics,
            &Pose::identity(),
            solids,
            &noise(),
            first_seed + frame,
        );
        let counts = seen.depth.iter();
        let counts: Vec<u16> = counts
            .map(|z| (f64::from(*z) / UNIT).round() as u16)
            .collect();
        let image: ImageBuffer<Luma<u16>, _> =
            ImageBuffer::from_raw(WIDTH as u32, HEIGHT as u32, counts).expect("as many pixels");
        image
            .save(folder.join(format!("{frame:03}.png")))
            .expect("written");
    }
}

fn recording() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("recording.toml"), RECORDING).expect("written");
    record(&at("wall_050"), &[face(0.5, 20.0)], 100);
    record(&at("wall_100"), &[face(1.0, 20.0)], 200);
    record(&at("wall_064"), &[face(0.64, 20.0)], 400);
    record(&at("step"), &[face(0.6, 0.013), face(0.9, 20.0)], 300);
    folder
}

#[test]
fn the_noise_of_a_recorded_camera_is_found() {
    let folder = recording();
    let path = folder.path().to_str().expect("text");
    let output = prehend(&["sim", "fit-camera", path, "--columns", "48", "--json"]).output();
    let output = output.expect("the program starts");
    let (code, stderr) = code_and_stderr(&output);
    assert_eq!(code, Some(0), "{stderr}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let expected = noise();
    for (key, expected, tolerance) in [
        ("sigma_m", expected.sigma_m, 1e-4),
        ("sigma_per_m2", expected.sigma_per_m2, 2e-4),
        // Of images of half as many columns.
        ("lateral_sigma_px", 0.5 * expected.lateral_sigma_px, 0.04),
        ("dropout", expected.dropout, 0.005),
        ("edge_holes", expected.edge_holes, 0.04),
    ] {
        let got = report["noise"][key].as_f64().expect(key);
        assert!(
            (got - expected).abs() < tolerance,
            "{key}: {got}, not {expected}"
        );
    }
    assert_eq!(report["noise"]["disparity_step_px"], 0.0, "{report}");
    for (key, most) in [("axial", 0.05), ("bias_m", 5e-4), ("pattern_m", 2e-4)] {
        assert!(
            report["residual"][key].as_f64().expect(key) < most,
            "{report}"
        );
    }

    // What it prints for people is the section of a scene file.
    let output = prehend(&["sim", "fit-camera", path])
        .output()
        .expect("the program starts");
    let text = String::from_utf8(output.stdout).expect("text");
    let read: toml::Table = text.parse().expect("TOML");
    assert!(read["noise"]["sigma_m"].is_float(), "{text}");
}

#[test]
fn recordings_that_are_none_are_refused_by_name() {
    check_refused(
        &["sim", "fit-camera", "no/such/folder"],
        3,
        &["no/such/folder"],
    );
    let folder = recording();
    let path = folder.path().to_str().expect("text");
    let check = |from: &str, to: &str, wanted: &[&str]| {
        assert!(RECORDING.contains(from), "{from}");
        let text = RECORDING.replacen(from, to, 1);
        std::fs::write(folder.path().join("recording.toml"), text).expect("written");
        check_refused(&["sim", "fit-camera", path], 3, wanted);
    };
    check(
        "fov_deg = 52.0",
        "fov_deg = nan",
        &["recording.toml", "fov_deg"],
    );
    check("fov_deg", "fov", &["recording.toml", "fov_deg"]);
    check(
        "distance_m = 1.0",
        "distance_m = 0.5",
        &["1.3 times as far"],
    );
    check("wall_100", "../wall_100", &["walls[1].frames", "below"]);
    check("wall_100", "wall_200", &["wall_200"]);
    check("edge_step_m = 0.02", "edge_step_m = 0.4", &["edge_step_m"]);
    check("\"step\"", "\"wall_050\"", &["near left half"]);

    std::fs::write(folder.path().join("recording.toml"), RECORDING).expect("written");
    let many = folder.path().join("step");
    for extra in 0..200 {
        let from = many.join("000.png");
        std::fs::copy(from, many.join(format!("more_{extra}.png"))).expect("copied");
    }
    check_refused(&["sim", "fit-camera", path], 3, &["step", "224 images"]);
    let image = folder.path().join("wall_050/000.png");
    let grey: ImageBuffer<Luma<u8>, Vec<u8>> = ImageBuffer::new(WIDTH as u32, HEIGHT as u32);
    grey.save(&image).expect("written");
    check_refused(&["sim", "fit-camera", path], 3, &["000.png", "16 bit grey"]);
    let small: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::new(8, 8);
    small.save(&image).expect("written");
    check_refused(&["sim", "fit-camera", path], 3, &["001.png", "(8, 8)"]);
    std::fs::write(&image, b"\x89PNG\r\n\x1a\nand nothing").expect("written");
    check_refused(&["sim", "fit-camera", path], 3, &["000.png"]);
}
