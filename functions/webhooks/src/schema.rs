//! What the API document says of these routes.

use shared::openapi::{Operation, operation};

use crate::{
    message::{FullMessage, Message},
    receive::Received,
    refusals::SourceErrors,
    source::{CreatedSource, NewSource, RecipeList, SecretRotation, Source, SourceChange},
};

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    let mut all = sources();
    all.extend(messages());
    all
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
