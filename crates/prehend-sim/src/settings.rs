//! The settings of the contact solver, as a value: what ships, and what may be compared with it.

use rapier3d::dynamics::{IntegrationParameters, SpringCoefficients};
use serde::{Deserialize, Serialize};

use crate::arm::ArmMode;

/// Length of one tick, s: commands, the judge and state vectors advance by this much.
pub(crate) const TICK: f64 = 0.005;
/// How long the engine thinks a usual thing is, m. Its boxes around shapes are 0.04 of it too large on every side,
/// and all pairs of overlapping boxes are looked at in every step: with a metre, whatever is within 8 cm. A power
/// of two, so that lengths given as shares of it stay what they are to the bit.
pub(crate) const LENGTH_UNIT: f32 = 0.125;

/// How contacts and fingers are simulated. The default is what ships; everything else is for
/// `verify` and for sweeps, because a policy is trained on what ships.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PhysicsSettings {
    /// Solver steps per tick of 5 ms. 2 halves the time step; ticks stay as they are.
    pub steps_per_tick: u32,
    /// Ticks per solver step, if that is longer than a tick; `steps_per_tick` is then 1.
    pub ticks_per_step: u32,
    /// Solver iterations per step; rapier makes each a sub-step of its own.
    pub iterations: usize,
    /// Frequency of the contact spring between moving bodies, Hz. Its stiffness is the pair's reduced
    /// mass times (2 pi f)²; at most a quarter of the sub-steps per second, or stacks collapse.
    pub contact_hz: f64,
    /// The same where one side is fixed, Hz. Beyond three eighths of the sub-steps per second, small
    /// stacks rock for ever.
    pub static_contact_hz: f64,
    /// Damping ratio of both springs.
    pub damping_ratio: f64,
    /// Contacts are made this far ahead of touching, m.
    pub prediction_m: f64,
    /// Keep contact points while a pair hardly moves. Freezes lever arms: a turning grasp slips.
    pub contact_recycling: bool,
    /// Let friction act against the push-out of penetrations too.
    pub friction_in_bias_pass: bool,
    /// Gauss-Seidel sweeps per sub-step.
    pub sweeps: usize,
    /// Iterations on top for what the hand of a dynamic arm touches. Sweeps hold as well, and cost less.
    pub hand_iterations: usize,
    /// Sweeps on top for what a hand touches that gives way, of whatever arm.
    pub hand_sweeps: usize,
    /// How the arm is simulated.
    pub arm: ArmMode,
    /// Let bodies sleep that have come to rest, until something touches them.
    pub sleep: bool,
}

impl Default for PhysicsSettings {
    fn default() -> Self {
        Self {
            steps_per_tick: 1,
            ticks_per_step: 1,
            iterations: 4,
            contact_hz: 200.0,
            static_contact_hz: 300.0,
            damping_ratio: 10.0,
            prediction_m: 0.002,
            contact_recycling: false,
            friction_in_bias_pass: true,
            sweeps: 2,
            hand_iterations: 0,
            hand_sweeps: 16,
            arm: ArmMode::default(),
            sleep: true,
        }
    }
}

impl PhysicsSettings {
    /// Length of one solver step, s.
    #[must_use]
    pub fn dt(&self) -> f64 {
        self.span() / f64::from(self.steps())
    }

    /// Ticks that the engine is stepped after.
    pub(crate) fn ticks(&self) -> u32 {
        self.ticks_per_step.max(1)
    }

    /// What the engine covers at a time, s.
    pub(crate) fn span(&self) -> f64 {
        TICK * f64::from(self.ticks())
    }

    /// Solver steps per tick, at least one.
    pub(crate) fn steps(&self) -> u32 {
        self.steps_per_tick.max(1)
    }

    /// The same settings with half the time step.
    #[must_use]
    pub fn with_half_dt(mut self) -> Self {
        self.steps_per_tick = self.steps().saturating_mul(2);
        self
    }

    /// The same settings with twice the solver iterations.
    #[must_use]
    pub fn with_double_iterations(mut self) -> Self {
        self.iterations = self.iterations.saturating_mul(2);
        self
    }

    /// The engine's own settings. The probe of November 2026 found them; `verify` measures them anew.
    pub(crate) fn integration_parameters(&self) -> IntegrationParameters {
        let usual = IntegrationParameters::default();
        let spring = |hz: f64| SpringCoefficients::new(hz as f32, self.damping_ratio as f32);
        IntegrationParameters {
            dt: self.dt() as f32,
            num_solver_iterations: self.iterations.max(1),
            num_internal_pgs_iterations: self.sweeps.max(1),
            contact_recycling: self.contact_recycling,
            contact_softness: spring(self.contact_hz),
            static_contact_softness: spring(self.static_contact_hz),
            normalized_prediction_distance: self.prediction_m as f32 / LENGTH_UNIT,
            friction_in_bias_pass: self.friction_in_bias_pass,
            length_unit: LENGTH_UNIT,
            normalized_allowed_linear_error: usual.normalized_allowed_linear_error / LENGTH_UNIT,
            normalized_max_corrective_velocity: usual.normalized_max_corrective_velocity
                / LENGTH_UNIT,
            normalized_max_linear_velocity: usual.normalized_max_linear_velocity / LENGTH_UNIT,
            normalized_contact_recycle_distance: usual.normalized_contact_recycle_distance
                / LENGTH_UNIT,
            ..usual
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_change_one_thing_each() {
        let shipped = PhysicsSettings::default();
        assert!((shipped.dt() - 0.005).abs() < 1e-15);
        assert!((shipped.with_half_dt().dt() - 0.0025).abs() < 1e-15);
        assert_eq!(shipped.with_half_dt().iterations, shipped.iterations);
        let double = shipped.with_double_iterations();
        let n_iterations = double.integration_parameters().num_solver_iterations;
        assert_eq!(n_iterations, 2 * shipped.iterations);
        assert_eq!(double.dt().to_bits(), shipped.dt().to_bits());
    }
}
