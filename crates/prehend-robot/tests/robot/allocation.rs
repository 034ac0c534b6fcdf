//! Dynamics never touch the heap.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use prehend_robot::{JointLoad, Wrench};
use prehend_types::{JointTorques, JointVelocities};

use crate::{fr3, random_q};

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

#[test]
fn forward_dynamics_and_energies_do_not_allocate() {
    let robot = fr3();
    let dq = JointVelocities::from_slice(&[0.5; 7]).expect("seven");
    let tau = JointTorques::from_slice(&[3.0; 7]).expect("seven");
    let load = JointLoad {
        joint_idx: 6,
        wrench: Wrench::ZERO,
    };
    let before = ALLOCATIONS.with(Cell::get);
    let mut sum = 0.0;
    for idx in 0..100 {
        let q = random_q(&robot, idx);
        let ddq = robot.forward_dynamics(&q, &dq, &tau, &[load]);
        sum += ddq.map_or(f64::NAN, |ddq| ddq[0]);
        sum += robot.kinetic_energy(&q, &dq) + robot.potential_energy(&q);
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
    assert!(sum.is_finite());
    assert_ne!(before, 0, "the counter counts");
}
