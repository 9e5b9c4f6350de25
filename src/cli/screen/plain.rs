//! For logs and pipes: stable words in English, one line every two seconds.

use std::io::Write;

use crate::cli::picture::Picture;
use crate::cli::screen::agents::shown_states;
use crate::cli::screen::model::Model;
use crate::cli::text::Lang;

/// The lines so far.
#[derive(Debug)]
pub(crate) struct Plain {
    model: Model,
    last: Option<i64>,
    to_output: bool,
}

impl Plain {
    /// Beside the results that go to the standard output.
    pub(super) fn on_error_output() -> Self {
        Self { model: Model::new("", Lang::En, false), last: None, to_output: false }
    }

    /// As the result itself.
    pub(super) fn on_output() -> Self {
        Self { to_output: true, ..Self::on_error_output() }
    }

    /// Prints a line, if it is time to.
    pub(super) fn show(&mut self, picture: Picture) -> std::io::Result<()> {
        let now = picture.at;
        self.model.take(picture);
        if self.last.is_some_and(|at| now.saturating_sub(at) < LINE_EVERY_MS) {
            return Ok(());
        }
        self.last = Some(now);
        let line = line(&self.model);
        if self.to_output {
            writeln!(std::io::stdout().lock(), "{line}")
        } else {
            writeln!(std::io::stderr().lock(), "{line}")
        }
    }
}

fn line(model: &Model) -> String {
    let picture = &model.picture;
    let mut out =
        format!("{}s calls/s={:.1}", model.elapsed() / 1_000, model.rate().unwrap_or(0.0));
    for state in shown_states(picture) {
        out.push_str(&format!(" {}={}", state.as_str(), picture.agents_in(state)));
    }
    let calls = picture.calls;
    out.push_str(&format!(
        " dialing={} ringing={} talking={} message={}",
        calls.dialing, calls.ringing, calls.talking, calls.message
    ));
    if picture.store != "ok" {
        out.push_str(&format!(" store={} unstored={}", picture.store, picture.unstored));
    }
    for campaign in &picture.campaigns {
        let leads = campaign.leads;
        out.push_str(&format!(
            " {}: {} dialed={} done={}/{} A={} D={} faults={} uncovered={}/{}",
            campaign.name,
            campaign.mode,
            campaign.dialed,
            leads.over(),
            leads.all(),
            campaign.ledger.answered,
            campaign.ledger.abandoned,
            campaign.ledger.fault,
            campaign.ledger.uncovered,
            campaign.ledger.uncovered_allowed,
        ));
        if let Some(held_by) = &campaign.held_by {
            out.push_str(&format!(" waits_for={held_by}"));
        }
    }
    if picture.draining {
        out.push_str(" draining");
    }
    out
}

const LINE_EVERY_MS: i64 = 2_000;
