//! Binds a file's columns to its table's by name, with widening and nothing else.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr_adapter::{
    BatchAdapter, BatchAdapterFactory, DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter,
    PhysicalExprAdapterFactory,
};
use mastic_schema::choice::{self, has_choice};
use mastic_schema::hive::{format_type, parse_type};
use mastic_schema::merge::{position, widen};
use mastic_schema::origin::LINE;

use super::choice::{ToChoice, chooses};
use crate::error::{LakeError, Result};

/// Adapts expressions over a table to each file: columns are found by name (the same case first,
/// then any case), missing ones are null, narrower ones are widened. A file's column that is
/// wider than the table's would lose values, and is an error. A table's column of a choice takes a
/// file's column as the alternative of its type.
#[derive(Debug, Clone, Default)]
pub struct ByName {
    /// Whether what a column does not hold is [`LakeError::Misfit`], as a dynamic frame needs it.
    pub misfits: bool,
}

impl PhysicalExprAdapterFactory for ByName {
    fn create(
        &self,
        logical: SchemaRef,
        physical: SchemaRef,
    ) -> EngineResult<Arc<dyn PhysicalExprAdapter>> {
        // The default adapter knows names by their exact case only: show it the file under the
        // table's names, and put the file's own names back afterwards.
        let fields = logical.fields();
        let mut renamed: Vec<Field> = physical
            .fields()
            .iter()
            .map(|f| f.as_ref().clone())
            .collect();
        for field in fields {
            let Some(at) = position(physical.fields(), field.name()) else {
                continue;
            };
            let taken = fields
                .iter()
                .any(|other| other.name() == physical.field(at).name());
            if physical.field(at).name() != field.name() && !taken {
                renamed[at].set_name(field.name());
            }
        }
        let renamed = Arc::new(Schema::new_with_metadata(
            renamed,
            physical.metadata().clone(),
        ));
        // Choices are made afterwards, and so are nested fields found that are written in another case: until then
        // their columns are what the file has.
        let mut shown: Vec<FieldRef> = fields.iter().cloned().collect();
        let mut chosen = HashMap::new();
        for (field, shown) in fields.iter().zip(&mut shown) {
            if let Ok(own) = renamed.field_with_name(field.name())
                && own.data_type() != field.data_type()
                && (has_choice(field.data_type())
                    || lost_to_case(own.data_type(), field.data_type()))
            {
                *shown = Arc::new(own.clone());
                chosen.insert(field.name().clone(), field.clone());
            }
        }
        let shown = Arc::new(Schema::new_with_metadata(shown, logical.metadata().clone()));
        let inner = DefaultPhysicalExprAdapterFactory.create(shown, renamed.clone())?;
        Ok(Arc::new(Adapter {
            inner,
            logical,
            renamed,
            physical,
            chosen,
            misfits: self.misfits,
        }))
    }
}

/// As [`ByName`], for a dynamic frame: the column of lines is bound to no column of a file, and so is null in formats
/// that have no lines.
#[derive(Debug, Clone, Default)]
pub struct ByNameInFrame;

impl PhysicalExprAdapterFactory for ByNameInFrame {
    fn create(
        &self,
        logical: SchemaRef,
        physical: SchemaRef,
    ) -> EngineResult<Arc<dyn PhysicalExprAdapter>> {
        let mut fields: Vec<Field> = physical
            .fields()
            .iter()
            .map(|f| f.as_ref().clone())
            .collect();
        for (at, field) in fields.iter_mut().enumerate() {
            if field.name().eq_ignore_ascii_case(LINE) {
                field.set_name(format!("{LINE} of the file, column {at}"));
            }
        }
        let hidden = Schema::new_with_metadata(fields, physical.metadata().clone());
        ByName { misfits: true }.create(logical, Arc::new(hidden))
    }
}

#[derive(Debug)]
struct Adapter {
    inner: Arc<dyn PhysicalExprAdapter>,
    logical: SchemaRef,
    renamed: SchemaRef,
    physical: SchemaRef,
    /// The table's columns that the engine's own cast would not make of the file's: choices that are none in the file,
    /// and those with fields in another case.
    chosen: HashMap<String, FieldRef>,
    misfits: bool,
}

impl Adapter {
    fn check(&self, column: &Column) -> EngineResult<()> {
        let (Ok(table), Ok(file)) = (
            self.logical.field_with_name(column.name()),
            self.renamed.field_with_name(column.name()),
        ) else {
            return Ok(());
        };
        if chooses(file.data_type(), table.data_type()) {
            return Ok(());
        }
        if self.misfits {
            return Err(DataFusionError::External(Box::new(LakeError::Misfit {
                file: "a file".to_owned(),
                line: None,
                name: column.name().to_owned(),
                wanted: choice::format_type(table.data_type()),
                found: choice::format_type(file.data_type()),
            })));
        }
        Err(DataFusionError::External(Box::new(LakeError::Option(
            format!(
                "column '{}' is {} in a file and {} in the table, which cannot be read without losing values; crawl again, or keep files of one schema",
                column.name(),
                format_type(file.data_type()),
                format_type(table.data_type()),
            ),
        ))))
    }
}

/// The type as catalogs know it.
pub(super) fn plain(data_type: &DataType) -> DataType {
    parse_type(&format_type(data_type)).unwrap_or(DataType::Utf8)
}

pub(super) fn fits(file: &DataType, table: &DataType) -> bool {
    let (file, table) = (plain(file), plain(table));
    if file.is_nested() && table == DataType::Utf8 {
        return false;
    }
    file == table || widen(&file, &table) == table || nested_fits(&file, &table)
}

/// Whether a nested field is there in another case only: the engine's own cast binds nested fields by
/// their exact names, and would read it as null.
fn lost_to_case(file: &DataType, table: &DataType) -> bool {
    match (file, table) {
        (DataType::Struct(a), DataType::Struct(b)) => {
            b.iter().any(|field| match position(a, field.name()) {
                None => false,
                Some(at) if a[at].name() != field.name() => true,
                Some(at) => lost_to_case(a[at].data_type(), field.data_type()),
            })
        }
        (DataType::List(a), DataType::List(b)) | (DataType::Map(a, _), DataType::Map(b, _)) => {
            lost_to_case(a.data_type(), b.data_type())
        }
        _ => false,
    }
}

/// A table's struct may lack fields that a file's has: they are not read.
fn nested_fits(file: &DataType, table: &DataType) -> bool {
    match (file, table) {
        (DataType::Struct(a), DataType::Struct(b)) => b.iter().all(|field| {
            position(a, field.name()).is_none_or(|at| fits(a[at].data_type(), field.data_type()))
        }),
        (DataType::List(a), DataType::List(b)) => fits(a.data_type(), b.data_type()),
        _ => false,
    }
}

impl PhysicalExprAdapter for Adapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> EngineResult<Arc<dyn PhysicalExpr>> {
        expr.apply(|e| {
            if let Some(column) = e.downcast_ref::<Column>() {
                self.check(column)?;
            }
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        })?;
        let rewritten = self.inner.rewrite(expr)?;
        rewritten
            .transform(|e| {
                if let Some(column) = e.downcast_ref::<Column>()
                    && column.index() < self.physical.fields().len()
                    && self.renamed.field(column.index()).name() == column.name()
                {
                    let name = self.physical.field(column.index()).name();
                    if let Some(field) = self.chosen.get(column.name()) {
                        let made = ToChoice {
                            column: Arc::new(Column::new(name, column.index())),
                            field: field.clone(),
                        };
                        return Ok(Transformed::yes(Arc::new(made) as Arc<dyn PhysicalExpr>));
                    }
                    if name != column.name() {
                        let own = Column::new(name, column.index());
                        return Ok(Transformed::yes(Arc::new(own) as Arc<dyn PhysicalExpr>));
                    }
                }
                Ok(Transformed::no(e))
            })
            .data()
    }
}

/// Adapts whole batches, for formats that hand out a file's own columns.
pub(super) struct Batcher {
    target: SchemaRef,
    in_frame: bool,
    adapter: Option<(SchemaRef, BatchAdapter)>,
}

impl Batcher {
    pub(super) fn new(target: SchemaRef, in_frame: bool) -> Self {
        Batcher {
            target,
            in_frame,
            adapter: None,
        }
    }

    pub(super) fn adapt(&mut self, file: &str, batch: &RecordBatch) -> Result<RecordBatch> {
        let named = |e: DataFusionError| match crate::error::find(&e) {
            Some(LakeError::Misfit {
                name,
                wanted,
                found,
                ..
            }) => LakeError::Misfit {
                file: file.to_owned(),
                line: None,
                name: name.clone(),
                wanted: wanted.clone(),
                found: found.clone(),
            },
            _ => LakeError::data(file, crate::error::message(&e)),
        };
        if self
            .adapter
            .as_ref()
            .is_none_or(|(s, _)| s != batch.schema_ref())
        {
            let factory: Arc<dyn PhysicalExprAdapterFactory> = match self.in_frame {
                true => Arc::new(ByNameInFrame),
                false => Arc::new(ByName::default()),
            };
            let adapter = BatchAdapterFactory::new(self.target.clone())
                .with_adapter_factory(factory)
                .make_adapter(batch.schema_ref())
                .map_err(named)?;
            self.adapter = Some((batch.schema(), adapter));
        }
        match &self.adapter {
            Some((_, adapter)) => adapter.adapt_batch(batch).map_err(named),
            None => Ok(batch.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{Array, Float64Array, Int32Array, Int64Array, StringArray};

    fn adapt(file: &RecordBatch, table: Vec<Field>) -> Result<RecordBatch> {
        Batcher::new(Arc::new(Schema::new(table)), false).adapt("f", file)
    }

    #[test]
    fn columns_bind_by_name_and_widen() {
        let file = RecordBatch::try_from_iter([
            ("B", Arc::new(StringArray::from(vec!["x"])) as _),
            ("a", Arc::new(Int32Array::from(vec![7])) as _),
        ])
        .unwrap();
        let table = vec![
            Field::new("a", DataType::Int64, true),
            Field::new("missing", DataType::Utf8, true),
            Field::new("b", DataType::Utf8, true),
        ];
        let batch = adapt(&file, table).unwrap();
        let a = batch
            .column(0)
            .as_any()
            .downcast_ref::<Int64Array>()
            .unwrap();
        assert_eq!(a.value(0), 7);
        assert!(batch.column(1).is_null(0));
        let b = batch
            .column(2)
            .as_any()
            .downcast_ref::<StringArray>()
            .unwrap();
        assert_eq!(b.value(0), "x");
    }

    #[test]
    fn narrowing_is_an_error() {
        let file =
            RecordBatch::try_from_iter([("a", Arc::new(Float64Array::from(vec![1.5])) as _)])
                .unwrap();
        let error = adapt(&file, vec![Field::new("a", DataType::Int64, true)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "f: column 'a' is double in a file and bigint in the table, which cannot be read without losing values; crawl again, or keep files of one schema"
        );
    }
}
