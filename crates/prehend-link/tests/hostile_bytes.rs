//! Two million damaged payloads through every decoder: none panics, none makes it allocate more than its
//! bytes warrant, and what is accepted is something that we would send.

mod samples;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use prehend_link::messages::{
    ActionChunk, ControlStatistics, EpisodeEvent, EpisodeRequest, EventKind, Inquiry, InquiryKind,
    JointCommand, JointState, PointCloud2, Report, RobotStatus, StopReason, StopRequest,
    SwapAnswer, SwapRequest, SwapState,
};
use prehend_link::{Message, Topic, decode, encode};
use prehend_types as types;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use samples::{arm_id, statistics};

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

/// A number below `n`, or 0 if there is none.
fn below(random: &mut ChaCha8Rng, n: usize) -> usize {
    random.random_range(0..n.max(1))
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
fn damage(random: &mut ChaCha8Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[below(random, seeds.len())].clone();
    match below(random, 5) {
        0 => {
            for _ in 0..=below(random, 8) {
                let bit = below(random, 8 * bytes.len());
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        1 => bytes.truncate(below(random, bytes.len())),
        2 => {
            // Where a length may stand: any multiple of four behind the header, forged to what hurts.
            for _ in 0..=below(random, 3) {
                let lengths = [
                    u32::MAX,
                    i32::MAX as u32,
                    1 << 24,
                    0,
                    random.random_range(0..4096),
                ];
                let length = lengths[below(random, lengths.len())];
                let at = 4 + 4 * below(random, bytes.len().saturating_sub(4) / 4);
                if let Some(field) = bytes.get_mut(at..at + 4) {
                    field.copy_from_slice(&length.to_le_bytes());
                }
            }
        }
        3 => {
            bytes.resize(4 + below(random, 400), 0);
            bytes[4..].fill_with(|| random.random());
        }
        _ => {
            // Another sender's tail, or zeros: lengths that are in order, in the wrong place.
            let other = &seeds[below(random, seeds.len())];
            let (cut, from) = (below(random, bytes.len()), below(random, other.len()));
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
    let mut random = ChaCha8Rng::seed_from_u64(900_000);
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
