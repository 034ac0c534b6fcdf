//! Turns a record back into an object, and refuses what no run of prehend writes.

use std::sync::Arc;

use nalgebra::{Quaternion, Translation3, UnitQuaternion, Vector3};
use prehend_robot::{ConvexHull, LinkShape, Shape};
use prehend_sim::Part;
use prehend_sim::tabletop::{CollectedObject, Resting, TableObject};
use prehend_types::Pose;

use super::record::{PieceRecord, PoseRecord, Record, ShapeRecord};

/// No object is longer than half of this, m.
const MOST_LENGTH: f64 = 1.0;
/// Farther from its own frame's origin no mesh is drawn, m: beyond, micrometres get lost.
const MOST_DISTANCE: f64 = 1e6;
/// Highest mass (kg) and friction coefficient that `import` can be told.
const MOST: f64 = 1e6;
/// No object is dropped as often as this.
const MOST_DROPS: u64 = 10_000;
/// Written unit quaternions are this near to one; those of physics are of single precision.
const UNIT: f64 = 1e-3;
/// No mesh is cut into more pieces.
const MOST_PIECES: usize = 4096;

impl Record {
    /// The object in all the ways in which it came to rest; `None` if it never did.
    ///
    /// # Errors
    /// Which field is wrong, and how.
    pub fn restore(&self) -> Result<Option<CollectedObject>, String> {
        let object = self.object()?;
        let mut resting = Vec::new();
        for (index, row) in self.resting.iter().enumerate() {
            let field = format!("resting[{index}]");
            let n_drops = row.n_drops;
            if !(1..=MOST_DROPS).contains(&n_drops) {
                return Err(format!("field `{field}.n_drops`: is {n_drops}"));
            }
            resting.push(Resting {
                base_from_object: pose(&row.base_from_object, &field)?,
                n_drops: n_drops as usize,
            });
        }
        Ok(CollectedObject::new(self.name.clone(), &object, &resting))
    }

    fn object(&self) -> Result<TableObject, String> {
        for (field, value) in [("mass_kg", self.mass_kg), ("friction", self.friction)] {
            if !(value > 0.0 && value <= MOST) {
                return Err(format!(
                    "field `{field}`: is {value}, needs more than 0 and at most {MOST}"
                ));
            }
        }
        let n_pieces = self.pieces.len();
        if !(1..=MOST_PIECES).contains(&n_pieces) {
            return Err(format!(
                "field `pieces`: has {n_pieces}, needs 1 to {MOST_PIECES}"
            ));
        }
        let pieces = self.pieces.iter().enumerate();
        let parts: Vec<Part> = pieces
            .map(|(index, piece)| part(piece, &format!("pieces[{index}]")))
            .collect::<Result<_, String>>()?;
        for axis in 0..3 {
            let length = length(&parts, &Vector3::ith(axis, 1.0));
            if length > MOST_LENGTH {
                return Err(format!(
                    "field `pieces`: together they are {length:.3} m long, needs at most \
                     {MOST_LENGTH} m"
                ));
            }
        }
        Ok(TableObject {
            parts,
            mass: self.mass_kg,
            friction: self.friction,
        })
    }
}

fn length(parts: &[Part], along: &Vector3<f64>) -> f64 {
    let ranges = parts.iter().map(|part| {
        let placed = LinkShape {
            shape: part.shape.clone(),
            link_from_shape: part.body_from_part,
        };
        placed.extent(&Pose::identity(), along)
    });
    let [low, high] = ranges.fold([f64::INFINITY, f64::NEG_INFINITY], |a, b| {
        [a[0].min(b[0]), a[1].max(b[1])]
    });
    high - low
}

fn part(piece: &PieceRecord, field: &str) -> Result<Part, String> {
    let own = pose(&piece.pose, field)?;
    let (shape, center) = shape(&piece.shape, field)?;
    Ok(Part {
        shape,
        body_from_part: own * Pose::from(Translation3::from(center)),
    })
}

/// A shape, and where its origin is in its piece's frame.
fn shape(shape: &ShapeRecord, field: &str) -> Result<(Shape, Vector3<f64>), String> {
    let long = |value: f64| match value {
        value if value > 0.0 && value <= MOST_LENGTH => Ok(value),
        _ => Err(format!(
            "field `{field}.shape`: is {value} m somewhere, needs more than 0 and at most \
             {MOST_LENGTH} m"
        )),
    };
    let plain = match shape {
        ShapeRecord::Box { size_m: [x, y, z] } => Shape::Cuboid {
            half_extents: 0.5 * Vector3::new(long(*x)?, long(*y)?, long(*z)?),
        },
        ShapeRecord::Sphere { radius_m } => Shape::Sphere {
            radius: long(*radius_m)?,
        },
        ShapeRecord::Cylinder { radius_m, length_m } => Shape::Cylinder {
            radius: long(*radius_m)?,
            half_length: 0.5 * long(*length_m)?,
        },
        ShapeRecord::Capsule { radius_m, length_m } => Shape::Capsule {
            radius: long(*radius_m)?,
            half_length: 0.5 * long(*length_m)?,
        },
        ShapeRecord::Hull { points_m } => {
            for value in points_m.iter().flatten() {
                // A corner may lie in a plane of the hull's own frame.
                long(value.abs().max(f64::MIN_POSITIVE))?;
            }
            let points: Vec<Vector3<f64>> = points_m.iter().copied().map(Vector3::from).collect();
            let hulled = ConvexHull::around(&points)
                .map_err(|error| format!("field `{field}.shape.hull.points_m`: {error}"))?;
            return Ok((Shape::Convex(Arc::new(hulled.hull)), hulled.center));
        }
    };
    Ok((plain, Vector3::zeros()))
}

fn pose(pose: &PoseRecord, field: &str) -> Result<Pose, String> {
    let [x, y, z, w] = pose.quat_xyzw;
    let turn = Quaternion::new(w, x, y, z);
    if (turn.norm() - 1.0).abs() > UNIT {
        return Err(format!(
            "field `{field}`: `quat_xyzw` is {:?}, needs a unit quaternion",
            pose.quat_xyzw
        ));
    }
    if pose.position_m.iter().any(|at| at.abs() > MOST_DISTANCE) {
        return Err(format!(
            "field `{field}`: `position_m` is {:?}, needs at most {MOST_DISTANCE} m",
            pose.position_m
        ));
    }
    Ok(Pose::from_parts(
        Translation3::from(Vector3::from(pose.position_m)),
        UnitQuaternion::new_normalize(turn),
    ))
}

#[cfg(test)]
mod tests {
    use prehend_robot::Jaw;
    use prehend_sim::tabletop::{ObjectTrials, Split};
    use prehend_types::config::locate;

    use super::super::record::Origin;
    use super::*;

    /// A wedge, and what one trial says of it.
    fn record() -> (TableObject, Record) {
        let corners = [
            [-0.03, -0.02, 0.0],
            [0.03, -0.02, 0.0],
            [-0.03, 0.02, 0.0],
            [0.03, 0.02, 0.0],
            [-0.03, -0.02, 0.04],
            [0.03, -0.02, 0.04],
        ];
        let hulled = ConvexHull::around(&corners.map(Vector3::from)).expect("a wedge");
        let object = TableObject {
            parts: vec![Part {
                shape: Shape::Convex(Arc::new(hulled.hull)),
                body_from_part: Pose::from(Translation3::from(hulled.center)),
            }],
            mass: 0.1,
            friction: 0.6,
        };
        let path = locate("robots/grippers/franka_hand.toml").expect("shipped");
        let jaw = Jaw::load(&path).expect("sound");
        let tried = ObjectTrials::new(&object, &jaw, 1, 1);
        let origin = Origin::Library {
            family: "wedge".to_owned(),
            number: 0,
        };
        let moved = Pose::translation(3.0, -2.0, 1.0);
        let record = Record::new(
            String::new(),
            "wedge".to_owned(),
            origin,
            &object,
            &tried,
            &moved,
        );
        (object, record)
    }

    #[test]
    fn an_object_comes_back_as_it_was_in_the_frame_of_its_file() {
        let (object, record) = record();
        let back = record.object().expect("sound");
        assert_eq!((back.mass, back.friction), (object.mass, object.friction));
        let moved = Vector3::new(3.0, -2.0, 1.0);
        for axis in 0..3 {
            let along = Vector3::ith(axis, 1.0);
            assert!((length(&back.parts, &along) - length(&object.parts, &along)).abs() < 1e-9);
        }
        let off = back.parts[0].body_from_part.translation.vector
            - object.parts[0].body_from_part.translation.vector;
        assert!((off - moved).norm() < 1e-9, "{off}");
        assert!(record.restore().expect("sound").is_some());
    }

    #[test]
    fn every_object_of_the_library_comes_back() {
        let resting = Resting {
            base_from_object: Pose::identity(),
            n_drops: 1,
        };
        let tried = ObjectTrials {
            resting: vec![resting],
            narrowest: None,
            n_squeezes: 0,
            n_reached: 0,
            trials: Vec::new(),
        };
        for split in [Split::Train, Split::TestFamilies] {
            for index in 0..split.len() {
                let instance = split.instance(index);
                let name = instance.name();
                let origin = Origin::Library {
                    family: instance.family.name().to_owned(),
                    number: instance.number,
                };
                let object = TableObject::from(instance.model());
                let still = Pose::identity();
                let record =
                    Record::new(String::new(), name.clone(), origin, &object, &tried, &still);
                let back = record
                    .restore()
                    .unwrap_or_else(|why| panic!("{name}: {why}"));
                assert!(back.is_some(), "{name}");
            }
        }
    }

    #[test]
    fn an_object_that_never_came_to_rest_is_none() {
        let (_, mut record) = record();
        record.resting.clear();
        assert!(record.restore().expect("sound").is_none());
    }

    #[test]
    fn values_that_no_run_writes_are_refused_by_field() {
        let check = |field: &str, spoil: &dyn Fn(&mut Record)| {
            let (_, mut record) = record();
            spoil(&mut record);
            let why = record.restore().expect_err(field);
            assert!(why.contains(&format!("`{field}")), "{field}: {why}");
        };
        check("mass_kg", &|record| record.mass_kg = 0.0);
        check("friction", &|record| record.friction = -1.0);
        check("pieces", &|record| record.pieces.clear());
        check("pieces[0]", &|record| {
            record.pieces[0].pose.quat_xyzw = [0.0; 4];
        });
        check("pieces[0]", &|record| {
            record.pieces[0].pose.position_m[1] = 1e300;
        });
        check("pieces[0].shape", &|record| {
            record.pieces[0].shape = ShapeRecord::Box {
                size_m: [0.1, -0.1, 0.1],
            };
        });
        check("pieces[0].shape.hull", &|record| {
            record.pieces[0].shape = ShapeRecord::Hull {
                points_m: vec![[0.0; 3]; 4],
            };
        });
        check("pieces", &|record| {
            let mut far = record.pieces[0].clone();
            far.pose.position_m[0] += 5.0;
            record.pieces.push(far);
        });
        check("resting[0].n_drops", &|record| {
            record.resting[0].n_drops = u64::MAX;
        });
    }
}
