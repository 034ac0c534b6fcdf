//! Turns a stream of numbers into count, mean, spread and extremes, without keeping any of them.

/// Mean and standard deviation by Welford's recurrence, which does not lose digits over long runs.
/// Welford, Technometrics 4 (1962), 419.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    n: u64,
    mean: f64,
    /// Sum of squared distances from the mean.
    m2: f64,
    min: f64,
    max: f64,
}

impl Default for Spread {
    fn default() -> Self {
        Self {
            n: 0,
            mean: 0.0,
            m2: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Spread {
    /// Takes in one number.
    pub fn add(&mut self, value: f64) {
        self.n += 1;
        let before = value - self.mean;
        self.mean += before / self.n as f64;
        self.m2 += before * (value - self.mean);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// How many numbers.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Their mean; `None` without any.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then_some(self.mean)
    }

    /// Their standard deviation, as of a whole population; `None` without any.
    #[must_use]
    pub fn std(&self) -> Option<f64> {
        (self.n > 0).then(|| (self.m2 / self.n as f64).sqrt())
    }

    /// The smallest; `None` without any.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        (self.n > 0).then_some(self.min)
    }

    /// The largest; `None` without any.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        (self.n > 0).then_some(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_two_passes_far_from_zero() {
        let values = [1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0];
        let mut spread = Spread::default();
        values.into_iter().for_each(|value| spread.add(value));
        assert_eq!(spread.mean(), Some(1e9 + 10.0));
        assert!((spread.std().expect("four") - 22.5_f64.sqrt()).abs() < 1e-6);
        assert_eq!(
            (spread.min(), spread.max()),
            (Some(1e9 + 4.0), Some(1e9 + 16.0))
        );
    }

    #[test]
    fn nothing_has_no_numbers() {
        let nothing = Spread::default();
        assert_eq!(
            (nothing.n(), nothing.mean(), nothing.std()),
            (0, None, None)
        );
        assert_eq!((nothing.min(), nothing.max()), (None, None));
    }
}
