//! The application: which component answers, and what it is told.

use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::{
    activity::Activity, components::Components, headers, loader::Loader, logs::say,
    manifest::Manifest, options::Options, route::Routes, runtime_config::RuntimeConfig,
    variables::Variables,
};

/// Where Spin says that it is alive.
const HEALTH: &str = "/.well-known/spin/health";

/// The application.
pub struct App {
    /// The application's variables.
    pub variables: Variables,
    /// Who is at work.
    pub activity: Activity,
    address: SocketAddr,
    routes: Routes,
    components: Components,
}

impl App {
    /// Reads the manifest and makes its components ready.
    pub async fn load(options: &Options, address: SocketAddr) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(&options.from);
        let text = text.with_context(|| format!("reading {}", options.from.display()))?;
        let manifest = Manifest::parse(&text);
        let manifest = manifest.with_context(|| format!("in {}", options.from.display()))?;
        for kind in manifest.other_triggers() {
            say(format!("triggers of the kind {kind} are not run"));
        }
        let environment = |name: &str| std::env::var(name).ok();
        let variables = Variables::resolve(&manifest, &options.variables, environment)?;
        let config = RuntimeConfig::load(options.runtime_config.as_deref())?;
        let activity = Activity::default();
        let loader = Loader::new(options, &manifest, &variables, &config, &activity)?;
        let components = loader.load_all()?;
        let routes = Routes::of(&manifest.http);
        Ok(Self { variables, activity, address, routes, components })
    }

    /// Answers a request from outside, or from the tick.
    pub async fn answer<B>(&self, mut request: Request<B>, client: SocketAddr) -> Response<WasiBody>
    where
        B: Body<Data = Bytes, Error: Into<Error>> + Send + 'static,
    {
        let path = request.uri().path().to_owned();
        if path == HEALTH {
            return plain(StatusCode::OK, "OK");
        }
        let Some(found) = self.routes.find(&path) else {
            return plain(StatusCode::NOT_FOUND, "");
        };
        headers::strip(request.headers_mut());
        let host = host_of(request.headers()).unwrap_or_else(|| self.address.to_string());
        let tail = request.uri().path_and_query().map_or("/", |tail| tail.as_str());
        let Ok(uri) = format!("http://{host}{tail}").parse() else {
            return plain(StatusCode::BAD_REQUEST, "the host header is not a host");
        };
        *request.uri_mut() = uri;
        let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        let answer = self.components.answer(&found, request, client).await;
        answer.unwrap_or_else(|| plain(StatusCode::INTERNAL_SERVER_ERROR, ""))
    }

    /// Whether a component answers this path.
    pub fn answers(&self, path: &str) -> bool {
        self.routes.find(path).is_some()
    }
}

fn host_of(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    host.parse::<Uri>().ok()?.authority().map(ToString::to_string)
}

fn plain(status: StatusCode, text: &'static str) -> Response<WasiBody> {
    let body = Full::from(text).map_err(Error::from).boxed_unsync();
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer
}
