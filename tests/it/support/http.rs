//! Pages and API of a [`TestApp`] on a loopback port, and one client per identity.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::SignedDuration;
use paddock::base::Actor;
use paddock::identity::{self, Browser, Holder, NewPerson, Person, Source, TokenScopes};
use paddock::policy::Role;
use paddock::{api, projects, web};
use reqwest::{Method, RequestBuilder, StatusCode, header};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::app::TestApp;

/// A served Paddock.
pub struct Site {
    /// The application behind it.
    pub test: TestApp,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Somebody with a credential, or nobody.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    headers: header::HeaderMap,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: header::HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Site {
    /// Pages and API with demo people and projects; nothing is executed yet.
    pub async fn start() -> Self {
        Self::serve(TestApp::start().await).await
    }

    /// Serves an application.
    pub async fn serve(test: TestApp) -> Self {
        let address = Self::listen(&test).await;
        Self { test, address }
    }

    /// Pages and API of an application that stays where it is: where they listen.
    pub async fn listen(test: &TestApp) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = web::router(test.app.clone()).merge(api::router(test.app.clone()));
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        address
    }

    /// Nobody.
    pub fn anonymous(&self) -> Client {
        // Every waiting request of a test may have a connection of its own.
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        Client { http, base: format!("http://{}", self.address), headers: header::HeaderMap::new() }
    }

    /// Somebody with a token of every scope.
    pub async fn client(&self, login: &str) -> Client {
        self.with_token(login, TokenScopes::all()).await
    }

    /// Somebody with a token of these scopes.
    pub async fn with_token(&self, login: &str, scopes: TokenScopes) -> Client {
        let person = self.person(login).await;
        let op = self.test.op(Actor::Operator);
        let hour = SignedDuration::from_hours(1);
        let token = identity::mint_token(&self.test.app.db, &op, &person, "test", &scopes, hour).await.unwrap();
        self.anonymous().with_header("authorization", &format!("Bearer {}", token.secret.expose_secret()))
    }

    /// A demo person with a session, in a browser that says where its requests come from.
    pub async fn browser(&self, login: &str) -> Client {
        let app = &self.test.app;
        let op = self.test.op(Actor::Anonymous);
        let peer = "127.0.0.1".parse().unwrap();
        let signed_in =
            identity::demo_sign_in(&app.db, &op, &app.identity, login, peer, Browser::default()).await.unwrap();
        let cookie = format!("{}={}", identity::Cookie::Session.name(false), signed_in.token.expose_secret());
        self.anonymous().with_header("cookie", &cookie)
    }

    /// The person with this login; made, without any role, when there is none.
    pub async fn person(&self, login: &str) -> Person {
        let mut tx = self.test.app.db.begin().await.unwrap();
        if let Some(person) = identity::find_person(&mut tx, login).await.unwrap() {
            return person;
        }
        let op = self.test.op(Actor::Operator);
        let new = NewPerson { login: login.to_owned(), display_name: login.to_uppercase(), ..NewPerson::default() };
        let person = identity::create_person(&mut tx, &op, &new).await.unwrap();
        tx.commit().await.unwrap();
        person
    }

    /// Gives a role in a project, or on the platform.
    pub async fn grant(&self, login: &str, role: Role, project: Option<&str>) {
        let person = self.person(login).await;
        let op = self.test.op(Actor::Operator);
        let mut tx = self.test.app.db.begin().await.unwrap();
        let project = match project {
            Some(slug) => Some(projects::find(&mut tx, slug).await.unwrap().unwrap().id),
            None => None,
        };
        identity::bind_role(&mut tx, &op, role, Holder::Person(person.id), project, Source::Local).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Runs a statement as a role that may do everything.
    pub async fn sql(&self, statement: &str) {
        use sqlx::Connection as _;
        let mut connection = sqlx::PgConnection::connect_with(&self.test.database.options()).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    }

    /// One number of a query.
    pub async fn number(&self, query: &str) -> i64 {
        let query = sqlx::AssertSqlSafe(format!("SELECT ({query})::bigint"));
        sqlx::query_scalar(query).fetch_one(self.test.app.db.pool()).await.unwrap()
    }
}

impl Client {
    /// The same with one more header.
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        let name = header::HeaderName::from_bytes(name.as_bytes()).unwrap();
        client.headers.insert(name, value.parse().unwrap());
        client
    }

    /// The same person at another process.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { base: format!("http://{address}"), ..self.clone() }
    }

    /// A request that was not sent yet.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).headers(self.headers.clone())
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// Reads what must be there.
    pub async fn json(&self, path: &str) -> Value {
        self.get(path).await.expect(StatusCode::OK)
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    /// Puts JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PUT, path).json(body)).await
    }

    /// Posts nothing.
    pub async fn post_nothing(&self, path: &str) -> Answer {
        send(self.request(Method::POST, path)).await
    }
}

/// Sends and reads.
pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

impl Answer {
    /// The body, when the status is this one.
    #[track_caller]
    pub fn expect(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.value()
    }

    /// The body; null when it is no JSON.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The pointers of the values that are wrong.
    pub fn pointers(&self) -> Vec<String> {
        let value = self.value();
        let errors = value["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }
}
