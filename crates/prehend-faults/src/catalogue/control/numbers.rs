//! Numbers that are none: what the policy may return.

use std::time::{Duration, Instant};

use prehend_control::{ControlConfig, LimitReason, Mode, StopReason};
use prehend_types::{Action, ActionChunk, JointPlan, JointPositions, JointSpace, JointStep, Stamp};

use super::plan_with;
use crate::Lab;
use crate::catalogue::moving;
use crate::fault::{Finding, Outcome};
use crate::lab::{ARMS, Effort};
use crate::sim::{Offer, Rig, World};

pub(super) fn one_nan(lab: &Lab) -> Outcome {
    let mut world = moving(lab)?;
    let counted = |world: &World| world.pc.controller.counters().get(LimitReason::NonFinite);
    let before = counted(&world);
    let now = Stamp::from_nanos(world.now);
    let offer = plan_with(now, &world.arm.state.q, 3, f64::NAN).ok_or("no plan")?;
    world.pc.take(&offer, now);
    let (refused, mode) = (counted(&world) - before, world.pc.controller.mode());
    world.run(500);
    let account = world.account();
    Ok(Finding::new(
        refused == 1
            && mode == Mode::Tracking
            && world.pc.controller.mode() == Mode::Tracking
            && account.is_clean()
            && account.stops == 0,
        format!("refused {refused} at once, {mode:?} goes on; {account}"),
    ))
}

pub(super) fn many_nan(lab: &Lab) -> Outcome {
    let mut world = moving(lab)?;
    // Right after a plan of the pilot's: the next one would start the count anew.
    let taken = world.pc.taken;
    world
        .run_until(100, |world| world.pc.taken > taken)
        .ok_or("the pilot is silent")?;
    world.run(4);
    for _ in 0..3 {
        nan(&mut world)?;
        world.run(2);
    }
    let mut twin = world.pc.controller.clone();
    nan(&mut world)?;
    let now = Stamp::from_nanos(world.now);
    let state = world.pc.state.ok_or("no state")?;
    let mut ours = world.pc.controller.clone();
    let speed =
        |tick: prehend_control::Tick| tick.command.dq_d.iter().map(|v| v.abs()).sum::<f64>();
    let slower_after = (1..=20).find(|k| {
        let at = now.after(Duration::from_millis(2 * k));
        speed(ours.tick(&state, at)) < speed(twin.tick(&state, at))
    });
    let reason = world.pc.controller.stop_reason();
    world.run(3000);
    let account = world.account();
    Ok(Finding::new(
        slower_after == Some(1)
            && reason == Some(StopReason::BadChunks)
            && world.pc.controller.mode() == Mode::Fault
            && world.arm.shell.is_latched()
            && account.is_clean(),
        format!(
            "slower {} tick after the 4th than without it; {reason:?}, {:?} 3 s later; {account}",
            slower_after.map_or("never".to_owned(), |k| k.to_string()),
            world.pc.controller.mode(),
        ),
    ))
}

pub(super) fn nan(world: &mut World) -> Result<(), Box<dyn std::error::Error>> {
    let now = Stamp::from_nanos(world.now);
    let offer = plan_with(now, &world.arm.state.q, 0, f64::NAN).ok_or("no plan")?;
    world.pc.take(&offer, now);
    Ok(())
}

pub(super) fn odd_numbers(lab: &Lab) -> Outcome {
    let numbers = [
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e30,
        -1e30,
        f64::MAX,
        -0.0,
        f64::from_bits(1),
        -f64::MIN_POSITIVE / 3.0,
        f64::from(i32::MIN),
        f64::from(i32::MIN) * 1e-6,
    ];
    let mut worst = 0;
    let (mut offered, mut refused, mut unheard) = (0, 0, 0u64);
    for name in ARMS {
        let robot = lab.robot(name)?;
        let mut rig = Rig::new(&robot, ControlConfig::default())?;
        for number in numbers {
            for joint_idx in 0..robot.n_joints() {
                if has_stopped(&rig) {
                    rig.rearm();
                }
                // A good plan between two odd ones: a third in a row that is not finite stops the arm.
                let good = plan_with(rig.now(), &rig.state.q, joint_idx, rig.state.q[joint_idx]);
                let joints = plan_with(rig.now(), &rig.state.q, joint_idx, number);
                let mut action = Action::hold(1.0);
                action.translation[joint_idx % 3] = number;
                let tool = ActionChunk::new(rig.now(), Duration::from_millis(50), 2, &[action; 2]);
                for offer in joints.into_iter().chain(tool.ok().map(Offer::Tool)) {
                    let goes_on = good.as_ref().is_some_and(|good| rig.offer(good));
                    let counted = |rig: &Rig| rig.controller.counters().get(LimitReason::NonFinite);
                    let before = counted(&rig);
                    let is_taken = rig.offer(&offer);
                    if !number.is_finite() {
                        // As NaN: refused at once, counted once, and the good plan goes on.
                        let mode = rig.controller.mode();
                        unheard += u64::from(
                            !goes_on
                                || is_taken
                                || counted(&rig) != before + 1
                                || mode != Mode::Tracking,
                        );
                    }
                    offered += 1;
                    refused += u64::from(!is_taken);
                    (0..40).for_each(|_| _ = rig.tick());
                }
            }
        }
        let stopped = has_stopped(&rig) || rig.stop(4000).is_some();
        worst += rig.violations() + u64::from(!stopped);
    }
    // A short look says what it saw; on a busy machine it is no proof.
    let is_full = lab.effort == Effort::Full;
    let [p50, p999] = subnormal_slowdown(lab, if is_full { 60 } else { 6 })?;
    Ok(Finding::new(
        worst == 0 && unheard == 0 && refused > 0 && (!is_full || p999 <= 1.05),
        format!(
            "{refused} of {offered} plans refused; {unheard} infinite ones not refused, counted and gone on from as \
             NaN is; {worst} violations; a tick with subnormals takes {p50:.3} (p50), {p999:.3} (p99.9) of one with \
             zeros{}",
            if is_full {
                ""
            } else {
                " (judged in a full run)"
            }
        ),
    ))
}

fn has_stopped(rig: &Rig) -> bool {
    matches!(rig.controller.mode(), Mode::Stopped | Mode::Fault)
}

/// Time of a tick whose plan holds subnormals over one whose plan holds zeros, at the median and at p99.9 of
/// the ticks. Each tick is run many times over and its shortest time counts: the machine's noise only adds.
fn subnormal_slowdown(lab: &Lab, repeats: usize) -> Result<[f64; 2], Box<dyn std::error::Error>> {
    const TICKS: usize = 2000;
    let robot = lab.robot("fr3")?;
    let mut shortest = [[f64::INFINITY; TICKS]; 2];
    for repeat in 0..repeats {
        let which = repeat % 2;
        let number = [0.0, f64::from_bits(1 << 20)][which];
        let mut rig = Rig::new(&robot, ControlConfig::default())?;
        for (tick, shortest) in shortest[which].iter_mut().enumerate() {
            if tick.is_multiple_of(25) {
                let step = JointStep {
                    values: JointPositions::from_slice(&[number; 7])?,
                    gripper: 1.0,
                };
                let dt = Duration::from_millis(50);
                let plan = JointPlan::new(rig.now(), dt, JointSpace::Delta, &[step; 4])?;
                rig.offer(&Offer::Joints(plan));
            }
            let begun = Instant::now();
            rig.tick();
            *shortest = shortest.min(begun.elapsed().as_secs_f64());
        }
    }
    let at = |times: &mut [f64; TICKS], beyond: usize| {
        times.sort_by(f64::total_cmp);
        times[TICKS - beyond - 1]
    };
    let [zeros, subnormals] = &mut shortest;
    Ok([TICKS / 2, TICKS / 1000].map(|beyond| at(subnormals, beyond) / at(zeros, beyond)))
}
