//! Settings: arguments over the environment over `mastic.toml`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mastic_catalog::{CatalogStore, OpenMode};
use mastic_lake::store::{S3Settings, Stores};
use mastic_query::MemoryLimit;
use mastic_query::execution::{KEPT_RESULT_BYTES, KEPT_RESULTS, Results, Size};
use serde::Deserialize;

use crate::args::Global;
use crate::error::{CliError, Result};

/// The catalog that is used where none is named.
const DEFAULT_CATALOG: &str = ".mastic/catalog.db";
/// The settings' file, in the working folder.
const FILE: &str = "mastic.toml";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    catalog: Option<String>,
    memory_limit: Option<String>,
    spill_dir: Option<PathBuf>,
    workgroup: Option<String>,
    #[serde(default)]
    results: ResultsSection,
    #[serde(default)]
    s3: toml::Table,
}

/// `[results]`: where results of queries are kept, and how many.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResultsSection {
    /// A folder, `s3://BUCKET/PREFIX`, or `none`.
    location: Option<String>,
    /// The newest so many.
    keep: Option<u32>,
    /// Of these as many as have so many bytes together.
    max_bytes: Option<String>,
}

/// What a command works on.
pub(crate) struct Setting {
    pub(crate) stores: Arc<Stores>,
    catalog: String,
    /// The most memory that a run's operators may hold, where the settings say so.
    pub(crate) memory_limit: Option<MemoryLimit>,
    /// The folder that operators spill to, where the settings say so.
    pub(crate) spill_dir: Option<PathBuf>,
    /// The workgroup of queries, where the settings say so.
    pub(crate) workgroup: Option<String>,
    /// Where results of queries are kept, where the settings say so, and how many.
    results: Option<String>,
    keep: u32,
    max_bytes: u64,
}

impl Setting {
    pub(crate) fn read(global: &Global) -> Result<Setting> {
        let file = read_file(Path::new(FILE))?;
        let mut s3 = S3Settings::new();
        for (name, value) in file.s3 {
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Boolean(flag) => flag.to_string(),
                toml::Value::Integer(number) => number.to_string(),
                _ => {
                    return Err(CliError::failed(format!(
                        "{FILE}: [s3] {name} must be a string, a number or true or false"
                    )));
                }
            };
            // Path style is what people know; the store's setting is its opposite.
            match name.as_str() {
                "path_style" => {
                    let virtual_hosted = text != "true";
                    s3.insert(
                        "virtual_hosted_style_request".into(),
                        virtual_hosted.to_string(),
                    );
                }
                _ => {
                    s3.insert(name, text);
                }
            }
        }
        let memory_limit = file.memory_limit.map(|text| {
            let limit = text.parse::<MemoryLimit>();
            limit.map_err(|e| CliError::failed(format!("{FILE}: memory_limit: {e}")))
        });
        let max_bytes = file.results.max_bytes.map(|text| {
            let size = text.parse::<Size>();
            size.map_err(|e| CliError::failed(format!("{FILE}: [results] max_bytes: {e}")))
        });
        Ok(Setting {
            spill_dir: file.spill_dir,
            workgroup: file.workgroup,
            results: file.results.location,
            keep: file.results.keep.unwrap_or(KEPT_RESULTS),
            max_bytes: max_bytes
                .transpose()?
                .map_or(KEPT_RESULT_BYTES, |size| size.0),
            memory_limit: memory_limit.transpose()?,
            stores: Arc::new(Stores::new(s3)?),
            catalog: global
                .catalog
                .clone()
                .or(file.catalog)
                .unwrap_or_else(|| DEFAULT_CATALOG.to_owned()),
        })
    }

    /// The catalog, made where it is missing.
    pub(crate) async fn catalog(&self) -> Result<Arc<dyn CatalogStore>> {
        Ok(mastic_catalog::open(&self.catalog, OpenMode::CreateIfMissing).await?)
    }

    /// The catalog, for commands that only read it. Where it is missing, that is said.
    pub(crate) async fn existing_catalog(&self) -> Result<Arc<dyn CatalogStore>> {
        Ok(mastic_catalog::open(&self.catalog, OpenMode::MustExist).await?)
    }

    /// Where results of queries are kept: where the settings say, else beside a catalog that is a file. Nowhere, where the
    /// catalog is a server's.
    pub(crate) fn results(&self) -> Results {
        let path = self.catalog.strip_prefix("sqlite:");
        let path = path.map_or(self.catalog.as_str(), |rest| {
            rest.strip_prefix("//").unwrap_or(rest)
        });
        let results = match self.results.as_deref() {
            Some("none") => Results::none(),
            Some(location) => Results::at(location),
            None if path.starts_with("postgres:") || path.starts_with("postgresql:") => {
                Results::none()
            }
            None => Results::by_default(format!("{path}.results")),
        };
        Results {
            keep: self.keep,
            max_bytes: self.max_bytes,
            ..results
        }
    }

    /// The option that a next command needs to find the same catalog.
    pub(crate) fn catalog_option(&self, global: &Global) -> String {
        match &global.catalog {
            Some(url) if std::env::var("MASTIC_CATALOG").as_ref() != Ok(url) => {
                let plain = |c: char| c.is_alphanumeric() || "/._-:@=+".contains(c);
                if url.chars().all(plain) {
                    format!(" --catalog {url}")
                } else {
                    format!(" --catalog '{}'", url.replace('\'', "'\\''"))
                }
            }
            _ => String::new(),
        }
    }
}

fn read_file(path: &Path) -> Result<File> {
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(|e| {
            CliError::failed(format!("{}: {}", path.display(), e.to_string().trim_end()))
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(File::default()),
        Err(error) => Err(CliError::failed(format!(
            "cannot read {}: {error}",
            path.display()
        ))),
    }
}
