//! Numbers that a robot's files may hold, and that look like another unit than the one they are read in.

use std::f64::consts::TAU;
use std::fmt;

use serde::Serialize;

use crate::Robot;

/// A limit that no arm known to us has: degrees where radians are read, or millimetres where metres are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suspicion {
    /// The joint.
    pub joint: String,
    /// Which limit, with the unit it is read in.
    pub what: &'static str,
    /// Its value.
    pub value: f64,
    /// What it may have been meant in.
    pub meant: &'static str,
}

/// A turn each way, which is what a continuous joint is given; a thousandth for roundings, rad.
const FARTHEST_RAD: f64 = 1.001 * TAU;
/// Two turns in a second, rad/s.
const FASTEST_RAD_PER_S: f64 = 2.0 * TAU;
/// m.
const FARTHEST_M: f64 = 10.0;
/// m/s.
const FASTEST_M_PER_S: f64 = 20.0;

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            joint,
            what,
            value,
            meant,
        } = self;
        write!(
            f,
            "joint \"{joint}\": {what} is {value}; was it meant in {meant}?"
        )
    }
}

impl Robot {
    /// Limits that look as if they were written in degrees or millimetres, after whatever tightened them.
    ///
    /// Loading takes them, because an arm may be like that; whoever lets a real one move asks first.
    #[must_use]
    pub fn suspicions(&self) -> Vec<Suspicion> {
        let mut found = Vec::new();
        for (joint_idx, joint) in self.chain.joints.iter().enumerate() {
            let limits = &self.limits;
            let position = limits.q_min[joint_idx]
                .abs()
                .max(limits.q_max[joint_idx].abs());
            let rows = if joint.is_prismatic {
                [
                    ("position limit, m,", position, FARTHEST_M, "mm"),
                    (
                        "speed limit, m/s,",
                        limits.dq_max[joint_idx],
                        FASTEST_M_PER_S,
                        "mm/s",
                    ),
                ]
            } else {
                [
                    ("position limit, rad,", position, FARTHEST_RAD, "degrees"),
                    (
                        "speed limit, rad/s,",
                        limits.dq_max[joint_idx],
                        FASTEST_RAD_PER_S,
                        "degrees per second",
                    ),
                ]
            };
            let odd = rows.iter().filter(|(_, value, most, _)| value > most);
            found.extend(odd.map(|(what, value, _, meant)| Suspicion {
                joint: self.joint_names[joint_idx].clone(),
                what,
                value: *value,
                meant,
            }));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::UserLimits;

    fn arm(name: &str) -> Robot {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../robots")
            .join(name);
        Robot::load(&folder).expect(name)
    }

    #[test]
    fn no_shipped_arm_is_suspected() {
        for name in ["fr3", "panda", "so101", "ur5e", "xarm6", "xarm7"] {
            assert_eq!(arm(name).suspicions(), [], "{name}");
        }
    }

    #[test]
    fn degrees_are_suspected_until_they_are_tightened_to_radians() {
        let mut robot = arm("fr3");
        robot.limits.q_max[1] = 102.0;
        robot.limits.dq_max[6] = 301.0;
        let found = robot.suspicions();
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "joint \"fr3_joint2\": position limit, rad, is 102; was it meant in degrees?",
                "joint \"fr3_joint7\": speed limit, rad/s, is 301; was it meant in degrees per second?",
            ]
        );
        let mut user = UserLimits::default();
        for (name, max_rad, max_speed_rad_per_s) in [
            ("fr3_joint2", Some(1.7), None),
            ("fr3_joint7", None, Some(5.2)),
        ] {
            user.joint.push(crate::UserJointLimits {
                name: name.to_owned(),
                max_rad,
                max_speed_rad_per_s,
                ..Default::default()
            });
        }
        let (robot, _) = robot
            .with_user_limits(&user, Path::new("cell.toml"))
            .expect("tighter");
        assert_eq!(robot.suspicions(), []);
    }
}
