//! Who decides for an approver while they are away.

use paddock::base::FieldError;
use paddock::catalog::form::Control;
use paddock::web::preferences::view::{DelegationRow, DelegationsPage};
use paddock::web::shell::Section;
use paddock::web::ui::{Empty, FormError, FormSection, Pill, Tab, own_field, text_control};

use super::samples::{Sample, o, put, s, shell, when};

fn page(given: Vec<DelegationRow>, held: Vec<DelegationRow>, found: &[FieldError]) -> DelegationsPage {
    let moment = |value: &str| text_control(value, "2026-12-20 18:00", Some(40));
    let zone = "A day and a time in Europe/Oslo.";
    let form = FormSection {
        id: s("new-delegation"),
        title: s("Let somebody decide for you"),
        help: s("On requests that ask for what you hold, and on nothing else: not on your own, nor on theirs."),
        fields: vec![
            own_field(found, "to", "Who", Some("A login."), true, text_control("noor", "noor", Some(120))),
            own_field(found, "from", "From", Some(zone), false, moment("")),
            own_field(found, "until", "To", Some(zone), true, moment("soon")),
            own_field(found, "note", "Note", Some("They read it too."), false, Control::LongText { value: s("") }),
        ],
        reshapes: false,
    };
    let tab = |label: &str, href: &str, current| Tab { label: s(label), count: None, href: s(href), current };
    DelegationsPage {
        shell: shell("While you are away", Section::Elsewhere),
        tabs: vec![
            tab("Preferences", "/preferences", false),
            tab("API tokens", "/preferences/tokens", false),
            tab("While you are away", "/preferences/delegations", true),
        ],
        empty: given.is_empty().then(|| Empty {
            icon: "user-round-check",
            title: s("Nobody decides for you"),
            text: s("When you go away, let somebody approve and reject in your place."),
            action: None,
        }),
        given,
        held,
        errors: FormError::collect(std::slice::from_ref(&form)),
        form,
    }
}

/// Some that were given and one that is held, with a mistake in the form; and nothing yet.
pub(super) fn put_all(all: &mut Vec<Sample>) {
    let row = |id: &str, name: &str, note: &str, pill: Pill, open: bool| DelegationRow {
        id: s(id),
        name: s(name),
        from: when("20 Dec, 18:00"),
        until: when("2 Jan, 08:00"),
        note: s(note),
        pill,
        end_action: if open { o("/preferences/delegations/x/end") } else { None },
    };
    let given = vec![
        row(
            "dlg_1",
            "Noor Haddad",
            "I am in the mountains. Ask Mette about budgets.",
            Pill::of("ready").saying("Holds"),
            true,
        ),
        row("dlg_2", "Mette Holm", "", Pill::of("withdrawn").saying("Taken back"), false),
    ];
    let held = vec![row("dlg_3", "Ada Lindqvist", "", Pill::of("queued").saying("To come"), false)];
    let found = [FieldError::new("/until", "is a day and a time such as 2026-12-20 18:00")];
    put(all, "delegations", page(given, held, &found));
    put(all, "delegations-none", page(Vec::new(), Vec::new(), &[]));
}
