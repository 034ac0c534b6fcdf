//! The serial bus of an SO-101: five servos of the arm, no controller in front of them.
//!
//! Published (SO-ARM100 fda892c, lerobot 7427f31): 4096 counts a turn; corrupt status packets happen, and
//! a read is tried again at most twice; an overloaded servo drops its torque, the others go on. The bus is
//! good for 30 to 50 points a second. Chosen: one packet in 50 is corrupt; 50 points a second; an arm that
//! lost a joint ends the motion with the joint's name, and the others hold.

use std::time::Duration;

use prehend_types::{JointPositions, Stamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Abort, Decision, Identity, Ignored, Mismatch, Motion, Rules, Setpoint};

/// How often points may come in.
const TICK: Duration = Duration::from_millis(1);
/// How often the bus gets round.
const PERIOD: Duration = Duration::from_millis(20);
/// Counts of a turn.
const COUNTS: f64 = 4096.0;
/// Share of status packets that are corrupt.
const CORRUPT: f64 = 1.0 / 50.0;
/// Times that a read is tried again.
const RETRIES: u32 = 2;

const SO101: Identity = Identity {
    model: "SO-101",
    robot: "so101",
    ranges: &[
        [-1.919_86, 1.919_86],
        [-1.745_33, 1.745_33],
        [-1.69, 1.69],
        [-1.658_06, 1.658_06],
        [-2.743_85, 2.841_21],
    ],
};

/// The bus with its servos.
#[derive(Debug, Clone)]
pub struct So101 {
    rng: ChaCha8Rng,
    motion: Motion,
    newest: Option<Setpoint>,
    due: Stamp,
    is_readable: bool,
    corrupt: u64,
    unread: u64,
    aborted: Option<Abort>,
}

impl So101 {
    /// With its arm standing at `q`, 5 joints; `seed` decides which packets are corrupt.
    ///
    /// # Errors
    /// [`Mismatch::JointCount`].
    pub fn new(q: &JointPositions, seed: u64) -> Result<Self, Mismatch> {
        Ok(Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            motion: SO101.standing(&counted(q))?,
            newest: None,
            due: Stamp::ZERO,
            is_readable: true,
            corrupt: 0,
            unread: 0,
            aborted: None,
        })
    }

    /// Status packets that were corrupt, and reads that failed with all retries.
    #[must_use]
    pub fn bus(&self) -> [u64; 2] {
        [self.corrupt, self.unread]
    }

    /// A servo is overloaded: it drops its torque.
    pub fn overload(&mut self, joint_idx: usize) {
        self.newest = None;
        self.aborted = Some(Abort {
            reason: "overload: torque off",
            joint_idx: Some(joint_idx),
        });
    }

    /// Reads every servo's status, each with its retries.
    fn read(&mut self) {
        self.is_readable = true;
        for _ in 0..self.motion.q.len() {
            let mut is_read = false;
            for _ in 0..=RETRIES {
                is_read = !self.rng.random_bool(CORRUPT);
                if is_read {
                    break;
                }
                self.corrupt += 1;
            }
            self.unread += u64::from(!is_read);
            self.is_readable &= is_read;
        }
    }

    fn take(&mut self, now: Stamp) -> Decision {
        self.due = now.after(PERIOD);
        self.read();
        let Some(setpoint) = self.newest.take() else {
            self.motion = self.motion.held();
            return Decision::Hold;
        };
        if !setpoint.q.is_finite() || setpoint.q.len() != self.motion.q.len() {
            self.motion = self.motion.held();
            return Decision::Ignore(Ignored::TooFast);
        }
        self.motion = (self.motion).moved_to(&counted(&setpoint.q), PERIOD.as_secs_f64());
        Decision::Follow
    }
}

/// The nearest position that a servo knows.
fn counted(q: &JointPositions) -> JointPositions {
    let count = std::f64::consts::TAU / COUNTS;
    q.map(|q| (q / count).round() * count)
}

impl Rules for So101 {
    fn identity(&self) -> &Identity {
        &SO101
    }

    fn tick(&self) -> Duration {
        TICK
    }

    fn period(&self) -> Duration {
        PERIOD
    }

    fn step(&mut self, now: Stamp, arrived: Option<&Setpoint>) -> Decision {
        if self.aborted.is_some() {
            self.motion = self.motion.held();
            return arrived.map_or(Decision::Hold, |_| Decision::Ignore(Ignored::Stopped));
        }
        let mut lost = false;
        if let Some(setpoint) = arrived {
            lost = self.newest.replace(*setpoint).is_some();
        }
        let decision = if now >= self.due {
            self.take(now)
        } else {
            Decision::Hold
        };
        if lost {
            Decision::Ignore(Ignored::Lost)
        } else {
            decision
        }
    }

    fn motion(&self) -> &Motion {
        &self.motion
    }

    fn rounds(&self) -> bool {
        true
    }

    fn is_readable(&self) -> bool {
        self.is_readable
    }

    fn aborted(&self) -> Option<Abort> {
        self.aborted
    }

    fn collide(&mut self) {
        self.overload(0);
    }

    fn recover(&mut self) -> bool {
        self.aborted = None;
        true
    }
}
