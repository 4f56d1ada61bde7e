//! A lake of small files with real drift.
//!
//! Half of them are JSON lines under `events/year=/month=/day=`, whose second half has a column `firmware` that the
//! first has not; half are CSV under bare `readings/yyyy/mm/dd`, whose `value` is a whole number in the first half of
//! the files and a decimal in the second. Twenty records a file. The same number of files is the same lake.

use std::{fmt::Write as _, fs, path::Path};

use crate::{Outcome, random::Random};

const RECORDS: usize = 20;

/// What is in a lake, for checking who found it.
pub(crate) struct Lake {
    /// Files of each half.
    pub(crate) per_half: usize,
    /// Records of each half.
    pub(crate) records: usize,
    /// Events that have a `firmware`.
    pub(crate) with_firmware: usize,
    /// Sum of `value` in thousandths.
    pub(crate) thousandths: u64,
}

/// Counts what [`make`] makes, without making it.
pub(crate) fn describe(files: usize) -> Outcome<Lake> {
    each(files, |_, _, _| Ok(()))
}

/// Makes a lake of that many files.
pub(crate) fn make(root: &Path, files: usize) -> Outcome<Lake> {
    if root.exists() {
        return Err(format!("{} exists already", root.display()).into());
    }
    fs::create_dir_all(root)?;
    each(files, |dir, name, text| {
        let dir = root.join(dir);
        fs::create_dir_all(&dir)?;
        fs::write(dir.join(name), text)?;
        Ok(())
    })
}

fn each(files: usize, mut write: impl FnMut(&str, &str, &str) -> Outcome<()>) -> Outcome<Lake> {
    let per_half = files / 2;
    let mut random = Random(7);
    let mut lake = Lake {
        per_half,
        records: per_half * RECORDS,
        with_firmware: 0,
        thousandths: 0,
    };
    let mut text = String::new();
    for i in 0..per_half {
        let (year, month, day, hour) = (
            2020 + i / 4000,
            1 + (i / 330) % 12,
            1 + (i / 24) % 28,
            i % 24,
        );

        text.clear();
        for record in 0..RECORDS {
            let id = i * RECORDS + record;
            let device = random.below(500);
            let temp = (20.0 + 5.0 * random.normal()) * 100.0;
            let tags = ["[]", r#"["a"]"#, r#"["a", "b"]"#][random.below(3)];
            let (lat, lon) = (random.unit(), random.unit());
            write!(
                text,
                r#"{{"id": {id}, "device": "d{device}", "temp": {:?}, "tags": {tags}, "pos": {{"lat": {lat:?}, "lon": {lon:?}}}"#,
                temp.round() / 100.0
            )?;
            if i > per_half / 2 {
                write!(text, r#", "firmware": "2.{}""#, random.below(9))?;
                lake.with_firmware += 1;
            }
            text.push_str("}\n");
        }
        let dir = format!("events/year={year}/month={month:02}/day={day:02}");
        write(&dir, &format!("part-{i:06}.json"), &text)?;

        text.clear();
        text.push_str("sensor,ts,value,note\n");
        for record in 0..RECORDS {
            let sensor = random.below(90);
            write!(
                text,
                "s{sensor},{year}-{month:02}-{day:02}T{hour:02}:{record:02}:00Z,"
            )?;
            if i < per_half / 2 {
                let value = random.below(1000);
                write!(text, "{value}")?;
                lake.thousandths += value as u64 * 1000;
            } else {
                let value = random.below(1_000_000);
                write!(text, "{}.{:03}", value / 1000, value % 1000)?;
                lake.thousandths += value as u64;
            }
            text.push_str(if record % 7 == 0 {
                ",\n"
            } else {
                ",\"ok, fine\"\n"
            });
        }
        write(
            &format!("readings/{year}/{month:02}/{day:02}"),
            &format!("part-{i:06}.csv"),
            &text,
        )?;
    }
    Ok(lake)
}
