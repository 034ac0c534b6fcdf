//! A cabinet of boards with one drawer and a handle that a hand reaches behind from above.
//!
//! Its frame lies on the table under the middle of its front: x into the cabinet, z up. The drawer's
//! frame is the same while the drawer is shut.

use nalgebra::{Point3, Unit, Vector3};
use prehend_types::Pose;

use crate::objects::Part;
use crate::objects::build::block;

/// Where the drawer moves to when it opens, in its own frame.
pub(super) const OPENS_TO: Unit<Vector3<f64>> = Unit::new_unchecked(Vector3::new(-1.0, 0.0, 0.0));
/// Friction coefficient of boards and handle.
pub(super) const FRICTION: f64 = 0.5;

/// Thickness of all boards, m.
const BOARD: f64 = 0.008;
/// Room between drawer and cabinet, m: they never touch, the rail alone guides the drawer.
const PLAY: f64 = 0.003;
/// Thickness of the handle's bar and posts, m.
const BAR: f64 = 0.012;
/// Depth of the cabinet, m.
const DEPTH: f64 = 0.24;
/// Shortest that the inside of the drawer may be cut by its travel, m: fully open, this much stays in.
const STAYS_IN: f64 = 0.02;

/// One drawn cabinet, lengths in m.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cabinet {
    pub base_from_cabinet: Pose,
    pub width: f64,
    pub height: f64,
    /// Free space between handle and front.
    pub gap: f64,
    /// Length of the handle's bar.
    pub bar_length: f64,
    /// How far the bar's middle is below the cabinet's top: the palm passes over the top.
    pub bar_below_top: f64,
    /// How far the drawer can be pulled out.
    pub travel: f64,
    /// Mass of the drawer, kg.
    pub mass: f64,
    /// Force that it takes to move the drawer, N.
    pub friction: f64,
}

impl Cabinet {
    /// Top, bottom, sides and back.
    pub fn frame_parts(&self) -> Vec<Part> {
        let (w, h) = (self.width, self.height);
        let middle = 0.5 * DEPTH;
        let side = 0.5 * (w - BOARD);
        vec![
            block([DEPTH, w, BOARD], [middle, 0.0, h - BOARD]),
            block([DEPTH, w, BOARD], [middle, 0.0, 0.0]),
            block([DEPTH, BOARD, h], [middle, side, 0.0]),
            block([DEPTH, BOARD, h], [middle, -side, 0.0]),
            block([BOARD, w, h], [DEPTH - 0.5 * BOARD, 0.0, 0.0]),
        ]
    }

    /// Front, tray and handle.
    pub fn drawer_parts(&self) -> Vec<Part> {
        let (w, h) = (self.width - 2.0 * PLAY, self.height - 2.0 * PLAY);
        let front = block([BOARD, w, h], [-PLAY - 0.5 * BOARD, 0.0, PLAY]);

        let inner = self.width - 2.0 * (BOARD + PLAY);
        let floor = BOARD + PLAY;
        let wall = 0.5 * self.height;
        let depth = (self.travel + STAYS_IN).min(DEPTH - BOARD - PLAY);
        let middle = 0.5 * depth - PLAY;
        let side = 0.5 * (inner - BOARD);
        let tray = [
            block([depth, inner, BOARD], [middle, 0.0, floor]),
            block([depth, BOARD, wall], [middle, side, floor]),
            block([depth, BOARD, wall], [middle, -side, floor]),
            block(
                [BOARD, inner, wall],
                [depth - PLAY - 0.5 * BOARD, 0.0, floor],
            ),
        ];

        let bar_x = self.front() - self.gap - 0.5 * BAR;
        let bottom = self.bar_height() - 0.5 * BAR;
        let post_y = 0.5 * (self.bar_length - BAR);
        let post_x = self.front() - 0.5 * self.gap;
        let handle = [
            block([BAR, self.bar_length, BAR], [bar_x, 0.0, bottom]),
            block([self.gap, BAR, BAR], [post_x, post_y, bottom]),
            block([self.gap, BAR, BAR], [post_x, -post_y, bottom]),
        ];
        std::iter::once(front).chain(tray).chain(handle).collect()
    }

    /// Outer face of the drawer's front, x in its frame.
    fn front(&self) -> f64 {
        -PLAY - BOARD
    }

    /// Height of the bar's middle over the table.
    fn bar_height(&self) -> f64 {
        self.height - self.bar_below_top
    }

    /// Middle of the free space between handle and front, in the drawer's frame.
    pub fn slot(&self) -> Point3<f64> {
        Point3::new(self.front() - 0.5 * self.gap, 0.0, self.bar_height())
    }

    /// Half the free length between the handle's posts.
    pub fn slot_half_length(&self) -> f64 {
        0.5 * self.bar_length - BAR
    }
}
