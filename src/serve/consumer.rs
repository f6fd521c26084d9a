//! A consumer of a queue, in place of Lambda's event source mapping.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::queue::{QueueHandler, QueueMessage, QueueUrl, Queues, Receive};

/// How long SQS waits for a message of an empty queue. Seconds. It is short, because a stop waits for it:
/// were the call dropped, a message that it brings would be invisible until its visibility timeout.
const LONG_POLL: i32 = 3;

/// The most messages that SQS gives at once.
const BATCH: usize = 10;

/// Handles the messages of `queue` until `shutdown`: two batches at a time, so that a message which
/// waits for a slow peer holds up none behind it.
pub(super) async fn consume(
    queues: Queues,
    queue: QueueUrl,
    handler: impl QueueHandler + 'static,
    shutdown: CancellationToken,
) {
    let handler = Arc::new(handler);
    let mut in_hand = JoinSet::new();
    while !shutdown.is_cancelled() {
        while in_hand.try_join_next().is_some() {}
        while in_hand.len() > BATCH {
            in_hand.join_next().await;
        }
        let how = Receive {
            at_most: 10,
            wait: LONG_POLL,
            visibility: None,
        };
        match queues.receive(&queue, how).await {
            Ok(messages) => {
                for message in &messages {
                    let (queues, queue, message) =
                        (queues.clone(), queue.clone(), QueueMessage::from(message));
                    let (handler, shutdown) = (handler.clone(), shutdown.clone());
                    in_hand.spawn(async move {
                        handle(&queues, &queue, &*handler, message, &shutdown).await
                    });
                }
            }
            Err(error) => {
                tracing::error!(%error, queue = queue.name(), "cannot receive");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    in_hand.join_all().await;
}

async fn handle<H: QueueHandler>(
    queues: &Queues,
    queue: &QueueUrl,
    handler: &H,
    message: QueueMessage,
    shutdown: &CancellationToken,
) {
    let message = [message];
    let stays = tokio::select! {
        failed = queues.handle_batch(queue, handler, &message) => Some(!failed.is_empty()),
        () = super::grace(shutdown) => None,
    };
    let [message] = &message;
    let settled = match stays {
        None => queues.come_back(queue, message, 0).await,
        Some(true) => Ok(()),
        Some(false) => queues.delete(queue.as_str(), &message.receipt_handle).await,
    };
    if let Err(error) = settled {
        // The message comes back by itself, and its effect is there already.
        tracing::warn!(%error, queue = queue.name(), "cannot settle a message");
    }
}
