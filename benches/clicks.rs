//! From a click on **Fix** to the message that says fixed, in an installation on the emulators.

#[path = "../tests/stories/support/mod.rs"]
#[expect(dead_code, reason = "the stories use more of it")]
mod support;

mod figure;

use std::time::{Duration, Instant};

use figure::{row, spread};
use support::installation::Installation;
use support::payload::{click, interact};
use support::{ALICE, finding_of_group};

const FIXES: usize = 200;

/// A channel shows five findings of a rule singly in a minute.
const SINGLE: usize = 5;

/// Slack takes a message a second from us: the reply in each finding's thread.
const PACE: Duration = Duration::from_millis(1200);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run());
}

async fn run() {
    let channel = |number: usize| format!("C0BENCH{:03}", number / SINGLE);
    let channels: Vec<String> = (0..FIXES).step_by(SINGLE).map(channel).collect();
    let route = |channel: &String| {
        format!("[[routes]]\nchannel = \"{channel}\"\ntags = {{ channel = \"{channel}\" }}\n")
    };
    let routing = channels.iter().map(route).collect();
    let world = Installation::start(&channels, vec![("DEFENDABLE_ROUTING", routing)]).await;
    let mut groups = Vec::new();
    for number in 0..FIXES {
        let group = world.aws.create_group(&format!("bench-{number:03}")).await;
        world.aws.tag(&group, "channel", &channel(number)).await;
        world.aws.open_port(&group, 22).await;
        groups.push(group);
    }
    for group in &groups {
        while !world.aws.is_shown(&finding_of_group(group)).await {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    let (mut answered, mut fixed) = (Vec::new(), Vec::new());
    for (number, group) in groups.iter().enumerate() {
        let id = finding_of_group(group);
        let yes = world.aws.fix_value(&id).await;
        let begun = Instant::now();
        assert_eq!(
            interact(&world.app_url, &click(ALICE, "fix", &yes)).await,
            Some(200)
        );
        answered.push(begun.elapsed());
        loop {
            let messages = world.slack.messages_of(&channel(number)).await;
            let own = messages
                .iter()
                .find(|message| message.words().contains(id.as_str()));
            if own.is_some_and(|message| message.words().contains("Fixed by")) {
                break;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{id} is not fixed"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        fixed.push(begun.elapsed());
        tokio::time::sleep(PACE.saturating_sub(begun.elapsed())).await;
    }
    row("click on **Fix**: answered", FIXES, &spread(&answered));
    row(
        "click on **Fix**: the message says fixed",
        FIXES,
        &spread(&fixed),
    );
}
