//! The IAM actions of each function, put together from what the code declares. The roles of
//! `infra/permissions.tf` allow exactly these.

use std::collections::BTreeSet;

use super::Function;
use crate::controls::evaluation::{RuleDefaults, RuleKind};
use crate::controls::{Service, ViolationType};
use crate::store;
use crate::{attribution, command, coordinator, functions, notifier, queue, secrets};

impl Function {
    /// The IAM actions that the function calls, such as `sqs:SendMessage`.
    pub fn actions(self) -> BTreeSet<&'static str> {
        let parts: Vec<&[&str]> = match self {
            Self::Slack => vec![command::ACTIONS, store::ACTIONS, secrets::ACTIONS],
            Self::Notifier => planning(&[
                notifier::ACTIONS,
                store::ACTIONS,
                secrets::ACTIONS,
                queue::ACTIONS,
                attribution::ACTIONS,
            ]),
            Self::Coordinator => vec![coordinator::ACTIONS, store::ACTIONS, queue::ACTIONS],
            Self::Remediator(service) => remediator(service),
            Self::Rule(kind) => return rule(kind),
        };
        parts.into_iter().flatten().copied().collect()
    }
}

/// The function's own actions, and those of looking at resources.
fn planning(own: &[&'static [&'static str]]) -> Vec<&'static [&'static str]> {
    own.iter()
        .copied()
        .chain(ViolationType::ALL.map(|kind| kind.remediation().plan_actions()))
        .collect()
}

fn remediator(service: Service) -> Vec<&'static [&'static str]> {
    let remediations = ViolationType::ALL
        .map(ViolationType::remediation)
        .into_iter()
        .filter(|remediation| remediation.service() == service);
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

    use hcl_edit::Ident;
    use hcl_edit::expr::{Array, Expression, ObjectKey};
    use hcl_edit::structure::Body;

    use super::*;
    use crate::controls::actions;

    /// SSM decrypts in our name, which is no call of ours.
    const INDIRECT: &str = "kms:Decrypt";

    /// The actions that statements name, wherever they are in an expression. What is taken from controls.json
    /// has no names there.
    fn named(expression: &Expression) -> BTreeSet<String> {
        match expression {
            Expression::Array(items) => items.iter().flat_map(named).collect(),
            Expression::FuncCall(call) => call.args.iter().flat_map(named).collect(),
            Expression::ForExpr(all) => named(&all.value_expr),
            Expression::Object(statement) => statement
                .get(&ObjectKey::from(Ident::new("actions")))
                .and_then(|actions| actions.expr().as_array())
                .into_iter()
                .flat_map(Array::iter)
                .map(|action| action.as_str().expect("a plain string").to_owned())
                .collect(),
            _ => BTreeSet::new(),
        }
    }

    /// What the controls of a service call, as controls.json has it.
    fn of_controls(service: Option<Service>, may_apply: bool) -> BTreeSet<String> {
        let controls = actions();
        let controls = controls
            .values()
            .filter(|control| service.is_none_or(|service| control.service == service.name()));
        let actions = controls.flat_map(|control| {
            let apply = control.apply.iter().filter(|_| may_apply);
            control.plan.iter().chain(apply)
        });
        actions.map(|action| (*action).to_owned()).collect()
    }

    #[test]
    fn the_roles_of_terraform_allow_what_the_functions_call_and_nothing_else() {
        let body: Body = include_str!("../../infra/permissions.tf").parse().unwrap();
        let locals = body.get_blocks("locals").next().unwrap();
        let local = |name: &str| &locals.body.get_attribute(name).unwrap().value;
        let own = local("own_permissions").as_object().unwrap();
        assert_eq!(own.len() + Service::ALL.len(), Function::all().count());
        let of_remediators = named(local("remediator_permissions"));
        for function in Function::all() {
            let name = function.name();
            let own = || named(own.get(&ObjectKey::from(Ident::new(&name))).unwrap().expr());
            let (own, of_controls) = match function {
                Function::Remediator(service) => {
                    (of_remediators.clone(), of_controls(Some(service), true))
                }
                Function::Notifier => (own(), of_controls(None, false)),
                _ => (own(), BTreeSet::new()),
            };
            let called: BTreeSet<String> =
                function.actions().into_iter().map(str::to_owned).collect();
            assert_eq!(&own | &of_controls, called, "{name}");
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
        let mut declared: BTreeSet<String> = Function::all()
            .flat_map(Function::actions)
            .map(str::to_owned)
            .collect();
        declared.remove(INDIRECT);
        assert_eq!(named, declared);
    }
}
