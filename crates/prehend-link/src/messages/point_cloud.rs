//! `sensor_msgs/msg/PointCloud2` with the fields x, y, z (FLOAT32, m) and role (UINT8).

use prehend_types::{PointCloud, Role};
use serde::{Deserialize, Serialize};

use super::{Header, MAX_TEXT, text::misleads};
use crate::{DecodeError, Message, Topic};

/// Most points in one cloud on the wire.
pub const MAX_POINTS: usize = 65_536;

const MAX_FIELDS: usize = 32;
const MAX_POINT_STEP: usize = 64;
const UINT8: u8 = 2;
const FLOAT32: u8 = 7;
/// x, y, z, role, and three bytes so that every point is aligned.
const POINT_STEP: usize = 16;
const LAYOUT: [(&str, u32, u8); 4] = [
    ("x", 0, FLOAT32),
    ("y", 4, FLOAT32),
    ("z", 8, FLOAT32),
    ("role", 12, UINT8),
];

/// Where one value of a point lies, as in `sensor_msgs/msg/PointField`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointField {
    /// Name of the value.
    pub name: String,
    /// Bytes from the start of a point.
    pub offset: u32,
    /// ROS number of the type: 2 is UINT8, 7 is FLOAT32.
    pub datatype: u8,
    /// Values of this name in one point.
    pub count: u32,
}

/// A cloud, as in `sensor_msgs/msg/PointCloud2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointCloud2 {
    /// Stamp and frame.
    pub header: Header,
    /// Rows; 1 if the cloud is not an image.
    pub height: u32,
    /// Points in a row.
    pub width: u32,
    /// What a point holds.
    pub fields: Vec<PointField>,
    /// Must be false here.
    pub is_bigendian: bool,
    /// Bytes of a point.
    pub point_step: u32,
    /// Bytes of a row.
    pub row_step: u32,
    /// All points.
    pub data: Vec<u8>,
    /// No point is a NaN placeholder.
    pub is_dense: bool,
}

impl PointCloud2 {
    /// A cloud ready to be sent: one row, 16 bytes a point.
    #[must_use]
    pub fn new(cloud: &PointCloud) -> Self {
        let field = |(name, offset, datatype): (&str, u32, u8)| PointField {
            name: name.to_owned(),
            offset,
            datatype,
            count: 1,
        };
        let mut data = Vec::with_capacity(POINT_STEP * cloud.len());
        for (point, role) in cloud.points.iter().zip(&cloud.roles) {
            for value in point {
                data.extend_from_slice(&value.to_le_bytes());
            }
            data.extend_from_slice(&[*role as u8, 0, 0, 0]);
        }
        Self {
            header: Header {
                stamp: cloud.stamp.into(),
                frame_id: cloud.frame.clone(),
            },
            height: 1,
            width: (data.len() / POINT_STEP) as u32,
            fields: LAYOUT.map(field).to_vec(),
            is_bigendian: false,
            point_step: POINT_STEP as u32,
            row_step: data.len() as u32,
            data,
            is_dense: cloud.points.iter().flatten().all(|value| value.is_finite()),
        }
    }

    /// The cloud as JSON with one `[x, y, z, role]` a point, as far as it can be read.
    pub(crate) fn to_json(&self) -> Result<serde_json::Value, DecodeError> {
        let cloud = self.to_cloud()?;
        let point =
            |([x, y, z], role): (&[f32; 3], &Role)| serde_json::json!([x, y, z, *role as u8]);
        let points: Vec<_> = cloud.points.iter().zip(&cloud.roles).map(point).collect();
        Ok(serde_json::json!({
            "header": self.header,
            "height": self.height,
            "width": self.width,
            "fields": self.fields,
            "point_step": self.point_step,
            "is_dense": self.is_dense,
            "points": points,
        }))
    }

    /// The cloud in the types that policies use. In a cloud that is not dense, points with a NaN are
    /// placeholders by ROS's convention and are left out; in a dense one they are an error.
    ///
    /// # Errors
    /// [`DecodeError::Invalid`] for a missing field, a role that is not 0, 1 or 2, or a point that is
    /// not finite.
    pub fn to_cloud(&self) -> Result<PointCloud, DecodeError> {
        let invalid = |field, message: String| DecodeError::invalid::<Self>(field, message);
        let mut offsets = [0; LAYOUT.len()];
        for ((name, _, datatype), offset) in LAYOUT.into_iter().zip(&mut offsets) {
            *offset = self
                .fields
                .iter()
                .find(|field| field.name == name && field.datatype == datatype && field.count == 1)
                .map(|field| field.offset as usize)
                .ok_or_else(|| {
                    let message = format!("no `{name}` of datatype {datatype} and count 1");
                    invalid("fields", message)
                })?;
        }
        let n = self.data.len() / (self.point_step as usize).max(1);
        let (mut points, mut roles) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for (idx, bytes) in self
            .data
            .chunks_exact((self.point_step as usize).max(1))
            .enumerate()
        {
            let short = || invalid("point_step", format!("point {idx} ends inside a field"));
            let number = |offset: usize| {
                let value = bytes.get(offset..)?.first_chunk::<4>()?;
                Some(f32::from_le_bytes(*value))
            };
            let point = [
                number(offsets[0]).ok_or_else(short)?,
                number(offsets[1]).ok_or_else(short)?,
                number(offsets[2]).ok_or_else(short)?,
            ];
            if !point.iter().all(|value| value.is_finite()) {
                if self.is_dense {
                    return Err(invalid("data", format!("point {idx} is not finite")));
                }
                continue;
            }
            let role = match bytes.get(offsets[3]).copied().ok_or_else(short)? {
                0 => Role::Target,
                1 => Role::Receptacle,
                2 => Role::Other,
                other => {
                    return Err(invalid(
                        "data",
                        format!("point {idx} has role {other}, not 0 to 2"),
                    ));
                }
            };
            points.push(point);
            roles.push(role);
        }
        Ok(PointCloud {
            stamp: self.header.stamp.into(),
            frame: self.header.frame_id.clone(),
            points,
            roles,
        })
    }
}

impl Message for PointCloud2 {
    const TOPIC: Topic = Topic::Cloud;
    const TYPE_NAME: &'static str = "sensor_msgs/msg/PointCloud2";
    const VERSION: u8 = 0;
    const MAX_BYTES: usize = MAX_POINTS * POINT_STEP + 8192;

    fn check(&self) -> Result<(), DecodeError> {
        let invalid = |field, message: String| Err(DecodeError::invalid::<Self>(field, message));
        if self.header.stamp.sec < 0 || self.header.stamp.nanosec >= 1_000_000_000 {
            return invalid("header.stamp", "not a time".to_owned());
        }
        let frame_id = &self.header.frame_id;
        if frame_id.len() > MAX_TEXT || frame_id.contains(misleads) {
            return invalid(
                "header.frame_id",
                "too long or with a control character inside".to_owned(),
            );
        }
        if self.is_bigendian {
            return invalid(
                "is_bigendian",
                "only little-endian points are read".to_owned(),
            );
        }
        let n = self.height as usize * self.width as usize;
        if n > MAX_POINTS {
            return invalid(
                "width",
                format!("{n} points, at most {MAX_POINTS}; downsample first"),
            );
        }
        let step = self.point_step as usize;
        if step == 0 || step > MAX_POINT_STEP {
            return invalid(
                "point_step",
                format!("{step} bytes, not 1 to {MAX_POINT_STEP}"),
            );
        }
        if self.row_step as usize != step * self.width as usize {
            return invalid("row_step", "not point_step times width".to_owned());
        }
        if self.data.len() != step * n {
            return invalid(
                "data",
                format!("{} bytes for {n} points of {step}", self.data.len()),
            );
        }
        if self.fields.len() > MAX_FIELDS {
            return invalid(
                "fields",
                format!("{}, at most {MAX_FIELDS}", self.fields.len()),
            );
        }
        let bad_name =
            |field: &PointField| field.name.len() > MAX_TEXT || field.name.contains(misleads);
        if self.fields.iter().any(bad_name) {
            return invalid(
                "fields",
                "a name is too long or has a control character inside".to_owned(),
            );
        }
        Ok(())
    }
}
