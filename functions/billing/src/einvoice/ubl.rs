//! OASIS UBL 2.1, in the binding of CEN/TS 16931-3-2. An invoice and a credit note are two
//! documents there. The order of the elements is the schema's.

use chrono::NaiveDate;

use super::{Input, Party, decimal, percent, xml::Xml};
use crate::invoice::{Adjustment, Kind, Line, Vat};

const COMPONENTS: [(&str, &str); 2] = [
    ("xmlns:cac", "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"),
    ("xmlns:cbc", "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"),
];

pub(super) fn write(it: Input<'_>) -> String {
    let (root, namespace) = match it.document.kind {
        Kind::Invoice => ("Invoice", "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"),
        Kind::CreditNote => {
            ("CreditNote", "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2")
        }
    };
    let [cac, cbc] = COMPONENTS;
    Xml::document(root, &[("xmlns", namespace), cac, cbc], |xml| {
        head(xml, it);
        references(xml, it);
        xml.within("cac:AccountingSupplierParty", |xml| {
            party(xml, it, &it.header.seller, it.header.seller_tax_id.as_deref());
        });
        xml.within("cac:AccountingCustomerParty", |xml| party(xml, it, &it.header.buyer, None));
        if let Some(day) = it.header.delivered {
            xml.within("cac:Delivery", |xml| {
                xml.text("cbc:ActualDeliveryDate", &day.to_string());
            });
        }
        payment(xml, it);
        for adjustment in &it.document.adjustments {
            allowance(xml, it, adjustment, Some(adjustment.vat));
        }
        tax_total(xml, it);
        sums(xml, it);
        for each in &it.document.lines {
            line(xml, it, each);
        }
    })
}

fn head(xml: &mut Xml, it: Input<'_>) {
    let header = it.header;
    xml.text("cbc:CustomizationID", header.profile.specification());
    xml.maybe("cbc:ProfileID", header.profile.process());
    xml.text("cbc:ID", &header.number);
    xml.text("cbc:IssueDate", &header.issued.to_string());
    match it.document.kind {
        Kind::Invoice => {
            xml.maybe("cbc:DueDate", header.due.map(|it| it.to_string()).as_deref());
            xml.text("cbc:InvoiceTypeCode", it.document.kind.code());
        }
        Kind::CreditNote => xml.text("cbc:CreditNoteTypeCode", it.document.kind.code()),
    }
    xml.maybe("cbc:Note", header.note.as_deref());
    xml.text("cbc:DocumentCurrencyCode", it.document.currency.code());
    xml.maybe("cbc:BuyerReference", header.buyer_reference.as_deref());
}

fn references(xml: &mut Xml, it: Input<'_>) {
    let header = it.header;
    period(xml, it.period());
    if let Some(order) = &header.order {
        xml.within("cac:OrderReference", |xml| xml.text("cbc:ID", order));
    }
    if let Some((number, issued)) = &header.preceding {
        xml.within("cac:BillingReference", |xml| {
            xml.within("cac:InvoiceDocumentReference", |xml| {
                xml.text("cbc:ID", number);
                xml.text("cbc:IssueDate", &issued.to_string());
            });
        });
    }
}

fn period(xml: &mut Xml, days: Option<(NaiveDate, NaiveDate)>) {
    let Some((from, to)) = days else { return };
    xml.within("cac:InvoicePeriod", |xml| {
        xml.text("cbc:StartDate", &from.to_string());
        xml.text("cbc:EndDate", &to.to_string());
    });
}

fn party(xml: &mut Xml, it: Input<'_>, party: &Party, tax_id: Option<&str>) {
    xml.within("cac:Party", |xml| {
        if let Some((scheme, address)) = &party.endpoint {
            xml.text_with("cbc:EndpointID", &[("schemeID", scheme)], address);
        }
        xml.within("cac:PostalAddress", |xml| {
            xml.maybe("cbc:StreetName", party.street.as_deref());
            xml.maybe("cbc:CityName", party.city.as_deref());
            xml.maybe("cbc:PostalZone", party.postcode.as_deref());
            xml.within("cac:Country", |xml| {
                xml.text("cbc:IdentificationCode", &party.country);
            });
        });
        if let Some(id) = it.vat_id(party) {
            registration(xml, "VAT", id);
        }
        if let Some(id) = tax_id {
            // Any scheme but VAT says that it is BT-32.
            registration(xml, "TAX", id);
        }
        xml.within("cac:PartyLegalEntity", |xml| {
            xml.text("cbc:RegistrationName", &party.name);
            xml.maybe("cbc:CompanyID", party.legal_id.as_deref());
        });
        if let Some(contact) = &party.contact {
            xml.within("cac:Contact", |xml| {
                xml.text("cbc:Name", &contact.name);
                xml.text("cbc:Telephone", &contact.phone);
                xml.text("cbc:ElectronicMail", &contact.mail);
            });
        }
    });
}

fn payment(xml: &mut Xml, it: Input<'_>) {
    let header = it.header;
    // A credit note has its due date here, and so needs a means of payment to say it.
    let due = header.due.filter(|_| it.document.kind == Kind::CreditNote);
    if header.iban.is_some() || due.is_some() {
        xml.within("cac:PaymentMeans", |xml| {
            // UNTDID 4461: 30 is a credit transfer, 1 is not defined.
            let means = if header.iban.is_some() { "30" } else { "1" };
            xml.text("cbc:PaymentMeansCode", means);
            xml.maybe("cbc:PaymentDueDate", due.map(|it| it.to_string()).as_deref());
            if let Some(iban) = &header.iban {
                xml.within("cac:PayeeFinancialAccount", |xml| xml.text("cbc:ID", iban));
            }
        });
    }
    if let Some(terms) = &header.terms {
        xml.within("cac:PaymentTerms", |xml| xml.text("cbc:Note", terms));
    }
}

fn allowance(xml: &mut Xml, it: Input<'_>, adjustment: &Adjustment, vat: Option<Vat>) {
    xml.within("cac:AllowanceCharge", |xml| {
        xml.text("cbc:ChargeIndicator", if adjustment.is_charge { "true" } else { "false" });
        xml.text("cbc:AllowanceChargeReason", &adjustment.reason);
        money(xml, it, "cbc:Amount", adjustment.amount);
        if let Some(vat) = vat {
            category(xml, "cac:TaxCategory", vat, None);
        }
    });
}

fn tax_total(xml: &mut Xml, it: Input<'_>) {
    xml.within("cac:TaxTotal", |xml| {
        money(xml, it, "cbc:TaxAmount", it.totals.tax);
        for subtotal in &it.totals.subtotals {
            xml.within("cac:TaxSubtotal", |xml| {
                money(xml, it, "cbc:TaxableAmount", subtotal.base);
                money(xml, it, "cbc:TaxAmount", subtotal.tax);
                category(xml, "cac:TaxCategory", subtotal.vat, Some(it));
            });
        }
    });
}

fn sums(xml: &mut Xml, it: Input<'_>) {
    let all = it.totals;
    xml.within("cac:LegalMonetaryTotal", |xml| {
        money(xml, it, "cbc:LineExtensionAmount", all.lines);
        money(xml, it, "cbc:TaxExclusiveAmount", all.net);
        money(xml, it, "cbc:TaxInclusiveAmount", all.gross);
        money(xml, it, "cbc:AllowanceTotalAmount", all.allowances);
        money(xml, it, "cbc:ChargeTotalAmount", all.charges);
        money(xml, it, "cbc:PrepaidAmount", all.prepaid);
        if all.round != 0 {
            money(xml, it, "cbc:PayableRoundingAmount", all.round);
        }
        money(xml, it, "cbc:PayableAmount", all.due);
    });
}

fn line(xml: &mut Xml, it: Input<'_>, line: &Line) {
    let (name, quantity_name) = match it.document.kind {
        Kind::Invoice => ("cac:InvoiceLine", "cbc:InvoicedQuantity"),
        Kind::CreditNote => ("cac:CreditNoteLine", "cbc:CreditedQuantity"),
    };
    xml.within(name, |xml| {
        xml.text("cbc:ID", &line.id);
        let quantity = decimal::trimmed(line.quantity, 3);
        xml.text_with(quantity_name, &[("unitCode", &line.unit)], &quantity);
        // The totals exist, so each line's net amount does.
        money(xml, it, "cbc:LineExtensionAmount", line.net().unwrap_or_default());
        period(xml, it.line_period(line));
        for adjustment in &line.adjustments {
            allowance(xml, it, adjustment, None);
        }
        xml.within("cac:Item", |xml| {
            xml.text("cbc:Name", &line.name);
            category(xml, "cac:ClassifiedTaxCategory", line.vat, None);
        });
        xml.within("cac:Price", |xml| {
            let currency = it.document.currency;
            let attributes = [("currencyID", currency.code())];
            xml.text_with("cbc:PriceAmount", &attributes, &it.price(line.price));
        });
    });
}

/// With `told`, the reason for taking no tax is told too.
fn category(xml: &mut Xml, name: &str, vat: Vat, told: Option<Input<'_>>) {
    xml.within(name, |xml| {
        xml.text("cbc:ID", vat.category.code());
        xml.maybe("cbc:Percent", percent(vat).as_deref());
        if let Some(it) = told {
            xml.maybe("cbc:TaxExemptionReasonCode", vat.category.reason_code());
            xml.maybe("cbc:TaxExemptionReason", it.reason(vat).as_deref());
        }
        scheme(xml);
    });
}

fn registration(xml: &mut Xml, scheme: &str, id: &str) {
    xml.within("cac:PartyTaxScheme", |xml| {
        xml.text("cbc:CompanyID", id);
        xml.within("cac:TaxScheme", |xml| xml.text("cbc:ID", scheme));
    });
}

fn scheme(xml: &mut Xml) {
    xml.within("cac:TaxScheme", |xml| xml.text("cbc:ID", "VAT"));
}

fn money(xml: &mut Xml, it: Input<'_>, name: &str, minor: i64) {
    let currency = it.document.currency;
    xml.text_with(name, &[("currencyID", currency.code())], &it.amount(minor));
}
