//! Turns a driver's account of its commands into what must never happen on the wire, and did.

use prehend_runtime::WireReport;

/// Every promise about the wire that was broken, in words; empty if all were kept.
#[must_use]
pub fn faults(wire: &WireReport) -> Vec<String> {
    let counts = [
        ("commands beyond a limit", wire.limit_violations),
        ("commands that are not finite", wire.non_finite),
        ("expired commands that moved the arm", wire.expired_executed),
        ("commands out of order", wire.out_of_order),
        ("commands of a second sender", wire.gate.other_sender),
        (
            "setpoints beyond a limit told to the arm",
            wire.told_violations,
        ),
    ];
    let broken = counts.iter().filter(|(_, count)| *count > 0);
    broken
        .map(|(what, count)| format!("{count} {what}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_promise_is_said() {
        assert!(faults(&WireReport::default()).is_empty());
        let wire = WireReport {
            commands: 100,
            limit_violations: 2,
            expired_executed: 1,
            ..WireReport::default()
        };
        assert_eq!(
            faults(&wire),
            [
                "2 commands beyond a limit",
                "1 expired commands that moved the arm"
            ]
        );
    }
}
