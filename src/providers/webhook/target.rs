//! Targets that are receivers of webhooks: what an admin fills in, and what a check looks at.

use std::sync::Arc;
use std::time::Duration;

use super::message;
use super::receiver::{Receiver, Silence, url_of};
use super::sign::Keys;
use crate::base::Clock;
use crate::providers::Target;
use crate::providers::target::{Finding, Kind, TargetField, TargetForm};

/// How long the check waits for an answer.
const CHECK: Duration = Duration::from_secs(15);
const DOCUMENT: &str = "docs/WEBHOOKS.md tells what a receiver does.";

pub static FORM: TargetForm = TargetForm {
    about: "A system of your own (a pipeline, a provisioning service) that makes environments when it is asked by a \
            signed request.",
    fields: &[
        TargetField::new("url", "URL", Kind::Line)
            .help("Where requests go. Paths and queries are shown to admins: keep secrets out of them.")
            .like("https://provisioner.internal.example.com/paddock")
            .required()
            .binds(),
        TargetField::new(
            "plain_http",
            "Without encryption",
            Kind::Choice(&[("", "Only to a receiver on this machine"), ("allow", "Also to other machines")]),
        )
        .help("Requests carry inputs, secret ones too. Over http:// everybody on the way can read them.")
        .binds(),
        TargetField::new("ca_certificate", "CA certificate", Kind::Text)
            .help("In PEM, when the receiver's certificate is not from a public authority.")
            .binds(),
        TargetField::new("signing_secret", "Signing secret", Kind::Line)
            .help("whsec_ and Base64 of 24 to 64 random bytes. While you change it: the new one, a blank, the old one.")
            .like("whsec_…")
            .required()
            .secret(),
    ],
    sets_credential: false,
};

/// What a check finds. It sends `paddock.ping`, which changes nothing.
pub async fn look_at(target: &Target, clock: Arc<dyn Clock>) -> Vec<Finding> {
    let mut findings = vec![address(target), secret(target)];
    if findings.iter().all(|finding| finding.advice.is_none()) {
        match tokio::time::timeout(CHECK, ping(target, clock)).await {
            Ok(found) => findings.extend(found),
            Err(_) => findings.push(unreached(&format!("It did not answer within {} s.", CHECK.as_secs()))),
        }
    }
    findings
}

fn address(target: &Target) -> Finding {
    let what = "Address";
    match url_of(target) {
        Err(why) => Finding::failed(what, sentence(&why), "Correct the URL."),
        Ok(url) if url.scheme() == "https" => Finding::ok(what, "Requests are encrypted on the way."),
        Ok(_) => Finding::ok(what, "Requests are not encrypted on the way."),
    }
}

fn secret(target: &Target) -> Finding {
    let what = "Signing secret";
    match Keys::of(target) {
        Ok(_) => Finding::ok(what, "Requests are signed."),
        Err(why) => Finding::failed(
            what,
            sentence(&why),
            "Make one: echo whsec_$(openssl rand -base64 32). Give it to the receiver as well.",
        ),
    }
}

async fn ping(target: &Target, clock: Arc<dyn Clock>) -> Vec<Finding> {
    let receiver = match Receiver::open(Some(target), clock).await {
        Ok(receiver) => receiver,
        Err(error) => return vec![unreached(&sentence(&error.to_string()))],
    };
    let now = receiver.now();
    let answer = match receiver.post(&format!("ping_{}", now.as_microsecond()), &message::ping(now)).await {
        Ok(answer) => answer,
        Err(Silence::NotSent(why) | Silence::NoAnswer(why)) => return vec![unreached(&sentence(&why))],
    };
    let name = receiver.name();
    let reach = Finding::ok("Reach", format!("{name} answers."));
    let (what, status) = ("Answer", answer.status);
    let said = answer.words().map(|words| format!(" It says: {words}")).unwrap_or_default();
    let found = match status.as_u16() {
        200..=299 => Finding::ok(what, format!("It takes signed requests ({status}).")),
        300..=399 => {
            let detail = format!("It sends elsewhere ({status}), which is not followed.");
            Finding::failed(what, detail, "Give the URL that it sends to.")
        }
        401 | 403 => {
            let detail = format!("It refuses the signature ({status}).{said}");
            Finding::failed(what, detail, "See that it has the same signing secret, and that its clock is right.")
        }
        404 | 405 => {
            let detail = format!("There is nothing at this URL that takes requests ({status}).{said}");
            Finding::failed(what, detail, "Correct the URL.")
        }
        400..=499 => {
            let detail = format!("It refuses a ping ({status}).{said}");
            let advice = format!("A receiver answers a ping with any success. {DOCUMENT}");
            Finding::warning(what, detail, &advice)
        }
        _ => {
            let detail = format!("It answers {status}.{said}");
            Finding::failed(what, detail, "See in its log what is wrong there.")
        }
    };
    vec![reach, found]
}

fn unreached(detail: &str) -> Finding {
    let advice = "See that the URL is right, that a firewall lets this machine through, and that its certificate is one \
                  that this machine trusts.";
    Finding::failed("Reach", detail, advice)
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    format!("{}.", first.chain(chars).collect::<String>().trim_end_matches('.'))
}
