//! Turns a few numbers into setpoints that a limiter should not survive.

use prehend_types::{JointPositions, JointVelocities, MAX_JOINTS};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::stop;
use crate::{Follower, JointBounds};

/// How many ways there are to ask for the impossible.
const N_MANNERS: usize = 8;

/// Setpoints that are no motion.
const ODD: [f64; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
/// Setpoints that are one, for a machine.
const HUGE: [f64; 8] = [
    1e30,
    -1e30,
    1e300,
    -1e300,
    f64::MIN_POSITIVE / 4.0,
    -0.0,
    i32::MIN as f64,
    f64::MAX,
];

/// One way to drive an arm; equal ones give equal setpoints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adversary {
    /// Of everything that is drawn.
    pub seed: u64,
    /// How often each manner is chosen, relative to each other.
    weights: [f64; N_MANNERS],
    /// Ticks that a joint stays with a manner, on average.
    dwell: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    /// Full acceleration one way and the other.
    Square,
    /// Somewhere within a turn, at once.
    Jump,
    /// An acceleration that drifts.
    Walk,
    /// Onto a position limit or just beyond it, at speed.
    Chase,
    /// As fast as is allowed just here.
    Ride,
    /// Full acceleration one way or the other, by chance.
    Bang,
    /// Numbers that no joint has.
    Huge,
    /// No numbers.
    Odd,
}

const MANNERS: [Manner; N_MANNERS] = [
    Manner::Square,
    Manner::Jump,
    Manner::Walk,
    Manner::Chase,
    Manner::Ride,
    Manner::Bang,
    Manner::Huge,
    Manner::Odd,
];

/// What one joint is being asked for.
#[derive(Debug, Clone, Copy)]
struct Mood {
    manner: Manner,
    ticks_left: u32,
    period: u32,
    way: f64,
    value: f64,
}

impl Adversary {
    /// One of many.
    #[must_use]
    pub fn drawn(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut weights = [0.0; N_MANNERS];
        for (weight, manner) in weights.iter_mut().zip(MANNERS) {
            let most = if matches!(manner, Manner::Huge | Manner::Odd) {
                0.2
            } else {
                1.0
            };
            *weight = rng.random_range(0.01..most);
        }
        Self {
            seed,
            weights,
            dwell: libm::pow(10.0, rng.random_range(0.3..3.3)),
        }
    }

    /// A neighbour of this one: the same, but for one thing.
    pub(super) fn varied(mut self, rng: &mut ChaCha8Rng) -> Self {
        match rng.random_range(0..4) {
            0 => self.seed = rng.random(),
            1 => self.dwell = (self.dwell * rng.random_range(0.3..3.0)).clamp(1.0, 5_000.0),
            _ => {
                let weight = &mut self.weights[rng.random_range(0..N_MANNERS)];
                *weight = (*weight * rng.random_range(0.1..4.0)).clamp(0.001, 4.0);
            }
        }
        self
    }
}

/// An [`Adversary`] at work on one arm.
#[derive(Debug, Clone)]
pub(super) struct Attack {
    adversary: Adversary,
    rng: ChaCha8Rng,
    moods: [Mood; MAX_JOINTS],
    tick: u64,
}

impl Attack {
    pub fn new(adversary: Adversary) -> Self {
        let calm = Mood {
            manner: Manner::Jump,
            ticks_left: 0,
            period: 1,
            way: 1.0,
            value: 0.0,
        };
        Self {
            adversary,
            rng: ChaCha8Rng::seed_from_u64(adversary.seed ^ 0x5eed),
            moods: [calm; MAX_JOINTS],
            tick: 0,
        }
    }

    /// The next setpoint for an arm that moves like `follower`.
    pub fn next(
        &mut self,
        bounds: &[JointBounds],
        dt: f64,
        follower: &Follower,
    ) -> (JointPositions, JointVelocities) {
        let (mut q_d, mut dq_d) = (*follower.q(), *follower.dq());
        self.tick += 1;
        for (joint_idx, bounds) in bounds.iter().enumerate() {
            if self.moods[joint_idx].ticks_left == 0 {
                self.moods[joint_idx] = self.mood();
            }
            self.moods[joint_idx].ticks_left -= 1;
            let at = (q_d[joint_idx], dq_d[joint_idx]);
            (q_d[joint_idx], dq_d[joint_idx]) = self.setpoint(joint_idx, bounds, dt, at);
        }
        (q_d, dq_d)
    }

    fn mood(&mut self) -> Mood {
        let (rng, adversary) = (&mut self.rng, &self.adversary);
        let mut left = rng.random_range(0.0..adversary.weights.iter().sum());
        let chosen = MANNERS
            .into_iter()
            .zip(adversary.weights)
            .find(|(_, weight)| {
                left -= weight;
                left < 0.0
            });
        Mood {
            manner: chosen.map_or(Manner::Square, |(manner, _)| manner),
            ticks_left: 1 + (adversary.dwell * rng.random_range(0.0..2.0)) as u32,
            period: libm::pow(10.0, rng.random_range(0.0..2.7)) as u32,
            way: if rng.random() { 1.0 } else { -1.0 },
            value: rng.random_range(-1.0..1.0),
        }
    }

    /// Position and velocity that are asked of a joint at `q` with `dq`.
    fn setpoint(
        &mut self,
        joint_idx: usize,
        bounds: &JointBounds,
        dt: f64,
        (q, dq): (f64, f64),
    ) -> (f64, f64) {
        let (mood, rng) = (&mut self.moods[joint_idx], &mut self.rng);
        let turns = self.tick.is_multiple_of(u64::from(mood.period));
        let full = 1.5 * bounds.max_acceleration;
        let limit = if mood.way > 0.0 {
            bounds.upper
        } else {
            bounds.lower
        };
        // A setpoint that asks for an acceleration and nothing else.
        let accelerate = |ddq: f64| (q + (dq + ddq * dt) * dt, dq + ddq * dt);
        match mood.manner {
            Manner::Square => {
                if turns {
                    mood.way = -mood.way;
                }
                accelerate(mood.way * full)
            }
            Manner::Jump => {
                if turns {
                    mood.value = rng.random_range(-1.0..1.0);
                }
                (q + std::f64::consts::TAU * mood.value, 0.0)
            }
            Manner::Walk => {
                mood.value = (mood.value + rng.random_range(-0.2..0.2)).clamp(-1.0, 1.0);
                accelerate(mood.value * full)
            }
            Manner::Chase => {
                let speed = mood.way * bounds.max_velocity * mood.value.abs();
                (limit + mood.way * 0.01 * mood.value, speed)
            }
            Manner::Ride => {
                let fastest = mood.way * stop::speed_limit(bounds, q, mood.way);
                (q + fastest * dt, fastest)
            }
            Manner::Bang => {
                if rng.random_range(0..=mood.period) == 0 {
                    mood.way = -mood.way;
                }
                accelerate(mood.way * full * (1.0 + mood.value))
            }
            Manner::Huge => {
                let mut number = || HUGE[rng.random_range(0..HUGE.len())];
                (number(), number())
            }
            Manner::Odd => {
                let odd = ODD[rng.random_range(0..ODD.len())];
                if turns { (odd, dq) } else { (q, odd) }
            }
        }
    }
}
