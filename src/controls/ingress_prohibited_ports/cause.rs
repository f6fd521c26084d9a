//! The calls that open a port, as CloudTrail records them.

use serde_json::Value;

use super::ingress_rule::{IngressRule, IngressSource, PrefixList};
use super::opened::protocol_name;
use crate::controls::cause::Call;

/// Whether a call adds a rule that opens the same.
pub(super) fn adds(call: &Call, rule: &IngressRule) -> bool {
    let adds = matches!(
        call.event_name.as_str(),
        "AuthorizeSecurityGroupIngress" | "ModifySecurityGroupRules"
    );
    adds && names_rule(&call.request_parameters, rule)
}

/// Whether a permission somewhere in the parameters has a rule's protocol, ports and source.
fn names_rule(parameters: &Value, rule: &IngressRule) -> bool {
    let (IngressSource::Cidr(source) | IngressSource::PrefixList(PrefixList { id: source, .. })) =
        &rule.source;
    let field = |names: [&str; 2]| names.iter().find_map(|name| parameters.get(name));
    let here = field(["ipProtocol", "IpProtocol"]).is_some_and(|protocol| {
        let said = protocol
            .as_str()
            .map_or_else(|| protocol.to_string(), str::to_owned);
        let port = |names| field(names).and_then(Value::as_i64).unwrap_or(-1);
        let ports = (port(["fromPort", "FromPort"]), port(["toPort", "ToPort"]));
        let wanted = (
            rule.from_port.map_or(-1, i64::from),
            rule.to_port.map_or(-1, i64::from),
        );
        protocol_name(&said) == protocol_name(&rule.protocol)
            && (rule.protocol == "-1" || ports == wanted)
            && parameters.to_string().contains(&format!("\"{source}\""))
    });
    here || match parameters {
        Value::Object(fields) => fields.values().any(|value| names_rule(value, rule)),
        Value::Array(items) => items.iter().any(|value| names_rule(value, rule)),
        _ => false,
    }
}
