//! Functions whose result's type follows from a constant text: `f(values…, 'text')`.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// A function of so many values, followed by so many constant texts.
#[derive(Debug)]
pub(crate) struct Typed {
    name: &'static str,
    values: usize,
    texts: usize,
    signature: Signature,
    returns: fn(&[DataType], &[&str]) -> Result<DataType>,
    eval: fn(&[ArrayRef], &[&str]) -> Result<ArrayRef>,
}

impl Typed {
    pub(crate) fn udf(
        name: &'static str,
        values: usize,
        texts: usize,
        returns: fn(&[DataType], &[&str]) -> Result<DataType>,
        eval: fn(&[ArrayRef], &[&str]) -> Result<ArrayRef>,
    ) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Self {
            name,
            values,
            texts,
            signature: Signature::any(values + texts, Volatility::Immutable),
            returns,
            eval,
        }))
    }
}

// Functions are told apart by name, which is what travels in a serialised plan.
impl PartialEq for Typed {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Typed {}

impl Hash for Typed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

fn text(value: &ScalarValue) -> Option<&str> {
    match value {
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
            text.as_deref()
        }
        _ => None,
    }
}

impl ScalarUDFImpl for Typed {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("{}: its type follows from its text", self.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args
            .arg_fields
            .iter()
            .take(self.values)
            .map(|f| f.data_type().clone())
            .collect();
        let texts = args.scalar_arguments.iter().skip(self.values);
        let texts: Option<Vec<&str>> = texts.map(|t| t.and_then(text)).collect();
        match texts {
            Some(texts) if texts.len() == self.texts && types.len() == self.values => {
                let data_type = (self.returns)(&types, &texts)?;
                Ok(Arc::new(Field::new(self.name, data_type, true)))
            }
            _ => plan_err!(
                "{} takes {} value(s), then {} constant text(s)",
                self.name,
                self.values,
                self.texts
            ),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (values, texts) = args.args.split_at(self.values.min(args.args.len()));
        let texts: Option<Vec<&str>> = texts
            .iter()
            .map(|t| match t {
                ColumnarValue::Scalar(scalar) => text(scalar),
                ColumnarValue::Array(_) => None,
            })
            .collect();
        let Some(texts) = texts else {
            return exec_err!("{}: a text is no constant", self.name);
        };
        let constant = values.iter().all(|v| matches!(v, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let values: Vec<ArrayRef> = values
            .iter()
            .map(|v| v.to_array(rows))
            .collect::<Result<_>>()?;
        let made = (self.eval)(&values, &texts)?;
        // What the optimizer was told must be what comes.
        if made.data_type() != args.return_field.data_type() {
            return exec_err!(
                "{}: {} came where {} was expected",
                self.name,
                made.data_type(),
                args.return_field.data_type()
            );
        }
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &made, 0,
            )?));
        }
        Ok(ColumnarValue::Array(made))
    }
}
