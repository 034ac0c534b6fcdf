//! Which solids a small block of pixels can show.
//!
//! Every solid's bounding box is projected; the outline of its eight corners is filled, block by block,
//! into one bit set per block. A ray is then tested against the solids of its block alone.

use nalgebra::{Isometry3, Vector3};
use prehend_cloud::Intrinsics;
use prehend_types::Role;

use super::SolidShape;
use super::target::bounds;

/// Pixels per block: one packet of rays.
pub(super) const BLOCK: [usize; 2] = [4, 2];
/// What is nearer is not drawn, m.
const NEAR: f32 = 0.01;
/// Rounding in the projection, pixels.
const ROUNDING: f32 = 0.02;

/// A range of blocks: columns and rows, ends excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub columns: [usize; 2],
    pub rows: [usize; 2],
}

impl Window {
    /// All blocks of an image.
    pub fn whole(intrinsics: &Intrinsics) -> Self {
        Self {
            columns: [0, intrinsics.width.div_ceil(BLOCK[0])],
            rows: [0, intrinsics.height.div_ceil(BLOCK[1])],
        }
    }

    pub fn width(&self) -> usize {
        self.columns[1].saturating_sub(self.columns[0])
    }

    pub fn height(&self) -> usize {
        self.rows[1].saturating_sub(self.rows[0])
    }

    /// The smallest window that holds both.
    pub fn join(self, other: Self) -> Self {
        Self {
            columns: [
                self.columns[0].min(other.columns[0]),
                self.columns[1].max(other.columns[1]),
            ],
            rows: [
                self.rows[0].min(other.rows[0]),
                self.rows[1].max(other.rows[1]),
            ],
        }
    }

    /// Grown by some blocks on every side, within `limit`.
    pub fn grown(self, by: usize, limit: &Self) -> Self {
        let grow = |[low, high]: [usize; 2], limit: [usize; 2]| {
            [
                low.saturating_sub(by).max(limit[0]),
                (high + by).min(limit[1]),
            ]
        };
        Self {
            columns: grow(self.columns, limit.columns),
            rows: grow(self.rows, limit.rows),
        }
    }

    /// Row-major number of a block inside.
    pub fn index(&self, column: usize, row: usize) -> usize {
        (row - self.rows[0]) * self.width() + column - self.columns[0]
    }

    pub fn contains(&self, column: usize, row: usize) -> bool {
        (self.columns[0]..self.columns[1]).contains(&column)
            && (self.rows[0]..self.rows[1]).contains(&row)
    }
}

/// A solid's outline on the image.
#[derive(Debug, Clone)]
pub(super) struct Footprint {
    /// Corners of the projected box, pixels; `None` if it reaches behind the camera.
    corners: Option<[[f32; 2]; 8]>,
    /// Blocks that it can touch.
    pub window: Window,
}

impl Footprint {
    /// `None` if no ray can hit it. Rays may pass through any point within `blur` pixels of the centre of
    /// the pixel that they stand for.
    pub fn new(
        intrinsics: &Intrinsics,
        camera_from_shape: &Isometry3<f32>,
        shape: &SolidShape,
        blur: f32,
    ) -> Option<Self> {
        let (middle, half) = bounds(shape);
        let middle = camera_from_shape * nalgebra::Point3::from(middle);
        let rotation = camera_from_shape.rotation.to_rotation_matrix();
        let axes: [Vector3<f32>; 3] =
            std::array::from_fn(|axis| rotation.matrix().column(axis) * half[axis]);
        let corner = |index: usize| {
            let sign = |axis: usize| if index >> axis & 1 == 0 { -1.0 } else { 1.0 };
            middle.coords + axes[0] * sign(0) + axes[1] * sign(1) + axes[2] * sign(2)
        };
        let depth_reach = axes.iter().map(|axis| axis.z.abs()).sum::<f32>();
        let whole = Window::whole(intrinsics);
        if middle.z + depth_reach <= NEAR {
            return None;
        }
        if middle.z - depth_reach <= NEAR {
            return Some(Self {
                corners: None,
                window: whole,
            });
        }
        let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
        let size = [intrinsics.width as f32, intrinsics.height as f32];
        let corners = std::array::from_fn(|index| {
            let at = corner(index);
            let scale = intrinsics.focal / at.z;
            let pixel = [at.x * scale + 0.5 * size[0], at.y * scale + 0.5 * size[1]];
            for axis in 0..2 {
                low[axis] = low[axis].min(pixel[axis]);
                high[axis] = high[axis].max(pixel[axis]);
            }
            pixel
        });
        let range = |axis: usize| blocks_of(low[axis], high[axis], blur, axis, size[axis]);
        Some(Self {
            corners: Some(corners),
            window: Window {
                columns: range(0)?,
                rows: range(1)?,
            },
        })
    }
}

/// Blocks with a pixel whose centre is within `blur` of [low, high].
fn blocks_of(low: f32, high: f32, blur: f32, axis: usize, size: f32) -> Option<[usize; 2]> {
    let room = blur + ROUNDING;
    // Casts round down, which is `ceil` of half a pixel less but for exact numbers; the room covers those.
    let first = (low - room + 0.5).max(0.0) as u32;
    let last = high + room - 0.5;
    let last_in_image = size as u32 - 1;
    if last < 0.0 || first > last_in_image {
        return None;
    }
    let last = (last as u32).min(last_in_image);
    (first <= last).then(|| {
        [
            first as usize / BLOCK[axis],
            last as usize / BLOCK[axis] + 1,
        ]
    })
}

/// Bit sets of solids, one per block of a window.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub window: Window,
    words: usize,
    bits: Vec<u64>,
    /// Roles that a block may show: bit r for role r.
    roles: Vec<u8>,
    blur: f32,
    width: f32,
}

impl Grid {
    pub fn new(intrinsics: &Intrinsics, window: Window, n_solids: usize, blur: f32) -> Self {
        let words = n_solids.div_ceil(64).max(1);
        Self {
            window,
            words,
            bits: vec![0; window.width() * window.height() * words],
            roles: vec![0; window.width() * window.height()],
            blur,
            width: intrinsics.width as f32,
        }
    }

    /// The bit set of a block, by its number in the window.
    #[inline]
    pub fn set(&self, block: usize) -> &[u64] {
        &self.bits[block * self.words..(block + 1) * self.words]
    }

    pub fn words(&self) -> usize {
        self.words
    }

    /// Roles that each block of a row may show: bit r for role r.
    pub fn roles(&self, row: usize) -> &[u8] {
        let first = self.window.index(self.window.columns[0], row);
        &self.roles[first..first + self.window.width()]
    }

    /// Marks the blocks that a solid can touch.
    pub fn fill(
        &mut self,
        solid: usize,
        role: Option<Role>,
        footprint: &Footprint,
        spans: &mut Vec<[f32; 2]>,
    ) {
        let role = role.map_or(0, |role| 1 << role as u8);
        let clip = |a: [usize; 2], b: [usize; 2]| [a[0].max(b[0]), a[1].min(b[1])];
        let rows = clip(footprint.window.rows, self.window.rows);
        let columns = clip(footprint.window.columns, self.window.columns);
        if rows[0] >= rows[1] || columns[0] >= columns[1] {
            return;
        }
        let few = footprint.window.width() * footprint.window.height() <= 12;
        let corners = footprint.corners.filter(|_| !few);
        let Some(corners) = corners else {
            for row in rows[0]..rows[1] {
                self.mark(solid, role, row, columns);
            }
            return;
        };
        outline(&corners, rows, self.blur, spans);
        for (row, [low, high]) in (rows[0]..rows[1]).zip(spans.iter().copied()) {
            if let Some(found) = blocks_of(low, high, self.blur, 0, self.width) {
                self.mark(solid, role, row, clip(found, columns));
            }
        }
    }

    #[inline]
    fn mark(&mut self, solid: usize, role: u8, row: usize, columns: [usize; 2]) {
        if columns[0] >= columns[1] {
            return;
        }
        let first = self.window.index(columns[0], row);
        let blocks = first..first + columns[1] - columns[0];
        if role != 0 {
            for roles in &mut self.roles[blocks.clone()] {
                *roles |= role;
            }
        }
        let bit = 1 << (solid % 64);
        let words = &mut self.bits[blocks.start * self.words..blocks.end * self.words];
        for set in words.chunks_exact_mut(self.words) {
            set[solid / 64] |= bit;
        }
    }
}

/// The twelve edges of a box, by corner number.
const EDGES: [[usize; 2]; 12] = [
    [0, 1],
    [2, 3],
    [4, 5],
    [6, 7],
    [0, 2],
    [1, 3],
    [4, 6],
    [5, 7],
    [0, 4],
    [1, 5],
    [2, 6],
    [3, 7],
];

/// Leftmost and rightmost point of the outline in each row of blocks, `blur` pixels above and below
/// included. The outline is convex and made of edges, so its extremes in a strip are ends of edges or
/// where edges cross the strip's borders.
fn outline(corners: &[[f32; 2]; 8], rows: [usize; 2], blur: f32, spans: &mut Vec<[f32; 2]>) {
    let tall = BLOCK[1] as f32;
    // A strip holds every point from which one of its pixels' rays may come.
    let reach = (blur + ROUNDING - 0.5).max(0.0);
    let borders = |row: usize| [row as f32 * tall - reach, (row + 1) as f32 * tall + reach];
    spans.clear();
    spans.resize(rows[1] - rows[0], [f32::INFINITY, f32::NEG_INFINITY]);
    for [from, to] in EDGES {
        let (mut upper, mut lower) = (corners[from], corners[to]);
        if upper[1] > lower[1] {
            std::mem::swap(&mut upper, &mut lower);
        }
        let fall = lower[1] - upper[1];
        let slope = if fall > 1e-6 {
            (lower[0] - upper[0]) / fall
        } else {
            0.0
        };
        let row_of = |y: f32| (y / tall).clamp(rows[0] as f32, rows[1] as f32 - 1.0) as usize;
        for row in row_of(upper[1] - reach)..=row_of(lower[1] + reach) {
            let [top, bottom] = borders(row);
            if lower[1] < top || upper[1] > bottom {
                continue;
            }
            // An end inside the strip is taken as it is, so that flat edges need no slope.
            let first = if upper[1] >= top {
                upper[0]
            } else {
                upper[0] + (top - upper[1]) * slope
            };
            let second = if lower[1] <= bottom {
                lower[0]
            } else {
                upper[0] + (bottom - upper[1]) * slope
            };
            let span = &mut spans[row - rows[0]];
            span[0] = span[0].min(first).min(second);
            span[1] = span[1].max(first).max(second);
        }
    }
}
