//! Turns a running demo into a few lines on the terminal, renewed in place.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressStyle};
use prehend_runtime::{DemoProgress, OperatorProgress};

/// The live display; where there is no terminal, one line per finished episode.
#[derive(Debug)]
pub struct LiveDisplay {
    bar: ProgressBar,
    is_plain: bool,
    finished: u64,
}

impl LiveDisplay {
    /// A display with nothing to show yet.
    #[must_use]
    pub fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        // An invalid template would only lose the spinner.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self {
            bar,
            is_plain: !std::io::stderr().is_terminal(),
            finished: 0,
        }
    }

    /// Shows a demo.
    pub fn show_demo(&mut self, progress: &DemoProgress) {
        let mut text = episode_line(&progress.operator);
        if let Some(timing) = progress.control_loop() {
            let period = &timing.period_us;
            let _ = write!(
                text,
                "\n  loop    p50 {} us, p99 {} us, worst {} us, {} missed",
                number(period.p50, 0),
                number(period.p99, 0),
                number(period.max, 0),
                timing.deadline_misses
            );
            let applied: Vec<String> = timing
                .limiter
                .iter()
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            let _ = write!(text, "\n  limiter {}", or_nothing(&applied));
        }
        let act = &progress.policy.act_ms;
        let _ = write!(
            text,
            "\n  policy  p50 {} ms, p99 {} ms",
            number(act.p50, 2),
            number(act.p99, 2)
        );
        let age = number(progress.operator.command_age_ms, 2);
        let _ = write!(text, "\n  command age {age} ms");
        self.renew(&progress.operator, text);
    }

    /// Shows an operator alone.
    pub fn show_operator(&mut self, progress: &OperatorProgress) {
        self.renew(progress, episode_line(progress));
    }

    /// Removes it.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn renew(&mut self, operator: &OperatorProgress, text: String) {
        if operator.finished > self.finished {
            self.finished = operator.finished;
            let line = format!(
                "episode {}/{} over, {} succeeded",
                operator.finished, operator.episodes, operator.successes
            );
            tracing::info!("{line}");
            if self.is_plain {
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        }
        self.bar.set_message(text);
        self.bar.tick();
    }
}

fn episode_line(operator: &OperatorProgress) -> String {
    if operator.episode == 0 {
        return "starting: waiting until driver, policy and control work together".to_owned();
    }
    let group = if operator.held_out {
        ", never trained on"
    } else {
        ""
    };
    let mut line = format!(
        "episode {}/{} (seed {}, {}{group}) {:.1} s, {} of {} succeeded",
        operator.episode,
        operator.episodes,
        operator.seed,
        operator.target,
        operator.elapsed_s,
        operator.successes,
        operator.finished
    );
    if let Some(reason) = &operator.driver_stop {
        let _ = write!(line, " [driver stopped: {reason}]");
    }
    line
}

fn or_nothing(words: &[String]) -> String {
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join(", ")
    }
}

/// A number, or a dash where nothing was measured.
#[must_use]
pub fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}
