//! A consumer: what Lambda's event source mapping does for a queue.

use std::time::Duration;

use aws_sdk_sqs::types::Message;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::queue::{QueueHandler, QueueMessage, QueueUrl, Queues, Receive};

/// How long SQS lets an empty queue wait. Seconds. Short, because a stop waits for it: were the
/// call dropped, a message that it brings would be unseen until its visibility timeout.
const LONG_POLL: i32 = 3;

/// After a signal to stop, a batch in hand has this long to finish.
const GRACE: Duration = Duration::from_secs(10);

/// Handles the messages of `queue` until `shutdown`.
pub(super) async fn consume(
    queues: Queues,
    queue: QueueUrl,
    handler: impl QueueHandler,
    shutdown: CancellationToken,
) {
    while !shutdown.is_cancelled() {
        match queues.receive(&queue, Receive { at_most: 10, wait: LONG_POLL, visibility: None }).await {
            Ok(messages) if messages.is_empty() => {}
            Ok(messages) => handle(&queues, &queue, &handler, &messages, &shutdown).await,
            Err(error) => {
                tracing::error!(%error, queue = queue.name(), "cannot receive");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn handle<H: QueueHandler>(
    queues: &Queues,
    queue: &QueueUrl,
    handler: &H,
    messages: &[Message],
    shutdown: &CancellationToken,
) {
    let own: Vec<QueueMessage> = messages.iter().map(QueueMessage::from).collect();
    let grace = async {
        shutdown.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    let stay: Option<Vec<String>> = tokio::select! {
        failed = queues.handle_batch(queue, handler, &own) => Some(failed),
        () = grace => None,
    };
    let settled = own.iter().map(|message| async {
        match &stay {
            None => queues.come_back(queue, message, 0).await,
            Some(stay) if stay.contains(&message.id) => Ok(()),
            Some(_) => queues.delete(queue.as_str(), &message.receipt_handle).await,
        }
    });
    for error in join_all(settled).await.into_iter().filter_map(Result::err) {
        // The message comes back by itself, and its effect is there already.
        tracing::warn!(%error, queue = queue.name(), "cannot settle a message");
    }
}
