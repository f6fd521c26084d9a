//! What each function may do on AWS: what the code beside its handlers declares, put together. The
//! roles of `infra/permissions.tf` allow exactly this.

use std::collections::BTreeSet;

use super::Function;
use crate::controls::evaluation::{RuleDefaults, RuleKind};
use crate::controls::{RemediatorKind, ViolationType};
use crate::finding::table;
use crate::{command, coordinator, functions, notifier, opener, queue, secrets};

impl Function {
    /// The IAM actions that the function calls, such as `sqs:SendMessage`.
    pub fn actions(self) -> BTreeSet<&'static str> {
        let parts: Vec<&[&str]> = match self {
            Self::Slack => vec![command::ACTIONS, table::ACTIONS, secrets::ACTIONS],
            Self::Notifier => planning(&[
                notifier::ACTIONS,
                table::ACTIONS,
                secrets::ACTIONS,
                queue::ACTIONS,
                opener::ACTIONS,
            ]),
            Self::Coordinator => vec![coordinator::ACTIONS, table::ACTIONS, queue::ACTIONS],
            Self::SecurityGroupRemediator => remediator(RemediatorKind::SecurityGroup),
            Self::S3BucketRemediator => remediator(RemediatorKind::S3Bucket),
            Self::RestrictedPortsRule => return rule(RuleKind::RestrictedPorts),
            Self::S3PublicAccessRule => return rule(RuleKind::S3PublicAccess),
        };
        parts.into_iter().flatten().copied().collect()
    }
}

/// Beside its own actions, what looking at resources takes.
fn planning(own: &[&'static [&'static str]]) -> Vec<&'static [&'static str]> {
    own.iter()
        .copied()
        .chain(ViolationType::ALL.map(|kind| kind.remediation().plan_actions()))
        .collect()
}

fn remediator(kind: RemediatorKind) -> Vec<&'static [&'static str]> {
    let remediations = ViolationType::ALL
        .map(ViolationType::remediation)
        .into_iter()
        .filter(|remediation| remediation.remediator() == kind);
    let own = [functions::remediator::ACTIONS, queue::ACTIONS];
    own.into_iter()
        .chain(remediations.flat_map(|one| [one.plan_actions(), one.apply_actions()]))
        .collect()
}

fn rule(kind: RuleKind) -> BTreeSet<&'static str> {
    let asks = RuleDefaults::default().rule(kind).actions();
    asks.into_iter()
        .chain(functions::rule::ACTIONS.iter().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use clap::ValueEnum;
    use hcl_edit::Ident;
    use hcl_edit::expr::{Array, Expression, ObjectKey};
    use hcl_edit::structure::Body;

    use super::*;

    /// What SSM does in our name is no call of ours.
    const INDIRECT: &str = "kms:Decrypt";

    fn field<'a>(object: &'a Expression, name: &str) -> &'a Expression {
        let object = object
            .as_object()
            .unwrap_or_else(|| panic!("{name} is looked for in {object:?}"));
        let key = ObjectKey::from(Ident::new(name));
        object
            .get(&key)
            .unwrap_or_else(|| panic!("no {name} in {object:?}"))
            .expr()
    }

    fn items(list: &Expression) -> &Array {
        list.as_array()
            .unwrap_or_else(|| panic!("not a list: {list:?}"))
    }

    /// The actions that the statements of a function's role allow.
    fn allowed(permissions: &Expression, function: &str) -> BTreeSet<String> {
        let statements = items(field(permissions, function)).iter();
        let actions = statements.flat_map(|statement| items(field(statement, "actions")).iter());
        actions
            .map(|action| {
                action
                    .as_str()
                    .expect("an action is a plain string")
                    .to_owned()
            })
            .collect()
    }

    #[test]
    fn the_roles_of_terraform_allow_what_the_functions_call_and_nothing_else() {
        let body: Body = include_str!("../../infra/permissions.tf").parse().unwrap();
        let locals = body.get_blocks("locals").next().unwrap();
        let permissions = &locals.body.get_attribute("permissions").unwrap().value;
        assert_eq!(
            permissions.as_object().unwrap().len(),
            Function::value_variants().len()
        );
        for function in Function::value_variants() {
            let name = function.to_possible_value().unwrap().get_name().to_owned();
            let called: BTreeSet<String> =
                function.actions().into_iter().map(str::to_owned).collect();
            assert_eq!(allowed(permissions, &name), called, "{name}");
        }
    }

    /// Every call names its action for its errors: `AwsError::from_sdk("sqs:SendMessage", …)`.
    fn named_in(directory: &Path, named: &mut BTreeSet<String>) {
        for entry in fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
        {
            if entry.is_dir() && !entry.ends_with("sandbox") {
                named_in(&entry, named);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&entry).unwrap();
                let calls = source
                    .split(concat!("from_", "sdk("))
                    .skip(1)
                    .filter_map(|rest| rest.trim_start().strip_prefix('"'));
                named.extend(
                    calls.map(|rest| rest.split('"').next().unwrap_or_default().to_owned()),
                );
            }
        }
    }

    #[test]
    fn every_call_to_aws_is_declared() {
        let mut named = BTreeSet::new();
        named_in(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut named,
        );
        assert!(named.len() > 20, "{named:?}");
        // A batch is sent by the right to send.
        named.remove("sqs:SendMessageBatch");
        // A person's, not a function's.
        crate::doctor::ACTIONS
            .iter()
            .for_each(|action| assert!(named.remove(*action), "{action}"));
        let mut declared: BTreeSet<String> = Function::value_variants()
            .iter()
            .flat_map(|function| function.actions())
            .map(str::to_owned)
            .collect();
        declared.remove(INDIRECT);
        assert_eq!(named, declared);
    }
}
