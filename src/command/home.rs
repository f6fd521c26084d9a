//! The app's Home tab: the status, and what there is to ask.

use slack_morphism::prelude::*;

use super::{SlackFunction, help, status};

pub(super) async fn run(function: &SlackFunction) -> SlackHomeView {
    let parts = [status::run(function).await, help::run()];
    let mut blocks = parts.map(|content| content.blocks.unwrap_or_default());
    blocks[0].push(SlackDividerBlock::new().into());
    SlackHomeView::new(blocks.concat())
}
