//! What a depth camera gets wrong at one pixel.
//!
//! Every pixel draws from its own place in the frame's random stream, so that its fate depends on no
//! other pixel and on no order of casting.

use std::ops::{Add, Div, Mul, Sub};

use prehend_types::{Stream, derive_seed};
use wide::f32x8;

use super::lanes::LANES;
use crate::config::NoiseConfig;

/// A ray strays by at most this many standard deviations from its pixel's centre.
const STRAY: f32 = 3.0;

/// [`NoiseConfig`] in single precision, for one camera and one frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noise {
    seed: u64,
    sigma: f32,
    sigma_per_m2: f32,
    dropout: f32,
    pub edge_step: f32,
    edge_holes: f32,
    /// Pixels.
    lateral: f32,
    /// Focal length times baseline, m px: disparity times depth.
    stereo: f32,
    /// Pixels; 0 where disparities are not quantised.
    disparity_step: f32,
}

/// What becomes of a pixel before its depth is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Measures nothing.
    Lost,
    /// Measures nothing if it lies at an edge.
    LostAtEdge,
    /// Measures.
    Kept,
}

/// The two draws of one pixel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    pub fate: Fate,
    normal: u32,
}

impl Noise {
    pub fn new(config: &NoiseConfig, focal: f32, seed: u64) -> Self {
        Self {
            seed,
            sigma: config.sigma_m as f32,
            sigma_per_m2: config.sigma_per_m2 as f32,
            dropout: config.dropout as f32,
            edge_step: config.edge_step_m as f32,
            edge_holes: config.edge_holes as f32,
            lateral: config.lateral_sigma_px as f32,
            stereo: focal * config.baseline_m as f32,
            disparity_step: config.disparity_step_px as f32,
        }
    }

    /// Farthest that a ray passes from its pixel's centre along each axis, pixels.
    pub fn stray(&self) -> f32 {
        STRAY * self.lateral
    }

    /// Where in the surroundings of each of these pixels its ray passes, pixels from the centre: along the
    /// image's rows, along its columns.
    pub fn jitter(&self, pixels: [usize; LANES]) -> [[f32; LANES]; 2] {
        let bits = pixels.map(|pixel| derive_seed(self.seed, Stream::Camera, 2 * pixel as u64 + 1));
        let stray = self.stray();
        [
            bits.map(|bits| (bits >> 32) as u32),
            bits.map(|bits| bits as u32),
        ]
        .map(|bits| {
            standard_normals(bits).map(|normal| (self.lateral * normal).clamp(-stray, stray))
        })
    }

    #[inline]
    pub fn draw(&self, pixel: usize) -> Draw {
        let bits = derive_seed(self.seed, Stream::Camera, 2 * pixel as u64);
        let uniform = (bits >> 40) as f32 * (1.0 / 16_777_216.0);
        let fate = if uniform < self.dropout {
            Fate::Lost
        } else if uniform < self.dropout + self.edge_holes {
            Fate::LostAtEdge
        } else {
            Fate::Kept
        };
        Draw {
            fate,
            normal: bits as u32,
        }
    }

    /// The depth that is reported for a true one, m; 0 where nothing is.
    #[inline]
    pub fn measured(&self, draw: Draw, depth: f32) -> f32 {
        let sigma = self.sigma + self.sigma_per_m2 * depth * depth;
        let measured = if sigma > 0.0 {
            depth + sigma * standard_normal(draw.normal)
        } else {
            depth
        };
        if measured <= 0.0 {
            return 0.0;
        }
        if self.disparity_step <= 0.0 {
            return measured;
        }
        // Positive, so that the cast rounds down, everywhere alike; it saturates for absurd disparities.
        let steps = (self.stereo / measured / self.disparity_step + 0.5) as u32;
        if steps == 0 {
            return 0.0;
        }
        self.stereo / (steps as f32 * self.disparity_step)
    }
}

/// How far from the middle of the distribution [`central`] holds.
const CENTRAL: f32 = 0.425;

/// 23 bits and a half are exact, and never 0 or 1.
#[inline]
fn place(bits: u32) -> f32 {
    ((bits >> 9) as f32 + 0.5) * (1.0 / 8_388_608.0)
}

/// The standard normal number at a uniform place of its distribution: Wichura's PPND7 (1988, Applied
/// Statistics 37, algorithm AS 241), good to 1e-6 here; within 5.3 of zero.
pub(super) fn standard_normal(bits: u32) -> f32 {
    let p = place(bits);
    let q = p - 0.5;
    if q.abs() <= CENTRAL {
        central(q, |number| number)
    } else {
        tail(p)
    }
}

/// The same for eight places, bit for bit.
fn standard_normals(bits: [u32; LANES]) -> [f32; LANES] {
    let p = bits.map(place);
    let q = p.map(|p| p - 0.5);
    let mut normals = central(f32x8::new(q), f32x8::splat).to_array();
    for lane in 0..LANES {
        if q[lane].abs() > CENTRAL {
            normals[lane] = tail(p[lane]);
        }
    }
    normals
}

/// For places within [`CENTRAL`] of the middle; `q` is the distance from it.
#[inline]
#[allow(clippy::excessive_precision, reason = "coefficients as published")]
fn central<T>(q: T, number: impl Fn(f32) -> T) -> T
where
    T: Copy + Add<Output = T> + Sub<Output = T> + Mul<Output = T> + Div<Output = T>,
{
    let r = number(0.180_625) - q * q;
    let numerator =
        ((number(59.109_374_720) * r + number(159.291_132_02)) * r + number(50.434_271_938)) * r
            + number(3.387_132_717_9);
    let denominator =
        ((number(67.187_563_600) * r + number(78.757_757_664)) * r + number(17.895_169_469)) * r
            + number(1.0);
    q * numerator / denominator
}

/// For all other places `p`.
#[allow(clippy::excessive_precision, reason = "coefficients as published")]
fn tail(p: f32) -> f32 {
    let q = p - 0.5;
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = (-libm::logf(tail)).sqrt() - 1.6;
    let numerator =
        ((0.170_238_211_03 * r + 1.306_728_481_6) * r + 2.756_815_390_0) * r + 1.423_437_277_7;
    let denominator = (0.120_211_329_75 * r + 0.737_001_642_50) * r + 1.0;
    (numerator / denominator).copysign(q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        // Tables of the standard normal distribution.
        let cases = [
            (0.5, 0.0),
            (0.841_344_746, 1.0),
            (0.977_249_868, 2.0),
            (0.998_650_102, 3.0),
            (0.999_968_329, 4.0),
            (0.158_655_254, -1.0),
            (0.001_349_898, -3.0),
        ];
        for (p, expected) in cases {
            let got = standard_normal((p * 4_294_967_296.0_f64) as u32);
            assert!((got - expected).abs() < 2e-3, "{p}: {got}");
        }
        let numbers = (0..1_u32 << 20).map(|i| f64::from(standard_normal(i << 12)));
        let (mut sum, mut squares, mut fourths) = (0.0, 0.0, 0.0);
        for x in numbers {
            sum += x;
            squares += x * x;
            fourths += x.powi(4);
        }
        let n = f64::from(1 << 20);
        assert!((sum / n).abs() < 1e-4, "{sum}");
        assert!((squares / n - 1.0).abs() < 1e-3, "{squares}");
        assert!((fourths / n - 3.0).abs() < 1e-2, "{fourths}");
    }

    #[test]
    fn eight_numbers_are_those_of_one_at_a_time() {
        for first in 0..1_u32 << 16 {
            let bits = std::array::from_fn(|lane| first.wrapping_mul(65_537) ^ (lane as u32) << 28);
            let expected = bits.map(|bits| standard_normal(bits).to_bits());
            assert_eq!(
                standard_normals(bits).map(f32::to_bits),
                expected,
                "{bits:?}"
            );
        }
    }

    #[test]
    fn disparity_steps_grow_with_the_distance_squared() {
        let config = NoiseConfig {
            baseline_m: 0.05,
            disparity_step_px: 0.125,
            ..NoiseConfig::default()
        };
        let noise = Noise::new(&config, 200.0, 7);
        let draw = noise.draw(0);
        for depth in [0.4_f32, 0.8, 1.6] {
            let at = |i: u32| noise.measured(draw, depth + i as f32 * 1e-5);
            let mut steps: Vec<f32> = (0..20_000).map(at).collect();
            steps.dedup();
            // dz = z² dd / (f b)
            let expected = depth * depth * 0.125 / 10.0;
            let got = steps[1] - steps[0];
            assert!((got / expected - 1.0).abs() < 0.05, "{got} at {depth}");
        }
    }
}
