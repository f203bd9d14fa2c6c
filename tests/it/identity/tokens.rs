//! API tokens: who makes them, what they reach, how they end.

use jiff::SignedDuration;
use paddock::base::Actor;
use paddock::identity::{
    self, Credential, IdentityError, NewPerson, Person, Scope, TokenScopes, authenticate_token, mint_token,
};
use secrecy::ExposeSecret as _;

use super::fixture::{DEMO, Fixture};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

async fn mint(fixture: &Fixture, person: &Person, scopes: &str) -> String {
    mint_named(fixture, person, "ci", scopes).await
}

async fn mint_named(fixture: &Fixture, person: &Person, name: &str, scopes: &str) -> String {
    let op = fixture.as_person(person);
    let token = mint_token(&fixture.db, &op, person, name, &scopes.parse().unwrap(), HOUR).await.unwrap();
    token.secret.expose_secret().to_owned()
}

async fn holds(fixture: &Fixture, token: &str) -> bool {
    match authenticate_token(&mut fixture.db.acquire().await.unwrap(), &DEMO, token).await {
        Ok(_) => true,
        Err(IdentityError::TokenInvalid) => false,
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_token_tells_who_and_how_far_and_only_its_hash_is_stored() {
    let fixture = Fixture::new().await;
    let dana = fixture.person("dana").await;
    let token = mint(&fixture, &dana, "request").await;
    assert!(token.starts_with("pdkp_"));
    let who = authenticate_token(&mut fixture.db.acquire().await.unwrap(), &DEMO, &token).await.unwrap();
    assert_eq!(who.access.person, dana);
    let reached: Vec<_> = Scope::ALL.into_iter().filter(|scope| who.reaches(*scope)).collect();
    assert_eq!(reached, [Scope::Read, Scope::Request]);
    let Credential::Token { id, .. } = &who.credential else { panic!("a token") };
    assert_eq!(who.actor(), Actor::Person { id: dana.id, login: "dana".to_owned(), token: Some(*id) });
    let stored = fixture.text("SELECT string_agg(api_token::text, '') FROM api_token").await;
    assert!(stored.contains(&paddock::base::Digest::of(token.as_bytes()).to_string()), "{stored}");
    assert!(!stored.contains(&token[..20]) && !stored.contains(&hex::encode(&token)), "{stored}");
    let audit = fixture.audit("token.minted").await;
    assert_eq!(audit.len(), 1);
    assert!(audit[0].starts_with("dana ci succeeded") && !audit[0].contains(&token[5..]), "{audit:?}");
    let mut connection = fixture.db.acquire().await.unwrap();
    let listed = identity::list_tokens(&mut connection, dana.id).await.unwrap();
    assert_eq!((listed.len(), listed[0].last4.as_str()), (1, &token[50..]));
}

#[tokio::test]
async fn each_end_ends_a_token() {
    let fixture = Fixture::new().await;
    let dana = fixture.person("dana").await;
    let token = mint(&fixture, &dana, "read").await;
    for (breaks, heals) in [
        (
            "UPDATE api_token SET expires_at = now() - interval '1 s'",
            "UPDATE api_token SET expires_at = now() + interval '1 h'",
        ),
        ("UPDATE api_token SET revoked_at = now()", "UPDATE api_token SET revoked_at = NULL"),
        ("UPDATE person SET active = false", "UPDATE person SET active = true"),
    ] {
        fixture.sql(breaks).await;
        assert!(!holds(&fixture, &token).await, "{breaks}");
        fixture.sql(heals).await;
        assert!(holds(&fixture, &token).await, "{heals}");
    }
    let foreign = format!("pdks_{}", &token[5..]);
    assert!(!holds(&fixture, &foreign).await);
}

#[tokio::test]
async fn use_is_noted_once_a_minute() {
    let fixture = Fixture::new().await;
    let dana = fixture.person("dana").await;
    let token = mint(&fixture, &dana, "read").await;
    assert!(holds(&fixture, &token).await);
    let first = fixture.text("SELECT last_used_at FROM api_token").await;
    assert!(holds(&fixture, &token).await);
    assert_eq!(fixture.text("SELECT last_used_at FROM api_token").await, first);
    fixture.sql("UPDATE api_token SET last_used_at = now() - interval '61 s'").await;
    assert!(holds(&fixture, &token).await);
    assert_eq!(fixture.text("SELECT last_used_at > now() - interval '30 s' FROM api_token").await, "true");
}

#[tokio::test]
async fn only_oneself_with_a_session_or_the_operator_makes_a_token() {
    let fixture = Fixture::new().await;
    let (dana, lee) = (fixture.person("dana").await, fixture.person("lee").await);
    let mut tx = fixture.db.begin().await.unwrap();
    let new = NewPerson { login: "ci".into(), display_name: "CI".into(), service: true, ..NewPerson::default() };
    let service = identity::create_person(&mut tx, &fixture.operator(), &new).await.unwrap();
    tx.commit().await.unwrap();
    let by_token = fixture.op(Actor::Person {
        id: dana.id,
        login: "dana".to_owned(),
        token: Some(paddock::base::id::TokenId(uuid::Uuid::from_u128(1))),
    });
    for (op, person, ok) in [
        (fixture.as_person(&dana), &dana, true),
        (fixture.operator(), &dana, true),
        (fixture.as_person(&dana), &service, true),
        (fixture.as_person(&dana), &lee, false),
        (by_token, &dana, false),
        (fixture.anonymous(), &dana, false),
        (fixture.op(Actor::System { part: "worker" }), &dana, false),
    ] {
        let result = mint_token(&fixture.db, &op, person, "ci", &TokenScopes::all(), HOUR).await;
        assert_eq!(result.is_ok(), ok, "{} for {}: {result:?}", op.actor, person.login);
        if let Ok(token) = result {
            let prefix = if person.service { "pdks_" } else { "pdkp_" };
            assert!(token.secret.expose_secret().starts_with(prefix));
        }
    }
}

#[tokio::test]
async fn lifetime_and_name_have_limits() {
    let fixture = Fixture::new().await;
    let dana = fixture.person("dana").await;
    let op = fixture.as_person(&dana);
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    for (name, ttl, ok) in [
        ("ci", days(366), true),
        ("ci", days(367), false),
        ("ci", SignedDuration::ZERO, false),
        ("ci", SignedDuration::from_secs(-1), false),
        (" ", HOUR, false),
        (&"x".repeat(101), HOUR, false),
    ] {
        let result = mint_token(&fixture.db, &op, &dana, name, &TokenScopes::all(), ttl).await;
        assert_eq!(result.is_ok(), ok, "{name} {ttl}");
    }
    identity::set_active(&fixture.db, &fixture.operator(), dana.id, false).await.unwrap();
    let disabled = mint_token(&fixture.db, &op, &dana, "other", &TokenScopes::all(), HOUR).await;
    assert!(matches!(disabled, Err(IdentityError::Disabled)));
}

#[tokio::test]
async fn a_token_is_revoked_by_its_owner_and_with_the_owner() {
    let fixture = Fixture::new().await;
    let (dana, lee) = (fixture.person("dana").await, fixture.person("lee").await);
    let one = mint(&fixture, &dana, "read").await;
    let two = mint_named(&fixture, &dana, "two", "read").await;
    let who = authenticate_token(&mut fixture.db.acquire().await.unwrap(), &DEMO, &one).await.unwrap();
    let Credential::Token { id, .. } = who.credential else { panic!("a token") };
    let foreign = identity::revoke_token(&fixture.db, &fixture.as_person(&lee), &lee, id).await;
    assert!(matches!(foreign, Err(IdentityError::NotFound(_))));
    identity::revoke_token(&fixture.db, &fixture.as_person(&dana), &dana, id).await.unwrap();
    assert!(!holds(&fixture, &one).await);
    assert!(holds(&fixture, &two).await);
    identity::set_active(&fixture.db, &fixture.operator(), dana.id, false).await.unwrap();
    identity::set_active(&fixture.db, &fixture.operator(), dana.id, true).await.unwrap();
    assert!(!holds(&fixture, &two).await, "enabled again, but the token stays revoked");
    assert_eq!(fixture.audit("token.revoked").await.len(), 1);
}

#[tokio::test]
async fn a_demo_persons_token_counts_only_in_a_demo() {
    let fixture = Fixture::new().await;
    let people = identity::ensure_demo(&fixture.db, &fixture.operator()).await.unwrap();
    let token = mint(&fixture, &people.admin, "admin").await;
    assert!(holds(&fixture, &token).await);
    let off = authenticate_token(&mut fixture.db.acquire().await.unwrap(), &fixture.settings, &token).await;
    assert!(matches!(off, Err(IdentityError::TokenInvalid)));
}

#[tokio::test]
async fn a_name_is_taken_once_while_its_token_works() {
    let fixture = Fixture::new().await;
    let (dana, lee) = (fixture.person("dana").await, fixture.person("lee").await);
    let op = fixture.as_person(&dana);
    let scopes = TokenScopes::all();
    // Two at once: one of them waits for the other and is refused.
    let make = || mint_token(&fixture.db, &op, &dana, "ci", &scopes, HOUR);
    let (one, two) = tokio::join!(make(), make());
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let refused = |result: identity::Result<_>| match result {
        Err(IdentityError::Invalid(errors)) => errors[0].pointer.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(make().await), "/name");
    mint(&fixture, &lee, "read").await;
    // At the server's terminal nobody is bound by it: a script names its tokens as it likes.
    mint_token(&fixture.db, &fixture.operator(), &dana, "ci", &scopes, HOUR).await.unwrap();
    for frees in ["UPDATE api_token SET revoked_at = now()", "UPDATE api_token SET expires_at = now()"] {
        fixture.sql(frees).await;
        make().await.unwrap();
        assert_eq!(refused(make().await), "/name");
    }
}

#[tokio::test]
async fn as_many_tokens_work_at_once_as_the_list_shows() {
    let fixture = Fixture::new().await;
    let dana = fixture.person("dana").await;
    let op = fixture.as_person(&dana);
    let fill = "INSERT INTO api_token (id, person_id, name, token_hash, last4, scopes, expires_at, revoked_at, created_at)
        SELECT gen_random_uuid(), person.id, 'name ' || n, sha256(n::text::bytea), 'last', '{read}', now() + interval '1 h',
            CASE WHEN n > 49 THEN now() END, now() + make_interval(secs => n)
        FROM person, generate_series(1, 200) AS n WHERE login = 'dana'";
    fixture.sql(fill).await;
    let scopes = TokenScopes::all();
    mint_token(&fixture.db, &op, &dana, "the 50th", &scopes, HOUR).await.unwrap();
    let full = mint_token(&fixture.db, &op, &dana, "the 51st", &scopes, HOUR).await;
    assert!(matches!(&full, Err(IdentityError::Invalid(errors)) if errors[0].detail.contains("50")), "{full:?}");
    let mut connection = fixture.db.acquire().await.unwrap();
    let listed = identity::list_tokens(&mut connection, dana.id).await.unwrap();
    assert_eq!((listed.len(), listed.iter().take_while(|token| token.works()).count()), (100, 50));
}
