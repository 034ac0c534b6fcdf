//! Turns messages over loopback into the times that the link costs on this machine.

use clap::Args;
use prehend_link::measure_loopback;
use prehend_types::stats::quantile;

use crate::commands::bench::Body;
use crate::exit::{Class, Failure, Verdict};
use crate::meter::Row;
use crate::session::Session;

const EXAMPLES: &str = "Examples:
  prehend latency
  prehend latency --n 100000 --rate 1000 --json

A command of seven joints goes from one session of this process to another over loopback, and a status comes
back. Each row is a quantile of all messages, with the lowest and the highest that it was in ten parts of the
run. A quantile that too few messages stand behind is not measured. Run it on an idle machine.";

/// The run is cut into this many parts, whose spread is shown.
const PARTS: usize = 10;

/// Arguments of `prehend latency`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Latency {
    /// Messages.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=2_000_000))]
    n: u64,
    /// Messages per second, at most; the next one waits for the last one's answer.
    #[arg(long, value_name = "HZ", default_value_t = 1000.0, value_parser = rate)]
    rate: f64,
}

impl Latency {
    /// Measures.
    ///
    /// # Errors
    /// The sessions could not be opened, or messages were lost.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let times = measure_loopback(self.n, self.rate, &mut || !session.interrupt.is_set())?;
        let (half, tails) = (("p50", 0.5), [("p99", 0.99), ("p99.9", 0.999)]);
        let max = ("max", 1.0);
        let there_and_back = [half, tails[0], tails[1], max];
        let call = [half, tails[0], ("p99.99", 0.9999), max];
        let mut rows = Vec::new();
        for (name, values, quantiles) in [
            ("link/one_way", &times.one_way_us, &there_and_back),
            ("link/round_trip", &times.round_trip_us, &there_and_back),
            ("link/send_call", &times.send_call_us, &call),
        ] {
            rows.extend(
                quantiles
                    .iter()
                    .map(|(q_name, q)| row(&format!("{name}/{q_name}"), values, *q)),
            );
        }
        let body = Body { rows };
        session.report(None, &body, &body)?;
        if times.lost > 0 {
            let error = anyhow::anyhow!(
                "{} of {} messages had no answer within a second; is the machine overloaded?",
                times.lost,
                times.send_call_us.len()
            );
            return Err(Failure::new(Class::Runtime, error));
        }
        Ok(session.unless_stopped(Verdict::Passed))
    }
}

/// A quantile of all values, with its spread over parts of the run that are long enough to have one.
fn row(name: &str, values: &[f64], q: f64) -> Row {
    let parts = values.chunks(values.len().div_ceil(PARTS).max(1));
    let parts: Vec<f64> = parts.filter_map(|part| measured(part, q)).collect();
    Row {
        value: measured(values, q),
        ..Row::new(name, "us", values.len() as u64, parts)
    }
}

/// The quantile, if at least one value lies beyond it.
fn measured(values: &[f64], q: f64) -> Option<f64> {
    let beyond = (1.0 - q) * values.len() as f64;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    // Half a value of tolerance: 1 - 0.999 is not quite a thousandth.
    quantile(&sorted, q).filter(|_| q >= 1.0 || beyond > 0.5)
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let fine = (1.0..=20_000.0).contains(&rate);
    fine.then_some(rate)
        .ok_or_else(|| "must be from 1 to 20000 Hz".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_needs_a_value_beyond_it() {
        let values: Vec<f64> = (1..=1000).map(f64::from).collect();
        assert_eq!(measured(&values, 0.999), Some(999.0));
        assert_eq!(measured(&values[..100], 0.999), None);
        assert_eq!(measured(&values[..100], 1.0), Some(100.0));
        let row = row("a", &values, 0.5);
        assert_eq!((row.value, row.n), (Some(500.0), 1000));
        assert_eq!((row.low, row.high), (Some(50.0), Some(950.0)));
        assert_eq!(super::row("a", &[], 0.5).value, None);
    }
}
