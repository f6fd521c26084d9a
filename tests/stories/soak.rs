//! `serve` is killed by SIGKILL hundreds of times while resources break and people click.
//! `DEFENDABLE_SOAK_KILLS` sets the number, which is higher in `scripts/soak`.

mod subject;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use defendable::ids::FindingId;
use subject::{ActionRequest, Fate, Subject, state};

use crate::faults::cell::routing;
use crate::support::fault_proxy::Tampering;
use crate::support::installation::Installation;
use crate::support::payload::{click, interact, submission};
use crate::support::{ALICE, Aws, BOT_TOKEN, SIGNING_SECRET, memory};

/// The time in which everything must have settled after 200 kills: a lease lasts 80 seconds, and a message
/// that was delivered often comes back after two minutes.
const SETTLES: Duration = Duration::from_secs(420);

/// The same for the number of kills of this run; the emulator has one thread.
fn patience() -> Duration {
    SETTLES.max(SETTLES.mul_f64(kills() as f64 / 200.0))
}

/// The number of findings of one rule that a channel shows singly within a minute.
const SINGLE: usize = 5;

const QUEUES: [&str; 4] = ["events", "fix", "ec2", "s3"];

/// How the deliveries of each queue are disturbed.
const TAMPERING: [(&str, Tampering); 5] = [
    ("defendable-ec2", Tampering::Duplicate),
    ("defendable-s3", Tampering::Duplicate),
    ("defendable-events", Tampering::Reorder),
    (
        "defendable-fix",
        Tampering::Delay(Duration::from_millis(300)),
    ),
    ("defendable-remediation", Tampering::Duplicate),
];

/// A time in which auto-response may have been on: from the first request of "on" to the record of "off".
#[derive(Debug, Clone, Copy)]
struct Window {
    from: Instant,
    until: Option<Instant>,
}

#[derive(Default)]
pub struct Notes {
    subjects: Vec<Subject>,
    /// When a person first requested a change of each resource: the request may have arrived without an
    /// acknowledgement.
    change_asked: BTreeMap<String, Instant>,
    /// When a request about a resource was acknowledged.
    acknowledged: BTreeMap<(String, ActionRequest), Instant>,
    windows: Vec<Window>,
    killed: usize,
}

impl Notes {
    /// Whether auto-response may have been on at a moment, or up to `in_flight` before.
    fn may_be_on(&self, at: Instant, in_flight: Duration) -> bool {
        let within = |window: &Window| {
            window.from <= at && window.until.is_none_or(|until| at < until + in_flight)
        };
        self.windows.iter().any(within)
    }
}

type Shared = Arc<Mutex<Notes>>;

/// A number below `limit`. It need not be repeatable, because the moment of a kill is not either.
fn random(limit: u64) -> u64 {
    (uuid::Uuid::new_v4().as_u128() % u128::from(limit)) as u64
}

fn kills() -> usize {
    std::env::var("DEFENDABLE_SOAK_KILLS")
        .map_or(200, |kills| kills.parse().expect("a number of kills"))
}

fn channel(number: usize) -> String {
    format!("C0SOAK{:03}", number / SINGLE % 60)
}

/// A person requests what they want of some resource.
async fn ask_for_something(aws: &Aws, app_url: &str, notes: &Shared) {
    let subject = {
        let notes = notes.lock().unwrap();
        // Some people click again on what was acknowledged already.
        let again = random(4) == 0;
        let wanted = |subject: &&Subject| {
            let last = subject
                .last_request()
                .map(|request| (subject.resource.clone(), request));
            last.is_some_and(|last| again || !notes.acknowledged.contains_key(&last))
        };
        let theirs: Vec<&Subject> = notes.subjects.iter().filter(wanted).collect();
        if theirs.is_empty() {
            return;
        }
        theirs[random(theirs.len() as u64) as usize].clone()
    };
    let record = aws.finding(&subject.finding_id()).await;
    let existed = record.is_some();
    let Some(request) = subject.request(&record.unwrap_or_default()) else {
        return;
    };
    let acknowledged = ask(aws, app_url, notes, &subject, request).await;
    // Before the finding exists, Alice is told that there is none, and nothing is promised.
    if acknowledged && existed {
        notes
            .lock()
            .unwrap()
            .acknowledged
            .insert((subject.resource, request), Instant::now());
    }
}

/// Makes a request; returns whether Defendable has acknowledged it.
async fn ask(
    aws: &Aws,
    app_url: &str,
    notes: &Shared,
    subject: &Subject,
    request: ActionRequest,
) -> bool {
    let id = subject.finding_id();
    if matches!(request, ActionRequest::Fix | ActionRequest::Undo) {
        notes
            .lock()
            .unwrap()
            .change_asked
            .entry(subject.resource.clone())
            .or_insert_with(Instant::now);
    }
    match request {
        // A click is answered in any case; the table says whether it had an effect.
        ActionRequest::Fix => {
            let pressed = interact(app_url, &click(ALICE, "fix", &aws.fix_value(&id).await)).await;
            let now = aws.finding(&id).await.unwrap_or_default();
            pressed == Some(200) && matches!(state(&now), "fixing" | "fixed")
        }
        ActionRequest::Ignore => {
            sent_off(aws, app_url, &id, "ignore", &aws.fix_value(&id).await).await
        }
        ActionRequest::Undo => {
            sent_off(aws, app_url, &id, "undo", &aws.undo_value(&id).await).await
        }
    }
}

/// A view submission is answered in any case; the table says whether it had an effect.
async fn sent_off(aws: &Aws, app_url: &str, id: &FindingId, modal: &str, metadata: &str) -> bool {
    let sent = interact(app_url, &submission(ALICE, modal, metadata)).await == Some(200);
    sent && matches!(
        state(&aws.finding(id).await.unwrap_or_default()),
        "undoing" | "ignored"
    )
}

/// Switches auto-response until the switch is recorded. `serve` may be killed meanwhile.
async fn switch(aws: Aws, app_url: String, notes: Shared, on: bool) {
    if on {
        notes.lock().unwrap().windows.push(Window {
            from: Instant::now(),
            until: None,
        });
    }
    let wanted = if on { "on" } else { "off" };
    loop {
        // A click is answered in any case.
        _ = interact(
            &app_url,
            &click(ALICE, &format!("autoresponse_{wanted}"), wanted),
        )
        .await;
        if aws.auto_response_wanted().await.as_deref() == Some(wanted) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    if !on {
        let now = Instant::now();
        notes.lock().unwrap().windows.iter_mut().for_each(|window| {
            window.until.get_or_insert(now);
        });
    }
}

/// Kills and starts `serve` again and again, while resources break and people click. Auto-response is on for a
/// third of the time.
async fn turmoil(world: &mut Installation, notes: &Shared, kills: usize) {
    let (aws, app_url) = (Aws::new(world.aws.url()), world.app_url.clone());
    let shared = notes.clone();
    let (url, to) = (world.aws.url().to_owned(), app_url.clone());
    let switching = |on| tokio::spawn(switch(Aws::new(&url), to.clone(), notes.clone(), on));
    let mut switched = switching(false);
    let clicking = tokio::spawn(async move {
        loop {
            ask_for_something(&aws, &app_url, &shared).await;
            tokio::time::sleep(Duration::from_millis(100 + random(500))).await;
        }
    });
    let mut broken = 0;
    for kill in 0..kills {
        if kill % 3 == 0 {
            let subject = Subject::broken(world, broken).await;
            notes.lock().unwrap().subjects.push(subject);
            broken += 1;
        }
        if kill == kills / 3 {
            switched.await.unwrap();
            switched = switching(true);
        } else if kill == kills * 2 / 3 {
            switched.await.unwrap();
            switched = switching(false);
        }
        // Some processes live long enough for a scheduled run, most of them while auto-response is on.
        let is_on = (kills / 3..kills * 2 / 3).contains(&kill);
        let longest = if kill % if is_on { 3 } else { 6 } == 0 {
            2500
        } else {
            450
        };
        // A few live long enough for a whole fix: the coordinator, the remediator's looks, and the report.
        let at_least = if is_on && kill % 9 == 0 { 8000 } else { 80 };
        tokio::time::sleep(Duration::from_millis(at_least + random(longest))).await;
        world.kill();
        notes.lock().unwrap().killed += 1;
        world.spawn();
    }
    clicking.abort();
    switched.await.unwrap();
}

/// Auto-response fixes everything that was left to it, so that no request was lost. Returns what is not fixed
/// when the time is over.
async fn let_it_fix_the_rest(world: &Installation, notes: &Shared) -> Vec<String> {
    switch(
        Aws::new(world.aws.url()),
        world.app_url.clone(),
        notes.clone(),
        true,
    )
    .await;
    let subjects = notes.lock().unwrap().subjects.clone();
    let begun = Instant::now();
    loop {
        let mut open = Vec::new();
        for subject in subjects.iter().filter(|subject| subject.fate == Fate::Left) {
            let id = subject.finding_id();
            // The report and its reply in the thread come after the change.
            let record = world.aws.finding(&id).await.unwrap_or_default();
            if subject.is_open(world).await
                || state(&record) != "fixed"
                || !world.aws.is_shown(&id).await
            {
                open.push(format!(
                    "{} is left for good, though auto-response is on",
                    subject.resource
                ));
            }
        }
        if open.is_empty() || begun.elapsed() > patience() {
            eprintln!(
                "auto-response has fixed the rest after {:?}",
                begun.elapsed()
            );
            return open;
        }
        // A run with many findings stops to ask.
        _ = interact(&world.app_url, &click(ALICE, "autoresponse_on", "on")).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// People repeat their requests until every resource is as they want it and no message waits. Returns what is
/// not finished when the time is over.
async fn settle(world: &Installation, notes: &Shared) -> Vec<String> {
    let begun = Instant::now();
    let subjects = notes.lock().unwrap().subjects.clone();
    loop {
        let mut open = Vec::new();
        for subject in &subjects {
            let record = world
                .aws
                .finding(&subject.finding_id())
                .await
                .unwrap_or_default();
            if subject.is_content(&record) {
                continue;
            }
            let asked = |request| {
                notes
                    .lock()
                    .unwrap()
                    .acknowledged
                    .contains_key(&(subject.resource.clone(), request))
            };
            if let Some(request) = subject.request(&record).filter(|request| !asked(*request))
                && ask(&world.aws, &world.app_url, notes, subject, request).await
                && request != ActionRequest::Fix
            {
                let asked = (subject.resource.clone(), request);
                notes
                    .lock()
                    .unwrap()
                    .acknowledged
                    .insert(asked, Instant::now());
            }
            open.push(format!(
                "{} {:?} {}",
                subject.resource,
                subject.fate,
                state(&record)
            ));
        }
        for queue in QUEUES {
            open.extend(world.aws.waits_in(queue).await);
        }
        for subject in &subjects {
            if !world.aws.is_shown(&subject.finding_id()).await {
                open.push(format!("{} is not shown as it is", subject.resource));
            }
        }
        if open.is_empty() || begun.elapsed() > patience() {
            eprintln!("settled after {:?}", begun.elapsed());
            return open;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_however_often_it_is_killed() {
    let kills = kills();
    let channels: BTreeSet<String> = (0..kills).map(channel).collect();
    let channels: Vec<String> = channels.into_iter().collect();
    let variables = vec![
        ("DEFENDABLE_ROUTING", routing(&channels)),
        ("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned()),
        ("DEFENDABLE_LOG", "defendable=debug,info".to_owned()),
    ];
    // The message of a killed process is visible again after ten seconds, not after minutes.
    let mut world = Installation::start_with_unseen(10, &channels, variables).await;
    world.to_aws.set_unseen("defendable-remediation", 10);
    for (queue, tampering) in TAMPERING {
        world.to_aws.tamper(queue, tampering);
    }
    let notes = Shared::default();
    turmoil(&mut world, &notes, kills).await;
    // A process that lives long needs no schedule of seconds.
    world.kill();
    world.set_schedule(10);
    world.serve().await;
    let mut wrong = settle(&world, &notes).await;
    let subjects = notes.lock().unwrap().subjects.clone();
    let mut fixed = 0;
    for subject in subjects.iter().filter(|subject| subject.fate == Fate::Left) {
        fixed += usize::from(!subject.is_open(&world).await);
    }
    wrong.extend(let_it_fix_the_rest(&world, &notes).await);

    let notes = std::mem::take(&mut *notes.lock().unwrap());
    assert_eq!(notes.killed, kills);
    let mut shown = world.slack.messages().await;
    for channel in &channels {
        shown.extend(world.slack.messages_of(channel).await);
    }
    shown.retain(|message| message.0["ephemeral_to"].is_null());
    for subject in &notes.subjects {
        wrong.extend(subject.check(&world, &notes, &shown).await);
    }
    // Each kind of request was made at least once.
    let asked = |request| {
        notes
            .acknowledged
            .keys()
            .filter(|(_, asked)| *asked == request)
            .count()
    };
    let [fixes, ignores, undos] = [
        ActionRequest::Fix,
        ActionRequest::Ignore,
        ActionRequest::Undo,
    ]
    .map(asked);
    if [fixed, fixes, ignores, undos].contains(&0) {
        wrong.push(format!(
            "{fixed} automatic fixes; clicks: {fixes} to fix, {ignores} to ignore, {undos} to undo"
        ));
    }
    for (queue, tampering) in TAMPERING {
        if world.to_aws.times_tampered(queue) == 0 {
            wrong.push(format!("{queue} has not seen {tampering:?}"));
        }
    }
    for queue in QUEUES.iter().chain(&["remediation"]) {
        let dead = world
            .aws
            .messages_in(&format!("{queue}-dead-letters"))
            .await;
        if dead > 0 {
            wrong.push(format!("{dead} dead letters of {queue}"));
        }
    }
    let taken = memory(world.process_id());
    if taken > 150_000 {
        wrong.push(format!("serve takes {taken} kB"));
    }
    let log = world.logged();
    for secret in [BOT_TOKEN, SIGNING_SECRET, "v0="] {
        if log.contains(secret) {
            wrong.push(format!("the log has {secret}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} things are wrong:\n  {}\n{}",
        wrong.len(),
        wrong.join("\n  "),
        world.log.display()
    );
    let subjects = notes.subjects.len();
    let first = notes
        .subjects
        .first()
        .map(|subject| subject.broken_at.elapsed());
    eprintln!(
        "{kills} kills, {subjects} findings; asked: {fixes} to fix, {ignores} to ignore, {undos} to undo; {fixed} fixed automatically; in {first:?}"
    );
}
