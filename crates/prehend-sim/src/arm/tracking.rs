//! Second-order tracking of a command, stepped exactly.
//!
//! q'' = omega² (r - q) + 2 zeta omega (share r' - q') with r the commanded ramp. About its steady lag
//! this is a free oscillator, whose step is a constant 2x2 matrix: the response does not depend on the
//! step's length.

use prehend_robot::JointActuator;

/// One joint's tracking, for one length of step.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tracking {
    /// State (offset from the steady lag, its speed) after a step, per state before it.
    transition: [[f64; 2]; 2],
    /// Lag behind a ramp, s.
    lag: f64,
    dt: f64,
}

impl Tracking {
    pub fn new(drive: &JointActuator, dt: f64) -> Self {
        let omega = std::f64::consts::TAU * drive.bandwidth_hz;
        let damping = 2.0 * drive.damping_ratio * omega;
        Self {
            transition: exponential([[0.0, dt], [-omega * omega * dt, -damping * dt]]),
            lag: damping * (1.0 - drive.velocity_feedforward) / (omega * omega),
            dt,
        }
    }

    /// Position and speed after a step at whose end the command is at `q_d`, moving at `dq_d`.
    pub fn step(&self, q: f64, dq: f64, q_d: f64, dq_d: f64) -> (f64, f64) {
        let steady_before = q_d - dq_d * (self.dt + self.lag);
        let (offset, speed) = (q - steady_before, dq - dq_d);
        let [position, velocity] = self.transition;
        (
            q_d - dq_d * self.lag + position[0] * offset + position[1] * speed,
            dq_d + velocity[0] * offset + velocity[1] * speed,
        )
    }
}

/// exp(A) by Taylor series and squaring: plain arithmetic, the same bits on every machine.
fn exponential(a: [[f64; 2]; 2]) -> [[f64; 2]; 2] {
    let norm: f64 = a.iter().flatten().map(|v| v.abs()).sum();
    let mut halvings = 0;
    let mut scale = 1.0;
    while norm * scale > 0.125 && halvings < 60 {
        halvings += 1;
        scale *= 0.5;
    }
    let a = a.map(|row| row.map(|v| v * scale));
    let mut sum = [[1.0, 0.0], [0.0, 1.0]];
    let mut term = sum;
    for k in 1..=12 {
        term = times(&term, &a).map(|row| row.map(|v| v / f64::from(k)));
        for (sum, term) in sum.iter_mut().flatten().zip(term.iter().flatten()) {
            *sum += term;
        }
    }
    for _ in 0..halvings {
        sum = times(&sum, &sum);
    }
    sum
}

fn times(a: &[[f64; 2]; 2], b: &[[f64; 2]; 2]) -> [[f64; 2]; 2] {
    std::array::from_fn(|i| std::array::from_fn(|j| a[i][0] * b[0][j] + a[i][1] * b[1][j]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive(bandwidth_hz: f64, damping_ratio: f64, velocity_feedforward: f64) -> JointActuator {
        JointActuator {
            bandwidth_hz,
            damping_ratio,
            velocity_feedforward,
            max_velocity: 1.0,
            max_acceleration: 1.0,
            max_torque: 1.0,
            stiffness: 0.0,
            damping: 0.0,
            viscous_friction: 0.0,
            coulomb_friction: 0.0,
        }
    }

    #[test]
    fn a_step_is_answered_as_the_textbook_says() {
        // Critically damped: 1 - (1 + omega t) exp(-omega t).
        let omega = std::f64::consts::TAU * 8.0;
        for dt in [0.001, 0.005, 0.02] {
            let tracking = Tracking::new(&drive(8.0, 1.0, 0.0), dt);
            let (mut q, mut dq) = (0.0, 0.0);
            for step in 1..=20 {
                (q, dq) = tracking.step(q, dq, 1.0, 0.0);
                let t = f64::from(step) * dt;
                let expected = 1.0 - (1.0 + omega * t) * libm::exp(-omega * t);
                assert!((q - expected).abs() < 1e-12, "{dt} {t}: {q} {expected}");
            }
            assert!(dq.is_finite());
        }
    }

    #[test]
    fn a_ramp_is_followed_with_the_lag_that_the_parameters_say() {
        for (zeta, share) in [(1.0, 0.0), (0.7, 0.5), (1.3, 1.0)] {
            let tracking = Tracking::new(&drive(10.0, zeta, share), 0.005);
            let (mut q, mut dq, mut q_d) = (0.0, 0.0, 0.0);
            for _ in 0..400 {
                q_d += 0.4 * 0.005;
                (q, dq) = tracking.step(q, dq, q_d, 0.4);
            }
            let lag = 2.0 * zeta * (1.0 - share) / (std::f64::consts::TAU * 10.0);
            assert!((q_d - q - 0.4 * lag).abs() < 1e-9, "{zeta} {share}");
            assert!((dq - 0.4).abs() < 1e-9);
        }
    }
}
