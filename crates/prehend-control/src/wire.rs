//! Turns received commands into a verdict: the recorder on the driver's side of the wire.
//!
//! Independent of the limiter on purpose: it sees positions only, differences them, and compares with
//! the published limits. Only the limits themselves (plain numbers) are shared.

use prehend_types::{JointCommand, MAX_JOINTS, ahead};

use crate::JointBounds;

/// Relative tolerance on every limit.
const RELATIVE: f64 = 1e-9;

/// What a [`WireChecker`] has seen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WireReport {
    /// Commands seen.
    pub commands: u64,
    /// Commands that broke at least one limit.
    pub limit_violations: u64,
    /// ... of which position.
    pub position: u64,
    /// ... of which velocity, the position-dependent limit included.
    pub velocity: u64,
    /// ... of which acceleration.
    pub acceleration: u64,
    /// ... of which jerk.
    pub jerk: u64,
    /// Commands with NaN, infinity or another number of joints.
    pub non_finite: u64,
    /// Sequence numbers that never came.
    pub missing: u64,
    /// Commands whose sequence number did not rise within an epoch, or whose epoch fell.
    pub out_of_order: u64,
    /// Highest velocity, acceleration and jerk seen, each as a share of its limit.
    pub worst_share: [f64; 3],
}

/// Checks consecutive commands against the limits by finite differences of `q_d` at the nominal tick.
///
/// With `h` the tick: `v = (q0 - q1) / h`, `a = (q0 - 2 q1 + q2) / h²`,
/// `j = (q0 - 3 q1 + 3 q2 - q3) / h³`. A limit L counts as broken above `L (1 + 1e-9)` plus what the
/// rounding of the positions to f64 can add: `2ⁿ ε |q| / hⁿ` for the n-th difference. Differences
/// start anew after a gap, a new epoch and a non-finite command; across a gap the mean velocity is
/// checked. A position outside its limits is broken if it is further outside than the one before: an arm that
/// stands there at the beginning of an epoch has to come in. Never allocates.
#[derive(Debug, Clone, Copy)]
pub struct WireChecker {
    bounds: [Option<JointBounds>; MAX_JOINTS],
    n_joints: usize,
    dt_s: f64,
    last: Option<(u64, u64)>,
    /// Whether `past` holds a command of this epoch.
    is_placed: bool,
    /// Positions of the last three commands, newest first, and how many of them are consecutive.
    past: [[f64; MAX_JOINTS]; 3],
    n_past: usize,
    report: WireReport,
}

impl WireChecker {
    /// A checker for a robot's limits (at most [`MAX_JOINTS`] are looked at) and a nominal tick, s.
    #[must_use]
    pub fn new(bounds: &[JointBounds], dt_s: f64) -> Self {
        let mut own = [None; MAX_JOINTS];
        for (own, bounds) in own.iter_mut().zip(bounds) {
            *own = Some(*bounds);
        }
        Self {
            bounds: own,
            n_joints: bounds.len().min(MAX_JOINTS),
            dt_s,
            last: None,
            is_placed: false,
            past: [[0.0; MAX_JOINTS]; 3],
            n_past: 0,
            report: WireReport::default(),
        }
    }

    /// Looks at the next command. Returns whether it is clean.
    pub fn check(&mut self, epoch: u64, seq: u64, command: &JointCommand) -> bool {
        let before = self.report;
        self.report.commands += 1;
        if self.last.is_none_or(|(last, _)| last != epoch) {
            self.is_placed = false;
        }
        let steps = self.follow_sequence(epoch, seq);
        if command.q_d.len() != self.n_joints
            || command.dq_d.len() != self.n_joints
            || !command.q_d.is_finite()
            || !command.dq_d.is_finite()
            || !command.gripper.opening.is_finite()
        {
            self.report.non_finite += 1;
            self.n_past = 0;
            return false;
        }
        let mut broken = [false; 4];
        for (joint_idx, q) in command.q_d.iter().enumerate() {
            if let Some(bounds) = self.bounds[joint_idx] {
                for (broken, now) in broken
                    .iter_mut()
                    .zip(self.joint(joint_idx, *q, steps, &bounds))
                {
                    *broken |= now;
                }
            }
        }
        let [position, velocity, acceleration, jerk] = broken.map(u64::from);
        self.report.position += position;
        self.report.velocity += velocity;
        self.report.acceleration += acceleration;
        self.report.jerk += jerk;
        self.report.limit_violations += u64::from(broken.contains(&true));
        self.past[2] = self.past[1];
        self.past[1] = self.past[0];
        self.past[0][..self.n_joints].copy_from_slice(&command.q_d);
        self.is_placed = true;
        self.n_past = if steps == 1 {
            (self.n_past + 1).min(3)
        } else {
            1
        };
        self.report.limit_violations == before.limit_violations
            && self.report.out_of_order == before.out_of_order
            && self.report.missing == before.missing
    }

    /// What was seen so far.
    #[must_use]
    pub fn report(&self) -> &WireReport {
        &self.report
    }

    /// How many ticks lie between this command and the one before it; 0 if that is not known.
    fn follow_sequence(&mut self, epoch: u64, seq: u64) -> u64 {
        let last = self.last.replace((epoch, seq));
        let Some((last_epoch, last_seq)) = last else {
            return 0;
        };
        let steps = ahead(seq, last_seq);
        if epoch < last_epoch || (epoch == last_epoch && steps <= 0) {
            self.report.out_of_order += 1;
            return 0;
        }
        if epoch != last_epoch {
            return 0;
        }
        let steps = steps.unsigned_abs();
        self.report.missing = self.report.missing.saturating_add(steps - 1);
        steps
    }

    /// Position, velocity, acceleration, jerk: which of them are broken.
    fn joint(&mut self, joint_idx: usize, q0: f64, steps: u64, bounds: &JointBounds) -> [bool; 4] {
        let past = |k: usize| self.past[k][joint_idx];
        let (q1, q2, q3) = (past(0), past(1), past(2));
        let h = self.dt_s;
        let known = match steps {
            0 => 0,
            1 => self.n_past,
            _ => self.n_past.min(1),
        };
        let ulp = f64::EPSILON * (q0.abs() + q1.abs() + q2.abs() + q3.abs()).max(1.0);
        // Where an epoch begins is where the arm stands. From outside it may only come in.
        let before = if self.is_placed { q1 } else { q0 };
        let position = q0 < bounds.lower.min(before) - ulp || q0 > bounds.upper.max(before) + ulp;

        let v = (q0 - q1) / (h * steps.max(1) as f64);
        let towards = if v > 0.0 {
            bounds.upper - q0
        } else {
            q0 - bounds.lower
        };
        let v_limit = match bounds.envelope {
            // A mean over a gap may be faster than the end of it has to be.
            Some(envelope) if steps == 1 => {
                let parabola = (2.0 * envelope.deceleration * (towards + ulp).max(0.0)).sqrt();
                bounds
                    .max_velocity
                    .min((parabola - envelope.offset).max(0.0))
            }
            _ => bounds.max_velocity,
        };
        let velocity = known >= 1 && v.abs() > v_limit * (1.0 + RELATIVE) + 2.0 * ulp / h;

        let a = ((q0 - q1) - (q1 - q2)) / (h * h);
        let acceleration = known >= 2
            && a.abs() > bounds.max_acceleration * (1.0 + RELATIVE) + 4.0 * ulp / (h * h);

        let j = (((q0 - q1) - (q1 - q2)) - ((q1 - q2) - (q2 - q3))) / (h * h * h);
        let jerk =
            known >= 3 && j.abs() > bounds.max_jerk * (1.0 + RELATIVE) + 8.0 * ulp / (h * h * h);

        let shares = [
            (known >= 1, v / bounds.max_velocity),
            (known >= 2, a / bounds.max_acceleration),
            (known >= 3, j / bounds.max_jerk),
        ];
        for (worst, (known, share)) in self.report.worst_share.iter_mut().zip(shares) {
            if known {
                *worst = worst.max(share.abs());
            }
        }
        [position, velocity, acceleration, jerk]
    }
}

#[cfg(test)]
mod tests {
    use prehend_types::{GripperCommand, JointPositions, JointVelocities};

    use super::*;

    fn checker() -> WireChecker {
        let bounds = JointBounds {
            lower: -1.0,
            upper: 1.0,
            max_velocity: 2.0,
            max_acceleration: 10.0,
            max_jerk: 5000.0,
            envelope: None,
        };
        WireChecker::new(&[bounds], 0.001)
    }

    fn command(q: f64) -> JointCommand {
        JointCommand {
            q_d: JointPositions::from_slice(&[q]).expect("one"),
            dq_d: JointVelocities::zeros(1).expect("one"),
            gripper: GripperCommand { opening: 1.0 },
        }
    }

    #[test]
    fn each_broken_limit_is_counted() {
        let mut wire = checker();
        for (seq, q) in [0.0, 0.0, 0.0, 0.0, 1e-5, 2e-5].into_iter().enumerate() {
            wire.check(0, seq as u64, &command(q));
        }
        let report = *wire.report();
        assert_eq!(
            (
                report.position,
                report.velocity,
                report.acceleration,
                report.jerk
            ),
            (0, 0, 0, 2),
            "1e-5 rad in a tick: 10 rad/s² and 10,000 rad/s³, twice"
        );
        wire.check(0, 6, &command(1.5));
        let report = wire.report();
        assert_eq!(
            (
                report.position,
                report.velocity,
                report.acceleration,
                report.limit_violations
            ),
            (1, 1, 1, 3)
        );
    }

    #[test]
    fn numbers_go_on_after_the_last() {
        let mut wire = checker();
        for seq in [u64::MAX - 1, u64::MAX, 0, 1] {
            assert!(wire.check(1, seq, &command(0.0)), "{seq}");
        }
        assert!(!wire.check(1, u64::MAX, &command(0.0)), "an old one");
    }

    /// An arm that was found outside: by hand, or under looser limits before.
    #[test]
    fn from_outside_coming_in_is_clean_and_going_out_is_not() {
        for side in [1.0, -1.0] {
            let mut wire = checker();
            let mut clean = |seq, q: f64| wire.check(1, seq, &command(side * q));
            assert!(clean(1, 1.005) && clean(2, 1.005), "where the arm stands");
            assert!(clean(3, 1.004_999) && clean(4, 1.004_997), "inward");
            assert!(!clean(5, 1.004_998), "outward");
            // Once inside there is no way out again, whatever lies between.
            assert!(!clean(7, 0.999) && !clean(9, f64::NAN) && !clean(11, 1.0005));
            let report = wire.report();
            assert_eq!((report.position, report.non_finite), (2, 1), "{report:?}");
        }
    }

    #[test]
    fn gaps_orders_epochs_and_nan_are_seen() {
        let mut wire = checker();
        assert!(wire.check(1, 1, &command(0.0)));
        assert!(!wire.check(1, 4, &command(0.9)), "two are missing");
        assert!(!wire.check(1, 4, &command(0.0)), "the same again");
        assert!(wire.check(2, 1, &command(-0.9)), "a new epoch starts anew");
        assert!(!wire.check(2, 2, &command(f64::NAN)));
        let report = wire.report();
        assert_eq!(
            (report.missing, report.out_of_order, report.non_finite),
            (2, 1, 1)
        );
        assert_eq!(
            (report.velocity, report.limit_violations),
            (1, 1),
            "0.9 rad in three ticks, gap or not"
        );
        assert!(!wire.check(2, 4, &command(-0.9)) && wire.check(2, 5, &command(-0.9)));
        assert!(!wire.check(2, 7, &command(-0.897)), "one is missing");
        assert_eq!(wire.report().limit_violations, 1, "1.5 rad/s over the gap");
    }
}
