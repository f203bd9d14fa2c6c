fn main() {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    println!("__SERVICE__ would listen on port {port}");
}
