//! What the doctor looks at in Slack.

use std::collections::BTreeSet;
use std::time::Duration;

use http::{Method, Request, header};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use secrecy::{ExposeSecret, SecretString};

use super::{Diagnosis, Examined};
use crate::slack::hyper_client::https_connector;
use crate::wiring::Wiring;

/// The scopes that the bot needs: those of `manifest.yml`.
const SCOPES: [&str; 7] = [
    "channels:history",
    "chat:write",
    "commands",
    "files:write",
    "groups:history",
    "usergroups:read",
    "users:read",
];

/// How long Slack may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to look at where Slack does not answer.
const REACHABLE: &str = "does the network let us reach Slack?";

/// The header in which Slack tells a token's scopes
/// ([Scopes](https://docs.slack.dev/authentication/#scopes)).
const GRANTED: &str = "x-oauth-scopes";

pub(super) async fn examine(wiring: &Wiring) -> Vec<Examined> {
    let (token, secret, operators, app_token) = tokio::join!(
        token(wiring),
        signing_secret(wiring),
        operators(wiring),
        app_token(wiring)
    );
    let [identity, scopes] = token;
    let mut found = vec![
        Examined::of("Slack's signing secret", secret),
        Examined::of("Slack's bot token", identity),
        Examined::of("the bot's scopes", scopes),
        Examined::of("operators", operators),
    ];
    found.extend(app_token.map(|app_token| Examined::of("Slack's app-level token", app_token)));
    found
}

/// Where there is one, for Socket Mode: whether Slack would open a socket for it.
async fn app_token(wiring: &Wiring) -> Option<Diagnosis> {
    let source = wiring.settings.slack.app_token.as_ref()?;
    let token = match wiring.secrets().read(source).await {
        Ok(token) => token,
        Err(error) => {
            return Some(Diagnosis::failed(
                error,
                "is DEFENDABLE_SLACK_APP_TOKEN_PARAMETER right?",
            ));
        }
    };
    Some(match call(wiring, "apps.connections.open", &token).await {
        Ok(Answer { body, .. }) if body["ok"] == true => {
            Diagnosis::Passed("Slack opens sockets for it".to_owned())
        }
        Ok(Answer { body, .. }) => Diagnosis::failed(
            format!("Slack says {}", body["error"].as_str().unwrap_or_default()),
            "make another in the app's settings, with the scope connections:write, and store it",
        ),
        Err(problem) => Diagnosis::failed(problem, REACHABLE),
    })
}

/// Whether there are any, and those who are named by themselves still there.
async fn operators(wiring: &Wiring) -> Diagnosis {
    let (operators, slack) = (&wiring.settings.slack.operators, wiring.slack());
    if operators.is_empty() {
        return Diagnosis::warning("there are none: nobody may act", "set DEFENDABLE_OPERATORS");
    }
    let users: BTreeSet<_> = operators
        .iter()
        .filter_map(|operator| Some(operator.user()?.to_string()))
        .collect();
    let mut gone = Vec::new();
    for user in users {
        match tokio::time::timeout(PATIENCE, slack.is_active(&user.clone().into())).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => gone.push(user),
            Ok(Err(error)) => {
                let next = "until Slack says who is active people can only turn auto-response off: mend the bot's token and scopes";
                return Diagnosis::failed(error, next);
            }
            Err(_) => return Diagnosis::failed("Slack does not answer", REACHABLE),
        }
    }
    if !gone.is_empty() {
        let problem = format!(
            "not active in the workspace, so they may not act: {}",
            gone.join(", ")
        );
        return Diagnosis::warning(problem, "take them out of DEFENDABLE_OPERATORS");
    }
    Diagnosis::Passed(format!(
        "{} users, user groups, or either in one account",
        operators.len()
    ))
}

async fn signing_secret(wiring: &Wiring) -> Diagnosis {
    match wiring
        .secrets()
        .read(&wiring.settings.slack.signing_secret)
        .await
    {
        Ok(_) => Diagnosis::Passed("it can be read".to_owned()),
        Err(error) => {
            Diagnosis::failed(error, "is DEFENDABLE_SLACK_SIGNING_SECRET_PARAMETER right?")
        }
    }
}

/// Whose token it is, and what it may.
async fn token(wiring: &Wiring) -> [Diagnosis; 2] {
    let unknown = || Diagnosis::warning("they cannot be known", "mend the bot's token first");
    let token = match wiring
        .secrets()
        .read(&wiring.settings.slack.bot_token)
        .await
    {
        Ok(token) => token,
        Err(error) => {
            let next = "is DEFENDABLE_SLACK_BOT_TOKEN_PARAMETER right?";
            return [Diagnosis::failed(error, next), unknown()];
        }
    };
    match call(wiring, "auth.test", &token).await {
        Ok(answer) => [identity(wiring, &answer), scopes(answer.scopes.as_deref())],
        Err(problem) => [Diagnosis::failed(problem, REACHABLE), unknown()],
    }
}

/// What Slack answers.
struct Answer {
    body: serde_json::Value,
    scopes: Option<String>,
}

/// Our own request, for the library keeps the answer's headers to itself. The token is in no error.
async fn call(wiring: &Wiring, method: &str, token: &SecretString) -> Result<Answer, String> {
    let api = wiring
        .settings
        .slack
        .api_url
        .as_deref()
        .unwrap_or("https://slack.com/api");
    let url = format!("{}/{method}", api.trim_end_matches('/'));
    let answer = tokio::time::timeout(PATIENCE, post(&url, token)).await;
    answer.unwrap_or_else(|_| Err("Slack does not answer".to_owned()))
}

async fn post(url: &str, token: &SecretString) -> Result<Answer, String> {
    let connector = https_connector().map_err(|error| error.to_string())?;
    let client = Client::builder(TokioExecutor::new()).build::<_, axum::body::Body>(connector);
    let request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(
            header::AUTHORIZATION,
            format!("Bearer {}", token.expose_secret()),
        )
        .body(axum::body::Body::empty())
        .map_err(|_| "the token, or the Web API's address, is malformed".to_owned())?;
    let answer = client
        .request(request)
        .await
        .map_err(|error| format!("Slack cannot be reached: {error}"))?;
    let scopes = answer
        .headers()
        .get(GRANTED)
        .and_then(|scopes| scopes.to_str().ok())
        .map(str::to_owned);
    let body = axum::body::to_bytes(axum::body::Body::new(answer.into_body()), 1 << 20).await;
    let body = body.map_err(|error| format!("Slack's answer broke off: {error}"))?;
    let body = serde_json::from_slice(&body).map_err(|_| "Slack's answer is no JSON".to_owned())?;
    Ok(Answer { body, scopes })
}

fn identity(wiring: &Wiring, Answer { body, .. }: &Answer) -> Diagnosis {
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    let wanted = &wiring.settings.slack.team;
    if body["ok"] != true {
        let next = "install the app again and store the token that it gives";
        return Diagnosis::failed(format!("Slack says {}", text("error")), next);
    }
    if text("team_id") != wanted {
        let problem = format!("it is of the workspace {}, not {wanted}", text("team_id"));
        return Diagnosis::failed(
            problem,
            "set DEFENDABLE_SLACK_TEAM_ID, or store the other workspace's token",
        );
    }
    Diagnosis::Passed(format!("{} in {}", text("user"), text("team")))
}

fn scopes(granted: Option<&str>) -> Diagnosis {
    let Some(granted) = granted else {
        return Diagnosis::warning(
            "Slack does not say what they are",
            "nothing, if this is an emulator",
        );
    };
    let granted: Vec<&str> = granted.split(',').map(str::trim).collect();
    let missing: Vec<&str> = SCOPES
        .into_iter()
        .filter(|scope| !granted.contains(scope))
        .collect();
    match missing.as_slice() {
        [] => Diagnosis::Passed(SCOPES.join(", ")),
        missing => Diagnosis::failed(
            format!("it lacks {}", missing.join(", ")),
            "paste manifest.yml into the app's manifest page again, and reinstall the app",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scopes_are_the_manifest_s() {
        let manifest = include_str!("../../manifest.yml");
        let bot = manifest
            .split("    bot:\n")
            .nth(1)
            .unwrap()
            .split("\nsettings:")
            .next()
            .unwrap();
        let listed: Vec<&str> = bot
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- "))
            .collect();
        assert_eq!(listed, SCOPES);
    }

    #[test]
    fn a_missing_scope_is_named() {
        assert!(matches!(
            scopes(Some(
                "channels:history,groups:history,chat:write, commands,files:write,usergroups:read,users:read,x"
            )),
            Diagnosis::Passed(_)
        ));
        let Diagnosis::Failed { problem, next } = scopes(Some("chat:write,commands")) else {
            panic!()
        };
        assert_eq!(
            problem,
            "it lacks channels:history, files:write, groups:history, usergroups:read, users:read"
        );
        assert!(next.contains("manifest"));
        assert!(matches!(scopes(None), Diagnosis::Warning { .. }));
    }
}
