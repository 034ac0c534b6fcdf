//! Two million damaged payloads through every decoder: none panics, none makes it allocate more than its
//! bytes warrant, and what is accepted is something that we would send.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use prehend_link::messages::{
    ActionChunk, ArmId, ControlStatistics, Count, EpisodeEvent, EpisodeRequest, EventKind, Inquiry,
    InquiryKind, JointCommand, JointState, PointCloud2, Report, RobotStatus, StopReason,
    StopRequest, SwapAnswer, SwapRequest, SwapState, Timing,
};
use prehend_link::{Message, Topic, decode, encode};
use prehend_types as types;

/// Payloads that are tried; each is read as every message.
const N: u64 = 2_000_000;
/// The largest single allocation for a payload may be this many times its length ...
const PER_BYTE: usize = 16;
/// ... and this, for texts of errors and the smallest growth of a vector.
const ANYHOW: usize = 1024;

struct Largest;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn statistics() -> ControlStatistics {
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

fn arm_id() -> ArmId {
    ArmId {
        robot: "fr3".to_owned(),
        model: "fr3".to_owned(),
        model_hash: "0123456789abcdef".repeat(4),
    }
}

fn note(bytes: usize) {
    LARGEST.with(|largest| largest.set(largest.get().max(bytes)));
}

#[expect(unsafe_code, reason = "a global allocator is an unsafe trait")]
// SAFETY: every call is passed on unchanged to the system allocator; noting touches only a
// constant-initialised thread local without destructor, which does not allocate.
unsafe impl GlobalAlloc for Largest {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Largest = Largest;

/// SplitMix64: small, seeded, good enough to break things.
/// Steele, Lea, Flood, OOPSLA 2014, <https://doi.org/10.1145/2660193.2660195>.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let state = types::RobotState {
        stamp: types::Stamp::from_nanos(12_345_678_901),
        q: types::JointPositions::from_slice(&[0.1; 7]).expect("fits"),
        dq: types::JointVelocities::from_slice(&[0.01; 7]).expect("fits"),
        gripper: types::GripperState {
            width: 0.04,
            commanded: 0.5,
            is_grasping: true,
        },
    };
    let setpoint = types::JointCommand {
        q_d: state.q,
        dq_d: state.dq,
        gripper: types::GripperCommand { opening: 0.25 },
    };
    let dt = Duration::from_millis(50);
    let action = types::Action::hold(1.0);
    let chunk = types::ActionChunk::new(types::Stamp::ZERO, dt, 4, &[action; 8]).expect("fits");
    let cloud = types::PointCloud {
        stamp: types::Stamp::from_nanos(5),
        frame: "base".to_owned(),
        points: vec![[0.1, -1.5, 0.25]; 13],
        roles: vec![types::Role::Other; 13],
    };
    let event = EpisodeEvent {
        epoch: 3,
        episode: 2,
        seed: 900_001,
        stamp_nanos: 17,
        kind: EventKind::Failed,
        target: "mug".to_owned(),
        held_out: true,
        detail: "time is up".to_owned(),
    };
    let names: Vec<String> = (1..=7).map(|i| format!("fr3_joint{i}")).collect();
    [
        encode(&JointCommand::track(
            "fr3",
            7,
            42,
            types::Stamp::ZERO,
            dt,
            &setpoint,
        )),
        encode(&ActionChunk::new("fr3", 7, &chunk, dt)),
        encode(&RobotStatus::new(
            &arm_id(),
            7,
            12,
            &state,
            Some((41, dt)),
            StopReason::None,
        )),
        encode(&event),
        encode(&EpisodeRequest::reset("fr3", 1)),
        encode(&StopRequest { epoch: 1 }),
        encode(&Inquiry {
            kind: InquiryKind::Repeat,
        }),
        encode(&JointState::new(&state, &names, None)),
        encode(&PointCloud2::new(&cloud)),
        encode(&Report {
            data: "{\"commands\":7}".to_owned(),
        }),
        encode(&SwapRequest {
            model: "fr3_pick_place".to_owned(),
            shadow_looks: 10,
            agree_within: 0.5,
            force: true,
        }),
        encode(&SwapAnswer {
            model: "fr3_pick_place".to_owned(),
            state: SwapState::Refused,
            detail: "it disagrees".to_owned(),
        }),
        encode(&statistics()),
    ]
    .map(|bytes| bytes.expect("valid"))
    .into()
}

/// Damages a payload in one of five ways.
fn damage(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    match random.below(5) {
        0 => {
            for _ in 0..=random.below(8) {
                let bit = random.below(8 * bytes.len());
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        1 => bytes.truncate(random.below(bytes.len())),
        2 => {
            // Where a length may stand: any multiple of four behind the header, forged to what hurts.
            for _ in 0..=random.below(3) {
                let lengths = [
                    u32::MAX,
                    i32::MAX as u32,
                    1 << 24,
                    0,
                    random.next() as u32 % 4096,
                ];
                let length = lengths[random.below(lengths.len())];
                let at = 4 + 4 * random.below(bytes.len().saturating_sub(4) / 4);
                if let Some(field) = bytes.get_mut(at..at + 4) {
                    field.copy_from_slice(&length.to_le_bytes());
                }
            }
        }
        3 => {
            bytes.resize(4 + random.below(400), 0);
            bytes[4..].fill_with(|| random.next() as u8);
        }
        _ => {
            // Another sender's tail, or zeros: lengths that are in order, in the wrong place.
            let other = &seeds[random.below(seeds.len())];
            let (cut, from) = (random.below(bytes.len()), random.below(other.len()));
            bytes.truncate(cut);
            bytes.extend_from_slice(&other[from..]);
        }
    }
    bytes
}

/// Reads a payload as one message. Returns whether it was accepted.
fn read<M: Message>(bytes: &[u8]) -> bool {
    LARGEST.with(|largest| largest.set(0));
    let decoded = decode::<M>(bytes);
    let largest = LARGEST.with(Cell::get);
    assert!(
        largest <= PER_BYTE * bytes.len() + ANYHOW,
        "{}: {largest} bytes allocated for a payload of {}: {bytes:02x?}",
        M::TYPE_NAME,
        bytes.len()
    );
    let Ok(message) = decoded else {
        return false;
    };
    message.check().expect("decoded means checked");
    encode(&message).expect("decoded means encodable");
    true
}

#[test]
fn two_million_damaged_payloads_do_no_harm() {
    let seeds = seeds();
    let mut random = Random(900_000);
    let mut accepted = [0_u64; 13];
    for index in 0..N {
        let bytes = damage(&mut random, &seeds);
        let verdicts = [
            read::<JointCommand>(&bytes),
            read::<ActionChunk>(&bytes),
            read::<RobotStatus>(&bytes),
            read::<EpisodeEvent>(&bytes),
            read::<EpisodeRequest>(&bytes),
            read::<StopRequest>(&bytes),
            read::<Inquiry>(&bytes),
            read::<JointState>(&bytes),
            read::<PointCloud2>(&bytes),
            read::<Report>(&bytes),
            read::<SwapRequest>(&bytes),
            read::<SwapAnswer>(&bytes),
            read::<ControlStatistics>(&bytes),
        ];
        for (count, is_accepted) in accepted.iter_mut().zip(verdicts) {
            *count += u64::from(is_accepted);
        }
        // What people look at is made of the same bytes.
        if index % 16 == 0 {
            for topic in Topic::ALL {
                let _ = topic.to_json(&bytes);
            }
        }
    }
    // Else nothing but headers was tried.
    assert!(accepted.iter().all(|count| *count > 1000), "{accepted:?}");
}

#[test]
fn the_largest_allocation_is_noted() {
    LARGEST.with(|largest| largest.set(0));
    let vector = std::hint::black_box(Vec::<u8>::with_capacity(12_345));
    assert_eq!(LARGEST.with(Cell::get), vector.capacity());
}
