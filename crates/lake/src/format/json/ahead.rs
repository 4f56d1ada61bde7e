//! Other threads that decode records ahead of who reads them.
//!
//! The reader cuts the text behind a line feed that an opening brace follows, and a piece at a time goes to another
//! thread, which decodes it like a text of its own. That text ends as the whole would go on: with what begins
//! a record. So all that was made of a piece is right unless a record was open at its end (one that goes on
//! over lines, or an array of records): then the piece and all behind it are given back, and records are read one
//! after another for a while, as they are where anything is wrong with a piece. Errors are told by who
//! reads so, and nothing is ever guessed.
//!
//! Only what follows the first batch is cut, when it is known whether records are lines of their own: then
//! a bad line is a bad record, whatever is around it.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;

use super::decode::{Decoder, Settled};
use super::records::{Place, Records};
use super::{JsonOptions, Step};
use crate::error::{LakeError, Result};
use crate::format::guard::guarded;
use crate::format::threads::{Misses, Threads};
use crate::format::{AsFrame, BadRecord, BadRecords, Decode};

/// So many bad records may be in a piece. Where more are, they are set aside one by one.
const MAX_BAD: usize = 10_000;

/// Decodes a file: where there are threads, with their help.
pub(in crate::format) struct ParallelDecoder<R> {
    decoder: Decoder<Records<R>>,
    /// How pieces are decoded; `None` where text is not cut, or not any more.
    ahead: Option<Ahead>,
    frame: Option<AsFrame>,
    ready: VecDeque<RecordBatch>,
    done: bool,
}

impl<R: Read> ParallelDecoder<R> {
    /// A decoder that decodes on the thread that asks for batches, and on others where `threads` are given.
    pub(in crate::format) fn new(
        reader: R,
        options: &JsonOptions,
        decode: &Decode,
        threads: Option<Threads>,
    ) -> Result<Self> {
        let steps: &[Step] = options.steps();
        let records = Records::at(reader, steps);
        let ahead = threads
            .filter(|_| steps.is_empty())
            .map(|threads| Ahead::new(threads, options, decode));
        Ok(ParallelDecoder {
            decoder: Decoder::new(records, options, decode, false)?,
            ahead,
            frame: decode.frame.clone(),
            ready: VecDeque::new(),
            done: false,
        })
    }

    fn fill(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(ahead) = &mut self.ahead {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            let settled = self.decoder.settled();
            let records = self.decoder.records();
            let settled = settled.filter(|_| ahead.is_at_work() || records.is_between());
            let next = match settled {
                Some(settled) => ahead.next(records, settled)?,
                None => None,
            };
            let Some(piece) = next else {
                if ahead.ended {
                    self.ahead = None;
                }
                break;
            };
            if let Some(frame) = &self.frame {
                for bad in piece.bad {
                    frame.bad_records.set_aside(bad)?;
                }
            }
            self.ready.extend(piece.batches);
        }
        self.decoder.next().transpose()
    }
}

impl<R: Read> Iterator for ParallelDecoder<R> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let batch = self.fill();
        if !matches!(batch, Ok(Some(_))) {
            self.done = true;
            self.ahead = None;
        }
        batch.transpose()
    }
}

/// What a thread made of a piece of text.
struct Made {
    text: Vec<u8>,
    /// Nothing where anything was wrong with it.
    piece: Option<Piece>,
}

/// The records of a piece.
struct Piece {
    batches: Vec<RecordBatch>,
    bad: Vec<BadRecord>,
}

/// A piece of text at work, and where it begins.
struct Job {
    place: Place,
    made: Receiver<Result<Made>>,
}

/// How pieces are decoded, for all threads.
struct Work {
    options: JsonOptions,
    decode: Decode,
    /// Nobody waits any more.
    stopped: AtomicBool,
}

/// Pieces of a file that are decoded ahead.
struct Ahead {
    threads: Threads,
    work: Arc<Work>,
    jobs: VecDeque<Job>,
    /// Text that was read and not given to a thread, and where it begins.
    left: Vec<u8>,
    place: Option<Place>,
    /// Memory of texts that are done with.
    spare: Vec<Vec<u8>>,
    misses: Misses,
    /// Whether no more text is cut for now.
    paused: bool,
    /// Whether none is cut any more.
    ended: bool,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.work.stopped.store(true, Ordering::Relaxed);
    }
}

impl Ahead {
    fn new(threads: Threads, options: &JsonOptions, decode: &Decode) -> Self {
        Ahead {
            threads,
            work: Arc::new(Work {
                options: options.clone(),
                decode: decode.clone(),
                stopped: AtomicBool::new(false),
            }),
            jobs: VecDeque::new(),
            left: Vec::new(),
            place: None,
            spare: Vec::new(),
            misses: Misses::default(),
            paused: false,
            ended: false,
        }
    }

    /// Whether text was taken that is not given back.
    fn is_at_work(&self) -> bool {
        self.place.is_some()
    }

    /// The next piece; `None` when what follows is left to the records, which are then where it begins.
    fn next<R: Read>(
        &mut self,
        records: &mut Records<R>,
        settled: Settled,
    ) -> Result<Option<Piece>> {
        self.hand_out(records, settled);
        let Some(job) = self.jobs.pop_front() else {
            self.give_back(records, None)?;
            return Ok(None);
        };
        let made = self.received(&job)?;
        match made.piece {
            Some(piece) => {
                self.misses.right();
                self.spare.push(made.text);
                Ok(Some(piece))
            }
            None => {
                self.ended = !self.misses.wrong();
                self.give_back(records, Some((job.place, made.text)))?;
                Ok(None)
            }
        }
    }

    fn received(&self, job: &Job) -> Result<Made> {
        job.made.recv().unwrap_or_else(|_| {
            let file = &self.work.decode.file;
            Err(LakeError::data(file, "a thread that decodes it stopped"))
        })
    }

    /// Gives threads as much as they can have.
    fn hand_out<R: Read>(&mut self, records: &mut Records<R>, settled: Settled) {
        let mut place = *self.place.get_or_insert_with(|| records.place());
        while !self.ended && !self.paused && self.jobs.len() <= self.threads.count {
            let Some(text) = self.cut(records) else {
                break;
            };
            let behind = place.behind(&text);
            let work = self.work.clone();
            let made = self.threads.start(move || {
                if work.stopped.load(Ordering::Relaxed) {
                    return None;
                }
                Some(guarded(&work.decode.file, || {
                    work.decode(text, place, settled)
                }))
            });
            self.jobs.push_back(Job { place, made });
            place = behind;
        }
        self.place = Some(place);
    }

    /// Cuts a piece off the text; `None` where there is none.
    fn cut<R: Read>(&mut self, records: &mut Records<R>) -> Option<Vec<u8>> {
        let wanted = self.threads.piece.max(2);
        records.take_text(&mut self.left, wanted);
        if self.left.len() < wanted {
            // What is left is the records' own.
            self.ended = true;
            return None;
        }
        let Some(cut) = memchr::memmem::rfind(&self.left, b"\n{") else {
            self.ended = !self.misses.wrong();
            self.paused = true;
            return None;
        };
        let mut rest = self.spare.pop().unwrap_or_default();
        rest.clear();
        rest.extend_from_slice(&self.left[cut + 1..]);
        self.left.truncate(cut + 1);
        Some(std::mem::replace(&mut self.left, rest))
    }

    /// Gives all text back that was taken: from this one on, where one is given.
    fn give_back<R: Read>(
        &mut self,
        records: &mut Records<R>,
        from: Option<(Place, Vec<u8>)>,
    ) -> Result<()> {
        let Some(place) = self.place.take() else {
            return Ok(());
        };
        let (place, mut text) = from.unwrap_or((place, Vec::new()));
        for job in std::mem::take(&mut self.jobs) {
            text.append(&mut self.received(&job)?.text);
        }
        text.append(&mut self.left);
        records.give_back(text, place);
        self.paused = false;
        Ok(())
    }
}

impl Work {
    fn decode(&self, text: Vec<u8>, place: Place, settled: Settled) -> Result<Made> {
        let bad = Arc::new(Few::default());
        let mut decode = self.decode.clone();
        if let Some(frame) = &mut decode.frame {
            frame.bad_records = bad.clone();
        }
        let records: Records<io::Empty> = Records::of_text(text, place);
        let mut decoder = Decoder::new(records, &self.options, &decode, false)?;
        decoder.read_part(settled);
        let batches: Result<Vec<RecordBatch>> = decoder.by_ref().collect();
        let text = decoder.into_records().into_text();
        let piece = batches.ok().map(|batches| Piece {
            batches,
            bad: std::mem::take(&mut *bad.lock()),
        });
        Ok(Made { text, piece })
    }
}

/// The bad records of a piece, as long as they are few.
#[derive(Debug, Default)]
struct Few(Mutex<Vec<BadRecord>>);

impl Few {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<BadRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BadRecords for Few {
    fn set_aside(&self, record: BadRecord) -> Result<()> {
        let mut records = self.lock();
        if records.len() == MAX_BAD {
            let message = "a piece has too many bad records";
            return Err(LakeError::data(&record.file, message));
        }
        records.push(record);
        Ok(())
    }
}
