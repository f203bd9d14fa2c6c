//! Roles, teams, and who may approve.

use std::collections::BTreeSet;

use paddock::base::id::ProjectEnvironmentTypeId;
use paddock::identity::{self, Holder, IdentityError, NewPerson, Role, Source};

use super::fixture::Fixture;

#[tokio::test]
async fn access_holds_roles_of_ones_own_of_teams_and_of_the_platform() {
    let fixture = Fixture::new().await;
    let (dana, lee) = (fixture.person("dana").await, fixture.person("lee").await);
    let (payments, web) = (fixture.project("payments").await, fixture.project("web").await);
    let op = fixture.operator();
    let mut tx = fixture.db.begin().await.unwrap();
    let team = identity::ensure_team(&mut tx, &op, "payments-devs", "Payments").await.unwrap();
    identity::join_team(&mut tx, &op, &team, &dana, Source::Local).await.unwrap();
    identity::join_team(&mut tx, &op, &team, &dana, Source::Oidc).await.unwrap();
    let (person, of_team) = (Holder::Person(dana.id), Holder::Team(team.id));
    identity::bind_role(&mut tx, &op, Role::Developer, of_team, Some(payments), Source::Local).await.unwrap();
    identity::bind_role(&mut tx, &op, Role::Lead, person, Some(web), Source::Local).await.unwrap();
    identity::bind_role(&mut tx, &op, Role::Auditor, person, None, Source::Local).await.unwrap();
    identity::bind_role(&mut tx, &op, Role::Admin, Holder::Person(lee.id), None, Source::Local).await.unwrap();
    let access = identity::load_access(&mut tx, dana.id).await.unwrap();
    assert_eq!(access.teams, [team]);
    assert_eq!(access.platform_roles, BTreeSet::from([Role::Auditor]));
    assert_eq!(access.roles_in(payments, None), BTreeSet::from([Role::Developer, Role::Auditor]));
    assert_eq!(access.roles_in(web, None), BTreeSet::from([Role::Lead, Role::Auditor]));
    assert_eq!(access.projects(), BTreeSet::from([payments, web]));
    identity::unbind_role(&mut tx, &op, Role::Lead, person, Some(web), Source::Local).await.unwrap();
    assert_eq!(
        identity::load_access(&mut tx, dana.id).await.unwrap().roles_in(web, None),
        BTreeSet::from([Role::Auditor])
    );
}

#[tokio::test]
async fn people_with_role_are_the_active_ones_of_that_project() {
    let fixture = Fixture::new().await;
    let (payments, web) = (fixture.project("payments").await, fixture.project("web").await);
    let op = fixture.operator();
    let mut people = Vec::new();
    for login in ["direct", "member", "everywhere", "elsewhere", "gone", "developer2"] {
        people.push(fixture.person(login).await);
    }
    let mut tx = fixture.db.begin().await.unwrap();
    let team = identity::ensure_team(&mut tx, &op, "leads", "Leads").await.unwrap();
    identity::join_team(&mut tx, &op, &team, &people[1], Source::Local).await.unwrap();
    let lead = Role::Lead;
    for (role, holder, project) in [
        (lead, Holder::Person(people[0].id), Some(payments)),
        (lead, Holder::Team(team.id), Some(payments)),
        (lead, Holder::Person(people[2].id), None),
        (lead, Holder::Person(people[3].id), Some(web)),
        (lead, Holder::Person(people[4].id), Some(payments)),
        (Role::Developer, Holder::Person(people[5].id), Some(payments)),
    ] {
        identity::bind_role(&mut tx, &op, role, holder, project, Source::Local).await.unwrap();
    }
    tx.commit().await.unwrap();
    identity::set_active(&fixture.db, &op, people[4].id, false).await.unwrap();
    let mut connection = fixture.db.acquire().await.unwrap();
    let anywhere = ProjectEnvironmentTypeId(uuid::Uuid::nil());
    let found = identity::people_with_role(&mut connection, (payments, anywhere), lead).await.unwrap();
    let logins: Vec<_> = found.iter().map(|person| person.login.as_str()).collect();
    assert_eq!(logins, ["direct", "everywhere", "member"]);
}

#[tokio::test]
async fn making_a_thing_twice_changes_nothing_and_is_recorded_once() {
    let fixture = Fixture::new().await;
    let op = fixture.operator();
    let mut tx = fixture.db.begin().await.unwrap();
    let new = NewPerson { login: "dana".to_owned(), display_name: "Dana".to_owned(), ..NewPerson::default() };
    let first = identity::ensure_person(&mut tx, &op, &new).await.unwrap();
    for _ in 0..2 {
        assert_eq!(identity::ensure_person(&mut tx, &op, &new).await.unwrap(), first);
        let team = identity::ensure_team(&mut tx, &op, "devs", "Devs").await.unwrap();
        identity::join_team(&mut tx, &op, &team, &first, Source::Local).await.unwrap();
        identity::bind_role(&mut tx, &op, Role::Lead, Holder::Team(team.id), None, Source::Local).await.unwrap();
    }
    tx.commit().await.unwrap();
    for action in ["person.created", "team.created", "team.joined", "role.granted"] {
        assert_eq!(fixture.audit(action).await.len(), 1, "{action}");
    }
    let mut tx = fixture.db.begin().await.unwrap();
    assert!(matches!(identity::create_person(&mut tx, &op, &new).await, Err(IdentityError::LoginTaken(_))));
}

#[tokio::test]
async fn a_real_person_never_becomes_a_demo_person() {
    let fixture = Fixture::new().await;
    fixture.person("admin").await;
    let refused = identity::ensure_demo(&fixture.db, &fixture.operator()).await;
    assert!(matches!(refused, Err(IdentityError::LoginTaken(login)) if login == "admin"));
    assert_eq!(fixture.text("SELECT count(*) FROM person WHERE demo").await, "0");
}

#[tokio::test]
async fn people_are_listed_in_pages() {
    let fixture = Fixture::new().await;
    for login in ["a1", "a2", "a3"] {
        fixture.person(login).await;
    }
    let mut connection = fixture.db.acquire().await.unwrap();
    let page = identity::list_people(&mut connection, None, 2).await.unwrap();
    let logins: Vec<_> = page.items.iter().map(|person| person.login.as_str()).collect();
    assert_eq!(logins, ["a3", "a2"]);
    let cursor = paddock::base::cursor::Cursor::decode(&page.next_cursor.unwrap()).unwrap();
    let page = identity::list_people(&mut connection, Some(cursor), 2).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!((page.items[0].login.as_str(), page.next_cursor), ("a1", None));
}
