//! `POST /csp-reports`: what a browser refused because of our content security policy.
//!
//! A report means a defect of ours (or a browser extension at work); it goes to the log, cut to
//! what fits a line, and changes nothing. Anybody may send one, so nothing in it is believed.

use axum::body::Bytes;
use axum::http::StatusCode;

/// Larger reports are cut; browsers send about 500 bytes.
const LONGEST: usize = 2000;

/// Logs a report.
pub async fn receive(body: Bytes) -> StatusCode {
    let text: String = String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    tracing::warn!(report = text, "content security policy report");
    StatusCode::NO_CONTENT
}
