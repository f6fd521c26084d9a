//! A configuration item as the History API has it.

use jiff::Timestamp;
use serde_json::{Value, json};

/// An item as the History API has it: other names, and every nested value a string, the ACL's
/// twice.
pub(super) fn historic(item: &Value) -> Value {
    let time = item["configurationItemCaptureTime"]
        .as_str()
        .and_then(|time| time.parse::<Timestamp>().ok());
    let seconds = time.map(|time| time.as_millisecond() as f64 / 1000.0);
    let supplement = item["supplementaryConfiguration"]
        .as_object()
        .into_iter()
        .flatten();
    let supplement: serde_json::Map<String, Value> = supplement
        .map(|(name, value)| (name.clone(), Value::String(value.to_string())))
        .collect();
    json!({
        "version": "1.3", "accountId": item["awsAccountId"], "awsRegion": item["awsRegion"],
        "configurationItemCaptureTime": seconds, "configurationItemStatus": item["configurationItemStatus"],
        "configurationStateId": item["configurationStateId"].to_string(), "configurationItemMD5Hash": "",
        "resourceType": item["resourceType"], "resourceId": item["resourceId"], "resourceName": item["resourceName"],
        "relatedEvents": [], "relationships": [], "tags": {},
        "configuration": item["configuration"].to_string(), "supplementaryConfiguration": supplement,
    })
}
