//! What the pages say of themselves, in each language. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A language that the pages have words in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketFormLanguage)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
    /// French.
    Fr,
    /// Spanish.
    Es,
}

/// The words of the pages.
pub struct Words {
    /// The tag of the language (RFC 5646).
    pub tag: &'static str,
    /// What is asked: who writes, …
    pub name: &'static str,
    /// … where they are answered, …
    pub email: &'static str,
    /// … what it is about, …
    pub subject: &'static str,
    /// … and the matter itself.
    pub message: &'static str,
    /// Beside what may be left out.
    pub optional: &'static str,
    /// Of a choice: none yet.
    pub choose: &'static str,
    /// Beside what nobody fills in.
    pub leave_empty: &'static str,
    /// What sends it.
    pub send: &'static str,
    /// Before the title of a page on which something is wrong.
    pub error: &'static str,
    /// Above what is wrong.
    pub wrong: &'static str,
    /// When it was sent.
    pub sent: &'static str,
    /// Before the number of the ticket.
    pub number: &'static str,
    /// To begin anew.
    pub another: &'static str,
    /// What is wrong.
    pub problems: Problems,
    /// How it was.
    pub rating: RatingWords,
}

/// What can be wrong. `{}` is a number.
pub struct Problems {
    /// Nothing was filled in.
    pub missing: &'static str,
    /// It is no address.
    pub email: &'static str,
    /// It is longer than so many characters.
    pub long: &'static str,
    /// It is no number.
    pub number: &'static str,
    /// It is none of the choices.
    pub choice: &'static str,
    /// It does not fit otherwise.
    pub unfit: &'static str,
    /// The page was shown for too short, or not by us.
    pub fast: &'static str,
    /// The page was shown for too long.
    pub late: &'static str,
    /// Too many were sent.
    pub many: &'static str,
    /// It came in another encoding.
    pub encoding: &'static str,
}

/// The words of the page that asks how it was.
pub struct RatingWords {
    /// What is asked.
    pub title: &'static str,
    /// From 1 to 5.
    pub marks: [&'static str; 5],
    /// What else there is to say.
    pub comment: &'static str,
    /// What sends it.
    pub send: &'static str,
    /// When it was sent.
    pub thanks: &'static str,
    /// That it can be changed.
    pub change: &'static str,
}

impl Language {
    /// Its words.
    pub fn words(self) -> &'static Words {
        match self {
            Self::En => &EN,
            Self::De => &DE,
            Self::Fr => &FR,
            Self::Es => &ES,
        }
    }
}

const EN: Words = Words {
    tag: "en",
    name: "Your name",
    email: "Your e-mail address",
    subject: "Subject",
    message: "Message",
    optional: "optional",
    choose: "Choose one",
    leave_empty: "Leave this field empty",
    send: "Send",
    error: "Error",
    wrong: "Something is not right yet",
    sent: "We have received your message.",
    number: "Its number is",
    another: "Send another message",
    problems: Problems {
        missing: "Please fill in this field.",
        email: "Please write an address such as somebody@example.com.",
        long: "Please write at most {} characters.",
        number: "Please write a number.",
        choice: "Please choose one of the list.",
        unfit: "Please write something else here.",
        fast: "Please check what you wrote, and send it again.",
        late: "This page was open for a long time. Please send it again.",
        many: "There are many messages right now. Please send it again in a minute.",
        encoding: "Your browser sent this in another character encoding than UTF-8, so some \
                   characters are lost. Please correct them below, and send it again.",
    },
    rating: RatingWords {
        title: "How did we do?",
        marks: ["Very bad", "Bad", "All right", "Good", "Very good"],
        comment: "What else would you like to tell us?",
        send: "Send",
        thanks: "Thank you for telling us.",
        change: "Change it",
    },
};

const DE: Words = Words {
    tag: "de",
    name: "Ihr Name",
    email: "Ihre E-Mail-Adresse",
    subject: "Betreff",
    message: "Nachricht",
    optional: "freiwillig",
    choose: "Bitte wählen",
    leave_empty: "Dieses Feld bitte leer lassen",
    send: "Absenden",
    error: "Fehler",
    wrong: "Etwas stimmt noch nicht",
    sent: "Wir haben Ihre Nachricht erhalten.",
    number: "Sie hat die Nummer",
    another: "Noch eine Nachricht senden",
    problems: Problems {
        missing: "Bitte füllen Sie dieses Feld aus.",
        email: "Bitte geben Sie eine Adresse wie name@example.com an.",
        long: "Bitte schreiben Sie höchstens {} Zeichen.",
        number: "Bitte geben Sie eine Zahl an.",
        choice: "Bitte wählen Sie etwas aus der Liste.",
        unfit: "Bitte schreiben Sie hier etwas anderes.",
        fast: "Bitte prüfen Sie Ihre Angaben und senden Sie sie noch einmal.",
        late: "Diese Seite war lange geöffnet. Bitte senden Sie sie noch einmal.",
        many: "Gerade kommen viele Nachrichten. Bitte senden Sie Ihre in einer Minute noch einmal.",
        encoding: "Ihr Browser hat einen anderen Zeichensatz als UTF-8 verwendet, daher fehlen \
                   einige Zeichen. Bitte berichtigen Sie sie unten und senden Sie noch einmal.",
    },
    rating: RatingWords {
        title: "Wie zufrieden sind Sie?",
        marks: ["Sehr unzufrieden", "Unzufrieden", "Es ging", "Zufrieden", "Sehr zufrieden"],
        comment: "Was möchten Sie uns noch sagen?",
        send: "Absenden",
        thanks: "Vielen Dank für Ihre Antwort.",
        change: "Ändern",
    },
};

const FR: Words = Words {
    tag: "fr",
    name: "Votre nom",
    email: "Votre adresse e-mail",
    subject: "Objet",
    message: "Message",
    optional: "facultatif",
    choose: "Choisissez",
    leave_empty: "Laissez ce champ vide",
    send: "Envoyer",
    error: "Erreur",
    wrong: "Quelque chose n’est pas encore correct",
    sent: "Nous avons bien reçu votre message.",
    number: "Son numéro est le",
    another: "Envoyer un autre message",
    problems: Problems {
        missing: "Veuillez remplir ce champ.",
        email: "Veuillez indiquer une adresse comme nom@example.com.",
        long: "Veuillez écrire au plus {} caractères.",
        number: "Veuillez indiquer un nombre.",
        choice: "Veuillez choisir dans la liste.",
        unfit: "Veuillez écrire autre chose ici.",
        fast: "Veuillez vérifier votre saisie et l’envoyer à nouveau.",
        late: "Cette page est restée ouverte longtemps. Veuillez l’envoyer à nouveau.",
        many: "Il y a beaucoup de messages en ce moment. Veuillez réessayer dans une minute.",
        encoding: "Votre navigateur a utilisé un autre encodage que l’UTF-8 : des caractères sont \
                   perdus. Veuillez les corriger ci-dessous et envoyer à nouveau.",
    },
    rating: RatingWords {
        title: "Êtes-vous satisfait ?",
        marks: ["Très mécontent", "Mécontent", "Moyen", "Satisfait", "Très satisfait"],
        comment: "Que souhaitez-vous ajouter ?",
        send: "Envoyer",
        thanks: "Merci de votre réponse.",
        change: "Modifier",
    },
};

const ES: Words = Words {
    tag: "es",
    name: "Su nombre",
    email: "Su correo electrónico",
    subject: "Asunto",
    message: "Mensaje",
    optional: "opcional",
    choose: "Elija una opción",
    leave_empty: "Deje este campo vacío",
    send: "Enviar",
    error: "Error",
    wrong: "Algo no está bien todavía",
    sent: "Hemos recibido su mensaje.",
    number: "Su número es",
    another: "Enviar otro mensaje",
    problems: Problems {
        missing: "Rellene este campo, por favor.",
        email: "Escriba una dirección como nombre@example.com.",
        long: "Escriba como máximo {} caracteres.",
        number: "Escriba un número, por favor.",
        choice: "Elija una opción de la lista.",
        unfit: "Escriba otra cosa aquí, por favor.",
        fast: "Revise lo que ha escrito y envíelo otra vez.",
        late: "Esta página estuvo abierta mucho tiempo. Envíela otra vez, por favor.",
        many: "Hay muchos mensajes en este momento. Inténtelo otra vez dentro de un minuto.",
        encoding: "Su navegador usó otra codificación que UTF-8 y se han perdido caracteres. \
                   Corríjalos abajo y envíelo otra vez.",
    },
    rating: RatingWords {
        title: "¿Cómo lo hemos hecho?",
        marks: ["Muy mal", "Mal", "Regular", "Bien", "Muy bien"],
        comment: "¿Qué más quiere decirnos?",
        send: "Enviar",
        thanks: "Gracias por su respuesta.",
        change: "Cambiar",
    },
};
