//! All components of the application, which outside requests and one another reach by name.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
};

use http::{Request, Response};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::{
    component::Component,
    headers,
    logs::say,
    route::{Match, Route},
};

/// Who asks when one component asks another. As in Spin.
const CHAINED_CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// All components by name; set once, when all are loaded, because each may call the others.
#[derive(Clone, Default)]
pub struct Components(Arc<OnceLock<BTreeMap<String, Component>>>);

impl Components {
    /// Puts all of them in place.
    pub fn set(&self, loaded: BTreeMap<String, Component>) {
        let first = self.0.set(loaded);
        debug_assert!(first.is_ok(), "components are loaded once");
    }

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

    /// Lets the component of the route answer. `None` when it failed, which is logged.
    pub async fn answer(
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
