//! The real-time path never touches the heap.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use std::time::Duration;

use prehend_control::ControlConfig;
use prehend_control::rt::LoopMessage;
use prehend_types::{Action, JointPlan, JointPositions, JointSpace, JointStep, Stamp};

use crate::lockstep::run;
use crate::rig::{Rig, action};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "a global allocator is an unsafe trait")]
// SAFETY: every call is passed on unchanged to the system allocator; counting touches only a
// constant-initialised thread local without destructor, which does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn joints(now: Stamp) -> JointPlan {
    let step = JointStep {
        values: JointPositions::from_slice(&[0.01; 7]).expect("seven"),
        gripper: 0.5,
    };
    let dt = Duration::from_millis(50);
    JointPlan::new(now, dt, JointSpace::Delta, &[step; 8]).expect("a plan")
}

#[test]
fn tick_accept_arm_and_stop_do_not_allocate() {
    let mut rig = Rig::armed(ControlConfig::default());
    let mut bad = Action::hold(1.0);
    bad.translation.x = f64::NAN;
    let before = ALLOCATIONS.with(Cell::get);
    let mut commands = 0;
    for k in 0..20_000_u64 {
        if k % 90 == 0 {
            let chunk = rig.chunk(&[action(0.03, -0.02, 0.01); 8]);
            let _ = rig.controller.accept(&chunk, rig.now());
        }
        if k % 90 == 45 {
            let _ = rig.controller.accept_joints(&joints(rig.now()), rig.now());
        }
        if k % 1000 == 500 {
            let _ = rig.controller.accept(&rig.chunk(&[bad]), rig.now());
        }
        if k % 5000 == 4000 {
            rig.controller.soft_stop();
        }
        if k % 5000 == 4900 {
            rig.controller.arm(&rig.state).expect("stands still by now");
        }
        commands += u64::from(rig.tick().command.q_d.is_finite());
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
    assert_eq!(commands, 20_000);
    let probe = std::hint::black_box(Box::new(1_u8));
    drop(probe);
    assert!(ALLOCATIONS.with(Cell::get) > before, "the counter counts");
}

/// How often this thread has waited for anything, and how often for a page from a disk.
#[expect(
    unsafe_code,
    reason = "no safe wrapper counts what one thread waited for"
)]
fn waits() -> (i64, i64) {
    // SAFETY: all-zero bytes are a valid `rusage`, which the call overwrites; it keeps no reference.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage), 0);
        usage
    };
    (usage.ru_nvcsw, usage.ru_majflt)
}

/// A million ticks of the real control thread with its rings and its tape: states, plans, stops, new
/// sessions. What the thread allocates and what it waits for is counted on the thread itself.
#[test]
fn a_million_ticks_of_the_control_thread_neither_allocate_nor_wait() {
    const TICKS: u64 = 1_000_000;
    const WARM: u64 = 1000;
    let ((allocations, waited, violations, commands), report) =
        run(ControlConfig::default(), |done| {
            let (mut allocations, mut before, mut epoch) = (0, (0, 0), 1);
            let mut taped = 0;
            Box::new(move |world, _| {
                let phase = world.ticks % 50_000;
                let message = match phase {
                    40_000 => Some(LoopMessage::Stop),
                    40_500 => Some(LoopMessage::Reset),
                    40_501 => {
                        epoch += 1;
                        Some(LoopMessage::Arm { epoch })
                    }
                    _ => None,
                };
                if let Some(message) = message {
                    world.ports.messages.push(message).expect("room");
                }
                // Its reader may allocate: that is not the loop's.
                let at = ALLOCATIONS.with(Cell::get);
                while world.tape.pop().is_some() {
                    taped += 1;
                }
                allocations += ALLOCATIONS.with(Cell::get) - at;
                if world.ticks == WARM {
                    before = waits();
                    allocations = ALLOCATIONS.with(Cell::get);
                }
                if world.ticks == WARM + TICKS {
                    let allocated = ALLOCATIONS.with(Cell::get) - allocations;
                    let now = waits();
                    let waited = (now.0 - before.0) - (now.1 - before.1);
                    let violations = world.wire.report().limit_violations;
                    assert!(taped > TICKS && world.tape.full_at().is_none());
                    let _ = done.send((allocated, waited, violations, world.commands));
                }
                Duration::ZERO
            })
        });
    assert_eq!((allocations, violations), (0, 0));
    assert!(waited <= 0, "the thread waited {waited} times");
    assert!(commands > TICKS * 9 / 10, "{commands}");
    assert!(report.chunk_age_us.n > 3000, "{report:?}");
    assert_eq!(report.commands_lost + report.events_lost, 0);
}
