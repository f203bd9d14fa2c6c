//! The product in a real Chromium, as people use it: with scripts, without, by keyboard only.
//!
//! Needs `chromedriver`, Chromium and axe-core; `scripts/setup` installs them.

mod api_flow;
mod browser;
mod exceptions;
mod flow;
mod inspect;
mod interrupted;
mod keyboard;
mod life;
mod pages;
mod palette;
mod policies;
mod power;
mod stage;
mod targets;
mod typing;
mod workspace;
