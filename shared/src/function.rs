//! What a capability is to the rest: its routes, the jobs it works, the log entries it follows.

use crate::{
    domain::{Commit, Entry, Failure, Job, Principal},
    http::{Chunks, Response},
    live::News,
    ports::{Edge, Item, PortError, Tenant},
    problem::Problem,
    route::{Call, Route},
};

/// One capability. Each is a component on Spin; on Workers all are mounted in one module.
pub trait Function: 'static {
    /// Its name: of its folder, of its component, and the first word of its jobs' kinds.
    const NAME: &'static str;

    /// What may be asked of it.
    fn routes() -> impl Iterator<Item = &'static Route>;

    /// The names of all functions in here: one, unless several are mounted together.
    fn names() -> Vec<&'static str> {
        vec![Self::NAME]
    }

    /// Which function has which routes.
    fn owners() -> Vec<(&'static str, Vec<&'static Route>)> {
        vec![(Self::NAME, Self::routes().collect())]
    }

    /// Answers a call on one of its routes, in the tenant that the door opened.
    async fn handle(tenant: &impl Tenant, call: &Call) -> Result<Response, Problem>;

    /// Answers a call for a tenant that is not opened for it: where each call would be too much
    /// for the tenant's object.
    async fn at_edge(
        edge: &impl Edge,
        principal: &Principal,
        call: &Call,
    ) -> Result<Response, Problem> {
        let _ = (edge, principal, call);
        Err(Problem::not_found())
    }

    /// Answers a call at the edge while its body comes, where the route is streamed. `None` is no
    /// body; that of the call itself is empty.
    async fn stream(
        edge: &impl Edge,
        principal: &Principal,
        call: &Call,
        body: Option<Chunks>,
    ) -> Result<Response, Problem> {
        let _ = (edge, principal, call, body);
        Err(Problem::not_found())
    }

    /// Answers a call on a route that needs no tenant.
    async fn edge(edge: &impl Edge, call: &Call) -> Result<Response, Problem> {
        let _ = (edge, call);
        Err(Problem::not_found())
    }

    /// What is new on a live route after `place`, for a connection that the runtime keeps. Without
    /// a place it is what a listener is told first, from where its call says. `None` is a route that
    /// is not live.
    async fn news(
        tenant: &impl Tenant,
        call: &Call,
        place: Option<&str>,
    ) -> Result<Option<News>, Problem> {
        let _ = (tenant, call, place);
        Ok(None)
    }

    /// Works a job of its kind. What it gives back is committed together with the end of the
    /// job. A job may come twice: the far side is told its id.
    async fn work(tenant: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
        let _ = tenant;
        Err(Failure::dead(format!("nobody works jobs of the kind {}", job.kind)))
    }

    /// Writes down that a job is given up though no try of it ever ended: each time its worker
    /// died with it.
    async fn give_up(tenant: &impl Tenant, job: &Job) -> Result<Commit, PortError> {
        let _ = (tenant, job);
        Ok(Commit::new())
    }

    /// Takes in items that were left in the queue for `name`. One may come twice: its id tells.
    async fn ingest(name: &str, tenant: &impl Tenant, items: &[Item]) -> Result<Commit, PortError> {
        let _ = (tenant, items);
        Err(PortError::new("queue", format!("{name} takes nothing in")))
    }

    /// Whether `name` follows the log here, and from the words of which actions: `source.` or
    /// all with an empty word.
    fn follows(name: &str) -> &'static [&'static str] {
        let _ = name;
        &[]
    }

    /// Takes in entries that it follows, in their order, each exactly once: what it gives back
    /// is committed together with its place in the log.
    async fn follow(
        name: &str,
        tenant: &impl Tenant,
        entries: &[Entry],
    ) -> Result<Commit, PortError> {
        let _ = (name, tenant, entries);
        Ok(Commit::new())
    }
}

/// Mounts several functions as one, for a runtime that has one module for all.
#[macro_export]
macro_rules! mount {
    ($(#[$doc:meta])* $name:ident: $($function:path),* $(,)?) => {
        $(#[$doc])*
        pub struct $name;

        impl $crate::function::Function for $name {
            const NAME: &'static str = "all";

            fn routes() -> impl Iterator<Item = &'static $crate::route::Route> {
                std::iter::empty()
                    $(.chain(<$function as $crate::function::Function>::routes()))*
            }

            fn names() -> Vec<&'static str> {
                vec![$(<$function as $crate::function::Function>::NAME),*]
            }

            fn owners() -> Vec<(&'static str, Vec<&'static $crate::route::Route>)> {
                [$(<$function as $crate::function::Function>::owners()),*].concat()
            }

            async fn handle(
                tenant: &impl $crate::ports::Tenant,
                call: &$crate::route::Call,
            ) -> Result<$crate::http::Response, $crate::problem::Problem> {
                $(if $crate::function::owns::<$function>(call) {
                    return <$function as $crate::function::Function>::handle(tenant, call).await;
                })*
                Err($crate::problem::Problem::not_found())
            }

            async fn news(
                tenant: &impl $crate::ports::Tenant,
                call: &$crate::route::Call,
                place: Option<&str>,
            ) -> Result<Option<$crate::live::News>, $crate::problem::Problem> {
                $(if $crate::function::owns::<$function>(call) {
                    return <$function as $crate::function::Function>::news(tenant, call, place)
                        .await;
                })*
                Ok(None)
            }

            async fn at_edge(
                edge: &impl $crate::ports::Edge,
                principal: &$crate::domain::Principal,
                call: &$crate::route::Call,
            ) -> Result<$crate::http::Response, $crate::problem::Problem> {
                $(if $crate::function::owns::<$function>(call) {
                    return <$function as $crate::function::Function>::at_edge(
                        edge, principal, call,
                    )
                    .await;
                })*
                Err($crate::problem::Problem::not_found())
            }

            async fn stream(
                edge: &impl $crate::ports::Edge,
                principal: &$crate::domain::Principal,
                call: &$crate::route::Call,
                body: Option<$crate::http::Chunks>,
            ) -> Result<$crate::http::Response, $crate::problem::Problem> {
                $(if $crate::function::owns::<$function>(call) {
                    return <$function as $crate::function::Function>::stream(
                        edge, principal, call, body,
                    )
                    .await;
                })*
                Err($crate::problem::Problem::not_found())
            }

            async fn edge(
                edge: &impl $crate::ports::Edge,
                call: &$crate::route::Call,
            ) -> Result<$crate::http::Response, $crate::problem::Problem> {
                $(if $crate::function::owns::<$function>(call) {
                    return <$function as $crate::function::Function>::edge(edge, call).await;
                })*
                Err($crate::problem::Problem::not_found())
            }

            async fn work(
                tenant: &impl $crate::ports::Tenant,
                job: &$crate::domain::Job,
            ) -> Result<$crate::domain::Commit, $crate::domain::Failure> {
                match job.function() {
                    $(<$function as $crate::function::Function>::NAME =>
                        <$function as $crate::function::Function>::work(tenant, job).await,)*
                    _ => Err($crate::domain::Failure::dead("no function has this name")),
                }
            }

            async fn give_up(
                tenant: &impl $crate::ports::Tenant,
                job: &$crate::domain::Job,
            ) -> Result<$crate::domain::Commit, $crate::ports::PortError> {
                match job.function() {
                    $(<$function as $crate::function::Function>::NAME =>
                        <$function as $crate::function::Function>::give_up(tenant, job).await,)*
                    _ => Ok($crate::domain::Commit::new()),
                }
            }

            async fn ingest(
                name: &str,
                tenant: &impl $crate::ports::Tenant,
                items: &[$crate::ports::Item],
            ) -> Result<$crate::domain::Commit, $crate::ports::PortError> {
                match name {
                    $(<$function as $crate::function::Function>::NAME =>
                        <$function as $crate::function::Function>::ingest(name, tenant, items)
                            .await,)*
                    _ => Err($crate::ports::PortError::new("queue", "no function has this name")),
                }
            }

            fn follows(name: &str) -> &'static [&'static str] {
                match name {
                    $(<$function as $crate::function::Function>::NAME =>
                        <$function as $crate::function::Function>::follows(name),)*
                    _ => &[],
                }
            }

            async fn follow(
                name: &str,
                tenant: &impl $crate::ports::Tenant,
                entries: &[$crate::domain::Entry],
            ) -> Result<$crate::domain::Commit, $crate::ports::PortError> {
                match name {
                    $(<$function as $crate::function::Function>::NAME =>
                        <$function as $crate::function::Function>::follow(name, tenant, entries)
                            .await,)*
                    _ => Ok($crate::domain::Commit::new()),
                }
            }
        }
    };
}

/// Whether this call is on a route of `F`.
pub fn owns<F: Function>(call: &Call) -> bool {
    F::routes().any(|it| it.operation == call.operation())
}
