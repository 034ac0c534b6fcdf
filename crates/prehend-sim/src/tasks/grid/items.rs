//! The 25 objects of the benchmark as bodies of primitives: bounding boxes and densities are those of its
//! meshes, what is inside the boxes is ours.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_8, PI};

use nalgebra::{Point3, UnitQuaternion, Vector3};

use crate::objects::build::{block, octagonal_along_x, sphere, upright};
use crate::objects::{Grasp, Part, grasp_height};

/// How an object fills its bounding box.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// All of it.
    Block,
    /// An upright cylinder.
    Round,
    /// An eight-sided bar along its longer side: round ones would roll away.
    Bar,
    /// A ball.
    Ball,
    /// Boxes, as shares of the bounding box: low x, y, z, high x, y, z; the hand takes the first.
    Blocks(&'static [[f64; 6]]),
}

/// One object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    /// As instructions call it.
    pub name: &'static str,
    /// Size of the bounding box, m.
    pub size: [f64; 3],
    /// kg/m³.
    density: f64,
    form: Form,
}

const fn item(name: &'static str, size: [f64; 3], density: f64, form: Form) -> Item {
    Item {
        name,
        size,
        density,
        form,
    }
}

/// A head at one end of y, and a handle, which is grasped.
const SPOON: Form = Form::Blocks(&[
    [0.35, 0.35, 0.0, 0.65, 1.0, 1.0],
    [0.0, 0.0, 0.0, 1.0, 0.35, 0.6],
]);

/// Trained on.
pub(super) const TRAIN: [Item; 16] = [
    item("carrot", [0.118, 0.032, 0.041], 1044.0, Form::Block),
    item("kitchen shovel", [0.057, 0.149, 0.021], 557.0, SPOON),
    item("bread", [0.044, 0.045, 0.029], 526.0, Form::Block),
    item("plastic bottle", [0.036, 0.122, 0.039], 1916.0, Form::Bar),
    item("7up can", [0.033, 0.061, 0.033], 790.0, Form::Bar),
    item("zucchini", [0.110, 0.031, 0.026], 715.0, Form::Bar),
    item("ketchup bottle", [0.021, 0.081, 0.021], 500.0, Form::Bar),
    item(
        "watering can",
        [0.112, 0.041, 0.049],
        1591.0,
        Form::Blocks(&[
            [0.30, 0.0, 0.0, 0.80, 1.0, 1.0],
            [0.0, 0.35, 0.55, 0.30, 0.65, 0.85],
            [0.80, 0.35, 0.30, 1.0, 0.65, 1.0],
        ]),
    ),
    item("pipe", [0.035, 0.074, 0.035], 1116.0, Form::Bar),
    item(
        "toy bear",
        [0.043, 0.039, 0.056],
        667.0,
        Form::Blocks(&[
            [0.0, 0.0, 0.0, 1.0, 1.0, 0.6],
            [0.2, 0.15, 0.6, 0.8, 0.85, 1.0],
        ]),
    ),
    item("fast food cup", [0.025, 0.025, 0.054], 500.0, Form::Round),
    item(
        "plant",
        [0.041, 0.043, 0.073],
        1051.0,
        Form::Blocks(&[
            [0.0, 0.0, 0.5, 1.0, 1.0, 1.0],
            [0.15, 0.15, 0.0, 0.85, 0.85, 0.5],
        ]),
    ),
    item(
        "banana",
        [0.108, 0.040, 0.018],
        500.0,
        Form::Blocks(&[
            [0.3, 0.0, 0.0, 0.7, 0.6, 1.0],
            [0.0, 0.3, 0.0, 0.3, 1.0, 1.0],
            [0.7, 0.3, 0.0, 1.0, 1.0, 1.0],
        ]),
    ),
    item("hamburger", [0.049, 0.051, 0.041], 863.0, Form::Round),
    item("golf ball", [0.031, 0.031, 0.031], 500.0, Form::Ball),
    item("BBQ sauce", [0.053, 0.032, 0.077], 1057.0, Form::Block),
];

/// Never trained on.
pub(super) const TEST: [Item; 9] = [
    item("travel cup", [0.052, 0.086, 0.034], 1018.0, Form::Block),
    item("pepper", [0.044, 0.045, 0.046], 835.0, Form::Round),
    item("nonstop can", [0.035, 0.035, 0.085], 1248.0, Form::Round),
    item("potato", [0.049, 0.074, 0.045], 1355.0, Form::Bar),
    item("baguette", [0.038, 0.139, 0.026], 1367.0, Form::Block),
    item("champagne glass", [0.028, 0.028, 0.085], 500.0, Form::Round),
    item("kitchen spoon", [0.050, 0.126, 0.017], 500.0, SPOON),
    item("onion", [0.051, 0.062, 0.051], 1137.0, Form::Bar),
    item("cup", [0.059, 0.044, 0.037], 1018.0, Form::Block),
];

impl Item {
    /// Convex pieces; the frame has its origin at the bottom of the bounding box's middle.
    pub fn parts(&self) -> Vec<Part> {
        let [x, y, z] = self.size;
        match self.form {
            Form::Block => vec![block(self.size, [0.0; 3])],
            Form::Round => vec![upright(0.5 * x.min(y), z, [0.0; 3])],
            Form::Ball => vec![sphere(0.5 * z)],
            Form::Bar => {
                let apothem = self.apothem();
                let turn = if y > x { FRAC_PI_2 } else { 0.0 };
                let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), turn);
                let turned = octagonal_along_x(apothem, x.max(y)).map(|part| Part {
                    body_from_part: turn * part.body_from_part,
                    ..part
                });
                turned.collect()
            }
            Form::Blocks(boxes) => boxes.iter().map(|shares| self.piece(shares)).collect(),
        }
    }

    /// kg.
    pub fn mass(&self) -> f64 {
        let [x, y, z] = self.size;
        let volume = match self.form {
            Form::Block => x * y * z,
            Form::Round => PI * (0.5 * x.min(y)).powi(2) * z,
            Form::Ball => PI / 6.0 * z.powi(3),
            Form::Bar => 8.0 * self.apothem().powi(2) * libm::tan(FRAC_PI_8) * x.max(y),
            Form::Blocks(boxes) => boxes
                .iter()
                .map(|b| (b[3] - b[0]) * x * (b[4] - b[1]) * y * (b[5] - b[2]) * z)
                .sum(),
        };
        self.density * volume
    }

    /// From above, across the narrower side of what the hand takes.
    pub fn grasp(&self) -> Grasp {
        let [x, y, z] = self.size;
        let whole = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        let taken = match self.form {
            Form::Blocks([first, ..]) => first,
            _ => &whole,
        };
        let middle = |axis: usize| 0.5 * (taken[axis] + taken[axis + 3]) - 0.5;
        let width = [(taken[3] - taken[0]) * x, (taken[4] - taken[1]) * y];
        Grasp {
            point: Point3::new(middle(0) * x, middle(1) * y, grasp_height(taken[5] * z)),
            closing_angle: match self.form {
                Form::Round | Form::Ball => None,
                _ => Some(if width[0] < width[1] { 0.0 } else { FRAC_PI_2 }),
            },
        }
    }

    fn apothem(&self) -> f64 {
        let [x, y, z] = self.size;
        0.5 * x.min(y).min(z)
    }

    fn piece(&self, shares: &[f64; 6]) -> Part {
        let size = self.size;
        let extent = |axis: usize| (shares[axis + 3] - shares[axis]) * size[axis];
        let middle = |axis: usize| (0.5 * (shares[axis] + shares[axis + 3]) - 0.5) * size[axis];
        block(
            [extent(0), extent(1), extent(2)],
            [middle(0), middle(1), shares[2] * size[2]],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Body, BodyMotion};
    use prehend_types::{Pose, Role};

    #[test]
    fn every_object_fits_its_box_and_the_hand() {
        for item in TRAIN.iter().chain(&TEST) {
            let body = Body {
                parts: item.parts(),
                role: Role::Target,
                motion: BodyMotion::Free,
                mass: item.mass(),
                friction: 1.0,
                base_from_body: Pose::identity(),
            };
            let found = body.size();
            for axis in 0..3 {
                let most = item.size[axis];
                assert!(found[axis] < most + 1e-9, "{}: {found}", item.name);
                assert!(found[axis] > 0.7 * most, "{}: {found}", item.name);
            }
            assert!((0.003..0.6).contains(&item.mass()), "{}", item.name);
            let narrow = item.size[0].min(item.size[1]);
            assert!(narrow < 0.06, "{}: {narrow} between the fingers", item.name);
        }
    }
}
