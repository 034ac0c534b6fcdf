//! The simulated driver in real time over loopback, as another process would see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use prehend_drivers::{DriverConfig, DriverHandle, SimDriver, WireReport};
use prehend_link::messages::{
    EpisodeEvent, EpisodeRequest, EventKind, Inquiry, InquiryKind, JointCommand, JointState,
    PointCloud2, Report, RobotStatus, StopReason, StopRequest,
};
use prehend_link::{Link, LinkConfig, Message, Publisher, Queue, free_loopback_endpoint};
use prehend_robot::Robot;
use prehend_sim::SceneConfig;
use prehend_types::{self as types, Stamp, config::locate};

const SOON: Duration = Duration::from_secs(10);

fn driver() -> (DriverHandle, Link) {
    let robot = Robot::load(&locate("robots/fr3").expect("exists")).expect("valid");
    let scene = SceneConfig::load(&locate("scenes/tabletop.toml").expect("exists")).expect("valid");
    let endpoint = free_loopback_endpoint().expect("a free port");
    let link = Link::open(&LinkConfig::for_robot("fr3").listening(&endpoint)).expect("listens");
    let other = Link::open(&LinkConfig::for_robot("fr3").connecting(&endpoint)).expect("connects");
    let config = DriverConfig {
        seed: 7,
        ..DriverConfig::default()
    };
    let handle =
        SimDriver::spawn(&config, &Arc::new(robot), &Arc::new(scene), &link).expect("starts");
    (handle, other)
}

fn connected<M: Message>(link: &Link) -> Publisher<M> {
    let publisher = link.publisher::<M>().expect("declares");
    let deadline = Instant::now() + SOON;
    while !publisher.has_subscriber() {
        assert!(Instant::now() < deadline, "the driver does not listen");
        std::thread::sleep(Duration::from_millis(2));
    }
    publisher
}

fn wait_until<M: Message>(queue: &Queue<M>, wanted: impl Fn(&M) -> bool) -> M {
    let deadline = Instant::now() + SOON;
    while Instant::now() < deadline {
        if let Some(received) = queue.wait(Duration::from_millis(100))
            && wanted(&received.message)
        {
            return received.message;
        }
    }
    panic!("never came: {}", M::TYPE_NAME);
}

fn hold(status: &RobotStatus, seq: u64) -> JointCommand {
    let state = status.state().expect("received");
    let command = types::JointCommand {
        q_d: state.q,
        dq_d: types::JointVelocities::zeros(state.q.len()).expect("fits"),
        gripper: types::GripperCommand { opening: 0.5 },
    };
    let valid_for = Duration::from_millis(100);
    JointCommand::track(
        &status.robot,
        status.epoch,
        seq,
        Stamp::now(),
        valid_for,
        &command,
    )
}

#[test]
fn a_session_from_start_to_report() {
    let (handle, link) = driver();
    let statuses = link.queue::<RobotStatus>(4096).expect("declares");
    let clouds = link.queue::<PointCloud2>(64).expect("declares");
    let joint_states = link.queue::<JointState>(64).expect("declares");
    let events = link.queue::<EpisodeEvent>(64).expect("declares");
    let reports = link.queue::<Report>(8).expect("declares");
    let commands = connected::<JointCommand>(&link);
    let requests = connected::<EpisodeRequest>(&link);
    let inquiries = connected::<Inquiry>(&link);
    let stops = connected::<StopRequest>(&link);

    // It starts without a session: nobody moves the arm who merely knows the number that it shows.
    let before = wait_until(&statuses, |_| true);
    assert_eq!(before.stop_reason, StopReason::NoSession);
    commands.send(&hold(&before, 0)).expect("open");
    for _ in 0..20 {
        let status = wait_until(&statuses, |_| true);
        assert_eq!(status.stop_reason, StopReason::NoSession);
    }
    assert!(events.take().is_none(), "nothing has happened yet");
    requests
        .send(&EpisodeRequest::reset("fr3", 7))
        .expect("open");
    let first = wait_until(&statuses, |status| status.epoch != before.epoch);
    assert_eq!(first.stop_reason, StopReason::NotArmed);
    wait_until(&events, |event| event.kind == EventKind::Started);
    let kind = InquiryKind::Repeat;
    inquiries.send(&Inquiry { kind }).expect("open");
    let started = wait_until(&events, |event| event.kind == EventKind::Started);
    assert_eq!(
        (started.epoch, started.seed, started.episode),
        (first.epoch, 7, 1)
    );

    // Commands are followed, and the cloud's stamp is one of a status.
    while clouds.take().is_some() {}
    let mut stamps = Vec::new();
    let mut seq = 0;
    let cloud = loop {
        let status = wait_until(&statuses, |_| true);
        stamps.push(status.stamp_nanos);
        commands.send(&hold(&status, seq)).expect("open");
        seq += 1;
        if let Some(cloud) = clouds.take()
            && status.is_following()
        {
            break cloud.message.to_cloud().expect("valid");
        }
        assert!(seq < 4000, "no cloud while following");
    };
    assert_eq!(cloud.frame, "base");
    // It may have overtaken its status on the way.
    while stamps
        .last()
        .is_some_and(|stamp| *stamp < cloud.stamp.as_nanos())
    {
        stamps.push(wait_until(&statuses, |_| true).stamp_nanos);
    }
    assert!(cloud.len() > 100 && stamps.contains(&cloud.stamp.as_nanos()));
    let viewer = wait_until(&joint_states, |_| true);
    assert_eq!((viewer.name.len(), viewer.position.len()), (8, 8));

    // Silence: the driver stops by itself, and does not resume when commands come back.
    let stopped = wait_until(&statuses, |status| {
        status.stop_reason == StopReason::Expired
    });
    commands.send(&hold(&stopped, seq + 1)).expect("open");
    std::thread::sleep(Duration::from_millis(50));
    let rearmed = {
        requests.send(&EpisodeRequest::rearm("fr3")).expect("open");
        wait_until(&statuses, |status| status.epoch != first.epoch)
    };
    assert_eq!(rearmed.stop_reason, StopReason::NotArmed);
    commands.send(&hold(&stopped, seq + 2)).expect("open");
    commands.send(&hold(&rearmed, 0)).expect("open");
    wait_until(&statuses, RobotStatus::is_following);

    // A stop of another session is none; one of its own ends it.
    let epoch = first.epoch;
    stops.send(&StopRequest { epoch }).expect("open");
    let mut seq = 1;
    let mut still = || {
        let status = wait_until(&statuses, |status| status.epoch == rearmed.epoch);
        commands.send(&hold(&status, seq)).expect("open");
        seq += 1;
        status
    };
    for _ in 0..20 {
        assert_ne!(still().stop_reason, StopReason::Requested);
    }
    let epoch = rearmed.epoch;
    stops.send(&StopRequest { epoch }).expect("open");
    let asked = Instant::now();
    while still().stop_reason != StopReason::Requested {
        assert!(asked.elapsed() < SOON, "not stopped");
    }

    // Another scene.
    requests
        .send(&EpisodeRequest::reset("fr3", 8))
        .expect("open");
    wait_until(&events, |event| event.kind == EventKind::Aborted);
    let second = wait_until(&events, |event| event.kind == EventKind::Started);
    assert_eq!((second.seed, second.episode), (8, 2));
    assert!(second.epoch > rearmed.epoch);

    let kind = InquiryKind::Report;
    inquiries.send(&Inquiry { kind }).expect("open");
    let report = wait_until(&reports, |_| true);
    let report: WireReport = serde_json::from_str(&report.data).expect("JSON");
    assert_eq!(
        (
            report.expired_executed,
            report.limit_violations,
            report.non_finite
        ),
        (0, 0, 0)
    );
    assert!(
        report.gate.wrong_epoch >= 1 && report.ignored_while_stopped >= 1,
        "{report:?}"
    );
    assert!(report.commands > 2 && report.command_age_ms.p99.is_some());

    let last = handle.stop().expect("no panic");
    assert!(last.commands >= report.commands);
    wait_until(&statuses, |status| {
        status.stop_reason == StopReason::Shutdown
    });
    assert!(reports.wait(SOON).is_some(), "the last report is published");
}

/// Whoever may ask for sessions asks without a pause, and others ask for accounts.
#[test]
fn a_flood_of_requests_leaves_the_arms_loop_and_a_stop_their_time() {
    let (handle, link) = driver();
    let statuses = link.queue::<RobotStatus>(4096).expect("declares");
    let requests = connected::<EpisodeRequest>(&link);
    let inquiries = connected::<Inquiry>(&link);
    let stops = connected::<StopRequest>(&link);
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for seed in 0.. {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let request = EpisodeRequest::reset("fr3", seed % 4);
                requests.send(&request).expect("open");
                let kind = InquiryKind::Report;
                inquiries.send(&Inquiry { kind }).expect("open");
            }
        });
        let mut begun = Vec::new();
        while begun.len() < 5 {
            let known = begun.last().map_or(0, |status: &RobotStatus| status.epoch);
            begun.push(wait_until(&statuses, |status| {
                status.stop_reason != StopReason::NoSession && status.epoch > known
            }));
        }
        for pair in begun.windows(2) {
            let ticks = pair[1].seq - pair[0].seq;
            assert!(ticks >= 40, "{ticks} ticks between two sessions");
        }
        let asked = Instant::now();
        loop {
            let status = wait_until(&statuses, |_| true);
            if status.stop_reason == StopReason::Requested {
                break;
            }
            let epoch = status.epoch;
            stops.send(&StopRequest { epoch }).expect("open");
            assert!(asked.elapsed() < SOON, "never stopped");
        }
        ends.store(true, Ordering::Relaxed);
    });
    handle.stop().expect("no panic");
}

/// Prints the round trip of a command: sent here, followed by the driver, seen in a status here.
#[test]
#[ignore = "a measurement: run with --ignored --nocapture on a quiet machine"]
#[allow(clippy::print_stderr, reason = "a measurement")]
fn round_trip() {
    let (handle, link) = driver();
    let statuses = link.queue::<RobotStatus>(4096).expect("declares");
    let commands = connected::<JointCommand>(&link);
    let requests = connected::<EpisodeRequest>(&link);
    requests
        .send(&EpisodeRequest::reset("fr3", 7))
        .expect("open");
    wait_until(&statuses, |status| {
        status.stop_reason == StopReason::NotArmed
    });
    let mut millis = Vec::new();
    for seq in 0..1000 {
        let status = wait_until(&statuses, |_| true);
        let begin = Instant::now();
        commands.send(&hold(&status, seq)).expect("open");
        wait_until(&statuses, |status| status.command_seq == seq);
        millis.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    millis.sort_by(f64::total_cmp);
    let report = handle.stop().expect("no panic");
    assert_eq!(report.expired_executed, 0);
    eprintln!(
        "command to status with a 5 ms driver tick: p50 {:.3} ms, p99 {:.3} ms; {report:?}",
        millis[millis.len() / 2],
        millis[millis.len() * 99 / 100],
    );
}
