//! Webhooks. Those that come in are verified, deduplicated, stored and logged in one commit,
//! delivered by a job, and there to be read and replayed. Those that go out are in [`sender`].

mod certificates;
mod confirm;
mod deliver;
mod message;
mod receive;
pub mod recipe;
mod refusals;
mod replay;
pub mod schema;
pub mod sender;
pub mod signature;
mod source;
mod store;
mod tail;

use shared::{
    domain::{Commit, Failure, Job},
    function::Function,
    http::Response,
    live::News,
    ports::{PortError, Tenant},
    problem::Problem,
    route::{Access, Call, Route},
};

shared::serve!(Webhooks);

/// The capability.
pub struct Webhooks;

/// The largest webhook that is received, in bytes. Workers keeps rows of 2 MB.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

const READ: Access = Access::Scope("webhooks:read");
const WRITE: Access = Access::Scope("webhooks:write");

const ROUTES: &[Route] = &[
    Route::new("POST", "/in/{source}", "receive", Access::Address(source::ADDRESS))
        .body(MESSAGE_BYTES_MAX),
    Route::new("GET", "/in/{source}", "answerChallenge", Access::Address(source::ADDRESS)),
    Route::new("OPTIONS", "/in/{source}", "answerHandshake", Access::Address(source::ADDRESS)),
    Route::new("GET", "/v1/webhooks/recipes", "listRecipes", READ),
    Route::new("POST", "/v1/webhooks/sources", "createSource", WRITE),
    Route::new("GET", "/v1/webhooks/sources", "listSources", READ),
    Route::new("GET", "/v1/webhooks/sources/{id}", "getSource", READ),
    Route::new("PATCH", "/v1/webhooks/sources/{id}", "updateSource", WRITE),
    Route::new("DELETE", "/v1/webhooks/sources/{id}", "deleteSource", WRITE),
    Route::new("POST", "/v1/webhooks/sources/{id}/rotate", "rotateSource", WRITE),
    Route::new("GET", "/v1/webhooks/sources/{id}/errors", "listSourceErrors", READ),
    Route::new("GET", "/v1/webhooks/sources/{id}/live", "followSource", READ),
    Route::new("POST", "/v1/webhooks/sources/{id}/replay", "replaySource", WRITE),
    Route::new("GET", "/v1/webhooks/messages", "listMessages", READ),
    Route::new("GET", "/v1/webhooks/messages/{id}", "getMessage", READ),
    Route::new("GET", "/v1/webhooks/messages/{id}/body", "getMessageBody", READ),
    Route::new("POST", "/v1/webhooks/messages/{id}/replay", "replayMessage", WRITE),
];

impl Function for Webhooks {
    const NAME: &'static str = "webhooks";

    fn routes() -> impl Iterator<Item = &'static Route> {
        ROUTES.iter().chain(sender::ROUTES)
    }

    async fn handle(tenant: &impl Tenant, call: &Call) -> Result<Response, Problem> {
        match call.operation() {
            "receive" => receive::receive(tenant, call).await,
            "answerChallenge" | "answerHandshake" => receive::shake_hands(tenant, call).await,
            "listRecipes" => Ok(source::recipes()),
            "createSource" => source::create(tenant, call.json()?).await,
            "listSources" => source::list(tenant, call).await,
            "getSource" => source::get(tenant, &call.id("src")?).await,
            "updateSource" => source::update(tenant, call).await,
            "deleteSource" => source::delete(tenant, &call.id("src")?).await,
            "rotateSource" => source::rotate(tenant, &call.id("src")?, call.json()?).await,
            "listSourceErrors" => refusals::list(tenant, &call.id("src")?).await,
            "followSource" => tail::follow(tenant, call).await,
            "replaySource" => replay::start(tenant, call).await,
            "listMessages" => message::list(tenant, call).await,
            "getMessage" => message::get(tenant, &call.id("msg")?).await,
            "getMessageBody" => message::body(tenant, &call.id("msg")?).await,
            "replayMessage" => message::replay(tenant, &call.id("msg")?).await,
            _ => sender::handle(tenant, call).await,
        }
    }

    async fn news(
        tenant: &impl Tenant,
        call: &Call,
        place: Option<&str>,
    ) -> Result<Option<News>, Problem> {
        match call.operation() {
            "followSource" => tail::news(tenant, call, place).await,
            _ => Ok(None),
        }
    }

    async fn work(tenant: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
        match job.kind.as_str() {
            source::SHOW => source::show(tenant, job).await,
            confirm::CONFIRM => confirm::visit(tenant, job).await,
            deliver::DELIVER => deliver::deliver(tenant, job).await,
            replay::REPLAY => replay::go_on(tenant, job).await,
            _ => sender::work(tenant, job).await,
        }
    }

    async fn give_up(tenant: &impl Tenant, job: &Job) -> Result<Commit, PortError> {
        match job.kind.as_str() {
            confirm::CONFIRM => confirm::give_up(tenant, job).await,
            deliver::DELIVER => deliver::give_up(tenant, job).await,
            _ => Ok(Commit::new()),
        }
    }
}
