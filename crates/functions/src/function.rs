//! The one shape that every scalar function of this crate has.
//!
//! A [`Function`] is a name, what its arguments must be, what it returns and how it is computed for a
//! batch. Everything DataFusion wants around that (coercion, constants, equality, hashing) is here
//! once.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::args::Call;

/// What one argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `varchar`, in any of Arrow's string types; the strings of one call are made the same type.
    Text,
    /// An integer of any width.
    Int,
    /// Any number, taken as a double.
    Double,
    /// `varbinary`; text is not taken for it.
    Bytes,
    /// Whatever it is.
    Any,
    /// A date, or a timestamp with or without a time zone.
    Moment,
    /// A [`Kind::Moment`] or a time of day.
    Clock,
}

/// How the types of the arguments are found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Params {
    /// These kinds in this order, of which the first so many are required.
    Kinds(&'static [Kind], usize),
    /// The function says itself: from the types given to the types wanted.
    Custom(fn(&str, &[DataType]) -> Result<Vec<DataType>>),
}

/// A scalar function.
#[derive(Debug)]
pub(crate) struct Function {
    name: &'static str,
    aliases: Vec<String>,
    signature: Signature,
    params: Params,
    returns: fn(&[DataType]) -> Result<DataType>,
    eval: fn(&Call<'_>) -> Result<ArrayRef>,
    rewrite: Option<fn(Vec<Expr>) -> Result<Expr>>,
    rewrite_typed: Option<TypedRewrite>,
    lazy: bool,
    operator: Option<&'static str>,
}

/// Which built-in expression stands for a call with arguments of these types, if one does.
type TypedRewrite = fn(&[Expr], &[DataType]) -> Option<Expr>;

impl Function {
    pub(crate) fn new(
        name: &'static str,
        params: Params,
        returns: fn(&[DataType]) -> Result<DataType>,
        eval: fn(&Call<'_>) -> Result<ArrayRef>,
    ) -> Self {
        Self {
            name,
            aliases: Vec::new(),
            signature: Signature::user_defined(Volatility::Immutable),
            params,
            returns,
            eval,
            rewrite: None,
            rewrite_typed: None,
            lazy: false,
            operator: None,
        }
    }

    pub(crate) fn aliases(mut self, aliases: &[&str]) -> Self {
        self.aliases = aliases.iter().map(|a| (*a).to_owned()).collect();
        self
    }

    /// Says which built-in expression the optimizer should put in place of a call.
    pub(crate) fn rewritten(mut self, rewrite: fn(Vec<Expr>) -> Result<Expr>) -> Self {
        self.rewrite = Some(rewrite);
        self
    }

    /// Says which built-in expression the optimizer should put in place of a call whose arguments have
    /// some types.
    pub(crate) fn rewritten_by_type(mut self, rewrite: TypedRewrite) -> Self {
        self.rewrite_typed = Some(rewrite);
        self
    }

    /// Says that a call is written as an operator between two values.
    pub(crate) fn written(mut self, operator: &'static str) -> Self {
        self.operator = Some(operator);
        self
    }

    /// Says that it gives another value each time it is called.
    pub(crate) fn volatile(mut self) -> Self {
        self.signature.volatility = Volatility::Volatile;
        self
    }

    /// Says that some arguments may stay uncomputed, as the branches of a CASE do.
    pub(crate) fn lazy(mut self) -> Self {
        self.lazy = true;
        self
    }

    pub(crate) fn udf(self) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(self))
    }
}

// Functions are told apart by name, which is what travels in a serialised plan.
impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        if let (Some(operator), [a, b]) = (self.operator, args) {
            return Ok(format!("{a} {operator} {b}"));
        }
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        Ok(format!("{}({})", self.name, args.join(",")))
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names: Vec<String> = args.iter().map(|a| a.schema_name().to_string()).collect();
        if let (Some(operator), [a, b]) = (self.operator, names.as_slice()) {
            return Ok(format!("{a} {operator} {b}"));
        }
        Ok(format!("{}({})", self.name, names.join(",")))
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        (self.returns)(types)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match self.params {
            Params::Kinds(kinds, required) => coerce(self.name, kinds, required, types),
            Params::Custom(coerce) => coerce(self.name, types),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args
            .args
            .iter()
            .all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let constant = constant && self.signature.volatility != Volatility::Volatile;
        let rows = if constant { 1 } else { args.number_rows };
        let array = (self.eval)(&Call {
            name: self.name,
            args: &args,
            rows,
        })?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &array, 0,
            )?));
        }
        Ok(ColumnarValue::Array(array))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        if let Some(rewrite) = self.rewrite_typed {
            let types: Result<Vec<DataType>> = args.iter().map(|a| info.get_data_type(a)).collect();
            return Ok(match types.ok().and_then(|types| rewrite(&args, &types)) {
                Some(expr) => ExprSimplifyResult::Simplified(expr),
                None => ExprSimplifyResult::Original(args),
            });
        }
        Ok(match self.rewrite {
            Some(rewrite) => ExprSimplifyResult::Simplified(rewrite(args)?),
            None => ExprSimplifyResult::Original(args),
        })
    }

    fn short_circuits(&self) -> bool {
        self.lazy
    }
}

fn coerce(
    name: &str,
    kinds: &[Kind],
    required: usize,
    types: &[DataType],
) -> Result<Vec<DataType>> {
    if types.len() < required || types.len() > kinds.len() {
        let wants = if required == kinds.len() {
            required.to_string()
        } else {
            format!("{required} to {}", kinds.len())
        };
        return plan_err!("{name} takes {wants} argument(s), not {}", types.len());
    }
    let mut wanted = Vec::with_capacity(types.len());
    for (i, (kind, given)) in kinds.iter().zip(types).enumerate() {
        match kind_of(*kind, given) {
            Some(t) => wanted.push(t),
            None => {
                let what = match kind {
                    Kind::Text => "varchar",
                    Kind::Int => "an integer",
                    Kind::Double => "a number",
                    Kind::Bytes => "varbinary (use to_utf8 for the bytes of a text)",
                    Kind::Any => "a value",
                    Kind::Moment => "a date or timestamp (CAST it, or use date_parse)",
                    Kind::Clock => "a date, time or timestamp (CAST it, or use date_parse)",
                };
                return plan_err!("{name}: argument {} must be {what}, not {given}", i + 1);
            }
        }
    }
    let texts = || {
        wanted
            .iter()
            .zip(kinds)
            .filter(|(_, k)| **k == Kind::Text)
            .map(|(t, _)| t)
    };
    if let Some(text) = widest_text(texts()) {
        for (t, k) in wanted.iter_mut().zip(kinds) {
            if *k == Kind::Text {
                t.clone_from(&text);
            }
        }
    }
    Ok(wanted)
}

fn widest_text<'a>(types: impl Iterator<Item = &'a DataType>) -> Option<DataType> {
    types
        .max_by_key(|t| match t {
            DataType::Utf8View => 2,
            DataType::LargeUtf8 => 1,
            _ => 0,
        })
        .cloned()
}

/// The type to cast to so that `given` can stand for `kind`.
fn kind_of(kind: Kind, given: &DataType) -> Option<DataType> {
    use DataType as T;
    if let T::Dictionary(_, values) = given {
        return kind_of(kind, values);
    }
    match (kind, given) {
        (Kind::Text, T::Utf8 | T::LargeUtf8 | T::Utf8View) => Some(given.clone()),
        (Kind::Text, T::Null) => Some(T::Utf8),
        (Kind::Int, T::Null) => Some(T::Int64),
        (Kind::Int, t) if t.is_integer() => Some(T::Int64),
        (Kind::Any, t) => Some(t.clone()),
        (Kind::Bytes, T::Null) => Some(T::Binary),
        (Kind::Bytes, t) if t.is_binary() => Some(T::Binary),
        (Kind::Double, T::Null) => Some(T::Float64),
        (Kind::Double, t) if t.is_numeric() => Some(T::Float64),
        (Kind::Clock, T::Time32(_) | T::Time64(_)) => Some(given.clone()),
        (Kind::Moment | Kind::Clock, T::Date32 | T::Date64) => Some(T::Date32),
        // Whole seconds have no room for a millisecond that is added.
        (Kind::Moment | Kind::Clock, T::Timestamp(TimeUnit::Second, zone)) => {
            Some(T::Timestamp(TimeUnit::Millisecond, zone.clone()))
        }
        (Kind::Moment | Kind::Clock, T::Timestamp(..)) => Some(given.clone()),
        (Kind::Moment | Kind::Clock, T::Null) => Some(T::Timestamp(TimeUnit::Millisecond, None)),
        _ => None,
    }
}

/// Checks that there are `n` arguments, for functions that coerce by themselves.
pub(crate) fn exactly(name: &str, types: &[DataType], n: usize) -> Result<()> {
    if types.len() != n {
        return plan_err!("{name} takes {n} argument(s), not {}", types.len());
    }
    Ok(())
}

/// The types for `kinds`, all required.
pub(crate) fn all_of(name: &str, kinds: &[Kind], types: &[DataType]) -> Result<Vec<DataType>> {
    coerce(name, kinds, kinds.len(), types)
}
