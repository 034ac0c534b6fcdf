//! Franka's own controller as the judge of what a driver streams to it.

use prehend_drivers::vendor::{Fault, Findings, Kind, Rig, RigConfig};

use crate::Lab;
use crate::fault::{Finding, Outcome};

/// Franka's arms, each by its own table.
const KINDS: [Kind; 3] = [Kind::Fr3, Kind::Fr3Docs2026, Kind::Fer];
/// Time within which an arm moves at speed, ms.
const UNDER_WAY: u64 = 20_000;
/// Speed of a joint that tells lost setpoints from none, rad/s.
const AT_SPEED: f64 = 0.3;
const LOST: &str = "communication_constraints_violation";

pub(super) fn franka_rules(lab: &Lab) -> Outcome {
    // An hour over all of them.
    let ticks = lab.of(3_600_000) / KINDS.len() as u64;
    let mut pass = true;
    let mut parts = Vec::new();
    for (kind_idx, kind) in KINDS.into_iter().enumerate() {
        let robot = lab.robot(kind.robot())?;
        let runs = lab.in_parallel(ticks, |range| {
            let seed = lab.seed ^ (kind_idx as u64) << 48 ^ range.start;
            let rig = Rig::new(kind, &robot, RigConfig::default(), seed);
            let mut rig = rig.map_err(|error| error.to_string())?;
            rig.run(range.end - range.start);
            Ok::<_, String>(rig.findings())
        });
        let mut found = Findings::default();
        for run in runs {
            found.add(&run?);
        }
        pass &= found.aborts == 0
            && found.extrapolated == 0
            && found.told_violations == 0
            && found.way > 0.0;
        parts.push(format!(
            "{}: {} aborts and {} stops of our own in {} setpoints over {:.2} h and {:.0} rad{}",
            kind.name(),
            found.aborts,
            found.latched,
            found.points,
            ticks as f64 / 3.6e6,
            found.way,
            found.first_abort.map_or(String::new(), |(tick, abort)| {
                format!(", the first {abort:?} at {tick} ms")
            }),
        ));
    }
    let says_no = refusals(lab)?;
    pass &= says_no.iter().all(|(_, holds)| *holds);
    let shown = says_no.map(|(what, holds)| match holds {
        true => what.to_owned(),
        false => format!("NOT {what}"),
    });
    Ok(Finding::new(
        pass,
        format!("{}; the same judge: {}", parts.join("; "), shown.join(", ")),
    ))
}

/// That this judge can say no, and when it has to: without it no abort would mean nothing.
fn refusals(lab: &Lab) -> Result<[(&'static str, bool); 4], Box<dyn std::error::Error>> {
    let alone = RigConfig {
        has_operator: false,
        ..RigConfig::default()
    };
    let robot = lab.robot(Kind::Fr3.robot())?;
    let rig = || Rig::new(Kind::Fr3, &robot, alone, lab.seed);
    let reason = |rig: &Rig| rig.findings().first_abort.map(|(_, abort)| abort.reason);
    let mut away = rig()?;
    away.tick(Fault::Step(0.01));
    let lost = |n: u32| -> Result<Option<&str>, Box<dyn std::error::Error>> {
        let mut rig = rig()?;
        let at_speed = (0..UNDER_WAY).any(|_| {
            rig.tick(Fault::None);
            let dq = rig.rules_mut().motion().dq;
            dq.iter().any(|dq| dq.abs() > AT_SPEED)
        });
        if !at_speed {
            return Err("the arm does not get under way".into());
        }
        rig.lose_points(n);
        rig.run(200);
        Ok(reason(&rig))
    };
    let mut jerked = rig()?;
    jerked.run(1000);
    jerked.tick(Fault::Step(1e-4));
    let is_discontinuous =
        |reason: &str| reason.ends_with("discontinuity") || reason.ends_with("limits_violation");
    Ok([
        (
            "start pose 0.01 rad off refused",
            reason(&away).is_some_and(|reason| reason.ends_with("start_pose_invalid")),
        ),
        (
            "a step of 1e-4 rad ends the motion",
            reason(&jerked).is_some_and(is_discontinuous),
        ),
        ("20 lost setpoints bridged", lost(20)?.is_none()),
        ("21 end the motion", lost(21)? == Some(LOST)),
    ])
}
