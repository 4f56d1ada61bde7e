//! Notifications of changed objects, as stores send them.

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// The URLs that a text names: of S3 event notifications (the JSON that S3, MinIO and others send, alone or in a
/// queue's messages), of EventBridge events, or one URL or path a line. Each comes once.
///
/// # Errors
/// What is wrong, and in which line.
pub fn changed_urls(text: &str) -> Result<Vec<String>, String> {
    let mut urls = Vec::new();
    if text.trim_start().starts_with(['{', '[']) {
        let values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        for value in values {
            let value = value.map_err(|e| format!("it is no JSON: {e}"))?;
            let before = urls.len();
            of_json(&value, &mut urls);
            if urls.len() == before && !is_test(&value) {
                return Err("it holds JSON that is no event of S3 or EventBridge".into());
            }
        }
    } else {
        let lines = text.lines().map(str::trim);
        urls.extend(
            lines
                .filter(|l| !l.is_empty() && !l.starts_with('#'))
                .map(str::to_owned),
        );
    }
    urls.sort();
    urls.dedup();
    Ok(urls)
}

/// What S3 sends when notifications are switched on.
fn is_test(value: &Value) -> bool {
    value.get("Event").and_then(Value::as_str) == Some("s3:TestEvent")
}

fn of_json(value: &Value, urls: &mut Vec<String>) {
    if let Value::Array(all) = value {
        all.iter().for_each(|one| of_json(one, urls));
        return;
    }
    // A queue's message holds the event as text.
    for name in ["Body", "body", "Message"] {
        if let Some(Value::String(inner)) = value.get(name)
            && let Ok(inner) = serde_json::from_str(inner)
        {
            of_json(&inner, urls);
        }
    }
    for name in ["Messages", "Records"] {
        if let Some(inner) = value.get(name) {
            of_json(inner, urls);
        }
    }
    let text = |value: &Value, path: &str| {
        let text = value.pointer(path).and_then(Value::as_str);
        text.map(str::to_owned)
    };
    // S3 encodes keys as forms do; EventBridge does not.
    if let (Some(bucket), Some(key)) = (
        text(value, "/s3/bucket/name"),
        text(value, "/s3/object/key"),
    ) {
        let key = key.replace('+', " ");
        let key = percent_decode_str(&key).decode_utf8_lossy();
        urls.push(format!("s3://{bucket}/{key}"));
    }
    if let (Some(bucket), Some(key)) = (
        text(value, "/detail/bucket/name"),
        text(value, "/detail/object/key"),
    ) {
        urls.push(format!("s3://{bucket}/{key}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_name_objects() {
        // The shape is that of "Event message structure" (Amazon S3 user guide).
        let s3 = r#"{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"lake"},"object":{"key":"a+b/c%3D1.csv"}}}]}"#;
        assert_eq!(changed_urls(s3), Ok(vec!["s3://lake/a b/c=1.csv".into()]));
        let message = serde_json::json!({"Messages": [{"Body": s3}, {"Body": s3}]}).to_string();
        assert_eq!(
            changed_urls(&message),
            Ok(vec!["s3://lake/a b/c=1.csv".into()])
        );
        let bridge = r#"{"detail":{"bucket":{"name":"lake"},"object":{"key":"x=1/y.csv"}}}"#;
        assert_eq!(changed_urls(bridge), Ok(vec!["s3://lake/x=1/y.csv".into()]));
        let lines = "# new\n/data/a.csv\n\n/data/b.csv\n/data/a.csv\n";
        assert_eq!(changed_urls(lines).map(|u| u.len()), Ok(2));
        assert!(changed_urls("{\"x\":1}").is_err());
        assert_eq!(changed_urls(r#"{"Event":"s3:TestEvent"}"#), Ok(vec![]));
    }
}
