//! What the API document says of these routes.
