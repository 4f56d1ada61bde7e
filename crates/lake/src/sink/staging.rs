//! Where a sink's files wait for the commit, invisible: a hidden folder beside the data on a disk,
//! uploads that are not completed yet in an object store.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, stream};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{MultipartId, PutPayload};
use tokio::task::JoinSet;

use super::{HIDDEN, SinkSpec};
use crate::error::{LakeError, Result};
use crate::store::Location;

/// The staging of one run.
#[derive(Debug)]
pub(super) enum Staging {
    Local(LocalStaging),
    Uploads(UploadStaging),
}

/// A file that waits for the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StagedFile {
    pub(super) bytes: u64,
    /// The upload's id and the parts' ids, in an object store.
    pub(super) upload: Option<(String, Vec<String>)>,
}

#[derive(Debug)]
pub(super) struct LocalStaging {
    root: PathBuf,
    /// `<root>/_mastic/<run>`
    folder: PathBuf,
    /// The topmost folder that had to be made for the sink to have a root.
    made: Option<PathBuf>,
}

pub(super) struct UploadStaging {
    root: Location,
    store: Arc<dyn MultipartStore>,
    part_bytes: usize,
    in_flight: usize,
    /// Uploads that are neither completed nor aborted, so that an abort finds them all.
    open: Mutex<BTreeMap<MultipartId, Path>>,
}

impl std::fmt::Debug for UploadStaging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("UploadStaging").field(&self.root).finish()
    }
}

/// The folder on disk that a local location names.
pub(super) fn fs_path(root: &Location) -> PathBuf {
    PathBuf::from(format!("/{}", root.path))
}

/// Wraps a failure of the file system.
pub(super) fn io<'a>(
    action: &'static str,
    path: &'a FsPath,
) -> impl FnOnce(std::io::Error) -> LakeError + 'a {
    move |source| LakeError::Io {
        path: path.to_owned(),
        action,
        source,
    }
}

/// Wraps a failure of an object store.
pub(super) fn store_error(
    action: &'static str,
    root: &Location,
    path: &Path,
) -> impl FnOnce(object_store::Error) -> LakeError + use<> {
    let url = root.url_of(path);
    move |source| LakeError::Store {
        url,
        action,
        source,
    }
}

/// Runs blocking file work off the engine's threads.
pub(super) async fn blocking<T: Send + 'static>(
    root: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(LakeError::Sink {
            url: root.to_owned(),
            message: format!("the writing thread stopped: {error}"),
        }),
    }
}

impl Staging {
    /// Makes the place where `run` stages its files.
    pub(super) async fn open(spec: &SinkSpec, run: &str) -> Result<Self> {
        let root = &spec.root;
        if let Some(store) = &root.multipart {
            return Ok(Staging::Uploads(UploadStaging {
                root: root.clone(),
                store: store.clone(),
                part_bytes: spec.upload_part_bytes.max(1),
                in_flight: spec.uploads_in_flight.max(1),
                open: Mutex::default(),
            }));
        }
        if !root.is_local() {
            return Err(LakeError::Sink {
                url: root.url.clone(),
                message: "this store has no multipart uploads that a commit could wait with".into(),
            });
        }
        let path = fs_path(root);
        let run = run.to_owned();
        blocking(&root.url, move || {
            LocalStaging::open(path, &run).map(Staging::Local)
        })
        .await
    }

    /// A writer of one file, by its path below the root. Nothing is visible there until the commit.
    pub(super) async fn create(self: &Arc<Self>, relative: &str) -> Result<FileWriter> {
        match self.as_ref() {
            Staging::Local(local) => {
                let path = local.staged(relative);
                let made = path.clone();
                let file = blocking(relative, move || {
                    if let Some(folder) = made.parent() {
                        std::fs::create_dir_all(folder).map_err(io("create", folder))?;
                    }
                    File::create_new(&made).map_err(io("create", &made))
                })
                .await?;
                Ok(FileWriter::Local(LocalWriter {
                    path,
                    file: Some(file),
                    bytes: 0,
                }))
            }
            Staging::Uploads(uploads) => {
                let path = uploads.root.child(relative).path;
                let id = uploads
                    .store
                    .create_multipart(&path)
                    .await
                    .map_err(store_error("write", &uploads.root, &path))?;
                uploads.lock().insert(id.clone(), path.clone());
                Ok(FileWriter::Upload(UploadWriter {
                    staging: self.clone(),
                    path,
                    id,
                    buffer: Vec::new(),
                    parts: Vec::new(),
                    sending: JoinSet::new(),
                    bytes: 0,
                }))
            }
        }
    }

    /// The uploads belong to the commit from here on: an abort must not touch them.
    pub(super) fn hand_over(&self) {
        if let Staging::Uploads(uploads) = self {
            uploads.lock().clear();
        }
    }

    /// Removes everything staged, and every folder made for it.
    pub(super) async fn abort(&self) -> Result<()> {
        match self {
            Staging::Local(local) => {
                let folder = local.folder.clone();
                let (root, made) = (local.root.clone(), local.made.clone());
                blocking(&local.root.to_string_lossy(), move || {
                    remove_tree(&folder).map_err(io("remove", &folder))?;
                    tidy(&root, made.as_deref());
                    Ok(())
                })
                .await
            }
            Staging::Uploads(uploads) => {
                let open = std::mem::take(&mut *uploads.lock());
                abort_uploads(&uploads.root, &uploads.store, open).await
            }
        }
    }

    /// What can be done towards an abort without waiting, for when a run is dropped.
    pub(super) fn abandon(&self) {
        match self {
            Staging::Local(local) => {
                if let Err(error) = remove_tree(&local.folder) {
                    log::warn!("cannot remove {}: {error}", local.folder.display());
                }
                tidy(&local.root, local.made.as_deref());
            }
            Staging::Uploads(uploads) => {
                let open = std::mem::take(&mut *uploads.lock());
                if open.is_empty() {
                    return;
                }
                let (root, store) = (uploads.root.clone(), uploads.store.clone());
                match tokio::runtime::Handle::try_current() {
                    Ok(runtime) => {
                        runtime.spawn(async move {
                            if let Err(error) = abort_uploads(&root, &store, open).await {
                                log::warn!("{error}");
                            }
                        });
                    }
                    Err(_) => log::warn!("{} uploads to {} stay open", open.len(), root.url),
                }
            }
        }
    }
}

impl LocalStaging {
    fn open(root: PathBuf, run: &str) -> Result<Self> {
        if root.is_file() {
            return Err(LakeError::Sink {
                url: root.to_string_lossy().into_owned(),
                message: "it is a file, and a sink writes a folder of files".into(),
            });
        }
        let made = root
            .ancestors()
            .take_while(|folder| !folder.exists())
            .last()
            .map(FsPath::to_owned);
        let folder = root.join(HIDDEN).join(run);
        let mut made_it = std::fs::create_dir_all(&folder);
        for _ in 0..3 {
            // Another run that ends just now may take the emptied `_mastic` away under us.
            match &made_it {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    made_it = std::fs::create_dir_all(&folder);
                }
                _ => break,
            }
        }
        let staging = LocalStaging { root, folder, made };
        if let Err(source) = made_it {
            tidy(&staging.root, staging.made.as_deref());
            return Err(io("create", &staging.folder)(source));
        }
        Ok(staging)
    }

    fn staged(&self, relative: &str) -> PathBuf {
        self.folder.join("data").join(relative)
    }
}

impl UploadStaging {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<MultipartId, Path>> {
        // A poisoned lock holds a map that is still whole: entries come and go one at a time.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn abort_uploads(
    root: &Location,
    store: &Arc<dyn MultipartStore>,
    open: BTreeMap<MultipartId, Path>,
) -> Result<()> {
    let mut failures = stream::iter(open)
        .map(|(id, path)| async move {
            match store.abort_multipart(&path, &id).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => None,
                Err(source) => Some(store_error("abort the upload of", root, &path)(source)),
            }
        })
        .buffer_unordered(16);
    let mut first = Ok(());
    while let Some(failure) = failures.next().await {
        if let (Some(error), Ok(())) = (failure, &first) {
            first = Err(error);
        }
    }
    first
}

/// Removes a folder and what is in it; one that is not there is removed already.
pub(super) fn remove_tree(folder: &FsPath) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes `_mastic` where nothing is left in it, and then the folders that were made for the
/// sink, down from its root to `made`, where nothing is in them either.
pub(super) fn tidy(root: &FsPath, made: Option<&FsPath>) {
    // These fail where a folder is not empty, which is what keeps it.
    let _ = std::fs::remove_dir(root.join(HIDDEN));
    if let Some(made) = made {
        for folder in root.ancestors().take_while(|f| f.starts_with(made)) {
            if std::fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

/// Writes one staged file.
pub(super) enum FileWriter {
    Local(LocalWriter),
    Upload(UploadWriter),
}

pub(super) struct LocalWriter {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
}

pub(super) struct UploadWriter {
    staging: Arc<Staging>,
    path: Path,
    id: MultipartId,
    buffer: Vec<u8>,
    parts: Vec<Option<String>>,
    sending: JoinSet<object_store::Result<(usize, String)>>,
    bytes: u64,
}

impl FileWriter {
    pub(super) async fn write(&mut self, bytes: Vec<u8>) -> Result<()> {
        match self {
            FileWriter::Local(writer) => writer.write(bytes).await,
            FileWriter::Upload(writer) => writer.write(bytes).await,
        }
    }

    /// The memory that waits to be sent.
    pub(super) fn memory(&self) -> usize {
        match self {
            FileWriter::Local(_) => 0,
            FileWriter::Upload(writer) => writer.buffer.len(),
        }
    }

    /// Ends the file. It stays invisible.
    pub(super) async fn finish(self) -> Result<StagedFile> {
        match self {
            FileWriter::Local(writer) => Ok(StagedFile {
                bytes: writer.bytes,
                upload: None,
            }),
            FileWriter::Upload(writer) => writer.finish().await,
        }
    }
}

impl LocalWriter {
    async fn write(&mut self, bytes: Vec<u8>) -> Result<()> {
        // The file is away only while a write runs; one that failed leaves it away.
        let Some(mut file) = self.file.take() else {
            return Err(io("write", &self.path)(ErrorKind::BrokenPipe.into()));
        };
        self.bytes += bytes.len() as u64;
        let path = self.path.clone();
        let shown = self.path.to_string_lossy();
        let written = blocking(&shown, move || {
            file.write_all(&bytes).map_err(io("write", &path))?;
            Ok(file)
        });
        self.file = Some(written.await?);
        Ok(())
    }
}

impl UploadWriter {
    fn uploads(&self) -> Result<&UploadStaging> {
        match self.staging.as_ref() {
            Staging::Uploads(uploads) => Ok(uploads),
            Staging::Local(local) => Err(LakeError::Sink {
                url: local.root.to_string_lossy().into_owned(),
                message: "an upload was begun in a folder".into(),
            }),
        }
    }

    async fn write(&mut self, bytes: Vec<u8>) -> Result<()> {
        let part_bytes = self.uploads()?.part_bytes;
        self.bytes += bytes.len() as u64;
        if self.buffer.is_empty() {
            self.buffer = bytes;
        } else {
            self.buffer.extend_from_slice(&bytes);
        }
        // All parts but the last are of one size, which some stores insist on.
        while self.buffer.len() >= part_bytes {
            let rest = self.buffer.split_off(part_bytes);
            let part = std::mem::replace(&mut self.buffer, rest);
            self.send(part).await?;
        }
        Ok(())
    }

    async fn send(&mut self, part: Vec<u8>) -> Result<()> {
        while self.sending.len() >= self.uploads()?.in_flight {
            self.sent().await?;
        }
        let store = self.uploads()?.store.clone();
        let (path, id) = (self.path.clone(), self.id.clone());
        let number = self.parts.len();
        self.parts.push(None);
        self.sending.spawn(async move {
            let sent = store
                .put_part(&path, &id, number, PutPayload::from(part))
                .await?;
            Ok((number, sent.content_id))
        });
        Ok(())
    }

    async fn sent(&mut self) -> Result<()> {
        let done = match self.sending.join_next().await {
            None => return Ok(()),
            Some(Ok(done)) => done,
            Some(Err(error)) => Err(error.into()),
        };
        let root = &self.uploads()?.root;
        let (number, id) = done.map_err(store_error("write", root, &self.path))?;
        self.parts[number] = Some(id);
        Ok(())
    }

    async fn finish(mut self) -> Result<StagedFile> {
        // An upload has at least one part.
        if !self.buffer.is_empty() || self.parts.is_empty() {
            let part = std::mem::take(&mut self.buffer);
            self.send(part).await?;
        }
        while !self.sending.is_empty() {
            self.sent().await?;
        }
        Ok(StagedFile {
            bytes: self.bytes,
            upload: Some((self.id, self.parts.into_iter().flatten().collect())),
        })
    }
}
