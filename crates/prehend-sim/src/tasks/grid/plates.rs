//! The 17 receptacles: all about 11 cm wide and 3 to 12 mm high. Which is how wide and how heavy is
//! ours; the benchmark gives these ranges only.

use crate::objects::Part;
use crate::objects::build::{block, upright};

/// One receptacle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plate {
    /// As instructions call it.
    pub name: &'static str,
    /// Size of the bounding box, m.
    pub size: [f64; 3],
    /// kg/m³.
    density: f64,
    is_round: bool,
}

const fn round(name: &'static str, height: f64, density: f64) -> Plate {
    Plate {
        name,
        size: [0.11, 0.11, height],
        density,
        is_round: true,
    }
}

const fn flat(name: &'static str, size: [f64; 3], density: f64) -> Plate {
    Plate {
        name,
        size,
        density,
        is_round: false,
    }
}

/// The plate, which alone some train on, comes first.
pub(super) const ALL: [Plate; 17] = [
    round("plate", 0.010, 2000.0),
    flat("cloth", [0.110, 0.110, 0.003], 1000.0),
    flat("carpet", [0.120, 0.090, 0.004], 1000.0),
    flat("newspaper", [0.120, 0.090, 0.003], 1000.0),
    flat("sheet metal", [0.110, 0.110, 0.003], 7000.0),
    flat("drawing tablet", [0.120, 0.090, 0.006], 2000.0),
    round("tomato slice", 0.010, 1000.0),
    round("pizza", 0.010, 1000.0),
    round("flat bowl", 0.012, 2000.0),
    round("gramophone disk", 0.003, 1500.0),
    round("frying pan", 0.012, 7000.0),
    flat("mouse pad", [0.110, 0.090, 0.003], 1000.0),
    flat("cutting board", [0.120, 0.090, 0.010], 1000.0),
    flat("chess board", [0.110, 0.110, 0.008], 1000.0),
    round("manhole cover", 0.008, 7000.0),
    flat("envelope", [0.110, 0.080, 0.003], 1000.0),
    flat("notepad", [0.090, 0.110, 0.010], 1000.0),
];

impl Plate {
    /// One convex piece; the frame has its origin at the middle of the bottom.
    pub fn parts(&self) -> Vec<Part> {
        let [x, _, z] = self.size;
        vec![if self.is_round {
            upright(0.5 * x, z, [0.0; 3])
        } else {
            block(self.size, [0.0; 3])
        }]
    }

    /// kg.
    pub fn mass(&self) -> f64 {
        let [x, y, z] = self.size;
        let share = if self.is_round {
            std::f64::consts::FRAC_PI_4
        } else {
            1.0
        };
        self.density * share * x * y * z
    }
}
