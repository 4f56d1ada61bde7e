//! How times are written: RFC 3339 in UTC, as the AWS CLI prints them. The wire protocol has seconds since 1970 with
//! a fraction; both are read.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Deserializer, de};

/// For `#[serde(with)]` on an `Option<DateTime<Utc>>`.
pub(crate) mod optional {
    use chrono::{DateTime, SecondsFormat, Utc};
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(
        time: &Option<DateTime<Utc>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => {
                serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
            }
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<DateTime<Utc>>, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Null => Ok(None),
            value => super::parse(&value)
                .map(Some)
                .ok_or_else(|| de::Error::custom(format!("{value} is not a time"))),
        }
    }
}

/// For `#[serde(with)]` on a `DateTime<Utc>`.
pub(super) mod required {
    use chrono::{DateTime, Utc};
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(
        time: &DateTime<Utc>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        super::optional::serialize(&Some(*time), serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<DateTime<Utc>, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        super::parse(&value).ok_or_else(|| de::Error::custom(format!("{value} is not a time")))
    }
}

fn parse(value: &serde_json::Value) -> Option<DateTime<Utc>> {
    match value {
        serde_json::Value::String(text) => DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z"))
            .map(|time| time.to_utc())
            .or_else(|_| {
                NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                    .map(|time| time.and_utc())
            })
            .ok(),
        serde_json::Value::Number(number) => {
            let seconds = number.as_f64()?;
            // Whole microseconds: a double of today's seconds holds no more.
            DateTime::from_timestamp_micros((seconds * 1e6).round() as i64)
        }
        _ => None,
    }
}

/// Reads `null` where a list or a map is meant as an empty one: older AWS tools print it.
pub(super) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer)
        .map(Option::unwrap_or_default)
        .map_err(de::Error::custom)
}
