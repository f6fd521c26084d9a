//! `/dd help`

use crate::slack::Content;
use crate::slack::blocks::note;

pub(super) fn run() -> Content {
    note(
        "*What I know*\n\
         • `/dd status`: is the account compliant, is auto-response on, what is waiting?\n\
         • `/dd findings [open|fixing|ignored|fixed|undoing]`: the newest findings, with their ids\n\
         • `/dd show <id>`: a finding's whole story; `/dd history [id]`: who did what when\n\
         • `/dd ignored`: what is ignored, by whom and until when\n\
         • `/dd fix <id>`: fix a finding, as its *Fix* button does\n\
         • `/dd ignore <id>`: leave a finding as it is for a while, as its *Ignore* button does\n\
         • `/dd undo <id>`: put back what a fix took away in the last seven days, as its *Undo…* button does\n\
         • `/dd autoresponse [on|off]`: fix violations every minute without asking, or stop doing so\n\
         • `/dd help`: this\n\
         Everybody may look; only operators may act.",
    )
}
