//! `Unbox`: text that holds a record, as that record.

use std::str::FromStr;

use arrow::datatypes::DataType;
use datafusion::functions::core;
use datafusion::logical_expr::{Expr, ExprSchemable, lit, when};
use mastic_functions::{Boxed, REASON, VALUE};
use mastic_schema::hive::{format_type, parse_type};
use mastic_schema::names;
use serde_json::json;

use crate::path::Path;
use crate::record::{Node, Value, column};
use crate::run::WORKING;
use crate::{DynamicFrame, FrameError, Result};

/// What a field's text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnboxFormat {
    /// A JSON value.
    Json,
    /// A record of CSV.
    Csv,
    /// An Avro datum, as bytes or in base64.
    Avro,
}

impl UnboxFormat {
    /// The formats' names, as a script writes them.
    pub const NAMES: [&'static str; 3] = ["json", "csv", "avro"];

    fn boxed(self) -> Boxed {
        match self {
            Self::Json => Boxed::Json,
            Self::Csv => Boxed::Csv,
            Self::Avro => Boxed::Avro,
        }
    }
}

impl FromStr for UnboxFormat {
    type Err = Option<String>;

    /// Reads a format's name; the error is the closest name, where one is close.
    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "csv" => Ok(Self::Csv),
            "avro" => Ok(Self::Avro),
            _ => Err(names::closest(text, Self::NAMES)),
        }
    }
}

/// How [`DynamicFrame::unbox`] reads a field. The options are Glue's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unbox {
    /// The field.
    pub path: String,
    /// What its text is written in.
    pub format: UnboxFormat,
    /// The type that it holds, say `struct<a:bigint>`, or for Avro the schema that it was written by
    /// (Glue's `withSchema`). Where there is none, [`DynamicFrame::infer_unbox`] finds one.
    pub schema: Option<String>,
    /// CSV: what stands between fields.
    pub separator: Option<char>,
    /// CSV: what stands around fields; nothing, for no quotes at all.
    pub quote: Option<Option<char>>,
    /// CSV: what stands before a quote that is none.
    pub escaper: Option<char>,
    /// CSV: whether the first line is skipped.
    pub skip_first: bool,
    /// CSV: whether each text begins with a header.
    pub with_header: bool,
    /// The field that gets the value; the text's own field, where none is given.
    pub output: Option<String>,
}

impl Unbox {
    /// Reads a field in this format.
    pub fn of(path: impl Into<String>, format: UnboxFormat) -> Self {
        Self {
            path: path.into(),
            format,
            schema: None,
            separator: None,
            quote: None,
            escaper: None,
            skip_first: false,
            with_header: false,
            output: None,
        }
    }

    /// As a value of this type, or written by this Avro schema.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// CSV's options as the functions take them.
    pub(super) fn options(&self) -> String {
        let mut options = json!({
            "separator": self.separator.unwrap_or(',').to_string(),
            "skipFirst": self.skip_first,
            "withHeader": self.with_header,
        });
        if let (Some(quote), Some(all)) = (self.quote, options.as_object_mut()) {
            all.insert(
                "quote".to_owned(),
                quote.map_or_else(String::new, String::from).into(),
            );
        }
        if let (Some(escaper), Some(all)) = (self.escaper, options.as_object_mut()) {
            all.insert("escaper".to_owned(), escaper.to_string().into());
        }
        options.to_string()
    }
}

impl DynamicFrame {
    /// Parses the text of a field, and puts what it holds in its place. NULL and blank text give NULL; a
    /// record whose text cannot be parsed, or does not fit the type, becomes an error record.
    ///
    /// JSON: fields that the type lacks are passed over, those that the text lacks are NULL. CSV: fields go by
    /// their places, or with a header by their names. Avro: bytes or base64 of a datum, bare or in the
    /// single-object encoding.
    ///
    /// # Errors
    /// When there is no such field or it holds no text, no type is given, or the type or an option is none.
    pub fn unbox(self, unbox: &Unbox) -> Result<Self> {
        let step = self.step("unbox");
        let path = Path::parse(&unbox.path)?;
        let text = self.boxed_text(unbox)?;
        let Some(schema) = unbox.schema.as_deref() else {
            return Err(FrameError::NoSchema {
                path: unbox.path.clone(),
            });
        };
        if unbox.format != UnboxFormat::Avro {
            parse_type(schema).map_err(|source| FrameError::BadType {
                text: schema.to_owned(),
                source,
            })?;
        }
        let target = match &unbox.output {
            Some(output) => Path::parse(output)?,
            None => path.clone(),
        };
        let mut record = self.record();
        if target != path && record.has(&target) {
            return Err(FrameError::FieldExists {
                path: target.to_string(),
            });
        }

        let own = text.expr.column_refs();
        let text_column = own.iter().next().map_or("", |c| c.name.as_str()).to_owned();
        let mut arguments = vec![text.expr.clone(), lit(schema)];
        if unbox.format == UnboxFormat::Csv {
            arguments.push(lit(unbox.options()));
        }
        let name = format!("{WORKING}unboxed");
        let parsed = mastic_functions::unbox(unbox.format.boxed()).call(arguments);
        let made = parsed.get_type(self.inner.schema())?;
        let DataType::Struct(parts) = &made else {
            return Err(FrameError::NoFieldsLeft);
        };
        let data_type = parts
            .iter()
            .find(|f| f.name() == VALUE)
            .map_or(DataType::Null, |f| f.data_type().clone());
        let part = |part: &str| core::get_field().call(vec![column(&name), lit(part)]);
        let value = Value {
            expr: part(VALUE),
            data_type,
            nullable: true,
        };
        record.set(&target, Node::Value(value))?;

        let mut columns: Vec<Expr> = self.columns();
        columns.push(parsed.alias(&name));
        columns.extend(self.origin());
        // Parsed once: the error's reason and the value are parts of it. That the reason reads the text keeps
        // the text in the error record.
        let reason = when(column(&text_column).is_not_null(), part(REASON)).end()?;
        let inner = self.inner.clone().select(columns)?;
        let frame = self.over(inner);
        frame.set_aside(&step, reason).with_record(&record)
    }

    /// The field that is to be parsed, if it is text.
    pub(super) fn boxed_text(&self, unbox: &Unbox) -> Result<Value> {
        let value = self.record().value(&Path::parse(&unbox.path)?)?;
        let binary = matches!(
            value.data_type,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView
        );
        if value.data_type.is_string() || (binary && unbox.format == UnboxFormat::Avro) {
            return Ok(value);
        }
        Err(FrameError::TypeMismatch {
            path: unbox.path.clone(),
            expected: "text".to_owned(),
            found: format_type(&value.data_type),
            hint: None,
        })
    }
}
