//! One commit at a time that replaces files.
//!
//! On a disk the lock is the operating system's own on `_mastic/lock`, which ends with its process. In
//! an object store it is the object `_mastic/lock`, created only if it is not there (a conditional
//! put), with its owner and a time at which it expires.
//!
//! Some stores ignore the condition and overwrite (Garage 2.5 answers 200). The lock is therefore read
//! before and after it is written, which leaves two commits at the very same moment undetected
//! there, and nowhere else. Without the lock two overwrites can leave both their files visible; neither
//! can lose or tear a file.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path as FsPath, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use object_store::{
    Error, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion, path::Path,
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::HIDDEN;
use super::staging::{blocking, fs_path, io, store_error, tidy};
use crate::error::{LakeError, Result};
use crate::store::Location;

/// How long a lock in an object store holds when its owner does not come back. A commit takes
/// seconds; it does not record itself when its lock has expired.
const EXPIRES_AFTER: TimeDelta = TimeDelta::minutes(5);

const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// The right to replace files below a root.
#[derive(Debug)]
pub(super) enum Lock {
    Local {
        root: PathBuf,
        path: PathBuf,
        file: File,
    },
    Remote {
        root: Location,
        path: Path,
        expires: DateTime<Utc>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Held {
    owner: String,
    expires: DateTime<Utc>,
}

/// Takes the lock, waiting up to `patience` for whoever holds it.
pub(super) async fn acquire(root: &Location, run: &str, patience: Duration) -> Result<Lock> {
    let until = Instant::now() + patience;
    loop {
        let taken = if root.is_local() {
            let (folder, run) = (fs_path(root), run.to_owned());
            blocking(&root.url, move || try_local(&folder, &run)).await?
        } else {
            try_remote(root, run).await?
        };
        let holder = match taken {
            Ok(lock) => return Ok(lock),
            Err(holder) => holder,
        };
        if Instant::now() >= until {
            return Err(LakeError::Sink {
                url: root.url.clone(),
                message: format!(
                    "another run is committing there ({holder}); try again when it is done"
                ),
            });
        }
        sleep(ASK_AGAIN_AFTER).await;
    }
}

fn try_local(root: &FsPath, run: &str) -> Result<Result<Lock, String>> {
    let path = root.join(HIDDEN).join("lock");
    for _ in 0..10 {
        std::fs::create_dir_all(root.join(HIDDEN)).map_err(io("create", &path))?;
        let opened = File::options().create(true).append(true).open(&path);
        let mut file = match opened {
            Ok(file) => file,
            // The folder was removed as empty just now.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(io("write", &path)(error)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = std::fs::read_to_string(&path).unwrap_or_default();
                return Ok(Err(format!("run {}", holder.trim())));
            }
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                log::warn!("{} is on a file system without locks", path.display());
            }
            Err(TryLockError::Error(error)) => return Err(io("lock", &path)(error)),
        }
        // Its last holder may have removed the file between our opening and our locking it.
        if !is_still(&file, &path) {
            continue;
        }
        let named = file
            .set_len(0)
            .and_then(|()| file.write_all(run.as_bytes()));
        named.map_err(io("write", &path))?;
        let root = root.to_owned();
        return Ok(Ok(Lock::Local { root, path, file }));
    }
    Ok(Err("several others".into()))
}

#[cfg(unix)]
fn is_still(file: &File, path: &FsPath) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => ours.ino() == there.ino() && ours.dev() == there.dev(),
        _ => false,
    }
}

// Elsewhere an open file cannot be removed.
#[cfg(not(unix))]
fn is_still(_file: &File, path: &FsPath) -> bool {
    path.exists()
}

async fn try_remote(root: &Location, run: &str) -> Result<Result<Lock, String>> {
    let path = root.child(HIDDEN).child("lock").path;
    let failed = |error| store_error("lock", root, &path)(error);
    let mode = match read(root, &path).await.map_err(failed)? {
        None => PutMode::Create,
        Some((held, version)) if held.expires <= Utc::now() => {
            log::warn!("run {} left its lock on {} behind", held.owner, root.url);
            PutMode::Update(version)
        }
        Some((held, _)) => {
            let until = held.expires.format("%H:%M:%S UTC");
            return Ok(Err(format!(
                "run {}, until {until} at the latest",
                held.owner
            )));
        }
    };
    let expires = Utc::now() + EXPIRES_AFTER;
    let held = Held {
        owner: run.to_owned(),
        expires,
    };
    let bytes = serde_json::to_vec(&held).unwrap_or_default();
    let put = |mode| {
        let payload = PutPayload::from(bytes.clone());
        root.store.put_opts(&path, payload, PutOptions::from(mode))
    };
    match put(mode).await {
        Ok(_) => {}
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. }) => {
            return Ok(Err("it took the lock just now".into()));
        }
        Err(Error::NotImplemented { .. } | Error::NotSupported { .. }) => {
            put(PutMode::Overwrite).await.map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    match read(root, &path).await.map_err(failed)? {
        Some((held, _)) if held.owner == run => Ok(Ok(Lock::Remote {
            root: root.clone(),
            path,
            expires,
        })),
        Some((held, _)) => Ok(Err(format!("run {}", held.owner))),
        None => Ok(Err("it gave the lock back just now".into())),
    }
}

async fn read(root: &Location, path: &Path) -> object_store::Result<Option<(Held, UpdateVersion)>> {
    let found = match root.store.get(path).await {
        Ok(found) => found,
        Err(Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let version = UpdateVersion {
        e_tag: found.meta.e_tag.clone(),
        version: found.meta.version.clone(),
    };
    let written = found.meta.last_modified;
    let bytes = found.bytes().await?;
    let held = serde_json::from_slice(&bytes).unwrap_or_else(|_| Held {
        owner: "unknown".into(),
        expires: written + EXPIRES_AFTER,
    });
    Ok(Some((held, version)))
}

impl Lock {
    /// Whether the lock is still ours: not when it has expired.
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Lock::Remote { root, expires, .. } if *expires <= Utc::now() => Err(LakeError::Sink {
                url: root.url.clone(),
                message: "the commit took too long to prepare, and its lock has expired".into(),
            }),
            _ => Ok(()),
        }
    }

    pub(super) async fn release(self) {
        let expired = self.check().is_err();
        match self {
            Lock::Local { root, path, file } => {
                // Removed while it is held: whoever opened it before finds out (`is_still`).
                let _ = std::fs::remove_file(&path);
                drop(file);
                tidy(&root, None);
            }
            Lock::Remote { root, path, .. } if !expired => {
                if let Err(error) = root.store.delete(&path).await {
                    log::warn!("cannot give back the lock on {}: {error}", root.url);
                }
            }
            Lock::Remote { .. } => {}
        }
    }
}
