//! Mesh assets: files, or points written into the model.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_types::Pose;

use super::Reader;
use super::defaults::Defaults;
use super::element::{Attrs, Element};
use super::frame::Angles;
use crate::RobotError;
use crate::mesh::{Cut, MAX_MESH_BYTES, Pieces, TriangleMesh};

pub(super) struct MeshAsset<'e> {
    pub attrs: Attrs<'e>,
}

/// All meshes by name; nothing is opened before a geom asks for it.
pub(super) fn assets<'e>(
    root: &'e Element,
    defaults: &Defaults<'e>,
) -> Result<BTreeMap<String, MeshAsset<'e>>, RobotError> {
    let mut out = BTreeMap::new();
    for element in root.all("asset").flat_map(|section| section.all("mesh")) {
        let attrs = defaults.of(element, None)?;
        let stem = |file: &str| {
            let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str());
            stem.unwrap_or_default().to_owned()
        };
        let name = match (element.get("name"), element.get("file")) {
            (Some(name), _) => name.to_owned(),
            (None, Some(file)) => stem(file),
            (None, None) => {
                return Err(
                    element.error("name", "attribute is missing; name the mesh or its file")
                );
            }
        };
        if out.insert(name.clone(), MeshAsset { attrs }).is_some() {
            return Err(element.error("name", format!("another mesh is called \"{name}\"")));
        }
    }
    Ok(out)
}

impl Reader<'_, '_> {
    /// The hull of a mesh, and where its frame sits on the geom's.
    pub(super) fn mesh(&mut self, geom: &Attrs) -> Result<(Pose, Arc<Pieces>), RobotError> {
        let name = geom.required("mesh")?;
        let Some(asset) = self.meshes.get(name) else {
            return Err(geom.error("mesh", format!("there is no mesh \"{name}\" in <asset>")));
        };
        let attrs = asset.attrs.clone();
        let refuse = |message: String| geom.error("mesh", message);
        let scale = attrs
            .vector("scale")?
            .unwrap_or_else(|| Vector3::repeat(1.0));
        if scale.iter().any(|factor| factor.abs() < 1e-9) {
            return Err(attrs.error("scale", "is 0 in one direction; give three factors"));
        }
        let pieces = if let Some(file) = attrs.text("file") {
            let file = if self.compiler.strips_path {
                Path::new(file)
                    .file_name()
                    .and_then(|f| f.to_str())
                    .unwrap_or(file)
            } else {
                file
            };
            let path = (self.intake.roots)
                .find(file, &self.compiler.mesh_folder, "mesh")
                .map_err(|message| attrs.error("file", message))?;
            // MuJoCo collides with the hull of a mesh, so a hull it is.
            (self.intake.meshes)
                .pieces(&path, file, &scale, Cut::Hull)
                .map_err(|message| attrs.error("file", message))?
        } else {
            let mesh = inline(&attrs, &scale)?;
            Arc::new(Pieces::new(&mesh, Cut::Hull).map_err(refuse)?)
        };
        // Points are given relative to a reference frame.
        let position = attrs.vector("refpos")?.unwrap_or_default();
        let rotation = match attrs.array::<4>("refquat")? {
            None => UnitQuaternion::identity(),
            Some([w, x, y, z]) => {
                let quaternion = nalgebra::Quaternion::new(w, x, y, z);
                if quaternion.norm() < 1e-9 {
                    return Err(attrs.error("refquat", "has no direction"));
                }
                UnitQuaternion::from_quaternion(quaternion)
            }
        };
        let mesh_from_reference = Pose::from_parts(Translation3::from(position), rotation);
        Ok((mesh_from_reference.inverse(), pieces))
    }

    pub(super) fn angles(&self) -> &Angles {
        &self.compiler.angles
    }
}

/// `vertex` and `face`; without faces the hull of the points.
fn inline(attrs: &Attrs, scale: &Vector3<f64>) -> Result<TriangleMesh, RobotError> {
    let numbers = attrs.numbers("vertex")?;
    if numbers.is_empty() || numbers.len() % 3 != 0 || numbers.len() as u64 > MAX_MESH_BYTES / 8 {
        let message = format!("has {} numbers, needs three per point", numbers.len());
        return Err(attrs.error("vertex", message));
    }
    let points: Vec<Vector3<f64>> = numbers
        .chunks_exact(3)
        .map(|three| Vector3::new(three[0], three[1], three[2]))
        .collect();
    let faces = attrs.numbers("face")?;
    let triangles = if faces.is_empty() {
        let hulled = crate::ConvexHull::around(&points)
            .map_err(|error| attrs.error("vertex", error.to_string()))?;
        let hull = hulled.hull;
        let mut mesh = TriangleMesh {
            points: hull.points().iter().map(|p| p + hulled.center).collect(),
            triangles: hull.triangles().to_vec(),
        };
        mesh.prepare(scale)
            .map_err(|message| attrs.error("vertex", message))?;
        return Ok(mesh);
    } else {
        let corner = |value: f64| {
            let is_idx = value.fract() == 0.0 && value >= 0.0 && value < points.len() as f64;
            let message = || format!("{value} is not the number of a vertex");
            is_idx
                .then_some(value as u32)
                .ok_or_else(|| attrs.error("face", message()))
        };
        if faces.len() % 3 != 0 {
            let message = format!("has {} numbers, needs three per face", faces.len());
            return Err(attrs.error("face", message));
        }
        faces
            .chunks_exact(3)
            .map(|three| Ok([corner(three[0])?, corner(three[1])?, corner(three[2])?]))
            .collect::<Result<Vec<_>, RobotError>>()?
    };
    let mut mesh = TriangleMesh { points, triangles };
    mesh.prepare(scale)
        .map_err(|message| attrs.error("vertex", message))?;
    Ok(mesh)
}
