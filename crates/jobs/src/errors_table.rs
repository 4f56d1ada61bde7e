//! The frame `errors`: the error records of the run, as far as it has come when the frame is run.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{DataFrame, SessionContext};
use mastic_dynamic_frame::{DynamicFrame, FrameError, Ledger, error_fields};

use crate::script::ERRORS;

/// The frame over a ledger's error records.
pub(crate) fn frame(
    ledger: &Arc<Ledger>,
    context: &SessionContext,
) -> Result<DynamicFrame, FrameError> {
    let table = ErrorsTable {
        ledger: Arc::clone(ledger),
    };
    let plan = LogicalPlanBuilder::scan(ERRORS, provider_as_source(Arc::new(table)), None)?;
    DynamicFrame::new(DataFrame::new(context.state(), plan.build()?))
}

#[derive(Debug)]
struct ErrorsTable {
    ledger: Arc<Ledger>,
}

#[async_trait]
impl TableProvider for ErrorsTable {
    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(error_fields()))
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let records = self.ledger.error_batches()?;
        let plan =
            MemorySourceConfig::try_new_exec(&[records], self.schema(), projection.cloned())?;
        Ok(plan)
    }
}
