//! The tick: what a scheduler does in production, a post to `/tick` every so often.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use tokio::time::{sleep, timeout};

use crate::{app::App, logs::say, options::Options};

const PATH: &str = "/tick";

/// The application variable that holds the key for it.
const KEY: &str = "operator_key";

/// A tick that takes longer is worth a word.
const LONG: Duration = Duration::from_secs(60);

/// What is shown of an answer.
const ANSWER_BYTES_MAX: usize = 4096;

/// Posts to `/tick`, one after the other.
pub struct Tick {
    every: Duration,
    authorization: String,
}

impl Tick {
    /// A tick, if it is wanted and the application has a place for it.
    pub fn of(app: &App, options: &Options) -> Option<Self> {
        let every = options.tick?;
        let key = app.variables.get(KEY);
        if key.is_none() || !app.answers(PATH) {
            if !options.quiet {
                say(format!("no tick: it needs the variable {KEY} and a {PATH}"));
            }
            return None;
        }
        Some(Self { every, authorization: format!("Bearer {}", key?) })
    }

    /// Ticks for ever. Says when ticks begin to fail, and when they work again.
    pub async fn run(self, app: Arc<App>) {
        let mut last: Option<String> = None;
        loop {
            sleep(self.every).await;
            let failure = self.post(&app).await.err();
            if failure != last {
                let news = failure.as_deref().unwrap_or("works again");
                say(format!("tick: {news}"));
            }
            last = failure;
        }
    }

    /// Goes the way of a request from outside, but for the socket.
    async fn post(&self, app: &App) -> Result<(), String> {
        let request = Request::post(PATH)
            .header(header::AUTHORIZATION, &self.authorization)
            .body(Empty::<Bytes>::new())
            .map_err(|err| err.to_string())?;
        let mut answered = std::pin::pin!(async {
            let answer = app.answer(request, SocketAddr::from(([127, 0, 0, 1], 0))).await;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            (head.status, body.map(|body| body.to_bytes()).unwrap_or_default())
        });
        let (status, body) = match timeout(LONG, &mut answered).await {
            Ok(answered) => answered,
            Err(_) => {
                say(format!("a tick has been running for {} s", LONG.as_secs()));
                answered.await
            }
        };
        if status.is_success() {
            return Ok(());
        }
        Err(format!("{status} {}", String::from_utf8_lossy(&body)))
    }
}
