//! The modals of a digest: all of its findings, page by page, and the question before all of them
//! are fixed.

use slack_morphism::prelude::*;

use super::action;
use super::blocks::{actions, context, plain, section, sections};
use super::digest_message::entry_line;
use super::modal::metadata;
use super::page::Page;
use super::text::{code, count};
use crate::finding::digest::Entry;
use crate::finding::plan_list::Counts;
use crate::ids::{AccountId, DigestId, PlanListId};

/// The callback id of the question.
pub const FIX_ALL_CALLBACK_ID: &str = "fix_all";

/// How many findings one page shows.
const PAGE: usize = 30;

/// The page of a digest's findings that begins behind `from` of them.
pub fn show_all_view(
    id: &DigestId,
    entries: &[Entry],
    from: usize,
    is_whole: bool,
) -> SlackModalView {
    let (page, shown) = Page::of(entries, from, PAGE, is_whole);
    let mut blocks = Vec::new();
    let ids = [action::PREVIOUS_IN_DIGEST, action::NEXT_IN_DIGEST];
    let buttons = page.buttons(ids, |from| format!("{id} {from}"));
    blocks.extend(
        page.span()
            .map(|span| section(&format!("*{span}*, the worst first"))),
    );
    blocks.extend(sections(shown.iter().map(entry_line)));
    if shown.is_empty() {
        blocks.push(section("There is no finding in this digest any more."));
    }
    blocks.extend((!buttons.is_empty()).then(|| actions(buttons)));
    blocks.push(context(
        "`/dd show &lt;id&gt;` tells a finding's whole story; `/dd fix &lt;id&gt;` and `/dd ignore &lt;id&gt;` act on one.",
    ));
    SlackModalView::new(plain("All findings", 24), blocks).with_close(plain("Close", 24))
}

/// Asks before all open findings of a digest are fixed. `cap` is how many fixes are under way at a
/// time; in accounts that `may` does not say, the person cannot have them fixed this way.
pub fn fix_all_view(
    id: &DigestId,
    list: &PlanListId,
    counts: &Counts,
    cap: u32,
    may: impl Fn(&AccountId) -> bool,
) -> SlackModalView {
    let number = counts.to_fix_in(&may);
    let left_out = counts.to_fix_in(|account| !may(account));
    let rules: Vec<String> = counts
        .by_rule
        .iter()
        .take(10)
        .map(|(rule, of_it)| format!("• {}: {of_it}", code(rule.as_str())))
        .collect();
    if number == 0 {
        let none = section("There is nothing in this digest that you can have fixed this way.");
        return SlackModalView::new(plain("Fix all findings", 24), vec![none])
            .with_close(plain("Close", 24));
    }
    let mut blocks = vec![
        section(&format!(
            "*Fix {}?* Each is looked at again first. Where the plan is still what it was when the digest was drawn, or less, it is carried out; where it has grown, nothing is changed and the finding stays open. At most {cap} are under way at a time; the message shows how it goes, and each fix can be undone by itself.",
            count(number, "open finding")
        )),
        section(&format!(
            "*All findings of the digest, by rule*\n{}",
            rules.join("\n")
        )),
    ];
    let unconfirmed = counts.unconfirmed_in(&may);
    if unconfirmed > 0 {
        blocks.push(section(&format!(
            ":warning: AWS could not be asked whether {} of them {} public. Their fixes may take away what exposes nothing.",
            unconfirmed,
            if unconfirmed == 1 { "is" } else { "are" }
        )));
    }
    if left_out > 0 {
        blocks.push(section(&format!(
            "{} in accounts where you may not act, or where it takes two: left out.",
            match left_out {
                1 => "1 is".to_owned(),
                more => format!("{more} are"),
            }
        )));
    }
    SlackModalView::new(plain("Fix all findings", 24), blocks)
        .with_callback_id(FIX_ALL_CALLBACK_ID.into())
        .with_private_metadata(format!("{id} {list}"))
        .with_submit(plain(&format!("Fix {number}"), 24))
        .with_close(plain("Cancel", 24))
}

/// The digest of an answered question, and the list that was agreed to.
pub fn fix_all_submission(view: &SlackStatefulView) -> Option<(DigestId, PlanListId)> {
    let (digest, list) = metadata(view)?.split_once(' ')?;
    Some((digest.parse().ok()?, list.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::Severity;
    use crate::finding::StateName;
    use crate::finding::digest::{Member, Tally};
    use crate::ids::PlanDigest;

    fn members(number: usize) -> Vec<Member> {
        let member = |number: usize| {
            let entry = Entry {
                finding: format!("f-{number:012x}").parse().unwrap(),
                headline: format!("Bucket {} is public by its ACL", "b".repeat(number % 400)),
                account: "123456789012".parse().unwrap(),
                region: "eu-central-1".parse().unwrap(),
                rule: "defendable-s3-public-access".parse().unwrap(),
                severity: Severity::High,
                state: StateName::Open,
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
        };
        (0..number).map(member).collect()
    }

    fn entries(number: usize) -> Vec<Entry> {
        let members = members(number).into_iter();
        members.map(|member| member.entry).collect()
    }

    #[test]
    fn a_page_of_all_findings() {
        let id = "d-3fa9c01b22de".parse().unwrap();
        insta::assert_json_snapshot!(SlackView::Modal(show_all_view(&id, &entries(33), 30, true)));
        let entries = entries(400);
        let view = serde_json::to_value(show_all_view(&id, &entries, 390, true)).unwrap();
        for block in view["blocks"].as_array().unwrap() {
            assert!(
                block["text"]["text"]
                    .as_str()
                    .unwrap_or_default()
                    .chars()
                    .count()
                    < 3000
            );
        }
        assert!(
            !view.to_string().contains(action::NEXT_IN_DIGEST),
            "the last page leads nowhere"
        );
    }

    #[test]
    fn the_question_before_all_are_fixed() {
        let mut tally = Tally::default();
        for (number, mut member) in members(37).into_iter().enumerate() {
            if number < 2 {
                member.entry.account = "999999999999".parse().unwrap();
            }
            member.entry.is_unconfirmed = number < 5;
            tally.add(member, None);
        }
        let may = |account: &AccountId| account.as_str() == "123456789012";
        let id = "d-3fa9c01b22de".parse().unwrap();
        insta::assert_json_snapshot!(SlackView::Modal(fix_all_view(
            &id,
            &PlanListId::of("a list"),
            &tally.counts,
            20,
            may
        )));
    }
}
