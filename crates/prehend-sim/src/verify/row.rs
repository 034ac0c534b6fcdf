//! One line of the table.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a measured value must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Requirement {
    /// Smaller than this.
    Below(f64),
    /// Larger than this.
    Above(f64),
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
    /// Nothing: the value is reported because theory leaves it open, or to explain another row.
    None,
}

impl Requirement {
    /// Whether a value is as required; `None` if nothing is. A value that is not finite never is.
    #[must_use]
    pub fn holds(self, value: f64) -> Option<bool> {
        match self {
            Self::Below(limit) => Some(value.is_finite() && value < limit),
            Self::Above(limit) => Some(value.is_finite() && value > limit),
            Self::AtMost(limit) => Some(value.is_finite() && value <= limit),
            Self::AtLeast(limit) => Some(value.is_finite() && value >= limit),
            Self::None => None,
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Below(limit) => write!(f, "< {limit}"),
            Self::Above(limit) => write!(f, "> {limit}"),
            Self::AtMost(limit) => write!(f, "<= {limit}"),
            Self::AtLeast(limit) => write!(f, ">= {limit}"),
            Self::None => f.write_str("reported"),
        }
    }
}

impl Serialize for Requirement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerifyRow {
    /// Name of the test and what of it, `test: what`.
    pub test: String,
    /// What came out; `None` if it was not a number.
    pub measured: Option<f64>,
    /// What had to.
    pub required: Requirement,
    /// What would be better still.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aim: Option<Requirement>,
    /// Unit of `measured` and of the limits; empty for a count.
    pub unit: &'static str,
    /// Whether it is as required; `None` for rows that are only reported.
    pub pass: Option<bool>,
}

impl VerifyRow {
    /// A row of a value and what it must be.
    pub(super) fn new(
        test: impl Into<String>,
        value: f64,
        required: Requirement,
        unit: &'static str,
    ) -> Self {
        Self {
            test: test.into(),
            measured: value.is_finite().then_some(value),
            required,
            aim: None,
            unit,
            pass: required.holds(value),
        }
    }

    /// A row without requirement.
    pub(super) fn reported(test: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self::new(test, value, Requirement::None, unit)
    }

    /// The same row with an aim beyond what is required.
    pub(super) fn aiming(mut self, aim: Requirement) -> Self {
        self.aim = Some(aim);
        self
    }

    /// Whether the aim was reached, if there is one.
    #[must_use]
    pub fn reaches_aim(&self) -> Option<bool> {
        self.aim?.holds(self.measured.unwrap_or(f64::NAN))
    }
}

impl fmt::Display for VerifyRow {
    /// One aligned line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.pass {
            Some(true) => "pass",
            Some(false) => "FAIL",
            None => "",
        };
        let measured = self
            .measured
            .map_or_else(|| "not a number".to_owned(), significant);
        write!(
            f,
            "{:<46} {measured:>12} {:<8} {:<12} {verdict:<4}",
            self.test,
            self.unit,
            self.required.to_string()
        )?;
        if let (Some(aim), Some(reached)) = (self.aim, self.reaches_aim()) {
            let reached = if reached { "reached" } else { "not reached" };
            write!(f, "  aim {aim}: {reached}")?;
        }
        Ok(())
    }
}

/// Four significant digits, without exponent where that is readable.
fn significant(value: f64) -> String {
    let size = value.abs();
    if value.fract() == 0.0 && size < 1e6 {
        format!("{value}")
    } else if (1e-3..1e4).contains(&size) {
        let digits = (3.0 - libm::log10(size).floor()).clamp(0.0, 6.0) as usize;
        format!("{value:.digits$}")
    } else {
        format!("{value:.3e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_number_fails() {
        let row = VerifyRow::new("x", f64::NAN, Requirement::Below(1.0), "mm");
        assert_eq!((row.measured, row.pass), (None, Some(false)));
        assert_eq!(VerifyRow::reported("x", f64::NAN, "mm").pass, None);
        let row = VerifyRow::new("x", f64::INFINITY, Requirement::Above(1.0), "mm");
        assert_eq!(row.pass, Some(false));
    }

    #[test]
    fn limits_are_limits() {
        assert_eq!(Requirement::Below(1.0).holds(1.0), Some(false));
        assert_eq!(Requirement::AtLeast(1.0).holds(1.0), Some(true));
        assert_eq!(Requirement::Above(1.0).holds(1.0), Some(false));
    }

    #[test]
    fn aims_are_reached_or_not() {
        let row = |value| {
            VerifyRow::new("x", value, Requirement::Below(0.3), "mm")
                .aiming(Requirement::Below(0.1))
        };
        assert_eq!(row(0.2).pass, Some(true));
        assert_eq!(row(0.2).reaches_aim(), Some(false));
        assert_eq!(row(0.05).reaches_aim(), Some(true));
    }

    #[test]
    fn digits_are_four() {
        let check = |value: f64, expected: &str| assert_eq!(significant(value), expected);
        check(0.012_345_6, "0.01235");
        check(12.345_6, "12.35");
        check(1000.0, "1000");
        check(1.234_56e-9, "1.235e-9");
        check(0.0, "0");
    }
}
