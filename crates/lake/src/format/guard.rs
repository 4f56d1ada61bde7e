//! Where readers of others meet files of anyone: a panic in one becomes an error that names the file.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;

use super::Batches;
use crate::error::{LakeError, Result};

fn panicked(file: &str, panic: &(dyn Any + Send)) -> LakeError {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason was given");
    LakeError::data(
        file,
        format!("the file is damaged in a way that its reader does not foresee: {said}"),
    )
}

/// Runs what reads a file. Nothing that it was at work on is used after a panic.
pub(super) fn guarded<T>(file: &str, read: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| Err(panicked(file, &*panic)))
}

/// Batches of a file, which end with the first error.
pub(super) struct Guarded {
    file: String,
    batches: Option<Batches>,
}

impl Guarded {
    pub(super) fn new(file: &str, batches: Batches) -> Self {
        Guarded {
            file: file.to_owned(),
            batches: Some(batches),
        }
    }
}

impl Iterator for Guarded {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batches = self.batches.as_mut()?;
        let next = guarded(&self.file, || batches.next().transpose());
        if !matches!(next, Ok(Some(_))) {
            self.batches = None;
        }
        next.transpose()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_the_file() {
        let told = "f: the file is damaged in a way that its reader does not foresee: index 7";
        let error = guarded::<()>("f", || panic!("index {}", 7)).unwrap_err();
        assert_eq!(error.to_string(), told);
        let once = std::iter::once_with(|| panic!("index 7"));
        let mut batches = Guarded::new("f", Box::new(once));
        assert_eq!(batches.next().unwrap().unwrap_err().to_string(), told);
        assert!(batches.next().is_none());
    }
}
