//! An S3 server of its own for a test: s3s-fs over HTTP, in this process.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s::{S3Result, s3_error};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::Lake;

/// The access key that the server knows.
pub const ACCESS_KEY: &str = "lakekey";
/// Its secret.
pub const SECRET_KEY: &str = "lakesecret";

/// A server on a free port of 127.0.0.1, whose objects are files of a temporary folder. It ends
/// when dropped.
pub struct S3 {
    folder: TempDir,
    port: u16,
    denied: Denied,
    _runtime: Runtime,
}

/// Keys of objects that nobody may read.
#[derive(Debug, Clone, Default)]
struct Denied(Arc<Mutex<BTreeSet<String>>>);

impl S3Access for Denied {
    // What an `async fn` of this trait is.
    fn check<'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        context: &'life1 mut S3AccessContext<'life2>,
    ) -> Pin<Box<dyn Future<Output = S3Result<()>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        Self: 'async_trait,
    {
        let denied = context.credentials().is_none()
            || context.s3_op().name() == "GetObject"
                && context
                    .s3_path()
                    .as_object()
                    .is_some_and(|(_, key)| self.0.lock().unwrap().contains(key));
        Box::pin(async move {
            if denied {
                return Err(s3_error!(AccessDenied, "Access Denied"));
            }
            Ok(())
        })
    }
}

impl S3 {
    /// Starts one with these buckets.
    pub fn start(buckets: &[&str]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("mastic-s3-")
            .tempdir()
            .unwrap();
        for bucket in buckets {
            std::fs::create_dir(folder.path().join(bucket)).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let denied = Denied::default();
        let service = {
            let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
            builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
            builder.set_access(denied.clone());
            builder.build()
        };
        let listener = runtime
            .block_on(TcpListener::bind(("127.0.0.1", 0)))
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move {
            let http = Builder::new(TokioExecutor::new());
            while let Ok((socket, _)) = listener.accept().await {
                let connection = http
                    .serve_connection(TokioIo::new(socket), service.clone())
                    .into_owned();
                tokio::spawn(async move {
                    // A client that leaves in the middle is no matter of the server's.
                    let _ = connection.await;
                });
            }
        });
        S3 {
            folder,
            port,
            denied,
            _runtime: runtime,
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Lets a lake's commands find the server, by the variables that other tools read.
    pub fn enter(&self, lake: &mut Lake) {
        lake.set("AWS_ENDPOINT_URL", &self.endpoint());
        lake.set("AWS_REGION", "us-east-1");
        lake.set("AWS_ACCESS_KEY_ID", ACCESS_KEY);
        lake.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    }

    /// Puts an object: a key is the path of a file.
    pub fn put(&self, bucket: &str, key: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(bucket).join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Lets nobody read an object from now on, or everybody again.
    pub fn deny(&self, key: &str, denied: bool) {
        let mut keys = self.denied.0.lock().unwrap();
        if denied {
            keys.insert(key.to_owned());
        } else {
            keys.remove(key);
        }
    }

    /// The folder of a bucket.
    pub fn bucket(&self, bucket: &str) -> PathBuf {
        self.folder.path().join(bucket)
    }

    /// All keys of a bucket.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let root = self.bucket(bucket);
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(relative(&root, &path));
                }
            }
        }
        found.sort();
        found
    }

    /// Parts of multipart uploads that were neither completed nor given up.
    pub fn open_parts(&self) -> Vec<String> {
        std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with(".upload_id-"))
            .collect()
    }
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}
