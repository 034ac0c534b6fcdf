//! Messages that several tests send.

use prehend_link::messages::{ArmId, ControlStatistics, Count, Timing};

/// Statistics in which no field is like another.
pub(crate) fn statistics() -> ControlStatistics {
    let timing = Timing {
        n: 7,
        p50_us: 2000.0,
        p99_us: 2001.5,
        p999_us: 2001.5,
        max_us: 2001.5,
        bins: vec![0, 1, 6],
    };
    let count = |name: &str, count| Count {
        name: name.to_owned(),
        count,
    };
    ControlStatistics {
        robot: "fr3".to_owned(),
        seq: 3,
        stamp_nanos: 17,
        epoch: 7,
        mode: "tracking".to_owned(),
        rate_hz: 500.0,
        ticks: 8,
        deadline_misses: 1,
        period: timing.clone(),
        compute: timing.clone(),
        command_age: timing,
        commands: 5,
        commands_lost: 0,
        interventions: vec![count("jerk", 2), count("velocity", 0)],
        late: vec![count("wake", 1)],
        stops: vec![],
        armed: 1,
        arm_refused: 1,
        arm_error: "joint 2 is 0.3 rad off".to_owned(),
    }
}

pub(crate) fn arm_id() -> ArmId {
    ArmId {
        robot: "fr3".to_owned(),
        model: "fr3".to_owned(),
        model_hash: "0123456789abcdef".repeat(4),
    }
}
