//! K-means over numeric fields.

use arrow::datatypes::DataType;
use datafusion::dataframe::DataFrame;
use datafusion::functions_nested::expr_fn::make_array;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast, lit};
use mastic_schema::hive::format_type;

use crate::path::Path;
use crate::record::{Node, Value, column};
use crate::run::WORKING;
use crate::{DynamicFrame, FrameError, Result};

/// How [`DynamicFrame::kmeans`] clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kmeans {
    /// The numeric fields that a record is placed by.
    pub columns: Vec<String>,
    /// How many clusters, from 1 to 1,000.
    pub k: u32,
    /// The field that gets the number of a record's cluster, from 0.
    pub output_column: String,
    /// What the random starts are made from.
    pub seed: i64,
    /// How often centres are moved at most, from 1 to 10,000.
    pub iterations: u32,
    /// Whether fields are divided by their standard deviations first, so that their units do not matter.
    pub scale: bool,
}

impl Kmeans {
    /// So many clusters over these fields; seed 0, at most 100 iterations, scaled, into `cluster`.
    pub fn over(columns: impl IntoIterator<Item = impl Into<String>>, k: u32) -> Self {
        Self {
            columns: columns.into_iter().map(Into::into).collect(),
            k,
            output_column: "cluster".to_owned(),
            seed: 0,
            iterations: 100,
            scale: true,
        }
    }
}

impl DynamicFrame {
    /// Adds the number of the cluster that a record belongs to: by k-means++ and Lloyd's algorithm over
    /// numeric fields. Clusters are numbered in the order of their centres' coordinates; a record with a
    /// NULL among its fields has none.
    ///
    /// The frame is read twice: for the centres (of at most 100,000 different points, those with the least
    /// hashes), and to number the records.
    ///
    /// # Errors
    /// When a field does not exist or is no number, the output's name is taken, or a number is out of range.
    pub fn kmeans(self, options: &Kmeans) -> Result<Self> {
        let mut coordinates = Vec::new();
        for path in &options.columns {
            let value = self.record().value(&Path::parse(path)?)?;
            if !value.data_type.is_numeric() {
                return Err(FrameError::TypeMismatch {
                    path: path.clone(),
                    expected: "a number".to_owned(),
                    found: format_type(&value.data_type),
                    hint: Some("clusters are found over numeric fields".to_owned()),
                });
            }
            coordinates.push(cast(value.expr, DataType::Float64));
        }
        for (what, number, most) in [
            ("k", options.k, 1_000),
            ("iterations", options.iterations, 10_000),
        ] {
            if number == 0 || number > most {
                return Err(FrameError::OutOfRange {
                    what: what.to_owned(),
                    value: number.to_string(),
                    range: format!("from 1 to {most}"),
                });
            }
        }
        if coordinates.is_empty() {
            return Err(FrameError::NoFieldsLeft);
        }
        let target = Path::parse(&options.output_column)?;
        let mut record = self.record();
        if record.has(&target) {
            return Err(FrameError::FieldExists {
                path: target.to_string(),
            });
        }
        let point = make_array(coordinates);
        let model = format!("{WORKING}model");
        let arguments = vec![
            point.clone(),
            lit(i64::from(options.k)),
            lit(options.seed),
            lit(i64::from(options.iterations)),
            lit(options.scale),
        ];
        let call = mastic_functions::kmeans().call(arguments).alias(&model);
        let models = self.uncounted()?.inner.aggregate(Vec::new(), vec![call])?;
        let number = mastic_functions::nearest_centroid().call(vec![point, column(&model)]);
        let value = Value {
            expr: number,
            data_type: DataType::Int64,
            nullable: true,
        };
        record.set(&target, Node::Value(value))?;
        self.beside(models)?.with_record(&record)
    }

    /// The frame with the columns of the one record of another plan, which are working columns, beside each
    /// of its records.
    pub(super) fn beside(self, one: DataFrame) -> Result<Self> {
        let (state, plan) = self.inner.clone().into_parts();
        let (_, one) = one.into_parts();
        let mut columns = self.columns();
        let extra = one.schema().fields().iter().map(|f| column(f.name()));
        columns.extend(extra.collect::<Vec<Expr>>());
        columns.extend(self.origin());
        // The engine holds the left side of such a join.
        let plan = LogicalPlanBuilder::from(one)
            .cross_join(plan)?
            .project(columns)?
            .build()?;
        Ok(self.over(DataFrame::new(state, plan)))
    }
}
