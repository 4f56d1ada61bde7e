//! Which way pairs are looked for.

use std::sync::Arc;

use datafusion::prelude::SessionContext;

use crate::blocking::grams::Texts;
use crate::blocking::{Blocking, Sides, keys, random};
use crate::error::{MatchError, Result};
use crate::known::{Fresh, Known};
use crate::profile::Column;
use crate::settings::{Kind, Settings};
use crate::spool::Spool;

/// Candidates, pairs that only teach, and vectors where there are any.
pub(crate) struct Candidates {
    pub(crate) pairs: Vec<u64>,
    pub(super) teach: Vec<u64>,
    pub(crate) texts: Option<Arc<Texts>>,
}

impl Candidates {
    /// Adds pairs, whatever blocking says.
    pub(super) fn add(&mut self, pairs: impl Iterator<Item = u64>) {
        self.pairs.extend(pairs);
        self.pairs.sort_unstable();
        self.pairs.dedup();
        let real = &self.pairs;
        self.teach.retain(|pair| real.binary_search(pair).is_err());
    }
}

pub(super) async fn find(
    context: &SessionContext,
    normal: &Arc<Spool>,
    columns: &[Column],
    sides: Sides,
    settings: &Settings,
    known: Known<'_>,
    blocking: &mut Blocking,
) -> Result<Candidates> {
    let rows = normal.scan(context, "rows")?;
    let small = sides.rows as usize <= settings.search_rows();
    let text = columns.iter().find(|c| c.kind == Kind::Text);
    let ruled = !settings.blocking.is_empty();
    let mut uncovered = false;
    // What was learned without vectors is applied without, and with them where they were there.
    let saved = known.transform.map(|t| t.grams.is_some());
    if ruled || saved == Some(false) || !small && text.is_none() {
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
            let texts = match saved.unwrap_or(ruled && small) {
                true => Some(Arc::new(Texts::read(rows, columns, known).await?)),
                false => None,
            };
            return Ok(Candidates {
                pairs: known.among(pairs),
                teach,
                texts,
            });
        }
        uncovered = true;
    }
    let texts = Arc::new(Texts::read(rows, columns, known).await?);
    let new = known.new.map(Fresh::rows);
    let (search, options) = (texts.clone(), settings.clone());
    let (pairs, teach, k) = tokio::task::spawn_blocking(move || match new {
        Some(own) => {
            let k = options.neighbours();
            let pairs = search.pairs_of(&own, sides, k);
            (pairs, Vec::new(), k)
        }
        None => search.pairs(sides, &options),
    })
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
        texts: (saved != Some(false)).then_some(texts),
    })
}
