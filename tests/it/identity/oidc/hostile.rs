//! A provider that does whatever a test wants it to do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreHmacKey, CoreJwsSigningAlgorithm as Alg};
use openidconnect::{JsonWebKeyId, PrivateSigningKey};
use paddock::base::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::{SECRET, Trip};

/// An Ed25519 key from a seed, as PKCS#8 (RFC 8410: a fixed head and 32 bytes).
fn key(seed: u8, kid: &str) -> CoreEdDsaPrivateSigningKey {
    let mut der = hex::decode("302e020100300506032b657004220420").unwrap();
    der.extend([seed; 32]);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new(kid.to_owned()))).unwrap()
}

/// How the ID token is signed.
#[derive(Clone, Copy)]
pub enum Sign {
    Key(u8),
    Hmac,
    Nothing,
}

#[derive(Default)]
pub struct Behaviour {
    /// Members of the metadata that differ from an honest provider's.
    pub metadata: Value,
    /// What the token endpoint answers.
    pub tokens: Value,
    /// What the userinfo endpoint answers; none when null.
    pub user_info: Value,
    /// The seed and the id of the published key.
    pub published: (u8, &'static str),
    /// Redirects instead of metadata.
    pub metadata_redirect: Option<String>,
    /// How often the keys were fetched.
    pub key_fetches: usize,
    /// The forms that the token endpoint got.
    pub exchanges: Vec<HashMap<String, String>>,
}

#[derive(Clone)]
pub struct Hostile {
    pub issuer: String,
    pub behaviour: Arc<Mutex<Behaviour>>,
}

impl Hostile {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Behaviour { published: (1, "one"), ..Behaviour::default() };
        let hostile = Self { issuer, behaviour: Arc::new(Mutex::new(behaviour)) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/userinfo", get(user_info))
            .with_state(hostile.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        hostile
    }

    pub fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    /// The claims of an honest ID token for this sign-in.
    pub fn claims(&self, trip: &Trip<'_>) -> Value {
        let now = SystemClock.now().as_second();
        json!({
            "iss": self.issuer, "aud": "paddock", "sub": "u-1", "nonce": trip.question["nonce"],
            "iat": now, "exp": now + 300, "preferred_username": "dana", "name": "Dana Reyes",
            "email": "dana@example.com", "groups": [],
        })
    }

    /// Answers the code with an ID token of these claims, well signed.
    pub fn answer(&self, claims: &Value) {
        self.answer_signed(claims, Sign::Key(1));
    }

    pub fn answer_signed(&self, claims: &Value, sign: Sign) {
        let token = jwt(claims, sign);
        self.set(|now| now.tokens = json!({"access_token": "access", "token_type": "Bearer", "id_token": token}));
    }
}

/// A compact JWS.
pub fn jwt(claims: &Value, sign: Sign) -> String {
    jwt_of(claims, sign, "one")
}

/// The same with this key id in its header.
pub fn jwt_of(claims: &Value, sign: Sign, kid: &str) -> String {
    let alg = match sign {
        Sign::Key(_) => "EdDSA",
        Sign::Hmac => "HS256",
        Sign::Nothing => "none",
    };
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": alg, "kid": kid, "typ": "JWT"})), part(claims));
    let signature = match sign {
        Sign::Key(seed) => key(seed, kid).sign(&Alg::EdDsa, signed.as_bytes()).unwrap(),
        Sign::Hmac => CoreHmacKey::new(SECRET).sign(&Alg::HmacSha256, signed.as_bytes()).unwrap(),
        Sign::Nothing => Vec::new(),
    };
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

async fn metadata(State(hostile): State<Hostile>) -> Response {
    let issuer = &hostile.issuer;
    let now = hostile.behaviour.lock().unwrap();
    if let Some(to) = &now.metadata_redirect {
        return (StatusCode::FOUND, [(header::LOCATION, to.clone())]).into_response();
    }
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    });
    if !now.user_info.is_null() {
        document["userinfo_endpoint"] = json!(format!("{issuer}/userinfo"));
    }
    for (name, value) in now.metadata.as_object().into_iter().flatten() {
        document[name] = value.clone();
    }
    Json(document).into_response()
}

async fn keys(State(hostile): State<Hostile>) -> Json<Value> {
    let mut now = hostile.behaviour.lock().unwrap();
    now.key_fetches += 1;
    Json(json!({"keys": [key(now.published.0, now.published.1).as_verification_key()]}))
}

async fn token(State(hostile): State<Hostile>, Form(form): Form<HashMap<String, String>>) -> Response {
    let mut now = hostile.behaviour.lock().unwrap();
    now.exchanges.push(form);
    let status = if now.tokens.get("error").is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    (status, Json(now.tokens.clone())).into_response()
}

async fn user_info(State(hostile): State<Hostile>) -> Json<Value> {
    Json(hostile.behaviour.lock().unwrap().user_info.clone())
}
