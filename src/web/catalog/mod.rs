//! The catalog: cards with facets, and one template in full.

pub mod view;
