//! Several frames under their names.

use mastic_schema::names;

use crate::{DynamicFrame, FrameError, Result};

/// An ordered collection of frames, each under a key: what splits and
/// [`DynamicFrame::relationalize`] give (Glue's `DynamicFrameCollection`).
#[derive(Debug, Clone, Default)]
pub struct FrameCollection {
    frames: Vec<(String, DynamicFrame)>,
}

impl FrameCollection {
    /// A collection of these frames.
    ///
    /// # Errors
    /// When two have the same key.
    pub fn new(frames: impl IntoIterator<Item = (String, DynamicFrame)>) -> Result<Self> {
        let mut all = Self::default();
        for (key, frame) in frames {
            if all.frames.iter().any(|(known, _)| *known == key) {
                return Err(FrameError::KeyExists { key });
            }
            all.frames.push((key, frame));
        }
        Ok(all)
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> + Clone {
        self.frames.iter().map(|(key, _)| key.as_str())
    }

    /// The frames, in order.
    pub fn values(&self) -> impl Iterator<Item = &DynamicFrame> {
        self.frames.iter().map(|(_, frame)| frame)
    }

    /// The keys and frames, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &DynamicFrame)> {
        self.frames.iter().map(|(key, frame)| (key.as_str(), frame))
    }

    /// How many frames there are.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The frame under this key (Glue's `SelectFromCollection`).
    ///
    /// # Errors
    /// When there is none; Glue gives an empty frame, which hides a slip of the pen.
    pub fn select(&self, key: &str) -> Result<DynamicFrame> {
        let found = self.frames.iter().find(|(known, _)| known == key);
        found
            .map(|(_, frame)| frame.clone())
            .ok_or_else(|| FrameError::KeyNotFound {
                key: key.to_owned(),
                did_you_mean: names::closest(key, self.keys()),
                available: self.keys().map(str::to_owned).collect(),
            })
    }

    /// Each frame transformed, under its key (Glue's `MapToCollection`).
    ///
    /// # Errors
    /// Whatever the transform says.
    pub fn map(
        self,
        mut transform: impl FnMut(&str, DynamicFrame) -> Result<DynamicFrame>,
    ) -> Result<Self> {
        let frames = self.frames.into_iter().map(|(key, frame)| {
            let made = transform(&key, frame)?;
            Ok((key, made))
        });
        let frames = frames.collect::<Result<_>>()?;
        Ok(Self { frames })
    }

    /// All frames of the collections that each frame is made into (Glue's `FlatMap`). A key of those is put
    /// behind the key of the frame that it came from: `key_inner`.
    ///
    /// # Errors
    /// Whatever the transform says, or when two frames get the same key.
    pub fn flat_map(
        self,
        mut transform: impl FnMut(&str, DynamicFrame) -> Result<Self>,
    ) -> Result<Self> {
        let mut all = Vec::new();
        for (key, frame) in self.frames {
            for (inner, made) in transform(&key, frame)?.frames {
                all.push((format!("{key}_{inner}"), made));
            }
        }
        Self::new(all)
    }
}
