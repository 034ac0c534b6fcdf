//! What rays from one point hit.

use nalgebra::{Isometry3, Vector3};
use prehend_cloud::Intrinsics;
use prehend_types::{Pose, Role};
use wide::f32x8;

use super::grid::{Footprint, Grid, Window};
use super::lanes::{Nearest, Rays, above, pick};
use super::target::Target;
use super::{Label, Solid};

/// Solids and what they are called, in the order that all eyes of one exposure share.
///
/// Number 0 is the table; solid i has number i + 1.
pub(super) struct Cast<'a> {
    solids: Vec<&'a Solid>,
    labels: Vec<Label>,
    roles: Vec<Option<Role>>,
}

impl<'a> Cast<'a> {
    pub fn new(solids: &'a [Solid]) -> Self {
        let mut solids: Vec<&Solid> = solids.iter().collect();
        // Stable: solids of one kind stay in their order, and so do ties in depth.
        solids.sort_by_key(|solid| super::target::rank(&solid.shape));
        let labels = std::iter::once(Label::Table).chain(solids.iter().map(|solid| solid.label));
        let labels: Vec<Label> = labels.collect();
        let roles = labels.iter().map(|label| label.role()).collect();
        Self {
            solids,
            labels,
            roles,
        }
    }

    #[inline]
    pub fn label(&self, number: u32) -> Label {
        self.labels[number as usize]
    }

    #[inline]
    pub fn role(&self, number: u32) -> Option<Role> {
        self.roles[number as usize]
    }
}

/// Which part of the image rays will be asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field {
    /// All of it.
    Whole,
    /// Blocks in which something with a role may be seen, and their neighbours.
    Roles,
    /// This window.
    Only(Window),
}

/// A point that rays start from, with every solid prepared for it.
pub(super) struct Eye {
    /// With the number of each target.
    targets: Vec<(Target, f32x8)>,
    pub grid: Grid,
    height: f32,
    /// Direction of gravity in the camera's frame.
    down: [f32; 3],
}

impl Eye {
    /// See [`Footprint::new`] for `blur`.
    pub fn new(
        intrinsics: &Intrinsics,
        base_from_camera: &Pose,
        cast: &Cast<'_>,
        field: Field,
        blur: f32,
    ) -> Self {
        let camera_from_base = base_from_camera.inverse();
        let mut targets = Vec::with_capacity(cast.solids.len());
        let mut footprints = Vec::with_capacity(cast.solids.len());
        let mut seen: Option<Window> = None;
        for (index, solid) in cast.solids.iter().enumerate() {
            let camera_from_shape: Isometry3<f32> =
                (camera_from_base * solid.base_from_shape).cast();
            let target = Target::new(&solid.shape, &camera_from_shape);
            targets.push((target, f32x8::splat((index + 1) as f32)));
            let footprint = Footprint::new(intrinsics, &camera_from_shape, &solid.shape, blur);
            if let Some(footprint) = &footprint
                && solid.label.role().is_some()
            {
                let window = footprint.window;
                seen = Some(seen.map_or(window, |seen| seen.join(window)));
            }
            footprints.push(footprint);
        }
        let whole = Window::whole(intrinsics);
        let nothing = Window {
            columns: [0, 0],
            rows: [0, 0],
        };
        let window = match field {
            Field::Whole => whole,
            Field::Roles => seen.map_or(nothing, |seen| seen.grown(1, &whole)),
            Field::Only(window) => window,
        };
        let mut grid = Grid::new(intrinsics, window, targets.len(), blur);
        let mut spans = Vec::new();
        for (index, footprint) in footprints.iter().enumerate() {
            if let Some(footprint) = footprint {
                grid.fill(index, cast.roles[index + 1], footprint, &mut spans);
            }
        }
        let down = base_from_camera.rotation.inverse() * -Vector3::z();
        Self {
            targets,
            grid,
            height: base_from_camera.translation.z as f32,
            down: down.cast::<f32>().into(),
        }
    }

    /// What eight rays hit first: the table plane z = 0, or a solid of a bit set.
    #[inline]
    pub fn nearest(&self, set: &[u64], rays: &Rays) -> Nearest {
        let mut nearest = self.table(rays);
        for (word, bits) in set.iter().enumerate() {
            let mut bits = *bits;
            while bits != 0 {
                let index = 64 * word + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let (target, id) = &self.targets[index];
                target.hit(rays, *id, &mut nearest);
            }
        }
        nearest
    }

    #[inline]
    fn table(&self, rays: &Rays) -> Nearest {
        let fall = rays.dot(&self.down);
        let falls = above(fall, f32x8::splat(1e-6));
        let depth = f32x8::splat(self.height) / fall;
        Nearest {
            depth: pick(falls, depth, f32x8::splat(f32::INFINITY)),
            ..Nearest::nothing()
        }
    }
}
