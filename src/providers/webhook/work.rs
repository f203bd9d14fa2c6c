//! One attempt at the work of a run: ask, and follow what the receiver says until it has ended.
//!
//! The intent is saved before the request. Whoever finds it looks first: at what came in on the call-back,
//! at the status address, at what the receiver says of the id. Only then the same request with the same
//! id is sent again, and not at all where the template says `once`.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::config::{Config, Repeat};
use super::message;
use super::receiver::{Answer, Receiver, Silence};
use super::record::{Asked, Record};
use super::report::{Report, ReportState};
use crate::base::failpoint::reach;
use crate::providers::{CallBack, Host, Job, ProviderError, Stream};

/// The first pause between two looks at a status address, unless the receiver says another; it doubles.
const PAUSE: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The longest that an answer is waited for where the receiver was busy, before the run goes back.
const BUSY: Duration = Duration::from_secs(60);
/// How much longer than the work a call-back is taken.
const GRACE: Duration = Duration::from_secs(600);
/// How long the receiver has to hear that its work is not wanted any more.
const CANCEL: Duration = Duration::from_secs(5);

/// What the log is told where a call-back cannot come.
const CUT_OFF: &str = "It cannot call back: the address that it is given leads to this worker's own machine. \
                       An operator sets --public-url for workers. Until then only an answer or a status address tells the end.";

/// One attempt.
pub struct Work<'a> {
    pub job: &'a Job,
    pub host: &'a dyn Host,
    pub config: &'a Config,
    pub receiver: Receiver,
    pub record: Record,
    /// The number of the last report of the call-back that was told.
    heard: i64,
}

/// What an answer to the request means.
enum Heard {
    Ended(Report),
    GoesOn { status_url: Option<String>, pause: Option<Duration>, how: &'static str },
    NotSent(String),
    Refused(String),
    Unknown { why: String, pause: Option<Duration> },
}

impl<'a> Work<'a> {
    pub fn new(job: &'a Job, host: &'a dyn Host, config: &'a Config, receiver: Receiver, record: Record) -> Self {
        Self { job, host, config, receiver, record, heard: 0 }
    }

    /// Asks for the work, unless an earlier attempt did and it is known how that went.
    pub async fn run(mut self) -> Result<(), ProviderError> {
        let id = message::id_of(self.job);
        if self.job.cancel.is_cancelled() {
            return Err(ProviderError::Canceled);
        }
        let back = self.host.call_back(self.config.timeout() + GRACE).await?;
        let before = self.record.asked.clone().filter(|asked| asked.id == id);
        let fresh = before.is_none();
        if let Some(asked) = before {
            if let Some(report) = self.look_first(&asked).await? {
                return self.end(report).await;
            }
            if self.asked().is_some_and(|asked| asked.accepted) {
                return self.follow(None).await;
            }
        } else {
            self.record.asked =
                Some(Asked { id: id.clone(), accepted: false, status_url: None, existed: self.record.may_exist });
            self.record.may_exist = true;
            reach("webhook.intent");
            self.record.save(self.host).await?;
        }
        self.ask(&id, &back, fresh).await
    }

    /// Sends the request. `fresh`: no earlier attempt can have sent it.
    async fn ask(mut self, id: &str, back: &CallBack, fresh: bool) -> Result<(), ProviderError> {
        let body = message::work(self.job, self.config, &self.record, back, self.receiver.now());
        let name = self.receiver.name();
        self.say(&format!("Asking {name}: {} ({id})", message::kind_of(self.job))).await?;
        if self.receiver.is_cut_off_from(back) {
            self.say(CUT_OFF).await?;
        }
        reach("webhook.ask");
        let answer = tokio::select! {
            answer = self.receiver.post(id, &body) => answer,
            () = self.job.cancel.cancelled() => return self.cancel().await,
        };
        reach("webhook.asked");
        match self.understand(answer) {
            Heard::Ended(report) => self.end(report).await,
            Heard::GoesOn { status_url, pause, how } => {
                if let Some(asked) = &mut self.record.asked {
                    asked.accepted = true;
                    asked.status_url = status_url;
                }
                self.record.save(self.host).await?;
                self.say(&format!("{name} {how}")).await?;
                self.follow(pause).await
            }
            Heard::NotSent(why) if fresh => {
                self.record.refused();
                self.record.save(self.host).await?;
                Err(ProviderError::retryable(why))
            }
            Heard::NotSent(why) => Err(ProviderError::unknown(why)),
            Heard::Refused(why) => {
                self.record.refused();
                self.record.save(self.host).await?;
                Err(ProviderError::failed(why))
            }
            Heard::Unknown { why, pause } => {
                // It may have got through all the same, and say so at once.
                match self.listen(pause.unwrap_or_default().min(BUSY)).await? {
                    Some(report) => self.end(report).await,
                    None => Err(ProviderError::unknown(why)),
                }
            }
        }
    }

    fn understand(&self, answer: Result<Answer, Silence>) -> Heard {
        let name = self.receiver.name();
        let answer = match answer {
            Ok(answer) => answer,
            Err(Silence::NotSent(why)) => return Heard::NotSent(why),
            Err(Silence::NoAnswer(why)) => return Heard::Unknown { why, pause: None },
        };
        let (status, pause) = (answer.status, answer.retry_after);
        let said = answer.words();
        let with = |text: String| said.as_ref().map_or_else(|| text.clone(), |said| format!("{text}: {said}"));
        match status.as_u16() {
            200..=299 => self.taken(&answer),
            300..=399 => {
                Heard::Refused(format!("{name} sends elsewhere ({status}), which is not followed: correct the URL"))
            }
            408 | 425 | 429 => Heard::Unknown { why: with(format!("{name} has no time ({status})")), pause },
            400..=499 => {
                Heard::Refused(said.unwrap_or_else(|| format!("{name} refuses it ({status}), and does not say why")))
            }
            _ => Heard::Unknown { why: with(format!("{name} answers {status}")), pause },
        }
    }

    /// Done at once, or taken. What is no result says nothing: the call-back will.
    fn taken(&self, answer: &Answer) -> Heard {
        let pause = answer.retry_after;
        let said = answer.json.as_ref().filter(|body| body.get("state").is_some()).map(Report::in_answer);
        match said {
            _ if answer.status == 204 => return Heard::Ended(Report::of(ReportState::Succeeded, None)),
            Some(Ok(report)) if report.is_last() && answer.status != 202 => return Heard::Ended(report),
            Some(Err(why)) if answer.status != 202 => {
                let why = format!("the answer of {} cannot be used: {why}", self.receiver.name());
                return Heard::Ended(Report::of(ReportState::Failed, Some(why)));
            }
            _ => {}
        }
        let told = answer.status == 202 || matches!(said, Some(Ok(_)));
        let how = if told {
            "has taken it, and goes on by itself"
        } else {
            "says nothing of a result: waiting for its call-back"
        };
        match self.status_url(answer) {
            Ok(status_url) => Heard::GoesOn { status_url, pause, how },
            Err(why) => Heard::Unknown { why, pause: None },
        }
    }

    /// Where the receiver says how far it is. An address of another server is not asked: whoever can
    /// answer for the receiver would choose whom Paddock calls.
    fn status_url(&self, answer: &Answer) -> Result<Option<String>, String> {
        let told = answer.json.as_ref().and_then(|body| body.get("status_url")).and_then(Value::as_str);
        let Some(text) = told.or(answer.location.as_deref()) else { return Ok(None) };
        match self.receiver.own(text) {
            Some(url) => Ok(Some(url.into())),
            None => {
                Err(format!("{} names a status address on another server, which is not asked", self.receiver.name()))
            }
        }
    }

    /// What became of what an earlier attempt asked for.
    async fn look_first(&mut self, asked: &Asked) -> Result<Option<Report>, ProviderError> {
        if let Some(report) = self.listen(Duration::ZERO).await? {
            self.say("The receiver has said by now how it went").await?;
            return Ok(Some(report));
        }
        let found = self.look(asked).await?;
        match found.as_ref().map(|report| report.state) {
            Some(ReportState::Succeeded | ReportState::Failed) => return Ok(found),
            Some(ReportState::Running) => self.accept().await?,
            Some(ReportState::Unknown) => {
                self.say(&format!("{} does not know of it", self.receiver.name())).await?;
                if let Some(asked) = &mut self.record.asked {
                    asked.accepted = false;
                }
            }
            None if asked.accepted => {}
            None => self.may_ask_again().await?,
        }
        Ok(None)
    }

    async fn accept(&mut self) -> Result<(), ProviderError> {
        if let Some(asked) = &mut self.record.asked {
            asked.accepted = true;
        }
        self.record.save(self.host).await?;
        self.say(&format!("{} is at work on it", self.receiver.name())).await
    }

    /// Nobody can look: the id tells the receiver that it is the same, unless the template says `once`.
    async fn may_ask_again(&self) -> Result<(), ProviderError> {
        let once = self.job.action.as_ref().map_or(self.config.repeat == Repeat::Once, |action| action.once);
        if once {
            return Err(ProviderError::failed(format!(
                "an earlier attempt asked {} and did not see the answer. The template says that it must not be \
                 asked again by itself: look at what is there, then retry or delete",
                self.receiver.name()
            )));
        }
        self.say("Nobody can look whether the receiver got it: asking again with the same id").await
    }

    /// What the receiver says of the work, where it has an address for that.
    async fn look(&self, asked: &Asked) -> Result<Option<Report>, ProviderError> {
        if let Some(url) = asked.status_url.as_deref().and_then(|url| self.receiver.own(url)) {
            let answer = self.receiver.get(url, &asked.id).await;
            return self.reported(answer);
        }
        let Some(url) = self.config.status.as_deref().and_then(|path| self.receiver.own(path)) else { return Ok(None) };
        let now = self.receiver.now();
        let body = message::status(self.job, self.config, Some(&asked.id), now);
        let id = format!("{}_status_{}", asked.id, now.as_millisecond());
        let answer = self.receiver.post_to(url, &id, &body).await;
        self.reported(answer)
    }

    fn reported(&self, answer: Result<Answer, Silence>) -> Result<Option<Report>, ProviderError> {
        let name = self.receiver.name();
        let answer = answer.map_err(|silence| ProviderError::from(silence).without_effect())?;
        match answer.status.as_u16() {
            200..=299 => match answer.json.as_ref().map(Report::in_answer) {
                Some(Ok(report)) => Ok(Some(report)),
                Some(Err(why)) => Err(ProviderError::retryable(format!("{name} does not say how far it is: {why}"))),
                None => Err(ProviderError::retryable(format!("{name} does not say how far it is"))),
            },
            404 | 410 => Ok(Some(Report::of(ReportState::Unknown, None))),
            _ => Err(ProviderError::retryable(format!("{name} does not say how far it is ({})", answer.status))),
        }
    }

    /// Waits until the receiver says how it ended: on the call-back, or at its status address.
    async fn follow(mut self, pause: Option<Duration>) -> Result<(), ProviderError> {
        let deadline = Instant::now() + self.config.timeout();
        let mut pause = pause.unwrap_or(PAUSE).max(SHORTEST_PAUSE);
        let (mut last, mut complained) = (None, false);
        let can_poll = self.config.status.is_some() || self.asked().is_some_and(|asked| asked.status_url.is_some());
        loop {
            let look = if can_poll { Instant::now() + pause } else { deadline };
            let until = look.min(deadline);
            if let Some(report) = self.listen(until.saturating_duration_since(Instant::now())).await? {
                return self.end(report).await;
            }
            if self.job.cancel.is_cancelled() {
                return self.cancel().await;
            }
            let over = Instant::now() >= deadline;
            let asked = self.asked().cloned().ok_or_else(|| ProviderError::internal("nothing was asked"))?;
            match self.look(&asked).await {
                Ok(Some(report)) if report.is_last() => return self.end(report).await,
                Ok(Some(report)) => {
                    let line = report.line();
                    if line != last {
                        self.tell(&report).await?;
                        last = line;
                    }
                }
                Err(ProviderError::Retryable { message }) => {
                    if !std::mem::replace(&mut complained, true) {
                        self.say(&message).await?;
                    }
                }
                Ok(None) => {}
                Err(other) => return Err(other),
            }
            if over {
                return self.too_late().await;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Nothing says how it ended. The next attempt asks again, with the same id, when it cannot look.
    async fn too_late(mut self) -> Result<(), ProviderError> {
        if let Some(asked) = &mut self.record.asked {
            asked.accepted = false;
        }
        self.record.save(self.host).await?;
        let (name, time) = (self.receiver.name(), self.config.timeout());
        let time = jiff::SignedDuration::try_from(time).unwrap_or_default();
        Err(ProviderError::unknown(format!("{name} did not say within {time:#} how it ended")))
    }

    /// What comes in on the call-back within this time: told, until the last word.
    async fn listen(&mut self, wait: Duration) -> Result<Option<Report>, ProviderError> {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let heard = tokio::select! {
                heard = self.host.heard(self.heard, left) => heard?,
                () = self.job.cancel.cancelled() => return Ok(None),
            };
            for (number, report) in &heard.reports {
                self.tell(report).await?;
                self.heard = *number;
            }
            if heard.last.is_some() || heard.reports.is_empty() {
                return Ok(heard.last);
            }
        }
    }

    async fn tell(&self, report: &Report) -> Result<(), ProviderError> {
        match report.line() {
            Some(line) => self.host.log(Stream::Stdout, &line).await,
            None => Ok(()),
        }
    }

    /// The receiver has said how it ended.
    async fn end(mut self, report: Report) -> Result<(), ProviderError> {
        let id = message::id_of(self.job);
        if report.state == ReportState::Failed {
            self.record.failed(&report);
            self.record.save(self.host).await?;
            let name = self.receiver.name();
            let words = report.message.filter(|message| !message.trim().is_empty());
            return Err(ProviderError::failed(
                words.unwrap_or_else(|| format!("{name} says that it failed, and not why")),
            ));
        }
        self.tell(&report).await?;
        self.record.succeeded(&id, self.job.operation, &report);
        reach("webhook.done");
        self.record.save(self.host).await?;
        reach("webhook.recorded");
        Ok(())
    }

    /// This attempt is to stop. Where a person wants that, the receiver is told; it may have gone too far.
    async fn cancel(self) -> Result<(), ProviderError> {
        if self.host.is_canceled().await? {
            let id = message::id_of(self.job);
            let body = message::cancel(self.job, self.config, &id, self.receiver.now());
            let told = tokio::time::timeout(CANCEL, self.receiver.post(&format!("{id}_cancel"), &body)).await;
            let name = self.receiver.name();
            let line = match told {
                Ok(Ok(answer)) if answer.status.is_success() => {
                    format!("{name} knows that this is not wanted any more. What it had done by then is not known.")
                }
                Ok(Ok(answer)) => {
                    format!("{name} does not stop ({}). It may go on; what it does is not known.", answer.status)
                }
                Ok(Err(Silence::NotSent(why) | Silence::NoAnswer(why))) => {
                    format!("Whether {name} stops is not known: {why}")
                }
                Err(_) => format!("Whether {name} stops is not known: it did not answer within {} s", CANCEL.as_secs()),
            };
            self.say(&line).await?;
        }
        Err(ProviderError::Canceled)
    }

    fn asked(&self) -> Option<&Asked> {
        self.record.asked.as_ref()
    }

    async fn say(&self, line: &str) -> Result<(), ProviderError> {
        self.host.log(Stream::Paddock, line).await
    }
}
