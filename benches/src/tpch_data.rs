//! TPC-H's tables: CSV with a header from `tpchgen`, and Parquet written from it by a library that is none of those
//! measured (Arrow's C++ through pyarrow).

use std::{
    fmt::Display,
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use tpchgen::{
    csv::{
        CustomerCsv, LineItemCsv, NationCsv, OrderCsv, PartCsv, PartSuppCsv, RegionCsv, SupplierCsv,
    },
    generators::{
        CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
        PartSuppGenerator, RegionGenerator, SupplierGenerator,
    },
};

use crate::{Outcome, python, setting::Setting};

/// All of them.
pub(crate) const TABLES: [&str; 8] = [
    "nation", "region", "part", "supplier", "partsupp", "customer", "orders", "lineitem",
];

/// `lineitem` alone, as one CSV file.
pub(crate) fn lineitem_csv(setting: &Setting, scale: f64) -> Outcome<PathBuf> {
    let dir = setting.data(&format!("lineitem-{scale}-csv"), |dir| {
        make_csv(dir, scale, &["lineitem"])
    })?;
    Ok(dir.join("lineitem/lineitem.csv"))
}

/// All tables as Parquet, one folder and one file each.
pub(crate) fn parquet(setting: &Setting, scale: f64) -> Outcome<PathBuf> {
    setting.data(&format!("tpch-{scale}-integers"), |dir| {
        let csv = tempfile::tempdir_in(&setting.work)?;
        let csv = csv.path().join("csv");
        make_csv(&csv, scale, &TABLES)?;
        python::help(setting, "csv_to_parquet", &[&csv, dir]).map(|_| ())
    })
}

/// Makes tables as `DIR/TABLE/TABLE.csv`.
pub(crate) fn make_csv(dir: &Path, scale: f64, tables: &[&str]) -> Outcome<()> {
    if !(scale > 0.0 && scale.is_finite()) {
        return Err(format!("{scale} is no scale factor: 0.1 is about 100 MB").into());
    }
    if dir.exists() {
        return Err(format!("{} exists already", dir.display()).into());
    }
    for &table in tables {
        let folder = dir.join(table);
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{table}.csv"));
        match table {
            "nation" => write(
                &file,
                NationCsv::header(),
                NationGenerator::new(scale, 1, 1).iter().map(NationCsv::new),
            ),
            "region" => write(
                &file,
                RegionCsv::header(),
                RegionGenerator::new(scale, 1, 1).iter().map(RegionCsv::new),
            ),
            "part" => write(
                &file,
                PartCsv::header(),
                PartGenerator::new(scale, 1, 1).iter().map(PartCsv::new),
            ),
            "supplier" => write(
                &file,
                SupplierCsv::header(),
                SupplierGenerator::new(scale, 1, 1)
                    .iter()
                    .map(SupplierCsv::new),
            ),
            "partsupp" => write(
                &file,
                PartSuppCsv::header(),
                PartSuppGenerator::new(scale, 1, 1)
                    .iter()
                    .map(PartSuppCsv::new),
            ),
            "customer" => write(
                &file,
                CustomerCsv::header(),
                CustomerGenerator::new(scale, 1, 1)
                    .iter()
                    .map(CustomerCsv::new),
            ),
            "orders" => write(
                &file,
                OrderCsv::header(),
                OrderGenerator::new(scale, 1, 1).iter().map(OrderCsv::new),
            ),
            _ => write(
                &file,
                LineItemCsv::header(),
                LineItemGenerator::new(scale, 1, 1)
                    .iter()
                    .map(LineItemCsv::new),
            ),
        }?;
    }
    Ok(())
}

fn write(file: &Path, header: &str, rows: impl Iterator<Item = impl Display>) -> Outcome<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file)?);
    writeln!(out, "{header}")?;
    for row in rows {
        writeln!(out, "{row}")?;
    }
    out.into_inner()?.sync_all()?;
    Ok(())
}
