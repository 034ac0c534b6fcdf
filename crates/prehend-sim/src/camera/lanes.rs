//! Eight rays at once.
//!
//! Only operations that IEEE 754 defines exactly (no fused multiply-add, no approximate reciprocals), so
//! that every machine and every vector width sees the same bits.

use wide::f32x8;

/// Rays per packet.
pub(super) const LANES: usize = 8;

/// Directions of eight rays that share one origin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rays {
    pub x: f32x8,
    pub y: f32x8,
    pub z: f32x8,
}

impl Rays {
    /// Rays through camera plane positions (x, y, 1): their parameter is the depth.
    #[inline]
    pub fn through(x: [f32; LANES], y: [f32; LANES]) -> Self {
        Self {
            x: f32x8::new(x),
            y: f32x8::new(y),
            z: f32x8::splat(1.0),
        }
    }

    /// Product with a vector that is the same for all rays.
    #[inline]
    pub fn dot(&self, v: &[f32; 3]) -> f32x8 {
        self.x * f32x8::splat(v[0]) + self.y * f32x8::splat(v[1]) + self.z * f32x8::splat(v[2])
    }

    #[inline]
    pub fn rotated(&self, rows: &[[f32; 3]; 3]) -> Self {
        Self {
            x: self.dot(&rows[0]),
            y: self.dot(&rows[1]),
            z: self.dot(&rows[2]),
        }
    }
}

/// The nearest hits so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nearest {
    /// Ray parameter; infinite where nothing is hit.
    pub depth: f32x8,
    /// Number of what is hit, as a float, which is exact below 2^24.
    pub id: f32x8,
}

impl Nearest {
    #[inline]
    pub fn nothing() -> Self {
        Self {
            depth: f32x8::splat(f32::INFINITY),
            id: f32x8::ZERO,
        }
    }

    /// Takes the hits of `mask` that are in front of the origin and nearer than what was there. The mask
    /// is all ones or all zeros in each lane.
    #[inline]
    pub fn take(&mut self, mask: f32x8, depth: f32x8, id: f32x8) {
        let nearer = mask & above(depth, f32x8::ZERO) & above(self.depth, depth);
        self.depth = pick(nearer, depth, self.depth);
        self.id = pick(nearer, id, self.id);
    }
}

/// `a > b` as a mask; false for NaN.
#[inline]
pub(super) fn above(a: f32x8, b: f32x8) -> f32x8 {
    a.simd_gt(b)
}

/// `a >= b` as a mask; false for NaN.
#[inline]
pub(super) fn reaches(a: f32x8, b: f32x8) -> f32x8 {
    a.simd_ge(b)
}

/// `yes` where the mask is set, else `no`.
#[inline]
pub(super) fn pick(mask: f32x8, yes: f32x8, no: f32x8) -> f32x8 {
    mask.select(yes, no)
}
