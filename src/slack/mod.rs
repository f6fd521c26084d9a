//! Slack: requests in (signature, parsing, authorisation), messages out (pure, Block Kit).

pub mod action;
pub mod approve_view;
pub mod authorisation;
pub mod blocks;
mod calling;
pub mod client;
pub mod digest_message;
pub mod digest_view;
pub mod draw;
pub mod error;
pub mod finding_body;
pub mod finding_buttons;
pub mod finding_message;
pub mod finding_words;
pub mod fix_view;
pub mod hyper_client;
pub mod ignore_view;
mod listing;
pub mod mark;
pub mod modal;
pub mod notice_message;
pub mod operator;
pub mod page;
pub mod publish;
pub mod publisher;
pub mod request;
pub mod settings;
pub mod signature;
pub mod text;
pub mod undo_view;
mod upload;

/// What a message shows: blocks, and the text for notifications and screen readers.
pub type Content = slack_morphism::prelude::SlackMessageContent;
