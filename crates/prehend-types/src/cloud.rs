//! Point clouds with roles.

use serde::{Deserialize, Serialize};

use crate::Stamp;

/// What a point belongs to, seen from the task.
///
/// In simulation the camera's instance labels say so; on a real cell a segmentation network or an
/// operator's click does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Role {
    /// The object to pick.
    Target = 0,
    /// Where it goes.
    Receptacle = 1,
    /// Anything else that is not the table or the robot.
    Other = 2,
}

/// A point cloud as a structure of arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointCloud {
    /// When the depth image was taken.
    pub stamp: Stamp,
    /// Frame that the points are expressed in, for example `base`.
    pub frame: String,
    /// Positions in `frame`, m.
    pub points: Vec<[f32; 3]>,
    /// One role per point.
    pub roles: Vec<Role>,
}

impl PointCloud {
    /// Number of points.
    #[must_use]
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there is no point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }
}
