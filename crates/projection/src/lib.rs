//! Which fields an export has, and in what shape.
//!
//! A [`Projection`] is made once from the request's paths and the union schema; it says which fields
//! must be read ([`Projection::needed`]), what comes out ([`Projection::output`]) and how the one
//! becomes the other ([`Projection::apply`]).

mod apply;
mod error;
mod events;
mod projection;
mod shape;

pub use error::ProjectionError;
pub use events::event_lists;
pub use projection::Projection;
