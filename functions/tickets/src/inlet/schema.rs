//! What the API document says of mailboxes, mails and files.

use shared::openapi::{Operation, operation};

use super::{
    mail::Mail,
    mailbox::{CreatedMailbox, Mailbox, MailboxChange, NewMailbox},
};
use crate::attachment::Attachment;

/// All operations of these.
pub fn operations() -> Vec<Operation> {
    let mut all = mailboxes();
    all.extend(mails());
    all.extend(attachments());
    all
}

fn mailboxes() -> Vec<Operation> {
    vec![
        operation("createMailbox", "Create a mailbox: an address that mail comes in by.")
            .takes::<NewMailbox>()
            .gives::<CreatedMailbox>(201),
        operation("listMailboxes", "List the mailboxes, the oldest first.").gives_page::<Mailbox>(),
        operation("getMailbox", "Read a mailbox.").gives::<Mailbox>(200),
        operation("changeMailbox", "Change a mailbox: what is left out stays.")
            .takes::<MailboxChange>()
            .conditional()
            .gives::<Mailbox>(200),
        operation("deleteMailbox", "Delete a mailbox: what came in by it stays.").gives_nothing(),
        operation("rotateMailboxToken", "Give a mailbox another token, at once.")
            .gives::<CreatedMailbox>(200),
    ]
}

fn mails() -> Vec<Operation> {
    vec![
        operation("receiveMail", "Receive a mail as RFC 5322 has it.")
            .query("from", "The sender of its envelope, if that is known; empty is nobody.")
            .query("to", "To whom it was delivered, with its extension.")
            .gives_other("application/json"),
        operation("receivePostmarkMail", "Receive a mail as Postmark posts it.")
            .gives_other("application/json"),
        operation("receiveMailgunMail", "Receive a mail as Mailgun posts it.")
            .gives_other("application/json"),
        operation("receiveSendgridMail", "Receive a mail as SendGrid posts it.")
            .gives_other("application/json"),
        operation("receiveSesMail", "Receive a mail as Amazon SES posts it by SNS.")
            .gives_other("application/json"),
        operation("listTicketMails", "List the mails that came in, the latest first.")
            .query("state", "Only those that became this: opened, joined, bounced, ignored …")
            .gives_page::<Mail>(),
        operation("getTicketMail", "Read what became of a mail.").gives::<Mail>(200),
        operation("getTicketMailOriginal", "Download a mail as it came.")
            .gives_other("message/rfc822"),
        operation("openTicketMail", "Make a ticket of a mail that was ignored.").gives::<Mail>(202),
    ]
}

fn attachments() -> Vec<Operation> {
    vec![
        operation("listTicketAttachments", "List the files that came to a ticket.")
            .gives_page::<Attachment>(),
        operation("uploadTicketAttachment", "Upload a file that is to go with an answer.")
            .query("name", "What it is called, with its ending.")
            .query("by", "The member that acts, `mem_…`.")
            .gives::<Attachment>(201),
        operation("getTicketAttachment", "Read what is known of a file.").gives::<Attachment>(200),
        operation("downloadTicketAttachment", "Download a file.")
            .query("unscanned", "`accept` for one that the scanner has not looked at.")
            .gives_other("application/octet-stream"),
    ]
}
