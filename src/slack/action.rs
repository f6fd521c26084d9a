//! The action ids of our buttons, and the callback ids of our modals: a contract with every
//! message that is already in Slack.

use crate::ids::{FindingId, PlanDigest};

/// Say yes to the plan in the button's value: `<finding> <plan>`. Of versions before 0.2 only the finding:
/// then it asks again.
pub const FIX: &str = "fix";
/// Show whole the plan that is in the button's value, and ask: it is too long for a confirm dialog.
pub const REVIEW_FIX: &str = "review_fix";
/// Say yes to the plan in the button's value though the finding is ignored.
pub const FIX_IGNORED: &str = "fix_ignored";
/// Look at the resource of the finding in the button's value again.
pub const LOOK_AGAIN: &str = "look_again";
/// Ask how long and why to ignore the finding in the button's value.
pub const IGNORE: &str = "ignore";
/// Stop ignoring the finding in the button's value.
pub const UNIGNORE: &str = "unignore";
/// Ask why to put back what the fix of the finding in the button's value took away.
pub const UNDO: &str = "undo";
/// Show the page before of the list in the button's value. Of version 0.1 its first page.
pub const PREVIOUS_FINDINGS: &str = "newest_findings";
/// Show the next page of the list in the button's value. Of version 0.1 its first page.
pub const NEXT_FINDINGS: &str = "older_findings";
/// Show the page before of the history, from the place in the button's value: `<number> <finding>`.
pub const PREVIOUS_IN_HISTORY: &str = "previous_in_history";
/// Show the next page of the history, from the place in the button's value.
pub const NEXT_IN_HISTORY: &str = "next_in_history";
/// Show the page before of what auto-response would do, from the place in the button's value.
pub const PREVIOUS_IN_QUEUE: &str = "previous_in_queue";
/// Show the next page of what auto-response would do, from the place in the button's value.
pub const NEXT_IN_QUEUE: &str = "next_in_queue";
/// Show the Home tab as it is now.
pub const REFRESH_HOME: &str = "refresh_home";
/// Show the page before of open findings in the Home tab, from the place in the button's value.
pub const PREVIOUS_IN_HOME: &str = "previous_in_home";
/// Show the next page of open findings in the Home tab, from the place in the button's value.
pub const NEXT_IN_HOME: &str = "older_in_home";
/// Send the dead letters of the queue in the button's value back into it.
pub const RETRY: &str = "retry";
/// Delete the dead letter with the id in the button's value.
pub const DISCARD: &str = "discard";
/// Say yes to what another operator asked for: `<finding> <plan>` in the button's value.
pub const APPROVE: &str = "approve";
/// Say no to it.
pub const DECLINE: &str = "decline";
/// Show all findings of the digest in the button's value.
pub const SHOW_ALL: &str = "show_all";
/// Show the page before of the findings of a digest, in the modal: `<digest> <number>` in the button's value.
pub const PREVIOUS_IN_DIGEST: &str = "previous_in_digest";
/// Show the next page of the findings of a digest, in the modal.
pub const NEXT_IN_DIGEST: &str = "next_in_digest";
/// Ask whether to fix all open findings of a digest: `<digest> <list>` in the button's value.
pub const FIX_ALL: &str = "fix_all";
/// Turn auto-response on, or let a stopped run go on with its list (`hold <time> <list>` in the value).
pub const AUTORESPONSE_ON: &str = "autoresponse_on";
/// Turn auto-response off.
pub const AUTORESPONSE_OFF: &str = "autoresponse_off";

/// A button's value about a finding and a plan of it.
pub fn value(finding: &FindingId, plan: &PlanDigest) -> String {
    format!("{finding} {plan}")
}

/// The finding of a button's value, and the plan, if it carries one.
pub fn read_value(value: &str) -> Option<(FindingId, Option<PlanDigest>)> {
    let (finding, plan) = match value.split_once(' ') {
        Some((finding, plan)) => (finding, Some(plan.parse().ok()?)),
        None => (value, None),
    };
    Some((finding.parse().ok()?, plan))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_value_carries_a_finding_and_since_0_2_a_plan() {
        let (finding, plan) = ("f-3fa9c01b22de".parse().unwrap(), PlanDigest::of("a plan"));
        assert_eq!(
            read_value(&value(&finding, &plan)),
            Some((finding.clone(), Some(plan)))
        );
        assert_eq!(read_value("f-3fa9c01b22de"), Some((finding, None)));
        for wrong in [
            "",
            "f-3fa9c01b22de p-1",
            "d-3fa9c01b22de",
            "f-3fa9c01b22de  ",
        ] {
            assert_eq!(read_value(wrong), None, "{wrong:?}");
        }
    }
}
