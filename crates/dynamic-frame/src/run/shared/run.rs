//! A shared frame of one run: its plan, its partitions, and who reads them.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::catalog::Session;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::physical_planner::PhysicalPlanner;
use tokio::sync::OnceCell;

use super::lane::Lane;

/// A frame that is computed once for all of its readers.
pub(super) struct SharedRun {
    pub(super) id: String,
    pub(super) plan: LogicalPlan,
    pub(super) metrics: ExecutionPlanMetricsSet,
    planned: OnceCell<Planned>,
    /// For each reader, whether it is gone.
    gone: Mutex<Vec<bool>>,
}

/// The operators, and a lane for each of their partitions.
pub(super) struct Planned {
    pub(super) input: Arc<dyn ExecutionPlan>,
    pub(super) lanes: Vec<Arc<Lane>>,
}

impl fmt::Debug for SharedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRun")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl SharedRun {
    pub(super) fn new(id: String, plan: LogicalPlan) -> Arc<Self> {
        Arc::new(Self {
            id,
            plan,
            metrics: ExecutionPlanMetricsSet::new(),
            planned: OnceCell::new(),
            gone: Mutex::default(),
        })
    }

    /// A place for one more reader. Batches are kept for it until it has read them or is dropped.
    pub(super) fn slot(self: &Arc<Self>) -> Result<Arc<Slot>> {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        let number = gone.len();
        if let Some(planned) = self.planned.get() {
            for lane in &planned.lanes {
                lane.expect(number)?;
            }
        }
        gone.push(false);
        Ok(Arc::new(Slot {
            run: Arc::clone(self),
            number,
            claimed: AtomicBool::new(false),
        }))
    }

    /// The operators that compute the frame, planned when the first reader is.
    pub(super) async fn planned(
        &self,
        planner: &dyn PhysicalPlanner,
        session: &dyn Session,
    ) -> Result<&Planned> {
        let plan = || async {
            let input = planner.create_physical_plan(&self.plan, session).await?;
            let count = input.output_partitioning().partition_count();
            let lane =
                |partition| Arc::new(Lane::new(self.id.clone(), partition, self.metrics.clone()));
            Ok::<_, DataFusionError>(Planned {
                lanes: (0..count).map(lane).collect(),
                input,
            })
        };
        let planned = self.planned.get_or_try_init(plan).await?;
        // Those that came or went before there were lanes.
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        for lane in &planned.lanes {
            for (number, gone) in gone.iter().enumerate() {
                lane.expect(number)?;
                if *gone {
                    lane.leave(number);
                }
            }
        }
        Ok(planned)
    }

    fn leave(&self, number: usize) {
        let mut all = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gone) = all.get_mut(number) {
            *gone = true;
        }
        drop(all);
        if let Some(planned) = self.planned.get() {
            for lane in &planned.lanes {
                lane.leave(number);
            }
        }
    }
}

/// A reader's place. When the last plan, operator and stream that hold it are dropped, the reader is gone and
/// nobody waits for it.
pub(super) struct Slot {
    pub(super) run: Arc<SharedRun>,
    pub(super) number: usize,
    claimed: AtomicBool,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.run.id, self.number)
    }
}

impl Slot {
    /// The place for one operator. Where the optimizer has doubled a part of a plan, the second gets a new one.
    pub(super) fn claim(self: &Arc<Self>) -> Result<Arc<Self>> {
        if !self.claimed.swap(true, Ordering::AcqRel) {
            return Ok(Arc::clone(self));
        }
        let slot = self.run.slot()?;
        slot.claimed.store(true, Ordering::Release);
        Ok(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.run.leave(self.number);
    }
}
