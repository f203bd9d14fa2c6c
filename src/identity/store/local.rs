//! Passwords, the set-up code, and the throttle. All times are the database's.

use sqlx::PgConnection;

use crate::base::Digest;
use crate::base::id::PersonId;
use crate::db::Result;

/// The person's stored hash; locked against change until the transaction ends.
pub(in crate::identity) async fn find_phc(connection: &mut PgConnection, person: PersonId) -> Result<Option<String>> {
    let phc = sqlx::query_scalar!("SELECT phc FROM local_password WHERE person_id = $1 FOR SHARE", person.0)
        .fetch_optional(connection)
        .await?;
    Ok(phc)
}

pub(in crate::identity) async fn set_phc(connection: &mut PgConnection, person: PersonId, phc: &str) -> Result<()> {
    sqlx::query!(
        "INSERT INTO local_password (person_id, phc) VALUES ($1, $2)
         ON CONFLICT (person_id) DO UPDATE SET phc = excluded.phc, changed_at = now()",
        person.0,
        phc
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// False when the hash was not `old` any more.
pub(in crate::identity) async fn replace_phc(
    connection: &mut PgConnection,
    person: PersonId,
    old: &str,
    new: &str,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE local_password SET phc = $3, changed_at = now() WHERE person_id = $1 AND phc = $2",
        person.0,
        old,
        new
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Whether somebody who can sign in without `--demo` is an admin of the platform.
pub(in crate::identity) async fn admin_exists(connection: &mut PgConnection) -> Result<bool> {
    let exists = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM person
               JOIN role_binding binding ON binding.role = 'admin' AND binding.project_id IS NULL AND (
                   binding.person_id = person.id OR binding.team_id IN (
                       SELECT team_id FROM team_member WHERE team_member.person_id = person.id))
               WHERE person.active AND NOT person.demo AND NOT person.service) AS "exists!""#
    )
    .fetch_one(connection)
    .await?;
    Ok(exists)
}

pub(in crate::identity) async fn set_setup_code(connection: &mut PgConnection, code: Digest) -> Result<()> {
    sqlx::query!(
        "INSERT INTO setup_code (only_one, code_hash) VALUES (true, $1)
         ON CONFLICT (only_one) DO UPDATE SET code_hash = excluded.code_hash, created_at = now(), used_at = NULL",
        code.0.as_slice()
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(in crate::identity) async fn setup_code_fits(connection: &mut PgConnection, code: Digest) -> Result<bool> {
    let fits = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM setup_code WHERE code_hash = $1 AND used_at IS NULL) AS "fits!""#,
        code.0.as_slice()
    )
    .fetch_one(connection)
    .await?;
    Ok(fits)
}

/// True for the one caller that used the code.
pub(in crate::identity) async fn use_setup_code(connection: &mut PgConnection, code: Digest) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE setup_code SET used_at = now() WHERE code_hash = $1 AND used_at IS NULL",
        code.0.as_slice()
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Counts an attempt before it is made, so that parallel ones cannot pass the limit together:
/// `Ok(attempts)`, or `Err(seconds to wait)`. From the `free`th attempt in a row on, each makes the
/// next wait twice as long, up to `longest` seconds.
pub(in crate::identity) async fn take_attempt(
    connection: &mut PgConnection,
    subject: Digest,
    free: i32,
    longest: f64,
    forget: f64,
) -> Result<std::result::Result<i32, i64>> {
    // clock_timestamp, not now: after a wait for the row lock, now() is older than what the
    // transaction before wrote.
    let taken = sqlx::query_scalar!(
        r#"INSERT INTO sign_in_throttle AS old (subject, attempts, last_at, blocked_until)
           VALUES ($1, 1, clock_timestamp(), clock_timestamp())
           ON CONFLICT (subject) DO UPDATE SET
               attempts = CASE WHEN old.last_at < clock_timestamp() - make_interval(secs => $4) THEN 1
                               ELSE old.attempts + 1 END,
               last_at = clock_timestamp(),
               blocked_until = clock_timestamp() + CASE
                   WHEN old.last_at < clock_timestamp() - make_interval(secs => $4) OR old.attempts + 1 < $2
                       THEN interval '0'
                   ELSE make_interval(secs => least($3::float8, 2 ^ least(old.attempts + 1 - $2, 30))) END
           WHERE old.blocked_until <= clock_timestamp()
           RETURNING attempts"#,
        subject.0.as_slice(),
        free,
        longest,
        forget,
    )
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(attempts) = taken {
        return Ok(Ok(attempts));
    }
    let wait = sqlx::query_scalar!(
        r#"SELECT greatest(1, ceil(extract(epoch FROM blocked_until - clock_timestamp())))::bigint AS "wait!"
           FROM sign_in_throttle WHERE subject = $1"#,
        subject.0.as_slice()
    )
    .fetch_optional(connection)
    .await?;
    Ok(Err(wait.unwrap_or(1)))
}

/// Forgets the attempts of a subject.
pub(in crate::identity) async fn forget_attempts(connection: &mut PgConnection, subject: Digest) -> Result<()> {
    sqlx::query!("DELETE FROM sign_in_throttle WHERE subject = $1", subject.0.as_slice()).execute(connection).await?;
    Ok(())
}

/// Takes one attempt back.
pub(in crate::identity) async fn give_back_attempt(connection: &mut PgConnection, subject: Digest) -> Result<()> {
    sqlx::query!(
        "UPDATE sign_in_throttle SET attempts = greatest(attempts - 1, 0), blocked_until = clock_timestamp()
         WHERE subject = $1",
        subject.0.as_slice()
    )
    .execute(connection)
    .await?;
    Ok(())
}
