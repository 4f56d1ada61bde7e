//! Tables of very many partitions: what a filtered lookup takes in the catalog, and what it takes to add ten partitions
//! by an incremental crawl. Neither may grow with the number of partitions that are there.
//!
//! The table is that of a real crawl of three folders. Its other partitions are put into the catalog through
//! `mastic_catalog`, in chunks: they have no folders, which an incremental crawl must not miss, as it looks only at
//! those it is told of.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use mastic_catalog::{
    CatalogStore, Change, ChangeSet, CompareOp, Expected, OpenMode, Partition, PartitionChanges,
    PartitionPredicate, open,
};
use serde_json::json;

use crate::{
    Outcome,
    measure::{self, Figures},
    report::{Report, Run, Spread, mib, seconds},
    setting::{Setting, Who},
};

const BENCH: &str = "partitions";
const DATABASE: &str = "bench";
const TABLE: &str = "readings";
const KEY: &str = "batch";

/// The tables that are measured, by their number of partitions.
pub(crate) const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// Partitions with folders of their own, from which the first crawl makes the table.
const CRAWLED: usize = 3;
/// Partitions in one change of the catalog: bounds what making a table holds in memory.
const CHUNK: usize = 10_000;
/// Partitions that one incremental crawl adds.
const ADDED: usize = 10;
/// Values begin here, so that all have the same length and sort alike as numbers and as text.
const FIRST: usize = 10_000_000;

/// What was measured at one size.
struct Size {
    partitions: usize,
    equal: Spread,
    range: Spread,
    /// None if it failed, which the report has already.
    crawl: Option<Spread>,
    peak_bytes: u64,
}

/// The benchmark.
pub(crate) fn run(
    setting: &Setting,
    report: &mut Report,
    sizes: &[usize],
    lookups: usize,
) -> Outcome<()> {
    let mut sizes = sizes.to_vec();
    sizes.sort_unstable();
    sizes.dedup();
    if sizes.first().is_none_or(|&size| size < 2 * ADDED) || lookups == 0 {
        return Err(format!(
            "a table needs {} partitions and one lookup at least",
            2 * ADDED
        )
        .into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut done = Vec::new();
    for size in sizes {
        let Some(made) = runtime.block_on(measure_size(setting, report, size, lookups))? else {
            // In the report already; larger tables would tell nothing more.
            break;
        };
        done.push(made);
    }
    table(report, &done, lookups)
}

async fn measure_size(
    setting: &Setting,
    report: &mut Report,
    size: usize,
    lookups: usize,
) -> Outcome<Option<Size>> {
    let scratch = tempfile::tempdir_in(&setting.work)?;
    let lake = scratch.path().join(TABLE);
    let catalog = scratch.path().join("catalog.db");
    for at in 0..CRAWLED {
        folder(&lake, at)?;
    }
    let made = crawl(setting, scratch.path(), &lake, &catalog, &[])?;
    if made.error.is_some() {
        report.add(Run::mastic(BENCH, "the table", made))?;
        return Ok(None);
    }
    eprintln!("making {size} partitions");
    let store = open(&catalog.display().to_string(), OpenMode::MustExist).await?;
    fill(&*store, &lake, size).await?;

    let equal = look(&*store, lookups, 1, |at| {
        let value = FIRST + spread(at, size);
        PartitionPredicate::eq(KEY, i64::try_from(value).unwrap_or(i64::MAX))
    })
    .await?;
    let range = look(&*store, lookups, ADDED, |at| {
        let from = FIRST + spread(at, size - ADDED);
        let bound = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        PartitionPredicate::compare(KEY, CompareOp::Ge, bound(from)).and(
            PartitionPredicate::compare(KEY, CompareOp::Lt, bound(from + ADDED)),
        )
    })
    .await?;

    let task = format!("{ADDED} more to {size}");
    let mut crawls = Vec::new();
    for round in 0..setting.runs as usize {
        let new: Vec<PathBuf> = (0..ADDED)
            .map(|at| folder(&lake, size + round * ADDED + at))
            .collect::<Outcome<_>>()?;
        let figures = crawl(setting, scratch.path(), &lake, &catalog, &new)?;
        let failed = figures.error.is_some();
        report.add(Run::mastic(BENCH, &task, figures.clone()))?;
        if failed {
            crawls.clear();
            break;
        }
        let expected = size + (round + 1) * ADDED;
        let there = store.count_partitions(DATABASE, TABLE, None, None).await?;
        if usize::try_from(there)? != expected {
            report.wrong(
                BENCH,
                &task,
                &format!("{there} partitions where {expected} should be"),
            );
            crawls.clear();
            break;
        }
        crawls.push(figures);
    }
    let peak_bytes = crawls
        .iter()
        .map(|c| c.peak_bytes)
        .max()
        .unwrap_or_default();
    let crawl = Spread::of(crawls.iter().map(|c| c.wall).collect());
    Ok(Some(Size {
        partitions: size,
        equal,
        range,
        crawl,
        peak_bytes,
    }))
}

/// The folder of a partition, with a file in it.
fn folder(lake: &Path, at: usize) -> Outcome<PathBuf> {
    let dir = lake.join(format!("{KEY}={}", FIRST + at));
    fs::create_dir_all(&dir)?;
    fs::write(
        dir.join("part.csv"),
        format!("sensor,value\ns1,{at}.5\ns2,{}.25\n", at + 1),
    )?;
    Ok(dir)
}

/// Crawls the lake, or only the folders named where there are any.
fn crawl(
    setting: &Setting,
    dir: &Path,
    lake: &Path,
    catalog: &Path,
    changed: &[PathBuf],
) -> Outcome<Figures> {
    let mut args: Vec<OsString> = vec![
        "crawl".into(),
        lake.into(),
        "--database".into(),
        DATABASE.into(),
        "--catalog".into(),
        catalog.into(),
    ];
    for folder in changed {
        args.push("--changed".into());
        // A final slash: a folder.
        args.push(folder.join("").into());
    }
    measure::run(&setting.mastic, &args, dir, None, setting.limits)
}

/// Puts partitions into the crawled table until it has `size`, all like the first one.
async fn fill(store: &dyn CatalogStore, lake: &Path, size: usize) -> Outcome<()> {
    let crawled = store.get_partitions(DATABASE, TABLE, None, None).await?;
    let first = crawled.first().ok_or("the crawl found no partitions")?;
    let like = first
        .storage_descriptor
        .clone()
        .ok_or("the crawled partition has no descriptor")?;
    let own = lake.join(format!("{KEY}={FIRST}")).display().to_string();
    let location = first
        .location()
        .ok_or("the crawled partition has no location")?;
    let mut from = CRAWLED;
    while from < size {
        let to = size.min(from + CHUNK);
        let partitions = (from..to)
            .map(|at| {
                let there = lake
                    .join(format!("{KEY}={}", FIRST + at))
                    .display()
                    .to_string();
                let mut descriptor = like.clone();
                // However the crawler writes a location: the same, of another folder.
                descriptor.location = Some(location.replace(&own, &there));
                let mut partition = Partition::new([(FIRST + at).to_string()], String::new());
                partition.storage_descriptor = Some(descriptor);
                partition.parameters = first.parameters.clone();
                partition
            })
            .collect();
        let table = store.get_table(DATABASE, TABLE).await?;
        let change = Change::PutTable {
            expected: table.version_id.map_or(Expected::Any, Expected::Version),
            table,
            partitions: PartitionChanges::put(partitions),
        };
        store.apply(ChangeSet::new(BENCH).with(change)).await?;
        from = to;
    }
    let there = store.count_partitions(DATABASE, TABLE, None, None).await?;
    if usize::try_from(there)? == size {
        Ok(())
    } else {
        Err(format!("the catalog has {there} partitions of the {size} put into it").into())
    }
}

/// The times of `lookups` calls of the store, each of which must find `found` partitions.
async fn look(
    store: &dyn CatalogStore,
    lookups: usize,
    found: usize,
    predicate: impl Fn(usize) -> PartitionPredicate,
) -> Outcome<Spread> {
    let mut times = Vec::with_capacity(lookups);
    for at in 0..lookups {
        let predicate = predicate(at);
        let start = Instant::now();
        let partitions = store
            .get_partitions(DATABASE, TABLE, None, Some(&predicate))
            .await?;
        times.push(start.elapsed().as_secs_f64());
        if partitions.len() != found {
            return Err(format!(
                "a lookup found {} partitions where {found} should be",
                partitions.len()
            )
            .into());
        }
    }
    Ok(Spread::of(times).ok_or("no lookup was made")?)
}

/// A number below `size`, another one each time, all over the range: multiples of the golden ratio's fraction.
fn spread(at: usize, size: usize) -> usize {
    let fraction = (at as f64 * 0.618_033_988_749_895).fract();
    ((fraction * size as f64) as usize).min(size.saturating_sub(1))
}

fn table(report: &mut Report, sizes: &[Size], lookups: usize) -> Outcome<()> {
    println!("\n## partitions: {lookups} lookups, and {ADDED} more by `crawl --changed`\n");
    println!(
        "| partitions | find 1: median ms | max | × | find {ADDED}: median ms | max | × | add {ADDED}: median s | min–max s | × | peak MiB |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    let smallest = sizes.first();
    for size in sizes {
        let times = |of: fn(&Size) -> f64| smallest.map_or(1.0, |s| of(size) / of(s));
        let found = [times(|s| s.equal.median), times(|s| s.range.median)];
        let added = size.crawl.zip(smallest.and_then(|s| s.crawl));
        let added = added.map(|(here, there)| here.median / there.median);
        let times_crawl = added.map_or_else(String::new, |times| format!("{times:.2}"));
        let crawl = size.crawl.map_or_else(
            || "failed |".to_owned(),
            |Spread { min, median, max }| {
                format!("{} | {}–{}", seconds(median), seconds(min), seconds(max))
            },
        );
        println!(
            "| {} | {:.3} | {:.3} | {:.2} | {:.3} | {:.3} | {:.2} | {crawl} | {times_crawl} | {} |",
            size.partitions,
            size.equal.median * 1000.0,
            size.equal.max * 1000.0,
            found[0],
            size.range.median * 1000.0,
            size.range.max * 1000.0,
            found[1],
            mib(size.peak_bytes),
        );
        report.line(&json!({
            "kind": "summary",
            "bench": BENCH,
            "who": Who::Mastic.name(),
            "partitions": size.partitions,
            "find_one_median_s": size.equal.median,
            "find_one_max_s": size.equal.max,
            "find_ten_median_s": size.range.median,
            "find_ten_max_s": size.range.max,
            "add_ten_median_s": size.crawl.map(|c| c.median),
            "add_ten_peak_bytes": size.peak_bytes,
            "times_find_one": found[0],
            "times_find_ten": found[1],
            "times_add_ten": added,
        }))?;
    }
    println!("\n×: times the smallest table. None should grow with the partitions.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn lookups_go_all_over_the_range() {
        let values: HashSet<usize> = (0..200).map(|at| spread(at, 1_000_000)).collect();
        assert_eq!(values.len(), 200);
        assert!(values.iter().all(|&v| v < 1_000_000));
        assert!(values.iter().any(|&v| v < 20_000) && values.iter().any(|&v| v > 980_000));
    }
}
