//! The calls that open a port, as CloudTrail records them: of the group, and of a prefix list that it lets in.

use ipnet::IpNet;
use serde_json::Value;

use super::ingress_rule::{IngressRule, IngressSource, PrefixList};
use super::opened::protocol_name;
use crate::controls::cause::{Call, Effect};

/// Adds entries to a prefix list, and takes others out.
const MODIFY_LIST: &str = "ModifyManagedPrefixList";

/// Brings an earlier version of a prefix list back; the call does not say with which entries.
const RESTORE_LIST: &str = "RestoreManagedPrefixListVersion";

/// The calls that name a prefix list and no group.
pub(super) const OF_PREFIX_LISTS: &[&str] = &[MODIFY_LIST, RESTORE_LIST];

/// What a call did to a rule, by the rule itself and by the entries of its prefix list.
pub(super) fn effects(call: &Call, rule: &IngressRule) -> Vec<(&'static str, Effect)> {
    let of_rule = adds(call, rule).then_some(("ingress", Effect::Added));
    let of_list = match &rule.source {
        IngressSource::PrefixList(list) => on_list(call, list).map(|effect| ("entries", effect)),
        IngressSource::Cidr(_) => None,
    };
    of_rule.into_iter().chain(of_list).collect()
}

/// What a call did to the open entries of a prefix list.
/// ([ModifyManagedPrefixList](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyManagedPrefixList.html))
fn on_list(call: &Call, list: &PrefixList) -> Option<Effect> {
    let parameters = &call.request_parameters;
    if !has(parameters, "PrefixListId", &|id| id == list.id) {
        return None;
    }
    let open = |cidr: &str| {
        let range = cidr.parse::<IpNet>();
        range.is_ok_and(|range| list.open.contains(&range.to_string()))
    };
    match call.event_name.as_str() {
        // The parameters have the names of EC2's query: a list is `AddEntry`, one or several.
        MODIFY_LIST if has(within(parameters, "AddEntry"), "Cidr", &open) => Some(Effect::Added),
        MODIFY_LIST if has(within(parameters, "RemoveEntry"), "Cidr", &open) => {
            Some(Effect::Closed)
        }
        RESTORE_LIST => Some(Effect::LeftOpen),
        _ => None,
    }
}

/// Whether a field of this name, somewhere in the parameters, has a text that is wanted.
fn has(parameters: &Value, name: &str, is_wanted: &dyn Fn(&str) -> bool) -> bool {
    match parameters {
        Value::Object(fields) => fields.iter().any(|(field, value)| {
            (field == name && value.as_str().is_some_and(is_wanted)) || has(value, name, is_wanted)
        }),
        Value::Array(items) => items.iter().any(|item| has(item, name, is_wanted)),
        _ => false,
    }
}

/// The field of this name, somewhere in the parameters; nothing where there is none.
fn within<'a>(parameters: &'a Value, name: &str) -> &'a Value {
    fn found<'a>(parameters: &'a Value, name: &str) -> Option<&'a Value> {
        let Value::Object(fields) = parameters else {
            return None;
        };
        let inner = || fields.values().find_map(|value| found(value, name));
        fields.get(name).or_else(inner)
    }
    found(parameters, name).unwrap_or(&Value::Null)
}

/// Whether a call adds a rule that opens the same.
fn adds(call: &Call, rule: &IngressRule) -> bool {
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
