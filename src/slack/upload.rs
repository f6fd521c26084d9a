//! Files: the picture of a report.

use slack_morphism::prelude::*;

use super::Content;
use super::client::Slack;
use super::error::SlackError;

impl Slack {
    /// Uploads a PNG without showing it. `alt` is the text for screen readers.
    /// ([Uploading files](https://docs.slack.dev/messaging/working-with-files#upload))
    pub async fn upload(
        &self,
        name: &str,
        alt: &str,
        png: Vec<u8>,
    ) -> Result<SlackFileId, SlackError> {
        let request = SlackApiFilesGetUploadUrlExternalRequest::new(name.to_owned(), png.len())
            .with_alt_txt(alt.to_owned());
        let place = self
            .call("files.getUploadURLExternal", async |session| {
                session.get_upload_url_external(&request).await
            })
            .await?;
        let request =
            SlackApiFilesUploadViaUrlRequest::new(place.upload_url, png, "image/png".to_owned());
        self.call("the upload", async |session| {
            session.files_upload_via_url(&request).await
        })
        .await?;
        Ok(place.file_id)
    }

    /// Shows an uploaded file in a channel, with a comment.
    pub async fn share(
        &self,
        channel: &SlackChannelId,
        file: SlackFileId,
        name: &str,
        words: &str,
    ) -> Result<(), SlackError> {
        let words = self
            .fit(&Content::new().with_text(words.to_owned()))
            .text
            .unwrap_or_default();
        let file = SlackApiFilesComplete::new(file).with_title(name.to_owned());
        let request = SlackApiFilesCompleteUploadExternalRequest::new(vec![file])
            .with_channel_id(channel.clone())
            .with_initial_comment(words);
        self.call("files.completeUploadExternal", async |session| {
            session.files_complete_upload_external(&request).await
        })
        .await
        .map(drop)
    }
}
