//! The calls that open a port, as CloudTrail records them: of the group, and of a prefix list that it lets in.

use ipnet::IpNet;
use serde_json::Value;

use super::ingress_rule::{IngressRule, IngressSource, PrefixList};
use super::opened::{Opened, protocol_name};
use crate::controls::cause::{Call, Effect};

/// Adds entries to a prefix list, and takes others out.
const MODIFY_LIST: &str = "ModifyManagedPrefixList";

/// Brings an earlier version of a prefix list back; the call does not say with which entries.
const RESTORE_LIST: &str = "RestoreManagedPrefixListVersion";

/// The calls that name a prefix list and no group.
pub(super) const OF_PREFIX_LISTS: &[&str] = &[MODIFY_LIST, RESTORE_LIST];

/// What a call did to a rule, by the rule itself and by the entries of its prefix list.
pub(super) fn effects(call: &Call, rule: &IngressRule) -> Vec<(&'static str, Effect)> {
    let of_list = match &rule.source {
        IngressSource::PrefixList(list) => on_list(call, list),
        IngressSource::Cidr(_) => None,
    };
    let effects = [("ingress", on_rule(call, rule)), ("entries", of_list)];
    effects
        .into_iter()
        .filter_map(|(decides, effect)| Some((decides, effect?)))
        .collect()
}

/// What a call did to a rule. One that modifies it says how the rule is then, which may be less than it was: it has
/// opened nothing where the rule is known to have been as open before.
fn on_rule(call: &Call, rule: &IngressRule) -> Option<Effect> {
    let (asked, answered) = (&call.request_parameters, &call.response_elements);
    match call.event_name.as_str() {
        "AuthorizeSecurityGroupIngress" => match by_id(answered, rule) {
            Some(permission) if opens(permission, rule) => Some(Effect::Added),
            Some(_) => Some(Effect::Closed),
            // What it made has other ids.
            None if !permissions(answered).is_empty() => None,
            None => asked_for(&permissions(asked), rule),
        },
        "ModifySecurityGroupRules" => {
            let modified = by_id(asked, rule)?;
            let mut modified = permissions(modified).into_iter();
            let is_open = |permission| opens(permission, rule);
            Some(Effect::of(modified.any(is_open)))
        }
        _ => None,
    }
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

/// What a call did that does not say which rules it made: one that asked for more may have made another rule, and
/// tells only that the same was open.
fn asked_for(permissions: &[&Value], rule: &IngressRule) -> Option<Effect> {
    if permissions.iter().any(|asked| opens_just(asked, rule)) {
        return Some(Effect::Added);
    }
    let is_open = permissions.iter().any(|asked| opens(asked, rule));
    is_open.then_some(Effect::LeftOpen)
}

/// The innermost object that names a rule by its id, somewhere in a call's parameters or answer.
fn by_id<'a>(value: &'a Value, rule: &IngressRule) -> Option<&'a Value> {
    let names_it = |name: &str| value.get(name).and_then(Value::as_str) == Some(&rule.rule_id);
    if ["securityGroupRuleId", "SecurityGroupRuleId"]
        .into_iter()
        .any(names_it)
    {
        return Some(value);
    }
    match value {
        Value::Object(fields) => fields.values().find_map(|value| by_id(value, rule)),
        Value::Array(items) => items.iter().find_map(|value| by_id(value, rule)),
        _ => None,
    }
}

/// The objects that say a protocol, somewhere in a call's parameters or answer: each is a permission.
fn permissions(value: &Value) -> Vec<&Value> {
    let is_one = value
        .get("ipProtocol")
        .or(value.get("IpProtocol"))
        .is_some();
    let inner: Vec<&Value> = match value {
        Value::Object(fields) => fields.values().flat_map(permissions).collect(),
        Value::Array(items) => items.iter().flat_map(permissions).collect(),
        _ => Vec::new(),
    };
    is_one.then_some(value).into_iter().chain(inner).collect()
}

/// Whether a permission opens all that a rule does.
fn opens(permission: &Value, rule: &IngressRule) -> bool {
    let wanted = wanted(rule);
    any_opened(permission, |opened| opened.includes(&wanted))
}

/// Whether a permission opens what a rule does, and no more.
fn opens_just(permission: &Value, rule: &IngressRule) -> bool {
    let wanted = wanted(rule);
    any_opened(permission, |opened| {
        opened.includes(&wanted) && wanted.includes(opened)
    })
}

/// The traffic that a rule opens.
fn wanted(rule: &IngressRule) -> Opened<'_> {
    let (IngressSource::Cidr(source) | IngressSource::PrefixList(PrefixList { id: source, .. })) =
        &rule.source;
    opened(&rule.protocol, (rule.from_port, rule.to_port), source)
}

/// Whether one of those whom a permission lets in is let in as is wanted.
fn any_opened(permission: &Value, is_wanted: impl Fn(&Opened) -> bool) -> bool {
    let field = |names: [&str; 2]| names.iter().find_map(|name| permission.get(name));
    let Some(protocol) = field(["ipProtocol", "IpProtocol"]) else {
        return false;
    };
    let protocol = protocol
        .as_str()
        .map_or_else(|| protocol.to_string(), str::to_owned);
    let port = |names| {
        let port = field(names).and_then(Value::as_i64);
        port.and_then(|port| i32::try_from(port).ok())
    };
    let ports = (port(["fromPort", "FromPort"]), port(["toPort", "ToPort"]));
    let mut sources = texts(permission).into_iter();
    sources.any(|source| is_wanted(&opened(&protocol, ports, source)))
}

/// A prefix list's id is a source as a range is.
fn opened<'a>(
    protocol: &'a str,
    (from, to): (Option<i32>, Option<i32>),
    source: &'a str,
) -> Opened<'a> {
    let given = |port: Option<i32>| port.filter(|port| *port != -1);
    Opened {
        protocol: protocol_name(protocol),
        ports: (given(from), given(to)),
        prefix_list: None,
        ranges: vec![source],
    }
}

/// The texts in a permission, of which those that are no source include none.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use Effect::{Added, Closed, LeftOpen, Opened};
    use serde_json::json;

    use super::*;

    fn call(name: &str, parameters: &Value, answered: &Value) -> Call {
        let call = json!({"eventName": name, "eventTime": "2026-01-01T00:00:00Z",
            "requestParameters": parameters, "responseElements": answered});
        serde_json::from_value(call).unwrap()
    }

    fn ssh_from(source: IngressSource) -> IngressRule {
        IngressRule {
            rule_id: "sgr-1".to_owned(),
            protocol: "tcp".to_owned(),
            from_port: Some(22),
            to_port: Some(22),
            source,
            description: None,
            is_left_to_people: false,
        }
    }

    fn ssh() -> IngressRule {
        ssh_from(IngressSource::Cidr("0.0.0.0/0".to_owned()))
    }

    fn permission(port: i32, source: &str) -> Value {
        json!({"ipProtocol": "tcp", "fromPort": port, "toPort": port,
            "ipRanges": {"items": [{"cidrIp": source}]}})
    }

    /// An answer with a rule's id and what it opens.
    fn rule(id: &str, port: i32, source: &str) -> Value {
        json!({"ModifyOrMade": {"items": [{"securityGroupRuleId": id, "ipProtocol": "tcp",
            "fromPort": port, "toPort": port, "cidrIpv4": source}]}})
    }

    #[test]
    fn an_authorisation_has_added_the_rule_whose_id_it_answers() {
        let authorised = |asked: &Value, answered: &Value| {
            effects(
                &call("AuthorizeSecurityGroupIngress", asked, answered),
                &ssh(),
            )
        };
        let nothing = Value::Null;
        let all = "0.0.0.0/0";
        assert_eq!(
            authorised(&nothing, &rule("sgr-1", 22, all)),
            [("ingress", Added)]
        );
        assert_eq!(
            authorised(&nothing, &rule("sgr-1", 443, all)),
            [("ingress", Closed)]
        );
        assert_eq!(
            authorised(&permission(22, all), &rule("sgr-2", 22, all)),
            [],
            "it has made another rule"
        );
        // Without an answer only what was asked for tells.
        assert_eq!(
            authorised(&permission(22, all), &nothing),
            [("ingress", Added)]
        );
        assert_eq!(authorised(&permission(443, all), &nothing), []);
        let every_port = json!({"ipProtocol": "-1", "ipRanges": [{"cidrIp": all}]});
        assert_eq!(authorised(&every_port, &nothing), [("ingress", LeftOpen)]);
        // CloudTrail may have -1 where EC2 has nothing.
        let every_tcp_port =
            json!({"ipProtocol": "tcp", "fromPort": -1, "toPort": -1, "cidrIp": all});
        assert_eq!(
            authorised(&every_tcp_port, &nothing),
            [("ingress", LeftOpen)]
        );
    }

    #[test]
    fn a_modification_says_how_the_rule_is_then() {
        let modified = |asked: &Value| {
            effects(
                &call("ModifySecurityGroupRules", asked, &Value::Null),
                &ssh(),
            )
        };
        let of = |id: &str, port: i32| {
            json!({"ModifySecurityGroupRulesRequest": {"SecurityGroupRule": {"SecurityGroupRuleId": id,
                "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": port, "ToPort": port,
                    "CidrIpv4": "0.0.0.0/0"}}}})
        };
        assert_eq!(modified(&of("sgr-1", 22)), [("ingress", Opened)]);
        assert_eq!(modified(&of("sgr-1", 443)), [("ingress", Closed)]);
        assert_eq!(modified(&of("sgr-2", 22)), []);
        let other = call("RevokeSecurityGroupIngress", &of("sgr-1", 22), &Value::Null);
        assert_eq!(effects(&other, &ssh()), []);
    }

    #[test]
    fn a_prefix_list_is_opened_by_the_entries_that_it_gets() {
        let by_list = ssh_from(IngressSource::PrefixList(PrefixList {
            id: "pl-1".to_owned(),
            open: ["64.0.0.0/7".to_owned()].into(),
            has_others: false,
        }));
        let changed = |name: &str, list: &str, field: &str, cidr: &str| {
            let entries =
                json!([{"Cidr": "10.0.0.0/8", "Description": "64.0.0.0/7"}, {"Cidr": cidr}]);
            let parameters =
                json!({"Request": {"PrefixListId": list, "Description": "pl-1", field: entries}});
            effects(&call(name, &parameters, &Value::Null), &by_list)
        };
        let open = "64.0.0.0/7";
        assert_eq!(
            changed(MODIFY_LIST, "pl-1", "AddEntry", open),
            [("entries", Added)]
        );
        assert_eq!(
            changed(MODIFY_LIST, "pl-1", "RemoveEntry", open),
            [("entries", Closed)]
        );
        assert_eq!(changed(MODIFY_LIST, "pl-1", "AddEntry", "10.1.0.0/16"), []);
        assert_eq!(changed(MODIFY_LIST, "pl-1", "RemoveEntry", "no range"), []);
        assert_eq!(changed(MODIFY_LIST, "pl-2", "AddEntry", open), []);
        assert_eq!(
            changed(RESTORE_LIST, "pl-1", "TargetVersion", "1"),
            [("entries", LeftOpen)]
        );
        assert_eq!(changed(RESTORE_LIST, "pl-2", "TargetVersion", "1"), []);
        assert_eq!(
            changed("DeleteManagedPrefixList", "pl-1", "AddEntry", open),
            []
        );
        let one = json!({"PrefixListId": "pl-1", "AddEntry": {"Cidr": open}});
        assert_eq!(
            effects(&call(MODIFY_LIST, &one, &Value::Null), &by_list),
            [("entries", Added)]
        );
        assert_eq!(effects(&call(MODIFY_LIST, &one, &Value::Null), &ssh()), []);
    }
}
