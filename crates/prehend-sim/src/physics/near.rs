//! Is anything near the fingers?

use nalgebra::{Point3, Vector3};
use prehend_robot::{Part, Robot, Shape};
use prehend_types::Pose;

use crate::geometry;
use crate::scene::{Body, BodyMotion, Scene};

/// Nearer than this, m, and fingers are bodies of their own. Two things that approach each other at
/// 4 m/s come 20 mm nearer in a step.
const MARGIN: f64 = 0.02;

/// One body's parts as boxes, and a ball around them all.
struct Outline {
    center: Vector3<f64>,
    radius: f64,
    /// Body-frame pose and half size of the box around each part.
    boxes: Vec<(Pose, Vector3<f64>)>,
    /// A link that is at the table while the arm is at home: the base, and what turns on it.
    stands_on_table: bool,
}

/// Where everything is that fingers could touch.
pub(super) struct Surroundings {
    /// Link index and outline of every link of arm and hand that can touch something.
    links: Vec<(usize, Outline)>,
    moving: Vec<Outline>,
    fixed: Vec<(Pose, Outline)>,
}

impl Outline {
    fn new(body: &Body) -> Self {
        let parts = body.parts.iter();
        Self::around(parts.map(|part| (part.body_from_part, &part.shape)))
    }

    fn around<'a>(shapes: impl Iterator<Item = (Pose, &'a Shape)>) -> Self {
        let boxes: Vec<(Pose, Vector3<f64>)> = shapes
            .map(|(pose, shape)| (pose, geometry::half_extents(shape)))
            .collect();
        let n = boxes.len().max(1) as f64;
        let center = boxes.iter().map(|(pose, _)| pose.translation.vector);
        let center = center.sum::<Vector3<f64>>() / n;
        let reach = boxes
            .iter()
            .map(|(pose, half)| (pose.translation.vector - center).norm() + half.norm());
        Self {
            center,
            radius: reach.fold(0.0, f64::max),
            boxes,
            stands_on_table: false,
        }
    }

    /// Lowest point of the boxes, m.
    fn lowest(&self, base_from_body: &Pose) -> f64 {
        let bottoms = self.boxes.iter().map(|(body_from_part, half)| {
            let pose = base_from_body * body_from_part;
            let down = pose.rotation.inverse() * Vector3::z();
            pose.translation.z - half.dot(&down.abs())
        });
        bottoms.fold(f64::INFINITY, f64::min)
    }

    /// Whether a ball comes within the margin of any of the boxes.
    fn is_near(&self, base_from_body: &Pose, center: &Vector3<f64>, radius: f64) -> bool {
        let in_body = base_from_body.inverse_transform_point(&Point3::from(*center));
        let within = radius + MARGIN;
        if (in_body.coords - self.center).norm() > self.radius + within {
            return false;
        }
        self.boxes.iter().any(|(body_from_part, half)| {
            let in_part = body_from_part.inverse_transform_point(&in_body);
            let outside = (in_part.coords.abs() - half).sup(&Vector3::zeros());
            outside.norm_squared() < within * within
        })
    }
}

impl Surroundings {
    pub fn new(scene: &Scene, robot: &Robot) -> Self {
        let links = robot.links().iter().enumerate().filter(|(_, link)| {
            matches!(link.part, Part::Arm | Part::Hand) && !link.shapes.is_empty()
        });
        let mut home = vec![Pose::identity(); robot.links().len()];
        robot.link_poses(robot.home(), 0.0, &mut home);
        let links = links.map(|(index, link)| {
            let shapes = link.shapes.iter();
            let shapes = shapes.map(|shape| (shape.link_from_shape, &shape.shape));
            let mut outline = Outline::around(shapes);
            outline.stands_on_table = outline.lowest(&home[index]) < MARGIN;
            (index, outline)
        });
        let fixed = scene
            .bodies
            .iter()
            .filter(|body| body.motion == BodyMotion::Fixed);
        Self {
            links: links.collect(),
            moving: scene
                .bodies
                .iter()
                .filter(|b| b.can_move())
                .map(Outline::new)
                .collect(),
            fixed: fixed
                .map(|body| (body.base_from_body, Outline::new(body)))
                .collect(),
        }
    }

    /// Whether a link at `pose` comes near a moving body; `bodies` holds their poses.
    pub fn link_is_near(&self, link_idx: usize, pose: &Pose, bodies: &[Option<Pose>]) -> bool {
        let link = self.links.iter().find(|(own, _)| *own == link_idx);
        let Some((_, link)) = link else {
            return false;
        };
        let moving = self.moving.iter().zip(bodies);
        moving
            .filter_map(|(body, pose)| Some((body, pose.as_ref()?)))
            .any(|(body, base_from_body)| {
                let center = base_from_body * Point3::from(body.center);
                link.is_near(pose, &center.coords, body.radius)
            })
    }

    /// Whether a link is at the table while the arm is at home.
    pub fn stands_on_table(&self, link_idx: usize) -> bool {
        let link = self.links.iter().find(|(own, _)| *own == link_idx);
        link.is_some_and(|(_, link)| link.stands_on_table)
    }

    /// Whether a link that moves comes near the table or a fixed body.
    pub fn links_are_near_fixed(&self, link_poses: &[Pose]) -> bool {
        self.links
            .iter()
            .filter_map(|(link_idx, link)| Some((link, link_poses.get(*link_idx)?)))
            .any(|(link, pose)| {
                let center = (pose * Point3::from(link.center)).coords;
                (!link.stands_on_table && link.lowest(pose) < MARGIN)
                    || self
                        .fixed
                        .iter()
                        .any(|(fixed, outline)| outline.is_near(fixed, &center, link.radius))
            })
    }

    /// Whether the table or a body comes near any of the balls. `pose` gives a moving body's pose.
    pub fn are_near(
        &self,
        mut balls: impl Iterator<Item = (Vector3<f64>, f64)>,
        pose: impl Fn(usize) -> Option<Pose>,
    ) -> bool {
        let poses: Vec<Option<Pose>> = (0..self.moving.len()).map(pose).collect();
        balls.any(|(center, radius)| {
            let moving = self.moving.iter().zip(&poses);
            center.z - radius < MARGIN
                || moving
                    .filter_map(|(outline, pose)| Some((outline, pose.as_ref()?)))
                    .any(|(outline, pose)| outline.is_near(pose, &center, radius))
                || self
                    .fixed
                    .iter()
                    .any(|(pose, outline)| outline.is_near(pose, &center, radius))
        })
    }
}
