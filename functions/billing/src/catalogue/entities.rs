//! Legal entities over HTTP.

use std::collections::BTreeMap;

use serde_json::json;
use shared::{
    domain::{Draft, Id, Page, WORD, is_word},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};

use super::{check_text, check_version, shown};
use crate::{
    entity::{DRAFT_HOURS_MAX, ENTITIES_MAX, Entity, EntityText, NET_DAYS_MAX, Party},
    number::Pattern,
    store,
    tax::{self, CLASSES_MAX, TaxClass},
};

/// Lists them, by name.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let found = store::list_entities(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.name.clone())))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = store::find_entity(at, call.param()).await?.ok_or_else(Problem::not_found)?;
    Ok(shown(&found, found.version))
}

/// Puts one, or replaces it. What was invoiced stays as it was.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (name, text): (_, EntityText) = (call.param().to_owned(), call.json()?);
    if !is_word(&name) {
        return Err(Problem::unfitting("name", WORD));
    }
    let before = store::find_entity(at, &name).await?;
    check_version(call, before.as_ref().map(|it| it.version))?;
    let it = made(at, name, text, before.as_ref())?;
    if before.is_none() && full(at).await? {
        return Err(Problem::full_list(ENTITIES_MAX, "legal entities", "change one of them"));
    }
    if before.as_ref().is_some_and(|old| series(old) != series(&it))
        && store::has_numbers(at, &it.name).await?
    {
        let why = "numbers of this series were given out: a new series is a new entity";
        return Err(Problem::unfitting("invoice_number", why));
    }
    let entry = Draft::new("billing_entity.put", &Id::trusted(it.name.clone()))
        .with(json!({"name": it.party.name, "country": it.party.country}));
    let commit = store::put_entity(&it).entry(entry);
    at.answer(commit, shown(&it, it.version), Problem::changed_meanwhile).await
}

fn series(it: &Entity) -> (&String, &String) {
    (&it.invoice_number, &it.credit_note_number)
}

async fn full(at: &impl Tenant) -> Result<bool, Problem> {
    let known = store::list_entities(at, "", ENTITIES_MAX).await?;
    Ok(known.len() >= usize::try_from(ENTITIES_MAX).unwrap_or(usize::MAX))
}

fn made(
    at: &impl Tenant,
    name: String,
    text: EntityText,
    before: Option<&Entity>,
) -> Result<Entity, Problem> {
    check_party(&text.party)?;
    check_classes(&text.tax_classes)?;
    let pattern = |path: &str, text: Option<String>, default: &str| {
        let text = text.unwrap_or_else(|| default.to_owned());
        Pattern::parse(&text).map_err(|err| Problem::unfitting(path, err))?;
        Ok::<_, Problem>(text)
    };
    let invoices = pattern("invoice_number", text.invoice_number, "{year}-{counter:6}")?;
    let notes = pattern("credit_note_number", text.credit_note_number, "CN-{year}-{counter:6}")?;
    let net_days = text.net_days.unwrap_or(14);
    let draft_hours = text.draft_hours.unwrap_or(1);
    if net_days > NET_DAYS_MAX {
        return Err(Problem::unfitting("net_days", format!("up to {NET_DAYS_MAX}")));
    }
    if draft_hours > DRAFT_HOURS_MAX {
        return Err(Problem::unfitting("draft_hours", format!("up to {DRAFT_HOURS_MAX}")));
    }
    let iban = text.iban.map(|it| it.replace(' ', ""));
    if iban.as_ref().is_some_and(|it| !is_iban(it)) {
        return Err(Problem::unfitting("iban", "an IBAN whose check digits fit"));
    }
    check_text("note", text.note.as_ref(), 1_000)?;
    text.dunning.policy(text.zone).map_err(|err| Problem::unfitting("dunning", err))?;
    Ok(Entity {
        name,
        party: text.party,
        vat: text.vat,
        tax_classes: text.tax_classes,
        invoice_number: invoices,
        credit_note_number: notes,
        zone: text.zone,
        net_days,
        draft_hours,
        iban,
        note: text.note,
        account: text.account,
        dunning: text.dunning,
        proration: text.proration,
        precision: text.precision,
        portal: text.portal,
        mails_bills: text.mails_bills,
        version: before.map_or(1, |it| it.version + 1),
        updated_at: at.now(),
    })
}

fn check_classes(all: &BTreeMap<String, TaxClass>) -> Result<(), Problem> {
    if all.len() > CLASSES_MAX {
        return Err(Problem::unfitting("tax_classes", format!("up to {CLASSES_MAX}")));
    }
    for (name, class) in all {
        let path = format!("tax_classes.{name}");
        if !is_word(name) {
            return Err(Problem::unfitting(&path, WORD));
        }
        class.check().map_err(|err| Problem::unfitting(&path, err))?;
    }
    Ok(())
}

/// Whether somebody can stand on an invoice.
///
/// # Errors
/// 422 that names the field.
pub fn check_party(it: &Party) -> Result<(), Problem> {
    check_text("party.name", Some(&it.name), 200)?;
    let fields = [
        ("party.street", &it.street),
        ("party.city", &it.city),
        ("party.postcode", &it.postcode),
        ("party.legal_id", &it.legal_id),
        ("party.tax_id", &it.tax_id),
    ];
    for (path, text) in fields {
        check_text(path, text.as_ref(), 200)?;
    }
    let is_country = it.country.len() == 2 && it.country.bytes().all(|it| it.is_ascii_uppercase());
    if !is_country {
        return Err(Problem::unfitting("party.country", "two capital letters of ISO 3166-1"));
    }
    if let Some(text) = &it.vat_id {
        let id = tax::VatId::parse(text);
        let id = id.map_err(|err| Problem::unfitting("party.vat_id", err))?;
        if id.country() != it.country {
            let why = "it is of another country: invoice the establishment that has it";
            return Err(Problem::unfitting("party.vat_id", why));
        }
    }
    Ok(())
}

/// ISO 13616: the digits of the whole, its first four characters at the end and letters as 10 to
/// 35, leave 1 when divided by 97.
fn is_iban(text: &str) -> bool {
    let plain = text.bytes().all(|it| it.is_ascii_digit() || it.is_ascii_uppercase());
    if !plain || !(15..=34).contains(&text.len()) {
        return false;
    }
    let (start, rest) = text.split_at(4);
    let rest = rest.chars().chain(start.chars());
    let digit = |it: char| it.to_digit(36).unwrap_or(0);
    let left = rest.fold(0, |sum, it| match digit(it) {
        it @ 0..=9 => (sum * 10 + it) % 97,
        it => (sum * 100 + it) % 97,
    });
    left == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iban_has_check_digits() {
        for good in ["DE89370400440532013000", "GB29NWBK60161331926819", "NL91ABNA0417164300"] {
            assert!(is_iban(good), "{good}");
        }
        for bad in ["DE89370400440532013001", "de89370400440532013000", "DE8937", ""] {
            assert!(!is_iban(bad), "{bad}");
        }
    }
}
