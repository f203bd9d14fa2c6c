//! `GET /costs.csv?month=2026-11`: every line of a month, for admins and auditors.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;

use super::month_of;
use crate::base::csv;
use crate::environments::costs::{self, COLUMNS, FocusRow};
use crate::policy::{Action, Permit, Resource, ability};
use crate::web::answer::Query;
use crate::web::error::PageError;
use crate::web::visitor::Visitor;

/// The file, read as the client reads: a slow one holds no connection.
pub async fn csv(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    let (op, access) = (&visitor.op, &visitor.access);
    let question = visitor.app.platform_question(op, access, Action::ReadAdmin, Resource::platform());
    let _: Permit<ability::ReadAdmin> = visitor.app.policy.permit(&question)?;
    let month = month_of(&visitor, &query)?;
    let begun = costs::lines_of_month(&mut *visitor.app.db.acquire().await?, month, &costs::Wanted::default()).await?;
    let app = visitor.app.clone();
    let batches = stream::try_unfold((begun, Some(csv::line(&COLUMNS))), move |(mut lines, head)| {
        let app = app.clone();
        async move {
            let Some(read) = lines.next(&mut *app.db.acquire().await?).await? else {
                return Ok::<_, crate::environments::Error>(head.map(|head| (head, (lines, None))));
            };
            let rows = read.iter().map(|line| csv::line(&FocusRow::of(&lines, line).cells()));
            let text: String = head.into_iter().chain(rows).collect();
            Ok(Some((text, (lines, None))))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"costs-{month}.csv\"")),
    ];
    Ok((headers, Body::from_stream(batches)).into_response())
}
