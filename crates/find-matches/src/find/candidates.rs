//! Which way pairs are looked for.

use std::sync::Arc;

use datafusion::prelude::SessionContext;

use crate::blocking::grams::Texts;
use crate::blocking::{Blocking, Sides, keys, random};
use crate::error::{MatchError, Result};
use crate::profile::Column;
use crate::settings::{Kind, Settings};
use crate::spool::Spool;

/// Candidates, pairs that only teach, and vectors where there are any.
pub(super) struct Candidates {
    pub(super) pairs: Vec<u64>,
    pub(super) teach: Vec<u64>,
    pub(super) texts: Option<Arc<Texts>>,
}

pub(super) async fn find(
    context: &SessionContext,
    normal: &Arc<Spool>,
    columns: &[Column],
    sides: Sides,
    settings: &Settings,
    blocking: &mut Blocking,
) -> Result<Candidates> {
    let rows = normal.scan(context, "rows")?;
    let small = sides.rows as usize <= settings.search_rows();
    let text = columns.iter().find(|c| c.kind == Kind::Text);
    let ruled = !settings.blocking.is_empty();
    let mut uncovered = false;
    if ruled || !small && text.is_none() {
        if let Some(pairs) = keys::pairs(context, &rows, columns, sides, settings, blocking).await?
        {
            blocking.method = match ruled {
                true => "the rules that were given".into(),
                false => format!(
                    "keys, for {} rows of short columns: the fewest pairs that survive mistakes in any few columns at once",
                    sides.rows
                ),
            };
            let teach = random(sides, u64::from(sides.rows).min(500_000), &pairs);
            let texts = match ruled && small {
                true => Some(Arc::new(Texts::read(rows, columns).await?)),
                false => None,
            };
            return Ok(Candidates {
                pairs,
                teach,
                texts,
            });
        }
        uncovered = true;
    }
    let texts = Arc::new(Texts::read(rows, columns).await?);
    let (search, options) = (texts.clone(), settings.clone());
    let (pairs, teach, k) = tokio::task::spawn_blocking(move || search.pairs(sides, &options))
        .await
        .map_err(|e| MatchError::Spool(e.to_string()))?;
    let why = match (small, text) {
        (true, _) => format!("{} rows are few enough to search all", sides.rows),
        (_, Some(text)) => format!("'{}' is long text, which no key holds", text.name),
        _ if uncovered => "no keys survive mistakes in some columns at once".into(),
        _ => String::new(),
    };
    blocking.method = format!("the {k} nearest records of each by the cosine of 3-grams: {why}");
    blocking.neighbours = Some(k);
    Ok(Candidates {
        pairs,
        teach,
        texts: Some(texts),
    })
}
