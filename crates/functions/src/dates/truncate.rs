//! `date_trunc`: DataFusion's own, but that a date stays a date.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::{Result, plan_err};
use datafusion::functions::datetime::date_trunc;
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarUDF, cast as cast_expr};

use crate::args::Call;
use crate::function::{Function, Params};

/// What a date is taken for while it is cut.
const MIDNIGHT: DataType = DataType::Timestamp(TimeUnit::Second, None);

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        Function::new("date_trunc", Params::Custom(types), returns, truncate)
            .rewritten_by_type(builtin)
            .aliases(&["datetrunc"])
            .udf(),
    ]
}

fn types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [unit, moment] = types else {
        return plan_err!("{name} takes 2 arguments, not {}", types.len());
    };
    if !unit.is_string() {
        return plan_err!("{name}: argument 1 must be a unit such as 'month', not {unit}");
    }
    let moment = match moment {
        DataType::Date32 | DataType::Date64 => DataType::Date32,
        DataType::Timestamp(..) | DataType::Time32(_) | DataType::Time64(_) => moment.clone(),
        t if t.is_string() || t.is_null() => DataType::Timestamp(TimeUnit::Nanosecond, None),
        other => return plan_err!("{name}: argument 2 must be a date or timestamp, not {other}"),
    };
    Ok(vec![unit.clone(), moment])
}

fn returns(types: &[DataType]) -> Result<DataType> {
    match types {
        [_, moment] => Ok(moment.clone()),
        _ => plan_err!("date_trunc takes 2 arguments"),
    }
}

fn builtin(args: &[Expr], types: &[DataType]) -> Option<Expr> {
    match (args, types) {
        ([unit, moment], [_, DataType::Date32]) => {
            let midnight = cast_expr(moment.clone(), MIDNIGHT);
            let cut = date_trunc().call(vec![unit.clone(), midnight]);
            Some(cast_expr(cut, DataType::Date32))
        }
        ([_, _], [_, _]) => Some(date_trunc().call(args.to_vec())),
        _ => None,
    }
}

fn truncate(call: &Call<'_>) -> Result<ArrayRef> {
    let mut args = call.args.clone();
    let date = call.args.return_field.data_type() == &DataType::Date32;
    if let (true, Some(moment)) = (date, args.args.get_mut(1)) {
        *moment = ColumnarValue::Array(cast(&call.array(1)?, &MIDNIGHT)?);
        args.number_rows = call.rows;
        args.return_field = Arc::new(Field::new("date_trunc", MIDNIGHT, true));
    }
    let cut = date_trunc().invoke_with_args(args)?.into_array(call.rows)?;
    Ok(cast(&cut, call.args.return_field.data_type())?)
}
