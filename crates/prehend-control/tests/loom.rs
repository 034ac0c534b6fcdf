//! Every order in which threads and memory can act around what is ours of the lock-free hand-over, by loom. The
//! rings themselves are a library's (rtrb); stood in for here by one of two places with the same orderings.

use loom::sync::Arc;
use loom::thread;

mod sync {
    pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
}

#[path = "../src/rt/mark.rs"]
mod mark;

use mark::Mark;
use sync::{AtomicU64, Ordering};

/// One thread puts in, another takes out.
struct Ring {
    places: [AtomicU64; 2],
    put: AtomicU64,
}

impl Ring {
    fn new() -> Self {
        Self {
            places: [AtomicU64::new(0), AtomicU64::new(0)],
            put: AtomicU64::new(0),
        }
    }

    fn push(&self, value: u64) {
        let put = self.put.load(Ordering::Relaxed);
        self.places[put as usize].store(value, Ordering::Relaxed);
        self.put.store(put + 1, Ordering::Release);
    }

    fn pop(&self, taken: &mut u64) -> Option<u64> {
        if *taken == self.put.load(Ordering::Acquire) {
            return None;
        }
        let value = self.places[*taken as usize].load(Ordering::Relaxed);
        *taken += 1;
        Some(value)
    }
}

/// As commands are sent, and ticks recorded: the mark is read before the ring is emptied.
fn drain(ring: &Ring, mark: &Mark) -> Vec<u64> {
    let (mut taken, mut values) = (0, Vec::new());
    loop {
        let is_over = mark.get().is_some();
        while let Some(value) = ring.pop(&mut taken) {
            values.push(value);
        }
        if is_over {
            return values;
        }
        thread::yield_now();
    }
}

/// The last commands of a loop are the stop.
#[test]
fn what_was_put_in_before_the_mark_is_taken_out_after_it() {
    loom::model(|| {
        let (ring, mark) = (Arc::new(Ring::new()), Arc::new(Mark::default()));
        let (own, end) = (Arc::clone(&ring), Arc::clone(&mark));
        let loops = thread::spawn(move || {
            own.push(7);
            own.push(8);
            end.set(2);
        });
        assert_eq!(drain(&ring, &mark), [7, 8]);
        assert_eq!(mark.get(), Some(2));
        loops.join().expect("no panic");
    });
}

/// As it is: the loop's thread has ended when a third one says so.
#[test]
fn a_third_thread_may_set_the_mark_for_one_that_it_has_waited_for() {
    loom::model(|| {
        let (ring, mark) = (Arc::new(Ring::new()), Arc::new(Mark::default()));
        let (own, end) = (Arc::clone(&ring), Arc::clone(&mark));
        let third = thread::spawn(move || {
            let loops = thread::spawn(move || own.push(7));
            loops.join().expect("no panic");
            end.set(0);
        });
        assert_eq!(drain(&ring, &mark), [7]);
        third.join().expect("no panic");
    });
}

#[test]
fn the_first_number_stays() {
    loom::model(|| {
        let mark = Mark::default();
        assert_eq!(mark.get(), None);
        mark.set(5);
        mark.set(6);
        assert_eq!(mark.get(), Some(5));
    });
}
