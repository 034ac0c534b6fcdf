//! A proxy between processes of the link: it holds bytes back, one way or both, or cuts every connection.
//!
//! A connection can only be late or gone; loss, repetition and reordering of single messages are for the
//! simulated link.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a waiting thread looks at what it should do.
const LOOK: Duration = Duration::from_millis(2);

/// One direction through the proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// From those who call to the one who listens.
    Up = 0,
    /// Back.
    Down = 1,
}

#[derive(Debug, Default)]
struct Shared {
    ends: AtomicBool,
    /// Nobody is let in.
    is_closed: AtomicBool,
    holds: [AtomicBool; 2],
    /// Raised to cut every connection there is.
    cuts: AtomicU64,
}

/// A running proxy; dropping it cuts everything.
#[derive(Debug)]
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Proxy {
    /// Stands before nobody yet.
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared::default()),
            threads: Vec::new(),
        }
    }

    /// Listens on a free port of this machine for those who want `upstream`, `tcp/<address>`; what to
    /// connect to instead.
    pub fn stand_before(&mut self, upstream: &str) -> Result<String, Box<dyn std::error::Error>> {
        let upstream: SocketAddr = upstream.trim_start_matches("tcp/").parse()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let own = Arc::clone(&self.shared);
        let thread = std::thread::spawn(move || accept(&listener, upstream, &own));
        self.threads.push(thread);
        Ok(format!("tcp/{address}"))
    }

    /// Keeps the bytes of one direction back, or lets them go on.
    pub fn hold(&self, way: Way, held: bool) {
        self.shared.holds[way as usize].store(held, Relaxed);
    }

    /// Keeps both directions back, or lets them go on.
    pub fn hold_both(&self, held: bool) {
        self.hold(Way::Up, held);
        self.hold(Way::Down, held);
    }

    /// Cuts every connection; while `closed` nobody gets a new one.
    pub fn cut(&self, closed: bool) {
        self.shared.is_closed.store(closed, Relaxed);
        self.shared.cuts.fetch_add(1, Relaxed);
    }

    /// Lets callers in again.
    pub fn open(&self) {
        self.shared.is_closed.store(false, Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ends.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            // It holds nothing that a panic could have broken.
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, upstream: SocketAddr, shared: &Arc<Shared>) {
    while !shared.ends.load(Relaxed) {
        let Ok((near, _)) = listener.accept() else {
            std::thread::sleep(LOOK);
            continue;
        };
        if shared.is_closed.load(Relaxed) {
            continue;
        }
        let Ok(far) = TcpStream::connect(upstream) else {
            continue;
        };
        // A connection that cannot be set up is as good as cut.
        let _ = join(&near, &far, shared);
    }
}

/// Two threads that end with the connection.
fn join(near: &TcpStream, far: &TcpStream, shared: &Arc<Shared>) -> std::io::Result<()> {
    for (from, to, way) in [(near, far, Way::Up), (far, near, Way::Down)] {
        from.set_nonblocking(false)?;
        from.set_nodelay(true)?;
        from.set_read_timeout(Some(LOOK))?;
        let (from, to) = (from.try_clone()?, to.try_clone()?);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // Whatever ends one direction ends the connection.
            let _ = relay(&from, &to, way, &shared);
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}

fn relay(
    mut from: &TcpStream,
    mut to: &TcpStream,
    way: Way,
    shared: &Shared,
) -> std::io::Result<()> {
    let cuts = shared.cuts.load(Relaxed);
    let goes_on = || !shared.ends.load(Relaxed) && shared.cuts.load(Relaxed) == cuts;
    let mut bytes = vec![0; 64 << 10];
    while goes_on() {
        if shared.holds[way as usize].load(Relaxed) {
            std::thread::sleep(LOOK);
            continue;
        }
        let n = match from.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                continue;
            }
            Err(error) => return Err(error),
        };
        // Told to hold meanwhile: these bytes too.
        while shared.holds[way as usize].load(Relaxed) && goes_on() {
            std::thread::sleep(LOOK);
        }
        if goes_on() {
            to.write_all(&bytes[..n])?;
        }
    }
    Ok(())
}
