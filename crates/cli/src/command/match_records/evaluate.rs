//! How good matching is, by labels.

use std::io::Write;

use mastic_find_matches::evaluate;

use super::arguments::Evaluate;
use super::{labels, say, transforms};
use crate::config::Setting;
use crate::error::Result;
use crate::progress::Line;

pub(super) async fn run(arguments: &Evaluate, setting: &Setting) -> Result<()> {
    let session = arguments.tables.session(setting).await?;
    let transform = match &arguments.transform {
        Some(name) => Some(transforms::get(&session, name).await?.1),
        None => None,
    };
    let saved = transform.as_ref().map(|t| &t.settings);
    let mut settings = arguments.how.settings(saved, arguments.tables.one_to_one)?;
    settings.enforce_provided_labels = arguments.enforce_labels;
    let line = Line::new("reading …");
    let input = arguments.tables.open(&session).await?;
    let labels = labels::read(&session, &arguments.labels).await?;
    let told = |stage| line.say(say(stage));
    let context = session.context();
    let measured = evaluate(
        context,
        input,
        &settings,
        &labels,
        transform.as_ref(),
        &told,
    )
    .await?;
    drop(line);
    let mut out = std::io::stdout().lock();
    if arguments.json {
        let object = serde_json::to_value(&measured)
            .map_err(|e| crate::error::CliError::failed(e.to_string()))?;
        writeln!(out, "{object}")?;
    } else {
        write!(out, "{measured}")?;
    }
    Ok(())
}
