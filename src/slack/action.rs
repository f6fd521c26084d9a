//! The action ids of our buttons, and the callback ids of our modals: a contract with every
//! message that is already in Slack.

/// Fix the finding in the button's value.
pub const FIX: &str = "fix";
/// Fix the ignored finding in the button's value all the same.
pub const FIX_IGNORED: &str = "fix_ignored";
/// Ask how long and why to ignore the finding in the button's value.
pub const IGNORE: &str = "ignore";
/// Stop ignoring the finding in the button's value.
pub const UNIGNORE: &str = "unignore";
/// Ask why to put back what the fix of the finding in the button's value took away.
pub const UNDO: &str = "undo";
/// Show the newest findings of the list in the button's value.
pub const NEWEST_FINDINGS: &str = "newest_findings";
/// Show the next page of the list in the button's value.
pub const OLDER_FINDINGS: &str = "older_findings";
/// Show the Home tab as it is now.
pub const REFRESH_HOME: &str = "refresh_home";
/// Show the next page of open findings in the Home tab, from the place in the button's value.
pub const OLDER_IN_HOME: &str = "older_in_home";
/// Send the dead letters of the queue in the button's value back into it.
pub const RETRY: &str = "retry";
/// Say yes to what another operator asked for, of the finding in the button's value.
pub const APPROVE: &str = "approve";
/// Say no to it.
pub const DECLINE: &str = "decline";
/// Show all findings of the digest in the button's value.
pub const SHOW_ALL: &str = "show_all";
/// Ask whether to fix all open findings of the digest in the button's value.
pub const FIX_ALL: &str = "fix_all";
/// Turn auto-response on, or let a stopped run go on (`hold <time>` in the value).
pub const AUTORESPONSE_ON: &str = "autoresponse_on";
/// Turn auto-response off.
pub const AUTORESPONSE_OFF: &str = "autoresponse_off";
