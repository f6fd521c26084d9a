//! A clock that a story moves, and `serve` in the story's own process, which tells the time by it.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::process::Command;
use std::sync::{Arc, Mutex};

use defendable::clock::Clock;
use defendable::serve::{Transport, serve};
use defendable::settings::Settings;
use defendable::wiring::Wiring;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::aws::sdk_config;

/// The machine's clock, put forward by what has passed in the story.
///
/// Slack signs by the machine's clock, so that its requests are too old once five minutes have passed.
#[derive(Clone, Default)]
pub struct MovableClock(Arc<Mutex<Vec<Passed>>>);

/// How far the clock was put forward, and when by the machine's clock.
struct Passed(Timestamp, SignedDuration);

impl MovableClock {
    /// The time in the story.
    pub fn now(&self) -> Timestamp {
        self.at(Timestamp::now())
    }

    /// The time in the story at a time of the machine's clock, as SQS stamps messages by it.
    pub fn at(&self, time: Timestamp) -> Timestamp {
        let passed = self.0.lock().unwrap();
        let until_then = passed.iter().filter(|Passed(at, _)| *at <= time);
        until_then.fold(time, |time, Passed(_, by)| time + *by)
    }

    /// Lets time pass.
    pub fn pass(&self, time: SignedDuration) {
        self.0.lock().unwrap().push(Passed(Timestamp::now(), time));
    }

    fn clock(&self) -> Clock {
        let clock = self.clone();
        Clock::by(move || clock.now())
    }
}

/// Stops when it is dropped.
pub struct Serving(CancellationToken);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Runs `serve` in this process, with the settings that a command has in its environment.
pub fn serve_here(command: &Command, aws: &str, clock: &MovableClock) -> Serving {
    let variables: HashMap<&OsStr, &OsStr> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let get = |name: &str| Some(variables.get(OsStr::new(name))?.to_str()?.to_owned());
    let settings = Settings::read(&get).expect("the settings of an installation are complete");
    let mut wiring = Wiring::new(settings, sdk_config(aws));
    wiring.clock = clock.clock();
    let shutdown = CancellationToken::new();
    let stopped = shutdown.clone();
    drop(tokio::spawn(async move {
        serve(&wiring, Transport::Http, stopped).await
    }));
    Serving(shutdown)
}
