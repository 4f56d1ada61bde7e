//! Object stores by URL.
//!
//! A place in the lake is a local path (`data/`, `/data`, `file:///data`) or `s3://bucket/prefix`.
//! As in Hive's and Glue's `Location`, what follows the bucket is the key itself: it is never
//! percent-decoded.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::datasource::object_store::ObjectStoreUrl;
use object_store::ObjectStore;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::multipart::MultipartStore;
use object_store::path::Path;

use crate::error::{LakeError, Result};

/// A place in a store: a prefix, or one object.
#[derive(Clone)]
pub struct Location {
    /// As shown to people and kept in catalogs: `s3://bucket/a/b` or `/abs/dir`; no slash at the end.
    pub url: String,
    /// The store's own URL, by which DataFusion finds it.
    pub store_url: ObjectStoreUrl,
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// The prefix or key within the store.
    pub path: Path,
    /// Multipart uploads with ids that outlive a process, where the store has them.
    pub multipart: Option<Arc<dyn MultipartStore>>,
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Location").field(&self.url).finish()
    }
}

impl Location {
    /// The place `relative` below this one: key segments as they are, with `/` between them.
    pub fn child(&self, relative: &str) -> Location {
        let path = relative
            .split('/')
            .filter(|segment| !segment.is_empty())
            .fold(self.path.clone(), |path, segment| {
                // Parsing keeps a segment as it is, where `Path::child` would encode it again.
                Path::parse(format!("{path}/{segment}")).unwrap_or_else(|_| path.join(segment))
            });
        Location {
            url: self.url_of(&path),
            path,
            ..self.clone()
        }
    }

    /// Whether the place is on a local disk.
    pub fn is_local(&self) -> bool {
        self.store_url.as_str() == "file:///"
    }

    /// How an object of the same store is shown to people.
    pub fn url_of(&self, path: &Path) -> String {
        if self.is_local() {
            format!("/{path}")
        } else {
            format!("{}/{path}", self.store_url.as_str().trim_end_matches('/'))
        }
    }
}

/// Settings of S3-compatible stores, by `object_store`'s configuration names (`endpoint`,
/// `region`, `access_key_id`, …), over what the `AWS_*` environment says.
pub type S3Settings = BTreeMap<String, String>;

/// Opens stores, each once.
#[derive(Debug, Default)]
pub struct Stores {
    s3: S3Settings,
    buckets: Mutex<HashMap<String, Arc<AmazonS3>>>,
    local: Arc<LocalFileSystem>,
}

impl Stores {
    /// Stores with these settings for S3; what they leave out is read from the environment.
    ///
    /// # Errors
    /// When a setting has no such name.
    pub fn new(s3: S3Settings) -> Result<Self> {
        for name in s3.keys() {
            if name.parse::<AmazonS3ConfigKey>().is_err() {
                return Err(LakeError::Option(format!(
                    "'{name}' is no setting of an S3 store; there are endpoint, region, bucket, access_key_id, secret_access_key, session_token, virtual_hosted_style_request, allow_http …"
                )));
            }
        }
        Ok(Stores {
            s3,
            ..Stores::default()
        })
    }

    /// The place that `url` names.
    ///
    /// # Errors
    /// When the scheme is none that Mastic has, or a path cannot be made absolute.
    pub fn locate(&self, url: &str) -> Result<Location> {
        let bad = |reason: String| LakeError::Url {
            url: url.to_owned(),
            reason,
        };
        if let Some(rest) = url
            .strip_prefix("s3://")
            .or_else(|| url.strip_prefix("s3a://"))
        {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return Err(bad("the bucket's name is missing".into()));
            }
            let path = Path::parse(key.trim_matches('/')).map_err(|e| bad(e.to_string()))?;
            let s3 = self.bucket(bucket)?;
            let store_url = ObjectStoreUrl::parse(format!("s3://{bucket}"))?;
            let mut location = Location {
                url: String::new(),
                store_url,
                store: s3.clone(),
                path,
                multipart: Some(s3),
            };
            location.url = location
                .url_of(&location.path)
                .trim_end_matches('/')
                .to_owned();
            return Ok(location);
        }
        let plain = match url.split_once("://") {
            Some(("file", rest)) => rest,
            Some((scheme, _)) => {
                return Err(bad(format!(
                    "the scheme is '{scheme}', and there are s3:// and local paths"
                )));
            }
            None => url.strip_prefix("file:").unwrap_or(url),
        };
        if plain.is_empty() {
            return Err(bad("the path is empty".into()));
        }
        let absolute = absolute(FsPath::new(plain)).map_err(|source| LakeError::Io {
            path: plain.into(),
            action: "find",
            source,
        })?;
        let text = absolute
            .to_str()
            .ok_or_else(|| bad("the path is not UTF-8".into()))?;
        let path = Path::parse(text.trim_matches('/')).map_err(|e| bad(e.to_string()))?;
        Ok(Location {
            url: format!("/{path}"),
            store_url: ObjectStoreUrl::local_filesystem(),
            store: self.local.clone(),
            path,
            multipart: None,
        })
    }

    fn bucket(&self, bucket: &str) -> Result<Arc<AmazonS3>> {
        // A poisoned lock holds a map that is still whole: entries are only ever added.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = buckets.get(bucket) {
            return Ok(store.clone());
        }
        let store = Arc::new(self.connect(bucket)?);
        buckets.insert(bucket.to_owned(), store.clone());
        Ok(store)
    }

    fn connect(&self, bucket: &str) -> Result<AmazonS3> {
        // Reads AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION,
        // AWS_DEFAULT_REGION, AWS_ENDPOINT, AWS_ENDPOINT_URL, AWS_ALLOW_HTTP …
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
        for (variable, key) in [
            // Newer names that other tools read and object_store does not.
            ("AWS_ENDPOINT_URL_S3", AmazonS3ConfigKey::Endpoint),
        ] {
            if let Ok(value) = std::env::var(variable) {
                builder = builder.with_config(key, value);
            }
        }
        for (name, value) in &self.s3 {
            if let Ok(key) = name.parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
        if endpoint.is_some_and(|e| e.starts_with("http://")) {
            // An endpoint that someone wrote with http:// is meant to be spoken to over HTTP.
            builder = builder.with_allow_http(true);
        }
        // A store that is down should be told within seconds, not minutes.
        let retry = object_store::RetryConfig {
            max_retries: 4,
            retry_timeout: std::time::Duration::from_secs(20),
            ..Default::default()
        };
        builder
            .with_retry(retry)
            .build()
            .map_err(|source| LakeError::Store {
                url: format!("s3://{bucket}"),
                action: "open",
                source,
            })
    }
}

/// Absolute, and without `.` and `..`; links are kept as they are, so that what is shown is what
/// was typed.
fn absolute(path: &FsPath) -> std::io::Result<PathBuf> {
    let mut out = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        match part {
            std::path::Component::ParentDir => {
                out.pop();
            }
            std::path::Component::CurDir => {}
            other => out.push(other),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn places_keep_their_keys_as_they_are() {
        let stores = Stores::default();
        let place = stores.locate("s3://lake/a/dt=2024-01-01 00%3A00/").unwrap();
        assert_eq!(place.path.as_ref(), "a/dt=2024-01-01 00%3A00");
        assert_eq!(place.url, "s3://lake/a/dt=2024-01-01 00%3A00");
        assert_eq!(
            place.child("k=%2F/x.csv").url,
            "s3://lake/a/dt=2024-01-01 00%3A00/k=%2F/x.csv"
        );
        assert_eq!(stores.locate("s3://lake").unwrap().url, "s3://lake");

        let place = stores.locate("/tmp/x/../100% sure/").unwrap();
        assert_eq!(place.url, "/tmp/100% sure");
        assert!(place.is_local());
        assert_eq!(stores.locate("file:///tmp/y").unwrap().url, "/tmp/y");
    }

    #[test]
    fn other_schemes_are_refused_by_name() {
        let error = Stores::default()
            .locate("gs://b/k")
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "'gs://b/k' is not a place that Mastic can read: the scheme is 'gs', and there are s3:// and local paths"
        );
        assert!(Stores::new([("regoin".to_owned(), "x".to_owned())].into()).is_err());
    }
}
