//! The robot's folder: URDF, `robot.toml`, and one OBJ file per convex piece.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use nalgebra::{UnitQuaternion, Vector3};
use prehend_types::Pose;
use sha2::{Digest, Sha256};

use super::model::Model;
use crate::urdf::{JointKind, UrdfJoint, UrdfLink};
use crate::{ConvexHull, RobotError, Shape};

/// Writes texts below a folder that is made if it is missing; no file is overwritten.
pub(super) fn folder(
    folder: &Path,
    files: &[(String, String)],
) -> Result<Vec<PathBuf>, RobotError> {
    let refuse = |path: &Path| {
        let path = path.to_owned();
        move |source| RobotError::Write { path, source }
    };
    // Before anything is written, so that a refusal leaves nothing half done.
    for (name, _) in files {
        let path = folder.join(name);
        if path.exists() {
            let message = "it exists; give another folder, or move it away";
            let source = std::io::Error::new(std::io::ErrorKind::AlreadyExists, message);
            return Err(RobotError::Write { path, source });
        }
    }
    let mut written = Vec::with_capacity(files.len());
    let mut write = || {
        for (name, text) in files {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(refuse(parent))?;
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&path)
                .map_err(refuse(&path))?;
            written.push(path.clone());
            let all = file.write_all(text.as_bytes());
            all.and_then(|()| file.sync_all()).map_err(refuse(&path))?;
        }
        Ok(())
    };
    let done = write();
    if done.is_err() {
        // Half a robot would be in the way of the next try.
        for path in &written {
            let _ = fs::remove_file(path);
        }
    }
    done.map(|()| written)
}

pub(super) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// The model as URDF text, and its meshes as name and text.
pub(super) fn urdf(model: &Model) -> (String, Vec<(String, String)>) {
    let mut writer = Writer::default();
    // Writing to a string cannot fail.
    let _ = writer.model(model);
    (writer.text, writer.meshes)
}

#[derive(Default)]
struct Writer {
    text: String,
    meshes: Vec<(String, String)>,
}

impl Writer {
    fn model(&mut self, model: &Model) -> std::fmt::Result {
        writeln!(self.text, "<?xml version=\"1.0\" encoding=\"utf-8\"?>")?;
        writeln!(self.text, "<!-- Made by importing a model: m, rad, kg. -->")?;
        writeln!(
            self.text,
            "<robot name=\"{}\" version=\"1.1\">",
            escaped(&model.name)
        )?;
        for (idx, link) in model.urdf.links.iter().enumerate() {
            if let Some(joint) = model
                .joint_to(idx)
                .and_then(|idx| model.urdf.joints.get(idx))
            {
                self.joint(joint)?;
            }
            self.link(idx, link)?;
        }
        writeln!(self.text, "</robot>")
    }

    fn link(&mut self, idx: usize, link: &UrdfLink) -> std::fmt::Result {
        let name = escaped(&link.name);
        let body = &link.inertial;
        if body.mass <= 0.0 && link.shapes.is_empty() {
            return writeln!(self.text, "  <link name=\"{name}\"/>");
        }
        writeln!(self.text, "  <link name=\"{name}\">")?;
        if body.mass > 0.0 {
            let i = &body.inertia;
            writeln!(self.text, "    <inertial>")?;
            writeln!(
                self.text,
                "      <origin xyz=\"{}\"/>",
                numbers(&body.center_of_mass)
            )?;
            writeln!(self.text, "      <mass value=\"{:?}\"/>", body.mass)?;
            writeln!(
                self.text,
                "      <inertia ixx=\"{:?}\" ixy=\"{:?}\" ixz=\"{:?}\" iyy=\"{:?}\" iyz=\"{:?}\" izz=\"{:?}\"/>",
                i[(0, 0)],
                i[(0, 1)],
                i[(0, 2)],
                i[(1, 1)],
                i[(1, 2)],
                i[(2, 2)]
            )?;
            writeln!(self.text, "    </inertial>")?;
        }
        for (piece, shape) in link.shapes.iter().enumerate() {
            writeln!(self.text, "    <collision>")?;
            self.origin(&shape.link_from_shape, "      ")?;
            let shape = self.shape(idx, piece, &link.name, &shape.shape);
            writeln!(self.text, "      <geometry>{shape}</geometry>")?;
            writeln!(self.text, "    </collision>")?;
        }
        writeln!(self.text, "  </link>")
    }

    fn shape(&mut self, link_idx: usize, piece: usize, link: &str, shape: &Shape) -> String {
        match shape {
            Shape::Cuboid { half_extents } => {
                format!("<box size=\"{}\"/>", numbers(&(half_extents * 2.0)))
            }
            Shape::Sphere { radius } => format!("<sphere radius=\"{radius:?}\"/>"),
            Shape::Cylinder {
                radius,
                half_length,
            } => format!(
                "<cylinder radius=\"{radius:?}\" length=\"{:?}\"/>",
                2.0 * half_length
            ),
            Shape::Capsule {
                radius,
                half_length,
            } => format!(
                "<capsule radius=\"{radius:?}\" length=\"{:?}\"/>",
                2.0 * half_length
            ),
            Shape::Convex(hull) => {
                let text = obj(hull);
                // Mirrored fingers and repeated parts share a file.
                let known = self.meshes.iter().find(|(_, known)| *known == text);
                let name = match known {
                    Some((name, _)) => name.clone(),
                    None => {
                        let link: String = link
                            .chars()
                            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                            .take(60)
                            .collect();
                        let name = format!("meshes/{link_idx:02}_{link}_{piece}.obj");
                        self.meshes.push((name.clone(), text));
                        name
                    }
                };
                format!("<mesh filename=\"{name}\"/>")
            }
        }
    }

    fn joint(&mut self, joint: &UrdfJoint) -> std::fmt::Result {
        let kind = match joint.kind {
            JointKind::Fixed => "fixed",
            JointKind::Revolute => "revolute",
            JointKind::Prismatic => "prismatic",
        };
        writeln!(
            self.text,
            "\n  <joint name=\"{}\" type=\"{kind}\">",
            escaped(&joint.name)
        )?;
        writeln!(
            self.text,
            "    <parent link=\"{}\"/>",
            escaped(&joint.parent)
        )?;
        writeln!(self.text, "    <child link=\"{}\"/>", escaped(&joint.child))?;
        self.origin(&joint.parent_from_joint, "    ")?;
        if let Some(limit) = joint.limit {
            writeln!(self.text, "    <axis xyz=\"{}\"/>", numbers(&joint.axis))?;
            writeln!(
                self.text,
                "    <limit lower=\"{:?}\" upper=\"{:?}\" velocity=\"{:?}\" effort=\"{:?}\"/>",
                limit.lower, limit.upper, limit.velocity, limit.effort
            )?;
            let dynamics = joint.dynamics;
            writeln!(
                self.text,
                "    <dynamics damping=\"{:?}\" friction=\"{:?}\"/>",
                dynamics.damping, dynamics.friction
            )?;
        }
        if let Some(mimic) = &joint.mimic {
            writeln!(
                self.text,
                "    <mimic joint=\"{}\" multiplier=\"{:?}\" offset=\"{:?}\"/>",
                escaped(&mimic.joint),
                mimic.multiplier,
                mimic.offset
            )?;
        }
        writeln!(self.text, "  </joint>")
    }

    fn origin(&mut self, pose: &Pose, indent: &str) -> std::fmt::Result {
        writeln!(
            self.text,
            "{indent}<origin xyz=\"{}\" rpy=\"{}\"/>",
            numbers(&pose.translation.vector),
            numbers(&rpy(&pose.rotation))
        )
    }
}

/// Roll, pitch, yaw with `R = Rz(yaw) Ry(pitch) Rx(roll)`, exact to rounding for every rotation.
///
/// Near pitch = ±π/2 yaw and roll turn about the same axis: yaw comes first, from whatever digits
/// there are, and the others are read from what it leaves, so that its error goes into roll.
fn rpy(rotation: &UnitQuaternion<f64>) -> Vector3<f64> {
    let m = rotation.to_rotation_matrix();
    let yaw = libm::atan2(m[(1, 0)], m[(0, 0)]);
    let rest = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), -yaw) * rotation;
    let rest = rest.to_rotation_matrix();
    let pitch = libm::atan2(-rest[(2, 0)], rest[(0, 0)]);
    let roll = libm::atan2(-rest[(1, 2)], rest[(1, 1)]);
    Vector3::new(roll, pitch, yaw)
}

fn numbers(v: &Vector3<f64>) -> String {
    // + 0.0: no -0.0 in files.
    format!("{:?} {:?} {:?}", v.x + 0.0, v.y + 0.0, v.z + 0.0)
}

fn obj(hull: &ConvexHull) -> String {
    let mut out = String::new();
    for point in hull.points() {
        let _ = writeln!(out, "v {}", numbers(point));
    }
    for [a, b, c] in hull.triangles() {
        let _ = writeln!(out, "f {} {} {}", a + 1, b + 1, c + 1);
    }
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => {
                let _ = write!(out, "&#{};", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_PI_2;

    use super::*;

    #[test]
    fn angles_give_the_rotation_back_everywhere() {
        for k in 0..2000 {
            let k = f64::from(k);
            // Every third pitch is at or next to the singularity.
            let pitch = match k as u64 % 3 {
                0 => FRAC_PI_2 * (1.0 - 2.0 * (k % 2.0)),
                1 => FRAC_PI_2 - libm::pow(10.0, -(k % 17.0)),
                _ => 1.4 * libm::sin(0.7 * k),
            };
            let rotation =
                UnitQuaternion::from_euler_angles(3.0 * libm::sin(k), pitch, 3.0 * libm::cos(k));
            let [roll, pitch, yaw] = rpy(&rotation).into();
            let back = UnitQuaternion::from_euler_angles(roll, pitch, yaw);
            let error = (back.to_rotation_matrix().matrix()
                - rotation.to_rotation_matrix().matrix())
            .amax();
            assert!(error < 2e-15, "{k}: {error}");
        }
    }
}
