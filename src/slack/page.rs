//! One page of a list: which of how many it shows, and the buttons to the pages beside it.

use slack_morphism::prelude::*;

use super::blocks::button;

/// One page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The number of items before it.
    from: usize,
    /// The number of items on it.
    shown: usize,
    /// The most items that a page has.
    size: usize,
    /// The number of items of the list.
    total: usize,
    /// Whether the list has no more items than `total`.
    is_whole: bool,
}

impl Page {
    /// The page of `items` that begins behind `from` of them, and its items. Where the list has become shorter
    /// than that, it is the last page.
    pub fn of<T>(items: &[T], from: usize, size: usize, is_whole: bool) -> (Self, &[T]) {
        let last = items.len().saturating_sub(1) / size * size;
        let from = (from / size * size).min(last);
        let on_it = &items[from..items.len().min(from + size)];
        let page = Self {
            from,
            shown: on_it.len(),
            size,
            total: items.len(),
            is_whole,
        };
        (page, on_it)
    }

    /// Whether the list has no more items than were read.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// `212`, or `at least 5000`.
    pub fn total(&self) -> String {
        match self.is_whole {
            true => self.total.to_string(),
            false => format!("at least {}", self.total),
        }
    }

    /// `31–60 of 212`; none where the page is the whole list.
    pub fn span(&self) -> Option<String> {
        let is_all = self.shown == self.total && self.is_whole;
        (!is_all).then(|| {
            let (first, last) = (self.from + 1, self.from + self.shown);
            format!("{first}–{last} of {}", self.total())
        })
    }

    /// The buttons to the page before and the page after, where there are any. `value` makes a button's value of
    /// the number of items before its page.
    pub fn buttons(
        &self,
        [previous, next]: [&str; 2],
        value: impl Fn(usize) -> String,
    ) -> Vec<SlackBlockButtonElement> {
        let end = self.from + self.shown;
        let before = (self.from > 0).then(|| {
            let from = self.from.saturating_sub(self.size);
            button(previous, "Previous page", &value(from))
        });
        let after = (end < self.total).then(|| button(next, "Next page", &value(end)));
        before.into_iter().chain(after).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(page: &Page) -> Vec<Option<String>> {
        let buttons = page.buttons(["previous", "next"], |from| from.to_string());
        buttons.into_iter().map(|button| button.value).collect()
    }

    #[test]
    fn a_page_says_which_of_how_many_it_shows_and_leads_both_ways() {
        let items: Vec<usize> = (0..212).collect();
        let (page, shown) = Page::of(&items, 30, 30, true);
        assert_eq!((shown.first(), shown.len()), (Some(&30), 30));
        assert_eq!(page.span().as_deref(), Some("31–60 of 212"));
        assert_eq!(values(&page), [Some("0".to_owned()), Some("60".to_owned())]);
        let (first, _) = Page::of(&items, 0, 30, false);
        assert_eq!(first.span().as_deref(), Some("1–30 of at least 212"));
        assert_eq!(values(&first), [Some("30".to_owned())]);
    }

    #[test]
    fn behind_the_end_there_is_the_last_page() {
        let items: Vec<usize> = (0..60).collect();
        let (page, shown) = Page::of(&items, 300, 30, true);
        assert_eq!((shown.first(), shown.len()), (Some(&30), 30));
        assert_eq!(values(&page), [Some("0".to_owned())]);
    }

    #[test]
    fn a_list_of_one_page_has_no_span_and_no_buttons() {
        for number in [0, 1, 30] {
            let items = vec![(); number];
            let (page, shown) = Page::of(&items, 0, 30, true);
            assert_eq!((page.span(), shown.len()), (None, number));
            assert!(values(&page).is_empty());
        }
    }
}
