//! What of what was learned is a match.

use std::sync::Arc;

use datafusion::prelude::SessionContext;

use super::learn::{Evidence, Learned, learn};
use super::{Stage, probe};
use crate::decide::gate::{Verdict, gate, leads};
use crate::error::Result;
use crate::explain::Decision;
use crate::settings::Settings;
use crate::spool::Spool;

/// Learns, and takes out what nothing but chance explains.
pub(super) async fn judge(
    context: &SessionContext,
    normal: &Arc<Spool>,
    evidence: &Evidence<'_>,
    settings: &Settings,
    tell: &(dyn Fn(Stage) + Send + Sync),
) -> Result<Learned> {
    let mut learned = learn(evidence, settings.one_to_one, settings);
    tell(Stage::Deciding);
    let (pairs, scores, sides) = (evidence.pairs(), &learned.scores, evidence.sides);
    let accepted = std::mem::take(&mut learned.accepted);
    let before = accepted.len();
    let (accepted, verdict) = if evidence.neighbours {
        let leads = leads(pairs, evidence.record(), sides);
        gate(scores, accepted, &leads, sides.smaller().len())
    } else {
        let columns = evidence.columns;
        probe::gate(context, normal, columns, pairs, scores, accepted, sides).await?
    };
    learned.decision.gate(before, accepted.len(), verdict);
    learned.accepted = accepted;
    Ok(learned)
}

impl Decision {
    fn gate(&mut self, before: usize, after: usize, verdict: Verdict) {
        self.refused = (before - after) as u64;
        self.doubtful = verdict == Verdict::Doubtful;
        self.gate = match verdict {
            Verdict::Silent => "could not be told from the candidates".into(),
            Verdict::Passed => "matches stand out from each record's other candidates".into(),
            Verdict::Doubtful => {
                "most matches do not stand out from each record's other candidates, so that only those count that do by themselves".into()
            }
        };
    }
}
