//! Turns counts into a progress bar, or into a line now and then where there is no terminal.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const PLAIN_EVERY: Duration = Duration::from_secs(30);
// The template is checked by a test: a bad one must not be found out by a user.
const TEMPLATE: &str = "{prefix} [{bar:30}] {pos}/{len} {msg} | {per_sec}, {eta} left";

/// Progress over a known number of episodes, shared by threads, on stderr.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    what: String,
    plain: Option<Mutex<Instant>>,
}

impl Progress {
    /// A bar at zero.
    #[must_use]
    pub fn new(what: &str, total: u64) -> Self {
        let style =
            ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(total)
            .with_style(style)
            .with_prefix(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(250));
        let plain = (!std::io::stderr().is_terminal()).then(|| Mutex::new(Instant::now()));
        Self {
            bar,
            what: what.to_owned(),
            plain,
        }
    }

    /// One more is done; `message` says how well it goes.
    pub fn step(&self, message: String) {
        self.bar.set_message(message.clone());
        self.bar.inc(1);
        // A thread that finds the lock taken leaves the line to the other one.
        let Some(Ok(mut last)) = self.plain.as_ref().map(Mutex::try_lock) else {
            return;
        };
        if last.elapsed() < PLAIN_EVERY {
            return;
        }
        *last = Instant::now();
        let (done, total) = (self.bar.position(), self.bar.length().unwrap_or(0));
        let eta = self.bar.eta().as_secs();
        let line = format!("{}: {done}/{total} {message}, {eta} s left", self.what);
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_valid() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
