//! The application: its components, and which of them answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use wasmtime::{Engine, component};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::{
    activity::Activity,
    allowed_hosts::AllowedHosts,
    blocked_networks::BlockedNetworks,
    component::{Blueprint, Component},
    engine, headers,
    key_value::KeyValue,
    logs::{Log, say},
    manifest::{self, Manifest},
    options::Options,
    outbound::Outbound,
    route::{Match, Route, Routes},
    runtime_config::RuntimeConfig,
    state::Access,
    variables::Variables,
};

/// Where Spin says that it is alive.
const HEALTH: &str = "/.well-known/spin/health";

/// The name that needs no runtime configuration.
const DEFAULT: &str = "default";

/// Who asks when one component asks another. As in Spin.
const CHAINED_CLIENT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

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

/// All components by name; set once, when all are loaded, because each may call the others.
#[derive(Clone, Default)]
pub struct Components(Arc<OnceLock<BTreeMap<String, Component>>>);

/// What loading a component needs.
struct Loader<'a> {
    options: &'a Options,
    engine: Engine,
    manifest: &'a Manifest,
    variables: &'a Variables,
    config: &'a RuntimeConfig,
    blocked: Arc<BlockedNetworks>,
    key_value: KeyValue,
    components: Components,
    activity: Activity,
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
        let logs = options.state_dir.join("logs");
        std::fs::create_dir_all(&logs).with_context(|| format!("making {}", logs.display()))?;
        let key_value = KeyValue::open(&options.state_dir.join("sqlite_key_value.db"));
        let loader = Loader {
            options,
            engine: engine::new(&options.state_dir)?,
            manifest: &manifest,
            variables: &variables,
            config: &config,
            blocked: Arc::new(config.blocked.clone()),
            key_value: key_value.context("opening the key-value stores")?,
            components: Components::default(),
            activity: Activity::default(),
        };
        let components = loader.load_all()?;
        let (activity, routes) = (loader.activity.clone(), Routes::of(&manifest.http));
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

impl Components {
    /// Answers a request of one component to another, whatever its path.
    pub async fn chain(
        &self,
        name: &str,
        mut request: Request<WasiBody>,
    ) -> Result<Response<WasiBody>, Error> {
        if !self.0.get().is_some_and(|components| components.contains_key(name)) {
            say(format!("no component is called {name}"));
            return Err(Error::DestinationNotFound);
        }
        let route = Route::new("/...", name);
        let path = request.uri().path().to_owned();
        let found = route.matches(&path).ok_or(Error::HttpRequestUriInvalid)?;
        headers::strip_spin(request.headers_mut());
        let failed = || Error::InternalError(Some(format!("{name} failed")));
        self.answer(&found, request, CHAINED_CLIENT).await.ok_or_else(failed)
    }

    /// `None` when the component failed, which is logged.
    async fn answer(
        &self,
        found: &Match<'_>,
        mut request: Request<WasiBody>,
        client: SocketAddr,
    ) -> Option<Response<WasiBody>> {
        let full_url = request.uri().to_string();
        headers::describe(request.headers_mut(), &full_url, found, client);
        let name = &found.route.component;
        match self.0.get()?.get(name)?.handle(request).await {
            Ok(answer) => Some(answer),
            Err(err) => {
                say(format!("{name} did not answer {full_url}: {err:#}"));
                None
            }
        }
    }
}

impl Loader<'_> {
    fn load_all(&self) -> anyhow::Result<Components> {
        let named: BTreeSet<_> = self.manifest.http.iter().map(|http| &http.component).collect();
        let mut loaded = BTreeMap::new();
        for name in named {
            let manifest =
                self.manifest.components.get(name).context("the manifest was checked")?;
            let component = self.load(name, manifest);
            let component = component.with_context(|| format!("loading the component {name}"))?;
            loaded.insert(name.clone(), component);
        }
        let _ = self.components.0.set(loaded);
        Ok(self.components.clone())
    }

    fn load(&self, name: &str, manifest: &manifest::Component) -> anyhow::Result<Component> {
        let file = self.beside_manifest(&manifest.source);
        ensure!(file.exists(), "{} is not there; build it first", file.display());
        let compiled = component::Component::from_file(&self.engine, &file)?;
        let blueprint = self.blueprint(name, manifest)?;
        let (component, missing) = Component::new(&self.engine, &compiled, blueprint)?;
        for interface in missing {
            say(format!("{name} imports {interface}, which is not here: calls fail"));
        }
        Ok(component)
    }

    fn blueprint(&self, name: &str, manifest: &manifest::Component) -> anyhow::Result<Blueprint> {
        let hosts = manifest.allowed_outbound_hosts.iter();
        let hosts = hosts.map(|host| self.variables.expand(host)).collect::<Result<Vec<_>, _>>()?;
        let log = |stream: &str| {
            Log::open(&self.options.state_dir.join("logs"), name, stream, self.options.quiet)
        };
        let mut files = vec![];
        for manifest::Files { source, destination } in &manifest.files {
            let source = self.beside_manifest(source);
            ensure!(source.is_dir(), "files: {} is not a folder", source.display());
            files.push((source, destination.clone()));
        }
        Ok(Blueprint {
            name: name.to_owned(),
            files,
            environment: manifest.environment.clone().into_iter().collect(),
            access: Arc::new(self.access(manifest)?),
            outbound: Outbound {
                allowed: Arc::new(AllowedHosts::parse(&hosts)?),
                blocked: self.blocked.clone(),
                components: self.components.clone(),
            },
            stdout: Arc::new(log("stdout")?),
            stderr: Arc::new(log("stderr")?),
            activity: self.activity.clone(),
        })
    }

    fn access(&self, manifest: &manifest::Component) -> anyhow::Result<Access> {
        let mut databases = BTreeMap::new();
        for name in &manifest.sqlite_databases {
            databases.insert(name.clone(), self.database(name)?);
        }
        for name in &manifest.key_value_stores {
            if name != DEFAULT && !self.config.stores.contains(name) {
                bail!("the key-value store {name} is not in the runtime configuration");
            }
        }
        Ok(Access {
            variables: self.variables.of(manifest)?,
            databases,
            stores: manifest.key_value_stores.clone(),
            key_value: self.key_value.clone(),
        })
    }

    /// Spin refuses to start with a database that nobody has defined, and so do we.
    fn database(&self, name: &str) -> anyhow::Result<PathBuf> {
        match self.config.databases.get(name) {
            Some(Some(file)) => Ok(file.clone()),
            Some(None) => Ok(self.options.state_dir.join(format!("sqlite_{name}.db"))),
            None if name == DEFAULT => Ok(self.options.state_dir.join("sqlite_db.db")),
            None => bail!("the database {name} is not in the runtime configuration"),
        }
    }

    fn beside_manifest(&self, path: &str) -> PathBuf {
        self.options.from.parent().unwrap_or(Path::new("")).join(path)
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
