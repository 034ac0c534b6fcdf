//! What counts as the surface of a table, and over what its normals are taken.

/// Higher than this over a table is above it, m: three times the depth noise at a metre.
pub const SURFACE: f32 = 0.005;
/// Radius of the surface that a normal is taken over, m.
pub const NORMAL_RADIUS: f32 = 0.012;
