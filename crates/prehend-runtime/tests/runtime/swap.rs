//! The policy node is asked for other policies, over loopback, while it looks at clouds.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use prehend_drivers::arm_id;
use prehend_link::messages::{
    ActionChunk, EpisodeEvent, EventKind, PointCloud2, RobotStatus, StopReason, SwapAnswer,
    SwapRequest, SwapState,
};
use prehend_link::{Link, LinkConfig, Publisher, Queue, free_loopback_endpoint};
use prehend_robot::Robot;
use prehend_runtime::{
    NamedPolicy, NodeHandle, PolicyNode, PolicyReport, PolicySet, PolicySource, Refine,
    RuntimeError, ask_to_swap,
};
use prehend_types::config::locate;
use prehend_types::{
    Action, ActionChunk as Chunk, GripperState, JointVelocities, Observation, PointCloud, Policy,
    PolicyError, RobotState, Role, Stamp,
};

/// Long, so that no look on a busy machine takes longer than its chunk; the next one is due at once.
const DT: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_secs(20);

/// Opens its gripper so far, from its `fails_at`th look on not at all.
struct Opens {
    opening: f64,
    looks: u32,
    fails_at: u32,
}

impl Policy for Opens {
    fn name(&self) -> &str {
        "opens"
    }

    fn reset(&mut self, _seed: u64) {}

    fn act(&mut self, seen: &Observation) -> Result<Chunk, PolicyError> {
        self.looks += 1;
        let is_well = self.looks < self.fails_at;
        let opening = if is_well { self.opening } else { f64::NAN };
        Ok(Chunk::new(seen.stamp, DT, 1, &[Action::hold(opening); 8]).expect("fits"))
    }
}

fn opens(opening: f64, fails_at: u32) -> NamedPolicy {
    NamedPolicy {
        policy: Box::new(Opens {
            opening,
            looks: 0,
            fails_at,
        }),
        provider: format!("opens {opening}"),
    }
}

/// A policy node among a driver's topics.
struct Cell {
    robot: Arc<Robot>,
    node: NodeHandle<PolicyReport>,
    driver: Link,
    statuses: Publisher<RobotStatus>,
    clouds: Publisher<PointCloud2>,
    chunks: Queue<ActionChunk>,
    /// Lets the loader go on.
    gate: Sender<()>,
    n: u64,
}

fn cell() -> Cell {
    cell_with(None)
}

fn cell_with(refine: Option<Refine>) -> Cell {
    let robot = Robot::load(&locate("robots/fr3").expect("exists")).expect("valid");
    let robot = Arc::new(robot);
    let endpoint = free_loopback_endpoint().expect("a free port");
    let driver = Link::open(&LinkConfig::for_robot("fr3").listening(&endpoint)).expect("listens");
    let own = Link::open(&LinkConfig::for_robot("fr3").connecting(&endpoint)).expect("connects");
    let (gate, opened) = channel();
    let policies = PolicySet {
        source: Some(source(opened)),
        refine,
        ..PolicySet::from(opens(0.25, u32::MAX))
    };
    let node = PolicyNode::spawn(policies, &robot, DT, &own);
    let cell = Cell {
        node: node.expect("starts"),
        statuses: driver.publisher().expect("declares"),
        clouds: driver.publisher().expect("declares"),
        chunks: driver.queue(1024).expect("declares"),
        robot,
        driver,
        gate,
        n: 0,
    };
    let events = cell.driver.publisher::<EpisodeEvent>().expect("declares");
    let deadline = Instant::now() + SOON;
    while !(cell.statuses.has_subscriber()
        && cell.clouds.has_subscriber()
        && events.has_subscriber())
    {
        assert!(Instant::now() < deadline, "the node does not listen");
        thread::sleep(Duration::from_millis(2));
    }
    let started = EpisodeEvent {
        epoch: 5,
        episode: 1,
        seed: 11,
        stamp_nanos: 0,
        kind: EventKind::Started,
        target: "box".to_owned(),
        held_out: false,
        detail: String::new(),
    };
    events.send(&started).expect("open");
    cell
}

/// Loads what the name says, once the gate is opened.
fn source(opened: Receiver<()>) -> PolicySource {
    let opened = std::sync::Mutex::new(opened);
    Arc::new(move |name| {
        let opened = opened.lock().expect("one loader at a time");
        opened.recv().expect("the test goes on");
        match name {
            "wide" => Ok(opens(0.75, u32::MAX)),
            "hollow" => Ok(opens(0.75, 0)),
            "short-lived" => Ok(opens(0.75, 6)),
            _ => Err(RuntimeError::UnknownNode {
                name: name.to_owned(),
            }),
        }
    })
}

impl Cell {
    /// Shows a cloud until a chunk comes of it; its opening.
    fn look(&mut self) -> f64 {
        let deadline = Instant::now() + SOON;
        while Instant::now() < deadline {
            self.n += 1;
            let stamp = Stamp::now();
            let state = RobotState {
                stamp,
                q: *self.robot.home(),
                dq: JointVelocities::zeros(self.robot.n_joints()).expect("fits"),
                gripper: GripperState {
                    width: 0.08,
                    commanded: 1.0,
                    is_grasping: false,
                },
            };
            let id = arm_id("fr3", &self.robot);
            let status = RobotStatus::new(&id, 5, self.n, &state, None, StopReason::NotArmed);
            self.statuses.send(&status).expect("open");
            thread::sleep(Duration::from_millis(5));
            let cloud = PointCloud {
                stamp,
                frame: "base".to_owned(),
                points: vec![[0.5, 0.0, 0.1]; 7],
                roles: vec![Role::Target; 7],
            };
            self.clouds.send(&PointCloud2::new(&cloud)).expect("open");
            if let Some(chunk) = self.chunks.wait(Duration::from_millis(200)) {
                return chunk.message.actions[0].gripper;
            }
        }
        panic!("no chunk");
    }

    /// Asks for a policy, looks at clouds meanwhile, and returns every answer and every opening.
    fn swap(&mut self, model: &str, agree_within: f64) -> (Vec<SwapAnswer>, Vec<f64>) {
        let request = SwapRequest {
            model: model.to_owned(),
            shadow_looks: 3,
            agree_within,
            force: false,
        };
        let link = self.driver.clone();
        let asking = thread::spawn(move || {
            let mut answers = Vec::new();
            let look = &mut |answer: &SwapAnswer| answers.push(answer.clone());
            ask_to_swap(&link, &request, SOON, look).expect("decides");
            answers
        });
        // While it loads, which takes as long as the test likes, the arm gets its chunks.
        let mut openings: Vec<f64> = (0..5).map(|_| self.look()).collect();
        assert!(!asking.is_finished(), "it cannot have been loaded yet");
        self.gate.send(()).expect("the loader waits");
        while !asking.is_finished() {
            openings.push(self.look());
        }
        (asking.join().expect("asks"), openings)
    }
}

fn states(answers: &[SwapAnswer]) -> Vec<SwapState> {
    answers.iter().map(|answer| answer.state).collect()
}

#[test]
fn loading_holds_nobody_up_and_a_good_candidate_takes_over_between_chunks() {
    let mut cell = cell();
    assert_eq!(cell.look(), 0.25);
    let (answers, openings) = cell.swap("wide", 0.0);
    let expected = [
        SwapState::Loading,
        SwapState::Shadowing,
        SwapState::Accepted,
    ];
    assert_eq!(states(&answers), expected, "{answers:?}");
    assert!(answers[2].detail.contains("0.5000"), "{answers:?}");
    assert_eq!(openings[..5], [0.25; 5]);
    assert!(openings.is_sorted(), "one change: {openings:?}");
    assert_eq!(cell.look(), 0.75);
    let report = cell.node.join().expect("ends in order");
    assert_eq!(report.provider, "opens 0.75");
    assert_eq!(report.tally["swap_accepted"], 1);
    assert_eq!(report.errors, 0);
}

#[test]
fn what_cannot_be_loaded_disagrees_or_fails_changes_nothing() {
    let mut cell = cell();
    for (model, agree_within, reason) in [
        ("missing", 0.0, "missing"),
        ("wide", 0.1, "differs"),
        ("hollow", 0.0, "not finite"),
    ] {
        let (answers, openings) = cell.swap(model, agree_within);
        let last = answers.last().expect("answered");
        assert_eq!(last.state, SwapState::Refused, "{answers:?}");
        assert!(last.detail.contains(reason), "{last:?}");
        assert!(
            openings.iter().all(|opening| *opening == 0.25),
            "{openings:?}"
        );
        assert_eq!(cell.look(), 0.25);
    }
    let report = cell.node.join().expect("ends in order");
    assert_eq!((report.provider.as_str(), report.errors), ("opens 0.25", 0));
}

#[test]
fn one_that_fails_after_it_took_over_gives_way_to_the_old_one() {
    let mut cell = cell();
    let answers = cell.driver.queue::<SwapAnswer>(64).expect("declares");
    let (told, _) = cell.swap("short-lived", 0.0);
    assert_eq!(told.last().expect("answered").state, SwapState::Accepted);
    let openings: Vec<f64> = (0..8).map(|_| cell.look()).collect();
    assert!(
        openings.iter().all(|opening| opening.is_finite()),
        "{openings:?}"
    );
    assert_eq!(openings[7], 0.25, "{openings:?}");
    let rolled_back = std::iter::from_fn(|| answers.wait(Duration::from_millis(500)))
        .any(|answer| answer.message.state == SwapState::RolledBack);
    assert!(rolled_back);
    let report = cell.node.join().expect("ends in order");
    assert_eq!(report.tally["swap_rolled_back"], 1);
    assert_eq!(report.provider, "opens 0.25");
}

#[test]
fn a_better_answer_follows_the_quick_one_until_another_policy_decides() {
    let mut cell = cell_with(Some(Refine {
        policy: opens(0.5, u32::MAX),
        within: SOON,
    }));
    assert_eq!(cell.look(), 0.25);
    let better = cell.chunks.wait(SOON).expect("it follows").message;
    assert_eq!(better.actions[0].gripper, 0.5);
    // What the change is made from is the quick policy: the candidate differs from it by 0.5.
    let (answers, _) = cell.swap("wide", 0.0);
    assert!(answers[2].detail.contains("0.5000"), "{answers:?}");
    while cell.chunks.wait(Duration::from_millis(500)).is_some() {}
    assert_eq!(cell.look(), 0.75);
    let more = cell.chunks.wait(Duration::from_millis(500));
    assert!(more.is_none(), "meant for another policy");
    let report = cell.node.join().expect("ends in order");
    let refined = report.refined.expect("there is one");
    assert!(refined.sent >= 1 && refined.errors == 0, "{refined:?}");
    assert_eq!(refined.provider, "opens 0.5");
}
