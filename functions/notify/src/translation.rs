//! Items of an inbox in the language of who reads them now, which may be another than when they
//! came: their words are made anew of their notices.

use std::collections::BTreeMap;

use shared::ports::{PortError, Tenant};

use crate::{
    inbox::InboxItem,
    language::lookup,
    notice::Notice,
    recipient::{self, Contact, Recipient},
    store,
    workflow::Workflow,
};

/// Says anew what has other words in this language; in the member's own when there is none. What
/// came as a digest stays as it came, and so does what the words of now cannot be filled for.
///
/// # Errors
/// When the database fails.
pub async fn translate(
    at: &impl Tenant,
    reader: &str,
    language: Option<String>,
    items: &mut [InboxItem],
) -> Result<(), PortError> {
    let workflows = workflows(at, items).await?;
    if workflows.is_empty() {
        return Ok(());
    }
    let member = recipient::of(at, reader, None).await?;
    let own = || member.as_ref().and_then(|it| it.locale.clone());
    let Some(language) = language.or_else(own) else { return Ok(()) };
    let is_other = |it: &InboxItem| {
        let found = workflows.get(&it.words.kind);
        found.is_some_and(|found| tag(found, &language) != it.words.language.as_deref())
    };
    let others: Vec<_> = items.iter_mut().filter(|it| is_other(it)).collect();
    let ids: Vec<_> = others.iter().map(|it| &it.notice).collect();
    let told = store::notices_told(at, reader, &ids).await?;
    for item in others {
        let Some((notice, contact)) = told.get(item.notice.as_str()) else { continue };
        let Some(reader) = contact.clone().map(Recipient::from).or_else(|| member.clone()) else {
            continue;
        };
        if let Some(workflow) = workflows.get(&item.words.kind) {
            say(item, workflow, notice, &reader, &language);
        }
    }
    Ok(())
}

/// The workflows of the items that have translations.
async fn workflows(
    at: &impl Tenant,
    items: &[InboxItem],
) -> Result<BTreeMap<String, Workflow>, PortError> {
    let mut kinds: Vec<_> = items.iter().map(|it| &it.words.kind).collect();
    kinds.sort();
    kinds.dedup();
    let mut found = BTreeMap::new();
    for kind in kinds {
        let workflow = store::find_workflow(at, kind).await?;
        if let Some(it) = workflow.filter(|it| !it.text.translations.is_empty()) {
            found.insert(kind.clone(), it);
        }
    }
    Ok(found)
}

fn tag<'a>(workflow: &'a Workflow, language: &str) -> Option<&'a str> {
    lookup(&workflow.text.translations, language).map(|it| it.0)
}

fn say(
    item: &mut InboxItem,
    workflow: &Workflow,
    notice: &Notice,
    reader: &Recipient,
    language: &str,
) {
    let Ok(words) = workflow.render(Some(language), &notice.data_for(reader)) else { return };
    let it = &mut item.words;
    (it.language, it.subject, it.text, it.html) =
        (words.language, words.subject, words.text, words.html);
}

/// A notice, and what is kept of the contact that it was for.
pub type Told = (Notice, Option<Contact>);
