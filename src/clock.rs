//! The clock that functions tell the time by. [`Wiring`](crate::wiring::Wiring) passes one to all of them.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// Tells the time.
///
/// ```
/// use defendable::clock::Clock;
///
/// let new_year: jiff::Timestamp = "2026-01-01T00:00:00Z".parse()?;
/// assert_eq!(Clock::by(move || new_year).now(), new_year);
/// # Ok::<_, jiff::Error>(())
/// ```
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::by(Timestamp::now)
    }

    /// A clock that tells what `now` returns.
    pub fn by(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Clock").field(&self.now()).finish()
    }
}
