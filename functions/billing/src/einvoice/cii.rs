//! UN/CEFACT Cross Industry Invoice D22B, in the binding of CEN/TS 16931-3-3. The order of the
//! elements is the schema's.

use chrono::NaiveDate;

use super::{Input, Party, decimal, percent, xml::Xml};
use crate::invoice::{Adjustment, Line, Subtotal, Vat};

const NAMESPACES: [(&str, &str); 4] = [
    ("xmlns:rsm", "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"),
    (
        "xmlns:ram",
        "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    ),
    ("xmlns:qdt", "urn:un:unece:uncefact:data:standard:QualifiedDataType:100"),
    ("xmlns:udt", "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100"),
];

pub(super) fn write(it: Input<'_>) -> String {
    Xml::document("rsm:CrossIndustryInvoice", &NAMESPACES, |xml| {
        context(xml, it);
        xml.within("rsm:SupplyChainTradeTransaction", |xml| {
            for line in &it.document.lines {
                xml.within("ram:IncludedSupplyChainTradeLineItem", |xml| item(xml, it, line));
            }
            xml.within("ram:ApplicableHeaderTradeAgreement", |xml| agreement(xml, it));
            // The schema wants it, even if it has nothing to say.
            xml.within("ram:ApplicableHeaderTradeDelivery", |xml| delivery(xml, it));
            xml.within("ram:ApplicableHeaderTradeSettlement", |xml| settlement(xml, it));
        });
    })
}

fn context(xml: &mut Xml, it: Input<'_>) {
    let header = it.header;
    xml.within("rsm:ExchangedDocumentContext", |xml| {
        if let Some(process) = header.profile.process() {
            xml.within("ram:BusinessProcessSpecifiedDocumentContextParameter", |xml| {
                xml.text("ram:ID", process);
            });
        }
        xml.within("ram:GuidelineSpecifiedDocumentContextParameter", |xml| {
            xml.text("ram:ID", header.profile.specification());
        });
    });
    xml.within("rsm:ExchangedDocument", |xml| {
        xml.text("ram:ID", &header.number);
        xml.text("ram:TypeCode", it.document.kind.code());
        xml.within("ram:IssueDateTime", |xml| date(xml, "udt:DateTimeString", header.issued));
        if let Some(note) = &header.note {
            xml.within("ram:IncludedNote", |xml| xml.text("ram:Content", note));
        }
    });
}

fn item(xml: &mut Xml, it: Input<'_>, line: &Line) {
    xml.within("ram:AssociatedDocumentLineDocument", |xml| xml.text("ram:LineID", &line.id));
    xml.within("ram:SpecifiedTradeProduct", |xml| xml.text("ram:Name", &line.name));
    xml.within("ram:SpecifiedLineTradeAgreement", |xml| {
        xml.within("ram:NetPriceProductTradePrice", |xml| {
            xml.text("ram:ChargeAmount", &it.price(line.price));
        });
    });
    xml.within("ram:SpecifiedLineTradeDelivery", |xml| {
        let quantity = decimal::trimmed(line.quantity, 3);
        xml.text_with("ram:BilledQuantity", &[("unitCode", &line.unit)], &quantity);
    });
    xml.within("ram:SpecifiedLineTradeSettlement", |xml| {
        tax(xml, "ram:ApplicableTradeTax", line.vat);
        period(xml, it.line_period(line));
        for adjustment in &line.adjustments {
            allowance(xml, it, adjustment, None);
        }
        xml.within("ram:SpecifiedTradeSettlementLineMonetarySummation", |xml| {
            // The totals exist, so each line's net amount does.
            xml.text("ram:LineTotalAmount", &it.amount(line.net().unwrap_or_default()));
        });
    });
}

fn agreement(xml: &mut Xml, it: Input<'_>) {
    let header = it.header;
    xml.maybe("ram:BuyerReference", header.buyer_reference.as_deref());
    xml.within("ram:SellerTradeParty", |xml| {
        party(xml, it, &header.seller);
        if let Some(id) = &header.seller_tax_id {
            registration(xml, "FC", id);
        }
    });
    xml.within("ram:BuyerTradeParty", |xml| party(xml, it, &header.buyer));
    if let Some(order) = &header.order {
        xml.within("ram:BuyerOrderReferencedDocument", |xml| {
            xml.text("ram:IssuerAssignedID", order);
        });
    }
}

fn party(xml: &mut Xml, it: Input<'_>, party: &Party) {
    xml.text("ram:Name", &party.name);
    if let Some(id) = &party.legal_id {
        xml.within("ram:SpecifiedLegalOrganization", |xml| xml.text("ram:ID", id));
    }
    if let Some(contact) = &party.contact {
        xml.within("ram:DefinedTradeContact", |xml| {
            xml.text("ram:PersonName", &contact.name);
            xml.within("ram:TelephoneUniversalCommunication", |xml| {
                xml.text("ram:CompleteNumber", &contact.phone);
            });
            xml.within("ram:EmailURIUniversalCommunication", |xml| {
                xml.text("ram:URIID", &contact.mail);
            });
        });
    }
    xml.within("ram:PostalTradeAddress", |xml| {
        xml.maybe("ram:PostcodeCode", party.postcode.as_deref());
        xml.maybe("ram:LineOne", party.street.as_deref());
        xml.maybe("ram:CityName", party.city.as_deref());
        xml.text("ram:CountryID", &party.country);
    });
    if let Some((scheme, address)) = &party.endpoint {
        xml.within("ram:URIUniversalCommunication", |xml| {
            xml.text_with("ram:URIID", &[("schemeID", scheme)], address);
        });
    }
    if let Some(id) = it.vat_id(party) {
        registration(xml, "VA", id);
    }
}

/// UNTDID 1153: VA is a VAT id, FC a number at a local tax office.
fn registration(xml: &mut Xml, scheme: &str, id: &str) {
    xml.within("ram:SpecifiedTaxRegistration", |xml| {
        xml.text_with("ram:ID", &[("schemeID", scheme)], id);
    });
}

fn delivery(xml: &mut Xml, it: Input<'_>) {
    if let Some(day) = it.header.delivered {
        xml.within("ram:ActualDeliverySupplyChainEvent", |xml| {
            xml.within("ram:OccurrenceDateTime", |xml| date(xml, "udt:DateTimeString", day));
        });
    }
}

fn settlement(xml: &mut Xml, it: Input<'_>) {
    let header = it.header;
    xml.text("ram:InvoiceCurrencyCode", it.document.currency.code());
    if let Some(iban) = &header.iban {
        xml.within("ram:SpecifiedTradeSettlementPaymentMeans", |xml| {
            // UNTDID 4461: 30 is a credit transfer.
            xml.text("ram:TypeCode", "30");
            xml.within("ram:PayeePartyCreditorFinancialAccount", |xml| {
                xml.text("ram:IBANID", iban);
            });
        });
    }
    for subtotal in &it.totals.subtotals {
        xml.within("ram:ApplicableTradeTax", |xml| breakdown(xml, it, subtotal));
    }
    period(xml, it.period());
    for adjustment in &it.document.adjustments {
        allowance(xml, it, adjustment, Some(adjustment.vat));
    }
    if header.due.is_some() || header.terms.is_some() {
        xml.within("ram:SpecifiedTradePaymentTerms", |xml| {
            xml.maybe("ram:Description", header.terms.as_deref());
            if let Some(due) = header.due {
                xml.within("ram:DueDateDateTime", |xml| date(xml, "udt:DateTimeString", due));
            }
        });
    }
    xml.within("ram:SpecifiedTradeSettlementHeaderMonetarySummation", |xml| sums(xml, it));
    if let Some((number, issued)) = &header.preceding {
        xml.within("ram:InvoiceReferencedDocument", |xml| {
            xml.text("ram:IssuerAssignedID", number);
            xml.within("ram:FormattedIssueDateTime", |xml| {
                date(xml, "qdt:DateTimeString", *issued);
            });
        });
    }
}

fn period(xml: &mut Xml, days: Option<(NaiveDate, NaiveDate)>) {
    let Some((from, to)) = days else { return };
    xml.within("ram:BillingSpecifiedPeriod", |xml| {
        xml.within("ram:StartDateTime", |xml| date(xml, "udt:DateTimeString", from));
        xml.within("ram:EndDateTime", |xml| date(xml, "udt:DateTimeString", to));
    });
}

fn breakdown(xml: &mut Xml, it: Input<'_>, subtotal: &Subtotal) {
    let vat = subtotal.vat;
    xml.text("ram:CalculatedAmount", &it.amount(subtotal.tax));
    xml.text("ram:TypeCode", "VAT");
    xml.maybe("ram:ExemptionReason", it.reason(vat).as_deref());
    xml.text("ram:BasisAmount", &it.amount(subtotal.base));
    xml.text("ram:CategoryCode", vat.category.code());
    xml.maybe("ram:ExemptionReasonCode", vat.category.reason_code());
    xml.maybe("ram:RateApplicablePercent", percent(vat).as_deref());
}

fn allowance(xml: &mut Xml, it: Input<'_>, adjustment: &Adjustment, vat: Option<Vat>) {
    xml.within("ram:SpecifiedTradeAllowanceCharge", |xml| {
        xml.within("ram:ChargeIndicator", |xml| {
            xml.text("udt:Indicator", if adjustment.is_charge { "true" } else { "false" });
        });
        xml.text("ram:ActualAmount", &it.amount(adjustment.amount));
        xml.text("ram:Reason", &adjustment.reason);
        if let Some(vat) = vat {
            tax(xml, "ram:CategoryTradeTax", vat);
        }
    });
}

fn tax(xml: &mut Xml, name: &str, vat: Vat) {
    xml.within(name, |xml| {
        xml.text("ram:TypeCode", "VAT");
        xml.text("ram:CategoryCode", vat.category.code());
        xml.maybe("ram:RateApplicablePercent", percent(vat).as_deref());
    });
}

fn sums(xml: &mut Xml, it: Input<'_>) {
    let (all, currency) = (it.totals, it.document.currency);
    xml.text("ram:LineTotalAmount", &it.amount(all.lines));
    xml.text("ram:ChargeTotalAmount", &it.amount(all.charges));
    xml.text("ram:AllowanceTotalAmount", &it.amount(all.allowances));
    xml.text("ram:TaxBasisTotalAmount", &it.amount(all.net));
    let tax = it.amount(all.tax);
    xml.text_with("ram:TaxTotalAmount", &[("currencyID", currency.code())], &tax);
    if all.round != 0 {
        xml.text("ram:RoundingAmount", &it.amount(all.round));
    }
    xml.text("ram:GrandTotalAmount", &it.amount(all.gross));
    xml.text("ram:TotalPrepaidAmount", &it.amount(all.prepaid));
    xml.text("ram:DuePayableAmount", &it.amount(all.due));
}

/// UNTDID 2379: 102 is a date without dashes.
fn date(xml: &mut Xml, name: &str, date: NaiveDate) {
    xml.text_with(name, &[("format", "102")], &date.format("%Y%m%d").to_string());
}
