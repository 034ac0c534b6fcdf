//! Velocities that take the arm after its target: feed-forward, a gain on the error, caps.

use nalgebra::Vector3;
use prehend_types::{MAX_JOINTS, Pose};

use crate::drive::Drive;
use crate::joint_path::{JointSample, padded};
use crate::path::Sample;
use crate::{ControlConfig, LimitReason, LimitSet};

/// Deceleration that the tool is slowed down with towards the floor, m/s²: well within what the
/// joints' own limits allow.
const FLOOR_BRAKING: f64 = 1.5;

/// Feed-forward and gain, as for the tool.
pub(super) fn joints(
    drive: &mut Drive,
    target: &JointSample,
    config: &ControlConfig,
    limited: &mut LimitSet,
) {
    let dt = config.dt_s();
    let q = padded(drive.q());
    let dq: [f64; MAX_JOINTS] = std::array::from_fn(|i| {
        let error = target.q[i] - q[i] - target.dq[i] * dt;
        target.dq[i] * config.feed_forward + error * config.pose_gain_per_s
    });
    let fastest_down = fastest_down(drive, config);
    drive.follow_joints(&dq, fastest_down, config, limited);
}

/// Feed-forward and pose gain, capped; then the joints, which are drawn towards home with `home_gain`, 1/s.
pub(super) fn tool(
    drive: &mut Drive,
    target: &Sample,
    home_gain: f64,
    config: &ControlConfig,
    limited: &mut LimitSet,
) {
    let (dt, fastest_down) = (config.dt_s(), fastest_down(drive, config));
    // `target` is for the end of this tick, the commanded pose is that of the tick before: what
    // the plan's own velocity covers meanwhile is no error.
    let (linear_error, angular_error) = pose_error(&target.base_from_tcp, drive.base_from_tcp());
    let track = |velocity: Vector3<f64>, error: Vector3<f64>| {
        velocity * config.feed_forward + (error - velocity * dt) * config.pose_gain_per_s
    };
    let mut linear = track(target.linear, linear_error);
    let mut angular = track(target.angular, angular_error);
    if linear.z < -fastest_down {
        limited.insert(LimitReason::Floor);
        linear.z = -fastest_down;
    }
    let scale = (config.max_tcp_speed_m_per_s / linear.norm())
        .min(config.max_tcp_angular_speed_rad_per_s / angular.norm());
    if scale < 1.0 {
        limited.insert(LimitReason::TcpSpeed);
        linear *= scale;
        angular *= scale;
    }
    drive.follow(&linear, &angular, home_gain, config, limited);
}

/// The nearer to the floor, the slower downwards; below it, back up, m/s.
fn fastest_down(drive: &Drive, config: &ControlConfig) -> f64 {
    let gap = drive.base_from_tcp().translation.z - config.min_tool_height_m;
    (gap * config.pose_gain_per_s).min((2.0 * FLOOR_BRAKING * gap.max(0.0)).sqrt())
}

/// Position and rotation from `from` to `to`, both in the base frame, m and rad.
pub(super) fn pose_error(to: &Pose, from: &Pose) -> (Vector3<f64>, Vector3<f64>) {
    (
        to.translation.vector - from.translation.vector,
        (to.rotation * from.rotation.inverse()).scaled_axis(),
    )
}
