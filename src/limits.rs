//! What bounds callers: how many connections and requests are open at a time, how often one caller may call (rate limit), how
//! many credentials an address may try (login throttle), how often something is begun each second (pace), and how many refused requests have lines of their own in the log.
//!
//! It knows neither calls nor HTTP. Everything here answers at once; only a throttled login waits, for a
//! moment, and what keeps a pace ([`Pace`]).

mod concurrency;
mod login_throttle;
mod pace;
mod rate_limit;
mod refused_lines;
mod token_bucket;

pub use self::{
    concurrency::{ConcurrencyLimit, Exceeded, Most, Permit, network},
    login_throttle::{LoginAttempt, LoginThrottle},
    pace::Pace,
    rate_limit::{RateLimit, RateLimits, Share, Used},
    refused_lines::RefusedLines,
};

/// Why a caller is not served now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("more than the {per_second} calls a second that this caller may make; come back in a moment")]
    RateLimited { per_second: u32 },
    #[error("{most} calls of this caller are under way, as many as may be; come back when one has ended")]
    TooManyInFlight { most: usize },
    #[error("too many wrong credentials have come from this address within a minute; come back in a minute")]
    TooManyAttempts,
}
