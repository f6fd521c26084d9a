//! `/dd help`

use crate::slack::Content;
use crate::slack::blocks::note;

pub(super) fn run() -> Content {
    note(
        "*What I know*\n\
         • `/dd status`: is the account compliant, is auto-response on, what is waiting?\n\
         • `/dd findings [open|fixing|ignored|fixed|undoing|deleted] [words]`: the newest findings, with their ids; words of a rule, account, region or resource narrow them down\n\
         • `/dd show <id>`: a finding's whole story; `/dd history [id]`: who did what when\n\
         • `/dd ignored`: what is ignored, by whom and until when\n\
         • `/dd queue`: what auto-response would do now, finding by finding, and what could not be handled; `/dd retry` tries that again\n\
         • `/dd report`: the last 30 days as a picture; `/dd report weekly on|off`: every Monday\n\
         • `/dd fix <id>`: show what a fix would change, and ask, as its *Fix* button does\n\
         • `/dd ignore <id>`: leave a finding as it is for a while, as its *Ignore* button does\n\
         • `/dd undo <id>`: put back what a fix took away in the last seven days, as its *Undo…* button does\n\
         • `/dd approve <id>`, `/dd decline <id>`: answer another operator's wish, where it takes two\n\
         • `/dd autoresponse [on|off]`: fix violations every minute without asking, or stop doing so\n\
         • `/dd help`: this\n\
         Everybody may look; only operators may act.",
    )
}
