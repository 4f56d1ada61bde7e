//! Progress on a terminal; silence elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line on standard error that says how far something is. It is gone when it is dropped.
pub(crate) struct Line(ProgressBar);

impl Line {
    pub(crate) fn new(message: &str) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.set_message(message.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Line(bar)
    }

    pub(crate) fn say(&self, message: String) {
        self.0.set_message(message);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl mastic_crawler::Progress for Line {
    fn listed(&self, files: u64) {
        if files == 1 {
            let style = ProgressStyle::with_template(
                "{spinner:.cyan} {len} files, {pos} opened {elapsed:.dim} {msg:.dim}",
            );
            if let Ok(style) = style {
                self.0.set_style(style);
            }
        }
        self.0.set_length(files);
    }

    fn examined(&self, url: &str, _bytes: u64) {
        self.0.inc(1);
        self.0.set_message(crate::format::cut(url, 60));
    }
}
