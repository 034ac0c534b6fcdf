//! What the tests' peers of other programs, which speak plain zenoh, have in common.

use std::time::{Duration, Instant};

use zenoh::Wait;
use zenoh::qos::CongestionControl;

/// Longer than anything takes that comes at all, on a busy machine too.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Waits until somebody listens on a key: a session may be open before it has heard who does, and what it
/// sends until then goes nowhere.
pub(crate) fn wait_until_heard(session: &zenoh::Session, key: &str) {
    let publisher = session.declare_publisher(key.to_owned());
    let publisher = publisher.wait().expect("declares");
    let deadline = Instant::now() + SOON;
    while !publisher.matching_status().wait().expect("open").matching() {
        assert!(Instant::now() < deadline, "nobody listens on {key}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends bytes to those who listen on a key, as soon as there is one, and waits for the line to be free.
pub(crate) fn put_when_heard(session: &zenoh::Session, key: &str, bytes: Vec<u8>) {
    wait_until_heard(session, key);
    let put = session.put(key, bytes);
    let put = put.congestion_control(CongestionControl::Block);
    put.wait().expect("open");
}
