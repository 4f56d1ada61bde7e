//! `map_agg(key, value)` and `histogram(x)`: aggregates that make a map.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

pub(super) fn all() -> Vec<Arc<AggregateUDF>> {
    [Kind::MapAgg, Kind::Histogram]
        .map(|kind| {
            let signature = Signature::any(kind.arguments(), Volatility::Immutable);
            Arc::new(AggregateUDF::new_from_impl(ToMap { kind, signature }))
        })
        .to_vec()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    MapAgg,
    Histogram,
}

impl Kind {
    fn arguments(self) -> usize {
        match self {
            Self::MapAgg => 2,
            Self::Histogram => 1,
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ToMap {
    kind: Kind,
    signature: Signature,
}

impl ToMap {
    fn key_and_value(&self, types: &[DataType]) -> Result<(DataType, DataType)> {
        match (self.kind, types) {
            (Kind::MapAgg, [key, value]) => Ok((key.clone(), value.clone())),
            (Kind::Histogram, [key]) => Ok((key.clone(), DataType::Int64)),
            _ => plan_err!(
                "{} takes {} argument(s)",
                self.name(),
                self.kind.arguments()
            ),
        }
    }
}

/// The fields of a map's entries, named as DataFusion's `map` names them.
fn entries(key: DataType, value: DataType) -> Fields {
    Fields::from(vec![
        Field::new("key", key, false),
        Field::new("value", value, true),
    ])
}

fn types(fields: &[FieldRef]) -> Vec<DataType> {
    fields.iter().map(|f| f.data_type().clone()).collect()
}

impl AggregateUDFImpl for ToMap {
    fn name(&self) -> &str {
        match self.kind {
            Kind::MapAgg => "map_agg",
            Kind::Histogram => "histogram",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let (key, value) = self.key_and_value(types)?;
        let entries = Field::new("entries", DataType::Struct(entries(key, value)), false);
        Ok(DataType::Map(Arc::new(entries), false))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let (key, value) = self.key_and_value(&types(args.input_fields))?;
        let list = |name: &str, of: DataType| {
            let name = format_state_name(args.name, name);
            Arc::new(Field::new(name, DataType::new_list(of, true), true))
        };
        Ok(vec![list("keys", key), list("values", value)])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let (key, value) = self.key_and_value(&types(args.expr_fields))?;
        Ok(Box::new(Entries {
            kind: self.kind,
            key,
            value,
            places: HashMap::new(),
            keys: Vec::new(),
            values: Vec::new(),
            bytes: 0,
        }))
    }
}

/// The entries so far, in the order their keys came.
#[derive(Debug)]
struct Entries {
    kind: Kind,
    key: DataType,
    value: DataType,
    places: HashMap<ScalarValue, usize>,
    keys: Vec<ScalarValue>,
    values: Vec<ScalarValue>,
    bytes: usize,
}

impl Entries {
    /// A key seen before keeps its first value; a histogram adds up.
    fn add(
        &mut self,
        mut key: ScalarValue,
        value: impl FnOnce() -> Result<ScalarValue>,
    ) -> Result<()> {
        // Else the scalar would keep the whole batch in memory.
        key.compact();
        let place = self
            .places
            .get(&key)
            .and_then(|at| self.values.get_mut(*at));
        match place {
            Some(ScalarValue::Int64(Some(n))) if self.kind == Kind::Histogram => {
                if let ScalarValue::Int64(Some(more)) = value()? {
                    *n += more;
                }
            }
            Some(_) => {}
            None => {
                let mut value = value()?;
                value.compact();
                self.bytes += 2 * key.size() + value.size() + size_of::<usize>();
                self.places.insert(key.clone(), self.keys.len());
                self.keys.push(key);
                self.values.push(value);
            }
        }
        Ok(())
    }
}

impl Accumulator for Entries {
    fn update_batch(&mut self, arrays: &[ArrayRef]) -> Result<()> {
        let Some(keys) = arrays.first() else {
            return internal_err!("a map needs keys");
        };
        // A NULL cannot be a key and is passed over, as in Trino.
        for i in (0..keys.len()).filter(|i| keys.is_valid(*i)) {
            let key = ScalarValue::try_from_array(keys, i)?;
            self.add(key, || match arrays.get(1) {
                Some(values) => ScalarValue::try_from_array(values, i),
                None => Ok(ScalarValue::Int64(Some(1))),
            })?;
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [keys, values] = states else {
            return internal_err!("a map's state is keys and values");
        };
        let (keys, values) = (keys.as_list::<i32>(), values.as_list::<i32>());
        for row in (0..keys.len()).filter(|row| keys.is_valid(*row)) {
            let (keys, values) = (keys.value(row), values.value(row));
            for i in 0..keys.len() {
                let key = ScalarValue::try_from_array(&keys, i)?;
                self.add(key, || ScalarValue::try_from_array(&values, i))?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let fields = entries(self.key.clone(), self.value.clone());
        let entries = Arc::new(Field::new(
            "entries",
            DataType::Struct(fields.clone()),
            false,
        ));
        if self.keys.is_empty() {
            return ScalarValue::try_from(&DataType::Map(entries, false));
        }
        let columns = vec![
            ScalarValue::iter_to_array(self.keys.iter().cloned())?,
            ScalarValue::iter_to_array(self.values.iter().cloned())?,
        ];
        let rows = StructArray::try_new(fields, columns, None)?;
        let offsets = OffsetBuffer::from_lengths([rows.len()]);
        let map = MapArray::try_new(entries, offsets, rows, None, false)?;
        Ok(ScalarValue::Map(Arc::new(map)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = |values: &[ScalarValue], of: &DataType| {
            ScalarValue::List(ScalarValue::new_list_nullable(values, of))
        };
        Ok(vec![
            list(&self.keys, &self.key),
            list(&self.values, &self.value),
        ])
    }
}
