//! The page of the AWS console that shows a resource.

use super::kind::Control;
use crate::ids::Resource;

/// The page's address: of the control's own console, or of AWS Config's where no control is about such
/// resources.
pub fn console_link(resource: &Resource) -> String {
    let (region, id) = (&resource.region, utf8_percent(resource.id.as_str()));
    let console = format!("https://{region}.{}", region.partition().console());
    let page = match Control::of_resource(&resource.resource_type).next() {
        Some(control) => control.definition().console_page(region, &id),
        None => format!(
            "config/home?region={region}#/resources/details?resourceId={id}&resourceType={}",
            utf8_percent(resource.resource_type.as_str())
        ),
    };
    format!("{console}/{page}")
}

fn utf8_percent(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ResourceType;

    fn group(id: &str) -> Resource {
        Resource {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            resource_type: ResourceType::SECURITY_GROUP.parse().unwrap(),
            id: id.parse().unwrap(),
        }
    }

    #[test]
    fn console_links_lead_to_the_partition_s_own_console() {
        let link = |region: &str| {
            console_link(&Resource {
                region: region.parse().unwrap(),
                ..group("sg-1")
            })
        };
        for (region, host) in [
            (
                "eu-central-1",
                "https://eu-central-1.console.aws.amazon.com/ec2/",
            ),
            ("cn-north-1", "https://cn-north-1.console.amazonaws.cn/ec2/"),
            (
                "us-gov-west-1",
                "https://us-gov-west-1.console.amazonaws-us-gov.com/ec2/",
            ),
        ] {
            assert!(link(region).starts_with(host), "{}", link(region));
        }
    }

    #[test]
    fn console_links_escape_the_id() {
        assert!(console_link(&group("a b&c")).ends_with("groupId=a%20b%26c"));
    }
}
