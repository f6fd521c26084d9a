//! AWS Config's configuration items, as its three sources spell them: the event of a
//! change-triggered rule, the summary that stands in for an oversized item, and the History API.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A configuration item, as far as the rules read it. Accepts the rule event's form and the
/// [History API's](https://docs.aws.amazon.com/config/latest/APIReference/API_ConfigurationItem.html)
/// form, which renames fields and turns every nested value into a string:
///
/// ```json
/// {"resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-1", "awsAccountId": "123456789012",
///  "awsRegion": "us-east-1", "configurationItemStatus": "OK",
///  "configurationItemCaptureTime": "2026-01-01T00:00:00.000Z", "configuration": {"ipPermissions": []}}
/// ```
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationItem<'a> {
    /// `AWS::EC2::SecurityGroup`
    #[serde(borrow)]
    pub resource_type: Cow<'a, str>,
    /// `sg-0123456789abcdef0`, or a bucket's name.
    #[serde(borrow)]
    pub resource_id: Cow<'a, str>,
    /// The name beside the id, where the resource has one.
    #[serde(borrow, default)]
    pub resource_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    aws_account_id: Option<Cow<'a, str>>,
    /// The History API's spelling.
    #[serde(borrow, default)]
    account_id: Option<Cow<'a, str>>,
    /// The region of the resource.
    #[serde(borrow, default)]
    pub aws_region: Option<Cow<'a, str>>,
    /// When AWS Config saw this state; evaluations are ordered by it. RFC 3339.
    #[serde(borrow, default)]
    pub configuration_item_capture_time: Option<Cow<'a, str>>,
    /// `OK`, `ResourceDiscovered`, `ResourceDeleted`, `ResourceNotRecorded`, …
    #[serde(borrow)]
    pub configuration_item_status: Cow<'a, str>,
    #[serde(borrow, default)]
    tags: Option<&'a RawValue>,
    /// The resource's own description; its shape depends on the type.
    #[serde(borrow, default)]
    configuration: Option<&'a RawValue>,
    /// What the resource's description lacks: a bucket's ACL, policy, public access block.
    #[serde(borrow, default)]
    supplementary_configuration: Option<&'a RawValue>,
}

impl ConfigurationItem<'_> {
    /// Whether the item shows a resource that exists and is recorded; a rule calls anything
    /// else not applicable.
    pub fn exists(&self) -> bool {
        matches!(
            self.configuration_item_status.as_ref(),
            "OK" | "ResourceDiscovered"
        )
    }

    /// The owning account, by either spelling, or both.
    pub fn account(&self) -> Option<&str> {
        self.aws_account_id
            .as_deref()
            .or(self.account_id.as_deref())
    }

    /// The resource's tags, if they are of the documented shape. They decide nothing about compliance,
    /// so that another shape must not keep an item from being judged.
    pub fn tags(&self) -> BTreeMap<String, String> {
        self.tags
            .and_then(|json| serde_json::from_str(json.get()).ok())
            .unwrap_or_default()
    }

    /// The resource's own description. An item that lacks it can only be called compliant by
    /// mistake, so that is an error.
    pub fn configuration<T: DeserializeOwned + Default>(&self) -> serde_json::Result<T> {
        nested("configuration", self.configuration)
    }

    /// Whether it has a supplement.
    pub fn has_supplement(&self) -> bool {
        let supplement = self.supplementary_configuration.map(RawValue::get);
        supplement.is_some_and(|json| json != "null")
    }

    /// Whether its description is that of a template, as AWS Config has it in the
    /// [proactive mode](https://docs.aws.amazon.com/config/latest/developerguide/evaluate-config-rules.html): the
    /// names of CloudFormation's properties begin with capital letters, those of what exists do not.
    pub fn is_template(&self) -> bool {
        let fields = self.configuration::<BTreeMap<String, IgnoredAny>>();
        fields.is_ok_and(|fields| {
            let mut names = fields.keys();
            names.any(|name| name.starts_with(|letter: char| letter.is_ascii_uppercase()))
        })
    }

    /// The description's supplement; likewise.
    pub fn supplementary_configuration<T: DeserializeOwned + Default>(
        &self,
    ) -> serde_json::Result<T> {
        nested(
            "supplementaryConfiguration",
            self.supplementary_configuration,
        )
    }
}

fn nested<T: DeserializeOwned + Default>(
    name: &str,
    raw: Option<&RawValue>,
) -> serde_json::Result<T> {
    let raw = raw.map(RawValue::get).filter(|json| *json != "null");
    let raw = raw.ok_or_else(|| serde_json::Error::custom(format!("it has no {name}")))?;
    from_stringified(raw)
}

/// Parses JSON that may have been turned into a JSON string, once or several times, on its way
/// (the History API does so once, and twice with a bucket's ACL). `null` is the default value.
pub fn from_stringified<T: DeserializeOwned + Default>(json: &str) -> serde_json::Result<T> {
    let mut text = Cow::Borrowed(json.trim());
    while text.starts_with('"') {
        text = Cow::Owned(serde_json::from_str::<String>(&text)?.trim().to_owned());
    }
    match text.as_ref() {
        "" | "null" => Ok(T::default()),
        text => serde_json::from_str(text),
    }
}

/// For a field that may be absent, `null`, JSON, or JSON in a string.
pub(in crate::controls) fn stringified<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    from_stringified(raw.get()).map_err(serde::de::Error::custom)
}

/// For a list that may be `null`.
pub(in crate::controls) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_found_however_often_it_was_turned_into_a_string() {
        let once = serde_json::to_string("[1,2]").unwrap();
        let twice = serde_json::to_string(&once).unwrap();
        for text in ["[1,2]", &once, &twice] {
            assert_eq!(from_stringified::<Vec<u8>>(text).unwrap(), [1, 2]);
        }
        assert_eq!(from_stringified::<Vec<u8>>("null").unwrap(), [0u8; 0]);
        assert!(from_stringified::<Vec<u8>>("\"{").is_err());
    }

    #[test]
    fn tags_are_read_and_other_shapes_of_them_do_no_harm() {
        let tags = |tags: &str| {
            let item = format!(
                r#"{{"configurationItemStatus":"OK","resourceType":"t","resourceId":"r","tags":{tags}}}"#
            );
            serde_json::from_str::<ConfigurationItem>(&item)
                .unwrap()
                .tags()
        };
        assert_eq!(tags(r#"{"team":"payments"}"#)["team"], "payments");
        for other in [
            "null",
            "[]",
            r#"[{"key":"team"}]"#,
            r#"{"team":1}"#,
            r#""""#,
        ] {
            assert!(tags(other).is_empty(), "{other}");
        }
    }

    #[test]
    fn the_history_api_s_names_are_understood() {
        let item: ConfigurationItem = serde_json::from_str(
            r#"{"version":"1.3","accountId":"123456789012","configurationItemStatus":"OK",
                "configurationStateId":"1","resourceType":"AWS::EC2::SecurityGroup","resourceId":"sg-1",
                "configuration":"{\"ipPermissions\":[]}"}"#,
        )
        .unwrap();
        assert_eq!(item.account(), Some("123456789012"));
        let configuration: serde_json::Value = item.configuration().unwrap();
        assert_eq!(configuration, serde_json::json!({"ipPermissions": []}));
    }
}
