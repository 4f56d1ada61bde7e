//! What was counted of a table's rows and columns. Glue API: "Column statistics API"
//! (`aws-glue-api-catalog-column-statistics`); types are as the service model of botocore says (`glue/2017-03-31`).
//!
//! Numbers are kept exactly, doubles too: a planner may take a smallest or largest value at its word.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::time;

/// What was counted of a table, over the data that `fingerprint` tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TableStatistics {
    /// How many rows it has.
    pub row_count: u64,
    /// How many bytes its files have, as they are stored.
    pub total_bytes: u64,
    /// When they were counted.
    #[serde(with = "time::required")]
    pub analyzed: DateTime<Utc>,
    /// What the data was ([`super::parameters::FINGERPRINT`]): with other data, the statistics no longer hold.
    pub fingerprint: String,
    /// The columns, as Glue's `GetColumnStatisticsForTable` lists them.
    #[serde(rename = "ColumnStatisticsList")]
    pub columns: Vec<ColumnStatistics>,
}

/// What was counted of a column. Glue API: `ColumnStatistics`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ColumnStatistics {
    /// Its name.
    pub column_name: String,
    /// Its Hive type.
    pub column_type: String,
    /// When it was counted.
    #[serde(with = "time::required")]
    pub analyzed_time: DateTime<Utc>,
    /// What was counted.
    pub statistics_data: ColumnStatisticsData,
}

/// What was counted, by the kind of the column's type. Glue API: `ColumnStatisticsData`, an object with a `Type` and
/// the member that belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Shape", into = "Shape")]
pub enum ColumnStatisticsData {
    /// Of a boolean.
    Boolean(BooleanColumnStatisticsData),
    /// Of a date.
    Date(DateColumnStatisticsData),
    /// Of a decimal.
    Decimal(DecimalColumnStatisticsData),
    /// Of a floating-point number.
    Double(DoubleColumnStatisticsData),
    /// Of an integer.
    Long(LongColumnStatisticsData),
    /// Of text.
    String(StringColumnStatisticsData),
    /// Of bytes.
    Binary(BinaryColumnStatisticsData),
}

/// Of a boolean. Glue API: `BooleanColumnStatisticsData`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BooleanColumnStatisticsData {
    /// How many values are true.
    pub number_of_trues: u64,
    /// How many are false.
    pub number_of_falses: u64,
    /// How many are NULL.
    pub number_of_nulls: u64,
}

/// Of a date. Glue API: `DateColumnStatisticsData`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DateColumnStatisticsData {
    /// The earliest, as midnight in UTC.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::optional"
    )]
    pub minimum_value: Option<DateTime<Utc>>,
    /// The latest, as midnight in UTC.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::optional"
    )]
    pub maximum_value: Option<DateTime<Utc>>,
    /// How many values are NULL.
    pub number_of_nulls: u64,
    /// How many different values there are, possibly estimated.
    pub number_of_distinct_values: u64,
}

/// Of a decimal. Glue API: `DecimalColumnStatisticsData`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DecimalColumnStatisticsData {
    /// The least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_value: Option<DecimalNumber>,
    /// The greatest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_value: Option<DecimalNumber>,
    /// How many values are NULL.
    pub number_of_nulls: u64,
    /// How many different values there are, possibly estimated.
    pub number_of_distinct_values: u64,
}

/// Of a floating-point number. Glue API: `DoubleColumnStatisticsData`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DoubleColumnStatisticsData {
    /// The least; finite, as JSON has no other.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "exact"
    )]
    pub minimum_value: Option<f64>,
    /// The greatest; finite, as JSON has no other.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "exact"
    )]
    pub maximum_value: Option<f64>,
    /// How many values are NULL.
    pub number_of_nulls: u64,
    /// How many different values there are, possibly estimated.
    pub number_of_distinct_values: u64,
}

/// Of an integer. Glue API: `LongColumnStatisticsData`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LongColumnStatisticsData {
    /// The least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_value: Option<i64>,
    /// The greatest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_value: Option<i64>,
    /// How many values are NULL.
    pub number_of_nulls: u64,
    /// How many different values there are, possibly estimated.
    pub number_of_distinct_values: u64,
}

/// Of text. Glue API: `StringColumnStatisticsData`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StringColumnStatisticsData {
    /// The length of the longest.
    pub maximum_length: u64,
    /// The average length.
    pub average_length: f64,
    /// How many values are NULL.
    pub number_of_nulls: u64,
    /// How many different values there are, possibly estimated.
    pub number_of_distinct_values: u64,
}

/// Of bytes. Glue API: `BinaryColumnStatisticsData`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BinaryColumnStatisticsData {
    /// The length of the longest, in bytes.
    pub maximum_length: u64,
    /// The average length, in bytes.
    pub average_length: f64,
    /// How many values are NULL.
    pub number_of_nulls: u64,
}

/// A decimal number of any precision. Glue API: `DecimalNumber`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DecimalNumber {
    /// The number without its point, in two's complement, the highest byte first (as Java's `BigInteger` writes it, and
    /// Hive keeps it); base64 in JSON, as the AWS CLI prints bytes.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub unscaled_value: Vec<u8>,
    /// How many digits are behind the point.
    pub scale: i32,
}

impl DecimalNumber {
    /// `unscaled` divided by ten to the power of `scale`, in as few bytes as will do.
    pub fn new(unscaled: i128, scale: i32) -> Self {
        let bytes = unscaled.to_be_bytes();
        let sign = if unscaled < 0 { 0xff } else { 0 };
        let same_sign = |byte: u8| (byte ^ sign) & 0x80 == 0;
        let mut start = 0;
        while start < bytes.len() - 1 && bytes[start] == sign && same_sign(bytes[start + 1]) {
            start += 1;
        }
        Self {
            unscaled_value: bytes[start..].to_vec(),
            scale,
        }
    }

    /// The number without its point; `None` where there are no bytes or the number has more than 128 bits.
    pub fn unscaled(&self) -> Option<i128> {
        let first = *self.unscaled_value.first()?;
        let sign = if first & 0x80 == 0 { 0 } else { 0xff };
        let mut bytes = [sign; 16];
        let extra = self.unscaled_value.len().saturating_sub(bytes.len());
        let (beyond, kept) = self.unscaled_value.split_at(extra);
        let start = bytes.len() - kept.len();
        bytes[start..].copy_from_slice(kept);
        let fits = beyond.iter().all(|byte| *byte == sign) && (bytes[0] ^ sign) & 0x80 == 0;
        fits.then(|| i128::from_be_bytes(bytes))
    }
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD
        .decode(&text)
        .map_err(|error| de::Error::custom(format!("{text:?} is not base64: {error}")))
}

/// A double from its text: `serde_json` is off by the last bit now and then, unless it is built to take longer.
fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let Some(raw) = Option::<Box<serde_json::value::RawValue>>::deserialize(deserializer)? else {
        return Ok(None);
    };
    match raw.get() {
        "null" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| de::Error::custom(format!("{text} is not a number"))),
    }
}

/// The seven words of Glue's `ColumnStatisticsType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Kind {
    Boolean,
    Date,
    Decimal,
    Double,
    Long,
    String,
    Binary,
}

/// Glue's shape: a type, and of the members the one that belongs to it.
#[derive(Serialize, Deserialize)]
struct Shape {
    #[serde(rename = "Type")]
    kind: Kind,
    #[serde(
        rename = "BooleanColumnStatisticsData",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    boolean: Option<BooleanColumnStatisticsData>,
    #[serde(
        rename = "DateColumnStatisticsData",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    date: Option<DateColumnStatisticsData>,
    #[serde(
        rename = "DecimalColumnStatisticsData",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    decimal: Option<DecimalColumnStatisticsData>,
    #[serde(
        rename = "DoubleColumnStatisticsData",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    double: Option<DoubleColumnStatisticsData>,
    #[serde(
        rename = "LongColumnStatisticsData",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    long: Option<LongColumnStatisticsData>,
    #[serde(
        rename = "StringColumnStatisticsData",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    string: Option<StringColumnStatisticsData>,
    #[serde(
        rename = "BinaryColumnStatisticsData",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    binary: Option<BinaryColumnStatisticsData>,
}

impl From<ColumnStatisticsData> for Shape {
    fn from(data: ColumnStatisticsData) -> Self {
        let mut shape = Self {
            kind: Kind::Boolean,
            boolean: None,
            date: None,
            decimal: None,
            double: None,
            long: None,
            string: None,
            binary: None,
        };
        match data {
            ColumnStatisticsData::Boolean(data) => shape.boolean = Some(data),
            ColumnStatisticsData::Date(data) => (shape.kind, shape.date) = (Kind::Date, Some(data)),
            ColumnStatisticsData::Decimal(data) => {
                (shape.kind, shape.decimal) = (Kind::Decimal, Some(data));
            }
            ColumnStatisticsData::Double(data) => {
                (shape.kind, shape.double) = (Kind::Double, Some(data));
            }
            ColumnStatisticsData::Long(data) => (shape.kind, shape.long) = (Kind::Long, Some(data)),
            ColumnStatisticsData::String(data) => {
                (shape.kind, shape.string) = (Kind::String, Some(data));
            }
            ColumnStatisticsData::Binary(data) => {
                (shape.kind, shape.binary) = (Kind::Binary, Some(data));
            }
        }
        shape
    }
}

impl TryFrom<Shape> for ColumnStatisticsData {
    type Error = String;

    fn try_from(shape: Shape) -> Result<Self, String> {
        match shape.kind {
            Kind::Boolean => shape.boolean.map(Self::Boolean),
            Kind::Date => shape.date.map(Self::Date),
            Kind::Decimal => shape.decimal.map(Self::Decimal),
            Kind::Double => shape.double.map(Self::Double),
            Kind::Long => shape.long.map(Self::Long),
            Kind::String => shape.string.map(Self::String),
            Kind::Binary => shape.binary.map(Self::Binary),
        }
        .ok_or_else(|| {
            format!(
                "the Type is {kind}, and {word:?}ColumnStatisticsData is missing",
                kind = format!("{:?}", shape.kind).to_uppercase(),
                word = shape.kind
            )
        })
    }
}

impl TableStatistics {
    /// That JSON holds all of it: floats are finite, and years have four digits.
    pub(crate) fn check(&self) -> Result<(), String> {
        let year = |time: &DateTime<Utc>| (0..=9999).contains(&time.year());
        if !year(&self.analyzed) {
            return Err("the year of Analyzed has not four digits".to_owned());
        }
        for column in &self.columns {
            let (floats, times): (Vec<f64>, Vec<DateTime<Utc>>) = match &column.statistics_data {
                ColumnStatisticsData::Double(data) => (
                    [data.minimum_value, data.maximum_value]
                        .into_iter()
                        .flatten()
                        .collect(),
                    vec![],
                ),
                ColumnStatisticsData::String(data) => (vec![data.average_length], vec![]),
                ColumnStatisticsData::Binary(data) => (vec![data.average_length], vec![]),
                ColumnStatisticsData::Date(data) => (
                    vec![],
                    [data.minimum_value, data.maximum_value]
                        .into_iter()
                        .flatten()
                        .collect(),
                ),
                _ => (vec![], vec![]),
            };
            let name = &column.column_name;
            if let Some(float) = floats.iter().find(|float| !float.is_finite()) {
                return Err(format!("{float} in column {name} is not a finite number"));
            }
            if !year(&column.analyzed_time) || !times.iter().all(year) {
                return Err(format!(
                    "a date in column {name} has a year of more than four digits"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As `aws glue get-column-statistics-for-table` prints a list (shapes: botocore, `glue/2017-03-31`). The bytes of
    /// the decimals are Java's `new BigInteger("12345").toByteArray()` (0x3039) and of "-129" (0xff7f), in base64.
    const PRINTED: &str = r#"[
        {"ColumnName": "flag", "ColumnType": "boolean", "AnalyzedTime": "2024-05-01T10:00:00+02:00", "StatisticsData":
          {"Type": "BOOLEAN", "BooleanColumnStatisticsData": {"NumberOfTrues": 1, "NumberOfFalses": 2, "NumberOfNulls": 3}}},
        {"ColumnName": "day", "ColumnType": "date", "AnalyzedTime": 1714550400.0, "StatisticsData":
          {"Type": "DATE", "DateColumnStatisticsData": {"MinimumValue": "1969-12-31T00:00:00Z", "MaximumValue": 86400.0,
           "NumberOfNulls": 0, "NumberOfDistinctValues": 3}}},
        {"ColumnName": "price", "ColumnType": "decimal(10,2)", "AnalyzedTime": 1714550400.0, "StatisticsData":
          {"Type": "DECIMAL", "DecimalColumnStatisticsData": {"MinimumValue": {"UnscaledValue": "/38=", "Scale": 2},
           "MaximumValue": {"UnscaledValue": "MDk=", "Scale": 2}, "NumberOfNulls": 0, "NumberOfDistinctValues": 2}}},
        {"ColumnName": "ratio", "ColumnType": "double", "AnalyzedTime": 1714550400.0, "StatisticsData":
          {"Type": "DOUBLE", "DoubleColumnStatisticsData": {"MinimumValue": -1, "MaximumValue": 2.5e300,
           "NumberOfNulls": 0, "NumberOfDistinctValues": 2}, "LongColumnStatisticsData": null}},
        {"ColumnName": "n", "ColumnType": "bigint", "AnalyzedTime": 1714550400.0, "StatisticsData":
          {"Type": "LONG", "LongColumnStatisticsData": {"MinimumValue": -9223372036854775808,
           "NumberOfNulls": 0, "NumberOfDistinctValues": 2}}},
        {"ColumnName": "text", "ColumnType": "string", "AnalyzedTime": 1714550400.0, "StatisticsData":
          {"Type": "STRING", "StringColumnStatisticsData": {"MaximumLength": 5, "AverageLength": 2.5,
           "NumberOfNulls": 0, "NumberOfDistinctValues": 2}}},
        {"ColumnName": "bytes", "ColumnType": "binary", "AnalyzedTime": 1714550400.0, "StatisticsData":
          {"Type": "BINARY", "BinaryColumnStatisticsData": {"MaximumLength": 5, "AverageLength": 2.0, "NumberOfNulls": 1}}}]"#;

    #[test]
    fn what_the_aws_cli_prints_is_read_and_written() {
        let columns: Vec<ColumnStatistics> = serde_json::from_str(PRINTED).unwrap();
        let ColumnStatisticsData::Date(day) = &columns[1].statistics_data else {
            panic!("{:?}", columns[1]);
        };
        let days = |time: Option<DateTime<Utc>>| time.unwrap().timestamp() / 86_400;
        assert_eq!((days(day.minimum_value), days(day.maximum_value)), (-1, 1));
        let ColumnStatisticsData::Decimal(price) = &columns[2].statistics_data else {
            panic!("{:?}", columns[2]);
        };
        assert_eq!(price.minimum_value, Some(DecimalNumber::new(-129, 2)));
        assert_eq!(price.maximum_value, Some(DecimalNumber::new(12_345, 2)));
        let ColumnStatisticsData::Double(ratio) = &columns[3].statistics_data else {
            panic!("{:?}", columns[3]);
        };
        assert_eq!(
            (ratio.minimum_value, ratio.maximum_value),
            (Some(-1.0), Some(2.5e300))
        );
        let written = serde_json::to_string(&columns).unwrap();
        for part in [
            r#"{"Type":"DECIMAL","DecimalColumnStatisticsData":{"MinimumValue":{"UnscaledValue":"/38=","Scale":2}"#,
            r#"{"Type":"LONG","LongColumnStatisticsData":{"MinimumValue":-9223372036854775808,"NumberOfNulls":0"#,
            r#""MaximumValue":"1970-01-02T00:00:00Z""#,
        ] {
            assert!(written.contains(part), "{written}");
        }
        let again: Vec<ColumnStatistics> = serde_json::from_str(&written).unwrap();
        assert_eq!(again, columns);
    }

    #[test]
    fn what_is_none_is_told() {
        for (json, told) in [
            (
                r#"{"Type": "LONG", "DateColumnStatisticsData": {"NumberOfNulls": 0, "NumberOfDistinctValues": 0}}"#,
                "the Type is LONG, and LongColumnStatisticsData is missing",
            ),
            (r#"{"Type": "INT"}"#, "unknown variant `INT`"),
            (
                r#"{"Type": "BOOLEAN", "BooleanColumnStatisticsData": {"NumberOfTrues": -1}}"#,
                "expected u64",
            ),
            (
                r#"{"Type": "DECIMAL", "DecimalColumnStatisticsData": {"MinimumValue": {"UnscaledValue": "*", "Scale": 1}}}"#,
                "is not base64",
            ),
            (
                r#"{"Type": "DOUBLE", "DoubleColumnStatisticsData": {"MinimumValue": "x"}}"#,
                "is not a number",
            ),
        ] {
            let error = serde_json::from_str::<ColumnStatisticsData>(json)
                .unwrap_err()
                .to_string();
            assert!(error.contains(told), "{json}: {error}");
        }
    }

    #[test]
    fn long_decimals_are_told_apart() {
        let decimal = |bytes: &[u8]| DecimalNumber {
            unscaled_value: bytes.to_vec(),
            scale: 0,
        };
        assert_eq!(decimal(&[]).unscaled(), None);
        assert_eq!(decimal(&[0xff; 20]).unscaled(), Some(-1));
        let mut beyond = [0; 17];
        beyond[1] = 0x80;
        assert_eq!(decimal(&beyond).unscaled(), None);
        beyond[1] = 0x7f;
        assert_eq!(decimal(&beyond).unscaled(), Some(0x7f << 120));
    }

    proptest! {
        #[test]
        fn decimals_come_back(unscaled in prop_oneof![any::<i128>(), -70_000_i128..70_000], scale in 0..38) {
            let decimal = DecimalNumber::new(unscaled, scale);
            prop_assert_eq!(decimal.unscaled(), Some(unscaled));
            let json = serde_json::to_string(&decimal).unwrap();
            prop_assert_eq!(serde_json::from_str::<DecimalNumber>(&json).unwrap(), decimal);
        }

        #[test]
        fn doubles_come_back_to_the_bit(value in any::<f64>()) {
            prop_assume!(value.is_finite());
            let data = ColumnStatisticsData::Double(DoubleColumnStatisticsData {
                minimum_value: Some(value),
                ..DoubleColumnStatisticsData::default()
            });
            let json = serde_json::to_string(&data).unwrap();
            let ColumnStatisticsData::Double(read) = serde_json::from_str(&json).unwrap() else {
                panic!("{json}");
            };
            prop_assert_eq!(read.minimum_value.map(f64::to_bits), Some(value.to_bits()), "{}", json);
        }
    }
}
