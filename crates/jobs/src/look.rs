//! A look at every record of a source, where what is known of its columns says too little.

use mastic_dynamic_frame::Ledger;

use crate::error::{ScriptError, ScriptErrors};
use crate::plan::{Plan, plan_or_look};
use crate::script::Script;
use crate::sources::{Reading, Sources};

/// Plans a script like [`crate::plan_reading`], and where a step resolves a choice that a column is not known to be,
/// looks at every record of the sources that the column may come from first: the script says that values disagree
/// there. What was found is added to `reading`; `tell` is told in a sentence of each look.
///
/// # Errors
/// As [`crate::plan_reading`], and when a source cannot be looked at to its end.
pub async fn plan_looking(
    script: &Script,
    sources: &dyn Sources,
    reading: &mut Reading,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<Plan, ScriptErrors> {
    loop {
        let refused = match plan_or_look(script, sources, reading).await {
            Ok(plan) => return Ok(plan),
            Err(refused) => refused,
        };
        let mut looked = false;
        for source in &refused.look_at {
            tell(&format!(
                "looking at every record of {source}, for its values are to disagree in type"
            ));
            looked |= look_at_all(script, sources, source, reading).await?;
        }
        if !looked {
            return Err(refused.errors);
        }
    }
}

/// Looks at every record of a source; whether it is one that can be looked at: of files.
///
/// # Errors
/// When a file cannot be read to its end.
pub(crate) async fn look_at_all(
    script: &Script,
    sources: &dyn Sources,
    source: &str,
    reading: &mut Reading,
) -> Result<bool, ScriptErrors> {
    let def = script.sources.iter().find(|s| s.name.as_str() == source);
    // Only files turn out to hold what their columns were not known to hold.
    let Some((def, files)) = def.and_then(|def| Some((def, def.frame_source()?))) else {
        return Ok(false);
    };
    let ledger = Ledger::new(None, sources.context().runtime_env());
    let options = def.frame_options(reading, &ledger);
    let found = sources.find_choices(&files, &options).await;
    let looked = found.map_err(|error| {
        let told = ScriptError::new(&script.source, def.name.span(), error.to_string());
        ScriptErrors(vec![told])
    })?;
    reading.looked.insert(source.to_owned(), looked);
    Ok(true)
}
