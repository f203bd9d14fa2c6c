//! Quotas, their counters and the ledger.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::lines;
use crate::base::id::{EnvironmentId, PersonId, ProjectEnvironmentTypeId, ProjectId, QuotaId, RequestId};
use crate::db::Result;
use crate::projects::quota::model::{
    At, Balance, Cause, EntryKind, Holder, ListedQuota, Move, QuotaScope, QuotaTerms, QuotaUse, WhenFull,
};

/// The advisory lock under which quotas are changed.
const QUOTAS: i64 = 7_885_565_310;
/// How many holders are told of.
const MOST_HOLDERS: i64 = 200;

/// Scopes with their subjects.
#[derive(Debug, Default)]
pub struct Scopes {
    scopes: Vec<String>,
    subjects: Vec<Uuid>,
}

/// While counters move, no quota is made or removed; `alone`: no counter moves.
pub async fn hold_quotas(connection: &mut PgConnection, alone: bool) -> Result<()> {
    if alone {
        sqlx::query!("SELECT pg_advisory_xact_lock($1)", QUOTAS).execute(connection).await?;
    } else {
        sqlx::query!("SELECT pg_advisory_xact_lock_shared($1)", QUOTAS).execute(connection).await?;
    }
    Ok(())
}

/// The teams of its owner that have a role there are those that it counts for.
pub async fn set_teams(connection: &mut PgConnection, environment: EnvironmentId) -> Result<()> {
    sqlx::query!(
        "WITH now AS (
             SELECT DISTINCT m.team_id FROM environment e JOIN team_member m ON m.person_id = e.owner_id
             JOIN role_now b ON b.team_id = m.team_id
                 AND role_counts(b.project_id, b.project_environment_type_id, e.project_id, e.project_environment_type_id)
             WHERE e.id = $1),
         gone AS (
             DELETE FROM environment_team WHERE environment_id = $1 AND team_id NOT IN (SELECT team_id FROM now))
         INSERT INTO environment_team (environment_id, team_id) SELECT $1, team_id FROM now
         ON CONFLICT DO NOTHING",
        environment.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Where an environment counts.
pub async fn scopes_of(connection: &mut PgConnection, environment: EnvironmentId) -> Result<Scopes> {
    let rows = sqlx::query!(
        r#"SELECT scope AS "scope!", subject AS "subject!" FROM environment_scope WHERE environment_id = $1"#,
        environment.0
    )
    .fetch_all(connection)
    .await?;
    let mut found = Scopes::default();
    for row in rows {
        found.scopes.push(row.scope);
        found.subjects.push(row.subject);
    }
    Ok(found)
}

/// Where a new one would count.
pub async fn scopes_at(connection: &mut PgConnection, at: At) -> Result<Scopes> {
    let teams = sqlx::query_scalar!(
        "SELECT DISTINCT m.team_id FROM team_member m
         JOIN role_now b ON b.team_id = m.team_id
             AND role_counts(b.project_id, b.project_environment_type_id, $2, $3)
         WHERE m.person_id = $1",
        at.owner.map(|id| id.0),
        at.project.0,
        at.place.0
    )
    .fetch_all(connection)
    .await?;
    let mut all = vec![
        (QuotaScope::Organisation, Uuid::nil()),
        (QuotaScope::Project, at.project.0),
        (QuotaScope::EnvironmentType, at.environment_type.0),
        (QuotaScope::ProjectEnvironmentType, at.place.0),
    ];
    all.extend(at.owner.map(|owner| (QuotaScope::User, owner.0)));
    all.extend(teams.into_iter().map(|team| (QuotaScope::Team, team)));
    let (scopes, subjects) = all.into_iter().map(|(scope, subject)| (scope.as_str().to_owned(), subject)).unzip();
    Ok(Scopes { scopes, subjects })
}

struct Row {
    id: QuotaId,
    scope: QuotaScope,
    of: String,
    dimension: String,
    maximum: i64,
    count_stopped: bool,
    when_full: WhenFull,
    waiting: i64,
    used: i64,
    reserved: i64,
    stopped: i64,
    subject: Uuid,
}

impl From<Row> for QuotaUse {
    fn from(row: Row) -> Self {
        let Row {
            id,
            scope,
            of,
            dimension,
            maximum,
            count_stopped,
            when_full,
            waiting,
            used,
            reserved,
            stopped,
            subject,
        } = row;
        Self { id, scope, of, dimension, maximum, count_stopped, when_full, waiting, used, reserved, stopped, subject }
    }
}

/// The quotas that hold these scopes, as they are, with how many wait in line for them: those before `asks`
/// where that one is in line, else everybody.
pub async fn over(
    connection: &mut PgConnection,
    scopes: &Scopes,
    dimensions: &[String],
    asks: Option<RequestId>,
) -> Result<Vec<QuotaUse>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT q.id AS "id: _", q.scope AS "scope: _", quota_subject(s.scope, s.subject) AS "of!", q.dimension,
               q.maximum, q.count_stopped, q.when_full AS "when_full: _",
               (SELECT count(*) FROM quota_line_stand l WHERE l.quota_id = q.id AND l.subject = s.subject
                AND l.place < coalesce((SELECT place FROM quota_line WHERE request_id = $4), 9223372036854775807)
               ) AS "waiting!",
               coalesce(c.used, 0) AS "used!", coalesce(c.reserved, 0) AS "reserved!",
               coalesce(c.stopped, 0) AS "stopped!", s.subject AS "subject!"
           FROM unnest($1::text[], $2::uuid[]) s (scope, subject)
           JOIN quota q ON quota_counts(q, s.scope, s.subject) AND q.dimension = ANY ($3)
           LEFT JOIN quota_counter c ON c.quota_id = q.id AND c.subject = s.subject
           ORDER BY q.id, s.subject"#,
        &scopes.scopes,
        &scopes.subjects,
        dimensions,
        asks.map(|id| id.0)
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The same with their counters locked, in one order for everybody.
pub async fn lock(
    connection: &mut PgConnection,
    scopes: &Scopes,
    dimensions: &[String],
    asks: Option<RequestId>,
) -> Result<Vec<QuotaUse>> {
    let found = over(&mut *connection, scopes, dimensions, asks).await?;
    let (ids, subjects): (Vec<Uuid>, Vec<Uuid>) = found.iter().map(|quota| (quota.id.0, quota.subject)).unzip();
    sqlx::query!(
        "INSERT INTO quota_counter (quota_id, subject)
         SELECT * FROM unnest($1::uuid[], $2::uuid[]) c (quota_id, subject) ORDER BY 1, 2 ON CONFLICT DO NOTHING",
        &ids,
        &subjects
    )
    .execute(&mut *connection)
    .await?;
    let counters = sqlx::query!(
        r#"SELECT quota_id AS "quota: QuotaId", subject, used, reserved, stopped FROM quota_counter
           WHERE (quota_id, subject) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
           ORDER BY quota_id, subject FOR UPDATE"#,
        &ids,
        &subjects
    )
    .fetch_all(&mut *connection)
    .await?;
    let now: BTreeMap<(QuotaId, Uuid), (i64, i64, i64)> =
        counters.into_iter().map(|row| ((row.quota, row.subject), (row.used, row.reserved, row.stopped))).collect();
    // By another statement, which sees what was committed while this one waited for the locks.
    let lines = lines::ahead(connection, &ids, &subjects, asks).await?;
    let locked = |quota: QuotaUse| {
        let key = (quota.id, quota.subject);
        let (used, reserved, stopped) = now.get(&key).copied().unwrap_or_default();
        QuotaUse { used, reserved, stopped, waiting: lines.get(&key).copied().unwrap_or_default(), ..quota }
    };
    Ok(found.into_iter().map(locked).collect())
}

/// Moves counters that are locked.
pub async fn count(connection: &mut PgConnection, changes: &[(&QuotaUse, Balance)]) -> Result<()> {
    let (ids, subjects): (Vec<Uuid>, Vec<Uuid>) = changes.iter().map(|(one, _)| (one.id.0, one.subject)).unzip();
    let each = |part: fn(&Balance) -> i64| -> Vec<i64> { changes.iter().map(|(_, by)| part(by)).collect() };
    sqlx::query!(
        "UPDATE quota_counter c SET used = c.used + m.used, reserved = c.reserved + m.reserved,
             stopped = c.stopped + m.stopped
         FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[])
             m (quota_id, subject, used, reserved, stopped)
         WHERE c.quota_id = m.quota_id AND c.subject = m.subject",
        &ids,
        &subjects,
        &each(|by| by.used),
        &each(|by| by.reserved),
        &each(|by| by.stopped)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds entries and moves the holdings that they sum up to.
pub async fn enter(
    connection: &mut PgConnection,
    environment: EnvironmentId,
    moves: &[Move],
    cause: Cause,
) -> Result<()> {
    let dimensions: Vec<String> = moves.iter().map(|one| one.dimension.clone()).collect();
    let kinds: Vec<EntryKind> = moves.iter().map(|one| one.kind).collect();
    let each = |part: fn(&Balance) -> i64| -> Vec<i64> { moves.iter().map(|one| part(&one.by)).collect() };
    sqlx::query!(
        r#"WITH moved AS (
             SELECT * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
                 m (dimension, kind, reserved, used, stopped)),
         held AS (
             INSERT INTO quota_holding AS h (environment_id, dimension, reserved, used, stopped)
             SELECT $1, dimension, 0, 0, 0 FROM moved
             ON CONFLICT DO NOTHING)
         INSERT INTO quota_entry (environment_id, dimension, kind, reserved, used, stopped, request_id, run_id)
         SELECT $1, dimension, kind, reserved, used, stopped, $7, $8 FROM moved"#,
        environment.0,
        &dimensions,
        &kinds as &[EntryKind],
        &each(|by| by.reserved),
        &each(|by| by.used),
        &each(|by| by.stopped),
        cause.request.map(|id| id.0),
        cause.run.map(|id| id.0)
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "UPDATE quota_holding h SET reserved = h.reserved + m.reserved, used = h.used + m.used,
             stopped = h.stopped + m.stopped
         FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) m (dimension, reserved, used, stopped)
         WHERE h.environment_id = $1 AND h.dimension = m.dimension",
        environment.0,
        &dimensions,
        &each(|by| by.reserved),
        &each(|by| by.used),
        &each(|by| by.stopped)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What an environment holds, by dimension.
pub async fn holdings(connection: &mut PgConnection, environment: EnvironmentId) -> Result<BTreeMap<String, Balance>> {
    let rows = sqlx::query!(
        "SELECT dimension, reserved, used, stopped FROM quota_holding WHERE environment_id = $1",
        environment.0
    )
    .fetch_all(connection)
    .await?;
    let balance = |reserved, used, stopped| Balance { reserved, used, stopped };
    Ok(rows.into_iter().map(|row| (row.dimension, balance(row.reserved, row.used, row.stopped))).collect())
}

/// The same, locked until the transaction ends.
pub async fn lock_holdings(
    connection: &mut PgConnection,
    environment: EnvironmentId,
) -> Result<BTreeMap<String, Balance>> {
    sqlx::query!("SELECT FROM quota_holding WHERE environment_id = $1 ORDER BY dimension FOR UPDATE", environment.0)
        .execute(&mut *connection)
        .await?;
    holdings(connection, environment).await
}

/// By how much this request has moved what an environment holds.
pub async fn moved_by(
    connection: &mut PgConnection,
    environment: EnvironmentId,
    request: RequestId,
) -> Result<BTreeMap<String, Balance>> {
    let rows = sqlx::query!(
        r#"SELECT dimension, sum(reserved)::bigint AS "reserved!", sum(used)::bigint AS "used!",
               sum(stopped)::bigint AS "stopped!"
           FROM quota_entry WHERE environment_id = $1 AND request_id = $2 GROUP BY dimension"#,
        environment.0,
        request.0
    )
    .fetch_all(connection)
    .await?;
    let balance = |reserved, used, stopped| Balance { reserved, used, stopped };
    Ok(rows.into_iter().map(|row| (row.dimension, balance(row.reserved, row.used, row.stopped))).collect())
}

/// The quotas of teams and users, whose counters follow when an environment changes hands.
pub async fn of_people(connection: &mut PgConnection, environment: EnvironmentId) -> Result<Vec<QuotaId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT q.id AS "id: QuotaId" FROM quota q WHERE q.scope IN ('team', 'user') AND q.dimension IN (
               SELECT dimension FROM quota_holding WHERE environment_id = $1) ORDER BY q.id"#,
        environment.0
    )
    .fetch_all(connection)
    .await?)
}

/// Counts a quota anew, from what the environments hold that it reaches. Needs [`hold_quotas`] alone.
pub async fn recount(connection: &mut PgConnection, id: QuotaId) -> Result<()> {
    sqlx::query!("DELETE FROM quota_counter WHERE quota_id = $1", id.0).execute(&mut *connection).await?;
    sqlx::query!(
        "INSERT INTO quota_counter (quota_id, subject, reserved, used, stopped)
         SELECT r.quota_id, r.subject, sum(h.reserved), sum(h.used), sum(h.stopped) FROM quota_reach r
         JOIN quota_holding h ON h.environment_id = r.environment_id AND h.dimension = r.dimension
         WHERE r.quota_id = $1 GROUP BY r.quota_id, r.subject",
        id.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The environments that count in a quota and take something of it.
pub async fn holders(connection: &mut PgConnection, quota: &QuotaUse, first: Option<PersonId>) -> Result<Vec<Holder>> {
    Ok(sqlx::query_as!(
        Holder,
        r#"SELECT e.id AS "environment: _", e.name, e.project_id AS "project: ProjectId", p.slug AS project_slug,
               y.slug AS environment_type, e.owner_id AS "owner: PersonId",
               h.reserved + h.used + CASE WHEN $4 THEN h.stopped ELSE 0 END AS "amount!"
           FROM quota_reach r JOIN environment e ON e.id = r.environment_id JOIN project p ON p.id = e.project_id
           JOIN project_environment_type w ON w.id = e.project_environment_type_id
           JOIN environment_type y ON y.id = w.environment_type_id
           JOIN quota_holding h ON h.environment_id = e.id AND h.dimension = r.dimension
           WHERE r.quota_id = $1 AND r.subject = $2 AND h.reserved + h.used + CASE WHEN $4 THEN h.stopped ELSE 0 END > 0
           ORDER BY (e.owner_id = $3) IS TRUE DESC, "amount!" DESC, e.name LIMIT $5"#,
        quota.id.0,
        quota.subject,
        first.map(|id| id.0),
        quota.count_stopped,
        MOST_HOLDERS
    )
    .fetch_all(connection)
    .await?)
}

/// The quotas of these project environment types.
pub async fn of_places(
    connection: &mut PgConnection,
    places: &[ProjectEnvironmentTypeId],
) -> Result<Vec<(ProjectEnvironmentTypeId, QuotaUse)>> {
    let places: Vec<Uuid> = places.iter().map(|id| id.0).collect();
    let scopes = vec![QuotaScope::ProjectEnvironmentType.as_str().to_owned(); places.len()];
    let quotas = of_subjects(connection, &scopes, &places).await?;
    Ok(quotas.into_iter().map(|quota| (ProjectEnvironmentTypeId(quota.subject), quota)).collect())
}

async fn of_subjects(connection: &mut PgConnection, scopes: &[String], subjects: &[Uuid]) -> Result<Vec<QuotaUse>> {
    let dimensions = sqlx::query_scalar!("SELECT DISTINCT dimension FROM quota").fetch_all(&mut *connection).await?;
    let scopes = Scopes { scopes: scopes.to_vec(), subjects: subjects.to_vec() };
    over(connection, &scopes, &dimensions, None).await
}

/// A quota as it is to be stored.
pub struct Stored<'a> {
    pub id: QuotaId,
    pub scope: QuotaScope,
    pub subject: Option<Uuid>,
    pub dimension: &'a str,
    pub terms: QuotaTerms,
}

/// Inserts a quota. False: there is one for the same thing.
pub async fn insert(connection: &mut PgConnection, new: &Stored<'_>) -> Result<bool> {
    let at = |scope| new.subject.filter(|_| new.scope == scope);
    let result = sqlx::query!(
        "INSERT INTO quota (id, scope, project_id, environment_type_id, project_environment_type_id, team_id, person_id,
             dimension, maximum, count_stopped, when_full)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
        new.id.0,
        new.scope as QuotaScope,
        at(QuotaScope::Project),
        at(QuotaScope::EnvironmentType),
        at(QuotaScope::ProjectEnvironmentType),
        at(QuotaScope::Team),
        at(QuotaScope::User),
        new.dimension,
        new.terms.maximum,
        new.terms.count_stopped,
        new.terms.when_full as WhenFull
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Other terms. False: somebody changed it in the meantime, or it is gone.
pub async fn update(
    connection: &mut PgConnection,
    id: QuotaId,
    generation: Option<i64>,
    terms: QuotaTerms,
) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE quota SET maximum = $3, count_stopped = $4, when_full = $5, generation = generation + 1
         WHERE id = $1 AND ($2::bigint IS NULL OR generation = $2)",
        id.0,
        generation,
        terms.maximum,
        terms.count_stopped,
        terms.when_full as WhenFull
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Removes a quota with its counters.
pub async fn delete(connection: &mut PgConnection, id: QuotaId) -> Result<()> {
    sqlx::query!("DELETE FROM quota WHERE id = $1", id.0).execute(connection).await?;
    Ok(())
}

/// The quotas that may take over from one another: of a scope and dimension.
pub async fn alike(connection: &mut PgConnection, scope: QuotaScope, dimension: &str) -> Result<Vec<QuotaId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: QuotaId" FROM quota WHERE scope = $1 AND dimension = $2 ORDER BY id"#,
        scope as QuotaScope,
        dimension
    )
    .fetch_all(connection)
    .await?)
}

/// The id of what people call by this word; `payments/dev` for a project environment type.
pub async fn subject(connection: &mut PgConnection, scope: QuotaScope, word: &str) -> Result<Option<Uuid>> {
    let (project, kind) = word.split_once(['/', ' ']).unwrap_or((word, ""));
    Ok(sqlx::query_scalar!(
        r#"SELECT CASE $1
             WHEN 'project' THEN (SELECT id FROM project WHERE slug = $2)
             WHEN 'environment_type' THEN (SELECT id FROM environment_type WHERE slug = $2)
             WHEN 'project_environment_type' THEN (
                 SELECT w.id FROM project_environment_type w JOIN project p ON p.id = w.project_id
                 JOIN environment_type t ON t.id = w.environment_type_id WHERE p.slug = $3 AND t.slug = $4)
             WHEN 'team' THEN (SELECT id FROM team WHERE slug = $2)
             WHEN 'user' THEN (SELECT id FROM person WHERE login = $2)
         END"#,
        scope.as_str(),
        word,
        project,
        kind
    )
    .fetch_one(connection)
    .await?)
}

/// Every quota, or one, with its fullest counter.
pub async fn list(connection: &mut PgConnection, only: Option<QuotaId>) -> Result<Vec<ListedQuota>> {
    let rows = sqlx::query!(
        r#"SELECT q.id AS "id: QuotaId", q.scope AS "scope: QuotaScope", quota_subject(q.scope, q.subject) AS "of!",
               q.dimension, q.maximum, q.count_stopped, q.when_full AS "when_full: WhenFull", q.generation, q.subject,
               (SELECT count(*) FROM quota_line_stand l WHERE l.quota_id = q.id) AS "waiting!",
               quota_subject(q.scope, c.subject) AS "fullest!", c.subject AS "counted?",
               coalesce(c.used, 0) AS "used!", coalesce(c.reserved, 0) AS "reserved!",
               coalesce(c.stopped, 0) AS "stopped!"
           FROM quota q LEFT JOIN LATERAL (
               SELECT * FROM quota_counter k WHERE k.quota_id = q.id
               ORDER BY k.used + k.reserved + CASE WHEN q.count_stopped THEN k.stopped ELSE 0 END DESC, k.subject LIMIT 1
           ) c ON true
           WHERE $1::uuid IS NULL OR q.id = $1
           ORDER BY 3, q.subject NULLS FIRST, q.dimension"#,
        only.map(|id| id.0)
    )
    .fetch_all(connection)
    .await?;
    let listed = rows.into_iter().map(|row| ListedQuota {
        for_each: row.subject.is_none() && row.scope.has_default(),
        generation: row.generation,
        fullest: row.fullest,
        quota: QuotaUse {
            id: row.id,
            scope: row.scope,
            of: row.of,
            dimension: row.dimension,
            maximum: row.maximum,
            count_stopped: row.count_stopped,
            when_full: row.when_full,
            waiting: row.waiting,
            used: row.used,
            reserved: row.reserved,
            stopped: row.stopped,
            subject: row.subject.or(row.counted).unwrap_or_default(),
        },
    });
    Ok(listed.collect())
}

/// What does not add up: entries and holdings, holdings and counters, and what is gone and holds something.
pub async fn discrepancies(connection: &mut PgConnection) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        r#"WITH summed AS (
             SELECT environment_id, dimension, sum(reserved) AS reserved, sum(used) AS used, sum(stopped) AS stopped
             FROM quota_entry GROUP BY 1, 2),
         reached AS (
             SELECT r.quota_id, r.subject, sum(h.reserved) AS reserved, sum(h.used) AS used, sum(h.stopped) AS stopped
             FROM quota_reach r
             JOIN quota_holding h ON h.environment_id = r.environment_id AND h.dimension = r.dimension GROUP BY 1, 2)
         SELECT 'environment ' || environment_id || ' holds other ' || dimension || ' than its entries say' AS "text!"
         FROM summed s FULL JOIN quota_holding h USING (environment_id, dimension)
         WHERE (coalesce(s.reserved, 0), coalesce(s.used, 0), coalesce(s.stopped, 0))
             <> (coalesce(h.reserved, 0), coalesce(h.used, 0), coalesce(h.stopped, 0))
         UNION ALL
         SELECT 'quota ' || quota_id || ' counts ' || coalesce(c.reserved, 0) || ' reserved, ' || coalesce(c.used, 0)
             || ' used, ' || coalesce(c.stopped, 0) || ' stopped of ' || subject || ', not ' || coalesce(r.reserved, 0)
             || ', ' || coalesce(r.used, 0) || ', ' || coalesce(r.stopped, 0)
         FROM reached r FULL JOIN quota_counter c USING (quota_id, subject)
         WHERE (coalesce(r.reserved, 0), coalesce(r.used, 0), coalesce(r.stopped, 0))
             <> (coalesce(c.reserved, 0), coalesce(c.used, 0), coalesce(c.stopped, 0))
         UNION ALL
         SELECT 'environment ' || e.id || ' is deleted and holds ' || h.dimension FROM quota_holding h
         JOIN environment e ON e.id = h.environment_id
         WHERE e.state = 'deleted' AND (h.reserved, h.used, h.stopped) <> (0, 0, 0)
         LIMIT 100"#
    )
    .fetch_all(connection)
    .await?)
}
