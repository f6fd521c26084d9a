//! Digests: the findings of a storm, gathered in one message.
//!
//! In the table a digest is an item with what Slack shows of it, and beside it one small item for
//! each finding: what a list shows of it. They are derived from the findings, and follow them.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_attribute_value};

use super::lease::{HELD, Holder, LEASE};
use super::plan_list::{Counts, Listing};
use super::table::{Table, TableError, applied, conditional, number, text};
use super::{Finding, Plan, State, StateName};
use crate::aws::AwsError;
use crate::controls::{AgreedPlan, Change, Severity};
use crate::ids::{AccountId, DigestId, FindingId, PlanDigest, PlanListId, Region, RuleName};
use crate::text::cut;

/// How long a digest's list is kept after a finding in it has changed.
const RETENTION: SignedDuration = SignedDuration::from_hours(35 * 24);

/// How many findings a digest's message shows.
pub const WORST: usize = 10;

/// A digest is drawn at most this often; one that takes long to count less often.
const DRAWN_EVERY: SignedDuration = SignedDuration::from_secs(3);

/// Of the time, at most this part goes into counting.
const COUNTING_SHARE: i32 = 20;

/// However long it takes, a digest is drawn this often.
const DRAWN_AT_LEAST_EVERY: SignedDuration = SignedDuration::from_secs(120);

/// Findings that are read at a time while a digest is counted: about a quarter of what a query
/// [answers at most](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html).
const COUNTED_AT_ONCE: usize = 500;

/// A drawing that was asked for and has not come by then is asked for again.
const OVERDUE: SignedDuration = SignedDuration::from_secs(180);

/// A digest, as the table has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Digest {
    /// The channel of its message.
    pub channel: String,
    /// When the storm began.
    pub begun_at: Timestamp,
    /// The message's timestamp, once it is posted.
    #[serde(default)]
    pub ts: Option<String>,
    /// Fixing all of it, if somebody asked for that.
    #[serde(default)]
    pub fix_all: Option<FixAll>,
    /// Whether its critical findings have called people.
    #[serde(default)]
    pub called: bool,
    /// What was counted when it was last drawn.
    #[serde(default)]
    pub counts: Counts,
    /// The open findings with a plan, as they were when it was last drawn.
    #[serde(default)]
    pub list: Option<PlanListId>,
}

/// A digest's message, as it has been drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// The channel, which is not the one that was wanted where that cannot be posted in.
    pub channel: String,
    /// The message's timestamp.
    pub ts: String,
    /// Whether its critical findings have called people.
    pub called: bool,
    /// The counts that the digest showed.
    pub counts: Counts,
    /// The open findings with a plan, to which **Fix all** says yes.
    pub list: Option<PlanListId>,
    /// How long that took.
    pub counting: SignedDuration,
    /// Whether every finding in it is fixed or deleted.
    pub all_over: bool,
}

/// Fixing every open finding of a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FixAll {
    /// The Slack user who asked.
    pub by: String,
    /// When the operator confirmed it.
    pub at: Timestamp,
    /// The accounts whose findings are meant.
    pub accounts: BTreeSet<AccountId>,
    /// Whether every finding has had its turn.
    pub ended: bool,
    /// The list that was agreed to. Absent in what versions before 0.2 wrote: then it ends at once.
    #[serde(default)]
    pub list: Option<PlanListId>,
}

impl FixAll {
    /// Whether a finding of the account is meant.
    pub fn covers(&self, account: &AccountId) -> bool {
        self.accounts.contains(account)
    }
}

/// What a list shows of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The finding.
    pub finding: FindingId,
    /// What is wrong, in plain words.
    pub headline: String,
    /// The resource's account.
    pub account: AccountId,
    /// The resource's region.
    pub region: Region,
    /// The rule.
    pub rule: RuleName,
    /// The finding's severity.
    pub severity: Severity,
    /// The finding's state.
    pub state: StateName,
    /// Whether there is a fix for it.
    pub fixable: bool,
    /// The plan of a fix, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanDigest>,
    /// Whether its plan went beyond what somebody had agreed to.
    #[serde(default)]
    pub asks_again: bool,
    /// Whether AWS could not be asked if a change of its plan is needed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unconfirmed: bool,
}

impl Entry {
    /// What a list shows of `finding`.
    pub fn of(finding: &Finding, headline: &str) -> Self {
        let plan = finding.fix_plan();
        let is_unconfirmed = |plan: &AgreedPlan| plan.changes.iter().any(Change::is_unconfirmed);
        Self {
            is_unconfirmed: plan.as_ref().is_some_and(is_unconfirmed),
            finding: finding.id.clone(),
            headline: cut(headline, 200),
            account: finding.resource.account.clone(),
            region: finding.resource.region.clone(),
            rule: finding.rule.clone(),
            severity: finding.severity,
            // An ignore that has expired is ended by the housekeeping.
            state: finding.state_name(Timestamp::MIN),
            fixable: finding.plan != Plan::Unsupported,
            plan: plan.map(|plan| plan.digest()),
            asks_again: matches!(
                finding.state,
                State::Open {
                    asks_again: Some(_),
                    ..
                }
            ),
        }
    }

    /// Whether a fix can be asked for: what it would change is known.
    pub fn is_to_fix(&self) -> bool {
        self.plan.is_some() && self.state == StateName::Open
    }

    /// The finding with its plan, as a list has it.
    pub fn listing(&self) -> Option<Listing> {
        let plan = self.plan.clone().filter(|_| self.is_to_fix())?;
        Some(Listing {
            finding: self.finding.clone(),
            plan,
        })
    }
}

/// An entry with what became of it when all were to be fixed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Member {
    /// The entry.
    pub entry: Entry,
    /// When fixing all asked for its fix.
    #[serde(default)]
    pub tried: Option<Timestamp>,
    /// Whether another member stands for the same finding: this one has its old id.
    #[serde(default)]
    pub retired: bool,
}

/// A digest's findings, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub total: u64,
    /// By state.
    pub by_state: BTreeMap<StateName, u64>,
    /// By rule, and the open ones with a fix by account.
    pub counts: Counts,
    /// By account and region.
    pub by_place: BTreeMap<(AccountId, Region), u64>,
    /// The worst, at most [`WORST`]; open ones first.
    pub worst: Vec<Entry>,
    /// Those whose fix was asked for by fixing all, by state.
    pub tried: BTreeMap<StateName, u64>,
    /// Those of them whose plan had grown: nothing was changed.
    pub grown: Vec<Entry>,
    /// The open findings with a plan.
    pub to_fix: Vec<Listing>,
}

impl Tally {
    /// Counts one more. `fix_all` is when all were to be fixed.
    pub fn add(&mut self, member: Member, fix_all: Option<Timestamp>) {
        let Member {
            entry,
            tried,
            retired: _,
        } = member;
        self.total += 1;
        *self.by_state.entry(entry.state).or_default() += 1;
        *self.counts.by_rule.entry(entry.rule.clone()).or_default() += 1;
        *self
            .by_place
            .entry((entry.account.clone(), entry.region.clone()))
            .or_default() += 1;
        if entry.is_to_fix() {
            self.counts.add_to_fix(&entry.account, entry.is_unconfirmed);
        }
        if tried.is_some() && tried == fix_all {
            *self.tried.entry(entry.state).or_default() += 1;
            if entry.asks_again {
                self.grown.push(entry.clone());
            }
        }
        self.to_fix.extend(entry.listing());
        let rank = |entry: &Entry| {
            (
                entry.state != StateName::Open,
                std::cmp::Reverse(entry.severity),
                entry.finding.clone(),
            )
        };
        let place = self
            .worst
            .partition_point(|other| rank(other) < rank(&entry));
        if place < WORST {
            self.worst.insert(place, entry);
            self.worst.truncate(WORST);
        }
    }

    /// How many are in a state.
    pub fn count(&self, state: StateName) -> u64 {
        self.by_state.get(&state).copied().unwrap_or_default()
    }
}

fn key(id: &DigestId) -> String {
    format!("DIGEST#{id}")
}

/// An update after which the item expires some time later, or does not while something in it is
/// still open. `set` is what the update sets beside that, `removed` what it removes.
fn expiring(
    update: UpdateItemFluentBuilder,
    set: &str,
    removed: Option<&str>,
    expires: bool,
) -> UpdateItemFluentBuilder {
    let remove = |names: Vec<&str>| match names.as_slice() {
        [] => String::new(),
        names => format!(" REMOVE {}", names.join(", ")),
    };
    if expires {
        let expiry = number((Timestamp::now() + RETENTION).as_second());
        let expression = format!(
            "{set}, expiresAt = :expires{}",
            remove(removed.into_iter().collect())
        );
        return update
            .update_expression(expression)
            .expression_attribute_values(":expires", expiry);
    }
    update.update_expression(format!(
        "{set}{}",
        remove(removed.into_iter().chain(["expiresAt"]).collect())
    ))
}

fn member_key(finding: &FindingId) -> String {
    format!("MEMBER#{finding}")
}

impl Table {
    /// A digest.
    pub async fn digest(&self, id: &DigestId) -> Result<Option<Digest>, TableError> {
        self.get_item(key(id), "DIGEST".to_owned()).await
    }

    /// Enters a finding into a digest, or what has become of it. What is older than the entry that
    /// is there changes nothing.
    pub async fn enter(
        &self,
        id: &DigestId,
        entry: &Entry,
        version: u64,
    ) -> Result<(), TableError> {
        let update = self
            .digest_update(id, member_key(&entry.finding))
            .condition_expression("attribute_not_exists(#version) OR #version < :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":entry", to_attribute_value(entry)?)
            .expression_attribute_values(":version", number(version));
        let update = expiring(
            update,
            "SET entry = :entry, #version = :version",
            None,
            entry.state.is_over(),
        );
        applied(update).await.map(drop)
    }

    /// Notes that fixing all has asked for a finding's fix.
    pub async fn tried(
        &self,
        id: &DigestId,
        finding: &FindingId,
        at: Timestamp,
    ) -> Result<(), TableError> {
        let update = self
            .digest_update(id, member_key(finding))
            .update_expression("SET tried = :at")
            // One that has expired meanwhile must not come back as half an item.
            .condition_expression("attribute_exists(entry)")
            .expression_attribute_values(":at", to_attribute_value(at)?);
        applied(update).await.map(drop)
    }

    /// The members of a digest behind a finding, at most `limit`, by the findings' ids; and whether
    /// there are more.
    pub async fn members(
        &self,
        id: &DigestId,
        behind: Option<&FindingId>,
        limit: usize,
    ) -> Result<(Vec<Member>, bool), TableError> {
        let begin =
            behind.map_or_else(|| "MEMBER#".to_owned(), |finding| member_key(finding) + "!");
        let query = self
            .dynamodb
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :begin AND :end")
            .expression_attribute_values(":pk", text(key(id)))
            .expression_attribute_values(":begin", text(begin))
            .expression_attribute_values(":end", text("MEMBER#~"))
            .limit(i32::try_from(limit + 1).unwrap_or(i32::MAX));
        let page = query
            .send()
            .boxed()
            .await
            .map_err(|error| AwsError::from_sdk("dynamodb:Query", error))?;
        let more_pages = page.last_evaluated_key.is_some();
        let items = page.items.unwrap_or_default();
        let more = items.len() > limit || more_pages;
        let members: Vec<Member> = items
            .into_iter()
            .take(limit)
            .map(from_item)
            .collect::<Result<_, _>>()?;
        Ok((members, more))
    }

    /// Counts a digest's findings, a page at a time.
    pub async fn tally(
        &self,
        id: &DigestId,
        fix_all: Option<Timestamp>,
    ) -> Result<Tally, TableError> {
        let (mut tally, mut behind) = (Tally::default(), None);
        loop {
            let (members, more) = self.members(id, behind.as_ref(), COUNTED_AT_ONCE).await?;
            behind = members.last().map(|member| member.entry.finding.clone());
            let there = members.into_iter().filter(|member| !member.retired);
            there.for_each(|member| tally.add(member, fix_all));
            if !more || behind.is_none() {
                return Ok(tally);
            }
        }
    }

    /// Becomes the one who draws a digest's message, if nobody else is at it and, unless `at_once`,
    /// it has not just been drawn. Whatever changes from here on is a reason to draw it again.
    pub async fn begin_drawing(
        &self,
        id: &DigestId,
        channel: &str,
        holder: &Holder,
        at_once: bool,
        now: Timestamp,
    ) -> Result<Option<Digest>, TableError> {
        let free =
            "(attribute_not_exists(leaseUntil) OR leaseUntil < :now OR leaseHolder = :holder)";
        let due = "(attribute_not_exists(nextDrawing) OR nextDrawing <= :now)";
        let condition = if at_once {
            free.to_owned()
        } else {
            format!("{free} AND {due}")
        };
        let update = self
            .digest_update(id, "DIGEST".to_owned())
            .update_expression(
                "SET leaseUntil = :until, leaseHolder = :holder, channel = if_not_exists(channel, :channel), begunAt = if_not_exists(begunAt, :begun) REMOVE askedAt",
            )
            .condition_expression(condition)
            .expression_attribute_values(":holder", holder.value())
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":until", number((now + LEASE).as_millisecond()))
            .expression_attribute_values(":channel", text(channel))
            .expression_attribute_values(":begun", to_attribute_value(now)?)
            .return_values(ReturnValue::AllNew);
        conditional(
            update
                .send()
                .boxed()
                .await
                .map(|updated| updated.attributes),
        )
    }

    /// The digest's message is drawn, or could not be: somebody else may. Whose lease has passed to
    /// another notes nothing.
    pub async fn end_drawing(
        &self,
        id: &DigestId,
        holder: &Holder,
        drawn: Option<&Drawn>,
        now: Timestamp,
    ) -> Result<(), TableError> {
        let counting = drawn.map_or(SignedDuration::ZERO, |drawn| drawn.counting);
        let pause = counting * COUNTING_SHARE;
        let pause = pause.clamp(DRAWN_EVERY, DRAWN_AT_LEAST_EVERY);
        let update = self
            .digest_update(id, "DIGEST".to_owned())
            .condition_expression(HELD)
            .expression_attribute_values(":holder", holder.value())
            .expression_attribute_values(":next", number((now + pause).as_millisecond()));
        let update = match drawn {
            Some(drawn) => expiring(
                update
                    .expression_attribute_values(":channel", text(&drawn.channel))
                    .expression_attribute_values(":ts", text(&drawn.ts))
                    .expression_attribute_values(":called", AttributeValue::Bool(drawn.called))
                    .expression_attribute_values(":counts", to_attribute_value(&drawn.counts)?)
                    .expression_attribute_values(":list", to_attribute_value(&drawn.list)?)
                    .expression_attribute_names("#called", "called")
                    .expression_attribute_names("#list", "list")
                    .expression_attribute_names("#counts", "counts"),
                "SET channel = :channel, ts = :ts, #called = :called, #counts = :counts, #list = :list, nextDrawing = :next",
                Some("leaseUntil, leaseHolder"),
                drawn.all_over,
            ),
            None => {
                update.update_expression("SET nextDrawing = :next REMOVE leaseUntil, leaseHolder")
            }
        };
        applied(update).await.map(drop)
    }

    /// Asks for a drawing: when it may be drawn again, where nobody else has asked.
    pub async fn ask_for_drawing(
        &self,
        id: &DigestId,
        channel: &str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, TableError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Asked {
            #[serde(default)]
            next_drawing: Option<i64>,
        }
        let update = self
            .digest_update(id, "DIGEST".to_owned())
            .update_expression(
                "SET askedAt = :now, channel = if_not_exists(channel, :channel), begunAt = if_not_exists(begunAt, :begun)",
            )
            .expression_attribute_values(":channel", text(channel))
            .expression_attribute_values(":begun", to_attribute_value(now)?)
            .condition_expression("attribute_not_exists(askedAt) OR askedAt < :overdue")
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":overdue", number((now - OVERDUE).as_millisecond()))
            .return_values(ReturnValue::AllNew);
        let asked: Option<Asked> = conditional(
            update
                .send()
                .boxed()
                .await
                .map(|updated| updated.attributes),
        )?;
        let next = |asked: Asked| Timestamp::from_millisecond(asked.next_drawing?).ok();
        Ok(asked.map(|asked| next(asked).unwrap_or(now)))
    }

    /// Whether a drawing was asked for and has not come.
    pub async fn is_drawing_overdue(
        &self,
        id: &DigestId,
        now: Timestamp,
    ) -> Result<bool, TableError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Asked {
            #[serde(default)]
            asked_at: Option<i64>,
        }
        let asked: Option<Asked> = self.get_item(key(id), "DIGEST".to_owned()).await?;
        let overdue = (now - OVERDUE).as_millisecond();
        Ok(asked
            .and_then(|asked| asked.asked_at)
            .is_some_and(|at| at < overdue))
    }

    /// Somebody wants all of a digest fixed; `false` while that is under way already.
    pub async fn ask_fix_all(&self, id: &DigestId, fix_all: &FixAll) -> Result<bool, TableError> {
        let update = self
            .digest_update(id, "DIGEST".to_owned())
            .update_expression("SET fixAll = :fixAll")
            .condition_expression(
                "attribute_exists(begunAt) AND (attribute_not_exists(fixAll) OR fixAll.ended = :true)",
            )
            .expression_attribute_values(":fixAll", to_attribute_value(fix_all)?)
            .expression_attribute_values(":true", AttributeValue::Bool(true));
        applied(update).await
    }

    /// Every finding has had its turn in the fixing of all that was asked for `at`.
    pub async fn end_fix_all(&self, id: &DigestId, at: Timestamp) -> Result<(), TableError> {
        let update = self
            .digest_update(id, "DIGEST".to_owned())
            .update_expression("SET fixAll.ended = :true")
            .condition_expression("fixAll.#at = :at")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":at", to_attribute_value(at)?)
            .expression_attribute_values(":true", AttributeValue::Bool(true));
        applied(update).await.map(drop)
    }

    /// An update of a digest's member.
    pub(super) fn member_update(
        &self,
        id: &DigestId,
        finding: &FindingId,
    ) -> UpdateItemFluentBuilder {
        self.digest_update(id, member_key(finding))
    }

    fn digest_update(&self, id: &DigestId, sk: String) -> UpdateItemFluentBuilder {
        self.update(key(id), sk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(number: usize, severity: Severity, state: StateName) -> Member {
        let entry = Entry {
            finding: format!("f-{number:012x}").parse().unwrap(),
            headline: "Bucket b is public".to_owned(),
            account: "123456789012".parse().unwrap(),
            region: if number.is_multiple_of(2) {
                "us-east-1"
            } else {
                "eu-west-1"
            }
            .parse()
            .unwrap(),
            rule: "r".parse().unwrap(),
            severity,
            state,
            fixable: true,
            plan: Some(PlanDigest::of(&number.to_string())),
            asks_again: false,
            is_unconfirmed: false,
        };
        Member {
            entry,
            tried: None,
            retired: false,
        }
    }

    #[test]
    fn what_aws_could_not_be_asked_of_is_counted_among_those_to_fix() {
        let mut tally = Tally::default();
        for number in 0..5 {
            let mut member = member(number, Severity::High, StateName::Open);
            member.entry.is_unconfirmed = number < 2;
            tally.add(member, None);
        }
        let counts = &tally.counts;
        assert_eq!(
            (counts.to_fix_in(|_| true), counts.unconfirmed_in(|_| true)),
            (5, 2)
        );
        assert_eq!(counts.unconfirmed_in(|_| false), 0);
    }

    #[test]
    fn the_worst_open_ones_come_first() {
        let mut tally = Tally::default();
        for number in 0..30 {
            tally.add(member(number, Severity::Medium, StateName::Open), None);
        }
        tally.add(member(30, Severity::Critical, StateName::Fixed), None);
        tally.add(member(31, Severity::Critical, StateName::Open), None);
        assert_eq!(
            (
                tally.total,
                tally.counts.to_fix_in(|_| true),
                tally.worst.len()
            ),
            (32, 31, WORST)
        );
        assert_eq!(tally.worst[0].severity, Severity::Critical);
        assert_eq!(tally.worst[1].finding.as_str(), "f-000000000000");
        assert_eq!(tally.by_place.values().sum::<u64>(), 32);
        assert!(
            !tally
                .worst
                .iter()
                .any(|entry| entry.state == StateName::Fixed)
        );
    }
}
