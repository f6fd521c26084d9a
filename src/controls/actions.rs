//! The AWS actions of each control, by phase, as `infra/controls.json` has them: the roles of the Terraform are
//! made from that file.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::kind::{Control, Service};
use super::remediation::Remediation;

/// The IAM actions of a control's remediations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ControlActions {
    /// The service whose resources they change: `ec2`.
    pub service: &'static str,
    /// For planning, and for reading names and tags.
    pub plan: BTreeSet<&'static str>,
    /// For applying and undoing, beside those.
    pub apply: BTreeSet<&'static str>,
}

impl Control {
    /// The service whose resources it is about.
    pub fn service(self) -> Service {
        let mut kinds = self.kinds();
        let first = kinds.next().expect("a control has a kind of violation");
        first.remediation().service()
    }

    fn actions(
        self,
        of: impl Fn(&dyn Remediation) -> &'static [&'static str],
    ) -> BTreeSet<&'static str> {
        self.kinds()
            .flat_map(|kind| of(kind.remediation()))
            .copied()
            .collect()
    }
}

/// The actions of every control, by its name.
pub fn actions() -> BTreeMap<&'static str, ControlActions> {
    let of = |control: Control| ControlActions {
        service: control.service().name(),
        plan: control.actions(|remediation| remediation.plan_actions()),
        apply: control.actions(|remediation| remediation.apply_actions()),
    };
    Control::ALL
        .into_iter()
        .map(|control| (control.name(), of(control)))
        .collect()
}

/// The file's text.
pub fn actions_file() -> String {
    let json = serde_json::to_string_pretty(&actions()).expect("names are JSON");
    format!("{json}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::ViolationType;

    #[test]
    fn the_file_for_terraform_is_what_the_controls_declare() {
        assert_eq!(
            include_str!("../../infra/controls.json"),
            actions_file(),
            "write it: defendable actions > infra/controls.json"
        );
    }

    #[test]
    fn a_control_is_about_one_service() {
        for kind in ViolationType::ALL {
            assert_eq!(kind.control().service(), kind.remediation().service());
        }
    }
}
