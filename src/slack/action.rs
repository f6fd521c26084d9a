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
/// Turn auto-response on, or let a stopped run go on (`hold <time>` in the value).
pub const AUTORESPONSE_ON: &str = "autoresponse_on";
/// Turn auto-response off.
pub const AUTORESPONSE_OFF: &str = "autoresponse_off";
