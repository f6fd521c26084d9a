//! `defendable serve`: every function in one process. HTTP or Socket Mode, a consumer for every
//! queue, the schedule; SIGTERM or ctrl-C finishes or releases what is in hand.

mod consumer;
mod http;
mod socket_mode;

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::command::endpoint::router;
use crate::contracts::Switch;
use crate::contracts::job::Job;
use crate::coordinator::Coordinator;
use crate::metrics;
use crate::queue::Queues;
use crate::schedule::ScheduledRule;
use crate::wiring::Wiring;

/// The longest that one scheduled run takes.
const RUN_BUDGET: Duration = Duration::from_secs(50);

/// The time that running handlers have to finish after a signal to stop.
const GRACE: Duration = Duration::from_secs(10);

/// The way of Slack's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Slack calls `POST /slack/events`.
    Http,
    /// We hold a WebSocket to Slack; no public address is needed.
    SocketMode,
}

/// Serves until `shutdown`.
pub async fn serve(
    wiring: &Wiring,
    transport: Transport,
    shutdown: CancellationToken,
) -> Result<()> {
    let listener = TcpListener::bind(wiring.settings.listen).await;
    let address = wiring.settings.listen;
    let listener =
        listener.with_context(|| format!("cannot listen on {address} (DEFENDABLE_LISTEN)"))?;
    let tasks = TaskTracker::new();
    if transport == Transport::SocketMode {
        let socket = socket_mode::start(wiring).await?;
        let closing = shutdown.clone();
        tasks.spawn(async move {
            closing.cancelled().await;
            socket.shutdown().await;
        });
    }
    spawn_consumers(wiring, &tasks, &shutdown);
    tasks.spawn(schedule(wiring.clone(), shutdown.clone()));
    let flushing = tokio::spawn(metrics::flush_every_minute());
    tracing::info!(%address, ?transport, "serving");
    let app = router(wiring.endpoint());
    http::serve(listener, app, shutdown.clone()).await;
    shutdown.cancel();
    tasks.close();
    tasks.wait().await;
    flushing.abort();
    metrics::flush();
    tracing::info!("stopped");
    Ok(())
}

fn spawn_consumers(wiring: &Wiring, tasks: &TaskTracker, shutdown: &CancellationToken) {
    let (urls, queues) = (&wiring.settings.queues, wiring.queues());
    let stop = || shutdown.clone();
    tasks.spawn(consumer::consume(
        queues.clone(),
        urls.events.clone(),
        wiring.notifier(),
        stop(),
    ));
    tasks.spawn(consumer::consume(
        queues.clone(),
        urls.fix.clone(),
        wiring.coordinator(),
        stop(),
    ));
    for (service, remediator) in &urls.remediators {
        for queue in remediator.all() {
            tasks.spawn(consumer::consume(
                queues.clone(),
                queue.clone(),
                wiring.remediator(*service),
                stop(),
            ));
        }
    }
}

/// The schedule, as EventBridge has it on AWS: at every interval the coordinator runs, if the rule is
/// enabled, and the notifier keeps house.
async fn schedule(wiring: Wiring, shutdown: CancellationToken) {
    let (rule, coordinator, queues) = (wiring.schedule(), wiring.coordinator(), wiring.queues());
    let mut ticks = tokio::time::interval(wiring.settings.schedule_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => tokio::select! {
                () = tick(&rule, &coordinator, &queues, &shutdown) => {}
                // Messages that a run had received become visible again.
                () = grace(&shutdown) => return,
            },
        }
    }
}

async fn tick(
    rule: &ScheduledRule,
    coordinator: &Coordinator,
    queues: &Queues,
    shutdown: &CancellationToken,
) {
    let deadline = Instant::now() + RUN_BUDGET;
    if let Err(error) = queues.send(&queues.events, &Job::Housekeeping {}).await {
        tracing::error!(%error, "cannot ask for housekeeping");
    }
    match rule.state().await {
        Ok(Switch::Off) => {}
        Ok(Switch::On) => {
            match coordinator
                .run(|| Instant::now() < deadline && !shutdown.is_cancelled())
                .await
            {
                Ok(run) => {
                    tracing::info!(?run, "scheduled run");
                    metrics::count_scheduled_run();
                }
                Err(error) => tracing::error!(%error, "a scheduled run failed"),
            }
        }
        Err(error) => {
            tracing::error!(%error, "cannot read the scheduled rule: no automatic response")
        }
    }
}

/// Ends when the running handlers have had their time to finish after a signal to stop.
async fn grace(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

/// Cancelled by SIGTERM or ctrl-C.
pub fn shutdown_signal() -> Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let token = CancellationToken::new();
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let cancel = token.clone();
    spawn_detached(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: finishing what is in hand");
        cancel.cancel();
    });
    Ok(token)
}

fn spawn_detached(task: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(task));
}
