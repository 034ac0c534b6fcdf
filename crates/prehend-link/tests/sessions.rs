//! Two processes' worth of sessions over loopback, each test on free ports of its own.

mod strangers;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use prehend_link::messages::{EpisodeRequest, JointCommand};
use prehend_link::{
    Link, LinkConfig, LinkError, Publisher, Topic, TopicMonitor, Way, encode,
    free_loopback_endpoint,
};
use prehend_types as types;
use strangers::{SOON, put_when_heard};
use zenoh::Wait;

fn pair() -> (Link, Link) {
    let endpoint = free_loopback_endpoint().expect("a free port");
    let driver = Link::open(&LinkConfig::for_robot("fr3").listening(&endpoint)).expect("listens");
    let control =
        Link::open(&LinkConfig::for_robot("fr3").connecting(&endpoint)).expect("connects");
    (driver, control)
}

fn wait_for_subscriber<M: prehend_link::Message>(publisher: &Publisher<M>) {
    let deadline = Instant::now() + SOON;
    while !publisher.has_subscriber() {
        assert!(Instant::now() < deadline, "nobody subscribed");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn command(seq: u64) -> JointCommand {
    let setpoint = types::JointCommand {
        q_d: types::JointPositions::zeros(7).expect("fits"),
        dq_d: types::JointVelocities::zeros(7).expect("fits"),
        gripper: types::GripperCommand { opening: 1.0 },
    };
    JointCommand::track(
        "fr3",
        1,
        seq,
        types::Stamp::now(),
        Duration::from_millis(50),
        &setpoint,
    )
}

#[test]
fn two_sessions_exchange_messages_in_order() {
    let (driver, control) = pair();
    let queue = driver.queue::<JointCommand>(64).expect("declares");
    let latest = driver.latest::<JointCommand>().expect("declares");
    let publisher = control.publisher::<JointCommand>().expect("declares");
    wait_for_subscriber(&publisher);
    assert!(control.peer_count() == 1 && driver.peer_count() == 1);
    // One by one: a burst may be dropped, as commands are when the line is not free.
    for seq in 0..32 {
        publisher.send(&command(seq)).expect("open");
        let received = queue.wait(SOON).expect("arrives");
        assert_eq!(received.message.seq, seq);
        assert!(received.at >= received.message.sent(), "one clock for both");
    }
    // It has a callback of its own, which may run a little after the queue's.
    let mut newest = || latest.wait(SOON).expect("kept").message.seq;
    let seen = std::iter::repeat_with(&mut newest).find(|seq| *seq == 31);
    assert_eq!(seen, Some(31));
    assert_eq!(latest.take(), None, "taken is gone");
    let counts = queue.counts();
    assert_eq!(
        (counts.received, counts.lost, counts.decode_errors),
        (32, 0, 0)
    );
}

#[test]
fn a_full_queue_drops_and_counts() {
    let link = Link::open(&LinkConfig::for_robot("fr3")).expect("opens");
    let queue = link.queue::<EpisodeRequest>(3).expect("declares");
    let publisher = link.publisher::<EpisodeRequest>().expect("declares");
    for seed in 0..7 {
        publisher
            .send(&EpisodeRequest::reset("fr3", seed))
            .expect("open");
    }
    let kept: Vec<u64> = std::iter::from_fn(|| queue.take())
        .map(|r| r.message.seed)
        .collect();
    assert_eq!(kept, [0, 1, 2]);
    assert_eq!(queue.counts().overflowed, 4);
}

#[test]
fn robots_do_not_hear_each_other() {
    let endpoint = free_loopback_endpoint().expect("a free port");
    let left = Link::open(&LinkConfig::for_robot("left").listening(&endpoint)).expect("listens");
    let right =
        Link::open(&LinkConfig::for_robot("right").connecting(&endpoint)).expect("connects");
    let heard_left = left.queue::<EpisodeRequest>(8).expect("declares");
    let heard_right = right.queue::<EpisodeRequest>(8).expect("declares");
    right
        .publisher::<EpisodeRequest>()
        .and_then(|publisher| publisher.send(&EpisodeRequest::reset("right", 1)))
        .expect("sends");
    assert!(heard_right.wait(SOON).is_some());
    assert!(heard_left.wait(Duration::from_millis(200)).is_none());
}

/// Keys that are crossed on the way, by a bridge say, carry what was meant for somebody else.
#[test]
fn what_another_robot_is_meant_by_is_refused_and_counted() {
    let endpoint = free_loopback_endpoint().expect("a free port");
    let driver = Link::open(&LinkConfig::for_robot("fr3").listening(&endpoint)).expect("listens");
    let requests = driver.queue::<EpisodeRequest>(8).expect("declares");
    let crossed = stranger(&endpoint);
    let put = |request: &EpisodeRequest| {
        let bytes = encode(request).expect("valid");
        put_when_heard(&crossed, "prehend/fr3/request", bytes);
    };
    put(&EpisodeRequest::reset("left", 1));
    put(&EpisodeRequest::reset("fr3", 2));
    assert_eq!(requests.wait(SOON).expect("ours").message.seed, 2);
    let counts = requests.counts();
    assert_eq!((counts.received, counts.other_robot), (1, 1));
}

#[test]
fn junk_on_a_key_is_counted_and_does_no_harm() {
    let endpoint = free_loopback_endpoint().expect("a free port");
    let driver = Link::open(&LinkConfig::for_robot("fr3").listening(&endpoint)).expect("listens");
    let queue = driver.queue::<JointCommand>(8).expect("declares");
    let stranger = stranger(&endpoint);
    for junk in [vec![], vec![0xff; 64], vec![0; 1 << 20]] {
        put_when_heard(&stranger, "prehend/fr3/command", junk);
    }
    let deadline = Instant::now() + SOON;
    while queue.counts().decode_errors < 3 {
        assert!(
            Instant::now() < deadline,
            "never arrived: {:?}",
            queue.counts()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(queue.take().is_none());
    assert_eq!(queue.counts().received, 0);
}

#[test]
fn an_occupied_port_is_named_with_the_remedy() {
    let occupied = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("tcp/{}", occupied.local_addr().expect("bound"));
    let error = Link::open(&LinkConfig::for_robot("fr3").listening(&endpoint)).expect_err("taken");
    assert!(matches!(error, LinkError::PortTaken { .. }), "{error:?}");
    let shown = error.to_string();
    assert!(
        shown.contains(&endpoint) && shown.contains("another port"),
        "{shown}"
    );
}

#[test]
fn a_second_session_on_the_same_port_is_refused() {
    let endpoint = free_loopback_endpoint().expect("a free port");
    let config = LinkConfig::for_robot("fr3").listening(&endpoint);
    let _first = Link::open(&config).expect("listens");
    assert!(matches!(
        Link::open(&config),
        Err(LinkError::PortTaken { .. })
    ));
}

#[test]
fn nobody_behind_connect_is_an_error_that_names_it() {
    let endpoint = free_loopback_endpoint().expect("a free port");
    let mut config = LinkConfig::for_robot("fr3").connecting(&endpoint);
    config.connect_timeout_millis = 300;
    let error = Link::open(&config).expect_err("nobody listens");
    assert!(error.to_string().contains(&endpoint), "{error}");
}

#[test]
fn a_process_that_starts_first_waits_for_the_other() {
    let endpoint = free_loopback_endpoint().expect("a free port");
    let config = LinkConfig::for_robot("fr3").connecting(&endpoint);
    let early = std::thread::spawn(move || Link::open(&config));
    std::thread::sleep(Duration::from_millis(200));
    let _late = Link::open(&LinkConfig::for_robot("fr3").listening(&endpoint)).expect("listens");
    assert!(early.join().expect("no panic").is_ok());
}

#[test]
fn what_is_declared_keeps_the_session_open() {
    let (driver, control) = pair();
    let queue = driver.queue::<JointCommand>(8).expect("declares");
    let publisher = control.publisher::<JointCommand>().expect("declares");
    drop((driver, control));
    wait_for_subscriber(&publisher);
    publisher.send(&command(3)).expect("open");
    assert_eq!(queue.wait(SOON).expect("arrives").message.seq, 3);
}

/// Why a launch file must name a connection for every two processes that talk.
#[test]
fn a_process_in_the_middle_does_not_relay() {
    let endpoint = free_loopback_endpoint().expect("a free port");
    let _middle = Link::open(&LinkConfig::for_robot("fr3").listening(&endpoint)).expect("listens");
    let config = LinkConfig::for_robot("fr3").connecting(&endpoint);
    let (left, right) = (
        Link::open(&config).expect("opens"),
        Link::open(&config).expect("opens"),
    );
    let queue = left.queue::<EpisodeRequest>(8).expect("declares");
    let publisher = right.publisher::<EpisodeRequest>().expect("declares");
    std::thread::sleep(Duration::from_millis(300));
    publisher
        .send(&EpisodeRequest::reset("fr3", 1))
        .expect("open");
    assert!(queue.wait(Duration::from_millis(300)).is_none());
}

/// A peer of another program, which speaks plain zenoh on our keys.
fn stranger(endpoint: &str) -> zenoh::Session {
    let mut config = zenoh::Config::default();
    for (key, value) in [
        ("listen/endpoints", "[]".to_owned()),
        ("connect/endpoints", format!("[{endpoint:?}]")),
        ("scouting/multicast/enabled", "false".to_owned()),
    ] {
        config.insert_json5(key, &value).expect("known key");
    }
    zenoh::open(config).wait().expect("connects")
}

/// A driver and the endpoint of its session for commands, and what calls both of its sessions.
fn with_a_session_for_commands() -> (Link, String, LinkConfig) {
    let [endpoint, commands] = [(), ()].map(|()| free_loopback_endpoint().expect("a free port"));
    let listening = LinkConfig {
        listen_commands: vec![commands.clone()],
        ..LinkConfig::for_robot("fr3").listening(&endpoint)
    };
    let calling = LinkConfig {
        connect_commands: vec![commands.clone()],
        ..LinkConfig::for_robot("fr3").connecting(&endpoint)
    };
    (Link::open(&listening).expect("listens"), commands, calling)
}

#[test]
fn commands_go_over_a_session_of_their_own_and_the_rest_over_the_other() {
    let (driver, commands, calling) = with_a_session_for_commands();
    let queue = driver.queue::<JointCommand>(8).expect("declares");
    let requests = driver.queue::<EpisodeRequest>(8).expect("declares");
    let control = Link::open(&calling).expect("connects");
    let publisher = control.publisher::<JointCommand>().expect("declares");
    wait_for_subscriber(&publisher);
    publisher.send(&command(3)).expect("open");
    assert_eq!(queue.wait(SOON).expect("arrives").message.seq, 3);
    let asks = control.publisher::<EpisodeRequest>().expect("declares");
    wait_for_subscriber(&asks);
    asks.send(&EpisodeRequest::reset("fr3", 5)).expect("open");
    assert_eq!(requests.wait(SOON).expect("arrives").message.seed, 5);

    // Who calls one of the sessions reaches nothing of the other.
    let only_rest = LinkConfig {
        connect_commands: Vec::new(),
        ..calling
    };
    let other = Link::open(&only_rest).expect("connects");
    let publisher = other.publisher::<JointCommand>().expect("declares");
    let on_commands = stranger(&commands);
    let request = encode(&EpisodeRequest::reset("fr3", 6)).expect("valid");
    std::thread::sleep(Duration::from_millis(300));
    publisher.send(&command(4)).expect("open");
    let put = on_commands.put("prehend/fr3/request", request);
    put.wait().expect("open");
    assert!(queue.wait(Duration::from_millis(300)).is_none());
    assert!(requests.take().is_none());
}

#[test]
fn a_message_beyond_the_sessions_bound_is_thrown_away_as_it_comes() {
    let (driver, commands, calling) = with_a_session_for_commands();
    let queue = driver.queue::<JointCommand>(8).expect("declares");
    let hostile = stranger(&commands);
    for bytes in [2 << 20, 64 << 20] {
        put_when_heard(&hostile, "prehend/fr3/command", vec![0; bytes]);
    }
    let control = Link::open(&calling).expect("connects");
    let publisher = control.publisher::<JointCommand>().expect("declares");
    wait_for_subscriber(&publisher);
    publisher.send(&command(3)).expect("open");
    assert_eq!(queue.wait(SOON).expect("arrives").message.seq, 3);
    // One that fits comes through, and is refused for what it is.
    let small = stranger(&commands);
    put_when_heard(&small, "prehend/fr3/command", vec![0; 1 << 16]);
    let deadline = Instant::now() + SOON;
    while queue.counts().decode_errors == 0 {
        assert!(Instant::now() < deadline, "{:?}", queue.counts());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(queue.counts().decode_errors, 1, "the large ones never came");
}

/// A visitor of the driver, as `prehend topic` is one.
fn visitor(endpoint: &str) -> Link {
    let config = LinkConfig {
        node: "visitor".to_owned(),
        ..LinkConfig::for_robot("fr3").connecting(endpoint)
    };
    Link::open(&config).expect("connects")
}

#[test]
fn a_visitor_sees_who_sends_and_what_is_lost() {
    let endpoint = free_loopback_endpoint().expect("a free port");
    let config = LinkConfig {
        node: "driver".to_owned(),
        ..LinkConfig::for_robot("fr3").listening(&endpoint)
    };
    let driver = Link::open(&config).expect("listens");
    let publisher = driver.publisher::<JointCommand>().expect("declares");
    let queue = driver.queue::<EpisodeRequest>(8).expect("declares");
    let visitor = visitor(&endpoint);
    let mut monitor = TopicMonitor::keeping(Topic::Command);
    monitor.attach(&visitor).expect("declares");
    wait_for_subscriber(&publisher);
    for seq in 0..7 {
        publisher.send(&command(seq)).expect("open");
        let seen = monitor.wait(SOON).expect("arrives");
        let json = Topic::Command.to_json(&seen.payload).expect("valid");
        assert_eq!((&json["seq"], &json["mode"]), (&seq.into(), &0.into()));
    }
    let traffic = monitor.traffic();
    assert_eq!((traffic.messages, traffic.senders.len()), (7, 1));
    assert_eq!(
        (traffic.senders[0].gaps, traffic.senders[0].period_s.n()),
        (0, 6)
    );

    let presence = visitor.presence(SOON).expect("open");
    let shown: Vec<_> = presence
        .iter()
        .map(|seen| (seen.node.as_str(), seen.way, seen.topic))
        .collect();
    let expected = [
        ("driver", Way::Sends, "command"),
        ("driver", Way::Receives, "request"),
    ];
    assert_eq!(shown, expected);
    assert_eq!(Some(presence[0].id), traffic.senders[0].id);
    drop((publisher, queue));
    let deadline = Instant::now() + SOON;
    while !visitor.presence(SOON).expect("open").is_empty() {
        assert!(Instant::now() < deadline, "shown though gone");
    }
}

#[test]
fn a_sender_that_goes_is_missed_and_told_from_one_that_comes() {
    let (near, far) = pair();
    let queue = near.queue::<JointCommand>(8).expect("declares");
    let early = far.publisher::<JointCommand>().expect("declares");
    let senders = near.senders(Topic::Command).expect("open");
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        let deadline = Instant::now() + SOON;
        while !is_so() {
            assert!(Instant::now() < deadline, "never: {what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let id_of = |publisher: &Publisher<JointCommand>| {
        wait_for_subscriber(publisher);
        publisher.send(&command(0)).expect("open");
        let received = queue.wait(SOON).expect("arrives");
        received.sender.expect("ours say who they are")
    };
    until("the first is there", &|| !senders.is_empty());
    let first = id_of(&early);
    let late = far.publisher::<JointCommand>().expect("declares");
    let second = id_of(&late);
    drop(early);
    until("the first is gone", &|| senders.has_left(&first));
    assert!(!senders.has_left(&second) && !senders.is_empty());
    // Its whole session, as that of a process that dies.
    far.close().expect("open");
    until("the second is gone", &|| senders.has_left(&second));
    assert!(senders.is_empty());
}

#[test]
fn a_visitor_does_not_listen_where_senders_would_wait_for_it() {
    let link = Link::open(&LinkConfig::for_robot("fr3")).expect("opens");
    let mut monitor = TopicMonitor::counting(Topic::Request);
    let error = monitor.attach(&link).expect_err("requests wait");
    assert!(matches!(error, LinkError::Visitor { .. }), "{error:?}");
    let waiting = Topic::ALL
        .into_iter()
        .filter(|topic| topic.waits_for_receivers());
    assert_eq!(waiting.collect::<Vec<_>>(), [Topic::Request]);
}

#[test]
fn a_visitor_that_does_not_read_holds_nobody_up() {
    let endpoint = free_loopback_endpoint().expect("a free port");
    let driver = Link::open(&LinkConfig::for_robot("fr3").listening(&endpoint)).expect("listens");
    let publisher = driver.publisher::<JointCommand>().expect("declares");
    let visitor = visitor(&endpoint);
    let mut lazy = TopicMonitor::keeping(Topic::Command);
    lazy.attach(&visitor).expect("declares");
    let working = visitor.latest::<JointCommand>().expect("declares");
    wait_for_subscriber(&publisher);
    let deadline = Instant::now() + SOON;
    let mut seq = 0;
    let mut send_until = |is_so: &dyn Fn() -> bool| {
        while !is_so() {
            assert!(Instant::now() < deadline, "{:?}", lazy.traffic());
            publisher.send(&command(seq)).expect("open");
            seq += 1;
            // Not faster than a link can carry: then it would drop, as it should.
            std::thread::sleep(Duration::from_micros(200));
        }
        seq
    };
    let when_full = send_until(&|| lazy.overflowed() > 0);
    send_until(&|| {
        working
            .take()
            .is_some_and(|newest| newest.message.seq > when_full)
    });
    let mut before = 0;
    while lazy.traffic().messages > before {
        before = lazy.traffic().messages;
        std::thread::sleep(Duration::from_millis(200));
    }
    let kept = std::iter::from_fn(|| lazy.wait(Duration::ZERO)).count() as u64;
    assert_eq!(kept, 1024, "as many as it keeps");
    assert_eq!(lazy.traffic().messages, kept + lazy.overflowed());
}

/// Passes bytes on between those who call and an endpoint, until it is told to keep them.
struct Relay {
    through: String,
    holds: Arc<AtomicBool>,
}

impl Relay {
    fn before(endpoint: &str) -> Self {
        let upstream = endpoint.trim_start_matches("tcp/").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let through = format!("tcp/{}", listener.local_addr().expect("bound"));
        let holds = Arc::<AtomicBool>::default();
        let held = Arc::clone(&holds);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let far = TcpStream::connect(&upstream).expect("listens");
                for (mut from, mut to) in [(&near, &far), (&far, &near)]
                    .map(|(from, to)| (from.try_clone(), to.try_clone()))
                    .map(|(from, to)| (from.expect("open"), to.expect("open")))
                {
                    let held = Arc::clone(&held);
                    std::thread::spawn(move || {
                        let mut bytes = [0; 4096];
                        while let Ok(n @ 1..) = from.read(&mut bytes) {
                            while held.load(Ordering::SeqCst) {
                                std::thread::sleep(Duration::from_millis(2));
                            }
                            if to.write_all(&bytes[..n]).is_err() {
                                return;
                            }
                        }
                    });
                }
            }
        });
        Self { through, holds }
    }
}

/// zenoh alone takes 10 s, in closing as in dropping the last handle.
#[test]
fn a_session_is_left_while_its_connection_does_not_move() {
    for by_dropping in [false, true] {
        let endpoint = free_loopback_endpoint().expect("a free port");
        let far = Link::open(&LinkConfig::for_robot("fr3").listening(&endpoint)).expect("listens");
        let relay = Relay::before(&endpoint);
        let config = LinkConfig::for_robot("fr3").connecting(&relay.through);
        let near = Link::open(&config).expect("connects");
        let _commands = far.queue::<JointCommand>(8).expect("declares");
        let publisher = near.publisher::<JointCommand>().expect("declares");
        wait_for_subscriber(&publisher);
        relay.holds.store(true, Ordering::SeqCst);
        for seq in 0..20_000 {
            publisher.send(&command(seq)).expect("open");
        }
        drop(publisher);
        let holds = Arc::clone(&relay.holds);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(8));
            holds.store(false, Ordering::SeqCst);
        });
        if by_dropping {
            drop(near);
        } else {
            // Whether the goodbye was said in time is no matter here.
            let _ = near.close();
        }
        assert!(
            relay.holds.load(Ordering::SeqCst),
            "left only when it moved again"
        );
    }
}
