//! One camera's image of one moment, cast only where it is looked at.

use prehend_cloud::Intrinsics;
use prehend_types::{Pose, Role};
use wide::f32x8;

use super::Label;
use super::eye::{Cast, Eye, Field};
use super::grid::{BLOCK, Window};
use super::lanes::{LANES, Rays};
use super::noise::{Fate, Noise};

/// What the second eye must see in front of a point before the point is hidden from it, m.
const HIDDEN_BY: f32 = 1e-3;
/// Blocks that have not been cast.
const DARK: u32 = u32::MAX;

/// The pixels of one block.
#[derive(Debug, Clone, Copy)]
struct Block {
    /// Along the camera's z axis, m; infinite where nothing is hit.
    depth: [f32; LANES],
    /// See [`Cast`]; whole numbers.
    number: [f32; LANES],
}

/// What a block looks like from the second eye.
#[derive(Debug, Clone, Copy)]
struct Flank {
    /// Where the block's rays pass through the plane z = 1.
    at: [[f32; LANES]; 2],
    /// One bit per pixel: hidden from the second eye. Unknown until somebody asks.
    hidden: Option<u8>,
}

/// The second eye of a stereo camera.
struct Second {
    eye: Eye,
    /// Focal length times baseline, m px.
    stereo: f32,
}

/// One camera's image: a pure function of pixel, solids, noise and seed, in whatever order it is asked.
pub(super) struct Film<'a> {
    pub intrinsics: Intrinsics,
    pub cast: &'a Cast<'a>,
    noise: Noise,
    eye: Eye,
    second: Option<Second>,
    /// Where each block of the window is in `blocks`.
    slots: Vec<u32>,
    blocks: Vec<Block>,
    /// Of each of `blocks`, if there is a second eye.
    flanks: Vec<Flank>,
    set: Vec<u64>,
}

impl<'a> Film<'a> {
    /// `baseline` is the distance to the second eye along camera x, m; 0 for cameras with one.
    pub fn new(
        intrinsics: &Intrinsics,
        base_from_camera: &Pose,
        cast: &'a Cast<'a>,
        noise: Noise,
        baseline: f32,
        field: Field,
    ) -> Self {
        let eye = Eye::new(intrinsics, base_from_camera, cast, field, noise.stray());
        let window = eye.grid.window;
        let second = (baseline > 0.0).then(|| {
            let shift = Pose::translation(f64::from(baseline), 0.0, 0.0);
            let whole = Window::whole(intrinsics);
            // The eyes are side by side: what a row shows is in the same row of the other image.
            let rows = window.grown(2 + noise.stray() as usize, &whole).rows;
            let columns = whole.columns;
            let field = Field::Only(Window { columns, rows });
            // Points of the first image lie anywhere in the second one's pixels.
            let eye = Eye::new(intrinsics, &(base_from_camera * shift), cast, field, 0.5);
            let stereo = intrinsics.focal * baseline;
            Second { eye, stereo }
        });
        let set = vec![0; eye.grid.words()];
        Self {
            intrinsics: *intrinsics,
            cast,
            noise,
            slots: vec![DARK; window.width() * window.height()],
            blocks: Vec::with_capacity(window.width() * window.height() / 2),
            flanks: Vec::new(),
            eye,
            second,
            set,
        }
    }

    /// The window that may be asked for.
    pub fn window(&self) -> Window {
        self.eye.grid.window
    }

    /// Roles that each block of a row of the window may show: bit r for role r.
    pub fn roles(&self, row: usize) -> &[u8] {
        self.eye.grid.roles(row)
    }

    /// Where a block is in `blocks`, cast if that has not been done.
    #[inline]
    fn slot(&mut self, column: usize, row: usize) -> usize {
        let index = self.window().index(column, row);
        if self.slots[index] == DARK {
            self.expose(column, row, index);
        }
        self.slots[index] as usize
    }

    #[inline(never)]
    fn expose(&mut self, column: usize, row: usize, index: usize) {
        self.slots[index] = self.blocks.len() as u32;
        let Intrinsics {
            width,
            height,
            focal,
        } = self.intrinsics;
        let left = (column * BLOCK[0]) as f32 + 0.5 - 0.5 * width as f32;
        let top = (row * BLOCK[1]) as f32 + 0.5 - 0.5 * height as f32;
        let (mut x, mut y) = ([0.0; LANES], [0.0; LANES]);
        for lane in 0..LANES {
            x[lane] = left + (lane % BLOCK[0]) as f32;
            y[lane] = top + (lane / BLOCK[0]) as f32;
        }
        if self.noise.stray() > 0.0 {
            let pixels = std::array::from_fn(|lane| {
                let at = [lane % BLOCK[0], lane / BLOCK[0]];
                (row * BLOCK[1] + at[1]) * width + column * BLOCK[0] + at[0]
            });
            let [dx, dy] = self.noise.jitter(pixels);
            for lane in 0..LANES {
                x[lane] += dx[lane];
                y[lane] += dy[lane];
            }
        }
        let [x, y] = [x, y].map(|pixels| (f32x8::new(pixels) / f32x8::splat(focal)).to_array());
        let nearest = self
            .eye
            .nearest(self.eye.grid.set(index), &Rays::through(x, y));
        self.blocks.push(Block {
            depth: nearest.depth.to_array(),
            number: nearest.id.to_array(),
        });
        if self.second.is_some() {
            self.flanks.push(Flank {
                at: [x, y],
                hidden: None,
            });
        }
    }

    /// Which points of a block the second eye does not see: they lie outside of its image, or behind something.
    fn hidden(&mut self, slot: usize) -> u8 {
        let Some(Second { eye, stereo }) = &self.second else {
            return 0;
        };
        let Flank { at: [x, y], hidden } = self.flanks[slot];
        if let Some(hidden) = hidden {
            return hidden;
        }
        let depth = &self.blocks[slot].depth;
        let Intrinsics {
            width,
            height,
            focal,
        } = self.intrinsics;
        let (mut hidden, mut across) = (0, x);
        self.set.fill(0);
        for lane in 0..LANES {
            if !depth[lane].is_finite() {
                continue;
            }
            let column = x[lane] * focal + 0.5 * width as f32 - stereo / depth[lane];
            let row = (y[lane] * focal + 0.5 * height as f32).clamp(0.0, height as f32 - 1.0);
            if column < 0.0 || column >= width as f32 {
                hidden |= 1 << lane;
                continue;
            }
            across[lane] = (column - 0.5 * width as f32) / focal;
            let (column, row) = (column as usize / BLOCK[0], row as usize / BLOCK[1]);
            if eye.grid.window.contains(column, row) {
                let found = eye.grid.set(eye.grid.window.index(column, row));
                for (word, found) in self.set.iter_mut().zip(found) {
                    *word |= found;
                }
            }
        }
        let seen = eye.nearest(&self.set, &Rays::through(across, y)).depth;
        let seen = seen.to_array();
        for lane in 0..LANES {
            if depth[lane].is_finite() && seen[lane] < depth[lane] - HIDDEN_BY {
                hidden |= 1 << lane;
            }
        }
        self.flanks[slot].hidden = Some(hidden);
        hidden
    }

    /// True depth and number of a pixel.
    #[inline]
    fn at(&mut self, column: usize, row: usize) -> (f32, u32) {
        let slot = self.slot(column / BLOCK[0], row / BLOCK[1]);
        let (block, lane) = (&self.blocks[slot], lane_of(column, row));
        (block.depth[lane], block.number[lane] as u32)
    }

    #[inline]
    fn is_hidden(&mut self, column: usize, row: usize) -> bool {
        if self.second.is_none() {
            return false;
        }
        let slot = self.slot(column / BLOCK[0], row / BLOCK[1]);
        self.hidden(slot) & 1 << lane_of(column, row) != 0
    }

    /// True depth, m, infinite where nothing is hit, and what it is the depth of.
    pub fn truth(&mut self, column: usize, row: usize) -> (f32, Label) {
        let (depth, number) = self.at(column, row);
        (depth, self.cast.label(number))
    }

    /// The measured depth of a pixel, m, 0 where nothing is measured, and the number of what it shows.
    pub fn measure(&mut self, column: usize, row: usize) -> (f32, u32) {
        let (depth, number) = self.at(column, row);
        (self.develop(column, row, depth), number)
    }

    /// The same for pixels that show something with a role; `None` for all others and for holes.
    #[inline]
    pub fn measure_role(&mut self, column: usize, row: usize) -> Option<(f32, u32, Role)> {
        let (depth, number) = self.at(column, row);
        let role = self.cast.role(number)?;
        let measured = self.develop(column, row, depth);
        (measured > 0.0).then_some((measured, number, role))
    }

    #[inline]
    fn develop(&mut self, column: usize, row: usize, depth: f32) -> f32 {
        if !depth.is_finite() || self.is_hidden(column, row) {
            return 0.0;
        }
        let draw = self.noise.draw(row * self.intrinsics.width + column);
        match draw.fate {
            Fate::Lost => return 0.0,
            Fate::LostAtEdge if self.is_edge(column, row, depth) => return 0.0,
            Fate::LostAtEdge | Fate::Kept => {}
        }
        self.noise.measured(draw, depth)
    }

    /// Whether a direct neighbour is further away or nearer by more than the edge step.
    fn is_edge(&mut self, column: usize, row: usize, depth: f32) -> bool {
        let Intrinsics { width, height, .. } = self.intrinsics;
        let step = self.noise.edge_step;
        let mut differs = |column: usize, row: usize| (self.at(column, row).0 - depth).abs() > step;
        (column > 0 && differs(column - 1, row))
            || (column + 1 < width && differs(column + 1, row))
            || (row > 0 && differs(column, row - 1))
            || (row + 1 < height && differs(column, row + 1))
    }
}

/// Which ray of its block a pixel is.
#[inline]
fn lane_of(column: usize, row: usize) -> usize {
    row % BLOCK[1] * BLOCK[0] + column % BLOCK[0]
}
