//! How good matching is, by labels.

use std::io::Write;

use mastic_find_matches::evaluate;

use super::arguments::Evaluate;
use super::{labels, say, transforms};
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::progress::Line;

pub(super) async fn run(arguments: &Evaluate, setting: &Setting) -> Result<()> {
    let session = arguments.tables.session(setting).await?;
    let transform = match &arguments.transform {
        Some(name) => Some(transforms::get(&session, name).await?.1),
        None => None,
    };
    // Its own labels have taught it: they are held out in turn of what is taught without them.
    let transform = match &arguments.labels {
        Some(_) => transform,
        None => transform.map(|t| t.untaught()),
    };
    let saved = transform.as_ref().map(|t| &t.settings);
    let mut settings = arguments.how.settings(saved, arguments.tables.one_to_one)?;
    settings.enforce_provided_labels = arguments.enforce_labels;
    let line = Line::new("reading …");
    let input = arguments.tables.open(&session).await?;
    let labels = match (&arguments.labels, &arguments.transform, &transform) {
        (Some(file), ..) => labels::read(&session, file).await?,
        (None, Some(name), Some(transform)) => labels::kept(&session, name, transform)?,
        _ => return Err(CliError::Usage("there are no labels".into())),
    };
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
        let object =
            serde_json::to_value(&measured).map_err(|e| CliError::failed(e.to_string()))?;
        writeln!(out, "{object}")?;
    } else {
        write!(out, "{measured}")?;
    }
    Ok(())
}
