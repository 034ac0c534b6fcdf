//! Turns a wish for real time into what the system grants, and says what it refused.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, geteuid, getrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use serde::{Deserialize, Serialize};

/// What a real-time thread asks the system for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RealtimeConfig {
    /// Priority in `SCHED_FIFO`, 1 to 99; 0 keeps the normal scheduler.
    pub fifo_priority: u8,
    /// Keep the process's memory from being swapped out.
    pub lock_memory: bool,
    /// Run on this core only.
    pub pin_core: Option<usize>,
}

impl Default for RealtimeConfig {
    fn default() -> Self {
        Self {
            fifo_priority: 50,
            lock_memory: true,
            pin_core: None,
        }
    }
}

/// What the system granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Realtime {
    /// For example `SCHED_FIFO 50` or `SCHED_OTHER`.
    pub scheduler: String,
    /// Whether memory is locked.
    pub memory_locked: bool,
    /// The core it runs on, if it was pinned.
    pub pinned_core: Option<usize>,
    /// One line per wish that was refused, with the remedy.
    pub notes: Vec<String>,
}

/// Applies the wishes to the calling thread (memory locking: to the process). Never fails: what is
/// refused stands in the notes.
#[must_use]
pub fn enter_realtime(config: &RealtimeConfig) -> Realtime {
    let mut notes = Vec::new();
    let memory_locked = config.lock_memory && lock_memory(&mut notes);
    let pinned_core = config.pin_core.filter(|core| pin(*core, &mut notes));
    let fifo = config.fifo_priority > 0 && set_fifo(config.fifo_priority, &mut notes);
    Realtime {
        scheduler: if fifo {
            format!("SCHED_FIFO {}", config.fifo_priority.min(99))
        } else {
            "SCHED_OTHER".to_owned()
        },
        memory_locked,
        pinned_core,
        notes,
    }
}

fn lock_memory(notes: &mut Vec<String>) -> bool {
    // With a small limit, locking future pages would make later allocations anywhere in the process
    // fail: better not at all.
    if getrlimit(Resource::Memlock).current.is_some() && !geteuid().is_root() {
        notes.push("memory is not locked: raise `ulimit -l` to unlimited".to_owned());
        return false;
    }
    // ONFAULT: pages are locked when first used, so that large reservations cost nothing.
    match mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT) {
        Ok(()) => true,
        Err(error) => {
            notes.push(format!("memory is not locked: {error}; raise `ulimit -l`"));
            false
        }
    }
}

fn pin(core: usize, notes: &mut Vec<String>) -> bool {
    if core >= CpuSet::MAX_CPU {
        notes.push(format!("not pinned: there is no core {core}"));
        return false;
    }
    let mut set = CpuSet::new();
    set.set(core);
    match sched_setaffinity(None, &set) {
        Ok(()) => true,
        Err(error) => {
            notes.push(format!(
                "not pinned to core {core}: {error}; choose one of `nproc`"
            ));
            false
        }
    }
}

#[expect(unsafe_code, reason = "no safe wrapper sets a scheduling class")]
fn set_fifo(priority: u8, notes: &mut Vec<String>) -> bool {
    let parameters = libc::sched_param {
        sched_priority: libc::c_int::from(priority.min(99)),
    };
    // SAFETY: `parameters` is a valid, initialised sched_param that outlives the call; pid 0 means the
    // calling thread. The call reads it and has no other effect on memory.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
    if result == 0 {
        return true;
    }
    notes.push(format!(
        "normal scheduling: {}; grant CAP_SYS_NICE or an rtprio limit of {priority}",
        std::io::Error::last_os_error()
    ));
    false
}
