//! Limits that a user sets beside the robot's own: they may tighten, and loosen only on request.

use std::fmt;
use std::path::Path;

use prehend_types::config::{ConfigError, require};
use serde::{Deserialize, Serialize};

use crate::limits::BRAKING_SHARE;
use crate::{Limits, Robot};

/// The section `[limits]` of a launch file. Joints and values that are not named stay the robot's.
///
/// ```toml
/// [limits]
/// allow_looser = false
///
/// [[limits.joint]]
/// name = "fr3_joint1"
/// max_speed_rad_per_s = 1.0
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UserLimits {
    /// Take values beyond the robot's own, and say so, instead of refusing them. Default false: the
    /// robot's limits are its maker's, beyond them an arm stops by itself or is damaged.
    pub allow_looser: bool,
    /// Run an arm although some of its limits look like degrees or millimetres ([`Robot::suspicions`]), and say
    /// so, instead of refusing it. Default false.
    pub allow_suspicious: bool,
    /// Limits of single joints, in any order.
    pub joint: Vec<UserJointLimits>,
}

/// A user's limits of one joint; m instead of rad on prismatic joints, N instead of N·m.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserJointLimits {
    /// The joint's name in `robot.toml`.
    pub name: String,
    /// Lowest position, rad.
    pub min_rad: Option<f64>,
    /// Highest position, rad.
    pub max_rad: Option<f64>,
    /// rad/s.
    pub max_speed_rad_per_s: Option<f64>,
    /// rad/s²; braking before a stop takes at most 0.9 of it.
    pub max_acceleration_rad_per_s2: Option<f64>,
    /// rad/s³.
    pub max_jerk_rad_per_s3: Option<f64>,
    /// N·m.
    pub max_torque_n_m: Option<f64>,
}

/// A limit that was taken although it is looser than the robot's own. Whoever applies limits logs it as
/// a warning.
#[derive(Debug, Clone, PartialEq)]
pub struct Loosened {
    /// The joint.
    pub joint: String,
    /// The key in the user's file.
    pub key: &'static str,
    /// The robot's own limit.
    pub own: f64,
    /// The user's, which holds now.
    pub user: f64,
}

impl fmt::Display for Loosened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "joint \"{}\": {} = {} is looser than the robot's own {}, and taken because of allow_looser",
            self.joint, self.key, self.user, self.own
        )
    }
}

impl Robot {
    /// The same robot under a user's limits, and what of them is looser than its own. Its fingerprint
    /// and its simulated drives stay as they are; `path` is only named in errors.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for an unknown or repeated joint, a value that is none or looser than the
    /// robot's own without [`UserLimits::allow_looser`], a range that is empty or does not hold
    /// [`Self::home`].
    pub fn with_user_limits(
        &self,
        user: &UserLimits,
        path: &Path,
    ) -> Result<(Self, Vec<Loosened>), ConfigError> {
        let mut robot = self.clone();
        let mut loosened = Vec::new();
        for (idx, joint) in user.joint.iter().enumerate() {
            let field = |key: &str| format!("limits.joint[{idx}] (\"{}\").{key}", joint.name);
            let Some(joint_idx) = (self.joint_names.iter()).position(|name| *name == joint.name)
            else {
                let message = format!(
                    "robot \"{}\" has no such joint; it has {:?}",
                    self.name, self.joint_names
                );
                return Err(refused(path, &field("name"), message));
            };
            let is_new = user.joint[..idx].iter().all(|j| j.name != joint.name);
            let message = "is listed twice; put both into one";
            require(is_new, path, &field("name"), message)?;
            for limit in joint.given(&mut robot.limits, joint_idx) {
                limit.check(user.allow_looser, path, &field(limit.key))?;
                if limit.is_looser() {
                    loosened.push(Loosened {
                        joint: joint.name.clone(),
                        key: limit.key,
                        own: *limit.slot,
                        user: limit.value,
                    });
                }
                *limit.slot = limit.value;
            }
            robot.limits.brake_within_acceleration(joint_idx);
            let (min, max) = (robot.limits.q_min[joint_idx], robot.limits.q_max[joint_idx]);
            let message = format!("the range is then {min} to {max}; min must be below max");
            require(min < max, path, &field("min_rad"), message)?;
            let home = self.home[joint_idx];
            let key = if home < min { "min_rad" } else { "max_rad" };
            let message = format!("leaves out home, {home}; change home_rad in robot.toml first");
            require((min..=max).contains(&home), path, &field(key), message)?;
        }
        Ok((robot, loosened))
    }
}

impl UserJointLimits {
    /// The values that are given, each with the place of the one it replaces.
    fn given<'a>(&self, limits: &'a mut Limits, joint_idx: usize) -> Vec<Given<'a>> {
        let rows = [
            (
                "min_rad",
                self.min_rad,
                &mut limits.q_min[joint_idx],
                Side::Lower,
            ),
            (
                "max_rad",
                self.max_rad,
                &mut limits.q_max[joint_idx],
                Side::Upper,
            ),
            (
                "max_speed_rad_per_s",
                self.max_speed_rad_per_s,
                &mut limits.dq_max[joint_idx],
                Side::Size,
            ),
            (
                "max_acceleration_rad_per_s2",
                self.max_acceleration_rad_per_s2,
                &mut limits.ddq_max[joint_idx],
                Side::Size,
            ),
            (
                "max_jerk_rad_per_s3",
                self.max_jerk_rad_per_s3,
                &mut limits.dddq_max[joint_idx],
                Side::Size,
            ),
            (
                "max_torque_n_m",
                self.max_torque_n_m,
                &mut limits.tau_max[joint_idx],
                Side::Size,
            ),
        ];
        let given = rows.into_iter().filter_map(|(key, value, slot, side)| {
            value.map(|value| Given {
                key,
                value,
                slot,
                side,
            })
        });
        given.collect()
    }
}

/// What a limit bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    /// A position from below.
    Lower,
    /// A position from above.
    Upper,
    /// A magnitude, which is greater than 0.
    Size,
}

/// One value of a user, and the place of the robot's own.
struct Given<'a> {
    key: &'static str,
    value: f64,
    slot: &'a mut f64,
    side: Side,
}

impl Given<'_> {
    fn is_looser(&self) -> bool {
        match self.side {
            Side::Lower => self.value < *self.slot,
            Side::Upper | Side::Size => self.value > *self.slot,
        }
    }

    fn check(&self, allow_looser: bool, path: &Path, field: &str) -> Result<(), ConfigError> {
        let value = self.value;
        let holds = value.is_finite() && (self.side != Side::Size || value > 0.0);
        let wanted = match self.side {
            Side::Size => "finite and greater than 0",
            Side::Lower | Side::Upper => "finite",
        };
        require(holds, path, field, format!("is {value}, must be {wanted}"))?;
        let message = format!(
            "is {value}, looser than the robot's own {}; tighten it, or set limits.allow_looser = true \
             if the arm really may do more than robot.toml and robot.urdf say",
            self.slot
        );
        require(allow_looser || !self.is_looser(), path, field, message)
    }
}

impl Limits {
    /// Braking before a stop needs no more than the acceleration allows.
    fn brake_within_acceleration(&mut self, joint_idx: usize) {
        let steepest = BRAKING_SHARE * self.ddq_max[joint_idx];
        let envelope = &mut self.envelope[joint_idx];
        envelope.deceleration = envelope.deceleration.min(steepest);
    }
}

fn refused(path: &Path, field: &str, message: String) -> ConfigError {
    ConfigError::Value {
        path: path.to_owned(),
        field: field.to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use prehend_types::config;

    use super::*;

    fn fr3() -> Robot {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../robots/fr3");
        Robot::load(&folder).expect("robots/fr3 is valid")
    }

    /// A file whose only section is `[limits]`.
    #[derive(Debug, Deserialize)]
    struct File {
        limits: UserLimits,
    }

    fn apply(text: &str) -> Result<(Robot, Vec<Loosened>), ConfigError> {
        let path = Path::new("launch/cell.toml");
        let text = format!("[limits]\n{text}");
        fr3().with_user_limits(&config::parse::<File>(&text, path)?.limits, path)
    }

    fn joint(lines: &str) -> String {
        format!("[[limits.joint]]\nname = \"fr3_joint2\"\n{lines}\n")
    }

    fn check_refused(text: &str, wanted: &[&str]) {
        let shown = apply(text).expect_err(text).to_string();
        for wanted in wanted.iter().chain(&["launch/cell.toml"]) {
            assert!(
                shown.contains(wanted),
                "{text:?}: {wanted:?} is not in: {shown}"
            );
        }
    }

    #[test]
    fn tighter_values_replace_the_robots_and_nothing_else_changes() {
        let all = joint(
            "min_rad = -1.5\nmax_rad = 1.2\nmax_speed_rad_per_s = 1.0\n\
             max_acceleration_rad_per_s2 = 2.0\nmax_jerk_rad_per_s3 = 50.0\nmax_torque_n_m = 40.0",
        );
        let (robot, loosened) = apply(&all).expect("tighter");
        assert_eq!(loosened, []);
        let own = fr3();
        let mut expected = *own.limits();
        expected.q_min[1] = -1.5;
        expected.q_max[1] = 1.2;
        expected.dq_max[1] = 1.0;
        expected.ddq_max[1] = 2.0;
        expected.dddq_max[1] = 50.0;
        expected.tau_max[1] = 40.0;
        // The envelope assumed 2.585 rad/s², more than the joint may brake with now.
        expected.envelope[1].deceleration = 1.8;
        assert_eq!(*robot.limits(), expected);
        assert_eq!(robot.content_hash(), own.content_hash());
        assert_eq!(robot.actuators(), own.actuators());
    }

    #[test]
    fn without_values_the_robot_stays_as_it_is() {
        let (robot, loosened) = apply("").expect("nothing given");
        assert_eq!((robot.limits(), loosened), (fr3().limits(), Vec::new()));
        let (robot, loosened) = apply(&joint("max_speed_rad_per_s = 2.62")).expect("the same");
        assert_eq!((robot.limits(), loosened), (fr3().limits(), Vec::new()));
    }

    /// Joint 2 of the FR3: -1.7837 to 1.7837 rad, 2.62 rad/s, 10 rad/s², 5000 rad/s³, 87 N·m.
    const LOOSER: [(&str, f64, f64); 6] = [
        ("min_rad", -1.8, -1.7837),
        ("max_rad", 1.8, 1.7837),
        ("max_speed_rad_per_s", 2.7, 2.62),
        ("max_acceleration_rad_per_s2", 11.0, 10.0),
        ("max_jerk_rad_per_s3", 6000.0, 5000.0),
        ("max_torque_n_m", 88.0, 87.0),
    ];

    #[test]
    fn looser_values_are_refused_and_say_how_to_insist() {
        for (key, user, own) in LOOSER {
            let (user, own) = (user.to_string(), own.to_string());
            check_refused(
                &joint(&format!("{key} = {}", float(&user))),
                &[key, &user, &own, "fr3_joint2", "allow_looser = true"],
            );
        }
    }

    #[test]
    fn looser_values_are_taken_on_request_and_reported() {
        for (key, user, own) in LOOSER {
            let line = format!("{key} = {}", float(&user.to_string()));
            let (robot, loosened) =
                apply(&format!("allow_looser = true\n{}", joint(&line))).expect("on request");
            let expected = Loosened {
                joint: "fr3_joint2".to_owned(),
                key,
                own,
                user,
            };
            assert_eq!(loosened, [expected]);
            assert_ne!(robot.limits(), fr3().limits());
            // More acceleration does not steepen the maker's envelope.
            assert_eq!(robot.limits().envelope, fr3().limits().envelope);
            let shown = loosened[0].to_string();
            for wanted in ["fr3_joint2", key, &user.to_string(), &own.to_string()] {
                assert!(shown.contains(wanted), "{wanted:?} is not in: {shown}");
            }
        }
    }

    /// TOML tells 11 and 11.0 apart.
    fn float(text: &str) -> String {
        if text.contains('.') {
            text.to_owned()
        } else {
            format!("{text}.0")
        }
    }

    #[test]
    fn values_that_are_none_are_refused_even_on_request() {
        for (key, _, _) in LOOSER {
            for bad in ["nan", "inf", "-inf"] {
                let text = format!("allow_looser = true\n{}", joint(&format!("{key} = {bad}")));
                check_refused(&text, &[key, "finite"]);
            }
        }
        for key in LOOSER.map(|(key, _, _)| key).iter().skip(2) {
            for bad in ["0.0", "-1.0"] {
                check_refused(&joint(&format!("{key} = {bad}")), &[key, "greater than 0"]);
            }
        }
    }

    #[test]
    fn ranges_hold_home() {
        // Home of joint 2 is -0.785.
        check_refused(
            &joint("min_rad = -0.5"),
            &["min_rad", "leaves out home", "-0.785"],
        );
        check_refused(&joint("max_rad = -1.0"), &["max_rad", "leaves out home"]);
        check_refused(
            &joint("min_rad = 0.5\nmax_rad = -0.5"),
            &["min_rad", "min must be below max"],
        );
    }

    #[test]
    fn joints_are_known_and_named_once() {
        check_refused(
            "[[limits.joint]]\nname = \"fr3_joint9\"\n",
            &["fr3_joint9", "no such joint", "fr3_joint1"],
        );
        check_refused(&joint("").repeat(2), &["limits.joint[1]", "listed twice"]);
        check_refused(
            &joint("max_speed = 1.0"),
            &["max_speed", "did you mean `max_speed_rad_per_s`"],
        );
        check_refused("allow_loser = true\n", &["did you mean `allow_looser`"]);
    }

    #[test]
    fn limits_that_are_written_are_read_back() {
        let (path, text) = (Path::new("a.toml"), joint("max_jerk_rad_per_s3 = 50.0"));
        let text = format!("[limits]\nallow_looser = true\n{text}");
        let limits = config::parse::<File>(&text, path).expect("valid").limits;
        let again = serde_json::to_string(&limits).expect("plain");
        assert_eq!(
            serde_json::from_str::<UserLimits>(&again).expect("plain"),
            limits
        );
    }
}
