//! An encrypted link with real sessions over loopback: who may move the arm, and who may not.
//!
//! The attackers speak plain zenoh, without our own access rules on their side.

mod strangers;

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use prehend_link::messages::{
    ArmId, EpisodeRequest, JointCommand, PointCloud2, RobotStatus, StopReason, StopRequest,
};
use prehend_link::{
    CommandGate, GateCounts, Link, LinkConfig, Message, NewCertificates, Publisher, Queue, Role,
    TlsConfig, Topic, encode, free_loopback_endpoint, new_certificates,
};
use prehend_types::{self as types, Stamp};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use serde_json::json;
use strangers::{SOON, put_when_heard, wait_until_heard};
use tempfile::TempDir;
use time::OffsetDateTime;
use zenoh::Wait;

/// Time in which what is refused would have come, were it not.
const A_WHILE: Duration = Duration::from_millis(300);
const EPOCH: u64 = 7;
const VALID_FOR: Duration = Duration::from_millis(200);
const N: u64 = 100;

fn arm_id() -> ArmId {
    ArmId {
        robot: "fr3".to_owned(),
        model: "fr3".to_owned(),
        model_hash: "0123456789abcdef".repeat(4),
    }
}

fn endpoint() -> String {
    let endpoint = free_loopback_endpoint().expect("a free port");
    endpoint.replacen("tcp/", "tls/", 1)
}

fn certificates() -> TempDir {
    let folder = tempfile::tempdir().expect("writable");
    new_certificates(folder.path(), &NewCertificates::default()).expect("writable");
    folder
}

fn link(robot: &str, certs: &Path, role: Role) -> LinkConfig {
    LinkConfig {
        tls: Some(TlsConfig::of_folder(certs, role)),
        node: role.name().to_owned(),
        ..LinkConfig::for_robot(robot)
    }
}

/// The side of the driver that decides whether an arm moves.
struct Arm {
    link: Link,
    endpoint: String,
    command_endpoint: String,
    commands: Queue<JointCommand>,
    requests: Queue<EpisodeRequest>,
    stops: Queue<StopRequest>,
    gate: CommandGate,
}

impl Arm {
    fn new(robot: &str, certs: &Path, epoch: u64) -> Self {
        let (endpoint, command_endpoint) = (endpoint(), endpoint());
        let config = LinkConfig {
            listen_commands: vec![command_endpoint.clone()],
            ..link(robot, certs, Role::Driver).listening(&endpoint)
        };
        let link = Link::open(&config).expect("listens");
        Self {
            commands: link.queue(4096).expect("declares"),
            requests: link.queue(64).expect("declares"),
            stops: link.queue(64).expect("declares"),
            gate: CommandGate::new(robot, 7, epoch, VALID_FOR),
            link,
            endpoint,
            command_endpoint,
        }
    }

    /// What the gate made of everything that came so far.
    fn counts(&mut self) -> GateCounts {
        while let Some(received) = self.commands.take() {
            let _ = self.gate.admit(&received);
        }
        self.gate.counts()
    }

    fn calling(&self, config: LinkConfig) -> Link {
        let config = LinkConfig {
            connect_commands: vec![self.command_endpoint.clone()],
            ..config.connecting(&self.endpoint)
        };
        Link::open(&config).expect("let in")
    }
}

fn command(epoch: u64, seq: u64) -> JointCommand {
    let setpoint = types::JointCommand {
        q_d: types::JointPositions::zeros(7).expect("fits"),
        dq_d: types::JointVelocities::zeros(7).expect("fits"),
        gripper: types::GripperCommand { opening: 1.0 },
    };
    JointCommand::track("fr3", epoch, seq, Stamp::now(), VALID_FOR, &setpoint)
}

fn connected<M: Message>(link: &Link) -> Publisher<M> {
    let publisher = link.publisher::<M>().expect("declares");
    let deadline = Instant::now() + SOON;
    while !publisher.has_subscriber() {
        assert!(Instant::now() < deadline, "{} is not heard", M::TYPE_NAME);
        std::thread::sleep(Duration::from_millis(5));
    }
    publisher
}

/// What an attacker shows of itself.
#[derive(Clone)]
struct Papers {
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Papers {
    fn of(certs: &Path, role: Role) -> Self {
        let TlsConfig {
            ca,
            certificate,
            key,
            ..
        } = TlsConfig::of_folder(certs, role);
        Self {
            ca,
            certificate,
            key,
        }
    }

    /// A certificate with this common name, from this moment on for a day, signed by the authority of the
    /// folder `signer`, or by itself; beside the `ca.pem` of `certs`.
    fn forged(certs: &Path, signer: Option<&Path>, name: &str, from: OffsetDateTime) -> Self {
        let key = KeyPair::generate().expect("random");
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("valid");
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        params.not_before = from;
        params.not_after = from + time::Duration::days(1);
        let certificate = match signer {
            None => params.self_signed(&key).expect("signs"),
            Some(folder) => {
                let authority = std::fs::read_to_string(folder.join("ca.key")).expect("there");
                let authority = KeyPair::from_pem(&authority).expect("a key");
                let mut issuer = CertificateParams::new(Vec::new()).expect("valid");
                issuer.distinguished_name = rcgen::DistinguishedName::new();
                issuer
                    .distinguished_name
                    .push(DnType::CommonName, "prehend authority");
                let issuer = Issuer::new(issuer, authority);
                params.signed_by(&key, &issuer).expect("signs")
            }
        };
        let (own, own_key) = (certs.join("forged.pem"), certs.join("forged.key"));
        std::fs::write(&own, certificate.pem()).expect("writable");
        std::fs::write(&own_key, key.serialize_pem()).expect("writable");
        Self {
            ca: certs.join("ca.pem"),
            certificate: own,
            key: own_key,
        }
    }
}

/// A peer of another program. `None` if it is not let in.
fn stranger(
    endpoints: &[&str],
    papers: Option<&Papers>,
    ca: &Path,
    id: Option<String>,
) -> Option<zenoh::Session> {
    let mut settings = vec![
        ("mode", json!("peer")),
        ("listen/endpoints", json!([])),
        ("connect/endpoints", json!(endpoints)),
        ("connect/timeout_ms", json!(1000)),
        ("connect/exit_on_failure", json!(true)),
        ("scouting/multicast/enabled", json!(false)),
        ("scouting/gossip/enabled", json!(false)),
        ("transport/link/tls/root_ca_certificate", json!(ca)),
        ("transport/link/tls/verify_name_on_connect", json!(false)),
    ];
    if let Some(papers) = papers {
        settings.extend([
            ("transport/link/tls/enable_mtls", json!(true)),
            (
                "transport/link/tls/connect_certificate",
                json!(papers.certificate),
            ),
            ("transport/link/tls/connect_private_key", json!(papers.key)),
        ]);
    }
    settings.extend(id.map(|id| ("id", json!(id))));
    let mut config = zenoh::Config::default();
    for (key, value) in settings {
        config
            .insert_json5(key, &value.to_string())
            .expect("known key");
    }
    zenoh::open(config).wait().ok()
}

fn listed(arm: &Arm, papers: &Papers) -> zenoh::Session {
    let endpoints = [arm.endpoint.as_str(), arm.command_endpoint.as_str()];
    stranger(&endpoints, Some(papers), &papers.ca, None).expect("signed by the same authority")
}

/// A stream as the controller would send it, of `n` commands.
fn attack(session: &zenoh::Session, key: &str, epoch: u64, n: u64) {
    for seq in 0..n {
        let bytes = encode(&command(epoch, seq)).expect("valid");
        session.put(key, bytes).wait().expect("open");
        std::thread::sleep(Duration::from_micros(500));
    }
    std::thread::sleep(A_WHILE);
}

/// What must not have been in vain: the same arm follows its controller.
fn follows_its_controller(arm: &mut Arm, certs: &Path, robot: &str) {
    let before = arm.counts().accepted;
    let epoch = arm.gate.epoch() + 1;
    arm.gate.arm(epoch);
    let controller = arm.calling(link(robot, certs, Role::Controller));
    let commands = connected::<JointCommand>(&controller);
    let deadline = Instant::now() + SOON;
    let mut seq = 0;
    while arm.counts().accepted < before + 10 {
        assert!(Instant::now() < deadline, "{:?}", arm.counts());
        commands.send(&command(epoch, seq)).expect("open");
        seq += 1;
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn who_has_no_valid_certificate_is_not_let_in() {
    let (certs, other) = (certificates(), certificates());
    let mut arm = Arm::new("fr3", certs.path(), EPOCH);
    let now = OffsetDateTime::now_utc();
    let day = time::Duration::days(1);
    let forged = tempfile::tempdir().expect("writable");
    let forge = |name: &str, signer: Option<&Path>, from| {
        let folder = forged.path().join(name);
        std::fs::create_dir(&folder).expect("writable");
        // Everybody may know whom the driver believes.
        std::fs::copy(certs.path().join("ca.pem"), folder.join("ca.pem")).expect("writable");
        Papers::forged(&folder, signer, "controller", from)
    };
    let cases = [
        ("none", None),
        (
            "another authority's",
            Some(Papers::of(other.path(), Role::Controller)),
        ),
        ("self-signed", Some(forge("self", None, now - day / 2))),
        (
            "expired",
            Some(forge("old", Some(certs.path()), now - 2 * day)),
        ),
        (
            "of the future",
            Some(forge("new", Some(certs.path()), now + day)),
        ),
    ];
    let key = Topic::Command.key("fr3");
    for (name, papers) in &cases {
        for endpoint in [&arm.endpoint, &arm.command_endpoint] {
            let ca = certs.path().join("ca.pem");
            if let Some(session) = stranger(&[endpoint], papers.as_ref(), &ca, None) {
                attack(&session, &key, EPOCH, N);
            }
            let plain = endpoint.replacen("tls/", "tcp/", 1);
            assert!(stranger(&[&plain], None, &ca, None).is_none(), "plain text");
        }
        assert_eq!(arm.link.peer_count(), 0, "{name}");
        assert_eq!(arm.counts(), GateCounts::default(), "{name}");
        assert_eq!(arm.commands.counts().received, 0, "{name}");
    }
    // The forger's own art is good enough: with the right authority and date it is let in.
    let fine = forge("fine", Some(certs.path()), now - day / 2);
    let forger = listed(&arm, &fine);
    wait_until_heard(&forger, &key);
    attack(&forger, &key, EPOCH, N);
    assert!(arm.counts().accepted > 0, "{:?}", arm.counts());
    follows_its_controller(&mut arm, certs.path(), "fr3");
}

#[test]
fn an_open_connection_ends_with_its_certificate() {
    let certs = certificates();
    let mut arm = Arm::new("fr3", certs.path(), EPOCH);
    let three_seconds_left =
        OffsetDateTime::now_utc() - time::Duration::days(1) + time::Duration::seconds(3);
    let papers = Papers::forged(
        certs.path(),
        Some(certs.path()),
        "controller",
        three_seconds_left,
    );
    let session = listed(&arm, &papers);
    wait_until_heard(&session, "prehend/fr3/command");
    attack(&session, "prehend/fr3/command", EPOCH, N);
    let accepted = arm.counts().accepted;
    assert!(accepted > 0 && arm.link.peer_count() == 1);
    let deadline = Instant::now() + SOON;
    while arm.link.peer_count() > 0 {
        assert!(Instant::now() < deadline, "still connected");
        std::thread::sleep(Duration::from_millis(50));
    }
    // The peer calls again, as peers do, and sends on.
    arm.gate.arm(EPOCH + 1);
    std::thread::sleep(A_WHILE);
    let _ = arm.counts();
    let received = arm.commands.counts().received;
    attack(&session, "prehend/fr3/command", EPOCH + 1, N);
    assert_eq!(arm.counts().accepted, accepted);
    assert_eq!(arm.commands.counts().received, received);
}

#[test]
fn only_the_controllers_certificate_moves_the_arm() {
    let certs = certificates();
    let mut arm = Arm::new("fr3", certs.path(), EPOCH);
    let now = OffsetDateTime::now_utc() - time::Duration::hours(1);
    let unknown = Papers::forged(certs.path(), Some(certs.path()), "controller2", now);
    let roles = [Role::Viewer, Role::Operator, Role::Policy, Role::Driver];
    let known = roles.map(|role| Papers::of(certs.path(), role));
    for papers in known.iter().chain([&unknown]) {
        let session = listed(&arm, papers);
        let name = papers.certificate.display();
        // Wildcards reach further than a name, were they let through.
        for key in ["prehend/fr3/command", "prehend/fr3/*", "prehend/**", "**"] {
            attack(&session, key, EPOCH, N / 4);
        }
        assert_eq!(arm.commands.counts().received, 0, "{name}");
        assert_eq!(arm.commands.counts().decode_errors, 0, "{name}");
    }
    assert_eq!(arm.counts(), GateCounts::default());
    follows_its_controller(&mut arm, certs.path(), "fr3");
}

#[test]
fn operators_ask_for_sessions_and_everybody_listed_may_stop() {
    let certs = certificates();
    let arm = Arm::new("fr3", certs.path(), EPOCH);
    let (request, stop) = (Topic::Request.key("fr3"), Topic::Stop.key("fr3"));
    let rearm = encode(&EpisodeRequest::rearm("fr3")).expect("valid");
    let halt = encode(&StopRequest { epoch: EPOCH }).expect("valid");
    let others = [Role::Viewer, Role::Policy, Role::Controller];
    for role in others {
        let session = listed(&arm, &Papers::of(certs.path(), role));
        wait_until_heard(&session, &stop);
        session.put(&request, rearm.clone()).wait().expect("open");
        put_when_heard(&session, &stop, halt.clone());
        // The stop came after the request on the same connection.
        let stopped = arm.stops.wait(SOON).expect("listed");
        assert_eq!(stopped.message.epoch, EPOCH, "{role}");
        assert!(arm.requests.take().is_none(), "{role} armed it");
    }
    let session = listed(&arm, &Papers::of(certs.path(), Role::Operator));
    put_when_heard(&session, &request, rearm);
    assert!(arm.requests.wait(SOON).is_some(), "an operator may");
}

#[test]
fn the_id_of_a_session_proves_nothing() {
    let certs = certificates();
    let mut arm = Arm::new("fr3", certs.path(), EPOCH);
    let controller = listed(&arm, &Papers::of(certs.path(), Role::Controller));
    wait_until_heard(&controller, "prehend/fr3/command");
    attack(&controller, "prehend/fr3/command", EPOCH, N);
    let accepted = arm.counts().accepted;
    assert!(accepted > 0);
    let id = controller.zid().to_string();
    controller.close().wait().expect("open");
    let viewer = Papers::of(certs.path(), Role::Viewer);
    let endpoints = [arm.command_endpoint.as_str()];
    let posing = stranger(&endpoints, Some(&viewer), &viewer.ca, Some(id.clone()));
    let posing = posing.expect("the viewer is listed");
    assert_eq!(posing.zid().to_string(), id);
    arm.gate.arm(EPOCH + 1);
    attack(&posing, "prehend/fr3/command", EPOCH + 1, N);
    assert_eq!(arm.counts().accepted, accepted);
}

#[test]
fn a_recorded_stream_moves_nothing_a_second_time() {
    let certs = certificates();
    let mut arm = Arm::new("fr3", certs.path(), EPOCH);
    // Whoever can replay holds the controller's own certificate: the worst case.
    let session = listed(&arm, &Papers::of(certs.path(), Role::Controller));
    wait_until_heard(&session, "prehend/fr3/command");
    let replay = |arm: &mut Arm, recorded: &[Vec<u8>]| {
        for bytes in recorded {
            let put = session.put("prehend/fr3/command", bytes.clone());
            put.wait().expect("open");
        }
        std::thread::sleep(A_WHILE);
        arm.counts()
    };
    let record = || (0..N).map(|seq| encode(&command(EPOCH, seq)).expect("valid"));
    let recorded: Vec<Vec<u8>> = record().collect();
    let first = replay(&mut arm, &recorded);
    assert!(first.accepted > 0, "{first:?}");
    // At once, then when its time to live is over, then in the next session.
    let again = replay(&mut arm, &recorded);
    assert_eq!(again.accepted, first.accepted, "{again:?}");
    assert!(again.not_newer > first.not_newer, "{again:?}");
    std::thread::sleep(VALID_FOR);
    arm.gate.arm(EPOCH);
    let late = replay(&mut arm, &recorded);
    assert_eq!(late.accepted, first.accepted, "{late:?}");
    assert!(late.expired > again.expired, "{late:?}");
    arm.gate.arm(EPOCH + 1);
    let next = replay(&mut arm, &record().collect::<Vec<_>>());
    assert_eq!(next.accepted, first.accepted, "{next:?}");
    assert!(next.wrong_epoch > late.wrong_epoch, "{next:?}");
}

#[test]
fn a_command_for_one_robot_moves_no_other() {
    let certs = certificates();
    let mut left = Arm::new("left", certs.path(), EPOCH);
    let mut right = Arm::new("right", certs.path(), EPOCH);
    // Another controller is wired to the right arm by mistake, on its own key and on that arm's, in a session
    // of the same number: what it sends does not name the right robot.
    let session = listed(&right, &Papers::of(certs.path(), Role::Controller));
    attack(&session, "prehend/left/command", left.gate.epoch(), N);
    assert_eq!(right.commands.counts().received, 0);
    wait_until_heard(&session, "prehend/right/command");
    attack(&session, "prehend/right/command", left.gate.epoch(), N);
    let counts = right.counts();
    assert!(counts.other_robot > 0, "{counts:?}");
    assert_eq!((counts.accepted, left.counts().accepted), (0, 0));
    // Robots that have an authority of their own do not even meet.
    let other = certificates();
    let foreign = Papers::of(other.path(), Role::Controller);
    let endpoints = [right.command_endpoint.as_str()];
    let ca = certs.path().join("ca.pem");
    if let Some(session) = stranger(&endpoints, Some(&foreign), &ca, None) {
        attack(&session, "prehend/right/command", right.gate.epoch(), N);
    }
    assert_eq!(right.counts().accepted, 0);
}

#[test]
fn who_answers_or_listens_to_everything_is_not_in_the_way() {
    let certs = certificates();
    let mut arm = Arm::new("fr3", certs.path(), EPOCH);
    let viewer = listed(&arm, &Papers::of(certs.path(), Role::Viewer));
    let (heard, hears) = std::sync::mpsc::channel();
    let _everything = viewer
        .declare_subscriber("**")
        .callback(move |sample| _ = heard.send(sample.key_expr().to_string()))
        .wait()
        .expect("declares");
    let _answers = viewer
        .declare_queryable("**")
        .callback(|query| _ = query.reply(query.key_expr().clone(), "mine").wait())
        .wait()
        .expect("declares");
    let _sends = viewer.declare_publisher("**").wait().expect("declares");
    follows_its_controller(&mut arm, certs.path(), "fr3");
    let statuses = arm.link.publisher::<RobotStatus>().expect("declares");
    assert!(!statuses.has_subscriber(), "`**` is more than it may hear");
    assert_eq!(hears.try_iter().count(), 0, "commands are not for viewers");
}

#[test]
fn all_that_belong_to_a_cell_work_together() {
    let certs = certificates();
    let mut arm = Arm::new("fr3", certs.path(), EPOCH);
    follows_its_controller(&mut arm, certs.path(), "fr3");
    let [policy, operator, viewer] = [Role::Policy, Role::Operator, Role::Viewer].map(|role| {
        let config = link("fr3", certs.path(), role).connecting(&arm.endpoint);
        Link::open(&config).expect("let in")
    });
    let clouds = policy.queue::<PointCloud2>(8).expect("declares");
    let statuses = viewer.queue::<RobotStatus>(8).expect("declares");
    connected::<EpisodeRequest>(&operator)
        .send(&EpisodeRequest::reset("fr3", 3))
        .expect("open");
    assert_eq!(arm.requests.wait(SOON).expect("asked").message.seed, 3);
    connected::<StopRequest>(&viewer)
        .send(&StopRequest { epoch: EPOCH })
        .expect("open");
    assert!(arm.stops.wait(SOON).is_some());
    let state = types::RobotState {
        stamp: Stamp::now(),
        q: types::JointPositions::zeros(7).expect("fits"),
        dq: types::JointVelocities::zeros(7).expect("fits"),
        gripper: types::GripperState {
            width: 0.04,
            commanded: 0.5,
            is_grasping: false,
        },
    };
    let status = RobotStatus::new(&arm_id(), EPOCH, 1, &state, None, StopReason::NotArmed);
    let senders = viewer.senders(Topic::Status).expect("open");
    let publisher = connected(&arm.link);
    publisher.send(&status).expect("open");
    assert!(statuses.wait(SOON).is_some());
    let deadline = Instant::now() + SOON;
    while senders.is_empty() {
        assert!(Instant::now() < deadline, "the driver is not seen");
    }
    drop(publisher);
    while !senders.is_empty() {
        assert!(Instant::now() < deadline, "the driver is not missed");
    }
    // Larger than a batch: in fragments.
    let cloud = types::PointCloud {
        stamp: Stamp::now(),
        frame: "base".into(),
        points: vec![[0.1, 0.2, 0.3]; 8000],
        roles: vec![types::Role::Other; 8000],
    };
    connected(&arm.link)
        .send(&PointCloud2::new(&cloud))
        .expect("open");
    assert!(clouds.wait(SOON).is_some());
    let seen = viewer.presence(SOON).expect("open");
    assert!(
        seen.iter()
            .any(|seen| seen.node == "driver" && seen.topic == "stop"),
        "{seen:?}"
    );
}

#[test]
fn connections_that_never_introduce_themselves_hold_nobody_up() {
    let certs = certificates();
    let mut arm = Arm::new("fr3", certs.path(), EPOCH);
    let address = arm.command_endpoint.trim_start_matches("tls/").to_owned();
    let idle: Vec<TcpStream> = (0..200)
        .filter_map(|_| TcpStream::connect(&address).ok())
        .collect();
    assert!(idle.len() > 100, "{}", idle.len());
    follows_its_controller(&mut arm, certs.path(), "fr3");
}
