//! What the API document says of these routes.

use shared::{
    openapi::{Operation, operation},
    portal::{NewPortalLink, PortalLink},
};

use crate::{
    message::{FullMessage, Message},
    receive::Received,
    refusals::SourceErrors,
    replay::{SourceReplay, SourceWindow},
    sender::{
        delivery::{EndpointDelivery, FullDelivery, Recovered, Replaying, Window},
        endpoint::{
            CreatedEndpoint, Endpoint, EndpointChange, EndpointRotation, EndpointSecret,
            NewEndpoint,
        },
        event::{Event, NewEvent, PublishedEvent},
        event_type::{EventType, EventTypeText},
        import::{ImportedEventTypes, OpenApiDocument},
        keys::{KeyDirectory, KeyRotation, PublicKey},
        monitor::{EndpointHealth, Overview},
        poll::{Acknowledged, Polled},
        retention::WebhookSettings,
        trial::Trial,
    },
    source::{CreatedSource, NewSource, RecipeList, SecretRotation, Source, SourceChange},
};

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    let mut all = sources();
    all.extend(messages());
    all.extend(events());
    all.extend(endpoints());
    all.extend(deliveries());
    all
}

fn events() -> Vec<Operation> {
    vec![
        operation("publishEvent", "Publish an event to the endpoints that want it.")
            .takes::<NewEvent>()
            .gives::<PublishedEvent>(202),
        operation("listEvents", "List the events, newest first.").gives_page::<Event>(),
        operation("getEvent", "Read an event.").gives::<Event>(200),
        operation(
            "getEventSpans",
            "Read the spans of an event, as OTLP/JSON: its publishing, and each attempt.",
        )
        .gives_other("application/json"),
        operation("getWebhookSettings", "Read for how long webhooks are kept.")
            .gives::<WebhookSettings>(200),
        operation("putWebhookSettings", "Set for how long webhooks are kept.")
            .takes::<WebhookSettings>()
            .gives::<WebhookSettings>(200)
            .conditional(),
        operation("listEventTypes", "List the catalogue of events.").gives_page::<EventType>(),
        operation("getEventType", "Read a type of events.").gives::<EventType>(200),
        operation("putEventType", "Put a type of events into the catalogue, or replace it.")
            .takes::<EventTypeText>()
            .gives::<EventType>(200)
            .conditional(),
        operation(
            "importEventTypes",
            "Put the webhooks of an OpenAPI document into the catalogue.",
        )
        .takes::<OpenApiDocument>()
        .gives::<ImportedEventTypes>(200),
        operation("deleteEventType", "Take a type of events out of the catalogue.").gives_nothing(),
    ]
}

fn endpoints() -> Vec<Operation> {
    vec![
        operation("createEndpoint", "Create an endpoint: somebody who wants to hear of events.")
            .takes::<NewEndpoint>()
            .gives::<CreatedEndpoint>(201),
        operation("listEndpoints", "List the endpoints, oldest first.")
            .query("customer", "Only those of this customer.")
            .gives_page::<Endpoint>(),
        operation("getEndpoint", "Read an endpoint.").gives::<Endpoint>(200),
        operation("updateEndpoint", "Change an endpoint, pause it, or send again.")
            .takes::<EndpointChange>()
            .gives::<Endpoint>(200)
            .conditional(),
        operation("deleteEndpoint", "Delete an endpoint, and what is on its way to it.")
            .gives_nothing(),
        operation("getEndpointSecret", "Show the secret that checks signatures.")
            .gives::<EndpointSecret>(200),
        operation("rotateEndpoint", "Put a new signing secret in front of the one before.")
            .takes::<EndpointRotation>()
            .gives::<EndpointSecret>(200),
        operation("testEndpoint", "Send a test event to an endpoint.")
            .takes::<Trial>()
            .gives::<PublishedEvent>(202),
        operation("getEndpointHealth", "Show how an endpoint fares.").gives::<EndpointHealth>(200),
        operation("getWebhooksHealth", "Show how endpoints and sources fare.")
            .gives::<Overview>(200),
        operation("createPortalLink", "Let one customer tend to its own endpoints.")
            .takes::<NewPortalLink>()
            .gives::<PortalLink>(201),
        operation("rotateSigningKey", "Make a new key for v1a signatures.")
            .takes::<KeyRotation>()
            .gives::<PublicKey>(201),
        operation("getSigningKeys", "The public keys that check what a tenant signs.")
            .query("all", "`true` for those as well that do not sign any more.")
            .gives::<KeyDirectory>(200),
    ]
}

fn deliveries() -> Vec<Operation> {
    vec![
        operation("listDeliveries", "List the deliveries to an endpoint, newest first.")
            .query(
                "state",
                "Only those that are waiting, delivered, failed, held, polled, skipped.",
            )
            .gives_page::<EndpointDelivery>(),
        operation("getDelivery", "Read a delivery with its attempts.").gives::<FullDelivery>(200),
        operation("resendDelivery", "Send a delivery again, under the same id.")
            .gives::<EndpointDelivery>(202),
        operation("recoverEndpoint", "Send all again that failed or was held.")
            .takes::<Window>()
            .gives::<Recovered>(202),
        operation("replayEndpoint", "Send what was never queued for this endpoint.")
            .takes::<Window>()
            .gives::<Replaying>(202),
        operation("getManifest", "List all that an endpoint should have, in order.")
            .query("after", "Only what comes after this number.")
            .gives_page::<EndpointDelivery>(),
        operation("pollEndpoint", "Get what the consumer has not acknowledged.")
            .query("consumer", "Who polls, when several do; default when left out.")
            .query("limit", "How many at once: 1 to 200.")
            .gives::<Polled>(200),
        operation("acknowledgePoll", "Remember how far the consumer has come.")
            .takes::<Acknowledged>()
            .gives_nothing(),
    ]
}

fn sources() -> Vec<Operation> {
    vec![
        operation("receive", "Receive a webhook, signed as its source's recipe says.")
            .gives::<Received>(200),
        operation("answerChallenge", "Answer a provider's challenge, if its recipe knows one.")
            .gives_other("text/plain"),
        operation("answerHandshake", "Answer the handshake of CloudEvents, if the recipe has it.")
            .gives_other("text/plain"),
        operation("listRecipes", "List how the known providers sign.").gives::<RecipeList>(200),
        operation("createSource", "Create a source: somebody who sends webhooks.")
            .takes::<NewSource>()
            .gives::<CreatedSource>(201),
        operation("listSources", "List the sources, oldest first.").gives_page::<Source>(),
        operation("getSource", "Read a source.").gives::<Source>(200),
        operation("updateSource", "Change a source.")
            .takes::<SourceChange>()
            .gives::<Source>(200)
            .conditional(),
        operation("deleteSource", "Delete a source; its messages stay.").gives_nothing(),
        operation("rotateSource", "Put a new signing secret in front of the others.")
            .takes::<SecretRotation>()
            .gives::<CreatedSource>(200),
        operation("followSource", "Follow what a source receives, as server-sent events.")
            .query("after", "After this message; from now on when left out.")
            .gives_other("text/event-stream"),
        operation("replaySource", "Deliver again what a source has received in a window of time.")
            .takes::<SourceWindow>()
            .gives::<SourceReplay>(202),
        operation("listSourceErrors", "List what was refused, by reason and hour.")
            .gives::<SourceErrors>(200),
    ]
}

fn messages() -> Vec<Operation> {
    vec![
        operation("listMessages", "List messages, newest first.")
            .gives_page::<Message>()
            .query("source", "Only those of this source."),
        operation("getMessage", "Read a message with its headers and body.")
            .gives::<FullMessage>(200),
        operation("getMessageBody", "Read the bytes of a message's body.")
            .gives_other("application/octet-stream"),
        operation("replayMessage", "Deliver a message once more.").gives::<Message>(202),
    ]
}
