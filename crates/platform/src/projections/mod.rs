//! Edge projections: which fields of a profile are asked for under a name, and the edges that the platform would send them
//! to. There are no edges here; a projection is read where its store is.

mod destination;
mod names;
mod projection;

pub use destination::{
    DestinationBody, DestinationKind, ProjectionDestination, ReplicationPolicy,
    delete_projection_destination, projection_destination, projection_destinations,
    put_projection_destination,
};
pub use projection::{
    Place, Projection, ProjectionBody, delete_projection, named_projection, projection,
    projections, put_projection,
};
