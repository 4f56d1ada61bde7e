//! An object store in memory that counts open uploads, fails where told to, and can be one that
//! ignores conditional puts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartId, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};

#[derive(Default)]
pub(super) struct TestStore {
    inner: InMemory,
    open: Mutex<BTreeMap<MultipartId, Path>>,
    /// Requests whose verb and key, as in `put a/b`, contain this fail.
    pub(super) fail: Mutex<Option<String>>,
    pub(super) ignores_conditions: AtomicBool,
}

impl TestStore {
    pub(super) fn open_uploads(&self) -> usize {
        self.open.lock().unwrap().len()
    }

    pub(super) fn fail_on(&self, what: &str) {
        *self.fail.lock().unwrap() = Some(what.to_owned());
    }

    pub(super) fn work(&self) {
        *self.fail.lock().unwrap() = None;
    }

    fn may(&self, verb: &str, path: &Path) -> Result<()> {
        let request = format!("{verb} {path}");
        match &*self.fail.lock().unwrap() {
            Some(what) if request.contains(what.as_str()) => Err(Error::Generic {
                store: "test",
                source: format!("no {request}").into(),
            }),
            _ => Ok(()),
        }
    }

    /// As S3 answers for an upload that is completed, aborted or was never begun.
    fn find(&self, id: &MultipartId, path: &Path) -> Result<()> {
        if self.open.lock().unwrap().get(id) == Some(path) {
            return Ok(());
        }
        Err(Error::NotFound {
            path: path.to_string(),
            source: "NoSuchUpload".into(),
        })
    }
}

impl fmt::Display for TestStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestStore")
    }
}

impl fmt::Debug for TestStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestStore")
    }
}

#[async_trait]
impl ObjectStore for TestStore {
    async fn put_opts(
        &self,
        path: &Path,
        data: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        self.may("put", path)?;
        if self.ignores_conditions.load(Ordering::Relaxed) {
            options.mode = PutMode::Overwrite;
        }
        self.inner.put_opts(path, data, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.may("get", path)?;
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[async_trait]
impl MultipartStore for TestStore {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.may("create", path)?;
        let id = self.inner.create_multipart(path).await?;
        self.open.lock().unwrap().insert(id.clone(), path.clone());
        Ok(id)
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        number: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        self.may("part", path)?;
        self.find(id, path)?;
        self.inner.put_part(path, id, number, data).await?;
        Ok(PartId {
            content_id: format!("part {number}"),
        })
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        self.may("complete", path)?;
        self.find(id, path)?;
        for (number, part) in parts.iter().enumerate() {
            assert_eq!(part.content_id, format!("part {number}"));
        }
        let done = self.inner.complete_multipart(path, id, parts).await?;
        self.open.lock().unwrap().remove(id);
        Ok(done)
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        self.may("abort", path)?;
        self.find(id, path)?;
        self.open.lock().unwrap().remove(id);
        self.inner.abort_multipart(path, id).await
    }
}
